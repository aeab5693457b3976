"""Frames that a shard is not given yet: the flow has nothing to say of them, and takes several as cheaply as one.

Rules
- A turn's frames wait for its next urgent record, and go with it; without one, for `HOLD` of log time at most. While
  `MAX_HELD` of them, or `MAX_HELD_CHARS` characters, wait in a shard, none waits longer than the next deal.
- They were emitted as far as positions go, so they are in the source's snapshot.

A core: no I/O.
"""

from __future__ import annotations

from collections.abc import Iterator

from connectors.log.records import Record

HOLD = 200_000
MAX_HELD = 4_096
MAX_HELD_CHARS = 1 << 18


class Held:
    """What a shard's turns hold, the turn first that has waited longest."""

    def __init__(self) -> None:
        self._turns: dict[tuple[str, int], list[Record]] = {}
        self._count = 0
        self._chars = 0

    def add(self, record: Record) -> None:
        self._count += 1
        self._chars += _size(record)
        own = self._turns.get((record.s, record.n))
        if own is None:
            self._turns[record.s, record.n] = [record]
        else:
            own.append(record)

    def take(self, key: tuple[str, int]) -> list[Record]:
        """What this turn holds, in order."""
        own = self._turns.pop(key, None)
        if own is None:
            return []
        self._count -= len(own)
        self._chars -= sum(map(_size, own))
        return own

    def take_due(self, now: int) -> Iterator[tuple[tuple[str, int], list[Record]]]:
        """Turns that have held long enough, or too much together, with what they hold."""
        while self._turns:
            key, own = next(iter(self._turns.items()))
            if now - own[0].t < HOLD and self._count <= MAX_HELD and self._chars <= MAX_HELD_CHARS:
                return
            yield key, self.take(key)

    def take_all(self) -> Iterator[tuple[tuple[str, int], list[Record]]]:
        for key in list(self._turns):
            yield key, self.take(key)

    @property
    def oldest(self) -> int | None:
        """The earliest time of any of them."""
        return next(iter(self._turns.values()))[0].t if self._turns else None

    @property
    def records(self) -> list[Record]:
        return [record for own in self._turns.values() for record in own]


def _size(record: Record) -> int:
    return len(record.d) if isinstance(record.d, str) else 0
