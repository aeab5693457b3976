"""Streams as JSON lines of tokens: the plainest form in which people keep them. A core.

Rules
- A line is a stream, {"id", "tokens": [...], "t_ms": [...]}, or a token, {"token", "t_ms"}; `t_ms` is milliseconds
  since the request. Tokens without times come `every` seconds.
- Each stream becomes a session, with the line's `id` for its name, else the caller's and the line's number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import msgspec

from connectors.errors import InputError
from connectors.log.records import Record
from flows.recordings import imports
from flows.recordings.imports import About


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
_FIELDS: Final = frozenset(_Line.__struct_fields__)


class Stream(msgspec.Struct, frozen=True):
    """A stream's tokens; `t_ms` where they have times."""

    about: About
    tokens: list[str]
    t_ms: list[float] | None

    def records(self, every: float) -> list[Record]:
        stamped, t = [], 0
        for place, token in enumerate(self.tokens):
            t = max(t, round((self.t_ms[place] if self.t_ms is not None else (place + 1) * every * 1e3) * 1e3))
            stamped.append((t, token))
        return imports.records(self.about, 0, imports.of_tokens(stamped, t))


def are_tokens(start: bytes) -> bool:
    """Whether a file that begins so is lines of tokens, rather than a vendor's frames."""
    try:
        first = msgspec.json.decode(start.lstrip().partition(b"\n")[0])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    if not isinstance(first, dict):
        return False
    is_stream = isinstance(first.get("tokens"), list) and "done" not in first
    is_token = isinstance(first.get("token"), str) and "finished" not in first
    return is_stream or is_token or (isinstance(first.get("text"), str) and first.keys() <= _FIELDS)


def read(lines: Iterable[bytes], about: About) -> list[Stream]:
    """The streams of JSON lines. Raises InputError, naming the line."""
    streams: list[Stream] = []
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
        streams.append(Stream(_about(read_line, about, number), read_line.tokens, t_ms))
    if loose:
        texts = [line.token if line.token is not None else line.text for line in loose]
        if None in texts:
            raise InputError("a line has neither `tokens` nor `token`; give a stream or a token a line")
        single = [line.t_ms for line in loose if isinstance(line.t_ms, int | float)]
        streams.append(Stream(about, [text or "" for text in texts], single if len(single) == len(loose) else None))
    names = [each.about.session for each in streams]
    if len(set(names)) != len(names):
        raise InputError("two lines have the same `id`; give each its own, it names the session")
    if not any(each.tokens for each in streams):
        raise InputError("there are no tokens in it")
    return streams


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
