"""Frames to clean text, whatever the pieces: the first core of a turn.

Rules
- A character split over tokens comes out whole, with its last part: surrogate halves, and UTF-8 bytes that the
  model spells as tokens of their own (`<0xE2>`). A part that never finds its other half becomes U+FFFD; where the turn
  was cut off in the middle of one, that part is left out, as a dead letter: its rest may have been on the way.
- After a continuation the vendor may send again what had arrived: continuation.py tells that from new text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from connectors.deltas import Decoder as Decoder  # flows.pipeline takes it from here
from connectors.records import CLOSE, FRAME, OPEN, Record
from flows.continuation import Continuation, Verdict
from flows.events import DeadLetter, Event, Repeated, Text, Usage
from flows.fallback import FINISHED
from flows.shard import Core

_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


class Reassembly(Core):
    """One turn's frames to `Text` events; everything else passes through in its place."""

    version = 2

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self._characters = Characters()
        self._continuation = Continuation()
        self._opened = False

    def feed(self, event: Event) -> Iterable[Event]:
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
        json = (self._decoder.pending, self._decoder.fragments)
        return (self._opened, json, self._characters.snapshot(), self._continuation.snapshot())

    def restore(self, data: tuple[Any, ...]) -> None:
        self._opened, (self._decoder.pending, self._decoder.fragments), characters, continuation = data
        self._characters.restore(characters)
        self._continuation.restore(continuation)

    def _frame(self, frame: Record) -> list[Event]:
        if frame.e == "error" or not isinstance(frame.d, str):
            return []
        out: list[Event] = []
        for delta in self._decoder.feed(frame.d, frame.id):
            if delta.malformed:
                out.append(self._dead_letter(frame, "malformed message"))
                continue
            for token in delta.tokens:
                out += self._token(frame, token, delta.id)
            self._continuation.last_id = delta.id or self._continuation.last_id
            if delta.usage is not None:
                out.append(Usage(frame.t, frame.s, frame.n, *delta.usage))
        return out

    def _token(self, frame: Record, token: str, token_id: str | None) -> list[Event]:
        continuation = self._continuation
        if not continuation.resuming:
            continuation.remember(token, token_id)
            return self._text(frame, token, 1)
        return self._settle(frame, continuation.feed(token, token_id))

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
        out += self._settle(event, self._continuation.resume())
        return [*out, event]

    def _close(self, event: Record) -> list[Event]:
        out = self._drop_half_message(event)
        out += self._settle(event, self._continuation.flush())
        if _reason(event) != FINISHED:
            out += [self._dead_letter(event, "half a character")] if self._characters.drop() else []
        elif tail := self._characters.flush():
            out.append(Text(event.t, event.s, event.n, tail, 0))
        return [*out, event]

    def _drop_half_message(self, event: Record) -> list[Event]:
        if not self._decoder.pending:
            return []
        self._decoder.restart()
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


def _reason(close: Record) -> object:
    return close.d.get("reason") if isinstance(close.d, dict) else None
