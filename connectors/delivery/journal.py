"""What delivery remembers, on disk: an append-only journal of messages and of their confirmations.

Rules
- JSON lines in segments, `delivery-<lane>-<number>.jsonl`, 0600. One write a batch.
- A segment's first line holds every cursor there is. So the newest segment tells what is confirmed; the older
  ones only keep the texts of messages that are not, and what the newest does not know is forgotten.
- A write survives the death of the process. It survives the death of the machine once `sync` has returned;
  the sink calls it before each snapshot, so nothing is missing that the flow will not say again. A
  confirmation lost that way costs a repetition, never a message.
- A torn tail is cut off. Damage anywhere else is an error that says where.
- When a segment is full, `rotate` begins the next; segments without a message that anybody waits for are
  removed, and thin ones are merged. On disk: at most four times what waits, the cursors, and two segments.
- What a reader of the confirmations (reader.py) has not read is neither removed nor merged. Of more than `MAX_UNREAD`
  such segments the oldest go unread, counted.
- One process at a time: the lane is held by a lock on a file, which is asked for before each write.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from connectors.delivery.history import History, Remembered, located, place_of
from connectors.delivery.segment import (
    Cursors,
    Entry,
    Settled,
    Stored,
    encode_line,
    find_segments,
    header_line,
    measure,
    read_header,
    read_message,
    write_segment,
)
from connectors.disk.durable import is_full, sync_data, write_all
from connectors.disk.lock import Lock
from connectors.errors import DataDirError

__all__ = ["Journal", "Position", "Remembered", "Settled", "Stored"]

log = logging.getLogger(__name__)

SEGMENT_BYTES = 16 * 1024 * 1024
MAX_UNREAD = 16
"""Full segments that are kept for a reader who does not come for them."""

SNAPSHOT_VERSION = 1
"""Of a position, as a sink's snapshot holds it."""


class Position(NamedTuple):
    """How far the journal was written: a segment's number and the bytes in it."""

    segment: int
    offset: int

    def snapshot(self) -> dict[str, int]:
        return {"version": SNAPSHOT_VERSION, "segment": self.segment, "offset": self.offset}

    @classmethod
    def restore(cls, data: Mapping[str, int]) -> Position:
        return cls(data["segment"], data["offset"])


class Journal:
    """The journal of one lane. Not thread-safe: whoever shares it holds a lock.

    directory      made 0700 if it is not there
    segment_bytes  a segment is full when this much was appended to it
    on_full        called when the disk is full; True: room was made, and the write is tried once more
    unread         gives the oldest segment that a reader of the confirmations has not read to its end; None: none reads

    `lost` counts the segments that were not read when they had to go. Opening raises DataDirError if another process
    holds the lane, or the files are not ours. After it, read what is there, `read` or `settled` and `stored`, before
    anything is appended. Whatever touches the disk raises DataDirError when the disk fails, and leaves no half line.
    """

    def __init__(
        self,
        directory: Path,
        lane: str,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        on_full: Callable[[], bool] | None = None,
        unread: Callable[[], int | None] = lambda: None,
    ) -> None:
        self.lost = 0
        self._lost_up_to = 0
        self._unread = unread
        self._directory = directory
        self._lane = lane
        self._segment_bytes = segment_bytes
        self._on_full = on_full
        self._fd = -1
        self._readers: dict[int, int] = {}
        self._segments: list[int] = []
        self._messages: Counter[int] = Counter()
        self._unsynced = True
        self._lock: Lock | None = None
        try:
            try:
                self._open()
            except OSError as error:
                if not is_full(error) or on_full is None or not on_full():
                    raise
                self._open()
        except OSError as error:
            self.close()
            raise self._failure("open", error) from error
        except BaseException:
            self.close()
            raise

    # Reading

    def read(self) -> Iterator[tuple[int, Remembered | Entry]]:
        """Everything remembered, with its place: the cursors, then messages and confirmations in order.

        Raises DataDirError that names the file and line of what cannot be read.
        """
        return self._history().read()

    def settled(self) -> Iterator[Remembered | Settled]:
        """What is settled, in order: with `stored` all that `read` gives."""
        return self._history().settled()

    def stored(self) -> Iterator[tuple[int, Stored]]:
        """The messages, settled or not, with their places and in order."""
        return self._history().stored()

    def fetch(self, places: Iterable[int]) -> list[bytes]:
        """The messages stored at these places, as they go out."""
        try:
            return [self._fetch(place) for place in places]
        except OSError as error:
            raise self._failure("read", error) from error

    # Writing

    def append(self, entries: Sequence[Entry]) -> list[int]:
        """Write them at once. Returns the place of each."""
        base = place_of(self._newest, 0)
        places, lines, offset = [], [], self._size
        for entry in entries:
            line = encode_line(entry) + b"\n"
            places.append(base | offset)
            lines.append(line)
            offset += len(line)
        self._write(b"".join(lines))
        self._messages[self._newest] += sum(isinstance(entry, Stored) for entry in entries)
        return places

    def sync(self) -> Position:
        """Make everything written so far survive the machine. Returns how far that is."""
        position = Position(self._newest, self._size)
        if self._unsynced:
            self._unsynced = False
            try:
                sync_data(self._fd)
            except OSError as error:
                self._unsynced = True
                raise self._failure("sync", error) from error
        return position

    def check(self, position: Position) -> None:
        """Raise DataDirError if less is here than had been synced when `position` was taken."""
        if position > (self._newest, self._size):
            raise DataDirError(
                f"{self._directory}: the delivery journal of lane {self._lane} is shorter than the recovery "
                "store says; restore the journal, or move the recovery store away to deliver from the log"
            )

    @property
    def full(self) -> bool:
        """Whether the newest segment has taken its share, and `rotate` is due."""
        return self._size - self._header_size >= self._segment_bytes

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(self._path(number).stat().st_size for number in self._segments)

    def rotate(self, cursors: Cursors, live: Iterable[int], again: Iterable[Entry] = ()) -> dict[int, int]:
        """Begin a segment with these cursors and what is said `again`; drop what lies outside `live` where that pays.

        Returns the messages that have moved: old place to new place.
        """
        number = self._newest + 1
        try:
            sync_data(self._fd)
            header = header_line(self._lane, number, cursors)
            lines = b"".join(encode_line(entry) + b"\n" for entry in again)
            before, fd = self._fd, write_segment(self._path(number), header + lines)
            self._segments.append(number)
            self._messages[number] = 0
            self._go_on(fd, len(header), len(header) + len(lines))
            os.close(before)
            return self._sweep(live)
        except OSError as error:
            raise self._failure("rotate", error) from error

    def close(self) -> None:
        """Sync, close the files, let go of the lane. Idempotent."""
        for fd in self._readers.values():
            os.close(fd)
        self._readers.clear()
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                sync_data(self._fd)
            os.close(self._fd)
            self._fd = -1
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    # Within

    def _open(self) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = self._lock or self._acquire()
        for pattern in (f".delivery-{self._lane}-*.partial", f"delivery-{self._lane}-*.tmp"):  # the latter until 0.1
            for left_over in self._directory.glob(pattern):
                left_over.unlink()
        self._segments = list(find_segments(self._directory, self._lane))
        if not self._segments:
            os.close(write_segment(self._path(1), header_line(self._lane, 1, {})))
            self._segments = [1]
        path = self._path(self._newest)
        read_header(path, self._lane, self._newest)
        header_size, size = measure(path)
        os.truncate(path, size)
        self._go_on(os.open(path, os.O_RDWR | os.O_APPEND), header_size, size)

    @property
    def _newest(self) -> int:
        return self._segments[-1]

    def _path(self, number: int) -> Path:
        return self._directory / f"delivery-{self._lane}-{number:08d}.jsonl"

    def _acquire(self) -> Lock:
        lock = Lock.take(self._directory / f"delivery-{self._lane}.lock")
        if lock is None:
            raise DataDirError(
                f"{self._directory}: another process delivers lane {self._lane}; stop it, or use another --data-dir"
            )
        return lock

    def _go_on(self, fd: int, header_size: int, size: int) -> None:
        """Append to the newest segment, which is open as `fd`."""
        self._fd, self._header_size, self._size, self._unsynced = fd, header_size, size, True

    def _history(self) -> History:
        history = History(self._lane, {number: self._path(number) for number in self._segments})
        self._messages = history.messages
        return history

    def _fetch(self, place: int) -> bytes:
        number, offset = located(place)
        if number not in self._readers:
            self._readers[number] = os.open(self._path(number), os.O_RDONLY)
        message = read_message(self._readers[number], offset)
        if message is None:
            raise DataDirError(f"{self._path(number)}: no message at byte {offset}; the file was changed")
        return message

    def _write(self, data: bytes) -> None:
        if self._lock is None or not self._lock.check():
            raise DataDirError(
                f"{self._directory}: the journal of lane {self._lane} was taken over by another process, or removed; "
                "stop that one, or restore the folder, and start again"
            )
        for attempt in (1, 2):
            try:
                write_all(self._fd, data)
            except OSError as error:
                os.ftruncate(self._fd, self._size)  # no half line stays
                full = is_full(error)
                if attempt == 1 and full and self._on_full is not None and self._on_full():
                    continue
                raise self._failure("write to", error) from error
            self._size += len(data)
            self._unsynced = True
            return

    def _sweep(self, live: Iterable[int]) -> dict[int, int]:
        """Remove sealed segments that nobody waits for, and merge one thin pair: the pause stays short."""
        by_segment: defaultdict[int, list[int]] = defaultdict(list)
        for place in live:
            by_segment[located(place)[0]].append(place)
        last = self._last_read()
        for number in [n for n in self._segments if n <= last and n not in by_segment]:
            self._remove(number)
        for older, newer in pairwise([n for n in self._segments if n <= last]):
            waiting = sum(self._waiting_bytes(number, len(by_segment[number])) for number in (older, newer))
            if waiting <= self._segment_bytes / 2:
                return self._merge(older, newer, by_segment)
        return {}

    def _last_read(self) -> int:
        """The newest sealed segment that was read, or that can be waited for no longer."""
        sealed = self._segments[:-1]
        unread = self._unread()
        if unread is None:
            return sealed[-1]
        too_many = [number for number in sealed if number >= unread][:-MAX_UNREAD]
        if lost := [number for number in too_many if number > self._lost_up_to]:
            self.lost += len(lost)
            self._lost_up_to = lost[-1]
            log.warning(
                "%s: segments %d to %d of lane %s wait to be read no longer: who reads them is too far behind",
                *(self._directory, lost[0], lost[-1], self._lane),
            )
        return min(sealed[-1], too_many[-1] if too_many else unread - 1)

    def _waiting_bytes(self, number: int, live: int) -> float:
        """About how many bytes of a segment somebody waits for."""
        return self._path(number).stat().st_size * live / max(1, self._messages[number])

    def _merge(self, older: int, newer: int, by_segment: dict[int, list[int]]) -> dict[int, int]:
        """Both segments' live messages become the newer one. A crash in between leaves some in both."""
        content = [header_line(self._lane, newer, {})]
        size = len(content[0])
        moved: dict[int, int] = {}
        for number in (older, newer):
            data = self._path(number).read_bytes()
            for place in sorted(by_segment[number]):
                _, offset = located(place)
                line = data[offset : data.index(b"\n", offset) + 1]
                moved[place] = place_of(newer, size)
                content.append(line)
                size += len(line)
        os.close(write_segment(self._path(newer), b"".join(content)))
        self._messages[newer] = len(moved)
        self._close_reader(newer)
        self._remove(older)
        return moved

    def _remove(self, number: int) -> None:
        self._close_reader(number)
        self._segments.remove(number)
        del self._messages[number]
        with contextlib.suppress(OSError):  # it is not needed, but does no harm
            self._path(number).unlink()

    def _close_reader(self, number: int) -> None:
        if (fd := self._readers.pop(number, None)) is not None:
            os.close(fd)

    def _failure(self, verb: str, error: OSError) -> DataDirError:
        reason = error.strerror or type(error).__name__
        return DataDirError(
            f"{self._directory}: cannot {verb} the delivery journal: {reason}; make room or fix the disk"
        )
