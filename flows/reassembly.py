"""Frames to clean text, whatever the pieces: the first core of a turn.

Rules
- A character split over tokens comes out whole, with its last part: surrogate halves, and UTF-8 bytes that the
  model spells as tokens of their own (`<0xE2>`). A part that never finds its other half becomes U+FFFD; where the turn
  was cut off in the middle of one, that part is left out, as a dead letter: its rest may have been on the way.
- After a continuation the vendor may send again what had arrived. Where every frame had an id of its own, ids
  tell: a known one is a repetition, one that counts on from the last (`ctx-17`, `ctx-18`) is new text.
- Without, a repetition is dropped only if it reaches the end of what was received and is at least
  `MIN_REPEATED_TOKENS` tokens or `MIN_REPEATED_CHARS` characters long; a shorter one is kept and counted. Where every
  frame had an id of its own and these are merely new, that speaks for new text: tokens alone then need
  `MIN_NEW_ID_CHARS` characters, or digits of a number that goes on would be taken for digits said again.
  While it is open which of the two it is, the text waits; at most until the turn ends.
- `HISTORY` characters and ids are remembered for that (a longer repetition counts as new text), `MAX_STARTS`
  places in them are tried, and an id of more than `MAX_COUNTED` characters counts nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import blake2b
from typing import Any

from connectors.deltas import Decoder as Decoder  # flows.pipeline takes it from here
from connectors.records import CLOSE, FRAME, OPEN, Record
from flows.events import DeadLetter, Event, Repeated, Text, Usage
from flows.fallback import FINISHED
from flows.shard import Core

HISTORY = 4_096
MIN_REPEATED_TOKENS = 3
MIN_REPEATED_CHARS = 12
MIN_NEW_ID_CHARS = 6
MAX_STARTS = 256
MAX_COUNTED = 200

_PRINT = 8  # bytes of a fingerprint

_COUNTED = re.compile(r"(.*?)([0-9]{1,18})", re.DOTALL)
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


class Verdict:
    """What came of tokens after a continuation.

    repeated  tokens dropped
    doubtful  tokens of a repetition too short to drop, kept
    fresh     tokens to let through
    """

    __slots__ = ("doubtful", "fresh", "repeated")

    def __init__(self, repeated: int = 0, doubtful: int = 0, fresh: Iterable[str] = ()) -> None:
        self.repeated = repeated
        self.doubtful = doubtful
        self.fresh = tuple(fresh)


class Continuation:
    """Tells new tokens from repeated ones after the vendor was asked to go on."""

    def __init__(self) -> None:
        self.resuming = False
        self._recent: list[str] = []
        self._recent_chars = 0
        self._ids: dict[bytes, None] = {}
        self._prints = bytearray()  # the same, one behind the other, as the snapshot wants them
        self._ids_tell = True
        self.last_id: str | None = None  # of the last message, with a token or without
        self._told = False
        self._received = ""
        self._waiting: list[tuple[str, str | None]] = []
        self._matched = 0
        self._starts: list[int] = []
        self._carried: list[int] = []

    def remember(self, token: str, frame_id: str | None) -> None:
        """A token was let through."""
        self._recent.append(token)
        self._recent_chars += len(token)
        if self._recent_chars > 2 * HISTORY:
            self._recent = ["".join(self._recent)[-HISTORY:]]
            self._recent_chars = HISTORY
        if not self._ids_tell:
            return
        if frame_id is None or (fingerprint := _fingerprint(frame_id)) in self._ids:
            self._ids_tell = False
            self._ids.clear()
            self._prints.clear()
            return
        self._ids[fingerprint] = None
        self._prints += fingerprint
        if len(self._ids) > HISTORY:
            del self._ids[next(iter(self._ids))], self._prints[:_PRINT]

    def resume(self) -> Verdict:
        """A continuation was asked for: what comes next may be a repetition, or go on with one that was cut off."""
        verdict = self._cut_off() if self._is_under_way() else self.flush()
        self._received = "".join(self._recent)[-HISTORY:]
        self._recent, self._recent_chars = [self._received], len(self._received)
        self.resuming, self._told = bool(self._received), False
        self._waiting, self._matched, self._starts = [], 0, []
        return verdict

    def feed(self, token: str, frame_id: str | None) -> Verdict:
        if self._ids_tell and frame_id is not None and _fingerprint(frame_id) in self._ids:
            self._told = True
            return Verdict(repeated=1, fresh=self._let_through())
        if self._told or (self._ids_tell and not self._waiting and _follows(self.last_id, frame_id)):
            self.resuming, self._carried = False, []
            self.remember(token, frame_id)
            return Verdict(fresh=(token,))
        if not self._waiting:
            carried = [start for start in self._carried if self._agrees(start, token)]
            self._starts = sorted({*carried, *_starts(self._received, token)})
        else:
            self._starts = [start for start in self._starts if self._agrees(start, token)]
        self._waiting.append((token, frame_id))
        self._matched += len(token)
        return Verdict() if self._goes_on() else self._decide()

    def flush(self) -> Verdict:
        """Nothing more comes on this connection: decide with what is there."""
        return self._decide() if self.resuming and self._waiting else Verdict()

    def snapshot(self) -> tuple[Any, ...]:
        recent = "".join(self._recent)[-HISTORY:]
        self._recent, self._recent_chars = [recent], len(recent)
        doubt = None
        if self.resuming:
            doubt = (self._told, self._received, list(self._waiting), self._matched, self._starts, self._carried)
        return (recent, bytes(self._prints), self._ids_tell, self.last_id, doubt)

    def restore(self, data: tuple[Any, ...]) -> None:
        recent, prints, self._ids_tell, self.last_id, doubt = data
        self._recent, self._recent_chars = [recent], len(recent)
        self._prints += prints
        self._ids = dict.fromkeys(prints[at : at + _PRINT] for at in range(0, len(prints), _PRINT))
        self.resuming = doubt is not None
        if doubt is not None:
            self._told, self._received, self._waiting, self._matched, self._starts, self._carried = doubt

    def _let_through(self) -> list[str]:
        """What waits is new: an id that was known came after it, and its own was not."""
        waiting, self._waiting, self._matched = self._waiting, [], 0
        for token, frame_id in waiting:
            self.remember(token, frame_id)
        return [token for token, _ in waiting]

    def _goes_on(self) -> bool:
        """Whether a repetition may be under way that has not reached the end of what was received."""
        return any(len(self._received) - start > self._matched for start in self._starts)

    def _is_under_way(self) -> bool:
        """The same, and it is too long to be anything else."""
        return self.resuming and self._is_long(len(self._waiting), self._matched) and self._goes_on()

    def _is_long(self, tokens: int, chars: int) -> bool:
        """Whether so much that came before is a repetition, and not the same said again."""
        least = MIN_NEW_ID_CHARS if self._ids_tell else 0
        return chars >= MIN_REPEATED_CHARS or (tokens >= MIN_REPEATED_TOKENS and chars >= least)

    def _cut_off(self) -> Verdict:
        """The connection broke inside a repetition: drop it, and know where it may go on."""
        self._carried = [start + self._matched for start in self._starts]
        for _, frame_id in self._waiting:
            self.remember("", frame_id)
        return Verdict(repeated=len(self._waiting))

    def _agrees(self, start: int, token: str) -> bool:
        """Whether the repetition that began at `start` goes on with this token, as far as what was received goes."""
        at = start + self._matched
        if len(self._received) - at >= len(token):
            return self._received.startswith(token, at)
        return token.startswith(self._received[at:])

    def _decide(self) -> Verdict:
        waiting, self._waiting, self.resuming = self._waiting, [], False
        start = next((each for each in self._starts if len(self._received) - each <= self._matched), None)
        overlap = 0 if start is None else len(self._received) - start
        carried, self._carried = start in self._carried, []
        count, chars = 0, 0
        while count < len(waiting) and chars + len(waiting[count][0]) <= overlap:
            chars += len(waiting[count][0])
            count += 1
        if not self._is_long(count, overlap) and not carried:
            for token, frame_id in waiting:
                self.remember(token, frame_id)
            return Verdict(doubtful=count, fresh=[token for token, _ in waiting])
        fresh = []
        for place, (token, frame_id) in enumerate(waiting):
            new = "" if place < count else token[overlap - chars :] if place == count else token
            self.remember(new, frame_id)
            if place >= count:
                fresh.append(new)
        return Verdict(repeated=count, fresh=fresh)


def _fingerprint(frame_id: str) -> bytes:
    """What is remembered of an id: an epoch writes those of every open turn, and a vendor's id may be long."""
    return blake2b(frame_id.encode(errors="surrogatepass"), digest_size=_PRINT).digest()


def _follows(last: str | None, frame_id: str | None) -> bool:
    """Whether an id counts on from the last one: `ctx-18` after `ctx-17`."""
    if last is None or frame_id is None or max(len(last), len(frame_id)) > MAX_COUNTED:
        return False
    before, after = _COUNTED.fullmatch(last), _COUNTED.fullmatch(frame_id)
    return before is not None and after is not None and before[1] == after[1] and int(before[2]) + 1 == int(after[2])


def _reason(close: Record) -> object:
    return close.d.get("reason") if isinstance(close.d, dict) else None


def _starts(received: str, token: str) -> list[int]:
    """Where in `received` a repetition that begins with `token` may have begun: the earliest `MAX_STARTS`, in order."""
    starts: list[int] = []
    at = received.find(token)
    while at >= 0 and len(starts) < MAX_STARTS:
        starts.append(at)
        at = received.find(token, at + 1)
    shorter = max(len(received) - len(token) + 1, 0)
    starts += [at for at in range(shorter, len(received)) if token.startswith(received[at:])]
    return starts
