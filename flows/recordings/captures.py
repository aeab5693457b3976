"""What people have, as a recording: an SSE body that curl saved, or JSON lines of tokens.

Rules
- The tokens of another vendor's stream become CXone's frames, one each; a CXone body keeps its events as they are.
- A saved body knows no times: its events come `every` seconds. One that is read as it arrives (`-`, behind a pipe)
  has its own. JSON lines have theirs in `t_ms`, milliseconds since the request, one a token.
- A body that does not say that the answer is whole becomes a turn that was interrupted.
- JSON lines are a stream a line, {"id", "tokens": [...], "t_ms": [...]}, or a token a line, {"token", "t_ms"}.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from connectors.errors import InputError
from connectors.log.files import FORMAT, VERSION, write_recording
from connectors.log.records import CLOSE, ERROR, FRAME, MARK, OPEN, SESSION_ID, Header, Record
from connectors.sse import Event, SSEDecoder
from connectors.vendors.registry import named
from flows.recordings import editing
from flows.recordings.shapes import AUTO, CXONE, Reading, read

EVERY = 0.03
MAX_BODY = 256 << 20
CHUNK = 1 << 16

_write = named(CXONE).frame
_MODEL = ("model", "message.model", "response.model", "modelVersion")


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a stream beside its tokens; the session id is made of a file's name where there is none."""

    session: str | None = None
    prompt: str = ""
    model: str | None = None
    tenant: str | None = None
    language: str | None = None

    def request(self) -> dict[str, Any]:
        """`d` of its open."""
        fields = {"prompt": self.prompt, "model": self.model, "tenant": self.tenant, "language": self.language}
        return {name: value for name, value in fields.items() if value is not None}


class Imported(msgspec.Struct, frozen=True):
    """What an import made.

    path   the token path by which it was read; None for JSON lines
    timed  every token came with its time; else there are evenly spaced ones
    """

    records: list[Record]
    tokens: int
    path: str | None = None
    timed: bool = True


class _Line(msgspec.Struct):
    """A line of JSON lines: a stream or a token."""

    tokens: list[str] | None = None
    token: str | None = None
    text: str | None = None
    t_ms: list[float] | float | None = None
    id: str | None = None
    prompt: str | None = None
    model: str | None = None
    tenant: str | None = None
    language: str | None = None


_decode_line = msgspec.json.Decoder(_Line).decode


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
        chunks: Iterable[tuple[int | None, bytes]] = [(None, body)]
    else:
        name, created = "capture", datetime.now(UTC).replace(microsecond=0)
        chunks = list(_arriving(source))
        body = b"".join([chunk for _, chunk in chunks])
    if len(body) > MAX_BODY:
        raise InputError(f"{name} is larger than {MAX_BODY >> 20} MB; split it")
    about = msgspec.structs.replace(about, session=about.session or session_of(target))
    if not SESSION_ID.fullmatch(about.session or ""):
        raise InputError("--session-id: letters, digits and . _ : @ - only, at most 128 of them")
    try:
        if body.lstrip()[:1] == b"{":
            made = from_lines(body.splitlines(), about, every=every)
        else:
            made = from_sse(chunks, about, shape=shape, path=path, every=every)
    except InputError as error:
        raise InputError(f"{name}: {error}") from None
    note = f"Imported from {name}" + (f" by the token path {made.path}." if made.path else ".")
    header = Header(FORMAT, VERSION, CXONE, created.isoformat().replace("+00:00", "Z"), note)
    with editing.writing(target):
        write_recording(target, header, made.records)
    return made


def from_sse(
    chunks: Iterable[tuple[int | None, bytes]],
    about: About,
    *,
    shape: str = AUTO,
    path: str | None = None,
    every: float = EVERY,
) -> Imported:
    """One turn of an SSE body in chunks, each with the microsecond at which it came, where that is known."""
    sse, events, times = SSEDecoder(), list[Event](), list[int | None]()
    for t, chunk in chunks:
        new = sse.feed(chunk)
        events += new
        times += [t] * len(new)
    new = sse.feed(b"\n\n")  # curl keeps no blank line that the server did not send
    events, times = events + new, times + (times[-1:] or [None]) * len(new)
    reading = read(events, shape, path)
    about = msgspec.structs.replace(about, model=about.model or _model(events))
    step = round(every * 1e6)
    stamped = [t if t is not None else (place + 1) * step for place, t in enumerate(times)]
    if path is None and reading.path == "token":
        frames = [(t, event.data, event.id, event.event) for t, event in zip(stamped, events, strict=True)]
    else:
        frames = _converted(reading, times, stamped, step)
    tokens = sum(len(texts) for texts in reading.tokens)
    return Imported(_turn(about, frames, ended=reading.ended), tokens, reading.path, None not in times)


def from_lines(lines: Iterable[bytes], about: About, *, every: float = EVERY) -> Imported:
    """The turns of JSON lines. Raises InputError, naming the line."""
    streams: list[tuple[About, list[str], list[float] | None]] = []
    loose: list[_Line] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            read_line = _decode_line(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            reason = str(error) if isinstance(error, msgspec.DecodeError) else "not UTF-8"
            raise InputError(f"line {number} is no stream of tokens ({reason})") from None
        if read_line.tokens is None:
            loose.append(read_line)
            continue
        t_ms = read_line.t_ms if isinstance(read_line.t_ms, list) else None
        if t_ms is not None and len(t_ms) != len(read_line.tokens):
            raise InputError(f"line {number}: t_ms has {len(t_ms)} times for {len(read_line.tokens)} tokens")
        streams.append((_about(read_line, about, number), read_line.tokens, t_ms))
    if loose:
        texts = [line.token if line.token is not None else line.text for line in loose]
        if None in texts:
            raise InputError("a line has neither `tokens` nor `token`; give a stream or a token a line")
        single = [line.t_ms for line in loose if isinstance(line.t_ms, int | float)]
        streams.append((about, [text or "" for text in texts], single if len(single) == len(loose) else None))
    if len(streams) == 1:
        streams = [(about if loose else streams[0][0], *streams[0][1:])]
    records = [record for each, tokens, t_ms in streams for record in _stream(each, tokens, t_ms, every)]
    names = [each.session for each, _, _ in streams]
    if len(set(names)) != len(names):
        raise InputError("two lines have the same `id`; give each its own, it names the session")
    tokens_in_all = sum(len(tokens) for _, tokens, _ in streams)
    if not tokens_in_all:
        raise InputError("there are no tokens in it")
    timed = all(t_ms is not None for _, _, t_ms in streams)
    return Imported(sorted(records, key=lambda record: record.t), tokens_in_all, timed=timed)


def session_of(path: Path) -> str:
    """A session id made of a file's name."""
    stem = path.name.removesuffix(".zst").removesuffix(".jsonl")
    name = re.sub(r"[^A-Za-z0-9._:@-]+", "-", stem)[:128]
    return name if SESSION_ID.fullmatch(name) else "s-1"


def _converted(
    reading: Reading, times: Sequence[int | None], stamped: Sequence[int], step: int
) -> list[tuple[int, str, str, str]]:
    """The tokens as CXone's frames, evenly spaced where no times are known, and the one that finishes."""
    frames, t = [], 0
    for place, texts in enumerate(reading.tokens):
        for token in texts:
            t = stamped[place] if times[place] is not None else t + step
            frames.append((t, _write(token, False), "", ""))
    if reading.ended:
        frames.append((max(t, stamped[-1]) if times[-1] is not None else t + step, _write("", True), "", ""))
    return frames


def _stream(about: About, tokens: Sequence[str], t_ms: Sequence[float] | None, every: float) -> list[Record]:
    frames, t = [], 0
    for place, token in enumerate(tokens):
        t = max(t, round((t_ms[place] if t_ms is not None else (place + 1) * every * 1e3) * 1e3))
        frames.append((t, _write(token, False), "", ""))
    return _turn(about, [*frames, (t, _write("", True), "", "")], ended=True)


def _turn(about: About, frames: Sequence[tuple[int, str, str, str]], *, ended: bool) -> list[Record]:
    """The records of a turn that was opened at 0."""
    session = about.session or "s-1"
    records = [Record(0, session, 0, OPEN, d=about.request())]
    t = 0
    for at, text, id_, event in frames:
        t = max(t, at)
        records.append(Record(t, session, 0, FRAME, id_ or None, event if event not in ("", "message") else None, text))
    if not ended:
        records.append(Record(t, session, 0, ERROR, d={"kind": "ended", "status": None, "retry": 1}))
    records.append(Record(t, session, 0, CLOSE, d={"reason": "finished" if ended else "interrupted"}))
    return [*records, Record(t, k=MARK)]


def _about(line: _Line, about: About, number: int) -> About:
    """What the line says, else what the caller said."""
    numbered = f"{(about.session or '')[:116]}-{number}"
    session = re.sub(r"[^A-Za-z0-9._:@-]+", "-", line.id)[:128] if line.id else numbered
    return About(
        session=session,
        prompt=line.prompt or about.prompt,
        model=line.model or about.model,
        tenant=line.tenant or about.tenant,
        language=line.language or about.language,
    )


def _model(events: Sequence[Event]) -> str | None:
    """The model's name, where the first events tell it."""
    for event in events[:3]:
        try:
            data = msgspec.json.decode(event.data)
        except msgspec.DecodeError:
            continue
        for path in _MODEL:
            value = data
            for key in path.split("."):
                value = value.get(key) if isinstance(value, dict) else None
            if isinstance(value, str) and value:
                return value
    return None


def _arriving(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """What comes through a pipe, with the microsecond since the first look at it."""
    begun, size = time.monotonic_ns(), 0
    while size <= MAX_BODY and (chunk := os.read(stream.fileno(), CHUNK)):
        size += len(chunk)
        yield (time.monotonic_ns() - begun) // 1000, chunk
