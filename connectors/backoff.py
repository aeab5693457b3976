"""When to try again, and when an account may start.

Rules
- No clock, no sleep, no randomness of its own: time is an argument (seconds, monotonic), `rng` a function given at the
  start (`random.random`), and every answer is "wait so many seconds".
- `Backoff` is exponential with full jitter: as long as one waits at random, callers do not meet again.
- What a server asks for with Retry-After is the least wait, never shortened; where it is more than
  we are willing to wait, we give up at once.
- Tries and total time are bounded, whatever the server says.
- `Limiter` holds for an account. Its answers are advice for *now*: after waiting, ask again.
- State is plain data: a struct of numbers, at `state`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime

import msgspec

Rng = Callable[[], float]
"""Gives a number in [0, 1)."""

_SECONDS = re.compile(r"[0-9]{1,10}(\.[0-9]+)?")


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Seconds that a Retry-After header asks to wait (RFC 9110, section 10.2.3); None for none we can read.

    It is a number of seconds or an HTTP date, in any of the three forms; `now` is the wall clock
    (seconds since 1970), best the answer's own `Date`. A date that has passed asks for 0.
    """
    value = (value or "").strip()
    if _SECONDS.fullmatch(value):
        return float(value)
    try:
        date = parsedate_to_datetime(value)
        return max(0.0, date.replace(tzinfo=date.tzinfo or UTC).timestamp() - now)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


class BackoffSettings(msgspec.Struct, frozen=True):
    """How long and how often to try again.

    first    seconds: the longest first wait; it doubles with every try
    longest  seconds: no wait of ours is longer
    retries  tries after the first
    total    seconds from the first failure after which no further try begins
    """

    first: float = 1.0
    longest: float = 60.0
    retries: int = 3
    total: float = 300.0


class BackoffState(msgspec.Struct):
    """retries: given so far. since: time of the first failure."""

    retries: int = 0
    since: float | None = None


class Backoff:
    """The tries of one piece of work. Ask `next` after each failure, `reset` after success."""

    def __init__(self, rng: Rng, settings: BackoffSettings | None = None) -> None:
        self.settings = settings or BackoffSettings()
        self.state = BackoffState()
        self._rng = rng

    def next(self, now: float, retry_after: float | None = None) -> float | None:
        """Seconds to wait before the next try; None to give up.

        With `retry_after` the wait is at least that, and the jitter comes on top: those that were sent
        away together shall not come back together.
        """
        settings, state = self.settings, self.state
        if state.since is None:
            state.since = now
        if state.retries >= settings.retries:
            return None
        wait = self._rng() * min(settings.longest, _doubled(settings.first, state.retries))
        if retry_after is not None:
            wait = retry_after + self._rng() * settings.first
        if now + wait - state.since > settings.total:
            return None
        state.retries += 1
        return wait

    def reset(self) -> None:
        """Forget the failures."""
        self.state = BackoffState()


class LimiterSettings(msgspec.Struct, frozen=True):
    """How an account behaves after refusals and failures.

    lowest        starts a second below which the rate never falls, pauses apart
    highest       starts a second from which on nothing is held back any more
    step          seconds without a 429 after which the rate doubles
    first         seconds: the longest pause after a first 429 that asks for none; it doubles with each
    longest       seconds: neither a pause of ours nor an open breaker lasts longer
    obeyed        seconds: a Retry-After that asks for more is taken for this
    failures      failures in a row that open the breaker; 0 for no breaker
    open_for      seconds that it stays open the first time; it doubles with each probe that fails
    probe_within  seconds after which a probe that reported nothing counts as failed
    """

    lowest: float = 1.0
    highest: float = 100.0
    step: float = 10.0
    first: float = 1.0
    longest: float = 60.0
    obeyed: float = 3600.0
    failures: int = 5
    open_for: float = 5.0
    probe_within: float = 30.0


class LimiterState(msgspec.Struct):
    """Times are those given to `Limiter`; None for "not now".

    rate          starts a second; None where nothing is held back
    steps_from    the rate rises in steps from here
    next_at       the rate allows the next start then
    paused_until  no start before; in the past where there is no pause
    pauses        in a row, without a success between them
    second        when the second began in which starts are counted
    second_starts
    failures      in a row
    open_until    the breaker lets a probe through then; None while it is closed
    probe_until   a probe is out, and counts as failed then
    openings      of the breaker in a row
    """

    rate: float | None = None
    steps_from: float = 0.0
    next_at: float | None = None
    paused_until: float | None = None
    pauses: int = 0
    second: float | None = None
    second_starts: int = 0
    failures: int = 0
    open_until: float | None = None
    probe_until: float | None = None
    openings: int = 0


class Limiter:
    """When an account may start its next request: its rate, its pauses, and its breaker.

    Before each start, one after the other (hold a lock meanwhile: it keeps the order, and one waits for all):

        while wait := limiter.start(clock()):
            await asyncio.sleep(wait)

    Then report how the vendor answered: `succeeded`, `failed` or `throttled`. A start that reports
    nothing is only a start; as a probe it counts as failed after `probe_within`.

    A 429 pauses all starts and halves their rate, which doubles with every `step` that passes without
    another. Failures in a row open the breaker: nothing starts for `open_for`, then one probe does,
    whose success closes it and whose failure opens it for longer.

    counts  starts, throttled, failed, opened: since the beginning, for metrics
    """

    def __init__(self, rng: Rng, settings: LimiterSettings | None = None) -> None:
        self.settings = settings or LimiterSettings()
        self.state = LimiterState()
        self.counts = {"starts": 0, "throttled": 0, "failed": 0, "opened": 0}
        self._rng = rng

    def start(self, now: float) -> float:
        """0 if a request may start now, which is then counted; else seconds after which to ask again."""
        state = self.state
        self._recover(now)
        self._expire_probe(now)
        gates = (state.paused_until, state.next_at, state.open_until)
        if (gate := max((g for g in gates if g is not None), default=now)) > now:
            return gate - now
        if state.probe_until is not None:  # it may report any moment
            return min(state.probe_until - now, self.settings.first)
        if state.open_until is not None:
            state.probe_until = now + self.settings.probe_within
        if state.rate is not None:
            state.next_at = now + 1 / state.rate
        if state.second is None or now - state.second >= 1:
            state.second, state.second_starts = now, 0
        state.second_starts += 1
        self.counts["starts"] += 1
        return 0.0

    def succeeded(self, now: float) -> None:
        """The vendor answered a start as it should."""
        state = self.state
        if self._concerns_the_past():
            return
        state.failures = state.openings = 0
        state.open_until = state.probe_until = None
        if not self._paused(now):
            state.pauses = 0

    def failed(self, now: float) -> None:
        """The vendor could not be reached, or could not answer: a status of 5xx, no answer in time."""
        state, settings = self.state, self.settings
        self.counts["failed"] += 1
        if self._concerns_the_past():
            return
        state.failures += 1
        if state.open_until is not None or 0 < settings.failures <= state.failures:
            self._open(now)

    def throttled(self, now: float, retry_after: float | None = None) -> None:
        """The vendor answered 429, with the seconds of its Retry-After if it asked for any."""
        state, settings = self.state, self.settings
        self.counts["throttled"] += 1
        self._recover(now)
        if state.probe_until is not None:  # refused, but by a vendor that answers again
            self.succeeded(now)
        jitter = self._rng()
        if not self._paused(now):  # those under way when a pause began lower nothing more
            rates = [settings.highest, self._seen(now)]
            if state.rate is not None:
                rates.append(state.rate)
            state.rate = max(settings.lowest, min(rates) / 2)
            state.paused_until = now + jitter * min(settings.longest, _doubled(settings.first, state.pauses))
            state.pauses += 1
        if retry_after is not None:
            asked = now + min(retry_after, settings.obeyed) + jitter * settings.first
            state.paused_until = max(state.paused_until or now, asked)
        state.steps_from = state.paused_until or now

    def _paused(self, now: float) -> bool:
        return self.state.paused_until is not None and now < self.state.paused_until

    def _concerns_the_past(self) -> bool:
        """What comes back while the breaker is open began before, and says nothing of now."""
        return self.state.open_until is not None and self.state.probe_until is None

    def _seen(self, now: float) -> float:
        """Starts a second, lately."""
        if self.state.second is None:
            return 0.0
        return self.state.second_starts / max(1.0, now - self.state.second)

    def _recover(self, now: float) -> None:
        state, settings = self.state, self.settings
        if state.rate is None or (steps := int((now - state.steps_from) / settings.step)) < 1:
            return
        state.steps_from += steps * settings.step
        state.rate = _doubled(state.rate, steps)
        if state.rate >= settings.highest:
            state.rate = state.next_at = None

    def _expire_probe(self, now: float) -> None:
        if self.state.probe_until is not None and now >= self.state.probe_until:
            self._open(now)

    def _open(self, now: float) -> None:
        state, settings = self.state, self.settings
        state.open_until = now + min(settings.longest, _doubled(settings.open_for, state.openings))
        state.probe_until = None
        state.openings += 1
        state.failures = 0
        self.counts["opened"] += 1


def _doubled(value: float, times: int) -> float:
    return value * 2.0 ** min(times, 60)
