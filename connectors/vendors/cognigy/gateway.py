"""Cognigy.AI's client: one WebSocket stream for each turn, and what is done when it does not come whole.

Rules
- Every message is logged before anything is made of it; one that says `done` and the turn's `close` are one write.
- A dialog is configured once for its settings (any 200 will do that does not say `streaming: false`), and a turn's
  socket is opened under its own configuration: dialogs.py says how starts are ordered.
- No continuation exists. A new attempt is made only while no token has come, `max_reconnects` times a turn with
  back-off; after that a stream that breaks, in whatever way, is `interrupted`, and what had come stays.
- 401 refreshes the token and tries once more; 429 waits as it is told, `max_retries` times in a row, and slows the
  whole account down; other 4xx, and an `error` message, end the turn.
- A silence of `idle_timeout` and a turn of `overall_timeout` are told apart in the log; both close as `timeout`.
- The socket is read only while flow and desktop have room; what time that takes is not the vendor's. We send no
  pings: while it is not read, no pong could arrive.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from websockets.exceptions import ConnectionClosed, InvalidStatus

from connectors.errors import CredentialsError, InputError, SettingsError, TokenweirError, UpstreamError
from connectors.http import HttpError, StatusError, TlsError
from connectors.log.lane import Lane
from connectors.log.records import closed, error, frame
from connectors.log.turns import Turn
from connectors.text import from_bytes, from_json
from connectors.vendors.attempts import AttemptError, Gate, TurnAttempts
from connectors.vendors.base import Outcome
from connectors.vendors.codes import MAX_BODY, reason_of
from connectors.vendors.cognigy.account import CONFIG_PATH, SCOPE, CognigyAccount
from connectors.vendors.cognigy.contract import Decoder
from connectors.vendors.cognigy.dialogs import Dialogs
from connectors.vendors.cognigy.settings import PLACEHOLDERS, CognigySettings, fill
from connectors.vendors.sockets import CLOSE_TIMEOUT, closing, ended, unopened
from connectors.websocket import ClientConnection, connect, is_redirect

_wire_log = logging.getLogger(f"{__name__}.wire")
_wire_log.setLevel(logging.WARNING)  # below that, websockets logs what goes over the wire: customers' text


class CognigyGateway:
    """One account's client. Build it on the reactor, `aclose` it there.

    Raises SettingsError where the address or the credentials are missing.
    """

    def __init__(self, account: CognigyAccount | CognigySettings) -> None:
        self.account = CognigyAccount(account) if isinstance(account, CognigySettings) else account
        self.account.check()
        self.settings = settings = self.account.settings
        self.gate = Gate()
        self.dialogs = Dialogs(max_dialogs=settings.max_dialogs, one_at_a_time=settings.one_at_a_time)
        self.account.hold()

    @property
    def model(self) -> str:
        return self.settings.model

    async def check(self) -> None:
        """Get an access token: raises CredentialsError or UpstreamError where there is none to be had."""
        await self.account.auth.token()

    async def converse(self, turn: Turn, lane: Lane) -> Outcome:
        """See connectors.vendors.base.Gateway."""
        if not turn.request.get("dialog_id"):
            name = turn.session_id
            noted = error(name, turn.number, "no_dialog", None, turn.restarts)
            lane.append(noted, closed(name, turn.number, "refused"))
            return Outcome("refused", InputError(f"session {name}: dialog_id is missing; Cognigy.AI needs one"))
        return await _Attempts(self, turn, lane).run()

    async def aclose(self) -> None:
        await self.account.release()


class _Attempts(TurnAttempts):
    """One turn."""

    def __init__(self, gateway: CognigyGateway, turn: Turn, lane: Lane) -> None:
        settings = gateway.settings
        super().__init__(
            turn,
            lane,
            gateway.gate,
            settings,
            restarts=settings.max_reconnects,
            timeout=settings.overall_timeout or math.inf,
        )
        self._account = gateway.account
        self._dialogs = gateway.dialogs
        self._settings = settings
        self._decoder = Decoder()
        self._dialog_id: str = turn.request["dialog_id"]
        self._model: str = turn.request.get("model") or settings.model

    def can_go_on(self) -> bool:
        return not self.token_came

    async def attempt(self) -> None:
        """One stream, read to the turn's end. Raises AttemptError."""
        self._decoder.restart()
        left = self.ends_at - time.monotonic()
        try:
            async with (
                asyncio.timeout(left if math.isfinite(left) else None) as overall,
                contextlib.AsyncExitStack() as stack,
            ):
                async with self._dialogs.starting(self._dialog_id):
                    await self.gate.admit()
                    await self._configure()
                    socket = await self._open(stack)
                self.gate.succeeded()
                self.refusals.reset()
                await self._ask(socket)
                try:
                    await self._read(socket, overall)
                finally:  # a slow goodbye shall not change how the turn ended
                    if not overall.expired():
                        overall.reschedule(None)
        except TimeoutError:
            limit = self._settings.overall_timeout
            fault = UpstreamError(f"{self.name}: not finished within {limit:g} s (cognigy.overall_timeout)")
            reason = "rate_limited" if self.refusals.state.retries else ""  # what the vendor said last was 429
            raise AttemptError("overall_timeout", fault, reason=reason) from None
        except TlsError as fault:
            raise AttemptError("tls", fault, reason="refused") from None
        except StatusError as fault:  # of the token's endpoint
            kind = "rate_limited" if fault.status == 429 else fault.kind
            raise AttemptError(kind, fault, status=fault.status, retry_after=fault.retry_after) from None
        except HttpError as fault:
            raise AttemptError(fault.kind, fault) from None
        except (CredentialsError, SettingsError) as fault:
            raise AttemptError("credentials", fault, reason="refused") from None
        except ConnectionClosed as end:
            raise ended(end, self.name, "cognigy") from None

    async def _configure(self) -> None:
        """Put the dialog's configuration, unless it stands."""
        settings = self._settings
        body = msgspec.json.encode(
            {
                "streaming": True,
                "model": self._model,
                "temperature": settings.temperature,
                "max_tokens": settings.max_tokens,
                "dialog_id": self._dialog_id,
            }
        )
        if self._dialogs.stands(self._dialog_id, body):
            return
        response = await self._account.http.request(
            "PUT",
            self._account.base_url + CONFIG_PATH,
            headers={"Content-Type": "application/json", "Accept": "application/json"},
            content=body,
            auth=self._account.auth,
            within=settings.connect_timeout,
        )
        if response.status != 200:
            raise self._refusal(
                "the gateway's configuration", response.status, response.body, response.headers.get("retry-after")
            )
        if _refuses_streaming(response.body):
            fault = UpstreamError(f"{self.name}: the gateway answered `streaming: false`; enable it for this account")
            raise AttemptError("no_stream", fault, status=200, reason="refused")
        self._dialogs.put(self._dialog_id, body)

    async def _open(self, stack: contextlib.AsyncExitStack) -> ClientConnection:
        """The stream's socket, open; it closes with the stack. A token that is refused is refreshed once."""
        auth = self._account.auth
        token = await auth.token()
        try:
            return await stack.enter_async_context(self._shake_hands(token))
        except AttemptError as refused:
            if refused.status != 401:
                raise
        return await stack.enter_async_context(self._shake_hands(await auth.renew(token)))

    @contextlib.asynccontextmanager
    async def _shake_hands(self, token: str) -> AsyncIterator[ClientConnection]:
        try:
            socket = await self._connect(token)
        except InvalidStatus as refused:
            response = refused.response
            retry_after = response.headers.get("Retry-After")
            body = bytes(response.body or b"")
            raise self._refusal("the stream's handshake", response.status_code, body, retry_after) from None
        except Exception as problem:
            host, limit = self._account.base_url.partition("://")[2], self._settings.connect_timeout
            raise unopened(problem, host, limit, "COGNIGY_BASE_URL") from None
        async with closing(socket):
            yield socket

    def _connect(self, token: str) -> connect:
        return connect(
            self._account.stream_url,
            additional_headers={"Authorization": f"Bearer {token}", "Accept": "application/json"},
            user_agent_header="tokenweir",
            compression=None,  # messages are short, and latency counts
            open_timeout=self._settings.connect_timeout,
            ping_interval=None,
            close_timeout=CLOSE_TIMEOUT,
            max_size=self._settings.max_message_bytes,
            logger=_wire_log,
        )

    async def _ask(self, socket: ClientConnection) -> None:
        """Send the template, where there is one."""
        if not self._settings.template:
            return
        turn = self.turn
        known = {**turn.request, "session_id": turn.session_id, "turn": turn.number, "model": self._model}
        values = {name: str(known[name]) if known.get(name) is not None else "" for name in PLACEHOLDERS}
        await socket.send(msgspec.json.encode(fill(self._settings.template, values)), text=True)

    async def _read(self, socket: ClientConnection, overall: asyncio.Timeout) -> None:
        """Log what comes until the turn is finished. Raises AttemptError or ConnectionClosed."""
        idle = self._settings.idle_timeout
        try:
            async with asyncio.timeout(None) as limit:
                while True:
                    await self.ready_within(idle, limit, overall)
                    message = await socket.recv(decode=False)
                    if self._log(*from_bytes(message)):
                        return
        except TimeoutError:
            fault = UpstreamError(f"{self.name}: nothing came for {idle:g} s (cognigy.idle_timeout)")
            raise AttemptError("idle_timeout", fault) from None

    def _log(self, text: str, raw: bool) -> bool:
        """Log a message; True if the turn is finished, and then closed with it."""
        session_id, number = self.turn.session_id, self.turn.number
        record = frame(session_id, number, text, raw=raw)
        deltas = self._decoder.feed(text, None)
        if came := "".join([token for delta in deltas for token in delta.tokens]):
            self.progressed()
        if any(delta.error for delta in deltas):
            self.lane.append(record)
            fault = UpstreamError(f"{self.name}: the gateway ended it with an error message")
            raise AttemptError("vendor_error", fault, reason="vendor_error")
        if any(delta.finished for delta in deltas):
            self.lane.append(record, closed(session_id, number, "finished"))
            return True
        self.lane.receive(record, hurry=bool(came) and self.hurries(came))
        return False

    def _refusal(self, what: str, status: int, body: bytes, retry_after: str | None) -> AttemptError:
        """What a status means that is not the one the contract promises."""
        why = reason_of(body[:MAX_BODY])
        fault: TokenweirError = UpstreamError(f"{self.name}: {what} was answered with status {status}{why}")
        if is_redirect(status):
            fault = UpstreamError(
                f"{self.name}: {what} was answered with a redirect (status {status}), and none is followed; "
                "set COGNIGY_BASE_URL to where the gateway is now"
            )
        if status == 429:
            return AttemptError("rate_limited", fault, status=status, retry_after=retry_after)
        if status != 401:
            self._dialogs.forget(self._dialog_id)
        if status in (401, 403):
            remedy = (
                f"have the scopes {SCOPE!r} granted to COGNIGY_CLIENT_ID"
                if status == 403
                else ("check COGNIGY_BASE_URL")
            )
            fault = CredentialsError(f"the vendor refused a valid token (status {status}){why}: {remedy}")
        final = status < 500 and status not in (408, 425)
        return AttemptError("status", fault, status=status, reason="refused" if final else "", retry_after=retry_after)


class _Taken(msgspec.Struct):
    """The answer to a configuration, as far as it matters."""

    streaming: Any = None


def _refuses_streaming(body: bytes) -> bool:
    """Whether it says so; an answer that does not speak of it, or in no JSON, is a 200 all the same."""
    try:
        return from_json(body, _Taken).streaming is False
    except msgspec.DecodeError:
        return False
