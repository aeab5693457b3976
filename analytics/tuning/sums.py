"""What walked streams come to: messages and windows by stream, delays by token.

Rules
- A part is a row that was walked. Its sums are kept by stream, and its delays by token, so that some of its streams can
  be taken out again and put in as they are under another setting.
- Delays are counted by batch; a token's bin is the same however its stream was walked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from analytics.tuning.figures import BINS, Tally, bin_of
from analytics.tuning.streams import Stream
from analytics.tuning.tables import Batch, Bools, Ints
from analytics.tuning.walk import Releases

_TIME = 37
"""A window's last token and its time are sorted as one number; so many bits are the time, for `streams.LONGEST`."""
MAX_TOKENS = 1 << 24
"""How many tokens may be added up at a time before the last row: with `tuner.MAX_TOKENS` in that, 26 bits have room."""


class Part(NamedTuple):
    """Sums by stream, by batch the histogram of the delays, and the bin of every token."""

    messages: Ints
    windows: Ints
    broken: Ints
    firsts: Ints
    delays: Ints
    bins: Ints


class Sums:
    """Adds up what left of the streams of some batches, which lie in one. `inside` is `Batch.ends_inside`."""

    def __init__(self, batch: Batch, batches: Sequence[Sequence[Stream]], inside: Bools) -> None:
        self._batch = batch
        self._inside = inside
        self._batches = len(batches)
        self._of = np.repeat(np.arange(len(batches), dtype=np.int32), [len(members) for members in batches])
        """By stream: its batch."""
        self._begins = np.flatnonzero(np.diff(self._of, prepend=-1))
        self._bins_of = self._of * np.int32(BINS)
        self._place = self._bins_of[batch.stream_of]
        """By token: where its batch's bins begin in a histogram of all."""
        self._splits = np.flatnonzero(np.diff(self._of[batch.stream_of])) + 1

    def parts(self, releases: Releases, rows: Sequence[Ints]) -> Iterator[Part]:
        """Add up what left, row by row; each row is some streams, none of them empty."""
        batch = self._batch
        lane, at, time = releases
        streams = np.concatenate(rows)
        lanes = len(streams)
        first, last, closed = batch.first[streams], batch.last[streams], batch.times[batch.last[streams]]
        messages = np.bincount(lane, minlength=lanes) + 1
        broken = np.bincount(lane[self._inside[at]], minlength=lanes)
        windows = messages - np.bincount(lane[at == batch.end[streams][lane]], minlength=lanes)
        firsts = closed.copy()
        firsts[lane[::-1]] = time[::-1]
        # Tokens are numbered through all lanes; a token with which a window ends, and when that left, are one number,
        # so that sorting puts the windows in order, and of several that end with one token the earliest first.
        upto = np.cumsum(last - first + 1)
        token = batch.token[at]
        ends = (((upto - 2 - last)[lane] + token) << _TIME) | time
        ended = token > first[lane]
        if not ended.all():
            ends = ends[ended]
        left = np.sort(np.concatenate((ends, ((upto - 1) << _TIME) | closed)))
        ended_by = left >> _TIME
        new = np.append(True, np.diff(ended_by) != 0)
        if not new.all():
            left, ended_by = left[new], ended_by[new]
        left = (left & ((1 << _TIME) - 1)).astype(batch.times.dtype)
        count = np.diff(ended_by, prepend=-1)
        begin = window = 0
        for row in rows:
            end = begin + len(row)
            behind = int(np.searchsorted(ended_by, int(upto[end - 1]) - 1)) + 1
            delays = np.repeat(left[window:behind], count[window:behind])
            tokens = self._tokens(row)
            delays -= batch.times[tokens]
            bins = bin_of(delays)
            counts = self._counts(bins, tokens, row)
            of = slice(begin, end)
            yield Part(messages[of], windows[of], broken[of], firsts[of], counts, bins)
            begin, window = end, behind

    def patched(self, part: Part, again: Part, streams: Ints, *, keep_bins: bool) -> Part:
        """A part of all streams, with these as they were when walked again. Only with its bins it is patched again."""
        messages, windows, broken, firsts = (column.copy() for column in part[:4])
        messages[streams], windows[streams], broken[streams], firsts[streams] = again[:4]
        tokens = self._tokens(streams)
        delays = part.delays - self._counts(part.bins[tokens], tokens, streams) + again.delays
        bins = again.bins
        if keep_bins:
            bins = part.bins.copy()
            bins[tokens] = again.bins
        return Part(messages, windows, broken, firsts, delays, bins)

    def take(self, part: Part, numbers: Sequence[int], tallies: Sequence[Tally]) -> None:
        """Put a part of all streams where the sums of these settings are."""
        sums = [np.add.reduceat(each, self._begins) for each in part[:3]]
        firsts = self._histogram(bin_of(part.firsts), self._bins_of)
        for batch, tally in enumerate(tallies):
            for number in numbers:
                tally.messages[number], tally.windows[number], tally.broken[number] = (each[batch] for each in sums)
                tally.delays[number], tally.firsts[number] = part.delays[batch], firsts[batch]

    def _counts(self, bins: Ints, tokens: Ints | slice, streams: Ints) -> Ints:
        """By batch: how many tokens are in each bin. Those that stand for ends, one a stream, are none."""
        if len(bins) == len(self._place):
            counts = np.stack([np.bincount(each, minlength=BINS) for each in np.split(bins, self._splits)])
        else:
            counts = self._histogram(bins, self._place[tokens])
        counts[:, 0] -= np.bincount(self._of[streams], minlength=self._batches)
        return counts

    def _histogram(self, bins: Ints, place: Ints) -> Ints:
        return np.bincount(bins + place, minlength=self._batches * BINS).reshape(self._batches, BINS)

    def _tokens(self, streams: Ints) -> Ints | slice:
        """The tokens of these streams, with those that stand for their ends."""
        batch = self._batch
        if len(streams) == len(batch.streams):
            return slice(None)
        first = batch.first[streams]
        sizes = batch.last[streams] - first + 1
        offset = np.cumsum(sizes) - sizes
        tokens: Ints = np.repeat(first - offset, sizes) + np.arange(int(sizes.sum()))
        return tokens
