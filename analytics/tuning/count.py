"""A batch under many settings, counted: what is the same under several of them is walked once.

Rules
- A time-out that no silence of a stream reaches is none for it. So each stream is walked once per *shape* (a setting
  without its time-outs), and again only under the time-outs that it has a silence for.
- What a shape comes to is kept by stream, and its delays by token, so that the streams that were walked again can be
  taken out of the sums and put in as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from analytics.tuning import plain
from analytics.tuning.figures import BINS, Tally, bin_of
from analytics.tuning.hold import Hold
from analytics.tuning.limits import Limits
from analytics.tuning.splitters import Splitters
from analytics.tuning.streams import Stream
from analytics.tuning.tables import Batch, Ints, sentences
from analytics.tuning.walk import Releases, Row, Walk
from flows.moderation import Policy
from flows.windows import WindowSettings

NONE = "none"
LANES = 32_768
"""How many lanes are walked together: enough to pay for numpy's calls, few enough for the processor's cache."""
MAX_TOKENS = 1 << 23
"""How many tokens those may have together; so that place and time fit into one number."""
LONGEST = 1 << 38
"""The longest turn, in microseconds (76 hours): for the same reason."""
_TIME = 38

Silence = tuple[float, float]


class Part(NamedTuple):
    """A row that was walked: sums by stream, and by batch the histogram of the delays; `bins` are every token's."""

    messages: Ints
    windows: Ints
    broken: Ints
    firsts: Ints
    delays: Ints
    bins: Ints


class _Task(NamedTuple):
    """A row, and the settings that it is for. Its setting is the shape itself where it is walked without time-outs."""

    row: Row
    numbers: list[int]
    shape: WindowSettings


class Count:
    """The count of some batches that are walked together. Making it analyses the texts, once for all settings.

    `policy` as `hold.holding` gives it; the settings share language and abbreviations.
    """

    def __init__(self, batches: Sequence[Sequence[Stream]], settings: Sequence[WindowSettings], policy: Policy) -> None:
        streams = [stream for members in batches for stream in members]
        self._batches = batches
        self._settings = settings
        self._policy = policy
        self._batch = batch = Batch(streams)
        marks = sentences(batch, Splitters(settings[0]))
        self._inside = batch.ends_inside(marks)
        self._hold = Hold(batch, policy)
        limits = Limits(batch)
        modes = dict.fromkeys(setting.mode for setting in settings if setting.mode != NONE)
        self._walks = {mode: Walk(batch, marks, self._hold, limits, mode) for mode in modes}
        self._all = np.arange(len(streams), dtype=np.int32)
        gaps = batch.next_time.astype(np.int64) - batch.times
        self._longest = np.maximum.reduceat(gaps, batch.first)
        self._tokens: dict[bytes, Ints] = {}
        self._of = np.repeat(np.arange(len(batches), dtype=np.int32), [len(members) for members in batches])
        """By stream: its batch."""
        self._place = self._of[batch.stream_of] * np.int32(BINS)
        """By token: where its batch's bins begin in a histogram of all."""
        self.tallies = [Tally.of(members, len(settings)) for members in batches]

    def run(self, done: Callable[[int], None] = lambda _: None) -> list[Tally]:
        """Count every setting; `done` is told of token-settings as they are done."""
        tokens = len(self._batch.times) - len(self._batch.streams)
        unwindowed = [number for number, setting in enumerate(self._settings) if setting.mode == NONE]
        if unwindowed:
            self._count_tokens(unwindowed)
            done(tokens * len(unwindowed))
        for mode, walk in self._walks.items():
            numbers = [number for number, setting in enumerate(self._settings) if setting.mode == mode]
            bases: dict[WindowSettings, Part] = {}
            for tasks in _together(self._tasks(numbers), self._batch):
                parts = self._parts(walk.walk([task.row for task in tasks]), [task.row.streams for task in tasks])
                for task, part in zip(tasks, parts, strict=True):
                    if task.row.setting == task.shape:
                        bases[task.shape] = part
                    self._take(task, part, bases)
                    done(tokens * len(task.numbers))
        return self.tallies

    def _tasks(self, numbers: Sequence[int]) -> Iterator[_Task]:
        """Every shape without time-outs, where that helps; then the streams that have a silence for theirs."""
        shapes: dict[WindowSettings, dict[Silence, list[int]]] = {}
        for number in sorted(numbers, key=lambda number: self._settings[number].max_chars):
            setting = self._settings[number]
            first = setting.timeout if setting.first_timeout is None else setting.first_timeout
            shape = msgspec.structs.replace(setting, timeout=0.0, first_timeout=None)
            shapes.setdefault(shape, {}).setdefault((setting.timeout, first), []).append(number)
        reached = {silence: self._reached(silence) for silences in shapes.values() for silence in silences}
        for shape, silences in shapes.items():
            if any(len(reached[silence]) < len(self._all) for silence in silences):
                same = [n for silence in silences if not len(reached[silence]) for n in silences[silence]]
                yield _Task(Row(shape, self._all), same, shape)
        for shape, silences in shapes.items():
            for silence, same in silences.items():
                if len(reached[silence]):
                    yield _Task(Row(self._settings[same[0]], reached[silence]), same, shape)

    def _reached(self, silence: Silence) -> Ints:
        """The streams with a silence that is longer."""
        shortest = min((round(seconds * 1_000_000) for seconds in silence if seconds), default=LONGEST)
        return np.flatnonzero(self._longest > shortest).astype(np.int32)

    def _take(self, task: _Task, part: Part, bases: Mapping[WindowSettings, Part]) -> None:
        """Put a row's sums where its settings' are, with those of the streams that it leaves out."""
        if len(task.row.streams) < len(self._all):
            part = self._patched(bases[task.shape], part, task.row.streams)
        sums = [np.bincount(self._of, each).astype(np.int64) for each in part[:3]]
        firsts = self._histogram(bin_of(part.firsts), self._of * np.int32(BINS))
        for batch, tally in enumerate(self.tallies):
            for number in task.numbers:
                tally.messages[number], tally.windows[number], tally.broken[number] = (each[batch] for each in sums)
                tally.delays[number], tally.firsts[number] = part.delays[batch], firsts[batch]

    def _patched(self, base: Part, again: Part, streams: Ints) -> Part:
        """The base with these streams as they are now."""
        messages, windows, broken, firsts = (column.copy() for column in base[:4])
        messages[streams], windows[streams], broken[streams], firsts[streams] = again[:4]
        if 2 * len(streams) <= len(self._all):
            delays = base.delays - self._delays(base.bins, streams) + again.delays
        else:
            rest = np.setdiff1d(self._all, streams, assume_unique=True)
            delays = self._delays(base.bins, rest) + again.delays
        return Part(messages, windows, broken, firsts, delays, base.bins)

    def _parts(self, releases: Releases, rows: Sequence[Ints]) -> Iterator[Part]:
        """Add up what left, row by row."""
        batch = self._batch
        lane, at, time = releases
        streams = np.concatenate(rows)
        lanes = len(streams)
        closed = batch.times[batch.last[streams]]
        messages = np.bincount(lane, minlength=lanes) + 1
        broken = np.bincount(lane[self._inside[at]], minlength=lanes)
        empty = np.bincount(lane[at == batch.end[streams[lane]]], minlength=lanes)
        firsts = closed.copy()
        firsts[lane[::-1]] = time[::-1]
        # Tokens are numbered through all lanes; a token with which a window ends, and when that left, are one number,
        # so that sorting puts the windows in order, and of several that end with one token the earliest first.
        sizes = batch.last[streams] - batch.first[streams] + 1
        offset = np.cumsum(sizes) - sizes
        token = batch.token[at] - 1 - batch.first[streams[lane]]
        ended = token >= 0 if token.size and int(token.min()) < 0 else slice(None)
        ends = ((offset[lane] + token) << _TIME) | time
        windows = np.sort(np.concatenate((ends[ended], ((offset + sizes - 1) << _TIME) | closed)))
        last = windows >> _TIME
        new = np.append(True, np.diff(last) != 0)
        if not new.all():
            windows, last = windows[new], last[new]
        left = (windows & ((1 << _TIME) - 1)).astype(batch.times.dtype)
        count = np.diff(last, prepend=-1)
        begin = first = 0
        for row in rows:
            end = begin + len(row)
            upto = int(np.searchsorted(last, int(offset[end - 1] + sizes[end - 1]) - 1)) + 1
            delays = np.repeat(left[first:upto], count[first:upto])
            delays -= batch.times if len(row) == len(self._all) else batch.times[self._tokens_of(row)]
            bins = bin_of(delays)
            lanes_of = slice(begin, end)
            yield Part(
                messages[lanes_of],
                messages[lanes_of] - empty[lanes_of],
                broken[lanes_of],
                firsts[lanes_of],
                self._delays(bins, row, only=True),
                bins,
            )
            begin, first = end, upto

    def _delays(self, bins: Ints, streams: Ints, *, only: bool = False) -> Ints:
        """By batch: how many tokens of these streams are in each bin. `bins` are every token's, or `only` theirs.

        The tokens that stand for ends, one a stream, are none.
        """
        place = self._place
        if len(streams) < len(self._all):
            tokens = self._tokens_of(streams)
            place, bins = place[tokens], bins if only else bins[tokens]
        counts = self._histogram(bins, place)
        counts[:, 0] -= np.bincount(self._of[streams], minlength=len(counts))
        return counts

    def _histogram(self, bins: Ints, place: Ints) -> Ints:
        size = len(self._batches)
        return np.bincount(bins + place, minlength=size * BINS).reshape(size, BINS)

    def _tokens_of(self, streams: Ints) -> Ints:
        """The tokens of these streams, with those that stand for their ends."""
        key = streams.tobytes()
        if key not in self._tokens:
            wanted = np.zeros(len(self._all), bool)
            wanted[streams] = True
            self._tokens[key] = np.flatnonzero(wanted[self._batch.stream_of])
        return self._tokens[key]

    def _count_tokens(self, numbers: Sequence[int]) -> None:
        """Mode "none": every token ends a window, and moderation alone holds it."""
        batch = self._batch
        at = np.delete(self._hold.let_go, batch.last)
        time, stream = np.delete(batch.times, batch.last), np.delete(batch.stream_of, batch.last)
        before = np.append(batch.begin[:1], np.where(np.diff(stream), batch.begin[stream[1:]], at[:-1]))
        shown = np.flatnonzero(at > before)
        [part] = self._parts(Releases(stream[shown], at[shown], time[shown]), [self._all])
        longest = int(np.delete(batch.token_end - batch.token_begin, batch.last).max())
        for number in numbers:
            if longest >= self._settings[number].max_chars:
                for members, tally in zip(self._batches, self.tallies, strict=True):
                    tally.take(number, plain.tally(members, [self._settings[number]], self._policy))
            else:
                setting = self._settings[number]
                self._take(_Task(Row(setting, self._all), [number], setting), part, {})


def _together(tasks: Iterator[_Task], batch: Batch) -> Iterator[list[_Task]]:
    """As many tasks as are walked well together."""
    chunk: list[_Task] = []
    lanes = tokens = 0
    size = len(batch.times) // len(batch.streams) + 1
    for task in tasks:
        if chunk and (lanes >= LANES or tokens >= MAX_TOKENS):
            yield chunk
            chunk, lanes, tokens = [], 0, 0
        chunk.append(task)
        lanes += len(task.row.streams)
        tokens += len(task.row.streams) * size
    if chunk:
        yield chunk
