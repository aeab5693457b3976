"""The log: JSON lines, append only, in numbered files of one folder per lane.

Rules
- A file is a header line and records after it; every file of a lane has the same `created`.
- Only whole lines count. A torn last line is what a crash leaves: a writer truncates it, a reader passes it over
  (of a recording, which people edit, a last line without its line end counts if it is a record).
- A position is (file number, byte offset of the next record). It survives restarts.
- A recording may be anybody's: its session ids are held to the rule of requests, its times to what a
  clock can show, its lines to a length (connectors/disk/files.py).
- `append` is one write for all its records, and returns only after the kernel has them: `kill -9` loses nothing
  that was handed on. `sync` makes it survive the machine.
- Half of a surrogate pair, as a vendor's id may hold it, is written as JSON's escape.
- Files are created 0600. A new file is begun past `rotate_bytes`; `retain` removes old ones from the front.
- Beside a file may lie its fold (`.fold`): what the records before it add up to, so that a start need not read
  them all. It is written when the file is begun; without it, an earlier one or the whole log is read.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from connectors.disk.durable import is_full, replaced, sync_data, sync_path, write_all, write_whole
from connectors.disk.files import COMPRESSED, compressing, first_line, lines
from connectors.disk.lock import Lock
from connectors.errors import DataDirError, InputError
from connectors.log.records import SECOND, SESSION_ID, Header, Record
from connectors.text import from_json, to_json

FORMAT = "tokenweir"
FOLD = ".fold"
VERSION = 1
MAX_SKEW = 5 * SECOND
"""A turn is dated by log time, unless that is further than this from the wall clock."""
LATEST = 10**15
"""Microseconds: 31 years after `created`."""

MAX_KNOWN = 10_000
LAST_YEAR = 9_000

_encode = msgspec.json.Encoder().encode
_decode_record = msgspec.json.Decoder(Record).decode
_decode_header = msgspec.json.Decoder(Header).decode


class Position(NamedTuple):
    """Where the next record begins: the number of the file and the byte in it."""

    file: int
    offset: int


class LogReader:
    """The records of a log, in order: a recording (one file, plain or `.zst`) or a lane's folder.

    Raises InputError, naming file and line, where it is not a log of ours.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.files = _files(path)
        self._growing = path.is_dir()
        self._sizes = {number: file.stat().st_size for number, file in self.files}
        self.header = _read_header(self.files[0][1])

    @property
    def created(self) -> datetime:
        return parse_created(self.header)

    def begin(self) -> Position:
        """Where the first record that is still kept begins."""
        return self._first(*self.files[0])

    def end(self) -> Position:
        """The end of the last file as it was when the reader was made; beyond any offset of a compressed one."""
        number, path = self.files[-1]
        return Position(number, sys.maxsize if path.suffix == COMPRESSED else self._sizes[number])

    def read(self, start: Position | None = None) -> Iterator[tuple[Record, Position]]:
        """Every whole record from `start` to the end found when the reader was made, with the position after it."""
        for number, path in self.files:
            if start is not None and number < start.file:
                continue
            yield from self._read_file(number, path, start.offset if start and start.file == number else 0)

    def _read_file(self, number: int, path: Path, begin: int) -> Iterator[tuple[Record, Position]]:
        limit = sys.maxsize if path.suffix == COMPRESSED else self._sizes[number]
        known = {""}
        offset, line_number = begin, 0
        for line in lines(path, begin):
            line_number += 1
            offset += len(line)
            if not begin and line_number == 1:  # the header
                continue
            torn = not line.endswith(b"\n") and self._growing
            if torn or offset > limit:
                return
            try:
                record = _decode(line)
                if not self._growing:
                    _check(record, known)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                if not line.endswith(b"\n"):
                    return
                where = f"line {line_number}" if not begin else f"the record that ends at byte {offset}"
                raise InputError(
                    f"{path}: {where} is not a record of a tokenweir log ({_reason(error)}); "
                    "remove the line, or take the recording anew"
                ) from None
            yield record, Position(number, offset)

    def fold(self, before: Position) -> tuple[Any, Position]:
        """The newest fold kept for a file that is not after `before`, and where that file's records begin.

        (None, the log's begin) where there is none, or it cannot be read.
        """
        for number, path in reversed(self.files):
            kept = path.with_suffix(FOLD)
            if number <= before.file and kept.exists():
                try:
                    return from_json(kept.read_bytes(), dict[str, Any]), self._first(number, path)
                except msgspec.DecodeError:
                    continue
        return None, self.begin()

    def _first(self, number: int, path: Path) -> Position:
        return Position(number, len(first_line(path)))


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
        header = self._repair([number for number, _ in _numbered(folder)])
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
        files = _numbered(self._folder)
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
        path = self._folder / _name(number)
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
                write_whole(self._folder / _name(self._number, FOLD), to_json(self.fold()))

    def _repair(self, numbers: list[int]) -> Header | None:
        """Cut the torn end of the newest file; a file whose very header is torn was never used, and goes.

        None where there is no file left.
        """
        if not numbers:
            return None
        newest = self._folder / _name(numbers[-1])
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


class Clock:
    """Log time: microseconds since `created`, never backwards, whatever the wall clock does.

    After a restart it goes on from max(wall clock, last `t` + 1 s).
    """

    def __init__(self, created: datetime, last: int | None, wall: Callable[[], int] = time.time_ns) -> None:
        self._created_us = int(created.timestamp() * SECOND)
        self._wall_ns = wall
        begin = max(self._wall(), last + SECOND, 0) if last is not None else max(self._wall(), 0)
        self._base = begin - time.monotonic_ns() // 1000

    def now(self) -> int:
        return self._base + time.monotonic_ns() // 1000

    def skew(self) -> int:
        """Microseconds that log time is ahead of the wall clock now; 0 within `MAX_SKEW`.

        It goes astray where a start found the wall clock wrong, or somebody set it while the job ran.
        """
        ahead = self.now() - self._wall()
        return ahead if abs(ahead) > MAX_SKEW else 0

    def _wall(self) -> int:
        return self._wall_ns() // 1000 - self._created_us


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


def lists_beside(path: Path) -> Path:
    """The folder of the block lists that a log names: in a lane's folder, or beside a recording."""
    name = path.name.removesuffix(".zst")
    if name.endswith(".jsonl"):
        return path.with_name(name.removesuffix(".jsonl") + ".lists")
    return path / "lists"


def parse_created(header: Header) -> datetime:
    """The header's `created` as an aware datetime. Raises ValueError where it is not RFC 3339."""
    created = datetime.fromisoformat(header.created)
    if created.tzinfo is None or created.year > LAST_YEAR:
        raise ValueError("created has no time zone, or no time that others can be added to")
    return created


def _read_header(path: Path) -> Header:
    try:
        header = _decode_header(first_line(path))
        parse_created(header)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError):
        raise InputError(
            f"{path} is not a tokenweir recording: its first line should be "
            '{"format":"tokenweir","version":1,...}; give a file made by `tokenweir run --record`'
        ) from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    if header.format != FORMAT or header.version != VERSION:
        raise InputError(
            f"{path} has format {header.format!r} version {header.version}; "
            f"this tokenweir reads {FORMAT!r} version {VERSION}"
        )
    return header


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


def _name(number: int, suffix: str = ".jsonl") -> str:
    return f"{number:012d}{suffix}"


def _numbered(folder: Path) -> list[tuple[int, Path]]:
    return sorted((int(p.stem), p) for p in folder.glob("*.jsonl") if p.stem.isdecimal())


def _files(path: Path) -> list[tuple[int, Path]]:
    if not path.exists():
        raise InputError(f"{path} does not exist; give a recording or a folder of one")
    if path.is_file():
        return [(int(path.stem) if path.stem.isdecimal() else 1, path)]
    if files := _numbered(path):
        return files
    raise InputError(f"{path} holds no log files (000000000001.jsonl …); give a recording or a lane's folder")


def whole_length(path: Path) -> int:
    """Bytes of the file up to and with its last line end."""
    with path.open("rb") as stream:
        end = stream.seek(0, os.SEEK_END)
        while end > 0:
            begin = max(0, end - (1 << 16))
            stream.seek(begin)
            found = stream.read(end - begin).rfind(b"\n")
            if found >= 0:
                return begin + found + 1
            end = begin
    return 0


def _check(record: Record, known: set[str]) -> None:
    """Raise ValidationError for a time or a session id that no log of ours has; remember an id that is good."""
    if not 0 <= record.t <= LATEST:
        raise msgspec.ValidationError("no time - at `$.t`")
    if record.s in known:
        return
    if SESSION_ID.fullmatch(record.s) is None:
        raise msgspec.ValidationError("no session id - at `$.s`")
    if len(known) >= MAX_KNOWN:
        known.clear()
        known.add("")
    known.add(record.s)


def _decode(line: bytes) -> Record:
    """A line's record; one that holds half of a surrogate pair, which msgspec refuses, too."""
    try:
        return _decode_record(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        try:
            return from_json(line, Record)
        except msgspec.DecodeError:
            pass
        raise


def _reason(error: Exception) -> str:
    """msgspec's words name the field and never quote the line."""
    return str(error) if isinstance(error, msgspec.DecodeError) else "not UTF-8"
