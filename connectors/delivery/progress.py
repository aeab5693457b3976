"""How far one turn's messages are at one desktop: which were offered, sent and confirmed.

Rules
- Numbers are kept as an unbroken run from 0, and one by one where they lie beyond a gap.
- What has to outlast the process is a Cursor.

A core: no I/O and no clock.
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """What is remembered of one turn: seq 0 to `confirmed` - 1, and those in `ahead`, are confirmed.

    final  the seq of the turn's last message, -1 while it is unknown
    """

    session_id: str
    turn: int
    confirmed: int
    final: int = -1
    ahead: tuple[int, ...] = ()


class Run:
    """The numbers 0 to `next` - 1, and those that lie beyond a gap."""

    __slots__ = ("ahead", "next")

    def __init__(self, following: int = 0, ahead: Collection[int] = ()) -> None:
        self.next = following
        self.ahead: set[int] | None = set(ahead) if ahead else None

    def __contains__(self, number: int) -> bool:
        return number < self.next or (self.ahead is not None and number in self.ahead)

    def add(self, number: int) -> None:
        if number > self.next:
            self.ahead = self.ahead or set()
            self.ahead.add(number)
        elif number == self.next:
            self.next += 1
            while self.ahead and self.next in self.ahead:
                self.ahead.remove(self.next)
                self.next += 1

    @property
    def last(self) -> int:
        """The highest number in it; -1 if there is none."""
        return max(self.ahead) if self.ahead else self.next - 1

    def unbroken(self) -> bool:
        return not self.ahead


class Progress:
    """One turn with something still to come. `sent` is what may have reached a socket."""

    __slots__ = ("confirmed", "final", "offered", "pending", "sent", "touched")

    def __init__(self, cursor: Cursor, now: float) -> None:
        self.offered = Run(cursor.confirmed, cursor.ahead)
        self.confirmed = Run(cursor.confirmed, cursor.ahead)
        self.sent = Run(cursor.confirmed, cursor.ahead)
        self.final = cursor.final
        self.pending = 0
        self.touched = now

    def complete(self) -> bool:
        return self.pending == 0 and 0 <= self.final < self.confirmed.next and self.confirmed.unbroken()
