"""A batch of streams as arrays: what can be said of their text and times before any setting is known.

Rules
- All streams of a batch lie in one text, each with a character of its own behind it (`GAP`). That character stands for
  the turn's end: it is the stream's last token, and comes when the turn was closed.
- Positions, tokens and sentences are numbered through the batch, so one array answers for all streams.
- The rules of windows are not written again here: sentences come from the splitter itself, clauses are asked of
  `clause_ends`; only what they were found to depend on is tabulated.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.tuning.splitters import Splitters
from analytics.tuning.streams import Stream
from flows.steps.cuts import SIGNS, WIDE, clause_ends, digit_before
from flows.steps.windows import _BLANK_LINE, _MAY_BEGIN_BEHIND  # the rule itself, not a copy of it

Ints = NDArray[np.signedinteger[Any]]
Bools = NDArray[np.bool_]
Times = Ints
"""Microseconds: 32 bits where they fit, else 64."""

GAP = "\0"
NEVER = 2**31 - 1
_CLAUSE_MARK = re.compile(rf"[{SIGNS}{WIDE}](?:(?=\S?\s)|(?<=[{WIDE}]))")
_BLANK = re.compile(_BLANK_LINE.pattern.removesuffix("$"))


class Marks:
    """Places where windows may end, in the order in which they are proved.

    at      where the window would end
    proved  how much of the text must have come for that
    token   the token in which that is
    visible the end of the last visible character before `at`

    A last place that is never reached closes the lists, so that an index just past the end may be looked up.
    """

    def __init__(self, batch: Batch, at: Ints, proved: Ints) -> None:
        self.at = np.append(at, batch.length).astype(np.int32)
        self.proved = np.append(proved, NEVER).astype(np.int32)
        self.token = np.append(batch.token[self.proved[:-1] - 1], NEVER).astype(np.int32)
        self.visible = batch.visible_end[self.at]
        self.reaching = counts_before(self.visible[:-1], batch.length + 2)
        """By position: the first place whose window shows text up to there or further."""
        self._behind = counts_before(self.proved[:-1], batch.length + 3)[1:]

    def behind(self, position: Ints) -> Ints:
        """The first place that is proved only by what comes behind the position."""
        place: Ints = self._behind[np.minimum(position, len(self._behind) - 1)]
        return place


class Batch:
    """Some streams, laid out.

    text, length   all streams, each followed by `GAP`
    begin, end     by stream: its text's first position, and the position of its GAP
    first, last    by stream: its first token, and the one that stands for its end
    times          by token: microseconds since the stream's first text
    token          by position: the token that holds the character
    """

    def __init__(self, streams: Sequence[Stream]) -> None:
        self.streams = streams
        self.text = GAP.join([*[stream.text for stream in streams], ""])
        self.length = len(self.text)
        counts = np.array([len(stream.ends) + 1 for stream in streams])
        sizes = np.array([len(stream.text) + 1 for stream in streams])
        self.last = (np.cumsum(counts) - 1).astype(np.int32)
        self.first = (self.last - counts + 1).astype(np.int32)
        self.end = (np.cumsum(sizes) - 1).astype(np.int32)
        self.begin = (self.end - sizes + 1).astype(np.int32)
        self.stream_of = np.repeat(np.arange(len(streams), dtype=np.int32), counts)
        ends = [
            np.append(stream.ends, len(stream.text) + 1) + begin
            for stream, begin in zip(streams, self.begin.tolist(), strict=True)
        ]
        self.token_end = np.concatenate(ends).astype(np.int32)
        self.token_begin = np.append(np.int32(0), self.token_end[:-1])
        self.token = np.repeat(np.arange(len(self.token_end), dtype=np.int32), self.token_end - self.token_begin)
        self.token = np.append(self.token, np.int32(len(self.token_end)))
        times = np.concatenate([np.append(stream.times, stream.closed) for stream in streams])
        self.times: Times = times.astype(np.int32 if times.max() < 2**30 else np.int64)
        following = np.append(self.times[1:], self.times[-1:])
        following[self.last] = self.times[self.last]
        self.next_time = following
        self.is_gap = np.zeros(self.length, bool)
        self.is_gap[self.end] = True
        self.codes = np.frombuffer(self.text.encode("utf-32-le"), np.uint32)
        self._names = np.flatnonzero(np.bincount(self.codes))
        space = self.are(str.isspace)
        here = np.arange(self.length, dtype=np.int32)
        visible = np.where(space, np.int32(NEVER), here)
        self.visible_from = np.append(np.minimum.accumulate(visible[::-1])[::-1], np.int32(self.length))
        """By position: the first visible character there or later (a GAP counts as one)."""
        shown = np.where(space, np.int32(0), here + 1)
        self.visible_end = np.append(np.int32(0), np.maximum.accumulate(shown))
        """By position: behind the last visible character before it."""
        self.space = space
        between = self.are(lambda character: _MAY_BEGIN_BEHIND.match(character) is not None)
        self.begins_word = np.append(np.append(False, between[:-1]) & ~between & ~self.is_gap, False)
        """By position: whether a word begins there, as windows see it."""

    def are(self, test: Callable[[str], bool]) -> Bools:
        """By position: whether the character is of that kind."""
        kinds = np.zeros(int(self._names[-1]) + 1, bool)
        kinds[self._names] = [test(chr(name)) for name in self._names.tolist()]
        return kinds[self.codes]

    def silences(self, timeout: float) -> Ints:
        """By token: the first token, that one or a later one, after which it was silent for longer than this."""
        count = len(self.times)
        if not timeout:
            return np.full(count + 1, NEVER, np.int32)
        gap = self.next_time.astype(np.int64) - self.times
        silent = np.where(gap > round(timeout * 1_000_000), np.arange(count, dtype=np.int32), np.int32(NEVER))
        return np.append(np.minimum.accumulate(silent[::-1])[::-1], np.int32(NEVER))

    def ends_inside(self, sentences: Marks) -> Bools:
        """By position: whether a window that ends there breaks off a sentence. White space does not matter."""
        whole = np.zeros(self.length + 1, bool)
        whole[sentences.visible[:-1]] = True
        whole[self.visible_end[self.end]] = True
        inside: Bools = ~whole[self.visible_end]
        return inside


class Clauses(Marks):
    """Where a clause ends before a word. Whether it counts depends on what is open in the window: see `is_refused`."""

    def __init__(self, batch: Batch) -> None:
        text = batch.text
        found = np.array([match.start() for match in _CLAUSE_MARK.finditer(text)], np.int32)
        mark = np.append(found, found)
        word = np.append(batch.visible_from[found + 1], batch.visible_from[found + 2])  # a closing quote may follow
        begins = batch.begins_word[word]
        pairs = zip(word[begins].tolist(), mark[begins].tolist(), strict=True)
        mark_of = dict(sorted((w, m) for w, m in pairs if _ends_clause(text[m : w + 1])))
        at = np.array(list(mark_of), np.int32)
        super().__init__(batch, at, at + 1)
        self.mark = np.array([*mark_of.values(), batch.length], np.int32)
        digits = [digit_before(text, m) if text[w].isdigit() else -1 for w, m in mark_of.items()]
        self.digit = np.array([*digits, -1], np.int32)
        """The digit before the mark where that is inside a number: no clause ends there in a window that holds it."""
        codes = batch.codes
        self._ticks = _sums(codes == ord("`"))
        self._round = _sums(codes == ord("("), codes == ord(")"))
        self._square = _sums(codes == ord("["), codes == ord("]"))

    def is_refused(self, window: Ints, places: Ints) -> Bools:
        """Whether the clause is none in a window that begins there: inside code, brackets or a number, or its mark
        before it."""
        at = self.at[places]
        odd = (self._ticks[at] - self._ticks[window]) & 1
        refused: Bools = (
            (odd == 1)
            | (self._round[at] > self._round[window])
            | (self._square[at] > self._square[window])
            | (self.mark[places] < window)
            | (self.digit[places] >= window)
        )
        return refused


def sentences(batch: Batch, splitters: Splitters) -> Marks:
    """Where the splitter ends sentences."""
    cuts = [splitters.cuts(stream.text, stream.language) for stream in batch.streams]
    places: Ints = np.array(list(itertools.chain.from_iterable(cuts)), np.int32).reshape(-1, 2)
    begin = np.repeat(batch.begin, [len(each) for each in cuts])
    return Marks(batch, begin + places[:, 0], begin + places[:, 1])


def paragraphs(batch: Batch, sentences: Marks) -> Marks:
    """Where a paragraph ends: before a word behind a blank line, if the splitter's last sentence ended in it."""
    blank = [match.span() for match in _BLANK.finditer(batch.text) if batch.begins_word[match.end()]]
    spans: Ints = np.array(blank, np.int32).reshape(-1, 2)
    begin, end = spans[:, 0], spans[:, 1]
    last = sentences.behind(end + 1) - 1
    split = sentences.at[last]
    ends = end[(last >= 0) & (begin <= split) & (split <= end)]
    return Marks(batch, ends, ends + 1)


@lru_cache(maxsize=1 << 16)
def _ends_clause(text: str) -> bool:
    """Whether a clause that begins with its mark ends before the last character."""
    return clause_ends(text, len(text) - 1)


def counts_before(places: Ints, size: int) -> Ints:
    """By position, below `size`: how many of the places, which are in order, lie before it."""
    lengths = np.diff(places, prepend=-1, append=size - 1)
    return np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)


def _sums(more: Bools, less: Bools | None = None) -> Ints:
    """By position: how many of the places lie before it, without those of the others."""
    sums = np.zeros(len(more) + 1, np.int32)
    np.cumsum(more if less is None else np.subtract(more, less, dtype=np.int8), out=sums[1:])
    return sums
