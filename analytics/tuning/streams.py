"""What is tuned on: turns as they came, token by token, with their times.

Rules
- A tokenweir recording (a file, or a lane's folder), JSON lines with `tokens` and `t_ms`, or a folder of either.
- A recording goes through the flow's own reassembly, so a stream's text is the text that windows see.
- Times are microseconds since the turn's first text. A token without text (half a character) has no delay, but counts
  as a token.
- What cannot be tuned on is left out and counted, by reason: a turn without text, without times, without an end, or
  longer than a day.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from connectors.errors import InputError
from connectors.log.files import LogReader
from connectors.log.records import CLOSE, OPEN, Record
from flows.engine.shard import Shard
from flows.recordings.vendor import vendor_of
from flows.steps.events import Text
from flows.steps.reassembly import Characters, Reassembly

Ints = NDArray[np.int64]

MAX_LINE = 64 << 20
NO_TEXT, NO_TIMES, NO_END, TOO_LONG = "without text", "without times", "without an end", "longer than a day"
LONGEST = 86_400 * 1_000_000
"""The longest turn, in microseconds; no time-out is longer."""


class Stream(msgspec.Struct, frozen=True):
    """One turn.

    ends    the offset in `text` behind each token that has text
    times   when each of those came; the first at 0
    closed  when the turn's end came, on the same clock
    tokens  how many tokens the vendor sent, with those without text
    """

    session: str
    text: str
    ends: Ints
    times: Ints
    closed: int
    tokens: int
    tenant: str = ""
    model: str = ""
    language: str | None = None

    def pieces(self) -> Iterator[str]:
        """The tokens that have text."""
        begin = 0
        for end in self.ends.tolist():
            yield self.text[begin:end]
            begin = end


class Streams(msgspec.Struct):
    """The streams of some files, and how many turns were left out, by reason."""

    streams: list[Stream] = []
    left_out: Counter[str] = msgspec.field(default_factory=Counter)

    def add(self, stream: Stream | str) -> None:
        if isinstance(stream, str):
            self.left_out[stream] += 1
        elif stream.closed > LONGEST:
            self.left_out[TOO_LONG] += 1
        else:
            self.streams.append(stream)


def read(paths: Iterable[Path]) -> Streams:
    """The streams of recordings and of JSON lines of tokens. Raises InputError, also where there are none at all."""
    found = Streams()
    for path in paths:
        for file in _files(path):
            for stream in _read_file(file):
                found.add(stream)
    if not found.streams:
        reasons = ", ".join(f"{count} {reason}" for reason, count in found.left_out.items()) or "no turn"
        raise InputError(f"nothing to tune on ({reasons}): give recordings of whole turns, or `tokens` with `t_ms`")
    return found


def stream_of(session: str, texts: Iterable[tuple[int, str]], closed: int, tokens: int, **of: Any) -> Stream | str:
    """A stream of (time in microseconds, text) in order; or why there is none."""
    said = [(t, text) for t, text in texts if text]
    if not said:
        return NO_TEXT
    begin = said[0][0]
    times = np.fromiter((t for t, _ in said), np.int64, len(said)) - begin
    ends = np.cumsum(np.fromiter((len(text) for _, text in said), np.int64, len(said)))
    return Stream(session, "".join([text for _, text in said]), ends, times, closed - begin, tokens, **of)


def _files(path: Path) -> list[Path]:
    """A lane's folder is one log; any other folder is its files."""
    if not path.is_dir() or any(file.stem.isdecimal() for file in path.glob("*.jsonl")):
        return [path]
    files = sorted([*path.glob("*.jsonl"), *path.glob("*.jsonl.zst")])
    if not files:
        raise InputError(f"{path} holds no recordings (*.jsonl, *.jsonl.zst); give a file, or a folder of them")
    return files


def _read_file(path: Path) -> Iterator[Stream | str]:
    if path.is_dir() or path.suffix == ".zst" or _is_recording(path):
        return _read_recording(path)
    return _read_tokens(path)


def _is_recording(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return b'"format"' in file.readline(4096)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None


class _Turn(msgspec.Struct):
    request: dict[str, Any]
    texts: list[tuple[int, str]] = []
    tokens: int = 0


def _read_recording(path: Path) -> Iterator[Stream | str]:
    decoder = vendor_of(path).decoder
    shard = Shard("reassemble", lambda _: Reassembly(decoder()))
    turns: dict[tuple[str, int], _Turn] = {}
    for record, _ in LogReader(path).read():
        for event in shard.feed([record], 0):
            key = (getattr(event, "s", ""), getattr(event, "n", -1))
            if type(event) is Text and key in turns:
                turns[key].texts.append((event.t, event.text))
                turns[key].tokens += event.tokens
            elif type(event) is Record and event.k == OPEN:
                turns.setdefault(key, _Turn(event.fields))
            elif type(event) is Record and event.k == CLOSE and key in turns:
                yield _turn(key[0], turns.pop(key), event.t)
    for _ in turns:
        yield NO_END


def _turn(session: str, turn: _Turn, closed: int) -> Stream | str:
    request = turn.request
    return stream_of(
        session,
        turn.texts,
        closed,
        turn.tokens,
        tenant=str(request.get("tenant") or ""),
        model=str(request.get("model") or ""),
        language=request.get("language"),
    )


class _Row(msgspec.Struct):
    """A line of tokens; other keys are ignored."""

    tokens: list[str]
    t_ms: list[float] | None = None
    id: str | None = None
    tenant: str | None = None
    model: str | None = None
    language: str | None = None


_decode = msgspec.json.Decoder(_Row).decode


def _read_tokens(path: Path) -> Iterator[Stream | str]:
    with path.open("rb") as file:
        number = 0
        while line := file.readline(MAX_LINE):
            number += 1
            if line.isspace():
                continue
            try:
                yield _row(_parse(line), f"{path.name}:{number}")
            except (ValueError, RecursionError) as error:
                reason = str(error) if isinstance(error, msgspec.ValidationError) else "not such a JSON object"
                raise InputError(
                    f"{path}: line {number} is no stream ({reason}): a line is "
                    '{"tokens": ["Hel", "lo"], "t_ms": [0, 31.5]}, times in milliseconds that never run backwards'
                ) from None


def _parse(line: bytes) -> _Row:
    try:
        return _decode(line)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:  # lone surrogates, which a token may hold
        return msgspec.convert(json.loads(line), _Row)


def _row(row: _Row, name: str) -> Stream | str:
    if row.t_ms is None:
        return NO_TIMES
    if len(row.t_ms) != len(row.tokens):
        raise msgspec.ValidationError(f"{len(row.t_ms)} times for {len(row.tokens)} tokens")
    if not row.tokens:
        return NO_TEXT
    ms = np.array(row.t_ms)
    if not np.isfinite(ms).all() or ms[0] < 0 or (np.diff(ms) < 0).any():
        raise msgspec.ValidationError("`t_ms` runs backwards, or is not a time")
    times = np.round(ms * 1000).astype(np.int64)
    of: dict[str, Any] = {"tenant": row.tenant or "", "model": row.model or "", "language": row.language}
    session, closed, tokens = row.id or name, int(times[-1]), len(row.tokens)
    text = "".join(row.tokens)
    if "<0x" in text or not all(row.tokens) or not _is_whole(text):
        return stream_of(session, zip(times.tolist(), _characters(row.tokens), strict=True), closed, tokens, **of)
    ends = np.cumsum(np.fromiter(map(len, row.tokens), np.int64, tokens))
    return Stream(session, text, ends, times - times[0], closed - int(times[0]), tokens, **of)


def _is_whole(text: str) -> bool:
    """Whether no half of a surrogate pair is in it."""
    try:
        text.encode("utf-16-le")
    except UnicodeEncodeError:
        return False
    return True


def _characters(tokens: list[str]) -> Iterator[str]:
    """Whole characters, as reassembly makes them; what is left at the end goes with the last token."""
    characters = Characters()
    texts = [characters.feed(token) for token in tokens]
    texts[-1] += characters.flush()
    return iter(texts)
