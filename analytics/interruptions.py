"""What went wrong on the vendors' side: drops, refusals, timeouts, and how they ended.

An interruption is one error; a turn with two of them counts in both, and once in each kind that it had. A turn that
did not finish although nothing went wrong (cancelled, say) is of the kind `none`, with no interruption.
"""

from __future__ import annotations

import polars as pl

from analytics.frames import EVERYTHING, Metrics, Scope, frame, utc, within

_EACH = """
FROM turn_errors
WHERE ($since IS NULL OR occurred_at >= $since) AND ($until IS NULL OR occurred_at < $until)
    AND ($tenant IS NULL OR tenant = $tenant)
ORDER BY occurred_at, session_id, turn, number
"""

_TURNS = """
FROM interrupted_turns
WHERE ($since IS NULL OR started_at >= $since) AND ($until IS NULL OR started_at < $until)
    AND ($tenant IS NULL OR tenant = $tenant)
ORDER BY started_at, session_id, turn
"""


def by_kind(metrics: Metrics, scope: Scope = EVERYTHING) -> pl.DataFrame:
    """Interruptions, retries, fallbacks and turns per kind, status and outcome, most interruptions first.

    `outcome` is how the turns ended: finished means that another attempt made up for it; null, that they are open.
    """
    counts, names = ["interruptions", "turns"], ["kind", "status", "outcome"]
    found = within(metrics, "interruptions", scope)
    return found.sort([*counts, *names], descending=[True, True, False, False, False])


def each(metrics: Metrics, scope: Scope = EVERYTHING) -> pl.DataFrame:
    """One row for each interruption by when it happened, oldest first: its kind, whether the turn was begun again."""
    return frame(metrics, _EACH, since=utc(scope.since), until=utc(scope.until), tenant=scope.tenant)


def turns(metrics: Metrics, scope: Scope = EVERYTHING) -> pl.DataFrame:
    """One row for each turn that was interrupted or did not finish, oldest first; `kinds` has all that went wrong."""
    return frame(metrics, _TURNS, since=utc(scope.since), until=utc(scope.until), tenant=scope.tenant)
