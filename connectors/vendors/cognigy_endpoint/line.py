"""One open socket of the endpoint, and the packets on it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from websockets.exceptions import ConnectionClosed

from connectors.errors import UpstreamError
from connectors.text import from_bytes
from connectors.vendors.attempts import AttemptError
from connectors.vendors.cognigy_endpoint.socketio import Connection, Event, SocketIOError, Version
from connectors.vendors.sockets import CLOSE_TIMEOUT, ended
from connectors.websocket import ClientConnection

SECTION = "cognigy_endpoint"


class Line:
    """A socket that speaks Socket.IO.

    name    what errors call the turn
    unread  nothing is read at the moment, as flow or desktop have no room
    """

    def __init__(self, socket: ClientConnection, version: Version, name: str) -> None:
        self.unread = False
        self._socket = socket
        self._core = Connection(version)
        self._name = name

    @contextlib.asynccontextmanager
    async def beating(self) -> AsyncIterator[None]:
        """Our heartbeats are sent within."""
        beats = asyncio.ensure_future(self._beat())
        try:
            yield
        finally:
            beats.cancel()
            await asyncio.gather(beats, return_exceptions=True)

    async def receive(self) -> tuple[Event, str, bool]:
        """The next event, with its packet and whether that is raw. Raises AttemptError where none can come."""
        while True:
            packet, raw = from_bytes(await self._read())
            try:
                received = self._core.receive(packet)
            except SocketIOError as problem:
                broken = UpstreamError(f"{self._name}: the endpoint broke the Socket.IO protocol: {problem}")
                raise AttemptError("protocol", broken) from None
            if received.reply is not None:
                await self._socket.send(received.reply)
            if received.event is not None:
                return received.event, packet, raw
            if self._core.ended == "refused":
                fault = UpstreamError(
                    f"{self._name}: the endpoint refused the connection; check COGNIGY_ENDPOINT_TOKEN"
                )
                raise AttemptError("credentials", fault, reason="refused")
            if self._core.ended:
                raise AttemptError("ended", UpstreamError(f"{self._name}: the endpoint closed the connection"))

    async def emit(self, name: str, *data: object) -> None:
        await self._socket.send(self._core.emit(name, *data))

    async def acknowledge(self, event: Event, *data: object) -> None:
        """Say that an event is kept. That the connection is gone shows where something is read."""
        if (packet := self._core.acknowledge(event, *data)) is not None:
            with contextlib.suppress(ConnectionClosed):
                await self._socket.send(packet)

    async def part(self, event: Event) -> None:
        """Acknowledge the last event, and say goodbye. A vendor that does not listen any more changes nothing."""
        with contextlib.suppress(ConnectionClosed, TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self.acknowledge(event)
                await self._socket.send(self._core.disconnect())

    async def _read(self) -> bytes:
        patience = self._core.patience
        try:
            async with asyncio.timeout(patience):
                return await self._socket.recv(decode=False)
        except TimeoutError:
            fault = UpstreamError(f"{self._name}: not even a ping came for {patience:g} s")
            raise AttemptError("disconnected", fault) from None
        except ConnectionClosed as end:
            raise ended(end, self._name, SECTION) from None

    async def _beat(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                await asyncio.sleep(self._core.interval)
                if (beat := self._core.beat(unread=self.unread)) is not None:
                    await self._socket.send(beat)
