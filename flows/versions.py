"""Versions of what cores keep in a snapshot: counted up whenever its shape changes.

Rules
- A snapshot of another version is never guessed at. flows/store.py asks before the flow starts; this is the last guard.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.errors import DataDirError

REMEDY = "nothing is lost: the whole log is read again"


def check_version(core: str, data: Mapping[str, Any], version: int) -> None:
    """Raises DataDirError where a core's snapshot is not of the version that it can restore."""
    if data.get("version") != version:
        raise DataDirError(
            f"the recovery store holds a snapshot of {core} of version {data.get('version')!r}, and this tokenweir has "
            f"{version}; finish with the tokenweir that wrote it, or remove the lane's recovery folder ({REMEDY})"
        )
