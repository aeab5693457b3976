"""The growing end of a log, and recordings as whole files.

Rules
- `append` is one write for all its records, and returns only after the kernel has them: `kill -9` loses nothing
  that was handed on. `sync` makes it survive the machine.
- A torn last line is what a crash leaves: the next writer truncates it.
- Half of a surrogate pair, as a vendor's id may hold it, is written as JSON's escape.
- Files are created 0600. A new file is begun past `rotate_bytes`; `retain` removes old ones from the front.
- What the records before a new file add up to is written beside it (its fold, see files.py) when it is begun.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from connectors.disk.durable import is_full, replaced, sync_data, sync_path, write_all, write_whole
from connectors.disk.files import compressing
from connectors.disk.lock import Lock
from connectors.errors import DataDirError
from connectors.log.files import FOLD, FORMAT, VERSION, LogReader, Position, name_of, numbered, whole_length
from connectors.log.records import Header, Record
from connectors.text import to_json

_encode = msgspec.json.Encoder().encode


class LogWriter:
    """The growing end of a lane's log. A lock on the folder keeps it the only one; `check` tells whether it still does.

    fold     gives what all records so far add up to, as plain data, to be kept beside each new file
    on_full  is asked, when the disk is full, whether it could make room; then the write is tried once more

    Opening it truncates a torn last line. Raises DataDirError where another process has the lane, or it is another
    vendor's. `append` belongs to one thread (the reactor's); `sync` and `retain`
    may be called from another.
    """

    def __init__(
        self,
        folder: Path,
        vendor: str,
        *,
        rotate_bytes: int = 64 << 20,
        note: str = "",
        fold: Callable[[], Any] | None = None,
        on_full: Callable[[], bool] | None = None,
    ) -> None:
        self.fold = fold
        self._on_full = on_full
        self._folder = folder
        self._rotate_bytes = rotate_bytes
        self._fd = -1
        self._lock = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._locks = _own(folder)
        header = self._repair([number for number, _ in numbered(folder)])
        if header is not None:
            self.header = header
        else:
            self.header = Header(FORMAT, VERSION, vendor, _format_created(datetime.now(UTC)), note)
            self._begin(1)
        if self.header.vendor != vendor:
            raise DataDirError(
                f"{folder} holds a log of {self.header.vendor!r}, not of {vendor!r}; "
                "use another --data-dir for another vendor"
            )

    @property
    def position(self) -> Position:
        return Position(self._number, self._offset)

    def append(self, records: Sequence[Record]) -> Position:
        """Write records as one piece; returns the position after them.

        Raises OSError (a full disk) with nothing of this call left in the file.
        """
        data = b"".join([to_json(record) + b"\n" for record in records])
        try:
            self._write(data)
        except OSError as error:
            if not is_full(error) or self._on_full is None or not self._on_full():
                raise
            self._write(data)
        self._offset += len(data)
        return self.position

    def _write(self, data: bytes) -> None:
        """All of the data or none of it."""
        if self._offset + len(data) > self._rotate_bytes and self._offset > self._header_length:
            self._rotate()
        try:
            write_all(self._fd, data)
        except OSError:
            os.ftruncate(self._fd, self._offset)
            raise

    def sync(self) -> None:
        """Make everything appended so far survive a power cut."""
        with self._lock:
            sync_data(self._fd)

    def check(self) -> None:
        """Raise DataDirError where the folder is not ours any more."""
        if not all(lock.check() for lock in self._locks):
            raise DataDirError(f"{self._folder} was removed or replaced while the job ran; restore it and start again")

    def retain(self, oldest: Position, keep_bytes: int) -> int:
        """Remove files before `oldest` from the front while the rest holds `keep_bytes` or more; returns how many."""
        files = numbered(self._folder)
        sizes = [path.stat().st_size for _, path in files]
        total, removed = sum(sizes), 0
        for (number, path), size in zip(files, sizes, strict=True):
            if number >= min(oldest.file, self._number) or total - size < keep_bytes:
                break
            path.with_suffix(FOLD).unlink(missing_ok=True)
            path.unlink()
            total -= size
            removed += 1
        return removed

    def close(self) -> None:
        """Sync and close. Idempotent."""
        with self._lock:
            fd, self._fd = self._fd, -1  # first: a late append must never meet a number that is another file's by now
            if fd >= 0:
                sync_data(fd)
                os.close(fd)
                for lock in self._locks:
                    lock.close()

    def _begin(self, number: int) -> None:
        """Begin a file; where the disk is full, there is none, and nothing has changed."""
        path = self._folder / name_of(number)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        line = _encode(self.header) + b"\n"
        try:
            write_all(fd, line)
            sync_path(self._folder)
        except OSError:
            os.close(fd)
            path.unlink()
            raise
        self._fd = fd
        self._number, self._offset, self._header_length = number, len(line), len(line)

    def _rotate(self) -> None:
        with self._lock:
            before = self._fd
            sync_data(before)
            self._begin(self._number + 1)
            os.close(before)
        if self.fold is not None:
            with contextlib.suppress(OSError):  # only the next start's time depends on it
                write_whole(self._folder / name_of(self._number, FOLD), to_json(self.fold()))

    def _repair(self, numbers: list[int]) -> Header | None:
        """Cut the torn end of the newest file; a file whose very header is torn was never used, and goes.

        None where there is no file left.
        """
        if not numbers:
            return None
        newest = self._folder / name_of(numbers[-1])
        whole = whole_length(newest)
        if whole == 0 and (len(numbers) > 1 or newest.stat().st_size == 0):
            newest.unlink()
            return self._repair(numbers[:-1])
        if whole == 0:
            raise DataDirError(f"{newest} has no header line; move it away and start again")
        self._fd = os.open(newest, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        if whole != os.fstat(self._fd).st_size:
            os.ftruncate(self._fd, whole)
        header = LogReader(newest).header
        self._number, self._offset = numbers[-1], whole
        self._header_length = len(_encode(header)) + 1
        return header


def write_recording(path: Path, header: Header, records: Iterable[Record]) -> int:
    """Write a log as one file (`.zst` compresses it), 0600, whole or not at all; returns the number of records."""
    count = 0
    path.parent.mkdir(parents=True, exist_ok=True)
    with replaced(path) as file, compressing(file, path) as out:
        out.write(_encode(header) + b"\n")
        for record in records:
            out.write(to_json(record) + b"\n")
            count += 1
    return count


def _format_created(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _own(folder: Path) -> list[Lock]:
    """Lock the lane for this process.

    The folder itself, which cannot be deleted without the log; and a file in it, which earlier versions lock, and which
    must do where folders cannot be locked.
    """
    locks: list[Lock] = []
    for path in (folder, folder / "lock"):
        if (lock := Lock.take(path)) is None:
            for taken in locks:
                taken.close()
            raise DataDirError(
                f"{folder} belongs to another process that is running; stop it, or use another --data-dir"
            )
        locks.append(lock)
    return locks
