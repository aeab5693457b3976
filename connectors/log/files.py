"""The log: JSON lines, append only, in numbered files of one folder per lane; what they are, and how they are read.

Rules
- A file is a header line and records after it; every file of a lane has the same `created`.
- Only whole lines count. A torn last line is what a crash leaves: a writer truncates it, a reader passes it over
  (of a recording, which people edit, a last line without its line end counts if it is a record).
- A position is (file number, byte offset of the next record). It survives restarts.
- A recording may be anybody's: its session ids are held to the rule of requests, its times to what a
  clock can show, its lines to a length (connectors/disk/files.py).
- Beside a file may lie its fold (`.fold`): what the records before it add up to, so that a start need not read
  them all. Without it, an earlier one or the whole log is read. How all this is written says writer.py.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from connectors.disk.files import COMPRESSED, blocks, first_line, lines
from connectors.errors import InputError
from connectors.log.records import SESSION_ID, Header, Record
from connectors.text import from_json

FORMAT = "tokenweir"
FOLD = ".fold"
VERSION = 1
LATEST = 10**15
"""Microseconds: 31 years after `created`."""

MAX_KNOWN = 10_000
LAST_YEAR = 9_000

_decode_record = msgspec.json.Decoder(Record).decode
_decode_lines = msgspec.json.Decoder(Record).decode_lines
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

    def read_blocks(self, start: Position | None = None) -> Iterator[tuple[Sequence[Record], Position]]:
        """As `read`, many records at a time, with the position after them."""
        for number, path in self.files:
            if start is not None and number < start.file:
                continue
            yield from self._blocks_of(number, path, start.offset if start and start.file == number else 0)

    def _blocks_of(self, number: int, path: Path, begin: int) -> Iterator[tuple[Sequence[Record], Position]]:
        """Of one file; from what is no plain block of records on, record by record: that knows what is wrong."""
        limit = sys.maxsize if path.suffix == COMPRESSED else self._sizes[number]
        offset, given, known = begin, 0, {""}
        for block in blocks(path, begin):
            head = block.find(b"\n") + 1 if offset == 0 else 0
            records = _decode_block(block[head:] if head else block) if offset + len(block) <= limit else None
            if records is None or not (self._growing or _are_good(records, known)):
                for record, after in islice(self._read_file(number, path, begin), given, None):
                    yield [record], after
                return
            offset += len(block)
            given += len(records)
            yield records, Position(number, offset)

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
                    "remove the line, or take the recording again"
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


def name_of(number: int, suffix: str = ".jsonl") -> str:
    return f"{number:012d}{suffix}"


def numbered(folder: Path) -> list[tuple[int, Path]]:
    return sorted((int(p.stem), p) for p in folder.glob("*.jsonl") if p.stem.isdecimal())


def _files(path: Path) -> list[tuple[int, Path]]:
    if not path.exists():
        raise InputError(f"{path} does not exist; give a recording or a folder of one")
    if path.is_file():
        return [(int(path.stem) if path.stem.isdecimal() else 1, path)]
    if files := numbered(path):
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


def _are_good(records: Sequence[Record], known: set[str]) -> bool:
    """Whether `_check` would raise for none of them."""
    try:
        for record in records:
            if record.s not in known or not 0 <= record.t <= LATEST:
                _check(record, known)
    except msgspec.ValidationError:
        return False
    return True


def _decode_block(block: bytes) -> list[Record] | None:
    """Its lines' records; None where a line is none, or is not whole."""
    try:
        records = _decode_lines(block)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    count = len(records)  # msgspec passes empty lines over, and reads on in the next one
    return records if block.count(b"\n") == count and block.count(b"}\n{") == max(0, count - 1) else None


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
