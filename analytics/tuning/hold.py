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
from flows.moderation.detectors.base import WORD_CONTEXT, open_word
from flows.steps.arrivals import Arrivals
from flows.steps.release import given_up

_MANY = 4 * WORD_CONTEXT
_LONGEST = _MANY - open_word("x" * _MANY)
"""The longest open word of letters alone."""


def holding(policy: Policy) -> Policy:
    """The policy as far as the tuner counts it: what is held, and for how long."""
    flagged = {category: action for category, action in policy.actions.items() if action == "flag"}
    return msgspec.structs.replace(
        policy, actions=flagged, marks={}, mark="[REDACTED]", remote=(), markdown="keep", whitespace="keep"
    )


class Hold:
    """What moderation holds back of a batch; `language` is that of streams that name none.

    let_go    by token: the position up to which text may be shown once it has come
    expires   by token: when what is held then is given up, if that is before the next token; else NEVER
    passed    by token: `let_go` at the end of the token's time, so with what was given up
    moved     by position: where a window that should end there does end, because of a finding across; None for nowhere
    """

    def __init__(self, batch: Batch, policy: Policy, language: str | None = None) -> None:
        self._language = language or ""
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
        since = batch.times[batch.token[np.minimum(self.let_go, batch.length - 1)]].astype(np.int64)
        late = (self.let_go < batch.token_end) & (since + self._hold < batch.next_time)
        late |= batch.token_end - batch.token_begin > policy.max_hold_chars - WORD_CONTEXT
        late[batch.last] = False
        numbers: list[int] = np.unique(batch.stream_of[late]).tolist()
        return numbers

    def _moderate(self, batch: Batch, number: int, policy: Policy) -> None:
        stream: Stream = batch.streams[number]
        begin, token = int(batch.begin[number]), int(batch.first[number])
        moderator, arrivals = Moderator(policy, stream.language or self._language), Arrivals()
        times = [*stream.times.tolist(), stream.closed]
        for place, piece in enumerate(stream.pieces()):
            arrivals.add(len(piece), 1, times[place])
            moderator.push(piece)
            self.let_go[token] = begin + moderator.cut
            deadline = given_up(moderator, arrivals, self._hold)
            if deadline is not None and deadline < times[place + 1]:
                moderator.release_held()
                self.expires[token] = deadline
            token += 1
        moderator.finish()
        self._moves += [(begin + each.start, begin + each.end) for each in moderator.findings]


def _before_open_words(batch: Batch) -> Ints:
    """By token: where the word begins that is open behind it. `open_word` itself says so, where that does not follow
    from what it says of single characters: behind letters that come after white space, say."""
    ends = batch.token_end
    breaks, letter = batch.are(_is_break), batch.are(_is_letter)
    here = np.arange(1, batch.length + 1, dtype=np.int32)
    letters_from = np.append(np.int32(0), np.maximum.accumulate(np.where(letter, np.int32(0), here)))
    opens: Ints = letters_from[ends]
    known = (breaks[opens - 1] | (opens == 0)) & (ends - opens <= _LONGEST)
    known[batch.last] = True
    text, begins = batch.text, batch.begin[batch.stream_of]
    for token in np.flatnonzero(~known).tolist():
        end = int(ends[token])
        begin = max(int(begins[token]), end - WORD_CONTEXT)
        opens[token] = begin + open_word(text[begin:end])
    return opens


_BEFORE = ("", " ", "x", "+", "x ")


def _is_break(character: str) -> bool:
    """Whether no open word reaches over it, nor begins with it."""
    return all(open_word(text + character + after) == len(text) + 1 for text in _BEFORE for after in ("", "x"))


def _is_letter(character: str) -> bool:
    """Whether it makes an open word longer, and is one by itself."""
    return all(open_word(text + character) == open_word(text) for text in _BEFORE)
