"""What every simulated vendor is: a server with a corpus, faults, access tokens, and a memory of what was asked.

Rules
- A vendor is its routes (`_route`) and the scopes that it wants; all else is here.
- It refuses what its contract does not allow, with a status and a line of JSON that says why.
- What was asked is remembered without secrets and without prompts, in a list that is bounded.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from email.utils import formatdate
from types import TracebackType
from typing import Any, ClassVar, Final, Self

import msgspec

from connectors.errors import SettingsError
from connectors.simulator.access import Access
from connectors.simulator.answers import Pace
from connectors.simulator.corpus import Corpus
from connectors.simulator.faults import Drop, On, Progress, Refusal
from connectors.simulator.http import Exchange, HTTPError, HTTPServer
from connectors.simulator.turns import FaultPlan, SimulatedTurn, Turns, UnknownStreamError
from connectors.simulator.waiting import Changes
from connectors.text import from_json

CLIENT_ID: Final = "simulator"
CLIENT_SECRET: Final = "s&cret+for=the simulator"
"""It holds what a form must escape, so that a client that does not is found out."""

MAX_PATH: Final = 500


class Asked(msgspec.Struct):
    """One request, as far as it may be remembered.

    at       seconds since the vendor was made
    stream   the name of the stream that it got
    turn     number of the turn; a retry and a continuation belong to the turn that they go on with
    attempt  requests for the same turn before it
    tokens   tokens of the stream that had gone out by the end of the answer, repeated ones counted once
    ended    answered, finished, gone (the client went), how it was dropped (fin, 1006 …), or "" while it runs
    """

    at: float
    method: str
    path: str
    status: int = 0
    stream: str | None = None
    turn: int | None = None
    attempt: int = 0
    tokens: int = 0
    ended: str = ""
    continuation_id: str | None = None
    dialog_id: str | None = None


class SimulatedVendor:
    """`async with` it, or `start` and `close` it on one event loop.

    corpus          what it serves; our own texts unless said otherwise
    faults          what goes wrong, for streams that bring no faults of their own
    prompts         names of streams by prompt, or by dialog id
    speed           of the streams' own times; 0 = as fast as possible
    token_interval  seconds between tokens, in place of the streams' times
    token_ttl       seconds for which an access token holds
    declared_ttl    what `expires_in` says, where it is not that
    scopes          what the client is granted; what the vendor wants unless said otherwise

    url       its base URL
    requests  the latest `max_requests` requests, as `Asked`
    counts    what happened, by name; the vendors list theirs. Of the server beneath: connections,
              refused_connections, bad_requests

    Raises SettingsError where an argument is wrong or the port is taken.
    """

    SCOPES: ClassVar[tuple[str, ...]]

    def __init__(
        self,
        corpus: Corpus | None = None,
        *,
        faults: FaultPlan = "",
        prompts: Mapping[str, str] | None = None,
        speed: float = 1.0,
        token_interval: float | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        client_id: str = CLIENT_ID,
        client_secret: str = CLIENT_SECRET,
        scopes: Iterable[str] | None = None,
        token_ttl: float = 3600.0,
        declared_ttl: float | None = None,
        max_requests: int = 10_000,
    ) -> None:
        for name, value in (("speed", speed), ("token_interval", token_interval or 0.0)):
            if not (math.isfinite(value) and value >= 0):
                raise SettingsError(f"{name} must be a number of 0 or more, not {value}")
        self.corpus = Corpus.builtin() if corpus is None else corpus
        self.requests: deque[Asked] = deque(maxlen=max_requests)
        self._prompts = dict(prompts or {})
        self._pace = Pace(speed, token_interval)
        self._turns = Turns(self.corpus, faults, prompts)
        self._general = Progress(self._turns.general)
        granted = self.SCOPES if scopes is None else scopes
        self._access = Access(client_id, client_secret, granted, self.SCOPES, token_ttl, declared_ttl)
        self._changes = Changes()
        self._started = time.monotonic()
        self._server = HTTPServer(self._handle, host=host, port=port)
        self.counts: Counter[str] = self._server.counts

    @property
    def url(self) -> str:
        return self._server.url

    async def start(self) -> None:
        """Take connections. Nothing happens where it already does."""
        await self._server.listen()

    def refuse(self, seconds: float | None = None) -> None:
        """Refuse new connections for so long, or until `start`."""
        self._server.refuse(seconds)

    def revoke_all(self) -> None:
        """Make every access token invalid, as when a secret was changed."""
        self._access.revoke_all()

    async def until(self, condition: Callable[[Self], bool], within: float = 10.0) -> None:
        """Wait until something holds of this vendor. Raises TimeoutError after `within` seconds."""
        await self._changes.until(lambda: condition(self), within)

    async def close(self) -> None:
        """End every connection. Idempotent."""
        await self._server.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _handle(self, exchange: Exchange) -> None:
        request = exchange.request
        asked = Asked(round(time.monotonic() - self._started, 6), request.method, request.path[:MAX_PATH])
        self.requests.append(asked)
        self._changes.notify()
        try:
            await self._route(exchange, asked)
            asked.ended = asked.ended or "answered"
        except HTTPError as error:
            await exchange.refuse(error)
            asked.ended = "answered"
        finally:
            asked.status = exchange.status or 0
            if asked.status:
                self.counts[f"status_{asked.status}"] += 1
            if not asked.ended:
                asked.ended = "gone"
                self.counts["gone"] += 1
            self._changes.notify()

    async def _route(self, exchange: Exchange, asked: Asked) -> None:
        """Answer a request. Raises HTTPError for what the contract does not allow."""
        raise NotImplementedError

    async def _grant(self, exchange: Exchange, media_type: str, read: Callable[[bytes], Mapping[str, object]]) -> None:
        """Answer a request for an access token; `read` has the fields of its body, or raises HTTPError."""
        self.counts["token_requests"] += 1
        await self._fail(exchange, self._general, "token")
        exchange.require("POST", media_type)
        granted = self._access.grant(read(exchange.request.body))
        await exchange.answer(200, json.dumps(granted).encode(), headers=(("Cache-Control", "no-store"),))

    def _begin(self, prompt: str, asked: Asked) -> SimulatedTurn:
        """The turn that a start gets. Raises HTTPError where its prompt names what is not."""
        try:
            turn = self._turns.start(prompt)
        except SettingsError as error:
            code = "unknown_stream" if isinstance(error, UnknownStreamError) else "unknown_faults"
            raise HTTPError(400, code, str(error)) from None
        self._note(asked, turn)
        return turn

    def _note(self, asked: Asked, turn: SimulatedTurn) -> None:
        """A request belongs to this turn."""
        asked.stream, asked.turn, asked.attempt = turn.stream.name, turn.number, turn.requests
        turn.requests += 1

    async def _fail(self, exchange: Exchange, progress: Progress, on: On) -> None:
        """Wait as long as the faults say. Raises HTTPError where they refuse this request."""
        if latency := progress.latency(on):
            await asyncio.sleep(latency)
        refusal = progress.refuse(on)
        if refusal is None:
            return
        if refusal.status == 401:
            self._access.revoke(exchange.request)
        said = "the simulator was told to refuse this"
        raise HTTPError(refusal.status, f"status_{refusal.status}", said, headers=_retry_after(refusal))

    def _dropped(self, exchange: Exchange, asked: Asked, turn: SimulatedTurn, drop: Drop) -> None:
        """An answer was broken off as the faults say."""
        asked.ended = drop.how
        self.counts[f"drop_{drop.how}"] += 1
        turn.progress.dropped()
        if drop.revoke:
            self._access.revoke(exchange.request)
        if drop.refuse:
            self.refuse(drop.refuse)


def read_json(body: bytes, kind: Any, wanted: str = "") -> Any:
    """A request's body. Raises HTTPError, which says what is wrong and where, and quotes nothing."""
    try:
        return from_json(body, kind)
    except msgspec.DecodeError as error:
        what = str(error) if isinstance(error, msgspec.ValidationError) else "the body is not JSON"
        raise HTTPError(400, "bad_request", f"{what}; send {wanted}" if wanted else what) from None


def _retry_after(refusal: Refusal) -> list[tuple[str, str]]:
    """The header, in the form that the fault says."""
    headers = []
    if refusal.retry_after is not None:
        headers.append(("Retry-After", f"{refusal.retry_after:g}"))
    if refusal.retry_date is not None:
        headers.append(("Retry-After", formatdate(time.time() + refusal.retry_date, usegmt=True)))
    return headers
