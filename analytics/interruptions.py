"""What went wrong on the vendors' side, and how it ended."""

from __future__ import annotations

import polars as pl

from analytics.frames import EVERYTHING, Metrics, Scope, frame, utc, within

_TURNS = """
FROM interrupted_turns
WHERE ($since IS NULL OR started_at >= $since) AND ($until IS NULL OR started_at < $until)
    AND ($tenant IS NULL OR tenant = $tenant)
ORDER BY started_at, session_id, turn
"""


def endings(metrics: Metrics, scope: Scope = EVERYTHING) -> pl.DataFrame:
    """Turns per kind of interruption and outcome, most first; `outcome` finished means that it was mended."""
    found = within(metrics, "interruptions", scope)
    return found.sort("turns", "kind", "outcome", descending=[True, False, False])


def turns(metrics: Metrics, scope: Scope = EVERYTHING) -> pl.DataFrame:
    """One row for each turn that was interrupted or did not finish, oldest first."""
    return frame(metrics, _TURNS, since=utc(scope.since), until=utc(scope.until), tenant=scope.tenant)
