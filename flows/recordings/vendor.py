"""The vendor whose frames a recording holds."""

from __future__ import annotations

from pathlib import Path

from connectors.log.files import LogReader
from connectors.vendors.base import Vendor
from connectors.vendors.registry import named


def vendor_of(recording: Path) -> Vendor:
    """Raises InputError where it is no recording, or of a vendor that nobody here knows."""
    return named(LogReader(recording).header.vendor, str(recording))
