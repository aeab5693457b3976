"""Token streams to serve, and what each must come out as.

Rules
- A corpus is JSON lines, one stream a line: `tokens` (texts) and, where known, `t_ms` (the time of each
  token since the start, in ms), `id` or `name`, `prompt`, and `faults` (the text form of faults.py).
  Other keys are ignored. A bad line is an InputError that names it.
- `text(name)` is the truth about a stream: its tokens joined, split characters whole again.
- A token may be any piece of JSON text: a lone half of a surrogate pair too, or a byte as "<0xE2>".
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from connectors.errors import InputError, TokenweirError
from connectors.simulator.faults import Faults
from connectors.simulator.texts import TEXTS, cut

MAX_LINE = 64 * 1024 * 1024
"""Bytes a line may have."""

BYTE_TOKEN = re.compile(r"<0x([0-9A-Fa-f]{2})>")


class TokenStream(msgspec.Struct, frozen=True):
    """One answer of a model.

    tokens  as the vendor sends them
    t_ms    when each came, milliseconds since the start, or None
    prompt  the prompt that gets it, where it has one of its own
    faults  what goes wrong with it, or None for what the gateway says
    """

    name: str
    tokens: tuple[str, ...]
    t_ms: tuple[float, ...] | None = None
    prompt: str | None = None
    faults: Faults | None = None

    @property
    def text(self) -> str:
        return joined(self.tokens)


class Corpus:
    """Streams by name, in their order. Names are unique."""

    def __init__(self, streams: Iterable[TokenStream]) -> None:
        self._streams: dict[str, TokenStream] = {}
        self._prompts: dict[str, TokenStream] = {}
        for stream in streams:
            if stream.name in self._streams:
                raise InputError(f"stream {stream.name[:80]!r} is there twice: give each its own `id`")
            self._streams[stream.name] = stream
            if stream.prompt is not None:
                self._prompts.setdefault(stream.prompt, stream)
        if not self._streams:
            raise InputError("a corpus needs at least one stream: it is empty")
        self._names = tuple(self._streams)

    @classmethod
    def builtin(cls) -> Corpus:
        """Our own texts: answers of a contact centre with what makes streams hard, in every one something."""
        return cls(
            TokenStream(
                name=text.name,
                tokens=(tokens := tuple(cut(text))),
                t_ms=text.times(tokens),
                prompt=text.prompt,
            )
            for text in TEXTS
        )

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Corpus:
        """The streams of a JSONL file. Raises InputError that names the file and the line."""
        path = Path(path)
        try:
            return cls(_read(path))
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror}") from None
        except InputError as error:
            raise InputError(f"{path}: {error}") from None

    def __len__(self) -> int:
        return len(self._names)

    def __iter__(self) -> Iterator[TokenStream]:
        return iter(self._streams.values())

    def __contains__(self, name: object) -> bool:
        return name in self._streams

    def __getitem__(self, name: str) -> TokenStream:
        """By name. Raises KeyError."""
        return self._streams[name]

    @property
    def names(self) -> tuple[str, ...]:
        return self._names

    def at(self, index: int) -> TokenStream:
        """By place, from 0 and round and round."""
        return self._streams[self._names[index % len(self._names)]]

    def asked(self, prompt: str) -> TokenStream | None:
        """The stream whose own prompt this is."""
        return self._prompts.get(prompt)

    def find(self, name: str) -> TokenStream | None:
        """By name, or else by its number from 0."""
        if name in self._streams:
            return self._streams[name]
        if name.isascii() and name.isdigit() and len(name) < 10 and int(name) < len(self):
            return self.at(int(name))
        return None

    def text(self, name: str) -> str:
        """What the stream must come out as, to the character. Raises KeyError."""
        return self._streams[name].text


def joined(tokens: Iterable[str]) -> str:
    """The text that tokens spell: surrogate halves paired, byte tokens decoded as UTF-8.

    A token is a byte only if it is nothing else. What is no character, alone or in a row, is U+FFFD, one for
    each maximal part of one (the Unicode standard, 3.9; so does WHATWG's decoder).
    """
    pieces: list[str] = []
    held = bytearray()
    for token in filter(None, tokens):
        if byte := BYTE_TOKEN.fullmatch(token):
            held.append(int(byte[1], 16))
            continue
        if held:
            pieces.append(held.decode("utf-8", "replace"))
            held.clear()
        pieces.append(token)
    pieces.append(held.decode("utf-8", "replace"))
    return "".join(pieces).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


class _Row(msgspec.Struct):
    tokens: list[str]
    t_ms: list[float] | None = None
    id: str | None = None
    name: str | None = None
    prompt: str | None = None
    faults: str | None = None


def _read(path: Path) -> Iterator[TokenStream]:
    lines: dict[str, int] = {}
    with path.open("rb") as file:
        number = 0
        while line := file.readline(MAX_LINE + 1):
            number += 1
            if len(line) > MAX_LINE:
                raise InputError(f"line {number} is longer than {MAX_LINE} bytes: split the stream")
            if not line.strip():
                continue
            try:
                stream = _stream(line, number)
            except TokenweirError as error:
                raise InputError(f"line {number}: {error}") from None
            first = lines.setdefault(stream.name, number)
            if first != number:
                raise InputError(f"line {number}: its `id` is that of line {first}: give each its own")
            yield stream


def _stream(line: bytes, number: int) -> TokenStream:
    row = _row(line)
    if row.t_ms is not None:
        if len(row.t_ms) != len(row.tokens):
            raise InputError(f"`t_ms` has {len(row.t_ms)} times for {len(row.tokens)} tokens: one each, or null")
        if not all(map(math.isfinite, row.t_ms)) or any(t < 0 for t in row.t_ms):
            raise InputError("`t_ms` has a time that is not a number of milliseconds since the start")
        if any(later < sooner for sooner, later in zip(row.t_ms, row.t_ms[1:], strict=False)):
            raise InputError("`t_ms` runs backwards: times count from the start of the stream")
    return TokenStream(
        name=row.name or row.id or f"line-{number}",
        tokens=tuple(row.tokens),
        t_ms=None if row.t_ms is None else tuple(row.t_ms),
        prompt=row.prompt,
        faults=None if row.faults is None else Faults.parse(row.faults),
    )


def _row(line: bytes) -> _Row:
    try:
        # The standard library's reader, because it takes the lone surrogates that tokens may hold.
        value: Any = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InputError(f"byte {error.start + 1} is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise InputError(f"not JSON at character {error.pos + 1}: {error.msg}") from None
    except RecursionError:
        raise InputError("JSON nested too deeply") from None
    if not isinstance(value, dict):
        raise InputError('not a JSON object: a line is {{"tokens": [...], "t_ms": [...]}}')
    try:
        return msgspec.convert(value, _Row)
    except msgspec.ValidationError as error:
        raise InputError(f"{error!s}: a stream needs `tokens`, a list of texts") from None
