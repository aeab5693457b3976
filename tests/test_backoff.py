from __future__ import annotations

import itertools
import random
from datetime import UTC, datetime
from email.utils import format_datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.backoff import Backoff, BackoffSettings, Limiter, LimiterSettings, LimiterState, parse_retry_after

SECONDS = st.floats(0, 1e6)


def longest() -> float:
    """An rng that always takes the longest wait, near enough."""
    return 1.0


def shortest() -> float:
    return 0.0


# -- Retry-After -----------------------------------------------------------------------------------------

NOON = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        (" 120 ", 120.0),
        ("1.5", 1.5),
        ("Fri, 20 Nov 2026 12:00:30 GMT", 30.0),
        ("Friday, 20-Nov-26 12:00:30 GMT", 30.0),
        ("Fri Nov 20 12:00:30 2026", 30.0),
        ("Fri, 20 Nov 2026 13:00:30 +0100", 30.0),
        ("Fri, 20 Nov 2026 11:59:00 GMT", 0.0),
        (None, None),
        ("", None),
        ("-1", None),
        ("soon", None),
        ("1e9", None),
        ("nan", None),
        ("٣", None),
        ("99999999999", None),
        ("Fri, 99 Nov 2026 12:00:30 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value, NOON) == seconds


@given(st.text())
def test_no_header_breaks_the_reader(value: str) -> None:
    seconds = parse_retry_after(value, NOON)
    assert seconds is None or seconds >= 0


@given(st.datetimes(datetime(1980, 1, 1), datetime(2200, 1, 1)))
def test_every_date_reads_back(date: datetime) -> None:
    date = date.replace(microsecond=0, tzinfo=UTC)
    assert parse_retry_after(format_datetime(date, usegmt=True), NOON) == max(0.0, date.timestamp() - NOON)


# -- Backoff ----------------------------------------------------------------------------------------------


def test_the_longest_waits_double_up_to_the_cap() -> None:
    backoff = Backoff(longest, BackoffSettings(first=1, longest=10, retries=6, total=1000))
    assert [backoff.next(0) for _ in range(7)] == [1, 2, 4, 8, 10, 10, None]


def test_the_jitter_is_full() -> None:
    draws = iter([0.0, 0.5, 0.25])
    backoff = Backoff(lambda: next(draws))
    assert [backoff.next(0) for _ in range(3)] == [0.0, 1.0, 1.0]


def test_by_default_there_are_three_retries() -> None:
    backoff = Backoff(random.Random(1).random)
    waits = [backoff.next(0) for _ in range(4)]
    assert [wait is None for wait in waits] == [False, False, False, True]


def test_retry_after_is_waited_for_in_full_and_the_jitter_comes_on_top() -> None:
    assert Backoff(shortest).next(0, retry_after=7) == 7
    assert Backoff(longest).next(0, retry_after=7) == 8


def test_more_waiting_than_the_total_is_not_begun() -> None:
    backoff = Backoff(shortest, BackoffSettings(retries=100, total=10))
    assert backoff.next(0, retry_after=10.5) is None
    assert backoff.next(0, retry_after=5) == 5
    assert backoff.next(5.5, retry_after=5) is None
    assert backoff.next(9.0) == 0.0
    assert backoff.next(10.1) is None


def test_after_a_success_it_begins_anew() -> None:
    backoff = Backoff(longest, BackoffSettings(retries=1, total=10))
    assert backoff.next(0) == 1
    backoff.reset()
    assert backoff.next(100) == 1


@given(
    st.builds(BackoffSettings, first=SECONDS, longest=SECONDS, retries=st.integers(0, 50), total=SECONDS),
    st.randoms(use_true_random=False),
    st.lists(st.tuples(st.floats(0, 100), st.none() | SECONDS)),
)
def test_tries_and_time_are_bounded_and_retry_after_is_obeyed(
    settings: BackoffSettings, rng: random.Random, failures: list[tuple[float, float | None]]
) -> None:
    backoff, now, tries = Backoff(rng.random, settings), 0.0, 0
    for took, retry_after in failures:
        now += took
        began = failures[0][0]
        if (wait := backoff.next(now, retry_after)) is None:
            continue
        tries += 1
        assert wait >= (retry_after or 0)
        if retry_after is None:
            assert wait <= settings.longest
        now += wait
        assert now - began <= settings.total * (1 + 1e-9) + 1e-6
    assert tries <= settings.retries


# -- Limiter: rate and pauses -------------------------------------------------------------------------------


def started(limiter: Limiter, now: float, seconds: float) -> list[float]:
    """When a caller that always has more to start gets to, from `now` for so many seconds."""
    starts, end = [], now + seconds
    while now < end:
        if wait := limiter.start(now):
            now += wait
        else:
            starts.append(now)
            if limiter.state.rate is None:
                break
    return starts


def test_nothing_is_held_back_before_a_refusal() -> None:
    limiter = Limiter(longest)
    assert all(limiter.start(0.0) == 0.0 for _ in range(10_000))
    assert limiter.counts["starts"] == 10_000


def test_a_refusal_pauses_every_start_for_retry_after() -> None:
    limiter = Limiter(longest)
    limiter.start(10.0)
    limiter.throttled(10.5, retry_after=30)
    assert limiter.start(10.5) == pytest.approx(31.0)
    assert limiter.start(40.5) == pytest.approx(1.0)
    assert limiter.start(41.5) == 0.0


def test_without_retry_after_pauses_double_until_a_success() -> None:
    limiter = Limiter(longest, LimiterSettings(first=1, longest=8, lowest=1000, highest=1e9))
    now, pauses = 0.0, []
    for _ in range(6):
        while wait := limiter.start(now):
            now += wait
        limiter.throttled(now)
        assert limiter.state.paused_until is not None
        pauses.append(limiter.state.paused_until - now)
    assert pauses == pytest.approx([1, 2, 4, 8, 8, 8])
    now += 8
    assert limiter.start(now) == 0.0
    limiter.succeeded(now)
    limiter.throttled(now + 1)
    assert limiter.state.paused_until == pytest.approx(now + 2)


def test_a_burst_of_refusals_halves_the_rate_once() -> None:
    limiter = Limiter(longest)
    for _ in range(40):
        limiter.start(0.0)
    for n in range(30):
        limiter.throttled(0.1 + n / 100)
    assert limiter.state.rate == 20.0
    assert limiter.counts["throttled"] == 30


def test_the_longest_retry_after_of_a_burst_counts() -> None:
    limiter = Limiter(shortest)
    limiter.start(0.0)
    for seconds in (5, 50, 20):
        limiter.throttled(0.0, retry_after=seconds)
    assert limiter.start(0.0) == 50.0


def test_a_retry_after_beyond_all_reason_is_cut() -> None:
    limiter = Limiter(shortest, LimiterSettings(obeyed=3600))
    limiter.throttled(0.0, retry_after=1e9)
    assert limiter.start(0.0) == 3600.0


def test_the_rate_halves_again_while_refusals_go_on_and_has_a_floor() -> None:
    limiter = Limiter(shortest, LimiterSettings(lowest=1.0, highest=16.0))
    for _ in range(20):
        limiter.start(0.0)
    rates = []
    for _ in range(5):
        limiter.throttled(0.0)
        rates.append(limiter.state.rate)
    assert rates == [8.0, 4.0, 2.0, 1.0, 1.0]


def test_starts_are_spaced_by_the_rate_and_recover_in_steps_until_free() -> None:
    limiter = Limiter(shortest, LimiterSettings(lowest=1.0, highest=8.0, step=10.0))
    limiter.start(0.0)
    limiter.throttled(0.0)
    times = started(limiter, 0.0, 60.0)
    per_step = [len(list(group)) for _, group in itertools.groupby(times, lambda t: int(t // 10))]
    assert per_step == [10, 20, 40, 1]  # one, two, four a second, then free
    assert limiter.state.rate is None
    assert limiter.start(times[-1]) == 0.0


def test_the_rate_begins_to_recover_when_the_pause_is_over() -> None:
    limiter = Limiter(shortest, LimiterSettings(lowest=1.0, highest=8.0, step=10.0))
    limiter.start(0.0)
    limiter.throttled(0.0, retry_after=100)
    limiter.start(109.0)
    assert limiter.state.rate == 1.0
    limiter.start(110.0)
    assert limiter.state.rate == 2.0


# -- Limiter: the breaker -------------------------------------------------------------------------------------

BREAKER = LimiterSettings(failures=3, open_for=5, longest=60, probe_within=30, first=1)


def opened(now: float = 0.0) -> Limiter:
    limiter = Limiter(longest, BREAKER)
    for _ in range(3):
        limiter.start(now)
        limiter.failed(now)
    return limiter


def test_failures_in_a_row_open_it_and_a_success_between_does_not() -> None:
    limiter = Limiter(longest, BREAKER)
    for outcome in "ffsffs":
        limiter.start(0.0)
        (limiter.failed if outcome == "f" else limiter.succeeded)(0.0)
    assert limiter.counts["opened"] == 0
    assert limiter.start(0.0) == 0.0
    assert opened().start(1.0) == 4.0


def test_one_probe_goes_and_its_success_closes_it() -> None:
    limiter = opened()
    assert limiter.start(4.9) == pytest.approx(0.1)
    assert limiter.start(5.0) == 0.0
    assert limiter.start(5.0) == 1.0  # ask again soon: the probe may report any moment
    limiter.succeeded(6.0)
    assert [limiter.start(6.0) for _ in range(9)] == [0.0] * 9


def test_each_probe_that_fails_opens_it_for_twice_as_long() -> None:
    limiter, now = opened(), 0.0
    waits = []
    for _ in range(6):
        wait = limiter.start(now)
        waits.append(wait)
        now += wait
        assert limiter.start(now) == 0.0
        limiter.failed(now)
    assert waits == [5, 10, 20, 40, 60, 60]
    assert limiter.counts["opened"] == 7


def test_a_probe_that_never_reports_counts_as_failed() -> None:
    limiter = opened()
    assert limiter.start(5.0) == 0.0
    assert limiter.start(34.9) == pytest.approx(0.1)
    assert limiter.start(35.0) == 10.0


def test_what_began_before_it_opened_neither_closes_it_nor_holds_it_open() -> None:
    limiter = opened()
    limiter.succeeded(1.0)
    limiter.failed(4.0)
    assert limiter.start(4.0) == 1.0
    assert limiter.start(5.0) == 0.0


def test_a_probe_that_is_refused_shows_a_vendor_that_answers() -> None:
    limiter = opened()
    limiter.start(5.0)
    limiter.throttled(5.0, retry_after=2)
    assert limiter.start(5.0) == 3.0  # as it asked: the breaker would have had everyone wait for twice as long
    assert limiter.counts["opened"] == 1


def test_no_breaker_where_none_is_wanted() -> None:
    limiter = Limiter(longest, LimiterSettings(failures=0))
    for _ in range(1000):
        limiter.failed(0.0)
    assert limiter.start(0.0) == 0.0
    assert limiter.counts["opened"] == 0


EVENTS = st.sampled_from(["start", "succeeded", "failed", "throttled", "retry_after"])


@given(st.lists(st.tuples(EVENTS, st.floats(0, 20))), st.randoms(use_true_random=False))
def test_whatever_happens_a_start_comes_in_bounded_time(events: list[tuple[str, float]], rng: random.Random) -> None:
    limiter, now = Limiter(rng.random), 0.0
    for what, later in events:
        now += later
        match what:
            case "start":
                assert limiter.start(now) >= 0
            case "retry_after":
                limiter.throttled(now, later)
            case _:
                getattr(limiter, what)(now)
    end = now + 200
    while wait := limiter.start(now):
        assert wait > 0
        now += wait
        assert now < end


@given(st.lists(st.tuples(EVENTS, st.floats(0, 20))))
def test_the_state_is_plain_data_and_carries_everything(events: list[tuple[str, float]]) -> None:
    one, two, now = Limiter(longest), Limiter(longest), 0.0
    for what, later in events:
        now += later
        two.state = msgspec.json.decode(msgspec.json.encode(two.state), type=LimiterState)
        for limiter in (one, two):
            if what == "retry_after":
                limiter.throttled(now, later)
            else:
                getattr(limiter, what)(now)
        assert one.start(now) == two.start(now)
