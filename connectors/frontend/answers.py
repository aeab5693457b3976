"""What a caller is answered that is no stream: JSON, and for every error of ours its status.

Rules
- An error names the field and the remedy; it never quotes what it was given.
- Below /v1 an error has the shape that clients of chat completions read: {"error": {message, type, param, code}}.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from connectors.errors import InputError, TokenweirError
from connectors.frontend import access
from connectors.frontend.hub import FullError, UnknownTurnError
from connectors.frontend.problems import ParameterError, error_of
from connectors.frontend.tickets import TicketError
from connectors.job.job import BusyError, DiskFullError, SessionOpenError
from connectors.job.requests import MissingError


class BodyTooLargeError(TokenweirError):
    """A request's body is larger than `max_request_bytes`."""


class StoppingError(TokenweirError):
    """The server stops, and begins nothing any more."""


STATUS: Final[Mapping[type[TokenweirError], int]] = {
    InputError: 400,
    access.NoTokenError: 401,
    access.ForeignPageError: 403,
    access.ForeignSessionError: 403,
    TicketError: 403,
    SessionOpenError: 409,
    UnknownTurnError: 410,
    BodyTooLargeError: 413,
    BusyError: 429,
    DiskFullError: 503,
    StoppingError: 503,
    FullError: 429,
}
HEADERS: Final = {401: {"WWW-Authenticate": "Bearer"}, 429: {"Retry-After": "1"}}


def error_answer(
    path: str, status: int, message: str, headers: Mapping[str, str] | None = None, **more: Any
) -> Response:
    """An error in the shape that belongs to the path. `more` goes into ours."""
    if is_chat(path):
        return json_answer(status, {"error": error_of(status, message)}, headers)
    return json_answer(status, {"error": message, **more}, headers)


def is_chat(path: str) -> bool:
    return path.startswith("/v1/") or path == "/v1"


def json_answer(status: int, body: dict[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(body), status, headers, media_type="application/json")


async def _explain(request: Request, error: Exception) -> Response:
    status = next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)
    headers, path = HEADERS.get(status), request.url.path
    if isinstance(error, ParameterError):
        said = error_of(error.status, str(error), error.code, error.param)
        return json_answer(error.status, {"error": said}, headers)
    more = {"missing": error.names} if isinstance(error, MissingError) else {}
    return error_answer(path, status, str(error), headers, **more)


async def _explain_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    path, says = request.url.path, error.detail
    if error.status_code == 404 and is_chat(path):
        says = "no such path; this server has POST /v1/chat/completions and GET /v1/models"
    return error_answer(path, error.status_code, says, error.headers)


async def _explain_disk(request: Request, error: Exception) -> Response:
    return error_answer(request.url.path, 503, "the log cannot be written: the disk is full or gone")


EXPLAIN: Final[dict[Any, Any]] = {TokenweirError: _explain, HTTPException: _explain_http, OSError: _explain_disk}
"""Starlette's handlers of what a route raises."""
