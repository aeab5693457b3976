"""The report: one HTML file that says what happened in a window of time. Charts first, their numbers beneath.

Rules
- Self-contained: no script, no font, no picture and no style sheet from elsewhere. It is XML as well as HTML.
- Every number is an answer of the sibling modules; nothing is worked out here but the words around it.
- One connection answers all questions, and none is about the time after `now`.
- What was not measured is said in a sentence; there is no empty chart. Everything shown is escaped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias
from xml.sax.saxutils import escape, quoteattr

import polars as pl

from analytics import interruptions, latency, moderation, traffic, usage
from analytics.drawing import Bar, Range, bars, columns, ranges
from analytics.frames import EVERYTHING, Metrics, Scope, opened, utc
from connectors.errors import InputError

WIDTHS: Final = {"narrow": 360, "middle": 640, "wide": 1060}
"""Class to width: charts are drawn for each, and the style sheet shows the one that fits."""

MAX_COLUMNS: Final = 60
MAX_ROWS: Final = 12
"""Bars in a chart; its table has all rows."""

_STYLE: Final = Path(__file__).with_suffix(".css")

Row: TypeAlias = Mapping[str, Any]


class _Column(NamedTuple):
    """A table's column: the frame's, its heading, and how its values are written."""

    name: str
    heading: str
    write: Callable[[Any], str] = str


def report(metrics: Metrics, scope: Scope = EVERYTHING, *, now: datetime) -> str:
    """The whole page.

    metrics  a data directory or a connection
    scope    what it is about; `until` is `now` where it is open
    now      when it is made: what the page says, too

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
    return _page(_heading(scope, totals, now), sections)


def _heading(scope: Scope, totals: Row, now: datetime) -> str:
    asked = f"from {_moment(scope.since) if scope.since else 'the beginning'} to {_moment(scope.until)}"
    seen = f"turns from {_moment(totals['first_turn_at'])} to {_moment(totals['last_end_at'])}"
    tenant = f"Tenant {scope.tenant}" if scope.tenant is not None else "All tenants"
    said = escape(f"{tenant}; {asked}; {seen}. Made {_moment(utc(now))}. All times are UTC.")
    return f'<header><h1>tokenweir report</h1><p class="soft">{said}</p></header>'


def _summary(metrics: Metrics, scope: Scope, totals: Row) -> str:
    waits = {row["measure"]: row for row in latency.percentiles(metrics, scope).iter_rows(named=True)}
    costs = usage.costs(usage.by_model(metrics, scope)).iter_rows(named=True)
    spent = [f"{_money(row['cost'])} {row['currency']}" for row in costs]
    tiles = [
        ("Sessions", _count(totals["sessions"]), f"{_count(totals['turns'])} turns"),
        ("Finished", _share(totals["finished_turns"] / totals["turns"]), f"{_count(totals['finished_turns'])} turns"),
        ("Fewer messages", _share(totals["reduction"]), f"{_count(totals['tokens'])} tokens became {_count(totals['messages'])}"),
        *(
            (heading, _wait(waits[measure]["p50_ms"]), f"p95 {_wait(waits[measure]['p95_ms'])}")
            for measure, heading in (("first_token", "To first token"), ("first_sentence", "To first sentence"))
            if measure in waits
        ),
        ("Moderated", _count(totals["moderation_blocks"]), "findings that changed or withheld text"),
        ("Interrupted", _count(totals["interrupted_turns"]), f"turns, {_count(totals['interruptions'])} times"),
        ("Cost", spent[0] if spent else "not known", ", ".join(spent[1:]) or ("of priced models" if spent else "no model has a price")),
    ]
    cells = (f"<div><dt>{escape(a)}</dt><dd>{escape(b)}<small>{escape(c)}</small></dd></div>" for a, b, c in tiles)
    return f'<dl class="tiles">{"".join(cells)}</dl>'


def _traffic(metrics: Metrics, scope: Scope, totals: Row) -> Iterator[str]:
    yield _title("traffic", "Traffic", "Messages, and the tokens in them, when they left. Tokens that came twice are in no message.")
    long = (totals["last_end_at"] - totals["first_turn_at"]).total_seconds()
    seconds = traffic.readable_span(max(long, 1), MAX_COLUMNS)
    found = traffic.over_time(metrics, scope, seconds=seconds)
    for name in ("tokens", "messages"):
        title = f"{name.capitalize()} over time"
        yield _figure(
            title,
            lambda width, name=name, title=title: columns(  # type: ignore[misc]  # defaults bind the loop's names
                found["begins_at"].to_list(), found[name].to_list(), seconds=seconds, unit=name, title=title, width=width
            ),
        )
    by_vendor = traffic.by_vendor(metrics, scope, seconds=seconds)
    flowing = by_vendor.group_by("vendor").agg(pl.col("turns", "messages", "tokens", "chars").sum()).sort("vendor")
    counts = (_Column("turns", "Turns", _count), _Column("messages", "Messages", _count))
    sizes = (_Column("tokens", "Tokens", _count), _Column("chars", "Characters", _count))
    yield _table("By vendor", flowing, (_Column("vendor", "Vendor"), *counts, *sizes))
    yield _table(
        "Messages saved against one message a token",
        usage.savings(metrics, scope),
        (*_WHO, sizes[0], counts[1], _Column("reduction", "Saved", _share)),
    )


def _latency(metrics: Metrics, scope: Scope) -> Iterator[str]:
    yield _title("latency", "Latency", "From the opening of a turn until its first sentence is on the agent's desktop.")
    waits = latency.percentiles(metrics, scope)
    rows = list(waits.iter_rows(named=True))
    in_seconds = max((row["p99_ms"] for row in rows), default=0) >= 10_000
    divisor, unit = (1000, "seconds") if in_seconds else (1, "milliseconds")
    if rows:
        drawn = [
            Range(
                _MEASURES[row["measure"]],
                (row["p50_ms"] / divisor, row["p95_ms"] / divisor, row["p99_ms"] / divisor),
                " · ".join(_wait(row[each]) for each in ("p50_ms", "p95_ms", "p99_ms")),
            )
            for row in rows
        ]
        title = "How long people waited: p50 (disc), p95 (ring), p99 (stroke)"
        yield _figure(title, lambda width: ranges(drawn, unit=unit, title=title, width=width))
    else:
        yield _said("No turn had a token.")
    yield from _shares(metrics, scope)
    titled = waits.with_columns(pl.col("measure").replace_strict(_MEASURES))
    yield _table("Time from opening", titled, (_Column("measure", "Until"), _Column("turns", "Turns", _count), *_PERCENTILES))
    yield _table(
        "Targets",
        latency.slo(metrics, scope).with_columns(pl.col("measure").replace_strict(_MEASURES)),
        (
            _Column("measure", "Until"),
            _Column("target_ms", "Target (ms)", _count),
            _Column("turns", "Turns", _count),
            _Column("breaches", "Breaches", _count),
            _Column("met", "Met", _share),
        ),
    )
    held = (_Column("hold_p50_ms", "Held p50 (ms)", _ms), _Column("hold_p99_ms", "Held p99 (ms)", _ms))
    taken = (_Column("window_p50_ms", "Open p50 (ms)", _ms), _Column("window_p99_ms", "Open p99 (ms)", _ms))
    size = _Column("tokens_per_message", "Tokens each", _ms)
    ended = _Column("closed_by", "Ended by")
    yield _table("Windows", latency.windows(metrics, scope), (ended, _MESSAGES, size, *taken, *held))


def _shares(metrics: Metrics, scope: Scope) -> Iterator[str]:
    shares = latency.shares(metrics, scope)
    if not shares["total_ms"].sum():
        return
    drawn = []
    for (vendor,), parts in shares.group_by("vendor", maintain_order=True):
        mean = {row["part"]: row["total_ms"] / row["turns"] for row in parts.iter_rows(named=True)}
        drawn.append(Bar(str(vendor), [mean.get(part, 0) for part in latency.PARTS], _wait(sum(mean.values()))))
    title = "What the time to the first sentence was spent on, mean of the turns"
    yield _figure(
        title,
        lambda width: bars(drawn, unit="milliseconds", title=title, width=width),
        legend=("vendor, to the first token", "window, until the sentence is whole", "moderation", "delivery"),
    )
    share = _Column("share", "Share", _share)
    which = (_Column("vendor", "Vendor"), _Column("part", "Part"), _Column("turns", "Turns", _count))
    yield _table("Parts of the time to the first sentence", shares, (*which, *_PERCENTILES, share))


def _usage(metrics: Metrics, scope: Scope) -> Iterator[str]:
    yield _title("usage", "Usage and cost", "As the vendor counts tokens; where it does not say, characters / 4, marked as estimated.")
    used = usage.by_model(metrics, scope)
    top = list(used.head(MAX_ROWS).iter_rows(named=True))
    if sum(map(_tokens, top)):
        tokens = [Bar(_who(row), (row["prompt_tokens"] or 0, row["completion_tokens"] or 0), _count(_tokens(row))) for row in top]
        title = "Tokens by tenant, vendor and model"
        yield _figure(
            title,
            lambda width: bars(tokens, unit="tokens", title=title, width=width),
            legend=("of prompts", "of answers"),
        )
    else:
        yield _said("No turn used a token.")
    for currency in usage.costs(used)["currency"]:
        priced = [row for row in top if row["cost"] is not None and row["currency"] == currency]
        yield _cost_figure(priced, currency)
    if used["cost"].is_null().all():
        yield _said("No model has a price. Give prices in [prices] of the settings; the next start of a job lands them.")
    yield _table(
        "By tenant, vendor and model",
        used,
        (
            *_WHO,
            _Column("turns", "Turns", _count),
            _Column("prompt_tokens", "Prompt tokens", _count),
            _Column("completion_tokens", "Answer tokens", _count),
            _Column("estimated_turns", "Estimated turns", _count),
            _Column("unpriced_turns", "Unpriced turns", _count),
            _Column("cost", "Cost", _money),
            _Column("currency", "Currency", _name),
        ),
    )


def _cost_figure(rows: Sequence[Row], currency: str) -> str:
    drawn = [Bar(_who(row), (float(row["cost"]),), f"{_money(row['cost'])} {currency}") for row in rows]
    title = f"Cost by tenant, vendor and model, in {currency}"
    return _figure(title, lambda width: bars(drawn, unit=currency, title=title, width=width))


def _moderation(metrics: Metrics, scope: Scope) -> Iterator[str]:
    yield _title("moderation", "Moderation", "Findings by rule. The report never holds the text that was found.")
    rules = moderation.top_rules(metrics, scope)
    if rules.is_empty():
        yield _said("Moderation found nothing.")
    else:
        top = rules.head(MAX_ROWS).iter_rows(named=True)
        drawn = [Bar(f"{row['category']}, {row['rule']}", (row["findings"],), _count(row["findings"])) for row in top]
        title = "Findings by category and rule"
        yield _figure(title, lambda width: bars(drawn, unit="findings", title=title, width=width))
        yield _table(
            "Rules",
            rules,
            (
                _Column("category", "Category"),
                _Column("rule", "Rule"),
                _Column("action", "Action"),
                _Column("findings", "Findings", _count),
                _Column("turns", "Turns", _count),
                _Column("share", "Share", _share),
            ),
        )
    found = (_Column("messages_with_findings", "With findings", _count), _Column("findings", "Findings", _count))
    rate = _Column("finding_rate", "Share", _share)
    yield _table("Messages with findings", moderation.rates(metrics, scope), (*_WHO, _MESSAGES, *found, rate))


def _interruptions(metrics: Metrics, scope: Scope) -> Iterator[str]:
    yield _title("interruptions", "Interruptions", "Drops, refusals and time-outs on the vendor's side, by the last of each turn.")
    ended = interruptions.endings(metrics, scope)
    if ended.is_empty():
        yield _said("No turn was interrupted.")
        return
    mended = pl.when(pl.col("outcome") == "finished").then("turns").otherwise(0)
    by_kind = ended.group_by("kind").agg(mended.sum().alias("mended"), pl.col("turns").sum())
    top = by_kind.sort(["turns", "kind"], descending=[True, False]).head(MAX_ROWS).iter_rows(named=True)
    drawn = [Bar(row["kind"], (row["mended"], row["turns"] - row["mended"]), _count(row["turns"])) for row in top]
    title = "Interrupted turns by kind, and whether they finished"
    yield _figure(
        title,
        lambda width: bars(drawn, unit="turns", title=title, width=width),
        legend=("finished all the same", "did not finish"),
    )
    yield _table(
        "How they ended",
        ended,
        (
            _Column("kind", "Kind"),
            _Column("outcome", "Ended"),
            _Column("turns", "Turns", _count),
            _Column("interruptions", "Interruptions", _count),
            _Column("restarts", "Restarts", _count),
            _Column("tokens_repeated", "Tokens repeated", _count),
            _Column("fallbacks", "Fallbacks", _count),
        ),
    )


def _sessions(metrics: Metrics, scope: Scope) -> Iterator[str]:
    yield _title("sessions", "Longest sessions", "From the opening of the first turn to the end of the last.")
    longest = traffic.longest_sessions(metrics, scope)
    rows = list(longest.iter_rows(named=True))
    drawn = []
    for row in rows:
        whole = (row["duration_ms"] or 0) / 1000
        first = min((row["time_to_first_message_ms"] or 0) / 1000, whole)
        drawn.append(Bar(row["session_id"], (first, whole - first), f"{whole:,.1f} s"))
    title = "Duration of the longest sessions"
    yield _figure(
        title,
        lambda width: bars(drawn, unit="seconds", title=title, width=width),
        legend=("to the first sentence", "after it"),
    )
    yield _table(
        "Sessions",
        longest,
        (
            _Column("session_id", "Session"),
            _Column("tenant", "Tenant", _name),
            _Column("vendor", "Vendor"),
            _Column("started_at", "Started", _moment),
            _Column("duration_ms", "Duration (ms)", _count),
            _Column("turns", "Turns", _count),
            _Column("tokens", "Tokens", _count),
            _Column("messages", "Messages", _count),
            _Column("interruptions", "Interruptions", _count),
            _Column("outcome", "Ended"),
        ),
    )


def _page(heading: str, sections: Sequence[str]) -> str:
    style = _STYLE.read_text(encoding="utf-8")
    body = "\n".join(sections)
    return (
        '<!DOCTYPE html>\n<html lang="en" xmlns="http://www.w3.org/1999/xhtml">\n<head>\n<meta charset="utf-8"/>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>\n<title>tokenweir report</title>\n'
        f"<style>\n{style}</style>\n</head>\n<body>\n{heading}\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _title(name: str, title: str, lead: str) -> str:
    return f'<h2 id="{name}">{escape(title)}</h2><p class="soft">{escape(lead)}</p>'


def _said(sentence: str) -> str:
    return f"<p>{escape(sentence)}</p>"


def _figure(title: str, draw: Callable[[int], str], *, legend: Sequence[str] = ()) -> str:
    items = "".join(f'<li><i class="s{i}"></i>{escape(name)}</li>' for i, name in enumerate(legend, 1))
    listed = f'<ul class="legend">{items}</ul>' if items else ""
    drawings = "".join(f'<div class="{name}">{draw(width)}</div>' for name, width in WIDTHS.items())
    return f"<figure><figcaption><b>{escape(title)}</b></figcaption>{listed}{drawings}</figure>"


def _table(caption: str, frame: pl.DataFrame, shown: Sequence[_Column]) -> str:
    if frame.is_empty():
        return ""
    kinds = [' class="n"' if column.write in _NUMBERS else "" for column in shown]
    head = "".join(f"<th{kind}>{escape(each.heading)}</th>" for each, kind in zip(shown, kinds, strict=True))
    body = []
    for row in frame.iter_rows(named=True):
        cells = (
            f"<td{kind} data-label={quoteattr(each.heading)}><span>{escape(_cell(row[each.name], each.write))}</span></td>"
            for each, kind in zip(shown, kinds, strict=True)
        )
        body.append(f"<tr>{''.join(cells)}</tr>")
    return (
        f"<table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"
    )


def _cell(value: Any, write: Callable[[Any], str]) -> str:
    return "–" if value is None else write(value)


def _tokens(row: Row) -> int:
    return (row["prompt_tokens"] or 0) + (row["completion_tokens"] or 0)


def _who(row: Row) -> str:
    named = (row["tenant"] or "no tenant", row["vendor"], row["model"] or "no model named")
    return " · ".join(named)


def _name(value: object) -> str:
    return str(value)


def _count(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def _ms(value: float) -> str:
    return f"{value:,.1f}"


def _wait(ms: float) -> str:
    return f"{ms:,.0f} ms" if ms < 10_000 else f"{ms / 1000:,.1f} s"


def _money(value: Decimal) -> str:
    return f"{value:,.2f}" if value >= 100 else f"{value:,.4f}"


def _moment(value: datetime | None) -> str:
    return "–" if value is None else f"{value:%Y-%m-%d %H:%M:%S}"


_NUMBERS: Final = (_count, _share, _ms, _money)
_MESSAGES: Final = _Column("messages", "Messages", _count)
_WHO: Final = (_Column("tenant", "Tenant", _name), _Column("vendor", "Vendor"), _Column("model", "Model", _name))
_PERCENTILES: Final = tuple(_Column(f"{p}_ms", f"{p} (ms)", _ms) for p in ("p50", "p95", "p99"))
_MEASURES: Final = {
    "first_token": "First token",
    "first_sentence": "First sentence",
    "on_desktop": "On the desktop",
}
