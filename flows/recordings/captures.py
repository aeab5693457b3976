"""What people have, as a recording: a body that curl saved, a file of requests and answers, or JSON lines of tokens.

Rules
- What may hold answers is taken apart by exchanges.py, a body by bodies.py; whose it is says shapes.py, and what its
  turns come to, imports.py. Nothing is left out in silence: what was no answer of a model is counted, and said.
- A saved body knows no times: its events come `every` seconds. One that is read as it arrives (`-`, behind a pipe)
  has its own. JSON lines have theirs in `t_ms`, milliseconds since the request, one a token.
- One turn is a session of the name that was given; of several, each exchange is one, numbered from 1.
- JSON lines are a stream a line, {"id", "tokens": [...], "t_ms": [...]}, or a token a line, {"token", "t_ms"}.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import msgspec

from connectors.errors import InputError
from connectors.log.files import FORMAT, VERSION
from connectors.log.records import MARK, SESSION_ID, Header, Record
from connectors.log.writer import write_recording
from connectors.vendors.answers import at as value_at
from connectors.vendors.base import Vendor
from connectors.vendors.registry import known, named
from flows.recordings import bodies, editing, imports, lines
from flows.recordings.bodies import Body, Chunk, Frame, message_of
from flows.recordings.exchanges import Exchange, exchanges_in
from flows.recordings.imports import PLAIN, About, Turn
from flows.recordings.shapes import AUTO, TokenPath, claimed, no_text

EVERY = 0.03
MAX_BODY = 256 << 20
CHUNK = 1 << 16

_MODEL = (("model",), ("message", "model"), ("response", "model"), ("modelVersion",))


class Imported(msgspec.Struct, frozen=True):
    """What an import made.

    vendor    whose frames they are
    tokens    that are shown
    path      the token path by which it was read, where one was given
    timed     every frame came with its time; else there are evenly spaced ones
    failed    how turns ended that did not finish, with their count
    left_out  exchanges that were no answer of a model
    """

    records: list[Record]
    vendor: str
    tokens: int
    path: str | None = None
    timed: bool = True
    failed: dict[str, int] = {}
    left_out: int = 0


def import_file(
    source: Path | BinaryIO,
    target: Path,
    about: About,
    *,
    shape: str = AUTO,
    path: str | None = None,
    every: float = EVERY,
) -> Imported:
    """Read a file, or a stream as it arrives, and write the recording. Raises InputError, naming the remedy."""
    if isinstance(source, Path):
        try:
            body, created = source.read_bytes(), datetime.fromtimestamp(int(source.stat().st_mtime), UTC)
        except OSError as error:
            raise InputError(f"{source} cannot be read: {error.strerror}") from None
        name = source.name
        chunks: list[Chunk] = [(None, body)]
    else:
        name, created = "capture", datetime.now(UTC).replace(microsecond=0)
        chunks = list(_arriving(source))
    if sum(len(chunk) for _, chunk in chunks) > MAX_BODY:
        raise InputError(f"{name} is larger than {MAX_BODY >> 20} MB; split it")
    about = msgspec.structs.replace(about, session=about.session or session_of(target))
    if not SESSION_ID.fullmatch(about.session or ""):
        raise InputError("--session-id: letters, digits and . _ : @ - only, at most 128 of them")
    try:
        made = from_chunks(chunks, about, shape=shape, path=path, every=every)
    except InputError as error:
        raise InputError(f"{name}: {error}") from None
    note = f"Imported from {name}" + (f" by the token path {made.path}." if made.path else ".")
    header = Header(FORMAT, VERSION, made.vendor, created.isoformat().replace("+00:00", "Z"), note)
    with editing.writing(target):
        write_recording(target, header, made.records)
    return made


def from_chunks(
    chunks: Sequence[Chunk], about: About, *, shape: str = AUTO, path: str | None = None, every: float = EVERY
) -> Imported:
    """Whatever is in a file, given in pieces with the microseconds at which they came, where they are known.

    Raises InputError.
    """
    if path is None and lines.are_tokens(b"".join(chunk for _, chunk in chunks[:64])[:65_536]):
        return from_lines(b"".join(chunk for _, chunk in chunks).splitlines(), about, every=every)
    reader = _Reader(about, shape, path, every)
    return reader.read(exchanges_in(chunks))


class _Read(msgspec.Struct, eq=False):
    """An exchange, with its body's frames."""

    exchange: Exchange
    body: Body
    status: int | None

    @property
    def is_failure(self) -> bool:
        """Whether it is known that nothing was answered: by a status, or as the connection broke before."""
        if self.exchange.packets:
            return all(packet.sent or packet.text is None for packet in self.exchange.packets)
        return (self.status or 0) >= 400 or (self.exchange.cut and not self.body.frames)


class _Reader:
    """One import, as it was asked for."""

    def __init__(self, about: About, shape: str, path: str | None, every: float) -> None:
        if shape not in (AUTO, *known()):
            raise InputError(
                f"{shape[:40]!r} is no preset; there are {', '.join((AUTO, *known()))}, or give --token-path"
            )
        self._about = about
        self._shape = shape
        self._path = None if path is None else TokenPath(path)
        self._step = round(every * 1e6)
        self._timed = True

    def read(self, exchanges: Sequence[Exchange]) -> Imported:
        reads = [_read(exchange) for exchange in exchanges]
        vendor, taken = self._whose(reads)
        made: list[tuple[About, list[Turn]]] = []
        for each in taken:
            about = self._about_of(each, len(made) + 1 if len(taken) > 1 else 0)
            made.append((about, self._turns(each, vendor)))
        turns = [turn for _, several in made for turn in several]
        if self._path is not None and not any(turn.tokens for turn in turns):
            raise InputError(no_text([frame for each in taken for frame in _frames(each)], self._path.path))
        records = [record for about, several in made for record in _records(about, several)]
        failed = [turn.reason for turn in turns if turn.reason != "finished"]
        return Imported(
            _with_mark(sorted(records, key=lambda record: record.t)),
            PLAIN if self._path is not None else vendor.name,
            sum(turn.tokens for turn in turns),
            None if self._path is None else self._path.path,
            self._timed,
            {reason: failed.count(reason) for reason in failed},
            len(reads) - len(taken),
        )

    def _whose(self, reads: Sequence[_Read]) -> tuple[Vendor, list[_Read]]:
        """The one vendor whose answers are taken, and its exchanges. Raises InputError."""
        asked = named(PLAIN if self._path is not None or self._shape == AUTO else self._shape)
        if self._path is not None or (self._shape != AUTO and len(reads) == 1):
            whose = [(each, asked if _frames(each) else None) for each in reads]
        else:
            whose = [(each, _whose(each)) for each in reads]
        found = list(dict.fromkeys(vendor for _, vendor in whose if vendor is not None))
        if self._shape != AUTO:
            found = [asked] if asked in found else []
        if len(found) > 1:
            names = ", ".join(vendor.name for vendor in found)
            raise InputError(f"there are answers of {names} in it; say with --preset whose to take")
        taken = [
            each
            for each, vendor in whose
            if vendor in found or (vendor is None and each.is_failure and (each.exchange.prompt or len(reads) == 1))
        ]
        if not taken:
            raise InputError(_nothing(reads, self._shape if self._path is None else self._path.path))
        return found[0] if found else asked, taken

    def _about_of(self, each: _Read, number: int) -> About:
        """What the caller said, else what the exchange itself says."""
        about, exchange = self._about, each.exchange
        session = f"{(about.session or '')[:116]}-{number}" if number else about.session
        return msgspec.structs.replace(
            about,
            session=session,
            prompt=about.prompt or exchange.prompt or "",
            model=about.model or _model(_frames(each)) or exchange.model,
        )

    def _turns(self, each: _Read, vendor: Vendor) -> list[Turn]:
        exchange, body = each.exchange, each.body
        if self._path is not None:
            timed = all(frame.t is not None for frame in _frames(each))
            return [imports.by_path(self._stamped(_frames(each)), self._path, self._step, timed=timed)]
        if exchange.packets:
            several = [
                (prompt, imports.decoded(self._stamped(frames), vendor, cut=exchange.cut))
                for prompt, frames in imports.turns_of(exchange.packets, vendor)
            ]
            return [turn._replace(prompt=prompt) for prompt, turn in several] or [imports.refused(None, cut=True)]
        if not body.frames or (each.status or 0) >= 400:
            return [imports.refused(each.status, cut=exchange.cut)]
        return [imports.decoded(self._stamped(body.frames), vendor, cut=exchange.cut, damage=body.damage)]

    def _stamped(self, frames: Sequence[Frame]) -> list[tuple[int, Frame]]:
        """Frames with their times, or with evenly spaced ones."""
        self._timed = self._timed and all(frame.t is not None for frame in frames)
        return [
            (frame.t if frame.t is not None else (place + 1) * self._step, frame) for place, frame in enumerate(frames)
        ]


def from_lines(lines_in: Iterable[bytes], about: About, *, every: float = EVERY) -> Imported:
    """The turns of JSON lines of tokens. Raises InputError, naming the line."""
    streams = lines.read(lines_in, about)
    records = [record for stream in streams for record in stream.records(every)]
    return Imported(
        _with_mark(sorted(records, key=lambda record: record.t)),
        PLAIN,
        sum(len(stream.tokens) for stream in streams),
        timed=all(stream.t_ms is not None for stream in streams),
    )


def session_of(path: Path) -> str:
    """A session id made of a file's name."""
    stem = path.name.removesuffix(".zst").removesuffix(".jsonl")
    name = re.sub(r"[^A-Za-z0-9._:@-]+", "-", stem)[:128]
    return name if SESSION_ID.fullmatch(name) else "s-1"


def _read(exchange: Exchange) -> _Read:
    body = bodies.read(exchange.chunks)
    return _Read(exchange, body, exchange.status if exchange.status is not None else body.status)


def _whose(each: _Read) -> Vendor | None:
    """Whose answer it is: what it says tells, and of a failure, where it was asked."""
    path = each.exchange.path
    there = next((vendor for vendor in known().values() if vendor.paths and path.endswith(vendor.paths)), None)
    return there if there and each.is_failure else claimed(_frames(each), known())


def _frames(each: _Read) -> list[Frame]:
    if each.exchange.packets:
        return [Frame(packet.t, packet.text) for packet in each.exchange.packets if packet.text is not None]
    return each.body.frames


def _records(about: About, turns: Iterable[Turn]) -> Iterator[Record]:
    """A session's turns, one after the other."""
    begin = 0
    for number, turn in enumerate(turns):
        records = imports.records(about, number, turn, begin)
        begin = records[-1].t
        yield from records


def _with_mark(records: Sequence[Record]) -> list[Record]:
    return [*records, Record(records[-1].t, k=MARK)]


def _nothing(reads: Sequence[_Read], shape: str) -> str:
    """What to say of a file without an answer of a model."""
    frames = [frame for each in reads for frame in _frames(each)]
    if frames or not any(each.exchange.chunks for each in reads):
        return no_text(frames, shape)
    if len(reads) > 1:
        return f"none of the {len(reads)} exchanges in it is an answer of a model with its body"
    return "it is no streamed answer: neither Server-Sent Events nor JSON; give the body as `curl -N -o FILE` saves it"


def _model(frames: Sequence[Frame]) -> str | None:
    """The model's name, where the first frames tell it."""
    for frame in frames[:3]:
        message = message_of(frame)
        for keys in _MODEL:
            if isinstance(value := value_at(message, *keys), str) and value:
                return value
    return None


def _arriving(stream: BinaryIO) -> Iterator[Chunk]:
    """What comes through a pipe, with the microsecond since the first look at it."""
    begun, size = time.monotonic_ns(), 0
    while size <= MAX_BODY and (chunk := os.read(stream.fileno(), CHUNK)):
        size += len(chunk)
        yield (time.monotonic_ns() - begun) // 1000, chunk
