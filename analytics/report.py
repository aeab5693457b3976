"""The report: one HTML file that says what happened in a window of time. Charts first, their numbers beneath.

Rules
- Self-contained: no script, no font, no picture and no style sheet from elsewhere.
- Every number is an answer of the sibling modules; nothing is worked out here but the words around it.
- One connection answers all questions, and none is about the time after `now`.
- What was not measured is said in a sentence; there is no empty chart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeAlias

import polars as pl

from analytics import interruptions, latency, moderation, traffic, usage
from analytics.drawing import Bar, Range, bars, columns, ranges
from analytics.frames import EVERYTHING, Metrics, Scope, opened, utc
from analytics.page import (
    Column,
    Tile,
    count,
    decimal,
    figure,
    heading,
    moment,
    money,
    page,
    sentence,
    share,
    table,
    tiles,
    wait,
    written,
)
from connectors.errors import InputError

MAX_COLUMNS: Final = 60
MAX_BARS: Final = 12
"""Bars in a chart; the table beneath has all rows."""

Row: TypeAlias = Mapping[str, Any]


def report(metrics: Metrics, scope: Scope = EVERYTHING, *, now: datetime) -> str:
    """The whole page.

    metrics  a data directory or a connection
    scope    what it is about; never later than `now`
    now      when it is made: the page says so

    Raises InputError where nothing was measured at all, or nothing in the scope.
    """
    scope = scope._replace(until=min(filter(None, (utc(scope.until), utc(now)))))
    with opened(metrics) as connection:
        totals = usage.totals(connection, scope).row(0, named=True)
        if not totals["turns"]:
            raise InputError("no turn ended in that time, of that tenant: ask for a longer time, or for all tenants")
        sections = [
            _summary(connection, scope, totals),
            *_traffic(connection, scope, totals),
            *_latency(connection, scope),
            *_usage(connection, scope),
            *_moderation(connection, scope),
            *_interruptions(connection, scope),
            *_sessions(connection, scope),
        ]
    return page("tokenweir report", _lead(scope, totals, now), sections)


def _lead(scope: Scope, totals: Row, now: datetime) -> str:
    tenant = "All tenants" if scope.tenant is None else f"Tenant {scope.tenant}"
    since = moment(scope.since) if scope.since else "the beginning"
    first, last = moment(totals["first_turn_at"]), written(totals["last_end_at"], moment)
    asked = f"from {since} to {written(scope.until, moment)}"
    return f"{tenant}; {asked}; turns from {first} to {last}. Made {moment(now)}. All times are UTC."


def _summary(metrics: Metrics, scope: Scope, totals: Row) -> str:
    waits = {row["measure"]: row for row in latency.percentiles(metrics, scope).iter_rows(named=True)}
    spent = [f"{money(cost)} {currency}" for currency, cost in usage.costs(usage.by_model(metrics, scope)).iter_rows()]
    turns, finished = totals["turns"], totals["finished_turns"]
    became = f"{count(totals['tokens'])} tokens became {count(totals['messages'])}"
    return tiles(
        [
            Tile("Sessions", count(totals["sessions"]), f"{count(turns)} turns"),
            Tile("Finished", share(finished / turns), f"{count(finished)} turns"),
            Tile("Fewer messages", written(totals["reduction"], share), became),
            *(
                Tile(name, wait(waits[measure]["p50_ms"]), f"median; p95 {wait(waits[measure]['p95_ms'])}")
                for measure, name in (("first_token", "To first token"), ("first_sentence", "To first sentence"))
                if measure in waits
            ),
            Tile("Moderated", count(totals["moderation_blocks"]), "findings that changed or withheld text"),
            Tile("Interrupted", count(totals["interrupted_turns"]), f"turns, {count(totals['interruptions'])} times"),
            Tile("Cost", spent[0], ", ".join(["of priced models", *spent[1:]]))
            if spent
            else Tile("Cost", "not known", "no model has a price"),
        ]
    )


def _traffic(metrics: Metrics, scope: Scope, totals: Row) -> Iterator[str]:
    lead = "Messages, and the tokens in them, when they left. Tokens that came twice are in no message."
    yield heading("traffic", "Traffic", lead)
    begin, end = totals["first_turn_at"], totals["last_end_at"] or totals["first_turn_at"]
    seconds = traffic.readable_span(max((end - begin).total_seconds(), 1), MAX_COLUMNS)
    over_time = traffic.over_time(metrics, scope, seconds=seconds)
    begins = over_time["begins_at"].to_list()
    for name in ("tokens", "messages"):
        yield _over_time(name, begins, over_time[name].to_list(), seconds)
    flowed = traffic.by_vendor(metrics, scope, seconds=seconds)
    by_vendor = flowed.group_by("vendor").agg(pl.col("turns", "messages", "tokens", "chars").sum()).sort("vendor")
    yield table("By vendor", by_vendor, (_VENDOR, _TURNS, _MESSAGES, _TOKENS, Column("chars", "Characters", count)))
    saved = Column("reduction", "Saved", share)
    savings = usage.savings(metrics, scope)
    yield table("Messages saved against one message a token", savings, (*_WHO, _TOKENS, _MESSAGES, saved))


def _over_time(name: str, begins: Sequence[datetime], values: Sequence[int], seconds: int) -> str:
    title = f"{name.capitalize()} over time"
    return figure(title, lambda width: columns(begins, values, seconds=seconds, unit=name, title=title, width=width))


def _latency(metrics: Metrics, scope: Scope) -> Iterator[str]:
    yield heading("latency", "Latency", "From the opening of a turn until its first sentence is on the desktop.")
    waits = latency.percentiles(metrics, scope).with_columns(pl.col("measure").replace_strict(_MEASURES))
    if waits.is_empty():
        yield sentence("No turn had a token.")
        return
    yield _waits(list(waits.iter_rows(named=True)))
    yield table("Time from opening", waits, (_MEASURE, _TURNS, *_PERCENTILES))
    yield from _shares(latency.shares(metrics, scope))
    slo = latency.slo(metrics, scope).with_columns(pl.col("measure").replace_strict(_MEASURES))
    judged = (_TURNS, Column("breaches", "Breaches", count), Column("met", "Met", share))
    yield table("Targets", slo, (_MEASURE, Column("target_ms", "Target (ms)", count), *judged))
    columns_of_windows = (
        Column("closed_by", "Ended by"),
        _MESSAGES,
        Column("tokens_per_message", "Tokens each", decimal),
        Column("window_p50_ms", "Open p50 (ms)", decimal),
        Column("window_p99_ms", "Open p99 (ms)", decimal),
        Column("hold_p50_ms", "Held p50 (ms)", decimal),
        Column("hold_p99_ms", "Held p99 (ms)", decimal),
    )
    yield table("Windows", latency.windows(metrics, scope), columns_of_windows)


def _waits(rows: Sequence[Row]) -> str:
    in_seconds = max(row["p99_ms"] for row in rows) >= 10_000
    divisor, unit = (1000, "seconds") if in_seconds else (1, "milliseconds")
    drawn = []
    for row in rows:
        low, middle, high = (row[f"{p}_ms"] for p in ("p50", "p95", "p99"))
        said = " · ".join(map(wait, (low, middle, high)))
        drawn.append(Range(row["measure"], (low / divisor, middle / divisor, high / divisor), said))
    title = "How long people waited: p50 (disc), p95 (ring), p99 (stroke)"
    return figure(title, lambda width: ranges(drawn, unit=unit, title=title, width=width))


def _shares(shares: pl.DataFrame) -> Iterator[str]:
    if not shares["total_ms"].sum():
        return
    drawn = []
    for (vendor,), parts in shares.group_by("vendor", maintain_order=True):
        mean = {row["part"]: row["total_ms"] / row["turns"] for row in parts.iter_rows(named=True)}
        drawn.append(Bar(str(vendor), [mean.get(part, 0) for part in latency.PARTS], wait(sum(mean.values()))))
    title = "What the time to the first sentence was spent on, mean of the turns"
    legend = ("vendor, to the first token", "window, until the sentence is whole", "moderation", "delivery")
    yield figure(title, lambda width: bars(drawn, unit="milliseconds", title=title, width=width), legend=legend)
    shown = (_VENDOR, Column("part", "Part"), _TURNS, *_PERCENTILES, Column("share", "Share", share))
    yield table("Parts of the time to the first sentence", shares, shown)


def _usage(metrics: Metrics, scope: Scope) -> Iterator[str]:
    lead = "Tokens as the vendor counts them; where it does not, characters / 4, and counted as estimated."
    yield heading("usage", "Usage and cost", lead)
    used = usage.by_model(metrics, scope)
    top = list(used.head(MAX_BARS).iter_rows(named=True))
    if any(map(_tokens, top)):
        yield _used(top)
    else:
        yield sentence("No turn used a token.")
    for currency in usage.costs(used)["currency"]:
        priced = used.filter(pl.col("currency") == currency).drop_nulls("cost")
        dearest = priced.sort("cost", "tenant", "model", descending=True)
        yield _cost(list(dearest.head(MAX_BARS).iter_rows(named=True)), currency)
    if used["cost"].is_null().all():
        yield sentence("No model has a price. Set [prices], and the next start of a job lands them.")
    shown = (
        _TURNS,
        Column("prompt_tokens", "Prompt tokens", count),
        Column("completion_tokens", "Answer tokens", count),
        Column("estimated_turns", "Estimated turns", count),
        Column("unpriced_turns", "Unpriced turns", count),
        Column("cost", "Cost", money),
        Column("currency", "Currency"),
    )
    yield table("By tenant, vendor and model", used, (*_WHO, *shown))


def _used(rows: Sequence[Row]) -> str:
    drawn = [
        Bar(_who(row), (row["prompt_tokens"] or 0, row["completion_tokens"] or 0), count(_tokens(row))) for row in rows
    ]
    title = "Tokens by tenant, vendor and model"
    legend = ("of prompts", "of answers")
    return figure(title, lambda width: bars(drawn, unit="tokens", title=title, width=width), legend=legend)


def _cost(rows: Sequence[Row], currency: str) -> str:
    drawn = [Bar(_who(row), (float(row["cost"]),), f"{money(row['cost'])} {currency}") for row in rows]
    title = f"Cost by tenant, vendor and model, in {currency}"
    return figure(title, lambda width: bars(drawn, unit=currency, title=title, width=width))


def _moderation(metrics: Metrics, scope: Scope) -> Iterator[str]:
    yield heading("moderation", "Moderation", "Findings by rule. What was found is written nowhere.")
    rules = moderation.top_rules(metrics, scope)
    if rules.is_empty():
        yield sentence("Moderation found nothing.")
    else:
        top = rules.head(MAX_BARS).iter_rows(named=True)
        drawn = [Bar(f"{row['category']}, {row['rule']}", (row["findings"],), count(row["findings"])) for row in top]
        title = "Findings by category and rule"
        yield figure(title, lambda width: bars(drawn, unit="findings", title=title, width=width))
        rule = (Column("category", "Category"), Column("rule", "Rule"), Column("action", "Action"))
        yield table("Rules", rules, (*rule, _FINDINGS, _TURNS, Column("share", "Share", share)))
    with_findings = Column("messages_with_findings", "With findings", count)
    rate = Column("finding_rate", "Share with findings", share)
    rates = moderation.rates(metrics, scope)
    yield table("Messages with findings", rates, (*_WHO, _MESSAGES, with_findings, _FINDINGS, rate))


def _interruptions(metrics: Metrics, scope: Scope) -> Iterator[str]:
    lead = "Drops, refusals and timeouts on the vendor's side, each by when it happened, and how its turn ended."
    yield heading("interruptions", "Interruptions", lead)
    ended = interruptions.by_kind(metrics, scope)
    if ended.is_empty():
        yield sentence("No turn was interrupted.")
        return
    interrupted, outcome = pl.col("interruptions"), pl.col("outcome")
    ways = {
        "finished all the same": outcome == "finished",
        "did not finish": outcome != "finished",
    }
    if ended["outcome"].null_count():
        ways["still open"] = outcome.is_null()
    pieces = [interrupted.filter(way).sum().alias(name) for name, way in ways.items()]
    kinds = ended.filter(interrupted > 0).group_by("kind").agg(interrupted.sum(), *pieces)
    if not kinds.is_empty():
        top = kinds.sort(["interruptions", "kind"], descending=[True, False]).head(MAX_BARS).iter_rows(named=True)
        drawn = [Bar(row["kind"], [row[name] for name in ways], count(row["interruptions"])) for row in top]
        title = "Interruptions by kind, and how their turns ended"
        yield figure(
            title, lambda width: bars(drawn, unit="interruptions", title=title, width=width), legend=tuple(ways)
        )
    columns_of_kinds = (
        Column("kind", "Kind"),
        Column("status", "Status"),
        Column("outcome", "Turn ended"),
        Column("interruptions", "Interruptions", count),
        Column("retries", "Retries", count),
        Column("fallbacks", "Fallbacks", count),
        _TURNS,
    )
    yield table("How they ended", ended.with_columns(outcome.fill_null("still open")), columns_of_kinds)


def _sessions(metrics: Metrics, scope: Scope) -> Iterator[str]:
    yield heading("sessions", "Longest sessions", "From the opening of the first turn to the end of the last.")
    longest = traffic.longest_sessions(metrics, scope)
    drawn = []
    for row in longest.iter_rows(named=True):
        whole = (row["duration_ms"] or 0) / 1000
        first = min((row["time_to_first_message_ms"] or 0) / 1000, whole)
        drawn.append(Bar(row["session_id"], (first, whole - first), f"{whole:,.1f} s"))
    title = "Duration of the longest sessions"
    legend = ("to the first sentence", "after it")
    yield figure(title, lambda width: bars(drawn, unit="seconds", title=title, width=width), legend=legend)
    shown = (
        Column("session_id", "Session"),
        _WHO[0],
        _VENDOR,
        Column("started_at", "Started", moment),
        Column("duration_ms", "Duration (ms)", count),
        _TURNS,
        _TOKENS,
        _MESSAGES,
        Column("interruptions", "Interruptions", count),
        Column("outcome", "Ended"),
    )
    yield table("Sessions", longest, shown)


def _tokens(row: Row) -> int:
    return (row["prompt_tokens"] or 0) + (row["completion_tokens"] or 0)


def _who(row: Row) -> str:
    return " · ".join((row["tenant"] or "no tenant", row["vendor"], row["model"] or "no model named"))


_VENDOR: Final = Column("vendor", "Vendor")
_WHO: Final = (Column("tenant", "Tenant"), _VENDOR, Column("model", "Model"))
_TURNS: Final = Column("turns", "Turns", count)
_MESSAGES: Final = Column("messages", "Messages", count)
_TOKENS: Final = Column("tokens", "Tokens", count)
_FINDINGS: Final = Column("findings", "Findings", count)
_PERCENTILES: Final = tuple(Column(f"{p}_ms", f"{p} (ms)", decimal) for p in ("p50", "p95", "p99"))
_MEASURE: Final = Column("measure", "Until")
_MEASURES: Final = {
    "first_token": "First token",
    "first_sentence": "First sentence",
    "on_desktop": "On the desktop",
}
