"""What GET /health?verbose says: whether the flow takes records, and what has not been delivered or judged.

Rules
- Counts, moments and names from the settings; nothing that a customer wrote, and no address or secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from connectors.delivery.connection import DesktopStatus
from connectors.job.detectors import DetectorStatus


def desktops(statuses: Mapping[str, DesktopStatus]) -> dict[str, dict[str, Any]]:
    return {
        name: {
            "connected": status.connected,
            "since": _moment(status.since),
            "error": status.error,
            "waiting": status.pending,
            "dropped": status.counts.dropped,
        }
        for name, status in statuses.items()
    }


def detectors(statuses: Mapping[str, DetectorStatus]) -> dict[str, dict[str, Any]]:
    return {
        name: {
            "error": status.error,
            "since": _moment(status.since),
            "waiting": status.waiting,
            "answered": status.answered,
            "failed": status.failed,
            "dropped": status.dropped,
        }
        for name, status in statuses.items()
    }


def _moment(at: int) -> str | None:
    """RFC 3339, to the second."""
    return f"{datetime.fromtimestamp(at / 1_000_000, UTC):%Y-%m-%dT%H:%M:%SZ}" if at else None
