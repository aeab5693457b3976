"""What a caller is answered that is no stream: JSON, and for every error of ours its status.

Rules
- An error names the field and the remedy; it never quotes what it was given.
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


def json_answer(status: int, body: dict[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(body), status, headers, media_type="application/json")


async def _explain(request: Request, error: Exception) -> Response:
    status = next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)
    body: dict[str, Any] = {"error": str(error)}
    if isinstance(error, MissingError):
        body["missing"] = error.names
    return json_answer(status, body, HEADERS.get(status))


async def _explain_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return json_answer(error.status_code, {"error": error.detail}, error.headers)


async def _explain_disk(request: Request, error: Exception) -> Response:
    return json_answer(503, {"error": "the log cannot be written: the disk is full or gone"})


EXPLAIN: Final[dict[Any, Any]] = {TokenweirError: _explain, HTTPException: _explain_http, OSError: _explain_disk}
"""Starlette's handlers of what a route raises."""
