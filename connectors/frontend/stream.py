"""One caller's stream: a place in a turn, sent as Server-Sent Events.

Rules
- Nothing is buffered here: events are taken when the connection has taken the ones before.
- The first bytes go at once and carry an id, so that a browser that loses the stream comes back to this turn.
- Silence is broken by a comment every `heartbeat`.
- However it ends, the hub is told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.types import Receive, Scope, Send

from connectors.frontend.hub import Caller
from connectors.frontend.ids import Place, event_id
from connectors.sse import encode

COMMENT = b":\n\n"
HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"connection", b"keep-alive"),
    (b"x-accel-buffering", b"no"),
]


class EventStream:
    """An ASGI answer that sends what `caller` has to read, from `place` on.

    wake       set by the hub when there is more
    heartbeat  seconds; `retry` is in seconds too
    leave      called once, at the end
    """

    def __init__(
        self,
        caller: Caller,
        place: Place,
        wake: asyncio.Event,
        *,
        heartbeat: float,
        retry: float,
        leave: Callable[[Caller], object],
    ) -> None:
        self._caller = caller
        self._place = place
        self._wake = wake
        self._heartbeat = heartbeat
        self._retry = retry
        self._leave = leave
        self._gone = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        listening = asyncio.create_task(self._listen(receive))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
            await _write(send, f"retry: {self._retry * 1000:.0f}\nid: {event_id(*self._place)}\n\n".encode())
            await self._pump(send)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._leave(self._caller)
            listening.cancel()

    async def _pump(self, send: Send) -> None:
        caller = self._caller
        while not self._gone:
            self._wake.clear()
            if events := caller.take():
                await _write(send, b"".join([encode(event) for event in events]))
            elif caller.over:
                return
            else:
                await self._wait(send)

    async def _wait(self, send: Send) -> None:
        try:
            async with asyncio.timeout(self._heartbeat):
                await self._wake.wait()
        except TimeoutError:
            await _write(send, COMMENT)

    async def _listen(self, receive: Receive) -> None:
        """Notice at once that the caller hangs up."""
        while (await receive())["type"] != "http.disconnect":
            pass
        self._gone = True
        self._wake.set()


async def _write(send: Send, data: bytes) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": True})
