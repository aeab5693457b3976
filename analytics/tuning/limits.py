"""Where a full window is cut: `flows.steps.cuts.best_cut` for many windows at once.

Rules
- What the usual windows need (the last clause, the last word, a script without spaces) is looked up; every other one
  is asked of `best_cut` itself, as windows do: with a character more each time, until it knows.
"""

from __future__ import annotations

import unicodedata

import numpy as np

from analytics.tuning.tables import Batch, Bools, Ints, counts_before
from flows.steps.cuts import (  # the rules themselves, not a copy of them
    _CLAUSE,
    _MAKES_PLACE,
    _UNSPACED,
    _ZWJ,
    _counts,
    best_cut,
    digit_before,
)
from flows.steps.windows import OVERFULL

NOWHERE = 0
Cut = tuple[int, int]


class Limits:
    """The cuts of a batch's full windows."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._known: dict[tuple[int, int, int], Cut] = {}
        digit = np.append(batch.are(str.isdigit), False)
        edges = np.flatnonzero(np.diff(batch.space, prepend=False))
        begins, ends = edges[::2].astype(np.int32), edges[1::2].astype(np.int32)
        follows_digit = digit[begins - 1]
        number = np.arange(len(begins), dtype=np.int32)
        good = np.maximum.accumulate(np.where(follows_digit & digit[ends], -1, number))
        # By run of white space; the last place of each list stands for none.
        self._begin, self._end = np.append(begins, NOWHERE), np.append(ends, NOWHERE)
        self._whole_begin = np.where(np.append(follows_digit, True), NOWHERE, self._begin)
        self._good_begin, self._good_end = np.append(self._begin[good], NOWHERE), np.append(self._end[good], NOWHERE)
        self._spaces = counts_before(begins, batch.length + 1)
        self._find_clauses(digit)
        self._plain = self._are_plain()

    def cut(self, begin: Ints, fed: Ints, max_chars: Ints, text_end: Ints) -> tuple[Ints, Ints]:
        """Where windows that are full when so much has come are cut, and how much has come by then.

        `begin`, `fed`, `max_chars` and `text_end` (of the stream) are by window. NOWHERE where the text ends first.
        """
        at = self._usual(begin, fed)
        proved = fed.copy()
        for i in np.flatnonzero(at == NOWHERE).tolist():
            at[i], proved[i] = self._unusual(int(begin[i]), int(fed[i]), int(max_chars[i]), int(text_end[i]))
        return at, proved

    def _usual(self, begin: Ints, fed: Ints) -> Ints:
        last = self._clauses[fed]
        grows = (self._clause_end[last] >= fed) & self._follows_digit[last]  # so it may be inside a number
        last = self._good_clause[last - grows]
        end = np.minimum(self._clause_end[last], fed)
        half = (fed - begin) >> 1
        found = (self._clause_begin[last] >= begin) & (end - begin > half)
        first = self._clauses_begun[begin]
        headless = (self._digit[first] < begin) & (self._digit[first] >= 0) & (self._clause_end[first] - begin > half)
        run = self._spaces[fed] - 1
        touches = self._end[run] >= fed
        whole = touches & (self._whole_begin[run] > begin)
        inner = run - touches
        good = np.where(self._good_begin[inner] > begin, self._good_end[inner], NOWHERE)
        cut: Ints = np.where(found, end, np.where(whole, fed, good))
        cut[headless] = NOWHERE
        rest = np.flatnonzero((cut == NOWHERE) & ~headless)
        unspaced = rest[self._plain[fed[rest] - 1] & (fed[rest] - begin[rest] > 1)]
        cut[unspaced] = fed[unspaced] - 1
        return cut

    def _unusual(self, begin: int, fed: int, max_chars: int, text_end: int) -> Cut:
        key = (begin, fed, max_chars)
        if key not in self._known:
            self._known[key] = self._ask(begin, fed, max_chars, text_end)
        return self._known[key]

    def _ask(self, begin: int, fed: int, max_chars: int, text_end: int) -> Cut:
        text, last = self._batch.text, begin + OVERFULL * max_chars
        end = fed
        while end <= text_end:
            length = best_cut(text[begin:end])
            if length is None and end >= last:
                length = end - begin
            if length is not None:
                return begin + length, end
            match = _MAKES_PLACE.search(text, end - 1, min(text_end, last))  # as `may_have_place` looks for it
            end = max(end + 1, match.end() if match else last)
        return NOWHERE, fed

    def _find_clauses(self, digit: Bools) -> None:
        """The clauses; each is one as soon as `shown` characters have come, and ends at `end`. Those inside numbers are
        among them: what is looked up is the last one that is not."""
        batch = self._batch
        spans = [match.span() for match in _CLAUSE.finditer(batch.text)]
        places: Ints = np.array(spans, np.int32).reshape(-1, 2)
        begins, ends = places[:, 0], places[:, 1]
        shown = np.where(batch.space[ends - 1], batch.visible_end[ends] + 1, begins + 1)
        self._clause_begin = np.append(begins, np.int32(-1))
        self._clause_end = np.append(ends, np.int32(-1))
        self._digit = np.array([*(digit_before(batch.text, begin) for begin in begins.tolist()), -1], np.int32)
        """By clause: the digit that its sign follows; -1 for none."""
        self._follows_digit = self._digit >= 0
        number = np.arange(len(begins), dtype=np.int32)
        good = np.maximum.accumulate(np.where(self._follows_digit[:-1] & digit[ends], np.int32(-1), number))
        self._good_clause = np.append(good, np.int32(-1))
        self._clauses_begun = counts_before(begins, batch.length + 2)
        """By position: the first clause whose sign stands there or later."""
        self._clauses = counts_before(shown, batch.length + 2)[1:] - 1
        """By position: the last clause before it; -1, which is the one at the end of the lists, for none."""

    def _are_plain(self) -> Bools:
        """By position: a character of a script without spaces that stands for itself."""
        unspaced = self._batch.are(lambda character: _UNSPACED.match(character) is not None)
        if not unspaced.any():
            return unspaced
        mark = self._batch.are(lambda character: unicodedata.category(character) in ("Mn", "Mc", "Me"))
        joiner = self._batch.are(lambda character: character == _ZWJ)
        counts = self._batch.are(_counts)
        in_number = counts & np.append(False, counts[:-1])
        plain: Bools = unspaced & ~mark & ~joiner & ~np.append(False, joiner[:-1]) & ~in_number
        return plain
