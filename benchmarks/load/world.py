"""Everything around one service, in one process: a vendor's gateway, an agent desktop, callers, and the clock of all.

Rules
- It must cost much less than what it measures: frames are bytes rendered beforehand, one wheel of slots a millisecond
  apart sends for all streams, and what arrives is counted, not understood, where counting will do.
- Streams are begun one after another, each once the one before has reached the gateway: so it is known which stream is
  whose, whatever the service does with names. None says anything until all are open.
- Vendor, desktop and callers have one clock: a latency is a difference of two readings of it.
- How late the wheel was is kept: a figure taken while the generator could not keep up is none (`Played.late`).
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import resource
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from functools import partial
from typing import Final, Literal, NamedTuple, cast

import msgspec

from benchmarks.load import texts, wire
from benchmarks.load.streams import Played, Stream, Together, Wheel
from benchmarks.load.texts import Shape

Window = Literal["none", "sentence"]
Confirm = Literal["ack", "pong"]

SESSION_BYTES: Final = 16
"""A session's id, as the relay puts it before the bytes that it hands on; ids are no longer."""

BEGIN_WITHIN: Final = 20.0
READ_AHEAD: Final = 1 << 18
AT_ONCE: Final = 200
"""Frames of a stream that is poured, in one write."""


class Marks(NamedTuple):
    """By what a message, and the end, are known in the bytes that a caller gets."""

    message: bytes
    end: bytes


EVENTS: Final = Marks(b"event: token", b"event: done")
RAW: Final = Marks(b'"token', b'"done":true')
RAW_CXONE: Final = Marks(b'"token', b'"finished":true')


class World:
    """The other side of one service. `async with` it.

    shape     which vendor
    confirm   whether the desktop acknowledges, or only answers pings
    relayed   the service hands on what it gets as it comes

    gateway_url, desktop_url
    messages  that came, of all streams
    """

    def __init__(self, shape: Shape, *, confirm: Confirm = "ack", relayed: bool = False) -> None:
        self.shape = shape
        self.acknowledges = confirm == "ack"
        self.marks = RAW if relayed else EVENTS
        self.streams: dict[str, Stream] = {}
        self.opening: Stream | None = None
        self.messages = 0
        self.requests = 0
        self.gateway_url = self.desktop_url = ""
        self._servers: list[asyncio.Server] = []
        self._callers: list[asyncio.Transport] = []

    async def __aenter__(self) -> World:
        gc.disable()  # what it makes is small and has no cycles; a pause of ours would count as the service's
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # the soft one is often 1,024; services inherit it
        loop = asyncio.get_running_loop()
        for protocol in (Gateway, Desktop):
            server = await loop.create_server(partial(protocol, self), "127.0.0.1", 0, backlog=2048)
            self._servers.append(server)
        gateway, desktop = (server.sockets[0].getsockname()[1] for server in self._servers)
        self.gateway_url = f"http://127.0.0.1:{gateway}"
        self.desktop_url = f"ws://127.0.0.1:{desktop}/"
        return self

    async def __aexit__(self, *_: object) -> None:
        self.hang_up()
        for server in self._servers:
            server.close()
        gc.enable()

    async def begin(
        self, url: str, count: int, tokens: int, window: Window, name: str = "s", desktop: str = "default"
    ) -> list[Stream]:
        """Ask the service for so many sessions, and wait until each has reached the gateway."""
        begun = []
        async with contextlib.AsyncExitStack() as stack:
            post = await stack.enter_async_context(_asking(url)) if self.shape == "cxone" else None
            for number in range(count):
                stream = Stream(self.shape, f"{name}{number:06}", number % texts.TEXTS, tokens)
                self.streams[stream.session_id] = self.opening = stream
                async with asyncio.timeout(BEGIN_WITHIN):
                    if post is not None:
                        ids = {"session_id": stream.session_id, "desktop": desktop}
                        await post({**ids, "prompt": "p", "window": window})
                    else:
                        await self._call(url, stream, window)
                    await stream.opened.wait()
                begun.append(stream)
        self.opening = None
        return begun

    async def play(self, streams: Sequence[Stream], pace: float, within: float) -> Played:
        """Send all of them, each so many tokens a second, and wait until all has come; not longer than `within`."""
        together = Together(streams)
        wheel = Wheel(streams, pace)
        begun = time.perf_counter()
        wheel.turn()
        await together.done(within)
        wheel.stop()
        return Played(time.perf_counter() - begun, wheel.late, together.left)

    async def pour(self, streams: Sequence[Stream], within: float) -> Played:
        """Send all of them at once, each as fast as it is taken."""
        together = Together(streams)
        begun = time.perf_counter()
        pouring = asyncio.gather(*map(_pour, streams))
        await together.done(within)
        pouring.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await pouring
        return Played(time.perf_counter() - begun, 0.0, together.left)

    def hang_up(self) -> None:
        """Callers leave, vendor's streams break off."""
        for transport in self._callers:
            transport.abort()
        self._callers.clear()
        for stream in self.streams.values():
            if stream.transport is not None and not stream.done:
                stream.transport.abort()
        self.streams.clear()

    async def _call(self, url: str, stream: Stream, window: Window) -> None:
        """GET /stream, on a connection of its own."""
        host, port = url.removeprefix("http://").split(":")
        target = f"/stream?session_id={stream.session_id}&dialog_id={stream.session_id}&window={window}"
        request = f"GET {target} HTTP/1.1\r\nHost: {host}:{port}\r\nAccept: text/event-stream\r\n\r\n".encode()
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_connection(lambda: Caller(self, stream, request), host, int(port))
        self._callers.append(transport)


@contextlib.asynccontextmanager
async def _asking(url: str) -> AsyncIterator[Callable[[dict[str, str]], Awaitable[None]]]:
    """What makes a POST /sessions, on one connection for all of them."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))

    async def post(body: dict[str, str]) -> None:
        content = json.dumps(body).encode()
        writer.write(
            b"POST /sessions HTTP/1.1\r\nHost: %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
            % (f"{host}:{port}".encode(), len(content), content)
        )
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        if b"content-length:" in head:
            await reader.readexactly(int(head.partition(b"content-length:")[2].partition(b"\r\n")[0]))
        if not head.startswith(b"http/1.1 202"):
            raise RuntimeError(f"POST /sessions was answered {head.partition(bytes((13,)))[0].decode()}")

    try:
        yield post
    finally:
        writer.close()


async def _pour(stream: Stream) -> None:
    transport = cast(asyncio.Transport, stream.transport)
    protocol = cast(Gateway, transport.get_protocol())
    transport.set_write_buffer_limits(READ_AHEAD)
    for first in range(0, len(stream.frames), AT_ONCE):
        transport.write(b"".join(stream.frames[first : first + AT_ONCE]))
        await protocol.drained()


class Gateway(asyncio.Protocol):
    """A connection to the vendor: OAuth, configurations, dialog variables, and streams of either shape."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._is_socket = False
        self._writable = asyncio.Event()
        self._writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own is none by its class

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._writable.set()

    async def drained(self) -> None:
        await self._writable.wait()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._is_socket:
            self._speak()
            return
        for request in wire.requests(self._buffer):
            self._world.requests += 1
            self._answer(request)

    def _speak(self) -> None:
        assert self._transport is not None
        for opcode, payload in wire.frames(self._buffer):
            if opcode == wire.CLOSE:
                self._transport.write(wire.frame(wire.CLOSE, payload))
                self._transport.close()
            elif opcode == wire.PING:
                self._transport.write(wire.frame(wire.PONG, payload))

    def _answer(self, request: wire.Request) -> None:
        assert self._transport is not None
        if request.target.endswith(b"/oauth/token"):
            self._transport.write(wire.answer(200, GRANT))
        elif request.target == b"/api/v2/ai/llm/chat/stream":
            self._transport.write(STREAM_HEAD)
            self._open()
        elif request.target == b"/api/v2/llm/stream":
            self._transport.write(wire.upgrade(request))
            self._is_socket = True
            self._open()
        else:  # a configuration, or dialog variables
            self._transport.write(wire.answer(200, b'{"streaming":true}'))

    def _open(self) -> None:
        stream = self._world.opening
        if stream is not None and not stream.opened.is_set():
            stream.transport = self._transport
            stream.opened.set()


class Desktop(asyncio.Protocol):
    """A connection of the agent desktop: counts messages, acknowledges each, answers pings and `hello`."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._is_open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own is none by its class

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._buffer += data
        if not self._is_open:
            for request in wire.requests(self._buffer):
                self._transport.write(wire.upgrade(request))
                self._is_open = True
            if not self._is_open:
                return
        if answers := b"".join(self._answers()):
            self._transport.write(answers)

    def _answers(self) -> Iterator[bytes]:
        world = self._world
        for opcode, payload in wire.frames(self._buffer):
            if opcode == wire.TEXT:
                message = _decode(payload)
                if message.type == "hello":
                    yield HELLO
                    continue
                world.messages += 1
                stream = world.streams.get(message.session_id)
                if stream is not None:
                    stream.arrived(1)
                    if message.final:
                        stream.finish()
                if world.acknowledges:
                    yield wire.text_frame(ACK % (message.session_id.encode(), message.turn, message.seq))
            elif opcode == wire.BINARY:
                self._relayed(payload)
            elif opcode == wire.PING:
                yield wire.frame(wire.PONG, payload)
            elif opcode == wire.CLOSE:
                yield wire.frame(wire.CLOSE, payload)

    def _relayed(self, payload: bytes) -> None:
        stream = self._world.streams.get(payload[:SESSION_BYTES].rstrip().decode())
        if stream is not None:
            stream.arrived(payload.count(RAW_CXONE.message))
            self._world.messages += 1
            if RAW_CXONE.end in payload:
                stream.finish()


class Caller(asyncio.Protocol):
    """A caller of one stream, who counts what comes."""

    def __init__(self, world: World, stream: Stream, request: bytes) -> None:
        self._world = world
        self._stream = stream
        self._request = request
        self._marks = world.marks
        self._keep = 1 - max(len(self._marks.message), len(self._marks.end))
        self._tail = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.Transport, transport).write(self._request)

    def data_received(self, data: bytes) -> None:
        seen, message = self._tail + data, self._marks.message
        if count := seen.count(message) - self._tail.count(message):
            self._world.messages += count
            self._stream.arrived(count)
        if self._marks.end in seen:
            self._stream.finish()
        self._tail = seen[self._keep :]


class _Message(msgspec.Struct):
    type: str
    session_id: str = ""
    turn: int = 0
    seq: int = 0
    final: bool = False


_decode = msgspec.json.Decoder(_Message).decode

GRANT: Final = b'{"access_token":"token","token_type":"Bearer","expires_in":3600,"scope":"ai:llm:stream"}'
STREAM_HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
HELLO: Final = wire.text_frame(b'{"type":"hello","last":[]}')
ACK: Final = b'{"type":"ack","session_id":"%b","turn":%d,"seq":%d}'
