"""What the segments of a delivery journal say, read in order.

Rules
- The newest segment's first line and lines tell what is settled; the older ones only keep messages. Of a turn that the
  newest does not know nothing is told: it is forgotten.
- It only reads, and may do so beside the process that writes.
- A message's place is one number: its segment's, and the offset of its line.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

import msgspec

from connectors.delivery.progress import Cursor
from connectors.delivery.segment import (
    Entry,
    Settled,
    Stored,
    read_entries,
    read_header,
    read_settled,
    read_stored,
)

E = TypeVar("E", bound=Entry)

_OFFSET_BITS = 40
_OFFSET_MASK = (1 << _OFFSET_BITS) - 1


class Remembered(msgspec.Struct, frozen=True):
    """A cursor of the newest segment's first line, and whose it is."""

    to: str
    cursor: Cursor


class _Name(msgspec.Struct, frozen=True):
    session_id: str
    turn: int


_decode_name = msgspec.json.Decoder(_Name).decode


def place_of(segment: int, offset: int) -> int:
    return segment << _OFFSET_BITS | offset


def located(place: int) -> tuple[int, int]:
    """The segment and the offset of a place."""
    return place >> _OFFSET_BITS, place & _OFFSET_MASK


class History:
    """The segments of one lane, by number, oldest first; at least one.

    end  where the newest ends, if what follows is a torn tail that nobody has cut off

    `messages` has how many there are in each segment that was read to its end, forgotten ones included.

    Reading raises DataDirError that names the file and line of what cannot be read, or OSError.
    """

    def __init__(self, lane: str, segments: Mapping[int, Path], end: int | None = None) -> None:
        self.messages: Counter[int] = Counter()
        self._lane = lane
        self._segments = dict(segments)
        self._end = end
        *self._older, self._newest = self._segments

    def read(self) -> Iterator[tuple[int, Remembered | Entry]]:
        """Everything, with its place: the cursors, then messages and confirmations in order."""
        yield from ((0, cursor) for cursor in self._cursors())
        yield from self._stored_before()
        yield from self._located(self._newest, read_entries)

    def settled(self) -> Iterator[Remembered | Settled]:
        """What is settled: with `stored` all that `read` gives."""
        yield from self._cursors()
        yield from read_settled(self._segments[self._newest], self._end)

    def stored(self) -> Iterator[tuple[int, Stored]]:
        """The messages, settled or not, with their places and in order."""
        yield from self._stored_before()
        yield from self._located(self._newest, read_stored)

    def _cursors(self) -> Iterator[Remembered]:
        header = read_header(self._segments[self._newest], self._lane, self._newest)
        for to, cursors in header.cursors.items():
            for cursor in cursors:
                yield Remembered(to, cursor)

    def _stored_before(self) -> Iterator[tuple[int, Stored]]:
        """The messages of the older segments."""
        if not self._older:
            return
        known = {(each.to, each.cursor.session_id, each.cursor.turn) for each in self._cursors()}
        for number in self._older:
            read_header(self._segments[number], self._lane, number)
            for place, entry in self._located(number, read_stored):
                name = _decode_name(entry.d)
                if (entry.to, name.session_id, name.turn) in known:
                    yield place, entry

    def _located(
        self, number: int, read: Callable[[Path, int | None], Iterator[tuple[int, E]]]
    ) -> Iterator[tuple[int, E]]:
        """A segment's lines with their places."""
        messages = 0
        for offset, entry in read(self._segments[number], self._end if number == self._newest else None):
            messages += isinstance(entry, Stored)
            yield place_of(number, offset), entry
        self.messages[number] = messages
