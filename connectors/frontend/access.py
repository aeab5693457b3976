"""Who may call, and what: bearer tokens, hosts, and pages of other origins.

Rules
- Where a token is set, every request needs one, or a ticket that stands for it; `/health` alone needs nothing.
- `frontend.token` opens every session. One of `frontend.tokens` opens those whose ids begin with its name and a colon:
  it begins, reads, goes on with and stops these, and no others.
- A request is for us by its `Host`: a page whose name leads to this machine by DNS rebinding is of no other origin to
  its browser, and names itself there. What may stand there: a loopback name, the address that we listen on, the host of
  `public_url`, and `hosts`; a port is not looked at. Where we listen on every address, any address may, and, unless
  `hosts` says which, any name: there a token is needed, and such a page has none.
- A page of another origin gets in only where `allowed_origins` has it. Without this, any page that a person on this
  machine has open could begin turns on loopback: the browser sends such requests, it only hides the answers.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final
from urllib.parse import urlsplit

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request

from connectors.errors import TokenweirError
from connectors.frontend.settings import FrontendSettings, is_loopback
from connectors.secret import Secret

ANY: Final = "*"
ALL_SESSIONS: Final = ""
OWN_SITE: Final = ("same-origin", "none")
"""Sec-Fetch-Site of our own pages, and of what a person typed."""

_HOST: Final = re.compile(r"(?:\[([0-9a-f:.]{2,45})\]|([a-z0-9._-]{1,253}))(?::[0-9]{0,5})?", re.IGNORECASE)


class NoTokenError(TokenweirError):
    """The request has no bearer token, or a wrong one."""


class ForeignSessionError(TokenweirError):
    """The token does not open this session."""


class ForeignPageError(TokenweirError):
    """A page asked whose origin is not on the list."""


def check_token(request: Request, settings: FrontendSettings) -> str:
    """How the ids begin of the sessions that the caller may do with as it likes. Raises NoTokenError."""
    rights = {ALL_SESSIONS: settings.token, **{f"{name}:": token for name, token in settings.tokens.items()}}
    if not any(rights.values()):
        return ALL_SESSIONS
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    token = Secret(given.strip())
    found = [begins for begins, right in rights.items() if right == token and right]
    if scheme.lower() != "bearer" or not found:
        raise NoTokenError("a bearer token is needed (Authorization: Bearer …)")
    return found[0]


def check_session(session_id: str, begins: str) -> None:
    """Raises ForeignSessionError for a session that `check_token` did not open."""
    if not session_id.startswith(begins):
        raise ForeignSessionError(f"session_id: this token opens sessions that begin with {begins} (frontend.tokens)")


def check_origin(request: Request, settings: FrontendSettings) -> None:
    """Raises ForeignPageError."""
    headers, allowed = request.headers, settings.allowed_origins
    origin = headers.get("origin")
    if ANY in allowed or (origin is not None and origin in (*allowed, _origin(settings.public_url))):
        return
    own = origin is not None and origin.partition("://")[2] == headers.get("host")
    if not own and (origin is not None or headers.get("sec-fetch-site", "none") not in OWN_SITE):
        raise ForeignPageError("pages of this origin may not call; add it to frontend.allowed_origins")


def cors(settings: FrontendSettings) -> Middleware:
    """The answers' headers that let pages on the list read them."""
    return Middleware(
        CORSMiddleware,
        allow_origins=settings.allowed_origins,
        allow_methods=("GET", "POST", "DELETE"),
        allow_headers=("*",),  # the clients of chat completions bring a dozen of their own; what counts is the origin
        expose_headers=("Retry-After", "X-Request-Id", "X-Session-Id"),
        max_age=600,
    )


class Hosts:
    """The hosts that a request may be for."""

    def __init__(self, settings: FrontendSettings) -> None:
        names = {settings.host, urlsplit(settings.public_url).hostname or "", *settings.hosts}
        self._names = {_plain(name) for name in names}
        self._every_address = is_every_address(settings.host)
        self._any = ANY in settings.hosts or (self._every_address and not settings.hosts)

    def has(self, host: str) -> bool:
        """Whether what stands in a `Host` header is one of them."""
        found = _HOST.fullmatch(host)
        if found is None:
            return False
        name = _plain(found[1] or found[2])
        return self._any or name in self._names or is_loopback(name) or (self._every_address and _is_address(name))


def is_every_address(host: str) -> bool:
    """Whether listening there is listening on all of the machine's addresses."""
    return host == "" or (_is_address(host) and ipaddress.ip_address(host).is_unspecified)


def _plain(name: str) -> str:
    """The one way to write it."""
    name = name.lower().removesuffix(".")
    return ipaddress.ip_address(name).compressed if _is_address(name) else name


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _origin(url: str) -> str:
    return "/".join(url.split("/", 3)[:3])
