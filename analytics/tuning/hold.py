"""How much of the text moderation has let go, token by token; windows change nothing in that.

Rules
- What moderation would do to a found text beyond redacting it (drop, replace, end the turn, format) takes away or
  empties messages; here it is shown as if redacted. Everything else is as `flows.steps.release.Release` does it.
- With nothing to look for, only the open word is held: that is tabulated. Else, and where text is held for too long,
  the moderator itself is run, once a stream.
"""

from __future__ import annotations

import msgspec
import numpy as np

from analytics.tuning.streams import Stream
from analytics.tuning.tables import NEVER, Batch, Ints, Times
from flows.moderation import Moderator, Policy
from flows.moderation.detectors.base import open_word

LONGEST_WORD = 64
"""As `open_word` has it; a bracket may stand before it, and a word that a plus ends before that."""


def holding(policy: Policy) -> Policy:
    """The policy as far as the tuner counts it: what is held, and for how long."""
    flagged = {category: action for category, action in policy.actions.items() if action == "flag"}
    return msgspec.structs.replace(
        policy, actions=flagged, marks={}, mark="[REDACTED]", remote=(), markdown="keep", whitespace="keep"
    )


class Hold:
    """What moderation holds back of a batch.

    let_go    by token: the position up to which text may be shown once it has come
    expires   by token: when what is held then is given up, if that is before the next token; else NEVER
    passed    by token: `let_go` at the end of the token's time, so with what was given up
    moved     by position: where a window that should end there does end, because of a finding across; None for nowhere
    """

    def __init__(self, batch: Batch, policy: Policy) -> None:
        self._hold = round(policy.max_hold_seconds * 1_000_000)
        self.expires = np.full(len(batch.times), NEVER, batch.times.dtype)
        self.moved: Ints | None = None
        self._moves: list[tuple[int, int]] = []
        looks = policy.pii or policy.blocklist or policy.patterns or policy.detectors
        self.let_go = batch.token_end.copy() if looks else _before_open_words(batch)
        self.let_go[batch.last] = batch.end
        if not looks:
            np.maximum.accumulate(self.let_go, out=self.let_go)
        alone = range(len(batch.streams)) if looks else self._unusual(batch, policy)
        for number in alone:
            self._moderate(batch, number, policy)
        self.passed = np.where(self.expires < NEVER, batch.token_end, self.let_go).astype(np.int32)
        if self._moves:
            self.moved = np.arange(batch.length + 1, dtype=np.int32)
            for begin, end in self._moves:
                self.moved[begin + 1 : end] = end

    def released(self, position: Ints, token: Ints, times: Times) -> Times:
        """When the text before the position is let go, from that token on."""
        when = np.maximum(np.searchsorted(self.passed, position), token)
        released: Times = np.where(self.let_go[when] >= position, times[when], self.expires[when])
        return released

    def _unusual(self, batch: Batch, policy: Policy) -> list[int]:
        """Streams in which a word is held for too long, or that have tokens longer than may be held."""
        held = batch.token_end - self.let_go
        moved = np.append(True, (np.diff(self.let_go) != 0) | (held[:-1] == 0))
        moved[batch.first] = True
        since = np.maximum.accumulate(np.where(moved, np.arange(len(held)), 0))
        late = (held > 0) & (batch.times[since].astype(np.int64) + self._hold < batch.next_time)
        late |= batch.token_end - batch.token_begin > policy.max_hold_chars - 2 * LONGEST_WORD - 1
        late[batch.last] = False
        numbers: list[int] = np.unique(batch.stream_of[late]).tolist()
        return numbers

    def _moderate(self, batch: Batch, number: int, policy: Policy) -> None:
        stream: Stream = batch.streams[number]
        begin, token = int(batch.begin[number]), int(batch.first[number])
        moderator = Moderator(policy, stream.language or "")
        deadline: int | None = None
        times = [*stream.times.tolist(), stream.closed]
        for place, piece in enumerate(stream.pieces()):
            cut = moderator.cut
            moderator.push(piece)
            self.let_go[token] = begin + moderator.cut
            if not moderator.held:
                deadline = None
            elif deadline is None or moderator.cut != cut:
                deadline = times[place] + self._hold
            if deadline is not None and deadline < times[place + 1]:
                moderator.release_held()
                self.expires[token], deadline = deadline, None
            token += 1
        moderator.finish()
        self._moves += [(begin + each.start, begin + each.end) for each in moderator.findings]


def _before_open_words(batch: Batch) -> Ints:
    """By token: where the word begins that is open behind it (`open_word`, for all tokens at once)."""
    closed = ~batch.are(lambda character: open_word(character) == 0 and character != "(")
    closed[batch.is_gap] = True
    here = np.arange(1, batch.length + 1, dtype=np.int32)
    word = np.append(np.int32(0), np.maximum.accumulate(np.where(closed, here, np.int32(0))))
    end = batch.token_end
    begin = np.maximum(word[end], end - LONGEST_WORD)
    bracket = (begin == word[end]) & (batch.codes[begin - 1] == ord("("))
    before = begin - bracket
    plus = bracket & (batch.codes[before - 1] == ord("+"))
    opens: Ints = np.where(plus, np.maximum(word[before], before - LONGEST_WORD), before).astype(np.int32)
    return opens
