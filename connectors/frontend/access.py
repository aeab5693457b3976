"""Who may call: bearer tokens, and pages of other origins.

Rules
- Where a token is set, every request needs it, or a ticket that stands for it; `/health` alone needs nothing.
- A page of another origin gets in only where `allowed_origins` has it. Without this, any page that a person on this
  machine has open could begin turns on loopback: the browser sends such requests, it only hides the answers.
"""

from __future__ import annotations

from typing import Final

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request

from connectors.errors import TokenweirError
from connectors.frontend.settings import FrontendSettings
from connectors.secret import Secret

ANY: Final = "*"


class NoTokenError(TokenweirError):
    """The request has no bearer token, or a wrong one."""


class ForeignPageError(TokenweirError):
    """A page asked whose origin is not on the list."""


def check_token(request: Request, token: Secret) -> None:
    """Raises NoTokenError."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if token and not (scheme.lower() == "bearer" and Secret(given.strip()) == token):
        raise NoTokenError("a bearer token is needed (Authorization: Bearer …)")


def check_origin(request: Request, allowed: tuple[str, ...]) -> None:
    """Raises ForeignPageError."""
    headers = request.headers
    origin = headers.get("origin")
    if ANY in allowed or origin in allowed:
        return
    own = origin is not None and origin.partition("://")[2] == headers.get("host")
    if not own and (origin is not None or headers.get("sec-fetch-site") == "cross-site"):
        raise ForeignPageError("pages of this origin may not call; add it to frontend.allowed_origins")


def cors(settings: FrontendSettings) -> Middleware:
    """The answers' headers that let pages on the list read them."""
    return Middleware(
        CORSMiddleware,
        allow_origins=settings.allowed_origins,
        allow_methods=("GET", "POST", "DELETE"),
        allow_headers=("Authorization", "Content-Type", "Last-Event-ID"),
        expose_headers=("Retry-After",),
        max_age=600,
    )
