"""One caller's stream: a place in a turn, sent as Server-Sent Events.

Rules
- Nothing is buffered here: events are taken when the connection has taken the ones before, and a long answer's `done`
  is read while it is sent. A caller that reads slowly costs about `CHUNK` bytes twice, and one event.
- The first bytes go at once and carry an id, so that a browser that loses the stream comes back to this turn.
- Silence is broken by a comment every `heartbeat`.
- When the server stops, a comment says so, and `retry` when to come back. So it is where no place is free: an
  EventSource takes any other status than 200 for the end, and asks no more.
- However it ends, the hub is told.
"""

from __future__ import annotations

import asyncio
import codecs
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from connectors.frontend.hub import Caller
from connectors.frontend.ids import Place, event_id
from connectors.frontend.turn import Done, LostError, Shows
from connectors.sse import encode

COMMENT: Final = b":\n\n"
STOPS: Final = "the server stops; the turn goes on when it is back: reconnect"
CHUNK: Final = 64 << 10
HEADERS: Final = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"connection", b"keep-alive"),
    (b"x-accel-buffering", b"no"),
]


class CallerAnswer:
    """An ASGI answer that lasts as long as its caller has something to read, and notices at once when it hangs up.

    wake       set by the hub when there is more
    heartbeat  seconds that may be silent
    leave      called once, at the end
    """

    def __init__(
        self, caller: Caller, wake: asyncio.Event, *, heartbeat: float, leave: Callable[[Caller], object]
    ) -> None:
        self._caller = caller
        self._wake = wake
        self._heartbeat = heartbeat
        self._leave = leave
        self._gone = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        listening = asyncio.create_task(self._listen(receive))
        try:
            await self._answer(scope, receive, send)
        finally:
            self._leave(self._caller)
            listening.cancel()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        raise NotImplementedError

    async def _woken(self) -> bool:
        """Wait until there may be more; False where nothing was for a heartbeat."""
        try:
            async with asyncio.timeout(self._heartbeat):
                await self._wake.wait()
        except TimeoutError:
            return False
        return True

    async def _listen(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._gone = True
        self._wake.set()


class EventStream(CallerAnswer):
    """Sends what `caller` has to read, from `place` on. `retry` is in seconds."""

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
        super().__init__(caller, wake, heartbeat=heartbeat, leave=leave)
        self._place = place
        self._retry = retry

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        await write(send, f"retry: {self._retry * 1000:.0f}\nid: {event_id(*self._place)}\n\n".encode())
        await self._pump(send)
        if self._caller.closed and not self._caller.replaced:
            await write(send, come_again(STOPS, self._retry))
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _pump(self, send: Send) -> None:
        caller = self._caller
        while not self._gone and not caller.closed:
            self._wake.clear()
            if events := caller.take():
                try:
                    for chunk in chunks(events):
                        await write(send, chunk)
                except LostError:  # in the middle of `done`: the caller, who has no end, comes again for it
                    return
            elif caller.over:
                return
            elif not await self._woken():
                await write(send, COMMENT)


def come_again(why: str, retry: float) -> bytes:
    """A stream's last words, or all of it. Whoever reads it comes back with the id it has."""
    return f": {why}\nretry: {retry * 1000:.0f}\n\n".encode()


def no_place(why: str, retry: float) -> Response:
    """A whole stream that says nothing but when to come again."""
    headers = {"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache", "Connection": "close"}
    return Response(come_again(why, retry), headers=headers)


def chunks(events: Iterable[Shows]) -> Iterator[bytes]:
    """The events' bytes, in parts of at most `CHUNK`. Raises LostError."""
    pending = b""
    for event in events:
        for part in _long(event) if isinstance(event, Done) else (encode(event),):
            pending += part
            while len(pending) >= CHUNK:
                yield pending[:CHUNK]
                pending = pending[CHUNK:]
    if pending:
        yield pending


def _long(done: Done) -> Iterator[bytes]:
    """What `encode` gives of it, a part at a time. Its lines end in LF alone (turn.py)."""
    halves = codecs.getincrementaldecoder("utf-16-le")("replace")  # a surrogate's other half may be in the next part
    yield f"event: {done.event}\nid: {done.id}\ndata: ".encode()
    for text in done.texts():
        yield halves.decode(text.encode("utf-16-le", "surrogatepass")).replace("\n", "\ndata: ").encode()
    yield halves.decode(b"", True).encode() + b"\n\n"


async def write(send: Send, data: bytes) -> None:
    """A part of a body."""
    await send({"type": "http.response.body", "body": data, "more_body": True})
