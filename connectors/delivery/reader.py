"""The confirmations of a delivery journal, read in order beside the process that writes them.

Rules
- Who reads keeps a cursor: the line that he has read last, by its place and its checksum. Where that line is not there
  any more, the journal is another one (moved away, put back, cut by a crash): it is read again from its beginning, so
  what is read may come twice. Each delivery has a name (see Delivered) and a moment; by these it can be told.
- A line counts once its newline is there, and is on disk before it is told: no reader knows more than a start does.
- A segment is left when a later one is there: nothing is appended to it then. One that is gone is passed over.
"""

from __future__ import annotations

import contextlib
import zlib
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec

from connectors.delivery.segment import Delivered, delivered_by, find_segments
from connectors.disk.durable import sync_data


class Cursor(msgspec.Struct, frozen=True):
    """Where a reader is: behind the line of `size` bytes at `offset` of a segment, which has this checksum."""

    segment: int
    offset: int
    size: int
    checksum: int

    @property
    def end(self) -> int:
        return self.offset + self.size


class Reading(NamedTuple):
    """Deliveries in order, and the cursor behind them; `at_end` when there was nothing more."""

    delivered: list[Delivered]
    cursor: Cursor | None
    at_end: bool


class JournalReader:
    """Reads one lane's journal. Opens nothing until it reads, and then what there is. Raises OSError."""

    def __init__(self, directory: Path, lane: str) -> None:
        self._directory = directory
        self._lane = lane

    def stands(self, cursor: Cursor) -> bool:
        """Whether the line that was read last is where it was."""
        try:
            with self._segments()[cursor.segment].open("rb") as file:
                file.seek(cursor.offset)
                return zlib.crc32(file.read(cursor.size)) == cursor.checksum
        except (KeyError, FileNotFoundError):
            return False

    def read(self, cursor: Cursor | None, most: int) -> Reading:
        """What is confirmed after the cursor, from the beginning without one: `most` deliveries, or a line more."""
        delivered: list[Delivered] = []
        for number, path in self._segments().items():  # listed before any is read: all but the last are whole
            if cursor is not None and number < cursor.segment:
                continue
            begin = cursor.end if cursor is not None and number == cursor.segment else 0
            with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
                cursor = self._read_segment(file, number, begin, delivered, most) or cursor
                if delivered:
                    sync_data(file.fileno())
            if len(delivered) >= most:
                return Reading(delivered, cursor, at_end=False)
        return Reading(delivered, cursor, at_end=True)

    def _read_segment(
        self, file: BinaryIO, number: int, begin: int, delivered: list[Delivered], most: int
    ) -> Cursor | None:
        file.seek(begin)
        last, offset, end = b"", begin, begin
        for line in file:
            if not line.endswith(b"\n"):
                break
            last, offset, end = line, end, end + len(line)
            with contextlib.suppress(msgspec.DecodeError):  # damage; a start says of it what is to be said
                delivered += delivered_by(line)
            if len(delivered) >= most:
                break
        return Cursor(number, offset, len(last), zlib.crc32(last)) if last else None

    def _segments(self) -> dict[int, Path]:
        try:
            return find_segments(self._directory, self._lane)
        except FileNotFoundError:
            return {}
