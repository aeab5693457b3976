"""How much flows over time, and the sessions that took longest."""

from __future__ import annotations

from typing import Final

import polars as pl

from analytics.frames import EVERYTHING, Metrics, Scope, within

SPANS: Final = (1, 5, 10, 30, 60, 300, 600, 1800, 3600, 10_800, 21_600, 43_200, 86_400, 604_800)
"""Lengths of time, in seconds, that people read easily."""

MAX_SPANS: Final = 100_000
"""More are not filled up: they would be a table of zeros."""


def over_time(metrics: Metrics, scope: Scope = EVERYTHING, *, seconds: int = 3600) -> pl.DataFrame:
    """Turns, messages, tokens and characters per span of so many seconds, in order of time, without a gap.

    Columns: begins_at, turns, messages, tokens, chars. Empty where nothing flowed.
    """
    found = within(metrics, "traffic", scope, seconds=seconds)
    summed = found.group_by("begins_at").agg(pl.col("turns", "messages", "tokens", "chars").sum()).sort("begins_at")
    if summed.is_empty():
        return summed
    first, last = summed["begins_at"][0], summed["begins_at"][-1]
    if (last - first).total_seconds() / seconds > MAX_SPANS:
        return summed
    every = pl.datetime_range(first, last, f"{seconds}s", eager=True).alias("begins_at").to_frame()
    return every.join(summed, on="begins_at", how="left", maintain_order="left").fill_null(0)


def by_vendor(metrics: Metrics, scope: Scope = EVERYTHING, *, seconds: int = 3600) -> pl.DataFrame:
    """The same per vendor, in order of time and vendor; spans without anything are left out."""
    return within(metrics, "traffic", scope, seconds=seconds).sort("begins_at", "vendor")


def longest_sessions(metrics: Metrics, scope: Scope = EVERYTHING, *, most: int = 10) -> pl.DataFrame:
    """The sessions with the most time between first opening and last end, longest first."""
    order = [pl.col("duration_ms"), pl.col("session_id")]
    found = within(metrics, "longest_sessions", scope, most=most)
    return found.sort(order, descending=[True, False], nulls_last=True)


def readable_span(seconds: float, spans: int) -> int:
    """The shortest of SPANS that divides so many seconds into at most so many spans."""
    return next((each for each in SPANS if seconds / each <= spans), SPANS[-1])
