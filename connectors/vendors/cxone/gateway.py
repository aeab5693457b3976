"""The client of CXone's LLM gateway: one turn's stream, logged frame by frame, whatever the network does.

Rules
- An `open` is in the log before its request; a finishing frame and the turn's `close` are one write.
- A stream that breaks, idles or ends without `finished` is continued from its last id; before any id it starts
  anew, and only if no token had come. All that together happens `max_restarts` times a turn, with back-off; a restart
  of the job does not count (connectors/vendors/attempts.py).
- 401 refreshes the token and tries once more, and so does one later attempt of the turn; 429 waits as it is told,
  `max_retries` times in a row, and slows the whole account down; other 4xx, and an `error` event, end the turn.
- Sockets are read only while the flow has room.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Sequence
from typing import Any

from connectors.backoff import BackoffSettings
from connectors.errors import CredentialsError, SettingsError, TokenweirError, UpstreamError
from connectors.http import Client, HttpError, HttpSettings, Stream, TlsError
from connectors.job.job import Outcome
from connectors.log.lane import Lane
from connectors.log.records import Record, closed, frame
from connectors.log.turns import Turn
from connectors.sse import Event, EventTooLargeError, SSEDecoder
from connectors.text import to_json
from connectors.vendors.attempts import AttemptError, Conversation, Gate
from connectors.vendors.codes import MAX_BODY, reason_of
from connectors.vendors.cxone.contract import Decoder
from connectors.vendors.cxone.settings import CXoneSettings
from connectors.vendors.decoding import usable_id
from connectors.vendors.oauth import ClientCredentials, Grant
from connectors.vendors.resumption import Account, Observer

TOKEN_PATH = "/oauth/token"
STREAM_PATH = "/api/v2/ai/llm/chat/stream"
SCOPE = "ai:llm:stream"
REFRESH_EARLY = 30.0
REASON_WITHIN = 2.0
"""Seconds for the body of an answer that says no."""


class CXoneGateway:
    """One account's client. Build it on the reactor, `aclose` it there.

    Raises SettingsError where the credentials are missing.
    """

    def __init__(self, settings: CXoneSettings) -> None:
        for name in ("client_id", "client_secret"):
            if not getattr(settings, name):
                raise SettingsError(f"cxone.{name} is not set; set CXONE_CLIENT_ID and CXONE_CLIENT_SECRET")
        base_url = settings.base_url.rstrip("/")
        self.settings = settings
        self.url = base_url + STREAM_PATH
        self.http = Client(
            HttpSettings(connect_timeout=settings.connect_timeout, max_connections=settings.max_connections)
        )
        self.auth = ClientCredentials(
            self.http,
            Grant(
                url=base_url + TOKEN_PATH,
                client_id=settings.client_id,
                client_secret=settings.client_secret,
                scope=SCOPE,
                url_setting="CXONE_BASE_URL",
                id_setting="CXONE_CLIENT_ID",
                secret_setting="CXONE_CLIENT_SECRET",
                body="form",
                early=REFRESH_EARLY,
            ),
        )
        self.gate = Gate()
        self.account = Account(settings.resumes)

    @property
    def model(self) -> str:
        return self.settings.model

    async def check(self) -> None:
        """Get an access token: raises CredentialsError or UpstreamError where there is none to be had."""
        await self.auth.token()

    async def converse(self, turn: Turn, lane: Lane) -> Outcome:
        """See connectors.job.job.Gateway."""
        return await _Conversation(self, turn, lane).run()

    async def aclose(self) -> None:
        await self.http.aclose()


class _Conversation(Conversation):
    """One turn."""

    def __init__(self, gateway: CXoneGateway, turn: Turn, lane: Lane) -> None:
        settings = gateway.settings
        super().__init__(
            turn,
            lane,
            gateway.gate,
            restarts=_backoff(settings, settings.max_restarts, math.inf),
            refusals=_backoff(settings, settings.max_retries, settings.retry_total),
        )
        self._gateway = gateway
        self._settings = settings
        self._decoder = Decoder()
        self._observer = Observer(gateway.account)
        self._unauthorized = False

    def can_go_on(self) -> bool:
        return not self.token_came or self.turn.continuation_id is not None

    def reopening(self) -> dict[str, Any]:
        known = self._gateway.account.reopening() if self.token_came else {}
        return {"continuation_id": self.turn.continuation_id, **known}

    async def attempt(self) -> None:
        """One request, read to the turn's end. Raises AttemptError."""
        self._decoder.restart()
        self._observer.connect()
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
            fault = UpstreamError(f"{self.name}: nothing came for {idle:g} s (cxone.idle_timeout)")
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
        turn, settings = self.turn, self._settings
        model = turn.request.get("model") or settings.model
        body: dict[str, object] = {"prompt": turn.request.get("prompt") or ""}
        if turn.continuation_id is None:
            body["model"] = model
        else:
            body["continuation_id"] = turn.continuation_id
            if settings.continue_with_model:
                body["model"] = model
        body["stream"] = True
        headers = {"Accept": "text/event-stream", "Content-Type": "application/json"}
        return self._gateway.http.stream(
            "POST", self._gateway.url, headers=headers, content=to_json(body), auth=self._gateway.auth
        )

    async def _check(self, stream: Stream) -> None:
        """Raise AttemptError unless this is the stream that the contract promises."""
        status = stream.status
        if status == 200:
            kind = stream.headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind == "text/event-stream":
                return
            fault: TokenweirError = UpstreamError(f"{self.name}: the answer is no event stream; check CXONE_BASE_URL")
            raise AttemptError("no_stream", fault, status=status, reason="refused")
        why = await _reason(stream) if status >= 400 else ""
        fault = UpstreamError(f"{self.name}: the gateway answered with status {status}{why}")
        if status == 429:
            raise AttemptError("rate_limited", fault, status=status, retry_after=stream.headers.get("retry-after"))
        if status in (401, 403):
            fault = CredentialsError(
                f"the vendor refused a valid token (status {status}){why}: "
                + (f"have the scope {SCOPE!r} granted to CXONE_CLIENT_ID" if status == 403 else "check CXONE_BASE_URL")
            )
        first, self._unauthorized = not self._unauthorized, self._unauthorized or status == 401
        if status == 401 and first:  # the renewed token was revoked at once, by another turn's mishap perhaps
            raise AttemptError("status", fault, status=status)
        if 400 <= status < 500 and status not in (408, 425):
            raise AttemptError("status", fault, status=status, reason="refused")
        raise AttemptError("status", fault, status=status, retry_after=stream.headers.get("retry-after"))

    async def _read(self, stream: Stream, limit: asyncio.Timeout) -> None:
        """Log what comes until the turn is finished. Every byte, a comment's too, moves the idle limit on."""
        sse = SSEDecoder(self._settings.max_event_bytes, keep_bytes=True)
        idle, clock = self._settings.idle_timeout, asyncio.get_running_loop().time
        limit.reschedule(clock() + idle if idle else None)
        async for chunk in stream.chunks():
            if self._log(sse.feed(chunk)):
                return
            limit.reschedule(None)
            await self.lane.ready(self.turn)
            limit.reschedule(clock() + idle if idle else None)
        raise AttemptError("ended", UpstreamError(f"{self.name}: the stream ended before the answer did"))

    def _log(self, events: Sequence[Event]) -> bool:
        """Log events as frames, in one write; True if the turn is finished, and then closed with them."""
        session_id, number = self.turn.session_id, self.turn.number
        records: list[Record] = []
        for event in events:
            name = None if event.event == "message" else event.event
            deltas = self._decoder.feed(event.data, event.id) if event.event != "error" else []
            context_id = usable_id(event.id) or next((delta.id for delta in reversed(deltas) if delta.id), None)
            records.append(frame(session_id, number, event.data, id=context_id, event=name, raw=event.raw))
            if event.event == "error":
                self.lane.append(*records)
                why = reason_of(event.data.encode())
                fault = UpstreamError(f"{self.name}: the gateway ended it with an error event{why}")
                raise AttemptError("vendor_error", fault, reason="vendor_error")
            if any(delta.tokens for delta in deltas):
                self.progressed()
                self._observer.feed(context_id)
            if any(delta.finished for delta in deltas):
                self.lane.append(*records, closed(session_id, number, "finished"))
                return True
        if records:
            self.lane.append(*records)
        return False


async def _reason(stream: Stream) -> str:
    try:
        async with asyncio.timeout(REASON_WITHIN):
            return reason_of(await stream.body(MAX_BODY))
    except (HttpError, TimeoutError):
        return ""


def _backoff(settings: CXoneSettings, retries: int, total: float) -> BackoffSettings:
    return BackoffSettings(first=settings.retry_base, longest=settings.retry_cap, retries=retries, total=total)
