"""Volume, usage and cost: how much was asked and answered, what it cost, how many messages windows saved."""

from __future__ import annotations

import polars as pl

from analytics.frames import EVERYTHING, Metrics, Scope, frame, utc, within

TURNS = """
SELECT session_id, turn, vendor, tenant, model, started_at, outcome,
       tokens_received, tokens_repeated, messages, time_to_first_token_ms, time_to_first_message_ms, duration_ms,
       prompt_tokens, completion_tokens, total_tokens, usage_estimated,
       interruptions, restarts, moderation_blocks
FROM turns
WHERE ($since IS NULL OR started_at >= $since) AND ($until IS NULL OR started_at < $until)
    AND ($tenant IS NULL OR tenant = $tenant)
ORDER BY started_at, session_id, turn
"""


def turns(metrics: Metrics, scope: Scope = EVERYTHING) -> pl.DataFrame:
    """One row a turn, oldest first, with `message_reduction`: the share of messages that windows saved.

    Raises InputError where nothing was measured yet.
    """
    found = frame(metrics, TURNS, since=utc(scope.since), until=utc(scope.until), tenant=scope.tenant)
    saved = 1 - pl.col("messages") / pl.col("tokens_received")
    return found.with_columns(message_reduction=pl.when(pl.col("tokens_received") > 0).then(saved).otherwise(0.0))


def totals(metrics: Metrics, scope: Scope = EVERYTHING) -> pl.DataFrame:
    """One row: sessions, turns, tokens, messages, and what became of them."""
    return within(metrics, "totals", scope)


def by_model(metrics: Metrics, scope: Scope = EVERYTHING) -> pl.DataFrame:
    """Tokens and cost per tenant, vendor, model and currency, most tokens first. `cost` is null without a price."""
    used = pl.col("prompt_tokens") + pl.col("completion_tokens")
    order = [used.fill_null(0), "tenant", "vendor", "model", "currency"]
    return within(metrics, "usage", scope).sort(order, descending=[True, False, False, False, False])


def daily(metrics: Metrics, scope: Scope = EVERYTHING) -> pl.DataFrame:
    """Tokens and cost per UTC day, tenant, vendor, model and currency, in that order.

    Days are whole: from that of `since` to the one before that of `until`.
    """
    since, until = utc(scope.since), utc(scope.until)
    found = frame(
        metrics,
        "FROM usage_daily WHERE ($since IS NULL OR day >= $since) AND ($until IS NULL OR day < $until)"
        " AND ($tenant IS NULL OR tenant = $tenant)",
        since=since.date() if since else None,
        until=until.date() if until else None,
        tenant=scope.tenant,
    )
    return found.sort("day", "tenant", "vendor", "model", "currency")


def costs(used: pl.DataFrame) -> pl.DataFrame:
    """What a frame of `by_model` or `daily` adds up to per currency; priced rows only."""
    priced = used.filter(pl.col("cost").is_not_null())
    return priced.group_by("currency").agg(pl.col("cost").sum()).sort("currency")


def savings(metrics: Metrics, scope: Scope = EVERYTHING) -> pl.DataFrame:
    """Tokens, messages and `reduction` against one message a token, per tenant, vendor and model, most tokens first."""
    order = ["tokens", "tenant", "vendor", "model"]
    return within(metrics, "reduction", scope).sort(order, descending=[True, False, False, False])


def reduction(tokens: int, messages: int) -> float:
    """The share of messages saved against one message a token; 0 where there was no token."""
    return 1 - messages / tokens if tokens else 0.0
