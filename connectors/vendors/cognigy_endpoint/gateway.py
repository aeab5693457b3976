"""The client of Cognigy.AI's Socket endpoint: a connection a turn, and what is done when an answer does not come whole.

Rules
- An event is logged first and acknowledged then: what the server had no acknowledgement of, it may keep for the next
  connection of the session. The turn's `close` is in one write with the event that ends it.
- The question is sent once a turn at most, after `endpoint-ready`, which is logged just before: a job that was killed
  in between does not ask again. A Flow may have done things that must not be done twice.
- `finalPing` ends the turn. Without one, silence does (`final_timeout` where the answer was whole, which is `finished`
  then; else `idle_timeout`).
- A connection that breaks before is made again with the same session, `max_reconnects` times a turn: a new attempt
  before the question; after it we listen for what the server kept, and give up after `resume_timeout` without any.
- What the server sends again there is told from new text by the decoder, piece by piece (contract.py).
- Of a session whose last turn may be owed its rest, a question waits until that has come: `settle` seconds of silence,
  or its `finalPing`, which ends nothing of ours. It is shown with this turn, as their own web chat does it.
- Ids and token are encoded as the vendor's own clients do it, twice, and never logged. No pings of WebSocket's own.
- The socket is read only while flow and desktop have room; what time that takes is not the vendor's, and heartbeats go
  on. What is not read is not acknowledged.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections import OrderedDict
from typing import Any, Final
from urllib.parse import quote

from websockets.exceptions import ConnectionClosed, InvalidStatus

from connectors.errors import CredentialsError, SettingsError, TokenweirError, UpstreamError
from connectors.http import base_url
from connectors.log.lane import Lane
from connectors.log.records import closed, frame
from connectors.log.turns import Turn
from connectors.vendors.attempts import AttemptError, Gate, TurnAttempts, retry_after, should_retry
from connectors.vendors.base import Outcome
from connectors.vendors.cognigy_endpoint.contract import READY, Decoder, ends_turn
from connectors.vendors.cognigy_endpoint.line import SECTION, Line
from connectors.vendors.cognigy_endpoint.settings import CognigyEndpointSettings
from connectors.vendors.cognigy_endpoint.socketio import Event
from connectors.vendors.sockets import CLOSE_TIMEOUT, closing, ended, unopened
from connectors.websocket import ClientConnection, connect, is_redirect

HANDSHAKE: Final = "handshake"
URL: Final = "COGNIGY_ENDPOINT_URL"

_UNESCAPED: Final = "!*'()"
"""What `encodeURIComponent` leaves as it is, beside letters, digits and `-_.~`."""

_wire_log = logging.getLogger(f"{__name__}.wire")
_wire_log.setLevel(logging.WARNING)  # below that, websockets logs what goes over the wire: the token, customers' text


class CognigyEndpointGateway:
    """One endpoint's client. Build it on the reactor. Raises SettingsError where address or token are missing."""

    def __init__(self, settings: CognigyEndpointSettings) -> None:
        for name, variable in (("url", URL), ("token", "COGNIGY_ENDPOINT_TOKEN")):
            if not getattr(settings, name):
                raise SettingsError(f"{SECTION}.{name} is not set; set {variable}")
        self.settings = settings
        self.gate = Gate()
        self._base = base_url(settings.url, f"{SECTION}.url")
        self._settled: OrderedDict[str, None] = OrderedDict()

    @property
    def model(self) -> str:
        return self.settings.model

    @property
    def host(self) -> str:
        """The address, as errors have it."""
        return self._base.partition("://")[2].partition("/")[0]

    async def check(self) -> None:
        """See connectors.vendors.base.Gateway. An endpoint says nothing before a session."""

    async def converse(self, turn: Turn, lane: Lane) -> Outcome:
        """See connectors.vendors.base.Gateway."""
        return await _Attempts(self, turn, lane).run()

    async def aclose(self) -> None:
        """See connectors.vendors.base.Gateway. Sockets close with their turns."""

    def identity(self, session_id: str) -> dict[str, Any]:
        """Who asks, as the endpoint wants to know it of every connection."""
        return {
            "sessionId": session_id,
            "urlToken": self.settings.token.reveal(),
            "userId": self.settings.user_id or session_id,
            "testMode": False,
            "emitWithAck": True,
        }

    def address(self, session_id: str) -> str:
        """Where a session's connection is opened: a secret, unless the handshake is an inner one."""
        given = {HANDSHAKE: "true"}
        if not self.settings.inner_handshake:
            given = {name: _encoded(value) for name, value in self.identity(session_id).items()}
        given |= {"EIO": str(self.settings.protocol), "transport": "websocket"}
        query = "&".join(f"{name}={_encoded(value)}" for name, value in given.items())
        return f"ws{self._base.removeprefix('http')}/socket.io/?{query}"

    def is_settled(self, session_id: str) -> bool:
        """Whether nothing of an earlier turn can come on the session's next connection."""
        return session_id in self._settled

    def settle(self, session_id: str, *, settled: bool) -> None:
        self._settled.pop(session_id, None)
        if settled:
            self._settled[session_id] = None
            if len(self._settled) > self.settings.max_sessions:
                self._settled.popitem(last=False)


class _Attempts(TurnAttempts):
    """One turn."""

    def __init__(self, gateway: CognigyEndpointGateway, turn: Turn, lane: Lane) -> None:
        settings = gateway.settings
        super().__init__(
            turn,
            lane,
            gateway.gate,
            settings,
            restarts=settings.max_reconnects,
            timeout=settings.overall_timeout or math.inf,
        )
        self._gateway = gateway
        self._settings = settings
        self._decoder = Decoder()
        self._asked = turn.frames > 0
        self._settles = not self._asked and turn.number > 0 and not gateway.is_settled(turn.session_id)
        gateway.settle(turn.session_id, settled=False)

    def can_go_on(self) -> bool:
        return True  # the server may have kept the rest

    def reopening(self) -> dict[str, Any]:
        return {"resumes": "exact"}  # the decoder has told what came again

    async def attempt(self) -> None:
        """One connection, read to the turn's end. Raises AttemptError."""
        self._decoder.restart()
        try:
            await self._converse()
        except AttemptError as problem:
            if not self._decoder.complete or problem.reason == "vendor_error":
                raise
            self._check_words()
            self.lane.append(closed(self.turn.session_id, self.turn.number, "finished"))

    async def _converse(self) -> None:
        left = self.ends_at - time.monotonic()
        try:
            async with (
                asyncio.timeout(left if math.isfinite(left) else None) as overall,
                contextlib.AsyncExitStack() as stack,
            ):
                await self.gate.admit()
                socket = await stack.enter_async_context(closing(await self._open()))
                self.gate.succeeded()
                self.refusals.reset()
                line = Line(socket, self._settings.protocol, self.name)
                await stack.enter_async_context(line.beating())
                try:
                    await self._speak(line, overall)
                finally:  # a slow goodbye shall not change how the turn ended
                    if not overall.expired():
                        overall.reschedule(None)
        except TimeoutError:
            limit = self._settings.overall_timeout
            fault = UpstreamError(f"{self.name}: not finished within {limit:g} s ({SECTION}.overall_timeout)")
            raise AttemptError("overall_timeout", fault) from None
        except ConnectionClosed as end:
            raise ended(end, self.name, SECTION) from None

    async def _open(self) -> ClientConnection:
        settings = self._settings
        try:
            return await connect(
                self._gateway.address(self.turn.session_id),
                user_agent_header="tokenweir",
                compression=None,  # messages are short, and latency counts
                open_timeout=settings.connect_timeout,
                ping_interval=None,
                close_timeout=CLOSE_TIMEOUT,
                max_size=settings.max_message_bytes,
                logger=_wire_log,
            )
        except InvalidStatus as refused:
            raise self._refusal(refused.response.status_code, dict(refused.response.headers.raw_items())) from None
        except Exception as problem:
            raise unopened(problem, self._gateway.host, settings.connect_timeout, URL) from None

    async def _speak(self, line: Line, overall: asyncio.Timeout) -> None:
        """Wait until the endpoint is ready, ask unless that was done, and read the answer."""
        resumed, came = self._asked, False
        event, packet, raw = await self._until_ready(line)
        if resumed:
            came = event.name != READY
            if await self._take(line, event, packet, overall, raw=raw):
                return
        else:
            if self._settles:
                await self._drain(line)
            await self._ask(line, event, packet, raw=raw)
        while True:
            if not self.lane.is_ready(self.turn):
                line.unread = True
                await self.ready(overall)
                line.unread = False
            event, packet, raw = await self._next(line, is_silent=resumed and not came)
            came = came or event.name != READY
            if await self._take(line, event, packet, overall, raw=raw):
                return

    async def _until_ready(self, line: Line) -> tuple[Event, str, bool]:
        """The event by which the endpoint says that it is ready; once the question was asked, whatever comes first."""
        limit = self._settings.ready_timeout
        try:
            async with asyncio.timeout(limit):
                while True:
                    event, packet, raw = await line.receive()
                    if event.name == HANDSHAKE:
                        await line.acknowledge(event, self._gateway.identity(self.turn.session_id))
                    elif event.name == READY or self._asked:
                        return event, packet, raw
                    else:
                        await self._take_early(line, event, packet, raw=raw)
        except TimeoutError:
            fault = UpstreamError(
                f"{self.name}: the endpoint was not ready within {limit:g} s ({SECTION}.ready_timeout)"
            )
            raise AttemptError("timeout", fault) from None

    async def _drain(self, line: Line) -> None:
        """Take what an earlier turn is owed."""
        with contextlib.suppress(TimeoutError):
            is_over = False
            while not is_over:
                async with asyncio.timeout(self._settings.settle):
                    event, packet, raw = await line.receive()
                is_over = ends_turn(packet)
                await self._take_early(line, event, packet, raw=raw)

    async def _take_early(self, line: Line, event: Event, packet: str, *, raw: bool) -> None:
        """An event from before the question."""
        if not ends_turn(packet):
            self.lane.append(frame(self.turn.session_id, self.turn.number, packet, raw=raw))
            self._decoder.feed(packet, None)
        await line.acknowledge(event)

    async def _ask(self, line: Line, event: Event, packet: str, *, raw: bool) -> None:
        """Send the question, when it is logged that the endpoint is ready for it."""
        self.lane.append(frame(self.turn.session_id, self.turn.number, packet, raw=raw))
        self._settles, self._asked = False, True
        await line.acknowledge(event)
        await line.emit("processInput", self._question())

    async def _next(self, line: Line, *, is_silent: bool) -> tuple[Event, str, bool]:
        """The next event. Raises AttemptError where silence ends the turn."""
        settings = self._settings
        name = "final_timeout" if self._decoder.complete else "resume_timeout" if is_silent else "idle_timeout"
        limit: float = getattr(settings, name)
        try:
            async with asyncio.timeout(limit or None):
                return await line.receive()
        except TimeoutError:
            fault = UpstreamError(f"{self.name}: nothing came for {limit:g} s ({SECTION}.{name})")
            reason = "interrupted" if self.token_came or is_silent else "timeout"
            raise AttemptError("idle_timeout", fault, reason=reason) from None

    async def _take(self, line: Line, event: Event, packet: str, overall: asyncio.Timeout, *, raw: bool) -> bool:
        """Log an event, then acknowledge it; True if the turn is finished, and then closed with it."""
        session_id, number = self.turn.session_id, self.turn.number
        record = frame(session_id, number, packet, raw=raw)
        deltas = self._decoder.feed(packet, None)
        text = "".join([token for delta in deltas for token in delta.tokens])
        if text:
            self.progressed()
        if any(delta.error for delta in deltas):
            self.lane.append(record)
            await line.part(event)
            fault = UpstreamError(f"{self.name}: the endpoint ended it with an error")
            raise AttemptError("vendor_error", fault, reason="vendor_error")
        if any(delta.finished for delta in deltas):
            is_whole = self._decoder.ending != "vendor_error"
            self.lane.append(record, *([closed(session_id, number, "finished")] if is_whole else ()))
            self._gateway.settle(session_id, settled=True)
            overall.reschedule(None)
            await line.part(event)
            self._check_words()
            return True
        if event.ack is None:
            self.lane.receive(record, hurry=bool(text) and self.hurries(text))
        else:
            self.lane.append(record)
            await line.acknowledge(event)
        return False

    def _check_words(self) -> None:
        """Raise AttemptError where the answer is whole and says nothing."""
        if self._decoder.ending == "vendor_error":
            fault = UpstreamError(f"{self.name}: the Flow ended without a word")
            raise AttemptError("empty", fault, reason="vendor_error")

    def _question(self) -> dict[str, Any]:
        identity = self._gateway.identity(self.turn.session_id)
        return {
            "URLToken": identity["urlToken"],
            "userId": identity["userId"],
            "sessionId": identity["sessionId"],
            "channel": self._settings.channel,
            "source": "device",
            "passthroughIP": None,
            "resetFlow": False,
            "text": self.turn.request.get("prompt") or "",
            "data": None,
        }

    def _refusal(self, status: int, headers: dict[str, str]) -> AttemptError:
        """What a status means that is no handshake."""
        headers = {name.lower(): value for name, value in headers.items()}
        fault: TokenweirError = UpstreamError(f"{self.name}: the handshake was answered with status {status}")
        if is_redirect(status):
            fault = UpstreamError(
                f"{self.name}: the handshake was answered with a redirect (status {status}), and none is followed; "
                f"set {URL} to where the endpoint is now"
            )
        elif status in (401, 403):
            fault = CredentialsError(f"the endpoint refused us (status {status}): check COGNIGY_ENDPOINT_TOKEN")
        elif status == 404:
            fault = UpstreamError(f"{self.name}: there is no Socket endpoint there (status 404): check {URL}")
        after = retry_after(headers)
        if status == 429:
            return AttemptError("rate_limited", fault, status=status, retry_after=after)
        reason = "" if should_retry(headers, status) else "refused"
        return AttemptError("status", fault, status=status, reason=reason, retry_after=after)


def _encoded(value: object) -> str:
    """As JavaScript's `encodeURIComponent` has it."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return quote(text, safe=_UNESCAPED)
