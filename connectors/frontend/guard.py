"""What every request must be before anything looks at what it asks for.

Rules
- It is for us (access.py): one for another host is answered 421, and the answer names the setting.
- It says one thing only: where its end can be read in two ways, or a field that we go by stands there twice, somebody
  between the caller and us may have read it otherwise. 400, and the connection is closed.
- A path is one line.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from connectors.frontend.access import Hosts
from connectors.frontend.answers import error_answer

ONCE: Final = (
    *(b"authorization", b"content-length", b"host", b"last-event-id", b"origin", b"transfer-encoding"),
    b"x-session-id",
)


class Guard:
    """An ASGI application before another. `counts`: misdirected, ambiguous."""

    def __init__(self, app: ASGIApp, hosts: Hosts, counts: Counter[str]) -> None:
        self._app = app
        self._hosts = hosts
        self._counts = counts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if problem := _ambiguity(scope):
            self._counts["ambiguous"] += 1
            await _refuse(scope, 400, problem)(scope, receive, send)
        elif not self._is_for_us(scope):
            self._counts["misdirected"] += 1
            answer = _refuse(scope, 421, "Host: this server is not known by that name; add it to frontend.hosts")
            await answer(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _is_for_us(self, scope: Scope) -> bool:
        host = next((value for name, value in scope["headers"] if name == b"host"), None)
        if host is None:  # of HTTP/1.0: no browser speaks it
            return True
        return self._hosts.has(host.decode("latin-1"))


def _ambiguity(scope: Scope) -> str:
    """What can be read in two ways; empty for nothing."""
    names = Counter(name for name, _ in scope["headers"])
    if names[b"transfer-encoding"] and names[b"content-length"]:
        return "Transfer-Encoding and Content-Length: send one of them"
    if names[b"transfer-encoding"] and scope["http_version"] == "1.0":
        return "Transfer-Encoding: HTTP/1.0 has none"
    twice = next((name for name in ONCE if names[name] > 1), None)
    if twice is not None:
        return f"{twice.decode().title()}: given twice"
    return "" if scope["path"].isprintable() else "the path holds characters that are none of a path"


def _refuse(scope: Scope, status: int, error: str) -> ASGIApp:
    return error_answer(scope["path"], status, error, {"Connection": "close"})
