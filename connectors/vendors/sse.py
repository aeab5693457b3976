"""What vendors over Server-Sent Events, or lines of JSON, share: one account's client, and one turn's requests to it.

Rules
- A vendor says what to ask (`request`), how its frames are read (`decoder`) and how a refusal is fixed (`remedy`);
  all else is here.
- A finishing frame and the turn's `close` are one write. An answer that its decoder calls `complete` is whole whatever
  ends the connection, the server's silence too.
- A stream that breaks, idles or ends before its answer does is asked for again, `max_restarts` times a turn, with
  back-off (attempts.py): from its last id where the vendor continues, else from the start, and then only if no token
  had come.
- 401 refreshes an access token, where there is one, and tries once more; so does one later attempt of the turn. 429
  waits as it is told, `max_retries` times in a row, and slows the whole account down. 408, 409, 425 and 5xx are asked
  again, unless `x-should-retry` says otherwise; other 4xx, an `error` event, a message that says the vendor failed, and
  an answer that ends without a word, end the turn.
- Every byte moves the idle limit on, a comment's too. Sockets are read only while flow and desktop have room; what
  time that takes is not the vendor's.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

from connectors.errors import CredentialsError, SettingsError, TokenweirError, UpstreamError
from connectors.http import Auth, Client, HttpError, HttpSettings, Stream, TlsError
from connectors.log.lane import Lane
from connectors.log.records import Record, closed, frame
from connectors.log.turns import Turn
from connectors.sse import Event, EventTooLargeError, SSEDecoder
from connectors.text import to_json
from connectors.vendors.answers import is_error, lenient
from connectors.vendors.attempts import AGAIN, AttemptError, Gate, TurnAttempts, retry_after, should_retry
from connectors.vendors.base import Outcome
from connectors.vendors.codes import MAX_BODY, reason_of
from connectors.vendors.decoding import Decoder, Delta, usable_id
from connectors.vendors.resumption import Account, Observer, Resumes
from connectors.vendors.sse_settings import SSESettings

REASON_WITHIN: Final = 2.0
"""Seconds for the body of an answer that says no."""


class Framing(Protocol):
    """Takes a body apart into frames, and raises EventTooLargeError."""

    def feed(self, chunk: bytes) -> list[Event]: ...


class StreamRequest(NamedTuple):
    """One POST that is answered by an event stream."""

    url: str
    body: object
    headers: Mapping[str, str] = {}


class SSEGateway:
    """One account's client of a vendor over SSE. Build it on the reactor, `aclose` it there.

    settings     the vendor's
    section      their table's name, for what errors say
    url_setting  what to check where the address seems wrong
    kind         content type of its answers: these events, or another's lines (`framing`)
    resumes      for a vendor that continues answers: where a continuation begins (resumption.py)
    """

    url_setting = ""
    kind = "text/event-stream"

    def __init__(self, settings: SSESettings, section: str, *, resumes: Resumes | None = None) -> None:
        self.settings = settings
        self.section = section
        self.account = None if resumes is None else Account(resumes)
        self.gate = Gate()
        self.auth: Auth | None = None
        self.http = Client(
            HttpSettings(connect_timeout=settings.connect_timeout, max_connections=settings.max_connections)
        )

    def decoder(self) -> Decoder:
        """What reads one turn's frames."""
        raise NotImplementedError

    def framing(self) -> Framing:
        """What takes a body apart into frames; one that reads lines takes a missing last line's end at a clean end."""
        return SSEDecoder(self.settings.max_event_bytes, keep_bytes=True)

    def request(self, turn: Turn) -> StreamRequest:
        """What to ask for this turn: all of it, or the rest where it has a `continuation_id`."""
        raise NotImplementedError

    def remedy(self, status: int) -> str:
        """What a person can do about a 401 or 403."""
        return f"check {self.url_setting}"

    @property
    def model(self) -> str:
        return self.settings.model

    async def check(self) -> None:
        """See connectors.vendors.base.Gateway."""

    async def converse(self, turn: Turn, lane: Lane) -> Outcome:
        """See connectors.vendors.base.Gateway."""
        return await _Attempts(self, turn, lane).run()

    async def aclose(self) -> None:
        await self.http.aclose()


class _Attempts(TurnAttempts):
    """One turn."""

    def __init__(self, gateway: SSEGateway, turn: Turn, lane: Lane) -> None:
        settings = gateway.settings
        super().__init__(
            turn,
            lane,
            gateway.gate,
            settings,
            restarts=settings.max_restarts,
        )
        self._gateway = gateway
        self._settings = settings
        self._decoder = gateway.decoder()
        self._observer = Observer(gateway.account) if gateway.account else None
        self._unauthorized = False

    def can_go_on(self) -> bool:
        return not self.token_came or (self._gateway.account is not None and self.turn.continuation_id is not None)

    def reopening(self) -> dict[str, Any]:
        if self._gateway.account is None:
            return {}
        known = self._gateway.account.reopening() if self.token_came else {}
        return {"continuation_id": self.turn.continuation_id, **known}

    async def attempt(self) -> None:
        """One request, read to the turn's end. Raises AttemptError."""
        self._decoder.restart()
        if self._observer:
            self._observer.connect()
        try:
            await self._ask()
        except AttemptError as problem:
            if not self._decoder.complete or problem.reason == "vendor_error":
                raise
            self._check_words()
            self.lane.append(closed(self.turn.session_id, self.turn.number, "finished"))

    async def _ask(self) -> None:
        idle = self._settings.idle_timeout or None
        try:
            async with contextlib.AsyncExitStack() as stack:
                await self.gate.admit()
                async with asyncio.timeout(idle):
                    stream = await stack.enter_async_context(self._request())
                await self._check(stream)
                self.gate.succeeded()
                self.refusals.reset()
                async with asyncio.timeout(None) as limit:
                    await self._read(stream, limit)
        except TimeoutError:
            setting = f"{self._gateway.section}.idle_timeout"
            fault = UpstreamError(f"{self.name}: nothing came for {idle:g} s ({setting})")
            raise AttemptError("idle_timeout", fault) from None
        except TlsError as fault:
            raise AttemptError("tls", fault, reason="refused") from None
        except HttpError as fault:
            raise AttemptError(fault.kind, fault) from None
        except (CredentialsError, SettingsError) as fault:
            raise AttemptError("credentials", fault, reason="refused") from None
        except EventTooLargeError as fault:
            raise AttemptError("too_large", fault, reason="malformed") from None

    def _request(self) -> contextlib.AbstractAsyncContextManager[Stream]:
        gateway = self._gateway
        url, body, more = gateway.request(self.turn)
        headers = {"Accept": gateway.kind, "Content-Type": "application/json", **more}
        return gateway.http.stream("POST", url, headers=headers, content=to_json(body), auth=gateway.auth)

    async def _check(self, stream: Stream) -> None:
        """Raise AttemptError unless this is the stream that the contract promises."""
        status = stream.status
        if status == 200:
            kind = stream.headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind == self._gateway.kind:
                return
            body = await _body(stream) if kind == "application/json" else b""
            if isinstance(said := lenient(body.decode(errors="replace")), dict) and is_error(said):
                failed = UpstreamError(f"{self.name}: the gateway answered with an error{reason_of(body)}")
                raise AttemptError("vendor_error", failed, status=status, reason="vendor_error")
            what = f"{self.name}: the answer is no event stream; check {self._gateway.url_setting}"
            raise AttemptError("no_stream", UpstreamError(what), status=status, reason="refused")
        why = await _reason(stream) if status >= 400 else ""
        fault: TokenweirError = UpstreamError(f"{self.name}: the gateway answered with status {status}{why}")
        after, again = retry_after(stream.headers), should_retry(stream.headers, status)
        if status == 429:
            reason = "" if again else "rate_limited"
            raise AttemptError("rate_limited", fault, status=status, retry_after=after, reason=reason)
        if status in (401, 403):
            remedy = self._gateway.remedy(status)
            fault = CredentialsError(f"the vendor refused a valid token (status {status}){why}: {remedy}")
        first, self._unauthorized = not self._unauthorized, self._unauthorized or status == 401
        renews = self._gateway.auth is not None
        if status == 401 and first and renews:  # its new token was revoked at once, by another turn's mishap perhaps
            raise AttemptError("status", fault, status=status)
        if again or status < 400:
            raise AttemptError("status", fault, status=status, retry_after=after)
        lasting = 400 <= status < 500 and status not in AGAIN
        raise AttemptError("status", fault, status=status, reason="refused" if lasting else "interrupted")

    async def _read(self, stream: Stream, limit: asyncio.Timeout) -> None:
        """Log what comes until the turn is finished."""
        framing = self._gateway.framing()
        idle = self._settings.idle_timeout
        await self.ready_within(idle, limit)
        async for chunk in stream.chunks():
            if self._log(framing.feed(chunk)):
                return
            await self.ready_within(idle, limit)
        if not isinstance(framing, SSEDecoder) and self._log(framing.feed(b"\n")):
            return
        raise AttemptError("ended", UpstreamError(f"{self.name}: the stream ended before the answer did"))

    def _log(self, events: Sequence[Event]) -> bool:
        """Log events as frames, in one write; True if the turn is finished, and then closed with them."""
        session_id, number = self.turn.session_id, self.turn.number
        records: list[Record] = []
        hurry = False
        for event in events:
            name = None if event.event == "message" else event.event
            deltas = self._decoder.feed(event.data, event.id) if event.event != "error" else []
            frame_id = self._id_of(event, deltas)
            records.append(frame(session_id, number, event.data, id=frame_id, event=name, raw=event.raw))
            if event.event == "error" or any(delta.error for delta in deltas):
                self.lane.append(*records)
                why = reason_of(event.data.encode(errors="replace"))
                fault = UpstreamError(f"{self.name}: the gateway ended it with an error{why}")
                raise AttemptError("vendor_error", fault, reason="vendor_error")
            if text := "".join([token for delta in deltas for token in delta.tokens]):
                self.progressed()
                hurry = self.hurries(text) or hurry
                if self._observer:
                    self._observer.feed(frame_id)
            if any(delta.finished for delta in deltas):
                if self._decoder.ending == "vendor_error":
                    self.lane.append(*records)
                    self._check_words()
                self.lane.append(*records, closed(session_id, number, "finished"))
                return True
        if records:
            self.lane.receive(*records, hurry=hurry)
        return False

    def _check_words(self) -> None:
        """Raise AttemptError where the answer is whole and says nothing."""
        if self._decoder.ending == "vendor_error":
            fault = UpstreamError(f"{self.name}: the answer ended without a word")
            raise AttemptError("empty", fault, reason="vendor_error")

    def _id_of(self, event: Event, deltas: Sequence[Delta]) -> str | None:
        """How to continue from this frame, where the vendor continues answers."""
        if self._observer is None:
            return None
        return usable_id(event.id) or next((delta.id for delta in reversed(deltas) if delta.id), None)


async def _reason(stream: Stream) -> str:
    return reason_of(await _body(stream))


async def _body(stream: Stream) -> bytes:
    """The body of an answer that is no stream; empty where it does not come soon, or is long."""
    try:
        async with asyncio.timeout(REASON_WITHIN):
            return await stream.body(MAX_BODY)
    except (HttpError, TimeoutError):
        return b""
