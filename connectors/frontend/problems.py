"""What goes wrong with a chat completion, as its clients read it: {"error": {message, type, param, code}}. A core."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from connectors.errors import InputError

TYPES: Final[Mapping[int, str]] = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
CODES: Final[Mapping[int, str]] = {
    400: "invalid_request",
    401: "invalid_api_key",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    409: "session_busy",
    413: "request_too_large",
    421: "misdirected",
    429: "rate_limit_exceeded",
    503: "unavailable",
}


class ParameterError(InputError):
    """A field of a request that cannot be. `param` names it as the caller wrote it."""

    def __init__(self, param: str, problem: str, code: str = "invalid_value", status: int = 400) -> None:
        super().__init__(f"{param}: {problem}")
        self.param = param
        self.code = code
        self.status = status


def error_of(status: int, message: str, code: str = "", param: str | None = None) -> dict[str, Any]:
    """The error; without a `code` by its status alone."""
    kind = TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    return {"message": message, "type": kind, "param": param, "code": code or CODES.get(status, "error")}
