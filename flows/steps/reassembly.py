"""Frames to clean text, whatever the pieces: the first core of a turn.

Rules
- A character split over tokens comes out whole, with its last part: surrogate halves, and UTF-8 bytes that the
  model spells as tokens of their own (`<0xE2>`). A part that never finds its other half becomes U+FFFD; where the turn
  was cut off in the middle of one, that part is left out, as a dead letter: its rest may have been on the way.
- Bytes of a frame that are no UTF-8 by themselves (connectors/text.py) are such parts, too.
- Tokens of a frame belong together: it has one id, however many messages it holds.
- After a continuation the vendor may send again what had arrived: continuation.py tells that from new text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, groupby
from typing import Any

from connectors.log.records import CLOSE, FRAME, OPEN, Frames, Record
from connectors.text import as_raw, byte_tokens
from connectors.vendors.decoding import Decoder, Delta, usable_id
from flows.steps.base import Core
from flows.steps.continuation import Continuation, Verdict
from flows.steps.events import DeadLetter, Event, Repeated, Run, Stopped, Text, Usage
from flows.steps.fallback import FINISHED
from flows.steps.older import upgrade

_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


class Reassembly(Core):
    """One turn's frames to `Text` events; everything else passes through in its place."""

    version = 4
    reads = (2, 3)

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self._characters = Characters()
        self._continuation = Continuation()
        self._opened = False
        self._is_raw = False  # the message that waits for its end holds bytes that are no UTF-8

    def feed(self, event: Event) -> Iterable[Event]:
        if type(event) is Frames:
            return self._frames(event)
        if type(event) is not Record:
            return (event,)
        if event.k == FRAME:
            return self._frame(event)
        if event.k == OPEN:
            return self._open(event)
        if event.k == CLOSE:
            return self._close(event)
        return (event,)

    def snapshot(self) -> tuple[Any, ...]:
        decoder = self._decoder
        json = (decoder.pending, decoder.fragments, self._is_raw, decoder.state)
        return (self._opened, json, self._characters.snapshot(), self._continuation.snapshot())

    def restore(self, data: tuple[Any, ...]) -> None:
        decoder = self._decoder
        self._opened, json, characters, continuation = data
        decoder.pending, decoder.fragments, self._is_raw, decoder.state = json
        self._characters.restore(characters)
        self._continuation.restore(continuation)

    @classmethod
    def upgrade(cls, data: tuple[Any, ...], version: int) -> tuple[Any, ...]:
        opened, json, characters, kept = data
        if version == 2:
            json = (*json, False)
        return (opened, (*json, None), characters, upgrade(kept, version))

    def _frames(self, frames: Frames) -> Iterator[Event]:
        """Frames in a row: those that are a token each and nothing else, joined; what is unusual by itself."""
        records = frames.records
        at = 0
        while at < len(records):
            glance = self._glance(records[at:])
            if glance is None:
                yield from self._one_by_one(records[at:])
                return
            for said, alike in groupby(zip(glance, records[at:], strict=True), lambda each: each[0] is not None):
                if said:
                    plain = [(each, record) for each, record in alike if each is not None]
                    tokens = [token for (token, _), _ in plain]
                    ids = [usable_id(record.id) or own for (_, own), record in plain]
                    yield self._run([record for _, record in plain], tokens, ids)
                    at += len(plain)
                    continue
                for _, record in alike:
                    yield from self._frame(record)
                    at += 1
                if self._decoder.pending or not self._characters.passes(""):
                    break  # what follows may belong to it

    def _glance(self, frames: Sequence[Record]) -> Sequence[tuple[str, str | None] | None] | None:
        """What the decoder sees at a glance; None where something about these frames, or before them, is unusual."""
        if self._is_raw or self._continuation.resuming or self._decoder.pending:
            return None
        texts = [frame.d for frame in frames if isinstance(frame.d, str) and not frame.b and frame.e != "error"]
        glance = self._decoder.tokens_of(texts) if len(texts) == len(frames) else None
        if glance is None or not self._characters.passes("".join([each[0] for each in glance if each is not None])):
            return None
        return glance

    def _one_by_one(self, frames: Sequence[Record]) -> Iterator[Event]:
        joined: list[Record] = []
        tokens: list[str] = []
        ids: list[str | None] = []
        for frame in frames:
            deltas = self._plainly_read(frame)
            if deltas is not None and self._is_plain(deltas):
                joined.append(frame)
                tokens += deltas[0].tokens
                ids.append(deltas[0].id)
                continue
            if joined:
                yield self._run(joined, tokens, ids)
                joined, tokens, ids = [], [], []
            yield from self._frame(frame) if deltas is None else self._deltas(frame, deltas, is_raw=False)
        if joined:
            yield self._run(joined, tokens, ids)

    def _plainly_read(self, frame: Record) -> Sequence[Delta] | None:
        """A frame's messages, where nothing about it is unusual."""
        if frame.b or self._is_raw or self._continuation.resuming or frame.e == "error":
            return None
        return self._decoder.feed(frame.d, frame.id) if isinstance(frame.d, str) else []

    def _is_plain(self, deltas: Sequence[Delta]) -> bool:
        """Whether messages say nothing but one token of whole characters."""
        if len(deltas) != 1 or len(deltas[0].tokens) != 1 or not _is_simple(deltas[0]):
            return False
        return self._characters.passes(deltas[0].tokens[0])

    def _run(self, frames: list[Record], tokens: list[str], ids: list[str | None]) -> Event:
        self._continuation.remember_all(tokens, ids)
        head = frames[0]
        if len(frames) == 1:
            return Text(head.t, head.s, head.n, tokens[0], 1)
        times, ends = [frame.t for frame in frames], list(accumulate(map(len, tokens)))
        return Run(head.t, head.s, head.n, "".join(tokens), times, ends)

    def _frame(self, frame: Record) -> list[Event]:
        if frame.e == "error" or not isinstance(frame.d, str):
            return []
        text, decoder = frame.d, self._decoder
        is_raw = frame.b or self._is_raw
        if frame.b and not self._is_raw and decoder.pending:
            decoder.pending = as_raw(decoder.pending)
        deltas = decoder.feed(text if frame.b or not is_raw else as_raw(text), frame.id)
        self._is_raw = is_raw and bool(decoder.pending)
        return self._deltas(frame, deltas, is_raw=is_raw)

    def _deltas(self, frame: Record, deltas: Sequence[Delta], *, is_raw: bool) -> list[Event]:
        """What a frame's messages say."""
        if len(deltas) == 1 and not is_raw and _is_simple(deltas[0]):  # nearly every frame
            return self._tokens(frame, deltas[0].tokens, deltas[0].id)
        out: list[Event] = []
        for frame_id, alike in groupby(deltas, lambda delta: delta.id):
            tokens: list[str] = []
            rest: list[Event] = []
            for delta in alike:
                tokens += delta.tokens
                if delta.malformed:
                    rest.append(self._dead_letter(frame, "malformed message"))
                if delta.usage is not None:
                    rest.append(Usage(frame.t, frame.s, frame.n, *delta.usage))
                if delta.stop is not None:
                    rest.append(Stopped(frame.t, frame.s, frame.n, delta.stop.reason))
            out += self._tokens(frame, _spelt(tokens) if is_raw else tokens, frame_id)
            out += rest
        return out

    def _tokens(self, frame: Record, tokens: Sequence[str], frame_id: str | None) -> list[Event]:
        continuation = self._continuation
        if not tokens:
            continuation.note(frame_id)
            return []
        if continuation.resuming:
            return self._settle(frame, continuation.feed(tokens, frame_id))
        continuation.remember(tokens, frame_id)
        return [event for token in tokens for event in self._text(frame, token, 1)]

    def _settle(self, event: Record, verdict: Verdict) -> list[Event]:
        out: list[Event] = []
        if verdict.repeated:
            out.append(Repeated(event.t, event.s, event.n, verdict.repeated, False))
        if verdict.doubtful:
            out.append(Repeated(event.t, event.s, event.n, verdict.doubtful, True))
        for token in verdict.fresh:
            out += self._text(event, token, 1)
        return out

    def _text(self, event: Record, token: str, tokens: int) -> list[Event]:
        text = self._characters.feed(token)
        return [Text(event.t, event.s, event.n, text, tokens)]

    def _open(self, event: Record) -> list[Event]:
        if not self._opened:
            self._opened = True
            return [event]
        out = self._drop_half_message(event)
        known = event.fields
        learnt = known.get("learnt")
        learnt = learnt if isinstance(learnt, list) else ()
        out += self._settle(event, self._continuation.resume(str(known.get("resumes")), learnt))
        return [*out, event]

    def _close(self, event: Record) -> list[Event]:
        out = self._drop_half_message(event)
        out += self._settle(event, self._continuation.flush())
        if event.reason != FINISHED:
            out += [self._dead_letter(event, "half a character")] if self._characters.drop() else []
        elif tail := self._characters.flush():
            out.append(Text(event.t, event.s, event.n, tail, 0))
        return [*out, event]

    def _drop_half_message(self, event: Record) -> list[Event]:
        if not self._decoder.pending:
            return []
        self._decoder.restart()
        self._is_raw = False
        return [self._dead_letter(event, "half a message")]

    def _dead_letter(self, event: Record, reason: str) -> DeadLetter:
        return DeadLetter(event.t, event.s, event.n, "reassemble", reason)


class Characters:
    """Tokens to text in which every character is whole."""

    def __init__(self) -> None:
        self._bytes = b""
        self._high = ""

    def feed(self, token: str) -> str:
        if token.startswith("<0x") and (match := _BYTE.fullmatch(token)):
            return self._byte(int(match[1], 16))
        if not self._bytes and not self._high and _SURROGATE.search(token) is None:
            return token
        return self._end_bytes() + self._pair(token)

    def passes(self, text: str) -> bool:
        """Whether a token, or several, are text as they are, with nothing before them that waits."""
        return not (self._bytes or self._high or "<0x" in text or _SURROGATE.search(text))

    def flush(self) -> str:
        high, self._high = self._high, ""
        return self._end_bytes() + ("\ufffd" if high else "")

    def drop(self) -> bool:
        """Forget the part of a character that waits for its rest; whether there was one."""
        waited = bool(self._bytes or self._high)
        self._bytes, self._high = b"", ""
        return waited

    def snapshot(self) -> tuple[bytes, str]:
        return (self._bytes, self._high)

    def restore(self, data: tuple[bytes, str]) -> None:
        self._bytes, self._high = data

    def _byte(self, byte: int) -> str:
        before = "\ufffd" if self._high else ""
        self._high = ""
        self._bytes += bytes((byte,))
        try:
            text = self._bytes.decode()
        except UnicodeDecodeError as error:
            if error.reason == "unexpected end of data":
                return before
            text = self._bytes[: error.end].decode(errors="replace")
            rest, self._bytes = self._bytes[error.end :], b""
            for again in rest:
                text += self._byte(again)
            return before + text
        self._bytes = b""
        return before + text

    def _end_bytes(self) -> str:
        rest, self._bytes = self._bytes, b""
        return rest.decode(errors="replace")

    def _pair(self, token: str) -> str:
        text, self._high = self._high + token, ""
        if text and "\ud800" <= text[-1] <= "\udbff":
            text, self._high = text[:-1], text[-1]
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _is_simple(delta: Delta) -> bool:
    """Whether a message says no more than its tokens."""
    return delta.usage is None and delta.stop is None and not delta.malformed


def _spelt(tokens: Iterable[str]) -> list[str]:
    """Raw tokens with each byte that is no UTF-8 as a token of its own."""
    return [piece for token in tokens for piece in byte_tokens(token)]
