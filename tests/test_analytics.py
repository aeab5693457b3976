"""Answers as frames: from a directory or a connection, in a scope, in an order, and typed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import duckdb
import polars as pl
import pytest

from analytics import interruptions, latency, moderation, traffic, usage
from analytics.frames import Metrics, Scope, frame, opened, parse_moment, utc
from connectors.errors import DataDirError, InputError
from connectors.metrics.lander import Lander
from connectors.metrics.segments import SegmentWriter
from tests.analytics_data import DAY_1, DAY_2, by_hand, landed

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ACME = Scope(tenant="acme")
NOBODY = Scope(tenant="nobody")
QUESTIONS: list[Callable[[Metrics, Scope], pl.DataFrame]] = [
    usage.turns, usage.by_model, usage.daily, usage.savings, traffic.over_time, traffic.by_vendor,
    traffic.longest_sessions, latency.first_sentences, latency.percentiles, latency.shares, latency.windows,
    latency.slo, moderation.rates, moderation.top_rules, interruptions.by_kind, interruptions.each,
    interruptions.turns,
]  # fmt: skip


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return landed(tmp_path_factory.mktemp("metrics"), by_hand())


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda q: f"{q.__module__}.{q.__name__}")
def test_a_path_a_string_and_a_connection_answer_alike_and_a_scope_narrows(
    directory: Path, question: Callable[[Metrics, Scope], pl.DataFrame]
) -> None:
    everything = question(directory, Scope())
    assert everything.height
    with opened(directory) as connection:
        assert question(connection, Scope()).equals(everything)
        assert connection.sql("SELECT 1").fetchall() == [(1,)]  # it stays open
    assert question(str(directory), Scope()).equals(everything)
    assert question(directory, NOBODY).is_empty()
    assert question(directory, NOBODY).schema == everything.schema
    later = Scope(since=datetime(2030, 1, 1))
    assert question(directory, later).is_empty()


def test_turns_come_oldest_first_with_what_windows_saved(directory: Path) -> None:
    turns = usage.turns(directory)
    assert turns["session_id"].to_list() == ["s-1", "s-1", "s-2", "s-3"]
    assert turns["message_reduction"].to_list() == [0.95, 0.95, 0.0, 0.9]


def test_costs_add_up_per_currency_and_leave_out_what_has_no_price(directory: Path) -> None:
    costs = usage.costs(usage.by_model(directory))
    assert costs.rows() == [("EUR", Decimal("0.00001")), ("USD", Decimal("0.014"))]
    assert usage.by_model(directory)["model"].to_list() == ["gpt-4", "mini", None]  # most tokens first
    assert [(row[0], row[3]) for row in usage.daily(directory, ACME).rows()] == [
        (DAY_1, "gpt-4"),
        (DAY_2, None),
        (DAY_2, "gpt-4"),
    ]


def test_traffic_has_no_gap(directory: Path) -> None:
    hours = traffic.over_time(directory, seconds=3600)
    assert hours.height == 14
    assert hours["begins_at"].diff().drop_nulls().unique().to_list() == [timedelta(hours=1)]
    assert hours["messages"].sum() == 7
    assert hours.filter(pl.col("messages") == 0).height == 9


def test_traffic_of_far_apart_moments_in_short_spans_is_not_filled_up(directory: Path) -> None:
    assert traffic.over_time(directory, seconds=1).height < 50_000
    assert traffic.readable_span(36_004, 60) == 1800
    assert traffic.readable_span(1e12, 60) == 604_800


def test_parts_come_in_their_order(directory: Path) -> None:
    assert latency.shares(directory)["part"].to_list() == ["vendor", "window", "moderation", "delivery"]
    assert latency.percentiles(directory)["p50_ms"].to_list() == [200, 550, 570]


def test_a_database_without_our_views_is_an_error_with_its_remedy(tmp_path: Path) -> None:
    SegmentWriter(tmp_path, "w00").close()
    with Lander(tmp_path) as lander:
        lander.land()
    with pytest.raises(DataDirError, match="start a job"):
        usage.by_model(tmp_path)


def test_a_frame_takes_parameters(directory: Path) -> None:
    assert frame(directory, "SELECT turn FROM turns WHERE session_id = $session", session="s-2").rows() == [(0,)]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-20", datetime(2026, 11, 20, tzinfo=UTC)),
        ("2026-11-20T14:30", datetime(2026, 11, 20, 14, 30, tzinfo=UTC)),
        ("2026-11-20T14:30+02:00", datetime(2026, 11, 20, 12, 30, tzinfo=UTC)),
        ("90m", NOW - timedelta(minutes=90)),
        ("24h", NOW - timedelta(days=1)),
        ("2w", NOW - timedelta(days=14)),
    ],
)
def test_moments_as_people_type_them(text: str, moment: datetime) -> None:
    assert parse_moment(text, NOW) == moment


@pytest.mark.parametrize("text", ["", "yesterday", "24", "-3h", "2026-13-01", "999999w", "24 h"])
def test_what_is_no_moment_is_said_so(text: str) -> None:
    with pytest.raises(InputError, match="is no time"):
        parse_moment(text, NOW)


def test_a_moment_without_a_zone_is_utc() -> None:
    plain = datetime(2026, 11, 20, 14)
    assert utc(plain) == plain.replace(tzinfo=UTC)
    assert utc(plain.replace(tzinfo=timezone(timedelta(hours=2)))) == datetime(2026, 11, 20, 12, tzinfo=UTC)
    assert utc(None) is None


def test_a_process_that_asked_ends_in_silence(directory: Path) -> None:
    """DuckDB's compiled half complains at exit when polars still remembers one of its types."""
    code = "import sys; from analytics import usage; print(usage.turns(sys.argv[1]).height)"
    ran = subprocess.run([sys.executable, "-c", code, directory], capture_output=True, text=True, check=True)
    assert (ran.stdout, ran.stderr) == ("4\n", "")


def test_a_question_does_not_keep_the_database(directory: Path) -> None:
    usage.totals(directory)
    with duckdb.connect(directory / "metrics.duckdb"):
        pass
