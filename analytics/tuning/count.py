"""A batch under many settings, counted: what is the same under several of them is walked once.

Rules
- A time-out that no silence of a stream reaches is none for it. So each stream is walked once per *shape* (a setting
  without its time-outs), again with a time-out of the first window if that ends it, and again with the time-out of all
  others if it has a silence for it.
- The streams that a row leaves out are as they are with less: see `_Task.over`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from analytics.tuning import plain
from analytics.tuning.figures import Tally
from analytics.tuning.hold import Hold
from analytics.tuning.limits import Limits
from analytics.tuning.splitters import Splitters
from analytics.tuning.streams import Stream
from analytics.tuning.sums import MAX_TOKENS, Part, Sums
from analytics.tuning.tables import Batch, Ints, sentences
from analytics.tuning.walk import Releases, Row, Walk
from flows.moderation import Policy
from flows.steps.windows import WindowSettings

NONE = "none"
LANES = 32_768
"""How many lanes are walked together: enough to pay for numpy's calls, few enough for the processor's cache."""

Silence = tuple[float, float]
"""The time-out of the first window, and of all others; 0 for none."""
Shapes = Mapping[WindowSettings, Mapping[Silence, list[int]]]
PATIENT: Silence = (0.0, 0.0)


class _Task(NamedTuple):
    """A row, and the settings that it is for. The streams that it leaves out are as they are under `over`."""

    row: Row
    shape: WindowSettings
    silence: Silence
    over: Silence
    numbers: list[int]


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
        self._sums = Sums(batch, batches, batch.ends_inside(marks))
        self._hold = Hold(batch, policy, settings[0].language)
        limits = Limits(batch)
        modes = dict.fromkeys(setting.mode for setting in settings if setting.mode != NONE)
        self._walks = {mode: Walk(batch, marks, self._hold, limits, mode) for mode in modes}
        self._all = np.arange(len(streams), dtype=np.int32)
        gaps = batch.next_time.astype(np.int64) - batch.times
        self._longest = np.maximum.reduceat(gaps, batch.first)
        self.tallies = [Tally.of(members, len(settings)) for members in batches]

    def run(self, done: Callable[[int], None] = lambda _: None) -> list[Tally]:
        """Count every setting; `done` is told of token-settings as they are done."""
        tokens = len(self._batch.times) - len(self._batch.streams)
        unwindowed = [number for number, setting in enumerate(self._settings) if setting.mode == NONE]
        if unwindowed:
            self._count_tokens(unwindowed)
            done(tokens * len(unwindowed))
        for mode, walk in self._walks.items():
            for part, numbers in self._count_walks(walk, self._shapes(mode)):
                self._sums.take(part, numbers, self.tallies)
                done(tokens * len(numbers))
        return self.tallies

    def _shapes(self, mode: str) -> Shapes:
        """The mode's settings by shape, and by their time-outs."""
        shapes: dict[WindowSettings, dict[Silence, list[int]]] = {}
        numbers = [number for number, setting in enumerate(self._settings) if setting.mode == mode]
        for number in sorted(numbers, key=lambda number: self._settings[number].max_chars):
            setting = self._settings[number]
            first = setting.timeout if setting.first_timeout is None else setting.first_timeout
            shapes.setdefault(_under(setting, PATIENT), {}).setdefault((first, setting.timeout), []).append(number)
        return shapes

    def _count_walks(self, walk: Walk, shapes: Shapes) -> Iterator[tuple[Part, list[int]]]:
        """Every shape without time-outs, then with them."""
        bases: dict[WindowSettings, tuple[Part, Ints]] = {}
        patient = (_Task(Row(shape, self._all), shape, PATIENT, PATIENT, []) for shape in shapes)
        for task, part, opened in self._walked(walk, patient):
            assert part is not None  # all streams were walked
            bases[task.shape] = part, opened
            yield part, list(shapes[task.shape].get(PATIENT, ()))
        silences = (
            task for shape, each in shapes.items() for task in self._silences(walk, shape, each, bases[shape][1])
        )
        shape, parts = None, dict[Silence, Part]()
        for task, again, _ in self._walked(walk, silences):
            if task.shape is not shape:
                shape, parts = task.shape, {PATIENT: bases[task.shape][0]}
            part = parts[task.over]
            if again is not None:
                stood_over = task.silence[1] == 0
                part = self._sums.patched(part, again, task.row.streams, keep_bins=stood_over)
            parts[task.silence] = part
            yield part, task.numbers

    def _silences(
        self, walk: Walk, shape: WindowSettings, silences: Mapping[Silence, list[int]], opened: Ints
    ) -> Iterator[_Task]:
        """A shape's rows with time-outs, each behind the one that it stands over."""
        for first in sorted({first for first, timeout in silences if first not in (0, timeout)}):
            opens = np.flatnonzero(walk.silence_opens(first, opened)).astype(np.int32)
            silence = (first, 0.0)
            yield _Task(Row(_under(shape, silence), opens), shape, silence, PATIENT, silences.get(silence, []))
        for silence, numbers in silences.items():
            first, timeout = silence
            if timeout:
                reached = np.flatnonzero(self._longest > round(timeout * 1_000_000)).astype(np.int32)
                over = PATIENT if first == timeout else (first, 0.0)
                yield _Task(Row(_under(shape, silence), reached), shape, silence, over, numbers)

    def _walked(self, walk: Walk, tasks: Iterable[_Task]) -> Iterator[tuple[_Task, Part | None, Ints]]:
        """Each task with what it came to, None for a row without streams, and where its first windows ended."""
        for chunk in _together(tasks, self._batch):
            rows = [task.row for task in chunk if len(task.row.streams)]
            if rows:
                releases, opened = walk.walk(rows)
                parts = self._sums.parts(releases, [row.streams for row in rows])
            begin = 0
            for task in chunk:
                end = begin + len(task.row.streams)
                yield task, next(parts) if end > begin else None, opened[begin:end] if end > begin else self._all[:0]
                begin = end

    def _count_tokens(self, numbers: Sequence[int]) -> None:
        """Mode "none": every token ends a window, and moderation alone holds it."""
        batch = self._batch
        at = np.delete(self._hold.let_go, batch.last)
        time, stream = np.delete(batch.times, batch.last), np.delete(batch.stream_of, batch.last)
        before = np.append(batch.begin[:1], np.where(np.diff(stream), batch.begin[stream[1:]], at[:-1]))
        shown = np.flatnonzero(at > before)
        [part] = self._sums.parts(Releases(stream[shown], at[shown], time[shown]), [self._all])
        longest = int(np.delete(batch.token_end - batch.token_begin, batch.last).max())
        for number in numbers:
            if longest < self._settings[number].max_chars:
                self._sums.take(part, [number], self.tallies)
                continue
            for members, tally in zip(self._batches, self.tallies, strict=True):
                tally.take(number, plain.tally(members, [self._settings[number]], self._policy))


def _under(setting: WindowSettings, silence: Silence) -> WindowSettings:
    return msgspec.structs.replace(setting, first_timeout=silence[0], timeout=silence[1])


def _together(tasks: Iterable[_Task], batch: Batch) -> Iterator[list[_Task]]:
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
