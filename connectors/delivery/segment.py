"""One file of the delivery journal: its lines, and how it is written and read.

Rules
- The first line is the header, with every cursor there was when the segment began; then one line for each message
  stored and each confirmation. A line counts once its newline is there.
- A segment appears whole or not at all: header and all are written beside, synced, and put in place.
- A torn tail is what follows the last good line. A bad line before a good one is damage, and an error that says
  where it is.
- A line's first bytes tell its kind (`_STORED`, `_SETTLED`), so that who wants one kind need not decode the other.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from itertools import repeat
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from connectors.delivery.progress import Cursor
from connectors.disk.durable import partial, replaced
from connectors.errors import DataDirError

FORMAT = "tokenweir-delivery"
VERSION = 1

_READ = 4096


How: TypeAlias = Literal["ack", "pong", "unconfirmed", "skipped", "dropped", "unknown"]


class Stored(msgspec.Struct, frozen=True, gc=False, tag="message", tag_field="k", omit_defaults=True):
    """A message for one desktop.

    d   its JSON, byte for byte as it goes out
    at  when it was stored: wall clock, microseconds; zero in journals of before it was kept
    """

    to: str
    d: msgspec.Raw
    at: int = 0


class Settled(msgspec.Struct, frozen=True, gc=False, tag="settled", tag_field="k"):
    """The messages `first` to `last` of turn `n` of session `s` will not be sent again.

    at, how  when and why (see Delivered); `at` is zero in journals of before it was kept
    sent     when each was handed to the connection; of none in journals of before it was kept

    Of no message, `last` before `first`, it says only how the desktop confirms (see `acknowledges`).
    """

    to: str
    s: str
    n: int
    first: int
    last: int
    at: int = 0
    how: How = "ack"
    sent: tuple[int | None, ...] = ()


class _Noted(msgspec.Struct, frozen=True, gc=False, tag="noted", tag_field="k"):
    """In older journals, and passed over: how far the table of deliveries was. It has a cursor now (reader.py)."""

    segment: int | None
    waiting: int


class Delivered(msgspec.Struct, frozen=True, gc=False):
    """When and how a message was delivered: a fact of the world, for the table of deliveries.

    sent_at       wall clock, microseconds; None if an earlier process sent it, or it never was
    confirmed_at  wall clock, microseconds
    how           ack, pong; unconfirmed (sent, and nothing confirms it), skipped (nothing to show), dropped (too many
                  waited), unknown (the settings lack the desktop)
    """

    desktop: str
    session_id: str
    turn: int
    seq: int
    sent_at: int | None
    confirmed_at: int
    how: How


Entry: TypeAlias = Stored | Settled
Cursors: TypeAlias = dict[str, list[Cursor]]
"""What is remembered of the turns, by desktop."""


class Header(msgspec.Struct, frozen=True):
    """The first line."""

    format: str
    version: int
    lane: str
    segment: int
    cursors: Cursors = msgspec.field(name="marks")  # its name on disk since version 1


_STORED = b'{"k":"message",'
_SETTLED = b'{"k":"settled",'

encode_line = msgspec.json.Encoder().encode
_decode_header = msgspec.json.Decoder(Header).decode
_decode_entry = msgspec.json.Decoder(Stored | Settled | _Noted).decode
_decode_settled = msgspec.json.Decoder(Settled).decode


def header_line(lane: str, number: int, cursors: Cursors) -> bytes:
    return encode_line(Header(FORMAT, VERSION, lane, number, cursors)) + b"\n"


def read_header(path: Path, lane: str, number: int) -> Header:
    """Raises DataDirError if it is not that segment's."""
    try:
        with path.open("rb") as file:
            header = _decode_header(file.readline())
    except msgspec.DecodeError:
        header = None
    if header is None or (header.format, header.lane, header.segment) != (FORMAT, lane, number):
        raise DataDirError(f"{path}: line 1 is not a delivery journal's; restore the file or move it away")
    if header.version != VERSION:
        raise DataDirError(f"{path}: version {header.version} is not known here; use a newer tokenweir")
    return header


def acknowledgement_of(desktop: str) -> Settled:
    """The line that says of a desktop that it acknowledges."""
    return Settled(desktop, "", 0, 0, -1)


def acknowledges(line: Settled) -> bool:
    """Whether its desktop is known from this line to acknowledge. Where `at` was not kept, neither was `how`."""
    return line.how == "ack" and (line.at > 0 or line.last < line.first)


def delivered_by(line: bytes) -> Iterator[Delivered]:
    """The deliveries that a line tells of: none, if it is no confirmation, or of before it was kept when that was.

    Raises msgspec.DecodeError for a confirmation that is none.
    """
    if line.startswith(_SETTLED) and (settled := _decode_settled(line)).at:
        yield from deliveries(settled)


def deliveries(settled: Settled) -> Iterator[Delivered]:
    """What became of each message that it names, in order."""
    numbers = range(settled.first, settled.last + 1)
    for seq, sent_at in zip(numbers, settled.sent or repeat(None), strict=False):
        yield Delivered(settled.to, settled.s, settled.n, seq, sent_at, settled.at, settled.how)


def find_segments(directory: Path, lane: str) -> dict[int, Path]:
    """A lane's segments by number, oldest first."""
    pattern = re.compile(rf"delivery-{re.escape(lane)}-(\d{{8,}})\.jsonl")
    found = ((pattern.fullmatch(path.name), path) for path in directory.iterdir())
    return dict(sorted((int(match[1]), path) for match, path in found if match))


def read_entries(path: Path, end: int | None = None) -> Iterator[tuple[int, Entry]]:
    """Every line after the header and before `end`, with its offset. Raises DataDirError for one that is damaged."""
    return _read_lines(path, end, lambda line: True)


def read_stored(path: Path, end: int | None = None) -> Iterator[tuple[int, Stored]]:
    """The messages alone."""
    for offset, entry in _read_lines(path, end, lambda line: line.startswith(_STORED)):
        if isinstance(entry, Stored):
            yield offset, entry


def read_settled(path: Path, end: int | None = None) -> Iterator[Settled]:
    """The confirmations alone."""
    for _, entry in _read_lines(path, end, lambda line: not line.startswith(_STORED)):
        if isinstance(entry, Settled):
            yield entry


def _read_lines(path: Path, end: int | None, wanted: Callable[[bytes], bool]) -> Iterator[tuple[int, Entry]]:
    with path.open("rb") as file:
        offset = len(file.readline())
        for count, line in enumerate(file, 2):
            if end is not None and offset >= end:
                return
            if wanted(line):
                try:
                    entry = _decode_entry(line)
                except msgspec.DecodeError:
                    raise _damaged(path, count) from None
                if not isinstance(entry, _Noted):
                    yield offset, entry
            offset += len(line)


def measure(path: Path) -> tuple[int, int]:
    """The length of the header line, and of all good lines: what lies beyond is a torn tail."""
    bad = 0
    with path.open("rb") as file:
        header_size = whole = len(file.readline())
        for count, line in enumerate(file, 2):
            try:
                _decode_entry(line if line.endswith(b"\n") else b"")
            except msgspec.DecodeError:
                bad = bad or count
                continue
            if bad:
                raise _damaged(path, bad)
            whole += len(line)
    return header_size, whole


def read_message(fd: int, offset: int) -> bytes | None:
    """The message stored at this offset, as it goes out; None if there is none."""
    line, size = b"", _READ
    while not line.endswith(b"\n"):
        chunk = os.pread(fd, size, offset + len(line))
        if not chunk:
            return None
        end = chunk.find(b"\n") + 1
        line += chunk[:end] if end else chunk
        size *= 2
    try:
        entry = _decode_entry(line)
    except msgspec.DecodeError:
        return None
    return bytes(entry.d) if isinstance(entry, Stored) else None


def write_segment(path: Path, content: bytes) -> int:
    """Put a whole segment in place, 0600, durably. Returns it open, to append to.

    Raises OSError; then nothing has changed.
    """
    fd = -1
    try:
        with replaced(path) as file:
            file.write(content)
            fd = os.open(partial(path), os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
    except OSError:
        if fd >= 0:
            os.close(fd)
        raise
    return fd


def _damaged(path: Path, line: int) -> DataDirError:
    return DataDirError(f"{path}: line {line} is damaged; remove that line to go on without what it held")
