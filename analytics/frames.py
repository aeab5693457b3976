"""Answers as polars frames, from a data directory or from a connection that is already open.

Rules
- DuckDB filters and aggregates, in the views and macros that the database itself holds
  (connectors/metrics/queries/*.sql); polars shapes. No question is worded twice.
- A data directory is opened read-only and closed again, so a job goes on as if nobody had asked.
- A frame's order is part of the answer, and said by its function. Times are UTC, durations end in `_ms`.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

import duckdb
import polars as pl

from analytics.stream import Stream
from connectors.errors import DataDirError, InputError
from connectors.metrics import open_metrics

Metrics: TypeAlias = Path | str | duckdb.DuckDBPyConnection
"""A data directory, or a connection to its database (then the session's time zone is the caller's)."""

_SPANS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Scope(NamedTuple):
    """Which rows a question is about: those from `since` to before `until`, of one tenant.

    A turn counts by when it was opened; messages, findings, interruptions and deliveries by when they left, were made,
    happened, were sent.
    Times without a zone are UTC. None leaves a side open; `tenant` None means all, with and without a name.
    """

    since: datetime | None = None
    until: datetime | None = None
    tenant: str | None = None


EVERYTHING: Final = Scope()


@contextlib.contextmanager
def opened(metrics: Metrics) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection for the length of a block; one that was handed in stays open. Raises as `open_metrics` does."""
    if isinstance(metrics, duckdb.DuckDBPyConnection):
        yield metrics
        return
    with open_metrics(Path(metrics)) as connection:
        yield connection


def frame(metrics: Metrics, sql: str, **parameters: Any) -> pl.DataFrame:
    """The rows of one query of ours; `$name` in it stands for a parameter.

    Raises DataDirError where the database lacks the view: it was landed by another version.
    """
    with opened(metrics) as connection:
        try:
            return pl.DataFrame(Stream(connection.sql(sql, params=parameters)))
        except duckdb.CatalogException:
            raise DataDirError(
                "the database lacks views of this version: start a job in its data directory once, which makes them"
            ) from None


def within(metrics: Metrics, macro: str, scope: Scope, **more: int) -> pl.DataFrame:
    """What a table macro of the database answers for a scope."""
    named = {"since": utc(scope.since), "until": utc(scope.until), "of_tenant": scope.tenant, **more}
    arguments = ", ".join(f"{name} := ${name}" for name in named)
    return frame(metrics, f"FROM {macro}({arguments})", **named)


def utc(moment: datetime | None) -> datetime | None:
    """A moment in UTC; one without a zone is taken as UTC."""
    if moment is None:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def parse_moment(text: str, now: datetime) -> datetime:
    """A moment as people type it: ISO 8601 (UTC where no zone is said), or a span back from `now`: 90m, 24h, 7d, 2w.

    Raises InputError.
    """
    try:
        if span := re.fullmatch(r"(\d{1,6})([mhdw])", text):
            return now - timedelta(**{_SPANS[span[2]]: int(span[1])})
        moment = utc(datetime.fromisoformat(text))
        assert moment is not None
    except (ValueError, OverflowError):
        raise InputError(f"{text!r} is no time: write 2026-11-20, 2026-11-20T14:30 (UTC), or a span like 24h") from None
    return moment
