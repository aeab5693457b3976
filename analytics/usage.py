"""Usage and volume, as polars frames: DuckDB selects, polars shapes."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from connectors.metrics import open_metrics

TURNS = """
SELECT session_id, turn, vendor, tenant, model, started_at, outcome,
       tokens_received, tokens_repeated, messages, time_to_first_token_ms, time_to_first_message_ms, duration_ms,
       prompt_tokens, completion_tokens, total_tokens, usage_estimated,
       interruptions, restarts, moderation_blocks
FROM turns
ORDER BY started_at, session_id, turn
"""


def turns(data_dir: Path) -> pl.DataFrame:
    """One row a turn, oldest first, with `message_reduction`: the share of messages that windows saved.

    Raises InputError where nothing was measured yet.
    """
    connection = open_metrics(data_dir)
    try:
        frame = pl.DataFrame(connection.sql(TURNS))
    finally:
        connection.close()
    saved = 1 - pl.col("messages") / pl.col("tokens_received")
    return frame.with_columns(message_reduction=pl.when(pl.col("tokens_received") > 0).then(saved).otherwise(0.0))


def reduction(tokens: int, messages: int) -> float:
    """The share of messages saved against one message a token; 0 where there was no token."""
    return 1 - messages / tokens if tokens else 0.0
