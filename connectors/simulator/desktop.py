"""An agent's desktop on loopback: a WebSocket that remembers what it was shown, and behaves as told.

Rules
- A message {"type":"sentence","session_id","turn","seq","text",…} is shown once. One that it has already is a
  repeat, and one that it has with another text a contradiction. Anything else is plain text, shown as it is.
- An acknowledgement is cumulative: {"type":"ack","session_id","turn","seq"} says that all up to `seq` was
  shown. It never passes a gap.
- {"type":"hello","turns":[{"session_id","turn"},…]} is answered by the last of the unbroken run of each:
  {"type":"hello","last":[{"session_id","turn","seq"},…]}. Without `turns`, of the latest 1,000; what was
  never shown is left out.
- What is recorded is bounded. What comes beyond it is counted and neither shown nor acknowledged.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import time
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, Self

import msgspec
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol

from connectors.simulator.behaviour import Behaviour
from connectors.simulator.port import Port, reset
from connectors.simulator.waiting import Changes

MAX_MESSAGE: Final = 16 * 1024 * 1024
HELLO_TURNS: Final = 1000
_CLOSE_TIMEOUT: Final = 1.0


class Received(msgspec.Struct, frozen=True):
    """One text message as it came off the socket.

    at          seconds since the desktop was made
    connection  which of its connections, from 0
    """

    at: float
    connection: int
    raw: str


class _Sentence(msgspec.Struct, tag="sentence", tag_field="type"):
    session_id: str
    turn: int
    seq: int
    text: str
    final: bool = False


class _Turn(msgspec.Struct):
    session_id: str
    turn: int


class _Hello(msgspec.Struct, tag="hello", tag_field="type"):
    turns: list[_Turn] | None = None


class _Shown:
    """What was shown of one turn."""

    def __init__(self) -> None:
        self.texts: dict[int, str] = {}
        self.whole = -1
        """The last of the unbroken run from 0."""
        self.final: int | None = None

    def add(self, seq: int, text: str, final: bool) -> None:
        self.texts[seq] = text
        if final:
            self.final = seq
        while self.whole + 1 in self.texts:
            self.whole += 1


class AgentDesktop:
    """The simulated desktop. `async with` it, or `start` and `close` it on one event loop.

    behaviour     how it behaves; may be replaced while it runs, for messages and connections still to come
    max_received  messages that are kept; the others are only counted

    url       ws://…
    received  every message as it came
    plain     texts of what was no JSON message, in order
    paths     what each connection asked for, by its number
    listened  spans in which it took connections: [from, to], in seconds since it was made; the last may not have ended
    counts    connections, messages, shown, plain, repeats, contradictions, acks, hellos, pings, dropped,
              rejected, unrecorded
    """

    def __init__(
        self,
        *,
        behaviour: Behaviour | str = "",
        host: str = "127.0.0.1",
        port: int = 0,
        max_received: int = 1_000_000,
    ) -> None:
        self.behaviour = Behaviour.parse(behaviour) if isinstance(behaviour, str) else behaviour
        self.received: list[Received] = []
        self.plain: list[str] = []
        self.paths: list[str] = []
        self.listened: list[list[float]] = []
        self.counts: Counter[str] = Counter()
        self._turns: dict[tuple[str, int], _Shown] = {}
        self._max_received = max_received
        self._made = time.monotonic()
        self._port = Port(host, port)
        self._server: Server | None = None
        self._open: set[ServerConnection] = set()
        self._crashed: set[ServerConnection] = set()
        self._changes = Changes()

    @property
    def url(self) -> str:
        return f"ws://{self._port.host}:{self._port.number}/"

    def transcript(self, session_id: str, turn: int = 0) -> str:
        """The texts of a turn in the order of their `seq`, as far as they came. Empty where nothing did."""
        shown = self._turns.get((session_id, turn))
        return "".join(shown.texts[seq] for seq in sorted(shown.texts)) if shown else ""

    def turns(self) -> list[tuple[str, int]]:
        """(session_id, turn) of all that was shown, the first shown first."""
        return list(self._turns)

    def is_whole(self, session_id: str, turn: int = 0) -> bool:
        """Whether everything from `seq` 0 to the final message was shown."""
        shown = self._turns.get((session_id, turn))
        return shown is not None and shown.final is not None and shown.whole >= shown.final

    async def until(self, condition: Callable[[AgentDesktop], bool], within: float = 10.0) -> None:
        """Wait until something holds of this desktop. Raises TimeoutError after `within` seconds."""
        await self._changes.until(lambda: condition(self), within)

    async def start(self) -> None:
        """Take connections, unless it is dead."""
        if not self.behaviour.dead:
            await self.revive()

    async def revive(self) -> None:
        """Take connections."""
        if self._server is None:
            self._server = await serve(
                self._serve,
                sock=self._port.listener(receive_buffer=self.behaviour.buffer),
                compression=None,
                ping_interval=None,
                close_timeout=_CLOSE_TIMEOUT,
                max_size=MAX_MESSAGE,
                max_queue=1,
                process_request=self._process_request,
                create_connection=_connection_class(self._answers_ping),
            )
            self.listened.append([self._now(), math.inf])

    def die(self, *, losing: bool = False) -> None:
        """Refuse new connections and reset those that stand, as when the power fails.

        losing  what its WebSocket library has taken and it has not shown is lost, as when the process crashes
        """
        server = self._stop_listening()
        for connection in tuple(self._open):
            if losing:
                self._crashed.add(connection)
            reset(connection.transport)
        if server is not None:
            server.close(close_connections=False)

    async def close(self) -> None:
        """End every connection in order. Idempotent."""
        server = self._stop_listening()
        if server is not None:
            for connection in tuple(self._open):
                if not connection.transport.is_reading():
                    reset(connection.transport)  # it would never read the other side's close frame
            server.close()
            await server.wait_closed()
        self._port.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _stop_listening(self) -> Server | None:
        server, self._server = self._server, None
        if server is not None:
            self.listened[-1][1] = self._now()
        return server

    def _now(self) -> float:
        return round(time.monotonic() - self._made, 6)

    def _process_request(self, connection: ServerConnection, request: Request) -> Response | None:
        if self.behaviour.reject is None:
            return None
        self.counts["rejected"] += 1
        self._changes.notify()
        return connection.respond(self.behaviour.reject, "The simulator was told to reject this.\n")

    async def _serve(self, connection: ServerConnection) -> None:
        number = self.counts["connections"]
        self.counts["connections"] += 1
        self.paths.append(connection.request.path if connection.request else "")
        self._open.add(connection)
        self._changes.notify()
        seen = 0
        try:
            while True:
                if self.behaviour.stop is not None and seen >= self.behaviour.stop:
                    connection.transport.pause_reading()
                    await connection.wait_closed()
                    return
                message = await connection.recv()
                if self.behaviour.slow:
                    await _pause(connection, self.behaviour.slow)
                if connection in self._crashed:
                    return
                seen += 1
                raw = message if isinstance(message, str) else message.decode("utf-8", "replace")
                await self._show(connection, number, raw)
                if self.behaviour.drop and seen >= self.behaviour.drop and self._may_drop():
                    await self._drop(connection)
                    return
        except ConnectionClosed:
            pass
        finally:
            self._open.discard(connection)
            self._crashed.discard(connection)
            self._changes.notify()

    async def _show(self, connection: ServerConnection, number: int, raw: str) -> None:
        self.counts["messages"] += 1
        self._changes.notify()
        if len(self.received) >= self._max_received:
            self.counts["unrecorded"] += 1
            return
        self.received.append(Received(self._now(), number, raw))
        message = _read(raw)
        if isinstance(message, _Sentence):
            await self._show_sentence(connection, message)
        elif isinstance(message, _Hello):
            self.counts["hellos"] += 1
            if self.behaviour.hello:
                await self._answer_hello(connection, message)
        else:
            self.counts["plain"] += 1
            self.plain.append(raw)

    async def _show_sentence(self, connection: ServerConnection, message: _Sentence) -> None:
        shown = self._turns.setdefault((message.session_id, message.turn), _Shown())
        if message.seq in shown.texts:
            same = shown.texts[message.seq] == message.text
            self.counts["repeats" if same else "contradictions"] += 1
        else:
            self.counts["shown"] += 1
            shown.add(message.seq, message.text, message.final)
        every = self.behaviour.ack
        if every and (message.final or (message.seq + 1) % every == 0):
            if self.behaviour.ack_delay:
                await _pause(connection, self.behaviour.ack_delay)
            await self._acknowledge(connection, message.session_id, message.turn)

    async def _acknowledge(self, connection: ServerConnection, session_id: str, turn: int) -> None:
        whole = self._turns[session_id, turn].whole
        if whole >= 0:
            self.counts["acks"] += 1
            self._changes.notify()
            await _send(connection, {"type": "ack", "session_id": session_id, "turn": turn, "seq": whole})

    async def _answer_hello(self, connection: ServerConnection, hello: _Hello) -> None:
        if hello.turns is None:
            asked = list(self._turns)[-HELLO_TURNS:]
        else:
            asked = [(turn.session_id, turn.turn) for turn in hello.turns]
        last = [
            {"session_id": session_id, "turn": turn, "seq": shown.whole}
            for session_id, turn in asked
            if (shown := self._turns.get((session_id, turn))) is not None and shown.whole >= 0
        ]
        await _send(connection, {"type": "hello", "last": last})

    def _may_drop(self) -> bool:
        return self.counts["dropped"] < self.behaviour.drops

    async def _drop(self, connection: ServerConnection) -> None:
        self.counts["dropped"] += 1
        self._changes.notify()
        if self.behaviour.drop_how == "close":
            await connection.close(1011, "the simulator was told to drop this")
        elif self.behaviour.drop_how == "rst":
            reset(connection.transport)
        else:
            connection.transport.write_eof()
            await _pause(connection, _CLOSE_TIMEOUT)
            reset(connection.transport)

    def _answers_ping(self) -> bool:
        self.counts["pings"] += 1
        self._changes.notify()
        return self.behaviour.pong


def _connection_class(answers_ping: Callable[[], bool]) -> type[ServerConnection]:
    """A connection that asks before it answers a ping: the library answers by itself and has no switch."""

    class Connection(ServerConnection):
        def __init__(self, protocol: ServerProtocol, *args: Any, **options: Any) -> None:
            send_frame = protocol.send_frame

            def send_unless_silent(frame: Frame) -> None:
                if frame.opcode is not Opcode.PONG or answers_ping():
                    send_frame(frame)

            protocol.send_frame = send_unless_silent  # type: ignore[method-assign] # there is no other way in
            super().__init__(protocol, *args, **options)

    return Connection


_decode: Final[Callable[[str], _Sentence | _Hello]] = msgspec.json.Decoder(_Sentence | _Hello).decode


def _read(raw: str) -> _Sentence | _Hello | None:
    try:
        return _decode(raw)
    except msgspec.DecodeError:
        return None


async def _pause(connection: ServerConnection, seconds: float) -> None:
    """Sleep, but no longer than the connection lasts."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(connection.wait_closed(), seconds)


async def _send(connection: ServerConnection, message: dict[str, object]) -> None:
    with contextlib.suppress(ConnectionClosed):
        await connection.send(json.dumps(message))
