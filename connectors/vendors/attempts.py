"""One turn, over as many attempts at its vendor as it takes.

Rules
- An attempt that does not finish its turn says why (`AttemptError`); from the kind of that, never from its wording,
  follows whether there is another one and what the turn closes with.
- Every problem is logged before the wait for the next attempt, and every further attempt is logged as an `open`
  before it is made.
- 429 answers count by themselves (`refusals`); everything else that can be tried again counts as a restart, whose
  number survives a restart of the job. A Retry-After beyond the total of `refusals` gives the turn up in any case.
- Where tokens come, the back-off between restarts begins again; how many there may be does not.
- A restart of the job itself is no fault of the vendor's and does not count; but a turn that saw `MAX_RESUMED` of
  them in a row, with no frame between, is given up.
- An account's requests start one after the other, as its limiter allows.
"""

from __future__ import annotations

import asyncio
import math
import random
import re
import time
from collections.abc import Mapping
from typing import Any, Final, Protocol

from connectors.backoff import Backoff, BackoffSettings, Limiter, LimiterSettings, parse_retry_after
from connectors.errors import TokenweirError, UpstreamError
from connectors.log.lane import Lane
from connectors.log.records import RESTARTED, closed, error, opened
from connectors.log.turns import Turn
from connectors.vendors.base import Outcome

MAX_RESUMED: Final = 100
"""A turn of which nothing comes any more may be what kills us."""

AGAIN: Final = (408, 409, 425, 429)
"""Statuses below 500 after which another attempt may help."""

_MILLISECONDS: Final = re.compile(r"[0-9]{1,10}(\.[0-9]+)?")

TIMEOUTS: Final = ("timeout", "idle_timeout", "overall_timeout")
"""The kinds of problem that a turn closes with as a `timeout`."""


def retry_after(headers: Mapping[str, str]) -> str | None:
    """How long an answer asks to wait, as `parse_retry_after` reads it: in the first of the headers that say it.

    LiteLLM hands on what its own upstream said under names of its own.
    """
    for of in ("", "llm_provider-"):
        milliseconds = headers.get(f"{of}retry-after-ms", "").strip()
        if _MILLISECONDS.fullmatch(milliseconds):
            return f"{float(milliseconds) / 1000:.3f}"
        if said := headers.get(f"{of}retry-after"):
            return said
    return None


def should_retry(headers: Mapping[str, str], status: int) -> bool:
    """Whether another attempt may help: as the answer says, else by its status."""
    said = headers.get("x-should-retry", "").strip().lower()
    return said == "true" if said in ("true", "false") else status >= 500 or status in AGAIN


class AttemptError(Exception):
    """An attempt that did not finish its turn.

    kind         the log's word for it
    fault        what to tell a person
    status       of HTTP or of a WebSocket's close, where there was one
    reason       what the turn closes with, where another attempt cannot help
    retry_after  the header, as it was sent
    """

    def __init__(
        self,
        kind: str,
        fault: TokenweirError,
        *,
        status: int | None = None,
        reason: str = "",
        retry_after: str | None = None,
    ) -> None:
        super().__init__(kind)
        self.kind = kind
        self.fault = fault
        self.status = status
        self.reason = reason
        self.retry_after = retry_after


class Gate:
    """When an account's next request may start. Belongs to one event loop."""

    def __init__(self, settings: LimiterSettings | None = None) -> None:
        self.limiter = Limiter(random.random, settings)
        self._starting = asyncio.Lock()
        self._failure: Exception | None = None

    async def admit(self) -> None:
        """Wait until the account may start another request: one after the other, in order."""
        async with self._starting:
            while wait := self.limiter.start(time.monotonic()):
                await asyncio.sleep(wait)

    def succeeded(self) -> None:
        self.limiter.succeeded(time.monotonic())

    def failed(self, fault: Exception | None = None) -> None:
        """One failure that many turns share, such as the token endpoint's, counts once."""
        if fault is None or fault is not self._failure:
            self._failure = fault
            self.limiter.failed(time.monotonic())

    def throttled(self, retry_after: float | None) -> None:
        self.limiter.throttled(time.monotonic(), retry_after)


class RetrySettings(Protocol):
    """What a vendor's section says of further attempts.

    retry_base   seconds: the longest first wait; it doubles with every attempt
    retry_cap    seconds: no wait of ours is longer
    max_retries  429 answers in a row to one turn before it is given up
    retry_total  seconds of such refusals in a row, Retry-After included, after which a turn is given up
    """

    @property
    def retry_base(self) -> float: ...

    @property
    def retry_cap(self) -> float: ...

    @property
    def max_retries(self) -> int: ...

    @property
    def retry_total(self) -> float: ...


class TurnAttempts:
    """One turn, from its first request to its close. A vendor's own says what an attempt is.

    settings    of the back-off: between attempts after breaks, and after 429 answers in a row
    restarts    attempts after breaks, over the whole turn
    timeout     seconds for the whole turn; no attempt begins that would have to wait past it

    `attempt` resets `refusals`, the back-off after 429 answers, once it was answered.
    """

    def __init__(
        self,
        turn: Turn,
        lane: Lane,
        gate: Gate,
        settings: RetrySettings,
        *,
        restarts: int,
        timeout: float = math.inf,
    ) -> None:
        self.turn = turn
        self.lane = lane
        self.gate = gate
        self.token_came = turn.said
        self.refusals = _backoff(settings, settings.max_retries, settings.retry_total)
        self.ends_at = time.monotonic() + timeout
        self.hurries = lane.cue(turn)
        self._restarts = _backoff(settings, restarts, math.inf)

    @property
    def name(self) -> str:
        """What errors call it."""
        return f"session {self.turn.session_id}"

    async def run(self) -> Outcome:
        """Try until the turn is finished or given up."""
        if self.turn.whole:  # its end alone was lost, with an earlier process
            self.lane.append(closed(self.turn.session_id, self.turn.number, "finished"))
            return Outcome("finished")
        if self.turn.frames or self.turn.restarts:
            restarted = AttemptError(RESTARTED, UpstreamError("the job was restarted in the middle of a turn"))
            if outcome := await self._prepare_again(restarted):
                return outcome
        while True:
            try:
                await self.attempt()
                return Outcome("finished")
            except AttemptError as problem:
                if outcome := await self._prepare_again(problem):
                    return outcome

    async def ready(self, *limits: asyncio.Timeout) -> None:
        """Return when more may be read. The time that takes counts against none of these limits, nor the turn's own."""
        if self.lane.is_ready(self.turn):
            return
        ends = [limit.when() for limit in limits]
        for limit in limits:
            limit.reschedule(None)
        began = time.monotonic()
        await self.lane.ready(self.turn)
        waited = time.monotonic() - began
        self.ends_at += waited
        for limit, end in zip(limits, ends, strict=True):
            if end is not None:
                limit.reschedule(end + waited)

    async def ready_within(self, idle: float, limit: asyncio.Timeout, *others: asyncio.Timeout) -> None:
        """As `ready`, and `limit` is `idle` seconds from now then, or up to a tenth later; 0 is none.

        Moving a timer with every piece that comes costs more than the piece.
        """
        await self.ready(limit, *others)
        now, when = asyncio.get_running_loop().time(), limit.when()
        if idle and (when is None or when < now + idle):
            limit.reschedule(now + 1.1 * idle)

    def progressed(self) -> None:
        """Tokens came."""
        self.token_came = True
        self._restarts.reset()

    async def attempt(self) -> None:
        """One attempt, to the turn's end, which it logs. Raises AttemptError."""
        raise NotImplementedError

    def can_go_on(self) -> bool:
        """Whether another attempt could complete what has come so far."""
        raise NotImplementedError

    def reopening(self) -> dict[str, Any]:
        """`d` of the `open` that is logged before another attempt."""
        return {}

    async def _prepare_again(self, problem: AttemptError) -> Outcome | None:
        """Log the problem; then either close the turn, or wait and log that it opens again."""
        turn, lane = self.turn, self.lane
        lane.flush()  # what came last may be what can be gone on from
        wait, reason = self._judge(problem)
        restarts = turn.restarts + (problem.status != 429 and problem.kind != RESTARTED)
        noted = error(turn.session_id, turn.number, problem.kind, problem.status, restarts)
        if reason:
            lane.append(noted, closed(turn.session_id, turn.number, reason))
            return Outcome(reason, problem.fault)
        lane.append(noted)
        await asyncio.sleep(wait)
        lane.append(opened(turn.session_id, turn.number, self.reopening()))
        return None

    def _judge(self, problem: AttemptError) -> tuple[float, str]:
        """Seconds to wait before the next attempt, or the reason to give up; and tell the account's limiter."""
        now = time.monotonic()
        asked = parse_retry_after(problem.retry_after, time.time())
        if problem.reason:
            return 0, problem.reason
        if problem.status == 429:
            self.gate.throttled(asked)
            return self._unless_late(now, self.refusals.next(now, asked), "rate_limited")
        if problem.kind in ("connect", "status", "timeout"):
            self.gate.failed(problem.fault)
        if problem.kind == RESTARTED:
            over = not self.can_go_on() or self.turn.resumed >= MAX_RESUMED
            return (0, "interrupted") if over else (random.uniform(0, self._restarts.settings.first), "")
        reason = "timeout" if problem.kind in TIMEOUTS else "interrupted"
        if not self.can_go_on() or self.turn.restarts >= self._restarts.settings.retries:
            return 0, reason
        if asked is not None and asked > self.refusals.settings.total:  # `restarts` has no total: a turn may be long
            return 0, reason
        return self._unless_late(now, self._restarts.next(now, asked), reason)

    def _unless_late(self, now: float, wait: float | None, reason: str) -> tuple[float, str]:
        return (0, reason) if wait is None or now + wait >= self.ends_at else (wait, "")


def _backoff(settings: RetrySettings, retries: int, total: float) -> Backoff:
    waits = BackoffSettings(first=settings.retry_base, longest=settings.retry_cap, retries=retries, total=total)
    return Backoff(random.random, waits)
