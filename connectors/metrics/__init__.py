"""Metrics: rows out of the flow, through segments in a spool, into DuckDB.

The sink writes segments (segments.py), the lander moves them into `metrics.duckdb` (lander.py), and
analysts open that read-only whenever they like (database.py). What is measured: tables.py; the views over
it: queries/*.sql (script.py).
"""

from connectors.metrics.database import open_metrics
from connectors.metrics.dimensions import Price, Prices, SloSettings
from connectors.metrics.lander import Lander, LanderSettings
from connectors.metrics.landing import LandedMetricsSink, Landing
from connectors.metrics.segments import MetricsSink, SegmentWriter
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

__all__ = [
    "DeadLetterRow",
    "DeliveryRow",
    "ErrorRow",
    "FindingRow",
    "LandedMetricsSink",
    "Lander",
    "LanderSettings",
    "Landing",
    "MessageRow",
    "MetricsSink",
    "Price",
    "Prices",
    "Row",
    "RunRow",
    "SegmentWriter",
    "SloSettings",
    "TurnRow",
    "open_metrics",
]
