"""Messages in the order in which they go out: all in one line, or each session's one after the other.

Rules
- A session's messages never overtake each other.
- Where each session has its turn, one that has a message out is passed by the others; its messages wait aside, and the
  first of them goes next once it is released.

A core: no I/O and no clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import chain

from connectors.delivery.entry import Entry


class Queues:
    """The messages of one desktop that are in memory and not under way."""

    def __init__(self) -> None:
        self._line: deque[Entry] = deque()
        self._aside: dict[str, deque[Entry]] = {}  # by session that has a message out, or may send its next one
        self._free: deque[str] = deque()  # of those, the ones that may
        self._waiting_aside = 0

    def __len__(self) -> int:
        return len(self._line) + self._waiting_aside

    def __iter__(self) -> Iterator[Entry]:
        return chain(chain.from_iterable(self._aside.values()), self._line)

    @property
    def has_next(self) -> bool:
        """Whether some message may go, as far as is known before it is looked for."""
        return bool(self._free or self._line)

    def append(self, entry: Entry) -> None:
        self._line.append(entry)

    def put_back(self, entries: Sequence[Entry]) -> None:
        """What was out is to go again, before all else; nobody has a message out now."""
        aside = list(chain.from_iterable(self._aside.values()))
        self._aside.clear()
        self._free.clear()
        self._waiting_aside = 0
        self._line.extendleft(reversed([*entries, *aside]))

    def pop(self, *, each_its_turn: bool) -> Entry | None:
        """The next message; None where there is none that may go."""
        if not each_its_turn:
            if self._aside:
                self.put_back(())
            return self._line.popleft() if self._line else None
        if self._free:
            self._waiting_aside -= 1
            return self._aside[self._free.popleft()].popleft()
        while self._line:
            entry = self._line.popleft()
            aside = self._aside.get(entry.session_id)
            if aside is None:
                self._aside[entry.session_id] = deque()
                return entry
            aside.append(entry)
            self._waiting_aside += 1
        return None

    def release(self, session_id: str) -> None:
        """The session's message that was out is done with."""
        aside = self._aside.get(session_id)
        if aside:
            self._free.append(session_id)
        elif aside is not None:
            del self._aside[session_id]
