"""HTTP/1.1 as uvicorn speaks it, for callers that do not say what they want.

Rules
- A request, head and body, is whole within `request_timeout` of its first byte; the first one of a connection within
  that of the connection's opening. One whose body is late is answered 408; nobody reads an answer to half a head.
- Between two requests a connection may be idle for `keep_alive`.
- Which connections may be open, connections.py says.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final, Literal, TypeAlias

import h11
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from connectors.frontend.answers import error_answer
from connectors.frontend.connections import Connections

try:
    import resource
except ImportError:  # Windows has no such limits
    resource = None  # type: ignore[assignment]  # a module elsewhere

Phase: TypeAlias = Literal["arriving", "idle", "answering"]

LATE: Final = "the request did not come whole (frontend.request_timeout)"
CROWDED: Final = "as many connections are open as may be (frontend.max_connections, max_connections_per_address)"
JSON: Final = [(b"content-type", b"application/json"), (b"connection", b"close")]


class PatientProtocol(H11Protocol):
    """One connection. What it takes of uvicorn's own class, tests hold."""

    connections_open: Connections
    crowded: ASGIApp
    limits: dict[Phase, float]

    _phase: Phase = "arriving"
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn's own signature
        super().connection_made(transport)
        self._enter("arriving")
        if not self.connections_open.admit(self, self.client[0] if self.client else ""):
            self.app = self.crowded  # one too many

    def connection_lost(self, exc: Exception | None) -> None:
        self.connections_open.leave(self)
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._look()

    def give_way(self) -> None:
        """See connectors.frontend.connections.Connection."""
        self.transport.abort()

    def _look(self) -> None:
        """Find where the connection stands, after something has happened on it."""
        if self.transport.is_closing():
            self._stop_timer()
            return
        theirs = self.conn.their_state
        if theirs is h11.SEND_BODY or (theirs is h11.IDLE and self.conn.trailing_data[0]):
            phase: Phase = "arriving"
        else:
            phase = "idle" if theirs is h11.IDLE else "answering"
        if phase != self._phase:
            self._enter(phase)

    def _enter(self, phase: Phase) -> None:
        self._phase = phase
        self._stop_timer()
        if phase == "answering":
            self.connections_open.asks(self)
        else:
            self.connections_open.waits(self)
            self._timer = self.loop.call_later(self.limits[phase], self._give_up)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _give_up(self) -> None:
        self.connections_open.counts["idle" if self._phase == "idle" else "late"] += 1
        if self.conn.their_state is h11.SEND_BODY and not self.cycle.response_started:
            self.cycle.disconnected = True  # the application has nobody to answer
            answer = (
                h11.Response(status_code=408, headers=JSON, reason=b"Request Timeout"),
                h11.Data(data=bytes(error_answer(self.scope["path"], 408, LATE).body)),
                h11.EndOfMessage(),
            )
            self.transport.write(b"".join([self.conn.send(event) or b"" for event in answer]))
            self.transport.close()
        else:
            self.transport.abort()


async def crowded_answer(scope: Scope, receive: Receive, send: Send) -> None:
    """What is answered where a connection is one too many."""
    headers = {"Connection": "close", "Retry-After": "1"}
    await error_answer(scope["path"], 503, CROWDED, headers)(scope, receive, send)


def protocol(
    connections: Connections, crowded: ASGIApp, request_timeout: float, keep_alive: float
) -> type[PatientProtocol]:
    """The class of all connections. `crowded` answers, in the application's place, those that are too many."""
    limits: dict[Phase, float] = {"arriving": request_timeout, "idle": keep_alive}
    members = {"connections_open": connections, "crowded": staticmethod(crowded), "limits": limits}
    return type("Protocol", (PatientProtocol,), members)


def affordable(wanted: int) -> int:
    """How many of so many connections this process can have: at most every second of its descriptors.

    It may take as many descriptors as its hard limit allows; the soft one is often 1,024.
    """
    if resource is None:
        return wanted
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return wanted
    if soft < 2 * wanted:
        more = 2 * wanted if hard == resource.RLIM_INFINITY else min(2 * wanted, hard)
        with contextlib.suppress(OSError, ValueError):  # a system may have a bound of its own
            resource.setrlimit(resource.RLIMIT_NOFILE, (more, hard))
            soft = more
    return max(1, min(wanted, soft // 2))
