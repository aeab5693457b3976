"""How long people wait: to the first token, to the first sentence, until it is on the desktop, and why.

The way to the first sentence has four parts that add up: vendor, window, moderation, delivery. Percentiles are exact.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from analytics.frames import EVERYTHING, Metrics, Scope, frame, utc, within

PARTS: Final = ("vendor", "window", "moderation", "delivery")

_FIRST = """
FROM first_sentences
WHERE ($since IS NULL OR started_at >= $since) AND ($until IS NULL OR started_at < $until)
    AND ($tenant IS NULL OR tenant = $tenant)
ORDER BY started_at, session_id, turn
"""


def first_sentences(metrics: Metrics, scope: Scope = EVERYTHING) -> pl.DataFrame:
    """One row a turn, oldest first: the parts of the way to its first sentence, in milliseconds."""
    return frame(metrics, _FIRST, since=utc(scope.since), until=utc(scope.until), tenant=scope.tenant)


def percentiles(metrics: Metrics, scope: Scope = EVERYTHING) -> pl.DataFrame:
    """Rows first_token, first_sentence, on_desktop, as far as measured: turns, p50_ms, p95_ms, p99_ms."""
    return within(metrics, "latency", scope).sort("p50_ms", "p95_ms", "p99_ms", "measure")


def shares(metrics: Metrics, scope: Scope = EVERYTHING) -> pl.DataFrame:
    """Per vendor the parts in their order: turns, p50_ms, p95_ms, p99_ms, total_ms, and `share` in all of the time."""
    found = within(metrics, "latency_shares", scope)
    return found.sort("vendor", pl.col("part").replace_strict(PARTS, range(len(PARTS)), return_dtype=pl.Int64))


def windows(metrics: Metrics, scope: Scope = EVERYTHING) -> pl.DataFrame:
    """What ended the windows, most messages first: their size, time, and what moderation held them."""
    return within(metrics, "windows", scope).sort("messages", "closed_by", descending=[True, False])


def slo(metrics: Metrics, scope: Scope = EVERYTHING) -> pl.DataFrame:
    """Each target of the settings: turns judged, breaches, and `met`, the share that met it; lowest target first."""
    return within(metrics, "slo_met", scope).sort("target_ms", "measure")
