"""What older versions of reassembly remembered of a turn's continuation, as it is kept now. A core.

Rules
- A snapshot of any version that `Reassembly.reads` comes out as one of today's, with what it did not have yet empty.
"""

from __future__ import annotations

from typing import Any

from connectors.vendors.resumption import OWN
from flows.steps.received import HISTORY


def upgrade(data: tuple[Any, ...], version: int) -> tuple[Any, ...]:
    """What reassembly's version 2 or 3 kept of a turn, as it is kept now."""
    if version == 3:
        kept, seam = data
        return (kept, seam and (*seam, []))
    recent, ids, ids_tell, last_id, doubt = data
    seam = None
    if doubt is not None:
        told, text, waiting, matched, places, carried = doubt
        frames = [((token,), frame_id) for token, frame_id in waiting]
        seam = (
            "auto",
            (text, places if waiting else None, matched, False, carried),
            frames,
            [],
            (told, None, len(frames), None),
            [],
        )
    return (_received(recent, ids, ids_tell, last_id), seam)


def _received(recent: str, ids: tuple[Any, ...], ids_tell: bool, last_id: str | None) -> tuple[Any, ...]:
    """What reassembly's version 2 kept of this, as it is kept now."""
    runs, hashes = ids
    known = sum(last - first + 1 for _, first, last in runs) + len(hashes) // 8
    return (
        recent,
        len(recent) >= HISTORY,
        (ids, ids_tell, False, last_id, None, last_id),
        (min(known, OWN), False, None),
        (0, None, False, False),
    )
