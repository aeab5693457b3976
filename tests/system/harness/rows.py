"""The rows of a run, by name: each once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, TypeAlias

from connectors.metrics import open_metrics
from tests.system.harness.report import Report

Rows: TypeAlias = dict[tuple[Any, ...], dict[str, Any]]

KEYS: Final = {
    "messages": ("session_id", "turn", "seq"),
    "turns": ("session_id", "turn"),
    "findings": ("session_id", "turn", "start_char", "end_char", "rule"),
    "deliveries": ("desktop", "session_id", "turn", "seq"),
    "dead_letters": ("session_id", "turn", "step", "reason"),
}
MORE: Final = {"turns": ("outcome", "error_kind", "chars_received", "moderation_blocks")}
"""Columns that are compared beside those that name a row, by table."""

HALF: Final = ("half a character", "half a message")
"""A kill may fall between the parts of either, and then they are left out."""


def rows_of(report: Report, data_dir: Path) -> dict[str, Rows]:
    """The rows by name; those that are there more than once are differences."""
    found: dict[str, Rows] = {}
    with open_metrics(data_dir) as database:
        for table, key in KEYS.items():
            cursor = database.sql(f"SELECT {', '.join((*key, *MORE.get(table, ())))} FROM {table}")
            rows = [dict(zip(cursor.columns, row, strict=True)) for row in cursor.fetchall()]
            counts = Counter(tuple(row[name] for name in key) for row in rows)
            report.rows[table] = len(counts)
            report.differences += [f"{table} {name}: {count} rows" for name, count in counts.items() if count > 1]
            found[table] = {tuple(row[name] for name in key): row for row in rows}
        errors = database.sql(
            "SELECT t.session_id, t.interruptions, count(e.turn) FROM turns AS t LEFT JOIN errors AS e"
            " ON e.session_id = t.session_id AND e.turn = t.turn GROUP BY ALL"
        ).fetchall()
        report.rows["errors"] = sum(there for _, _, there in errors)
        report.differences += [
            f"{name}: {there} errors, {counted} counted" for name, counted, there in errors if counted != there
        ]
    report.differences += [f"a dead letter: {name}" for name in found["dead_letters"] if name[-1] not in HALF]
    return found


def not_alike(what: str, got: set[Any], wanted: set[Any]) -> Iterator[str]:
    if missing := wanted - got:
        yield f"{len(missing)} {what} have no row, such as {min(missing)}"
    if more := got - wanted:
        yield f"{len(more)} rows of {what} too many, such as {min(more)}"
