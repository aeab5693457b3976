"""The analysts' views and macros: on rows whose answers were worked out by hand, and against polars on random ones."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import polars as pl
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from polars.testing import assert_frame_equal

from analytics import query
from analytics.stream import Stream
from connectors.errors import SettingsError
from connectors.metrics import Row, open_metrics
from connectors.metrics.dimensions import Price, SloSettings, dimensions_sql
from connectors.metrics.lander import Lander
from connectors.metrics.landing import Landing
from connectors.metrics.script import FILES, FOLDER, script
from tests.analytics_data import DAY_1, DAY_2, PRICES, by_hand, filled, in_memory, landed, random_rows
from tokenweir import main


@pytest.fixture(scope="module")
def metrics(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """The rows that were worked out by hand, as an analyst opens them."""
    with open_metrics(landed(tmp_path_factory.mktemp("metrics"), by_hand())) as connection:
        yield connection


def rows(connection: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[Any, ...]]:
    return pl.DataFrame(Stream(connection.sql(sql))).rows()


# ---- by hand


def test_usage_and_cost_follow_the_price_of_the_day(metrics: duckdb.DuckDBPyConnection) -> None:
    usage = "SELECT day, tenant, vendor, model, sessions, turns, prompt_tokens, completion_tokens, estimated_turns"
    assert rows(metrics, f"{usage}, unpriced_turns, cost, currency FROM usage_daily ORDER BY ALL NULLS LAST") == [
        (DAY_1, "acme", "cxone", "gpt-4", 1, 1, 100, 50, 1, 0, Decimal("0.006"), "USD"),
        (DAY_2, "acme", "cxone", "gpt-4", 1, 1, 200, 100, 0, 0, Decimal("0.008"), "USD"),
        (DAY_2, "acme", "cxone", None, 1, 1, 5, 5, 0, 1, None, None),
        (DAY_2, None, "cognigy", "mini", 1, 1, 10, 0, 0, 0, Decimal("0.00001"), "EUR"),
    ]


def test_usage_of_a_window_and_a_tenant(metrics: duckdb.DuckDBPyConnection) -> None:
    costs = "SELECT model, sessions, turns, cost FROM usage"
    assert rows(metrics, f"{costs}(of_tenant := 'acme') ORDER BY ALL NULLS LAST") == [
        ("gpt-4", 1, 2, Decimal("0.014")),
        (None, 1, 1, None),
    ]
    since, until = "TIMESTAMPTZ '2026-11-19 23:59:59.2+00'", "TIMESTAMPTZ '2026-11-20 10:00:00+00'"
    assert rows(metrics, f"{costs}(since := {since}, until := {until})") == [("gpt-4", 1, 1, Decimal("0.006"))]


def test_messages_saved_against_one_a_token(metrics: duckdb.DuckDBPyConnection) -> None:
    assert rows(metrics, "SELECT day, model, tokens, messages, reduction FROM reduction_daily ORDER BY ALL") == [
        (DAY_1, "gpt-4", 40, 2, 0.95),
        (DAY_2, "gpt-4", 60, 3, 0.95),
        (DAY_2, "mini", 0, 1, None),
        (DAY_2, None, 10, 1, 0.9),
    ]
    assert rows(metrics, "SELECT tokens, messages, reduction FROM reduction(of_tenant := 'acme') ORDER BY ALL") == [
        (10, 1, 0.9),
        (100, 5, 0.95),
    ]


def test_the_parts_of_the_way_to_the_first_sentence_add_up(metrics: duckdb.DuckDBPyConnection) -> None:
    parts = "vendor_ms, window_ms, moderation_ms, delivery_ms, first_sentence_ms, on_desktop_ms"
    assert rows(metrics, f"SELECT session_id, turn, {parts} FROM first_sentences ORDER BY ALL") == [
        ("s-1", 0, 200, 250, 50, 30, 500, 530),
        ("s-1", 1, 400, 200, 0, 10, 600, 610),
        ("s-2", 0, None, None, None, None, 5000, None),
        ("s-3", 0, 100, 200, 0, None, 300, None),
    ]


def test_latency_of_everything_and_of_a_day(metrics: duckdb.DuckDBPyConnection) -> None:
    assert rows(metrics, "FROM latency()") == [
        ("first_token", 3, 200.0, pytest.approx(380), pytest.approx(396)),
        ("first_sentence", 4, 550.0, pytest.approx(4340), pytest.approx(4868)),
        ("on_desktop", 2, 570.0, pytest.approx(606), pytest.approx(609.2)),
    ]
    daily = "SELECT day, model, turns, first_token_p50_ms, first_sentence_p99_ms, on_desktop_p50_ms FROM latency_daily"
    assert rows(metrics, f"{daily} ORDER BY ALL") == [
        (DAY_1, "gpt-4", 1, 200, 500, 530),
        (DAY_2, "gpt-4", 1, 400, 600, 610),
        (DAY_2, "mini", 1, None, 5000, None),
        (DAY_2, None, 1, 100, 300, None),
    ]


def test_what_the_time_to_the_first_sentence_was_spent_on(metrics: duckdb.DuckDBPyConnection) -> None:
    assert rows(metrics, "SELECT vendor, part, turns, total_ms, share FROM latency_shares()") == [
        ("cxone", "vendor", 3, 700, 700 / 1440),
        ("cxone", "window", 3, 650, 650 / 1440),
        ("cxone", "moderation", 3, 50, 50 / 1440),
        ("cxone", "delivery", 2, 40, 40 / 1440),
    ]
    shares = "SELECT part, p50_ms, total_ms, share FROM latency_shares_daily"
    assert rows(metrics, f"{shares} WHERE day = '2026-11-19' ORDER BY total_ms") == [
        ("delivery", 30, 30, 30 / 530),
        ("moderation", 50, 50, 50 / 530),
        ("vendor", 200, 200, 200 / 530),
        ("window", 250, 250, 250 / 530),
    ]


def test_windows_by_what_ended_them(metrics: duckdb.DuckDBPyConnection) -> None:
    windows = "SELECT closed_by, messages, tokens_per_message, window_p50_ms, hold_p50_ms FROM windows()"
    assert rows(metrics, windows) == [
        ("sentence", 4, 17.0, 225, 0),
        ("end", 2, 19.0, 500, 0),
        ("error", 1, 0.0, 0, 0),
    ]
    daily = "SELECT vendor, closed_by, messages, chars_per_message, hold_p99_ms FROM windows_daily"
    assert rows(metrics, f"{daily} WHERE day = '2026-11-20' ORDER BY ALL") == [
        ("cognigy", "error", 1, 50, 0),
        ("cxone", "end", 2, 45, 0),
        ("cxone", "sentence", 3, 50, 0),
    ]
    assert rows(metrics, f"{daily} WHERE day = '2026-11-19'") == [("cxone", "sentence", 1, 60, 50)]


def test_deliveries_by_what_confirmed_them(metrics: duckdb.DuckDBPyConnection) -> None:
    assert rows(metrics, "SELECT day, how, messages, confirmation_p50_ms FROM deliveries_daily ORDER BY ALL") == [
        (DAY_1, "ack", 1, 20),
        (DAY_2, "ack", 3, 8),
        (DAY_2, "dropped", 1, None),
        (DAY_2, "unconfirmed", 1, None),
    ]


def test_moderation_counts_messages_and_rules(metrics: duckdb.DuckDBPyConnection) -> None:
    counts = "SELECT model, messages, messages_with_findings, findings, finding_rate"
    assert rows(metrics, f"{counts} FROM moderation_daily ORDER BY findings DESC, messages DESC, model NULLS LAST") == [
        ("gpt-4", 1, 1, 1, 1.0),
        ("gpt-4", 4, 0, 0, 0.0),
        ("mini", 1, 0, 0, 0.0),
        (None, 1, 0, 0, 0.0),
    ]
    assert rows(metrics, f"{counts} FROM moderation(of_tenant := 'acme') ORDER BY messages DESC") == [
        ("gpt-4", 5, 1, 1, 0.2),
        (None, 1, 0, 0, 0.0),
    ]
    assert rows(metrics, "FROM rules_daily ORDER BY ALL") == [
        (DAY_1, "EMAIL_ADDRESS", "address", "redact", 1, 1),
        (DAY_2, "BLOCKED", "word", "drop", 1, 1),
    ]
    assert rows(metrics, "FROM top_rules(most := 1)") == [("BLOCKED", "word", "drop", 1, 1, 0.5)]
    assert rows(metrics, "FROM top_rules(of_tenant := 'nobody')") == []


def test_interruptions_and_how_they_ended(metrics: duckdb.DuckDBPyConnection) -> None:
    assert rows(metrics, "FROM interruptions()") == [
        ("connect", None, None, 1, 1, 0, 1),
        ("disconnected", None, "finished", 1, 1, 0, 1),
        ("idle_timeout", None, "timeout", 1, 0, 1, 1),
        ("rate_limited", 429, "timeout", 1, 1, 0, 1),
        ("status", 503, None, 1, 0, 0, 1),
        ("none", None, "cancelled", 0, 0, 0, 1),
    ]
    since, until = "TIMESTAMPTZ '2026-11-20 11:00:04+00'", "TIMESTAMPTZ '2026-11-20 13:00:00.5+00'"
    part = f"since := {since}, until := {until}, of_tenant := 'acme'"
    assert rows(metrics, f"SELECT kind, interruptions FROM interruptions({part})") == [("connect", 1), ("none", 0)]
    daily = "SELECT day, tenant, vendor, kind, outcome, interruptions, retries, fallbacks FROM interruptions_daily"
    assert rows(metrics, f"{daily} ORDER BY ALL") == [
        (DAY_1, "acme", "cxone", "disconnected", "finished", 1, 1, 0),
        (DAY_2, "acme", "cxone", "connect", None, 1, 1, 0),
        (DAY_2, "acme", "cxone", "none", "cancelled", 0, 0, 0),
        (DAY_2, "acme", "cxone", "status", None, 1, 0, 0),
        (DAY_2, None, "cognigy", "idle_timeout", "timeout", 1, 0, 1),
        (DAY_2, None, "cognigy", "rate_limited", "timeout", 1, 1, 0),
    ]


def test_a_turn_with_two_errors_shows_both(metrics: duckdb.DuckDBPyConnection) -> None:
    each = "SELECT session_id, number, kind, status, retried, fallback, outcome FROM turn_errors"
    assert rows(metrics, f"{each} WHERE session_id IN ('s-2', 's-3') ORDER BY ALL") == [
        ("s-2", 1, "rate_limited", 429, True, False, "timeout"),
        ("s-2", 2, "idle_timeout", None, False, True, "timeout"),
        ("s-3", None, "none", None, False, False, "cancelled"),
    ]
    turns = "SELECT session_id, turn, kinds, interruptions, restarts, fallback FROM interrupted_turns ORDER BY ALL"
    assert rows(metrics, turns) == [
        ("s-1", 0, "disconnected", 1, 1, False),
        ("s-2", 0, "rate_limited, idle_timeout", 2, 1, True),
        ("s-3", 0, "none", 0, 0, False),
    ]


def test_targets_and_their_breaches(metrics: duckdb.DuckDBPyConnection) -> None:
    assert rows(metrics, "FROM slo_met()") == [
        ("first_token", 2000, 4, 1, 0.75),
        ("first_sentence", 4000, 4, 1, 0.75),
        ("on_desktop", 5000, 2, 0, 1.0),
    ]
    assert rows(metrics, "SELECT session_id, measure, target_ms, took_ms FROM slo_breaches ORDER BY ALL") == [
        ("s-2", "first_sentence", 4000, 5000),
        ("s-2", "first_token", 2000, None),
    ]
    breaches = "SELECT day, tenant, measure, turns, breaches, met FROM slo_daily WHERE breaches > 0 ORDER BY ALL"
    assert rows(metrics, breaches) == [
        (DAY_2, None, "first_sentence", 1, 1, 0.0),
        (DAY_2, None, "first_token", 1, 1, 0.0),
    ]


def test_sessions_traffic_and_totals(metrics: duckdb.DuckDBPyConnection) -> None:
    longest = "SELECT session_id, turns, duration_ms, answering_ms, tokens, messages, outcome FROM longest_sessions"
    assert rows(metrics, f"{longest}(most := 2)") == [
        ("s-1", 2, 36_003_800, 4500, 100, 5, "finished"),
        ("s-2", 1, 5000, 5000, 0, 1, "timeout"),
    ]
    assert rows(metrics, "SELECT hour::VARCHAR, vendor, turns, messages, tokens FROM traffic_hourly ORDER BY ALL") == [
        ("2026-11-19 23:00:00+00", "cxone", 1, 1, 18),
        ("2026-11-20 00:00:00+00", "cxone", 0, 1, 18),
        ("2026-11-20 10:00:00+00", "cxone", 1, 3, 60),
        ("2026-11-20 11:00:00+00", "cognigy", 1, 1, 0),
        ("2026-11-20 12:00:00+00", "cxone", 1, 1, 10),
    ]
    totals = "SELECT sessions, turns, finished_turns, interrupted_turns, interruptions, tokens, messages FROM totals"
    assert rows(metrics, f"{totals}()") == [(3, 4, 2, 2, 3, 110, 7)]
    assert rows(metrics, f"{totals}(of_tenant := 'nobody')") == [(0, 0, 0, 0, 0, 0, 0)]


def test_tenants_models_and_vendors(metrics: duckdb.DuckDBPyConnection) -> None:
    assert rows(metrics, "SELECT tenant, sessions, turns FROM tenants ORDER BY ALL") == [("acme", 2, 3), (None, 1, 1)]
    assert rows(metrics, "SELECT model, turns, priced_turns FROM models ORDER BY ALL") == [
        ("gpt-4", 2, 2),
        ("mini", 1, 1),
        (None, 1, 0),
    ]
    known = "SELECT vendor, transport, continues FROM vendors WHERE vendor IN ('cognigy', 'cxone', 'openai')"
    assert rows(metrics, f"{known} ORDER BY ALL") == [
        ("cognigy", "WebSocket", False),
        ("cxone", "Server-Sent Events", True),
        ("openai", "Server-Sent Events", False),
    ]
    assert rows(metrics, "SELECT model, valid_from, valid_until, currency FROM prices ORDER BY 1, 2")[1:] == [
        ("gpt-4", DAY_2, None, "USD"),
        ("mini", Price(prompt=Decimal(0), completion=Decimal(0)).since, None, "EUR"),
    ]


def test_days_are_utc_days_whatever_the_session_shows(metrics: duckdb.DuckDBPyConnection) -> None:
    before = rows(metrics, "FROM usage_daily ORDER BY ALL")
    metrics.execute("SET TimeZone = 'Pacific/Auckland'")
    after = rows(metrics, "FROM usage_daily ORDER BY ALL")
    metrics.execute("SET TimeZone = 'UTC'")
    assert after == before


# ---- against polars


@pytest.fixture(scope="module")
def memory() -> Iterator[duckdb.DuckDBPyConnection]:
    with in_memory() as connection:
        yield connection


Expected = Callable[[dict[str, pl.DataFrame]], pl.DataFrame]
DAY = pl.col("hour").dt.date().alias("day")
WHO = ("tenant", "vendor", "model")


def count_where(condition: pl.Expr) -> pl.Expr:
    return condition.fill_null(False).sum().cast(pl.Int64)


def percentiles_of(column: str, name: str = "{}_ms") -> list[pl.Expr]:
    at = (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
    return [pl.col(column).quantile(share, "linear").alias(name.format(p)) for p, share in at]


def length(name: str) -> pl.Expr:
    return pl.len().cast(pl.Int64).alias(name)


def costs(frames: dict[str, pl.DataFrame]) -> pl.DataFrame:
    def price(row: dict[str, Any]) -> Price | None:
        dated = [each for each in PRICES.get(row["model"], ()) if each.since <= row["hour"].date()]
        return max(dated, key=lambda each: each.since, default=None)

    spent = []
    for row in frames["turns"].iter_rows(named=True):
        priced, prompt, completion = price(row), row["prompt_tokens"], row["completion_tokens"]
        cost = None
        if priced and prompt is not None and completion is not None:
            cost = (prompt * priced.prompt + completion * priced.completion) / 1000
        spent.append((cost, priced.currency if priced else None))
    columns: dict[str, Any] = {"cost": pl.Decimal(38, 9), "currency": pl.String}
    return pl.concat([frames["turns"], pl.DataFrame(spent, columns, orient="row")], how="horizontal")


def usage_daily(frames: dict[str, pl.DataFrame]) -> pl.DataFrame:
    spent = costs(frames)
    known = pl.col("cost").is_not_null()
    tokens = [
        pl.when(pl.col(name).is_not_null().any()).then(pl.col(name).sum()).alias(name)
        for name in ("prompt_tokens", "completion_tokens")
    ]
    return spent.group_by(DAY, *WHO, "currency").agg(
        pl.col("session_id").n_unique().cast(pl.Int64).alias("sessions"),
        length("turns"),
        *tokens,
        count_where(pl.col("usage_estimated")).alias("estimated_turns"),
        count_where(~known).alias("unpriced_turns"),
        pl.when(known.any()).then(pl.col("cost").sum()).alias("cost"),
    )


def reduction_daily(frames: dict[str, pl.DataFrame]) -> pl.DataFrame:
    summed = (
        frames["turns"]
        .group_by(DAY, *WHO)
        .agg(pl.col("tokens_received").sum().alias("tokens"), pl.col("messages").sum())
    )
    share = 1 - pl.col("messages") / pl.col("tokens")
    return summed.with_columns(pl.when(pl.col("tokens") > 0).then(share).alias("reduction"))


def first_sentences(frames: dict[str, pl.DataFrame]) -> pl.DataFrame:
    key = ["session_id", "turn"]
    confirmed = frames["deliveries"].filter(pl.col("seq") == 0).group_by(key).agg(pl.col("confirmed_at").min())
    took = (pl.col("confirmed_at") - pl.col("released_at")).dt.total_microseconds() // 1000
    shown = frames["messages"].filter((pl.col("seq") == 0) & (pl.col("chars") > 0)).join(confirmed, on=key, how="left")
    first = shown.select(*key, "hold_ms", delivery_ms=took.clip(0), there=True)
    token, sentence = pl.col("time_to_first_token_ms"), pl.col("time_to_first_message_ms")
    known = pl.col("there").is_not_null() & token.is_not_null() & sentence.is_not_null()
    return frames["turns"].join(first, on=key, how="left").with_columns(
        first_token_ms=token,
        first_sentence_ms=sentence,
        on_desktop_ms=pl.when(known).then(sentence + pl.col("delivery_ms")),
        vendor_ms=pl.when(known).then(token),
        window_ms=pl.when(known).then(sentence - token - pl.col("hold_ms")),
        moderation_ms=pl.when(known).then(pl.col("hold_ms")),
        delivery_ms=pl.when(known).then(pl.col("delivery_ms")),
    )  # fmt: skip


def latency_daily(frames: dict[str, pl.DataFrame]) -> pl.DataFrame:
    measures = ("first_token", "first_sentence", "on_desktop")
    each = [expression for m in measures for expression in percentiles_of(f"{m}_ms", f"{m}_{{}}_ms")]
    return first_sentences(frames).group_by(DAY, *WHO).agg(length("turns"), *each)


def latency_shares_daily(frames: dict[str, pl.DataFrame]) -> pl.DataFrame:
    parts = ["vendor_ms", "window_ms", "moderation_ms", "delivery_ms"]
    long = (
        first_sentences(frames)
        .select(DAY, "vendor", *parts)
        .unpivot(parts, index=["day", "vendor"], variable_name="part")
    )
    grouped = (
        long.drop_nulls("value").with_columns(pl.col("part").str.strip_suffix("_ms")).group_by("day", "vendor", "part")
    )
    summed = grouped.agg(length("turns"), *percentiles_of("value"), pl.col("value").sum().alias("total_ms"))
    whole = pl.col("total_ms").sum().over("day", "vendor")
    return summed.with_columns(pl.when(whole > 0).then(pl.col("total_ms") / whole).alias("share"))


def windows_daily(frames: dict[str, pl.DataFrame]) -> pl.DataFrame:
    return frames["messages"].group_by(DAY, "vendor", "closed_by").agg(
        length("messages"),
        pl.col("tokens").mean().alias("tokens_per_message"),
        pl.col("chars").mean().alias("chars_per_message"),
        *percentiles_of("window_ms", "window_{}_ms"),
        *percentiles_of("hold_ms", "hold_{}_ms"),
    )  # fmt: skip


def deliveries_daily(frames: dict[str, pl.DataFrame]) -> pl.DataFrame:
    took = (pl.col("confirmed_at") - pl.col("sent_at")).dt.total_microseconds() / 1000
    timed = frames["deliveries"].with_columns(took=took)
    return timed.group_by(DAY, "desktop", "how").agg(length("messages"), *percentiles_of("took", "confirmation_{}_ms"))


def moderation_daily(frames: dict[str, pl.DataFrame]) -> pl.DataFrame:
    found = pl.col("findings") > 0
    return frames["messages"].group_by(DAY, *WHO).agg(
        length("messages"),
        count_where(found).alias("messages_with_findings"),
        pl.col("findings").sum(),
        found.mean().alias("finding_rate"),
    )  # fmt: skip


def rules_daily(frames: dict[str, pl.DataFrame]) -> pl.DataFrame:
    turns = pl.struct("session_id", "turn").n_unique().cast(pl.Int64).alias("turns")
    return frames["findings"].group_by(DAY, "category", "rule", "action").agg(length("findings"), turns)


def turn_errors(frames: dict[str, pl.DataFrame]) -> pl.DataFrame:
    key = ["session_id", "turn"]
    shown = frames["messages"].filter("fallback").select(*key, shown=True).unique()
    ended = frames["turns"].select(*key, "model", "outcome", "restarts")
    ordered = frames["errors"].sort(*key, "occurred_at", "restart", "kind", "status", nulls_last=True)
    number, of_turn = pl.int_range(1, pl.len() + 1).over(key), pl.len().over(key)
    errors = ordered.with_columns(number=number, last=number == of_turn).join(ended, on=key, how="left")
    quiet = frames["turns"].filter(pl.col("outcome") != "finished").join(errors, on=key, how="anti")
    columns = [*key, "number", "occurred_at", "hour", "tenant", "vendor", "model", "kind", "status", "retried", "last"]
    each = [
        errors.with_columns(
            pl.col("kind").fill_null("unknown"),
            retried=(pl.col("number") <= pl.col("restarts")).fill_null(~pl.col("last")),
        ),
        quiet.with_columns(
            number=None, occurred_at="started_at", kind=pl.lit("none"), status=None, retried=False, last=True
        ),
    ]
    both = pl.concat([frame.select(*columns, "outcome") for frame in each], how="vertical_relaxed")
    return both.join(shown, on=key, how="left").with_columns(fallback=pl.col("shown").fill_null(False) & pl.col("last"))


def interrupted_turns(frames: dict[str, pl.DataFrame]) -> pl.DataFrame:
    grouped = turn_errors(frames).sort("number").group_by("session_id", "turn", maintain_order=True)
    summed = grouped.agg(
        pl.col("kind").str.join(", ").alias("kinds"), pl.col("number").count(), pl.col("fallback").any()
    )
    return frames["turns"].join(summed, on=["session_id", "turn"]).with_columns(interruptions="number")


def interruptions_daily(frames: dict[str, pl.DataFrame]) -> pl.DataFrame:
    return turn_errors(frames).group_by(DAY, "tenant", "vendor", "kind", "status", "outcome").agg(
        pl.col("number").count().alias("interruptions"),
        count_where(pl.col("retried")).alias("retries"),
        count_where(pl.col("fallback")).alias("fallbacks"),
        pl.struct("session_id", "turn").n_unique().alias("turns"),
    )  # fmt: skip


def slo_daily(frames: dict[str, pl.DataFrame]) -> pl.DataFrame:
    judged = []
    for measure, target in (("first_token", 2000), ("first_sentence", 4000), ("on_desktop", 5000)):
        took = pl.col(f"{measure}_ms")
        failed = ~pl.col("outcome").is_in(["finished", "cancelled"])
        of = took.is_not_null() if measure == "on_desktop" else took.is_not_null() | failed
        each = (
            first_sentences(frames).filter(of).select(DAY, "tenant", "vendor", broken=took.is_null() | (took > target))
        )
        judged.append(each.with_columns(measure=pl.lit(measure), target_ms=pl.lit(target, pl.Int64)))
    return pl.concat(judged).group_by("day", "tenant", "vendor", "measure", "target_ms").agg(
        length("turns"), count_where(pl.col("broken")).alias("breaches"), (1 - pl.col("broken").mean()).alias("met")
    )  # fmt: skip


def traffic_hourly(frames: dict[str, pl.DataFrame]) -> pl.DataFrame:
    zero = pl.lit(0, pl.Int64)
    opened = frames["turns"].select("hour", "vendor", turns=zero + 1, messages=zero, tokens=zero, chars=zero)
    left = frames["messages"].select("hour", "vendor", turns=zero, messages=zero + 1, tokens="tokens", chars="chars")
    return pl.concat([opened, left]).group_by("hour", "vendor").agg(pl.all().sum())


def sessions(frames: dict[str, pl.DataFrame]) -> pl.DataFrame:
    ordered = frames["turns"].sort("turn")
    lasted = (pl.col("ended_at").max() - pl.col("started_at").min()).dt.total_microseconds() // 1000
    answering = pl.when(pl.col("duration_ms").is_not_null().any()).then(pl.col("duration_ms").sum())
    last_known = {name: pl.col(name).drop_nulls().last() for name in ("tenant", "vendor", "outcome")}
    return ordered.group_by("session_id").agg(
        length("turns"),
        pl.col("started_at").min(),
        pl.col("ended_at").max(),
        lasted.alias("duration_ms"),
        answering.alias("answering_ms"),
        pl.col("time_to_first_message_ms").drop_nulls().first(),
        pl.col("tokens_received").sum().alias("tokens"),
        pl.col("messages", "interruptions", "moderation_blocks").sum(),
        **last_known,
    )  # fmt: skip


EXPECTED: list[Expected] = [
    usage_daily, reduction_daily, latency_daily, latency_shares_daily, windows_daily, deliveries_daily,
    moderation_daily, rules_daily, turn_errors, interrupted_turns, interruptions_daily, slo_daily, traffic_hourly,
    sessions,
]  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(random_rows())
def test_every_view_answers_as_polars_does(memory: duckdb.DuckDBPyConnection, of: list[Row]) -> None:
    with filled(memory, of) as frames:
        for expected in EXPECTED:
            answer = pl.DataFrame(Stream(memory.sql(f"FROM {expected.__name__}")))
            wanted = expected(frames).select(answer.columns)
            keys = [name for name, dtype in answer.schema.items() if not dtype.is_float()]
            assert_frame_equal(answer.sort(keys), wanted.sort(keys), check_dtypes=False, abs_tol=1e-6)


@settings(max_examples=20, deadline=None)
@given(random_rows())
def test_a_macro_of_everything_and_one_of_each_tenant_say_the_same_as_the_rows(
    memory: duckdb.DuckDBPyConnection, of: list[Row]
) -> None:
    with filled(memory, of) as frames:
        for tenant in ("acme", None):
            turns = frames["turns"] if tenant is None else frames["turns"].filter(pl.col("tenant") == tenant)
            argument = "" if tenant is None else f"of_tenant := '{tenant}'"
            assert rows(memory, f"SELECT turns, tokens, messages FROM totals({argument})") == [
                (turns.height, turns["tokens_received"].sum(), turns["messages"].sum())
            ]
            errors = frames["errors"] if tenant is None else frames["errors"].filter(pl.col("tenant") == tenant)
            sums = "coalesce(sum(interruptions), 0)::BIGINT, count(*) FILTER (turns < 1)"
            assert rows(memory, f"SELECT {sums} FROM interruptions({argument})") == [(errors.height, 0)]
            for macro in ("usage", "reduction", "latency", "slo_met"):
                everything = rows(memory, f"FROM {macro}({argument})")
                assert turns.height or not everything


# ---- the script


def test_every_view_column_and_macro_is_commented(metrics: duckdb.DuckDBPyConnection) -> None:
    assert (
        rows(
            metrics,
            "SELECT table_name, column_name FROM duckdb_columns() WHERE NOT internal AND comment IS NULL"
            " UNION ALL SELECT table_name, '' FROM duckdb_tables() WHERE comment IS NULL"
            " UNION ALL SELECT view_name, '' FROM duckdb_views() WHERE NOT internal AND comment IS NULL"
            " UNION ALL SELECT function_name, '' FROM duckdb_functions() WHERE NOT internal AND comment IS NULL",
        )
        == []
    )


def test_every_file_is_run() -> None:
    assert {path.stem for path in FOLDER.glob("*.sql")} == set(FILES)


def test_changed_prices_change_old_costs_at_the_next_landing(tmp_path: Path) -> None:
    landed(tmp_path, by_hand())
    corrected = {"gpt-4": (Price(prompt=Decimal(1), completion=Decimal(0)),)}
    with Lander(tmp_path, script=script(corrected)) as lander:
        lander.land()
    with open_metrics(tmp_path) as connection:
        assert rows(connection, "SELECT sum(cost) FROM usage_daily") == [(Decimal("0.3"),)]


def test_a_job_s_landing_brings_prices_and_views(tmp_path: Path) -> None:
    landing = Landing(tmp_path, "w00", prices=PRICES)
    landing.start()
    landing.close()
    with open_metrics(tmp_path) as connection:
        assert rows(connection, "SELECT count(*) FROM prices") == [(3,)]
        assert rows(connection, "FROM usage_daily") == []


def test_targets_come_from_the_settings(tmp_path: Path) -> None:
    landed(tmp_path, by_hand(), slo=SloSettings(first_token=0.15))
    with open_metrics(tmp_path) as connection:
        assert rows(connection, "SELECT breaches FROM slo_met() WHERE measure = 'first_token'") == [(3,)]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"prompt": Decimal(-1)}, "prompt"),
        ({"completion": Decimal("0.0000001")}, "completion"),
        ({"currency": "$"}, "currency"),
    ],
)
def test_a_price_that_cannot_be_is_refused(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(SettingsError, match=field):
        Price(**{"prompt": Decimal(1), "completion": Decimal(1), **changes})


def test_two_prices_of_one_day_are_refused() -> None:
    price = Price(prompt=Decimal(1), completion=Decimal(2))
    with pytest.raises(SettingsError, match=r"prices\.gpt-4: there are 2 prices since 1970-01-01"):
        list(dimensions_sql({"gpt-4": (price, price)}, SloSettings()))


@pytest.mark.parametrize("value", [0, -1, 1e9])
def test_a_target_out_of_range_is_refused(value: float) -> None:
    with pytest.raises(SettingsError, match="on_desktop"):
        SloSettings(on_desktop=value)


def test_a_model_s_name_cannot_leave_its_literal(tmp_path: Path) -> None:
    odd = "it's'); DROP TABLE slo; --"
    landed(tmp_path, [], prices={odd: (Price(prompt=Decimal(1), completion=Decimal(1)),)})
    with open_metrics(tmp_path) as connection:
        assert rows(connection, "SELECT model FROM prices") == [(odd,)]
        assert rows(connection, "SELECT count(*) FROM slo") == [(3,)]


# ---- what the documentation says

ROOT = Path(__file__).parents[1]
DOCS = (ROOT / "docs" / "analytics.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("sql", re.findall(r"```sql\n(.*?)```", DOCS, re.DOTALL))
def test_every_query_of_the_documentation_answers(
    sql: str, metrics: duckdb.DuckDBPyConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shipped").mkdir()
    rows(metrics, sql)
    assert "COPY" not in sql or list(tmp_path.glob("shipped/turns/day=2026-11-20/*.parquet"))


def test_the_documentation_names_everything_that_can_be_asked(metrics: duckdb.DuckDBPyConnection) -> None:
    assert [name for name in query.catalogue(metrics)["name"] if f"`{name}`" not in DOCS] == []


def test_the_documented_settings_are_settings() -> None:
    (toml,) = re.findall(r"```toml\n(.*?)```", DOCS, re.DOTALL)
    tree = tomllib.loads(toml)
    prices = msgspec.convert(tree["prices"], dict[str, tuple[Price, ...]])
    assert len(prices["gpt-4"]) == 2
    assert script(prices, msgspec.convert(tree["slo"], SloSettings))


@pytest.mark.parametrize("command", re.findall(r"^    \.venv/bin/tokenweir ((?:query|report) .*)", DOCS + README, re.M))
def test_the_documented_commands_work_after_the_demo(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    landed(tmp_path / "tokenweir-data" / "demo", by_hand())
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, [*shlex.split(command, comments=True)])
    assert result.exit_code == 0, result.output


def test_the_python_of_the_documentation_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    landed(tmp_path / "tokenweir-data" / "demo", by_hand())
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for code in re.findall(r"```python\n(.*?)```", DOCS, re.DOTALL):
        exec(code, names)
    assert names["costs"].height == 4
