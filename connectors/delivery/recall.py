"""What earlier processes left undone, from what a delivery journal says.

Rules
- First everything that is settled, then the messages: so what is settled is never held, and what a start keeps is what
  waits.
- It only reads. A start does it, and so may anyone who wants to know what waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

import msgspec

from connectors.delivery.entry import Entry
from connectors.delivery.history import Remembered
from connectors.delivery.outbox import Outbox
from connectors.delivery.segment import Settled, Stored
from connectors.errors import DataDirError


class Recorded(Protocol):
    """What tells it: a Journal, or a History."""

    def settled(self) -> Iterator[Remembered | Settled]: ...
    def stored(self) -> Iterator[tuple[int, Stored]]: ...


class _Head(msgspec.Struct, frozen=True):
    session_id: str
    turn: int
    seq: int
    final: bool


_decode_head = msgspec.json.Decoder(_Head).decode


def entry_of(place: int, stored: bytes | msgspec.Raw, body: bytes) -> Entry:
    """The message that is stored at this place. Raises msgspec.DecodeError for one that is none."""
    head = _decode_head(stored)
    return Entry(head.session_id, head.turn, head.seq, head.final, place, body)


def recall(
    recorded: Recorded,
    outbox_of: Callable[[str], Outbox],
    now: float,
    told: Callable[[Settled], object] = lambda _: None,
) -> dict[str, int]:
    """Fill the desktops' outboxes; what was settled is `told` in order.

    Returns when the oldest message that waits was stored, by desktop: wall clock, microseconds; zero where that was not
    kept. Raises DataDirError, or OSError.
    """
    for line in recorded.settled():
        if isinstance(line, Remembered):
            outbox_of(line.to).restore(line.cursor, now)
            continue
        told(line)
        outbox = outbox_of(line.to)
        for seq in range(line.first, line.last + 1):
            outbox.settled(line.s, line.n, seq, now)
    oldest: dict[str, int] = {}
    try:
        for place, stored in recorded.stored():
            if outbox_of(stored.to).stored(entry_of(place, stored.d, b""), now):
                oldest.setdefault(stored.to, stored.at)
    except msgspec.DecodeError:
        raise DataDirError("the delivery journal holds a message that is none; restore it") from None
    return oldest
