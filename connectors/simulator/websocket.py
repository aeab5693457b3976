"""The server's end of one WebSocket (RFC 6455), with a hand on every byte.

Rules
- The handshake is an HTTP request like any other (http.py), so it can be refused, delayed and cut like one.
- Frames are made and read by websockets' protocol without I/O. Pings and closes of the client are answered at once.
- What the client says is kept to a bound; a client that closes or goes cancels its handler, as http.py has it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from itertools import pairwise
from typing import Final

from websockets.exceptions import InvalidState
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side, State
from websockets.utils import accept_key

from connectors.simulator.http import Exchange, HTTPError

MAX_MESSAGE: Final = 4 * 1024 * 1024
MAX_HELD: Final = 16
CLOSE_TIMEOUT: Final = 1.0


class WebSocket:
    """An open socket; `accept` makes one.

    said  text messages of the client that nobody took yet, the latest `MAX_HELD`
    """

    def __init__(self, exchange: Exchange) -> None:
        self.said: deque[bytes] = deque(maxlen=MAX_HELD)
        self._exchange = exchange
        self._protocol = Protocol(Side.SERVER, max_size=MAX_MESSAGE)
        self._news = asyncio.Event()

    @classmethod
    async def accept(cls, exchange: Exchange) -> WebSocket:
        """Answer the handshake (status 101). Raises HTTPError 400, 405 or 426 where it is none."""
        headers = exchange.request.headers
        if exchange.request.method != "GET":
            raise HTTPError(405, "method_not_allowed", "open it by GET", headers=(("Allow", "GET"),))
        connection = headers.get("connection", "").lower().replace(" ", "").split(",")
        if "upgrade" not in connection or headers.get("upgrade", "").lower() != "websocket":
            raise HTTPError(426, "upgrade_required", "this is a WebSocket", headers=(("Upgrade", "websocket"),))
        key = headers.get("sec-websocket-key", "")
        if headers.get("sec-websocket-version") != "13" or len(key) != 24:
            raise HTTPError(400, "bad_handshake", "send Sec-WebSocket-Version: 13 and a Sec-WebSocket-Key")
        socket = cls(exchange)
        answer = (("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", accept_key(key)))
        await exchange.upgrade(answer, socket._receive)
        return socket

    async def send(self, message: bytes, *, pieces: int = 0) -> None:
        """One text message, in frames of `pieces` bytes (0 = one frame). Raises as Exchange.send does."""
        self._check_open()
        edges = [*range(0, len(message), pieces), len(message)] if pieces and message else [0, len(message)]
        for start, end in pairwise(edges):
            part = memoryview(message)[start:end].tobytes()
            if start == 0:
                self._protocol.send_text(part, fin=end == len(message))
            else:
                self._protocol.send_continuation(part, fin=end == len(message))
            await self._write()

    async def ping(self) -> None:
        self._check_open()
        self._protocol.send_ping(b"")
        await self._write()

    async def receive(self) -> bytes:
        """The next text message of the client; waits as long as it takes."""
        while not self.said:
            self._news.clear()
            await self._news.wait()
        return self.said.popleft()

    async def close(self, code: int) -> None:
        """Close with this code, and wait a second for the client's close."""
        with contextlib.suppress(InvalidState):
            self._protocol.send_close(code)
            await self._write()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT):
                while self._protocol.state is not State.CLOSED and not self._protocol.close_expected():
                    self._news.clear()
                    await self._news.wait()

    def _receive(self, data: bytes) -> None:
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Frame) and event.opcode in (Opcode.TEXT, Opcode.BINARY):
                self.said.append(bytes(event.data))
        for answer in self._protocol.data_to_send():
            if answer:
                self._exchange.write_now(answer)
        if self._protocol.close_expected():
            self._exchange.hang_up()
        self._news.set()

    async def _write(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                await self._exchange.write(data)

    def _check_open(self) -> None:
        if self._protocol.state is not State.OPEN:
            raise ConnectionResetError("the client has closed it")
