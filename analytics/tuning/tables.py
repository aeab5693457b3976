"""A batch of streams as arrays: what can be said of their text and times before any setting is known.

Rules
- All streams of a batch lie in one text, each with a character of its own behind it (`GAP`). That character stands for
  the turn's end: it is the stream's last token, and comes when the turn was closed.
- Positions, tokens and sentences are numbered through the batch, so one array answers for all streams.
- The rules of windows are not written again here: sentences come from the splitter itself, clauses are asked of
  `clause_ends`; only what they were found to depend on is tabulated.
- At which character a boundary was proved is found out only where two cuts fall into one token (`Sentences.prove`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.tuning.streams import Stream
from connectors.errors import SettingsError
from flows.cuts import clause_ends
from flows.sentences import SentenceSplitter
from flows.windows import _BLANK_LINE, _WORD_BEGINS  # the rule itself, not a copy of it

Ints = NDArray[np.signedinteger[Any]]
Bools = NDArray[np.bool_]
Times = Ints
"""Microseconds: 32 bits where they fit, else 64."""
Cut = tuple[int, int]
Splitter = Callable[[str | None], SentenceSplitter]

GAP = "\0"
NEVER = 2**31 - 1
_PROVED = "。"
_CLAUSE_MARK = re.compile(r"[,;:،؛—–](?=\S?\s)|[、，；：]")
_SPACES = re.compile(r"\s*")
_BLANK = re.compile(_BLANK_LINE.pattern.removesuffix("$"))


class Marks:
    """Places where windows may end, in the order in which they are proved.

    at      where the window would end
    visible the end of the last visible character before that
    proved  how much of the text must have come
    token   the token in which that is

    A last place that is never reached closes the lists, so that an index just past the end may be looked up.
    """

    def __init__(self, batch: Batch, at: list[int], proved: list[int], token: Ints | None = None) -> None:
        self.at = np.array([*at, batch.length], np.int32)
        self.visible = batch.visible_end[self.at]
        self.proved = np.array([*proved, NEVER], np.int32)
        if token is None:
            token = np.append(batch.token[self.proved[:-1] - 1], np.int32(NEVER)).astype(np.int32)
        self.token = token
        self.reaching = _first_at_least(self.visible[:-1], batch.length + 2)
        """By position: the first place whose window shows text up to there or further."""
        self.of_token = _first_at_least(self.token[:-1], len(batch.times) + 2)
        """By token: the first place that is proved in it or later."""

        self._after = _first_at_least(self.proved[:-1], batch.length + 3)

    def prove(self, places: Ints) -> None:
        """Make `proved` exact to the character for these. Here it always is."""

    def following(self, token: Ints, fed: Ints) -> Ints:
        """The first place that is proved only after so much of the text, which ends in that token."""
        place: Ints = self._after[np.minimum(fed, len(self._after) - 2) + 1]
        return place


class Sentences(Marks):
    """Where the splitter cuts. `proved` is the end of the token, until `prove` finds the character."""

    def __init__(self, batch: Batch, splitter: Splitter) -> None:
        self._batch = batch
        self._splitter = splitter
        self._known: dict[str | None, dict[str, Any]] = {}
        self.token_begin, self.token_end = batch.token_begin, batch.token_end
        cuts: list[Cut] = []
        for stream, begin, first, last in zip(
            batch.streams, batch.begin.tolist(), batch.first.tolist(), batch.last.tolist(), strict=True
        ):
            cuts += _split(splitter(stream.language), stream, begin, first, last)
        token = np.array([*(token for _, token in cuts), NEVER], np.int32)
        super().__init__(batch, [at for at, _ in cuts], self.token_end[token[:-1]].tolist(), token)
        self._exact = np.append(self.token_end[token[:-1]] - self.token_begin[token[:-1]] == 1, True)

    def prove(self, places: Ints) -> None:
        """Make `proved` exact to the character for these, and for all others of their tokens."""
        for token in dict.fromkeys(self.token[places[~self._exact[places]]].tolist()):
            if not self._split_again(token, self._likely(token)):
                self._split_again(token, range(int(self.token_begin[token]) + 1, int(self.token_end[token]) + 1))

    def following(self, token: Ints, fed: Ints) -> Ints:
        place = self.of_token[token]
        while True:
            doubtful = np.flatnonzero((self.token[place] == token) & (self.at[place] <= fed))
            if not len(doubtful):
                return place
            self.prove(place[doubtful])
            passed = doubtful[self.proved[place[doubtful]] <= fed[doubtful]]
            if not len(passed):
                return place
            place[passed] += 1

    def _split_again(self, token: int, stops: Sequence[int]) -> bool:
        """Split the token's part of the text once more, in pieces that end there.

        Only what is proved by a single character is known exactly: False where a longer piece proved something.
        """
        text = self._batch.text
        place = int(self.of_token[token])
        splitter, at = self._resumed(token, place)
        begin = int(self.token_begin[token])
        place += len(splitter.feed(text[at:begin]))
        at, exact = begin, True
        for stop in stops:
            for _ in splitter.feed(text[at:stop]):
                exact = exact and stop - at == 1
                self.proved[place], self._exact[place] = stop, exact
                place += 1
            at = stop
        return exact

    def _resumed(self, token: int, place: int) -> tuple[SentenceSplitter, int]:
        """A splitter behind the last cut before the token, and where that is.

        Behind a line break a splitter is as new; behind any other cut it is as behind a full stop that needs no proof.
        """
        number = int(self._batch.stream_of[token])
        language, begin = self._batch.streams[number].language, int(self._batch.begin[number])
        splitter = self._splitter(language)
        last = int(self.at[place - 1]) if place else 0
        if last <= begin:
            return splitter, begin
        if self._batch.text[last - 1] != "\n":
            splitter.restore(self._behind_stop(language))
        return splitter, last

    def _behind_stop(self, language: str | None) -> dict[str, Any]:
        """What a splitter of that language knows behind a cut in the middle of a line."""
        if language not in self._known:
            splitter = self._splitter(language)
            if splitter.feed(_PROVED) != [_PROVED]:
                raise SettingsError(f"window.flush_overrides: the tuner needs {_PROVED!r} to end a sentence; allow it")
            self._known[language] = splitter.snapshot()
        return self._known[language]

    def _likely(self, token: int) -> list[int]:
        """Where the token's places are proved as a rule: by the next visible character, or by their last one."""
        begin, end = int(self.token_begin[token]), int(self.token_end[token])
        text, stops = self._batch.text, {end}
        for at in self.at[self.of_token[token] : self.of_token[token + 1]].tolist():
            shown = int(self._batch.visible_from[at])
            stops.update((shown, shown + 1))
            if text[at - 1] == "\n" or not text[at - 1].isascii():
                stops.update((at - 1, at))
        return sorted(stop for stop in stops if begin < stop <= end)


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

    def are(self, test: Callable[[str], bool]) -> Bools:
        """By position: whether the character is of that kind."""
        kinds = np.zeros(int(self._names[-1]) + 1, bool)
        kinds[self._names] = [test(chr(name)) for name in self._names.tolist()]
        return kinds[self.codes]

    def begins_word(self, at: int) -> bool:
        """Whether the character there begins a word, as windows see it."""
        return at < self.length and not self.is_gap[at] and _WORD_BEGINS.match(self.text, at) is not None

    def silences(self, timeout: float) -> Ints:
        """By token: the first token, that one or a later one, after which it was silent for longer than this."""
        count = len(self.times)
        if not timeout:
            return np.full(count + 1, NEVER, np.int32)
        gap = self.next_time.astype(np.int64) - self.times
        silent = np.where(gap > round(timeout * 1_000_000), np.arange(count, dtype=np.int32), np.int32(NEVER))
        return np.append(np.minimum.accumulate(silent[::-1])[::-1], np.int32(NEVER))

    def ends_inside(self, sentences: Sentences) -> Bools:
        """By position: whether a window that ends there breaks off a sentence. White space does not matter."""
        whole = np.zeros(self.length + 1, bool)
        whole[sentences.visible[:-1]] = True
        whole[self.visible_end[self.end]] = True
        inside: Bools = ~whole[self.visible_end]
        return inside


class Clauses(Marks):
    """Where a clause ends before a word. Whether it counts depends on what is open in the window: see `inside`."""

    def __init__(self, batch: Batch, sentences: Sentences) -> None:
        text, mark_of = batch.text, dict[int, int]()
        for match in _CLAUSE_MARK.finditer(text):
            mark = match.start()
            for behind in {_end_of_spaces(text, mark + 1), _end_of_spaces(text, mark + 2)}:  # a quote may follow
                if batch.begins_word(behind) and _ends_clause(text[mark : behind + 1]):
                    mark_of[behind] = mark
        at = sorted(mark_of)
        self.mark = np.array([*(mark_of[place] for place in at), batch.length], np.int32)
        super().__init__(batch, at, [place + 1 for place in at])
        code = batch.codes
        self._ticks = _sums(code == ord("`"))
        self._round = _sums(code == ord("(")) - _sums(code == ord(")"))
        self._square = _sums(code == ord("[")) - _sums(code == ord("]"))
        # A clause that is proved in the same token as a sentence before it may be proved sooner.
        following = np.searchsorted(self.proved, sentences.at[:-1])
        shared = self.token[following] == sentences.token[:-1]
        sentences.prove(np.flatnonzero(shared).astype(np.int32))

    def is_refused(self, window: Ints, places: Ints) -> Bools:
        """Whether the clause is none in a window that begins there: inside code or brackets, or its mark before it."""
        at = self.at[places]
        odd = (self._ticks[at] - self._ticks[window]) & 1
        refused: Bools = (
            (odd == 1)
            | (self._round[at] > self._round[window])
            | (self._square[at] > self._square[window])
            | (self.mark[places] < window)
        )
        return refused


def paragraphs(batch: Batch, sentences: Sentences) -> Marks:
    """Where a paragraph ends: before a word behind a blank line, if the splitter's last sentence ended in it."""
    blank = [match.span() for match in _BLANK.finditer(batch.text) if batch.begins_word(match.end())]
    spans: Ints = np.array(blank, np.int32).reshape(-1, 2)
    begin, end = spans[:, 0], spans[:, 1]
    token = batch.token[end]
    shared = np.isin(sentences.token[:-1], token)
    sentences.prove(np.flatnonzero(shared).astype(np.int32))
    last = np.searchsorted(sentences.proved, end + 1, side="right") - 1
    split = sentences.at[last]
    ends = end[(last >= 0) & (begin <= split) & (split <= end)].tolist()
    return Marks(batch, ends, [each + 1 for each in ends])


@lru_cache(maxsize=1 << 16)
def _ends_clause(text: str) -> bool:
    """Whether a clause that begins with its mark ends before the last character."""
    return clause_ends(text, len(text) - 1)


def _end_of_spaces(text: str, at: int) -> int:
    match = _SPACES.match(text, at)
    return match.end() if match else at


def _split(splitter: SentenceSplitter, stream: Stream, begin: int, first: int, last: int) -> list[Cut]:
    """Where a stream is cut, and in which token that is proved."""
    feed, text = splitter.feed, stream.text
    cuts: list[Cut] = []
    at, from_ = begin, 0
    for token, to in enumerate(stream.ends.tolist(), first):
        pieces = feed(text[from_:to])
        if pieces:
            for piece in pieces:
                at += len(piece)
                cuts.append((at, token))
        from_ = to
    for piece in splitter.flush()[:-1]:
        at += len(piece)
        cuts.append((at, last))
    return cuts


def _first_at_least(ordered: Ints, size: int) -> Ints:
    """For every number below `size` the index of the first that is not smaller."""
    counts = np.zeros(size, np.int32)
    np.cumsum(np.bincount(ordered, minlength=size)[: size - 1], out=counts[1:])
    return counts


def _sums(flags: Bools) -> Ints:
    sums = np.zeros(len(flags) + 1, np.int32)
    np.cumsum(flags, out=sums[1:])
    return sums
