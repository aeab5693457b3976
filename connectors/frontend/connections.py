"""The connections that are open: how many there may be, and which gives way.

Rules
- A connection waits while no whole request has come on it: it has said nothing yet, half of something, or is idle.
- So many may be open in all, and of one address. Where one more comes, that which waits longest gives way: who asks for
  nothing locks nobody out. Where none waits, all are being answered: the new one is served a refusal.
- A core: it knows connections by identity, and closes them by what they brought.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Protocol


class Connection(Protocol):
    """One of them."""

    def give_way(self) -> None:
        """Close now."""


class Connections:
    """All that are open. `counts`: displaced (gave way), crowded (refused), and what connections add themselves."""

    def __init__(self, most: int, most_per_address: int, counts: Counter[str]) -> None:
        self.counts = counts
        self.most = most
        self._most_per_address = most_per_address
        self._open: dict[Connection, str] = {}
        self._waiting: dict[Connection, None] = {}
        self._waiting_of: defaultdict[str, dict[Connection, None]] = defaultdict(dict)
        self._open_of: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[Connection]:
        return iter(self._open)

    def admit(self, connection: Connection, address: str) -> bool:
        """A connection opened, and waits. False: there is no place, so answer what it asks with a refusal."""
        self._make_room(self._waiting_of[address], self._open_of[address] >= self._most_per_address)
        self._make_room(self._waiting, len(self._open) >= self.most)
        crowded = self._open_of[address] >= self._most_per_address or len(self._open) >= self.most
        self._open[connection] = address
        self._open_of[address] += 1
        self.waits(connection)
        self.counts["crowded"] += crowded
        return not crowded

    def waits(self, connection: Connection) -> None:
        """It waits, from now on if it did not."""
        if (address := self._open.get(connection)) is not None:
            self._waiting.setdefault(connection)
            self._waiting_of[address].setdefault(connection)

    def asks(self, connection: Connection) -> None:
        """A whole request has come on it."""
        if (address := self._open.get(connection)) is not None:
            self._waiting.pop(connection, None)
            self._waiting_of[address].pop(connection, None)

    def leave(self, connection: Connection) -> None:
        """It is closed. Idempotent."""
        self.asks(connection)
        address = self._open.pop(connection, None)
        if address is None:
            return
        self._open_of[address] -= 1
        if not self._open_of[address]:
            del self._open_of[address]
            del self._waiting_of[address]

    def _make_room(self, waiting: dict[Connection, None], full: bool) -> None:
        if full and waiting:
            oldest = next(iter(waiting))
            self.leave(oldest)
            oldest.give_way()
            self.counts["displaced"] += 1
