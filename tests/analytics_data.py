"""Measured rows for the tests of analytics: five turns whose answers were worked out by hand, and random ones.

A  acme, cxone, gpt-4, opened just before midnight: a sentence on either day, a finding, a drop that was fixed
B  acme, cxone, gpt-4, the same session's second turn, the next day, after the price had changed
C  no tenant, cognigy, mini: a 429, then a timeout, no token came, the fallback was shown
D  acme, cxone, no model: cancelled after one sentence, which no desktop confirmed
E  acme, cxone: still open after a connection that failed and a 503
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import duckdb
import polars as pl
from hypothesis import strategies as st

from connectors.metrics import DeliveryRow, ErrorRow, FindingRow, MessageRow, Row, TurnRow
from connectors.metrics.dimensions import Price, Prices, SloSettings
from connectors.metrics.lander import Lander
from connectors.metrics.script import script
from connectors.metrics.segments import SegmentWriter
from connectors.metrics.spool import Spool
from connectors.metrics.tables import TABLES

DAY_1: Final = date(2026, 11, 19)
DAY_2: Final = date(2026, 11, 20)
PRICES: Final[Prices] = {
    "gpt-4": (
        Price(since=DAY_2, prompt=Decimal("0.02"), completion=Decimal("0.04")),
        Price(prompt=Decimal("0.03"), completion=Decimal("0.06")),
    ),
    "mini": (Price(prompt=Decimal("0.001"), completion=Decimal("0.002"), currency="EUR"),),
}


def at(day: date, clock: str) -> int:
    """Microseconds since the epoch."""
    moment = datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=UTC)
    return round(moment.timestamp() * 1_000_000)


def turn(session: str, number: int, started: int, **changes: Any) -> TurnRow:
    """A finished turn; what follows from its times is filled in."""
    fields: dict[str, Any] = {
        "session_id": session, "turn": number, "vendor": "cxone", "tenant": "acme", "model": "gpt-4",
        "language": "en", "desktop": "default", "started_at": started, "first_token_at": None,
        "first_message_at": None, "ended_at": None, "time_to_first_token_ms": 200, "time_to_first_message_ms": 500,
        "duration_ms": 1500, "tokens_received": 40, "tokens_repeated": 0, "tokens_sent": 40, "messages": 2,
        "chars_received": 100, "chars_sent": 100, "moderation_blocks": 0, "prompt_tokens": 100,
        "completion_tokens": 50, "total_tokens": 150, "usage_estimated": False, "interruptions": 0, "restarts": 0,
        "outcome": "finished", "error_kind": None, **changes,
    }  # fmt: skip
    for moment, lasted in (
        ("first_token_at", "time_to_first_token_ms"),
        ("first_message_at", "time_to_first_message_ms"),
        ("ended_at", "duration_ms"),
    ):
        if fields[lasted] is not None:
            fields[moment] = started + fields[lasted] * 1000
    return TurnRow(**fields)


def message(of: TurnRow, seq: int, after_ms: int, **changes: Any) -> MessageRow:
    """A message of a turn, so long after its opening."""
    fields: dict[str, Any] = {
        "session_id": of.session_id, "turn": of.turn, "seq": seq, "vendor": of.vendor, "tenant": of.tenant,
        "model": of.model, "released_at": of.started_at + after_ms * 1000, "closed_by": "sentence", "chars": 50,
        "tokens": 20, "findings": 0, "final": False, "fallback": False, "window_ms": 200, "hold_ms": 0, **changes,
    }  # fmt: skip
    return MessageRow(**fields)


def delivery(of: MessageRow, sent_ms: int, confirmed_ms: int | None, how: str = "ack") -> DeliveryRow:
    """A message's delivery, so long after it left the flow."""
    confirmed = None if confirmed_ms is None else of.released_at + confirmed_ms * 1000
    sent = of.released_at + sent_ms * 1000
    return DeliveryRow(of.session_id, of.turn, of.seq, "default", sent, confirmed, how)


def failure(of: TurnRow, after_ms: int, kind: str | None, status: int | None = None, restart: int = 1) -> ErrorRow:
    """Something that went wrong in a turn, so long after its opening."""
    return ErrorRow(
        of.session_id, of.turn, of.vendor, of.tenant, of.started_at + after_ms * 1000, kind, status, restart
    )


def by_hand() -> list[Row]:
    a = turn(
        "s-1", 0, at(DAY_1, "23:59:59.2"), tokens_repeated=4, moderation_blocks=1, usage_estimated=True,
        interruptions=1, restarts=1, error_kind="disconnected",
    )  # fmt: skip
    a0 = message(a, 0, 500, chars=60, tokens=18, findings=1, window_ms=250, hold_ms=50)
    a1 = message(a, 1, 1500, chars=40, tokens=18, closed_by="end", final=True, window_ms=900)
    b = turn(
        "s-1", 1, at(DAY_2, "10:00:00"), time_to_first_token_ms=400, time_to_first_message_ms=600, duration_ms=3000,
        tokens_received=60, messages=3, prompt_tokens=200, completion_tokens=100,
    )  # fmt: skip
    b0, b1 = message(b, 0, 600), message(b, 1, 2000, window_ms=300)
    b2 = message(b, 2, 3000, closed_by="end", final=True, window_ms=100)
    c = turn(
        "s-2", 0, at(DAY_2, "11:00:00"), vendor="cognigy", tenant=None, model="mini", time_to_first_token_ms=None,
        time_to_first_message_ms=5000, duration_ms=5000, tokens_received=0, tokens_sent=0, messages=1,
        prompt_tokens=10, completion_tokens=0, interruptions=2, restarts=1, outcome="timeout",
        error_kind="idle_timeout",
    )  # fmt: skip
    c0 = message(c, 0, 5000, closed_by="error", final=True, fallback=True, tokens=0, window_ms=0)
    d = turn(
        "s-3", 0, at(DAY_2, "12:00:00"), model=None, time_to_first_token_ms=100, time_to_first_message_ms=300,
        duration_ms=900, tokens_received=10, messages=1, prompt_tokens=5, completion_tokens=5, outcome="cancelled",
    )  # fmt: skip
    d0 = message(d, 0, 300, tokens=10)
    e = turn("s-4", 0, at(DAY_2, "13:00:00"))
    failed = [
        failure(a, 700, "disconnected"), failure(c, 1000, "rate_limited", 429, 0), failure(c, 4900, "idle_timeout"),
        failure(e, 100, "connect"), failure(e, 900, "status", 503, 2),
    ]  # fmt: skip
    email = FindingRow("s-1", 0, 0, a0.released_at, "EMAIL_ADDRESS", "address", "redact", 3, 9)
    dropped = FindingRow("s-3", 0, None, d0.released_at, "BLOCKED", "word", "drop", 20, 24)
    delivered = [delivery(a0, 10, 30), delivery(a1, 10, 20), delivery(b0, 4, 10), delivery(b1, 0, 8)]
    lost = [delivery(b2, 1, None, "dropped"), delivery(d0, 2, None, "unconfirmed")]
    return [a, b, c, d, a0, a1, b0, b1, b2, c0, d0, *failed, email, dropped, *delivered, *lost]


def landed(directory: Path, rows: Sequence[Row], *, prices: Prices = PRICES, slo: SloSettings | None = None) -> Path:
    """A data directory with these rows, some in the database and some still in the spool."""
    with Lander(directory, script=script(prices, slo)) as lander:
        half = len(rows) // 2
        first = SegmentWriter(directory, "w00")
        first.add(rows[:half])
        first.close()
        lander.land()
        second = SegmentWriter(directory, "w01")
        second.add(rows[half:])
        second.flush()
    return directory


@contextlib.contextmanager
def in_memory() -> Iterator[duckdb.DuckDBPyConnection]:
    """The analysts' script over plain tables, which `filled` fills again and again."""
    with duckdb.connect() as connection, tempfile.TemporaryDirectory() as folder:
        connection.execute("SET TimeZone = 'UTC'")
        spool = _spool(folder)
        for table in TABLES.values():
            schema = spool.path / f"{table.name}.schema.parquet"
            connection.execute(f"CREATE TABLE {table.name} AS FROM read_parquet('{schema}')")
        connection.execute(script(PRICES))
        yield connection


@contextlib.contextmanager
def filled(connection: duckdb.DuckDBPyConnection, rows: Sequence[Row]) -> Iterator[dict[str, pl.DataFrame]]:
    """Have the tables hold these rows alone, and give them as frames by table."""
    with tempfile.TemporaryDirectory() as folder:
        spool = _spool(folder)
        spool.write("w00", 1, 0, rows)
        frames = {}
        for table in TABLES.values():
            glob = f"{spool.path}/{table.name}.*.parquet"
            connection.execute(f"DELETE FROM {table.name}; INSERT INTO {table.name} FROM read_parquet('{glob}')")
            frames[table.name] = pl.read_parquet(glob)
        yield frames


def _spool(folder: str) -> Spool:
    spool = Spool(Path(folder))
    spool.create()
    spool.write_schemas()
    return spool


_MS = st.integers(0, 20_000)
_MAYBE_MS = st.none() | _MS
_TOKENS = st.none() | st.integers(0, 10**9)
_NAMES = st.sampled_from([None, "acme", "beta"])
_KINDS = st.sampled_from([None, "disconnected", "rate_limited"])
_STATUSES = st.sampled_from([None, 429, 503])
_STARTED = st.integers(at(DAY_1, "20:00:00"), at(DAY_2, "04:00:00"))


@st.composite
def random_turn(draw: st.DrawFn, number: int) -> list[Row]:
    """A turn as no flow would make it, perhaps, with messages, findings, deliveries and errors; it may be open."""
    first_token = draw(_MAYBE_MS)
    of = turn(
        f"s-{draw(st.integers(0, 3))}", number, draw(_STARTED),
        vendor=draw(st.sampled_from(["cxone", "cognigy"])), tenant=draw(_NAMES),
        model=draw(st.sampled_from([None, "gpt-4", "mini", "unpriced"])), time_to_first_token_ms=first_token,
        time_to_first_message_ms=draw(st.none() | st.integers(first_token or 0, 30_000)),
        duration_ms=draw(_MAYBE_MS), tokens_received=draw(st.integers(0, 500)),
        tokens_repeated=draw(st.integers(0, 9)), messages=draw(st.integers(0, 30)),
        prompt_tokens=draw(_TOKENS), completion_tokens=draw(_TOKENS),
        usage_estimated=draw(st.booleans()), interruptions=draw(st.integers(0, 2)), restarts=draw(st.integers(0, 2)),
        outcome=draw(st.sampled_from(["finished", "interrupted", "cancelled"])),
        error_kind=draw(st.sampled_from([None, "disconnected", "status"])),
        moderation_blocks=draw(st.integers(0, 3)),
    )  # fmt: skip
    rows: list[Row] = [] if draw(st.sampled_from([True, False, False])) else [of]
    rows += draw(st.lists(st.builds(failure, st.just(of), _MS, _KINDS, _STATUSES, st.integers(0, 2)), max_size=3))
    for seq in range(draw(st.integers(0, 3))):
        sent = message(
            of, seq, draw(_MS), closed_by=draw(st.sampled_from(["sentence", "end"])), chars=draw(st.integers(0, 200)),
            tokens=draw(st.integers(0, 50)), findings=draw(st.integers(0, 2)), fallback=draw(st.booleans()),
            window_ms=draw(_MAYBE_MS), hold_ms=draw(st.integers(0, 90)),
        )  # fmt: skip
        rows.append(sent)
        if draw(st.booleans()):
            confirmed = draw(st.none() | st.integers(-5, 3000))
            rows.append(delivery(sent, draw(st.integers(0, 50)), confirmed, draw(st.sampled_from(["ack", "pong"]))))
        if draw(st.booleans()):
            rule = draw(st.sampled_from([("BLOCKED", "word"), ("BLOCKED", "phrase"), ("EMAIL_ADDRESS", "address")]))
            rows.append(FindingRow(of.session_id, of.turn, seq, sent.released_at, *rule, "redact", 0, 3))
    return rows


@st.composite
def random_rows(draw: st.DrawFn) -> list[Row]:
    """Up to eight such turns."""
    return [row for number in range(draw(st.integers(0, 8))) for row in draw(random_turn(number))]
