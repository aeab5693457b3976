"""New text or a repetition: what comes after a continuation, of which the vendor may send again what had arrived.

Rules
- Ids decide, and text by itself never does: repetitive text (tables, digits, "ha ha") agrees with what came before it
  whether it is a repetition or not. What ids leave open is let through, and counted as doubtful where it agrees
  with the end of what was received.
- Ids that count the turn's tokens say where a frame begins. Else the id of an earlier frame is a repetition, and so is
  what follows it up to the end of what was received; a new id is new text. The last id again is a repetition where
  ids are one a frame; where frames share one (vendors/resumption.py), it may be the rest of its frames, or all.
- The id of an earlier frame whose text never came tells nothing: ids that begin again with every connection do that.
- While a frame to come may still tell, text that agrees waits: for `MAX_WAITING` frames, or to the turn's end.
- Where a vendor that "repeats" is cut off in what is too short to tell, the next connection tells: one that is a
  repetition up to the end of what was received has that text again, behind or before that end. So it is shown once.
- The setting `resumes` comes with the continuation's `open`. "exact" drops nothing. "repeats" also drops text that
  reaches the end of what was received, if it is at least `MIN_REPEATED_TOKENS` tokens or `MIN_REPEATED_CHARS`
  characters long (of ids of their own that are new: `MIN_NEW_ID_CHARS` too), or is all that came under the id that
  was asked from.
- A repetition of more than the history (received.py) is told by ids alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any, TypeAlias

from flows.steps.frame_ids import follows
from flows.steps.overlap import Overlap
from flows.steps.received import HISTORY as HISTORY
from flows.steps.received import Received

MAX_WAITING = 64
MIN_REPEATED_TOKENS = 3
MIN_REPEATED_CHARS = 12
MIN_NEW_ID_CHARS = 6

Frame: TypeAlias = tuple[tuple[str, ...], str | None]
"""Tokens that came together, and their id."""


class Verdict:
    """What came of tokens after a continuation.

    repeated  tokens dropped
    doubtful  tokens that may be a repetition, let through
    fresh     tokens to let through
    """

    __slots__ = ("doubtful", "fresh", "repeated")

    def __init__(self, repeated: int = 0, doubtful: int = 0, fresh: Iterable[str] = ()) -> None:
        self.repeated = repeated
        self.doubtful = doubtful
        self.fresh = tuple(fresh)

    def __add__(self, other: Verdict) -> Verdict:
        return Verdict(self.repeated + other.repeated, self.doubtful + other.doubtful, self.fresh + other.fresh)


class Continuation:
    """Tells new tokens from repeated ones after the vendor was asked to go on.

    resuming  it is open which of the two it is
    """

    def __init__(self) -> None:
        self.resuming = False
        self._received = Received()
        self._begin("auto")

    def _begin(self, resumes: str, carried: Iterable[int] = ()) -> None:
        """What is known of a connection after a break: nothing yet."""
        self._resumes = resumes
        self._overlap = Overlap(self._received.text, carried)
        self._waiting: list[Frame] = []
        self._undecided: list[Frame] = []  # of connections before, which were cut off too early to tell
        self._released: list[Frame] = []  # let through while their text still agrees
        self._behind = False  # in a repetition, as ids prove
        self._before: str | None = None  # the id of the frame before
        self._tokens = 0
        self._repeated: int | None = None  # of these tokens, as ids that count say

    def note(self, frame_id: str | None) -> None:
        """A message without text came."""
        if frame_id is not None and (not self.resuming or follows(self._received.noted, frame_id)):
            self._received.noted = frame_id

    def remember(self, tokens: Sequence[str], frame_id: str | None) -> None:
        """A frame came while nothing was open: its tokens were let through."""
        self._received.kind.feed(frame_id, known=False)
        self._received.add(tokens, frame_id)

    def remember_all(self, tokens: Sequence[str], ids: Sequence[str | None]) -> None:
        """As `remember`, of frames of one token each."""
        kind, received = self._received.kind, self._received
        kind.feed_all(ids)
        received.add_all(tokens, ids)

    def resume(self, resumes: str = "auto", learnt: Iterable[str] = ()) -> Verdict:
        """A continuation was asked for: what comes next may be a repetition, or go on with one that was cut off.

        resumes  the setting
        learnt   what the account's vendor was seen to do
        """
        carried, undecided = list[int](), list[Frame]()
        if self._is_cut_off():
            carried = [place + self._overlap.matched for place in self._overlap.places or ()]
            verdict = Verdict(repeated=_count(self._take_waiting())) + self._end()
        elif self._is_undecided():
            undecided = self._take_undecided() + self._take_waiting()
            verdict = self._end()
        else:
            verdict = self.flush()
        self._received.kind.connect()
        self._received.learn(learnt)
        self._begin(resumes, carried)
        self._undecided = undecided
        self.resuming = bool(self._overlap.received)
        return verdict

    def feed(self, tokens: Sequence[str], frame_id: str | None) -> Verdict:
        """A frame came while `resuming`."""
        frame, kind = (tuple(tokens), frame_id), self._received.kind
        was = (kind.own, kind.shared)
        kind.feed(frame_id, known=self._received.knows(frame_id))
        if was == (kind.own, kind.shared) or not self._waiting:
            return self._take(frame)
        waiting = self._take_waiting()  # they were asked too early
        self._overlap.restart()
        self._tokens, self._behind, self._before = 0, False, None
        for before, _ in self._released:
            self._overlap.feed("".join(before))
            self._tokens += len(before)
        return sum(map(self._take, [*waiting, frame]), Verdict())

    def flush(self) -> Verdict:
        """Nothing more comes on this connection: decide with what is there."""
        if not self.resuming:
            return Verdict()
        if self._behind:
            return self._drop(len(self._waiting))
        verdict = Verdict() if self._waiting else self._pass_undecided()
        if self._waiting:
            verdict = self._decide() if self._resumes == "repeats" else self._release()
        return verdict + self._end(cut=True) if self.resuming else verdict

    def snapshot(self) -> tuple[Any, ...]:
        overlap, seam = self._overlap, None
        if self.resuming:
            seam = (
                self._resumes,
                (overlap.received, overlap.places, overlap.matched, overlap.unsure, overlap.carried),
                list(self._waiting),
                list(self._released),
                (self._behind, self._before, self._tokens, self._repeated),
                list(self._undecided),
            )
        return (self._received.snapshot(), seam)

    def restore(self, data: tuple[Any, ...]) -> None:
        kept, seam = data
        self._received.restore(kept)
        self.resuming = seam is not None
        if seam is None:
            return
        (
            self._resumes,
            (text, places, matched, unsure, carried),
            self._waiting,
            self._released,
            rest,
            self._undecided,
        ) = seam
        self._overlap = Overlap(text, carried)
        self._overlap.places, self._overlap.matched, self._overlap.unsure = places, matched, unsure
        self._behind, self._before, self._tokens, self._repeated = rest

    # A frame after a continuation.

    def _take(self, frame: Frame) -> Verdict:
        tokens, frame_id = frame
        known = self._received
        if not self.resuming:
            known.add(tokens, frame_id)
            return Verdict(fresh=tokens)
        before, self._before = self._before, self._before if frame_id is None else frame_id
        matched = self._overlap.matched
        self._overlap.feed("".join(tokens))
        self._tokens += len(tokens)
        is_last = frame_id is not None and frame_id == known.last
        is_earlier = known.knows(frame_id) and (known.kind.own or not is_last)
        if self._resumes == "exact":
            return self._pass_on(frame, is_earlier=is_earlier)
        place = known.count.end_of(frame_id) if frame_id != before else None
        if place is not None and place >= self._tokens:
            self._repeated = max(0, known.count.tokens - place + self._tokens)
        if self._repeated is not None:
            return self._count_off(frame, self._repeated)
        if self._behind and is_last and before != frame_id:
            if known.tail is not None:
                self._overlap.pin(len(self._overlap.received) - known.tail - matched)  # its first frame comes again
            elif not known.kind.own and self._resumes != "repeats":
                return self._leave(frame)
        if is_earlier:
            return self._drop_later(frame)
        is_new = frame_id is not None and known.ids_tell and not known.knows(frame_id)
        if self._behind:
            return self._go_on(frame, is_new=is_new)
        return self._new(frame) if is_new else self._ask(frame)

    def _pass_on(self, frame: Frame, *, is_earlier: bool) -> Verdict:
        """The setting says that nothing is repeated; ids may say otherwise."""
        self._received.add(frame[0], None if is_earlier else frame[1])
        if is_earlier:
            self._received.doubt()
        self.resuming = is_earlier
        return Verdict(doubtful=len(frame[0]) if is_earlier else 0, fresh=frame[0])

    def _count_off(self, frame: Frame, repeated: int) -> Verdict:
        """The first `repeated` tokens of this connection came before."""
        self._waiting.append(frame)
        tokens = [token for each, _ in (*self._released, *self._waiting) for token in each]
        length = sum(map(len, tokens[:repeated]))
        if repeated >= self._tokens:
            self._behind = True
            return Verdict() if self._overlap.alive or self._cannot_tell else self._distrust()
        if length and not self._overlap.has(length) and not self._cannot_tell:
            return self._distrust()
        return self._drop_chars(max(0, length - sum(map(len, tokens[: _count(self._released)]))))

    def _drop_later(self, frame: Frame) -> Verdict:
        """A frame that came before, as its id says: it goes when the next one does not say otherwise."""
        overlap = self._overlap
        self._waiting.append(frame)
        if not overlap.contains and not self._cannot_tell:
            return self._drop_chars(overlap.longest) if overlap.alive else self._distrust()
        self._behind = True
        if overlap.contains:
            return Verdict()
        overlap.restart()
        overlap.unsure = True
        return Verdict(repeated=_count(self._take_waiting()))

    def _go_on(self, frame: Frame, *, is_new: bool) -> Verdict:
        """A frame of no telling id within a repetition, or one of a new id, which ends it."""
        self._waiting.append(frame)
        if is_new or not self._overlap.alive:
            return self._drop(len(self._waiting) - 1)
        return Verdict() if self._overlap.contains else self._drop_chars(self._overlap.longest)

    def _leave(self, frame: Frame) -> Verdict:
        """A repetition has come to the last id's frames, and how much came of them is not known."""
        self._received.doubt()
        self._waiting.append(frame)
        return Verdict(doubtful=len(frame[0])) + self._drop(len(self._waiting) - 1)

    def _ask(self, frame: Frame) -> Verdict:
        """A frame without an id, or with the last one, which others may share: a later one may tell."""
        known, kind = self._received, self._received.kind
        self._waiting.append(frame)
        may_tell = known.ids_tell and known.last is not None and (known.count.proved or not kind.shared)
        if may_tell and self._overlap.alive and not self._released and len(self._waiting) <= MAX_WAITING:
            return Verdict()
        return self._judge_text()

    def _new(self, frame: Frame) -> Verdict:
        """A frame with an id that never came."""
        known, kind = self._received, self._received.kind
        self._waiting.append(frame)
        asked_too_early = not (kind.own or kind.shared) and any(each == known.last for _, each in self._waiting)
        if asked_too_early and self._overlap.alive and len(self._waiting) <= MAX_WAITING:
            return Verdict()
        is_first = len(self._waiting) == 1 and not self._released
        if is_first and (follows(known.noted, frame[1]) or known.same_ids):
            return self._drop(0)
        return self._judge_text()

    @property
    def _cannot_tell(self) -> bool:
        """Whether text may have come before though it is not found."""
        return self._received.forgot or self._overlap.unsure

    def _distrust(self) -> Verdict:
        """What waits came before, say the ids; its text did not: they tell nothing."""
        self._received.distrust_ids()
        self._behind, self._repeated = False, None
        return Verdict(doubtful=_count(self._waiting)) + self._drop(0)

    # What becomes of the frames that wait.

    def _judge_text(self) -> Verdict:
        if self._resumes != "repeats":
            return self._release()
        return Verdict() if self._overlap.goes_on else self._decide()

    def _release(self) -> Verdict:
        """Let through what waits, and look on whether it agrees to the end."""
        before = self._pass_undecided()
        waiting = self._take_waiting()
        self._released += waiting
        verdict = before + Verdict(fresh=_tokens(waiting))
        return verdict if self._overlap.goes_on else verdict + self._end()

    def _decide(self) -> Verdict:
        """Drop what is long enough to be a repetition (`resumes = "repeats"`)."""
        overlap, known = self._overlap, self._received
        length = overlap.longest
        asked = self._waiting[0][1] is not None and self._waiting[0][1] == known.last and overlap.has(known.tail or 0)
        if asked:
            length = known.tail or 0
        is_carried = len(overlap.received) - length in overlap.carried
        count = sum(end <= length for end in accumulate(map(len, _tokens(self._waiting))))
        if length and (asked or is_carried or self._is_long(count, length)):
            return self._drop_chars(length)
        return self._release()

    def _is_long(self, tokens: int, chars: int) -> bool:
        """Whether so much that came before is a repetition, and not the same said again."""
        known = self._received
        least = MIN_NEW_ID_CHARS if known.ids_tell and known.last is not None and not known.kind.shared else 0
        return chars >= MIN_REPEATED_CHARS or (tokens >= MIN_REPEATED_TOKENS and chars >= least)

    def _is_cut_off(self) -> bool:
        """Whether the connection broke inside of what only its text shows to be a repetition."""
        if not self.resuming or self._behind or self._resumes != "repeats":
            return False
        return self._overlap.goes_on and self._is_long(_count(self._waiting), self._overlap.matched)

    def _drop_chars(self, length: int) -> Verdict:
        """The first `length` characters of what waits came before; the rest is new, and so is all that follows."""
        again = length > 0
        for place, (tokens, frame_id) in enumerate(self._waiting):
            for number, token in enumerate(tokens):
                if len(token) > length:
                    self._waiting[place] = ((token[length:], *tokens[number + 1 :]), frame_id)
                    return Verdict(repeated=number) + self._drop(place, again=again)
                length -= len(token)
        return self._drop(len(self._waiting), again=again)

    def _drop(self, frames: int, *, again: bool = False) -> Verdict:
        """The same by frames; `again` where a part of the next one came before too."""
        waiting = self._take_waiting()
        fresh = waiting[frames:]
        if self._behind and frames:
            self._received.same_ids = True
        if again or frames or self._behind:
            before = Verdict(repeated=_count(self._take_undecided()))
        else:
            before = self._pass_undecided()
        verdict = before + Verdict(repeated=_count(waiting[:frames]), fresh=_tokens(fresh)) + self._end()
        for tokens, frame_id in fresh:
            self._received.add(tokens, None if self._received.knows(frame_id) else frame_id)
        return verdict

    def _end(self, *, cut: bool = False) -> Verdict:
        """The question is answered. What was let through is doubtful as far as it agrees with what came before it."""
        released, self._released, self.resuming = self._released, [], False
        if self._behind or (cut and self._overlap.contains):
            doubtful = _count(released)
        else:
            starts = accumulate(map(len, _tokens(released)), initial=0)
            doubtful = min(_count(released), sum(start < self._overlap.longest for start in starts))
        last = self._received.last
        for tokens, frame_id in released:
            self._received.add(tokens, frame_id)
        if doubtful and (self._behind or any(frame_id in (None, last) for _, frame_id in released)):
            self._received.doubt()
        return Verdict(doubtful=doubtful)

    def _is_undecided(self) -> bool:
        """Whether the connection broke where its text could be a repetition, and is too short to be taken for one."""
        if not self.resuming or self._behind or self._resumes != "repeats":
            return False
        may_go_on = self._overlap.goes_on or not self._tokens
        return may_go_on and 0 < len(self._undecided) + len(self._waiting) <= MAX_WAITING

    def _pass_undecided(self) -> Verdict:
        """Let through what connections before were cut off in: nothing says that it came before."""
        undecided = self._take_undecided()
        for tokens, frame_id in undecided:
            self._received.add(tokens, None if self._received.knows(frame_id) else frame_id)
        if undecided:
            self._received.doubt()
        return Verdict(doubtful=_count(undecided), fresh=_tokens(undecided))

    def _take_undecided(self) -> list[Frame]:
        undecided, self._undecided = self._undecided, []
        return undecided

    def _take_waiting(self) -> list[Frame]:
        waiting, self._waiting = self._waiting, []
        return waiting


def _tokens(frames: Iterable[Frame]) -> list[str]:
    return [token for tokens, _ in frames for token in tokens]


def _count(frames: Iterable[Frame]) -> int:
    return sum(len(tokens) for tokens, _ in frames)
