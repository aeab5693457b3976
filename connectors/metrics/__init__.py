"""Metrics: rows out of the flow, through segments in a spool, into DuckDB.

tables.py (core) says what is measured, dimensions.py (core) what the settings add to it, queries/*.sql (script.py) the
views over both. sink.py is Bytewax's way in: it writes segments (segments.py) into a spool (spool.py), from which the
lander moves them into `metrics.duckdb` (lander.py; landing.py is what a job runs of it). Analysts open that read-only
whenever they like (database.py). deliveries.py projects the delivery journal into the same spool.

The rows are for everybody. `open_metrics` is imported when it is asked for: it brings DuckDB, which no core needs.
"""

from typing import TYPE_CHECKING

from connectors.metrics.tables import (
    DeadLetterRow,
    DeliveryRow,
    ErrorRow,
    FindingRow,
    MessageRow,
    Row,
    RunRow,
    TurnRow,
)

if TYPE_CHECKING:
    from connectors.metrics.database import open_metrics
else:

    def __getattr__(name: str) -> object:
        if name != "open_metrics":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from connectors.metrics.database import open_metrics

        return open_metrics


__all__ = [
    "DeadLetterRow",
    "DeliveryRow",
    "ErrorRow",
    "FindingRow",
    "MessageRow",
    "Row",
    "RunRow",
    "TurnRow",
    "open_metrics",
]
