"""New text or a repetition: what comes after a continuation, of which the vendor may send again what had arrived.

Rules
- Where every frame had an id of its own, ids tell: a known one is a repetition, one that counts on from the last
  (`ctx-17`, `ctx-18`) is new text.
- Without, a repetition is dropped only if it reaches the end of what was received and is at least
  `MIN_REPEATED_TOKENS` tokens or `MIN_REPEATED_CHARS` characters long; a shorter one is kept and counted. Where every
  frame had an id of its own and these are merely new, that speaks for new text: tokens alone then need
  `MIN_NEW_ID_CHARS` characters, or digits of a number that goes on would be taken for digits said again.
- While it is open which of the two it is, the text waits; at most until the turn ends.
- `HISTORY` characters are remembered for that (a longer repetition counts as new text), and `MAX_STARTS` places in
  them are tried.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flows.ids import Ids, follows

HISTORY = 4_096
MIN_REPEATED_TOKENS = 3
MIN_REPEATED_CHARS = 12
MIN_NEW_ID_CHARS = 6
MAX_STARTS = 256


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
        self._ids = Ids()
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
        if self._ids_tell and (frame_id is None or not self._ids.add(frame_id)):
            self._ids_tell = False
            self._ids.clear()

    def resume(self) -> Verdict:
        """A continuation was asked for: what comes next may be a repetition, or go on with one that was cut off."""
        verdict = self._cut_off() if self._is_under_way() else self.flush()
        self._received = "".join(self._recent)[-HISTORY:]
        self._recent, self._recent_chars = [self._received], len(self._received)
        self.resuming, self._told = bool(self._received), False
        self._waiting, self._matched, self._starts = [], 0, []
        return verdict

    def feed(self, token: str, frame_id: str | None) -> Verdict:
        if self._ids_tell and frame_id is not None and frame_id in self._ids:
            self._told = True
            return Verdict(repeated=1, fresh=self._let_through())
        if self._told or (self._ids_tell and not self._waiting and follows(self.last_id, frame_id)):
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
        return (recent, self._ids.snapshot(), self._ids_tell, self.last_id, doubt)

    def restore(self, data: tuple[Any, ...]) -> None:
        recent, ids, self._ids_tell, self.last_id, doubt = data
        self._recent, self._recent_chars = [recent], len(recent)
        self._ids.restore(ids)
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
