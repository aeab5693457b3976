"""A Cognigy.AI Socket endpoint on loopback: Socket.IO over WebSocket, in both of its versions, with faults.

Rules
- A connection says by its query, or in an inner handshake, whose it is; ids and token are encoded twice. The URL token
  is the simulator's client secret; a wrong one is refused as Socket.IO refuses, with a packet.
- `protocol="both"` is a server of Socket.IO 3 or later that takes old clients too, "4" one that does not, and "3" a
  server of Socket.IO 2: that one connects everybody by itself, and whoever asks for it gets `endpoint-ready` twice.
- A Flow runs on whether anybody listens or not. With `buffers`, what was not acknowledged comes again, and what nobody
  heard comes late, with the session's next connection, right behind `endpoint-ready`; else both are lost.
- Each `processInput` runs the Flow anew: who asks twice gets two answers, one in the other.
- A drop breaks the session's connection, and the answer goes on; `drop=error` ends it. Of what was acknowledged before
  a drop the last `repeat` events come again too, as where the acknowledgements were lost.
- Faults come from faults.py; refusals hold for handshakes, in the order in which they come.
- What was asked is remembered without secrets and without prompts. A session keeps `MAX_KEPT` events at most, and
  the simulator as many sessions.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
from collections import OrderedDict, deque
from typing import Any, Final, Literal
from urllib.parse import parse_qs, unquote

import msgspec

from connectors.simulator.corpus import Corpus
from connectors.simulator.faults import Drop
from connectors.simulator.http import Dropped, Exchange, HTTPError
from connectors.simulator.turns import SimulatedTurn
from connectors.simulator.vendor import CLIENT_SECRET, Asked, SimulatedVendor
from connectors.simulator.websocket import WebSocket
from connectors.vendors.cognigy_endpoint.simulated_answer import Outputs

PATH: Final = "/socket.io/"
MAX_KEPT: Final = 100_000
MAX_HEARD: Final = 1_000
MAX_SAID: Final = 10_000
"""Packets of a client that wait to be read: acknowledgements come as fast as outputs go."""

READY: Final = b'["endpoint-ready"]'
_ACKNOWLEDGED: Final = (b'["output"', b'["finalPing"')

Protocol = Literal["both", "3", "4"]


class SimulatedCognigyEndpoint(SimulatedVendor):
    """The simulated endpoint; see SimulatedVendor for what it takes besides.

    protocol       see above
    buffers        whether what was not heard is kept
    trimmed        pieces as platforms before 4.96 send them
    ping_interval  seconds between pings, and ping_timeout for the answer to one
    ready          whether it ever says that it is ready

    users   the ids of users, by session, as they were said
    counts  starts (questions), finished, gone, tokens, acknowledged, repeated, pings, drop_fin …, status_429 …
    """

    SCOPES = ()

    def __init__(
        self,
        corpus: Corpus | None = None,
        *,
        protocol: Protocol = "both",
        buffers: bool = True,
        trimmed: bool = False,
        ping_interval: float = 25.0,
        ping_timeout: float = 20.0,
        ready: bool = True,
        **options: Any,
    ) -> None:
        super().__init__(corpus, **options)
        self.protocol = protocol
        self.buffers = buffers
        self.trimmed = trimmed
        self.pings = (ping_interval, ping_timeout)
        self.ready = ready
        self._sessions: OrderedDict[str, _Session] = OrderedDict()
        self._flows: set[asyncio.Task[None]] = set()

    @property
    def users(self) -> dict[str, str]:
        return {name: session.user for name, session in self._sessions.items()}

    async def close(self) -> None:
        for flow in self._flows:
            flow.cancel()
        await asyncio.gather(*self._flows, return_exceptions=True)
        await super().close()

    async def _route(self, exchange: Exchange, asked: Asked) -> None:
        request = exchange.request
        if request.path != PATH:
            raise HTTPError(404, "not_found", f"this endpoint has {PATH}")
        query = {name: values[-1] for name, values in parse_qs(request.query, keep_blank_values=True).items()}
        version = query.get("EIO")
        if version not in ("3", "4") or (version == "3" and self.protocol == "4"):
            raise HTTPError(400, "unsupported_protocol_version", "send EIO, as a version that is spoken here")
        if query.get("transport") != "websocket":
            raise HTTPError(400, "bad_request", "send transport=websocket")
        await self._fail(exchange, self._general, "start")
        socket = await WebSocket.accept(exchange)
        socket.said = deque(maxlen=MAX_SAID)
        is_old = version == "3" or self.protocol == "3"
        await _Connection(self, exchange, socket, asked, query, is_old=is_old).serve()

    def session_of(self, said: dict[str, Any]) -> _Session | None:
        """The session that a connection is of, as it says; None where its token is wrong."""
        if not hmac.compare_digest(str(said.get("urlToken", "")).encode(), CLIENT_SECRET.encode()):
            return None
        session = self._sessions.setdefault(str(said.get("sessionId", "")), _Session(self))
        session.user = str(said.get("userId", ""))
        while len(self._sessions) > MAX_KEPT:
            self._sessions.popitem(last=False)
        return session

    def run(self, session: _Session, question: dict[str, Any], asked: Asked) -> None:
        """Begin a Flow. Raises HTTPError where its text names what is not."""
        self.counts["starts"] += 1
        turn = self._begin(str(question.get("text") or ""), asked)
        flow = asyncio.ensure_future(self._flow(session, turn, asked))
        self._flows.add(flow)
        flow.add_done_callback(self._flows.discard)

    async def _flow(self, session: _Session, turn: SimulatedTurn, asked: Asked) -> None:
        """The whole answer, over however many connections."""
        first, clock = 0, asyncio.get_running_loop().time
        while True:
            faults, drop = turn.progress.faults, turn.progress.drop
            answer = Outputs(turn.stream, faults, self._pace, turn.number, first, turn.answers, trimmed=self.trimmed)
            turn.answers += 1
            if drop is not None and drop.at.of == "byte":
                session.cut("rst" if drop.how == "rst" else "fin", drop.at.at)
            elif drop is not None:
                answer = msgspec.structs.replace(answer, stop=drop.at.token(first, len(turn.stream.tokens)))
            begun, before = clock(), answer.begin
            for piece in answer.pieces():
                if (left := begun + piece.due - clock()) > 0:
                    await asyncio.sleep(min(left, 86_400.0))
                if piece.data:
                    await session.put(piece.data, pieces=faults.pieces)
                self.note(asked, max(0, piece.tokens - before))
                before = max(before, piece.tokens)
            if drop is None or answer.stop is None:
                break
            first = answer.stop
            if drop.how == "error":
                await session.put(answer.error(drop))
            else:
                await session.break_off(drop, repeat=drop.repeats(faults.repeat).tokens)
            if session.exchange is not None:
                self._dropped(session.exchange, asked, turn, drop)
            else:
                turn.progress.dropped()
            if drop.how == "error":
                break
        self.counts["finished"] += 1
        self._changes.notify()

    def note(self, asked: Asked, tokens: int) -> None:
        asked.tokens += tokens
        self.counts["tokens"] += tokens
        self._changes.notify()

    def count(self, what: str) -> None:
        self.counts[what] += 1
        self._changes.notify()


class _Session:
    """What is under way with one session id: its connection, and the events that wait for one.

    exchange  of the connection that it had last
    user      the id of its person, as it was said last
    """

    def __init__(self, vendor: SimulatedCognigyEndpoint) -> None:
        self.exchange: Exchange | None = None
        self.user = ""
        self._vendor = vendor
        self._connection: _Connection | None = None
        self._kept: deque[bytes] = deque(maxlen=MAX_KEPT)
        self._unheard: OrderedDict[int, bytes] = OrderedDict()
        self._heard: deque[tuple[int, bytes]] = deque(maxlen=MAX_HEARD)
        self._next_id = 0
        self._lock = asyncio.Lock()

    async def attach(self, connection: _Connection) -> None:
        """A connection is there, and ready: it gets what waited."""
        async with self._lock:
            self._connection, self.exchange = connection, connection.exchange
            again, self._unheard = [*self._unheard.values()], OrderedDict()
            waiting = [*again, *self._kept]
            self._kept.clear()
            self._vendor.counts["repeated"] += len(again)
            for at, event in enumerate(waiting):
                if not await self._send(event):
                    self._kept.extend(waiting[at + 1 :] if self._vendor.buffers else ())
                    break

    def detach(self, connection: _Connection) -> None:
        if self._connection is connection:
            self._connection = None
        if not self._vendor.buffers:
            self._unheard.clear()

    def acknowledged(self, number: int) -> None:
        if (event := self._unheard.pop(number, None)) is not None:
            self._heard.append((number, event))
            self._vendor.count("acknowledged")

    def cut(self, how: Literal["fin", "rst"], at: int) -> None:
        """Break the connection `at` bytes further on."""
        if self.exchange is not None:
            self.exchange.cut(how, self.exchange.sent + at)

    async def put(self, event: bytes, *, pieces: int = 0) -> None:
        """Emit an event: now, or when somebody listens."""
        async with self._lock:
            if self._connection is None:
                if self._vendor.buffers and event.startswith(_ACKNOWLEDGED):
                    self._kept.append(event)
                return
            await self._send(event, pieces)

    async def break_off(self, drop: Drop, *, repeat: int = 0) -> None:
        """Break the connection, where there is one; the last `repeat` events count as not acknowledged."""
        async with self._lock:
            lost = [self._heard.pop() for _ in range(min(repeat, len(self._heard)))]
            self._unheard = OrderedDict([*reversed(lost), *self._unheard.items()])
            if self._connection is not None:
                connection, self._connection = self._connection, None
                await connection.break_off(drop)

    async def _send(self, event: bytes, pieces: int = 0) -> bool:
        """Send an event; False where the connection is gone, and the event then kept."""
        connection = self._connection
        assert connection is not None
        prefix = b"42"
        if connection.acks and event.startswith(_ACKNOWLEDGED):
            prefix, self._next_id = b"42%d" % self._next_id, self._next_id + 1
            self._unheard[self._next_id - 1] = event
            while len(self._unheard) > MAX_KEPT:
                self._unheard.popitem(last=False)
        try:
            await connection.socket.send(prefix + event, pieces=pieces)
        except (Dropped, ConnectionError):
            self.detach(connection)
            return False
        return True


class _Connection:
    """One socket, from its open on.

    acks  whether outputs ask to be acknowledged
    """

    def __init__(
        self,
        vendor: SimulatedCognigyEndpoint,
        exchange: Exchange,
        socket: WebSocket,
        asked: Asked,
        query: dict[str, str],
        *,
        is_old: bool,
    ) -> None:
        self.exchange = exchange
        self.socket = socket
        self.acks = True
        self._vendor = vendor
        self._asked = asked
        self._query = query
        self._is_old = is_old
        self._session: _Session | None = None
        self._over = asyncio.Event()

    async def serve(self) -> None:
        """Speak until either side ends it."""
        interval, timeout = self._vendor.pings
        opened = {
            "sid": f"s{id(self):x}",
            "upgrades": [],
            "pingInterval": interval * 1000,
            "pingTimeout": timeout * 1000,
        }
        pings = None
        try:
            await self._say("0" + json.dumps(opened))
            if self._is_old:
                await self._say("40")
                await self._greet()
            else:
                pings = asyncio.ensure_future(self._ping(interval))
            reading = asyncio.ensure_future(self._read())
            over = asyncio.ensure_future(self._over.wait())
            try:
                await asyncio.wait((reading, over), return_when=asyncio.FIRST_COMPLETED)
                if reading.done():
                    await reading
            finally:
                for each in (reading, over):
                    each.cancel()
                await asyncio.gather(reading, over, return_exceptions=True)
        finally:
            if pings is not None:
                pings.cancel()
            if self._session is not None:
                self._session.detach(self)

    async def break_off(self, drop: Drop) -> None:
        """End it as the fault says."""
        self._asked.ended = drop.how
        with contextlib.suppress(Dropped, ConnectionError):
            if drop.close_code is None:
                await self.exchange.drop(drop.ending)
            else:
                await self.socket.close(drop.close_code)
        self._over.set()

    async def _read(self) -> None:
        while True:
            packet = (await self.socket.receive()).decode(errors="replace")
            if packet.startswith("2"):
                self._vendor.count("pings")
                await self._say("3" + packet[1:])
            elif packet == "3":
                self._vendor.count("pings")
            elif packet == "40":
                if not self._is_old:
                    await self._say('40{"sid":"n"}')
                await self._greet()
            elif packet == "41":
                await self.socket.close(1000)
                return
            elif packet.startswith("43"):
                await self._hear(packet[2:])
            elif packet.startswith("42"):
                self._event(json.loads(packet[2:]))

    async def _greet(self) -> None:
        if self._query.get("handshake") == "true":
            await self._say('420["handshake"]')
        else:
            said = {name: unquote(value) for name, value in self._query.items()}
            await self._enter(said)

    async def _hear(self, said: str) -> None:
        number, bracket, rest = said.partition("[")
        data = json.loads(bracket + rest)
        if data and isinstance(data[0], dict):
            await self._enter(data[0])
        elif self._session is not None:
            self._session.acknowledged(int(number))

    async def _enter(self, said: dict[str, Any]) -> None:
        """The connection says whose it is."""
        self.acks = str(said.get("emitWithAck", "true")).lower() != "false"
        session = self._vendor.session_of(said)
        if session is None:
            await self._say('44"not allowed"' if self._is_old else '44{"message":"not allowed"}')
            return
        self._session = session
        if self._vendor.ready:
            await self._say("42" + READY.decode())
            await session.attach(self)

    def _event(self, event: list[Any]) -> None:
        if event[0] != "processInput" or self._session is None:
            return
        if not hmac.compare_digest(str(event[1].get("URLToken")).encode(), CLIENT_SECRET.encode()):
            return
        with contextlib.suppress(HTTPError):
            self._vendor.run(self._session, event[1], self._asked)

    async def _ping(self, interval: float) -> None:
        with contextlib.suppress(ConnectionError, Dropped):
            while True:
                await asyncio.sleep(interval)
                await self._say("2")

    async def _say(self, packet: str) -> None:
        await self.socket.send(packet.encode())
