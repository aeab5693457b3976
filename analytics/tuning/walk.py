"""All streams of a batch under many settings, walked together: a step is a window of each of them.

Rules
- A lane is one stream under one setting. It stands where its window begins (`begin`); how much of the text has come
  when that began (`fed`) is the end of what proved the last cut. In a step each lane finds the first of: the next place
  where a window may end and is long enough (`Marks`), the place where it is full, silence, the turn's end.
- What ends a window is the windows' business alone, when it leaves is moderation's (`Hold`); so the cuts of a step are
  made into releases after it.
- The same figures as `analytics.tuning.plain`, which asks the operators themselves: tests hold that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from analytics.tuning import plain
from analytics.tuning.figures import BINS, Tally, bin_of
from analytics.tuning.hold import Hold
from analytics.tuning.limits import NOWHERE, Limits
from analytics.tuning.streams import Stream
from analytics.tuning.tables import NEVER, Batch, Bools, Clauses, Ints, Marks, Sentences, Times, paragraphs
from flows.moderation import Policy
from flows.windows import CLAUSE, PARAGRAPH, WindowSettings

NONE = "none"
LANES = 25000
"""How many lanes are walked together: enough to pay for numpy's calls, few enough to stay in the processor's cache."""


class Cuts(NamedTuple):
    """What a step let go, by lane, or all steps of a walk."""

    lane: Ints
    at: Ints
    time: Times


class Row(NamedTuple):
    """Streams to walk under one setting."""

    setting: WindowSettings
    streams: Ints


class Walk:
    """A batch under settings that share language, abbreviations and overrides: its tally, once `run`.

    `policy` as `hold.holding` gives it.
    """

    def __init__(self, streams: Sequence[Stream], settings: Sequence[WindowSettings], policy: Policy) -> None:
        self._settings = settings
        self._policy = policy
        self._batch = batch = Batch(streams)
        self._sentences = Sentences(batch, lambda language: settings[0].splitter(language or settings[0].language))
        self._hold = Hold(batch, policy)
        self._inside = batch.ends_inside(self._sentences)
        self._limits: Limits | None = None
        self._times_and_one = batch.times + 1
        self._all = np.arange(len(streams), dtype=np.int32)
        self._silences: dict[float, Ints] = {}
        sessions = len({stream.session for stream in streams})
        self.tally = Tally(len(settings), sessions, len(streams), sum(stream.tokens for stream in streams))

    def run(self, done: Callable[[int], None] = lambda _: None) -> Tally:
        """Walk every setting; `done` is told of token-settings as they are done."""
        shapes: dict[WindowSettings, list[int]] = {}
        for number, setting in enumerate(self._settings):
            shapes.setdefault(_patient(setting), []).append(number)
        tokens = len(self._batch.times) - len(self._batch.streams)
        walked: list[tuple[Row, list[int]]] = []
        for shape in sorted(shapes, key=lambda shape: (shape.mode, shape.max_chars)):
            if shape.mode == NONE:
                self._count_tokens(shapes[shape])
                done(tokens * len(shapes[shape]))
                continue
    def _marks(self, mode: str) -> tuple[Marks, Clauses | None]:
        if mode == PARAGRAPH:
            return paragraphs(self._batch, self._sentences), None
        return self._sentences, Clauses(self._batch, self._sentences) if mode == CLAUSE else None

    def _walk(self, numbers: Sequence[int], marks: Marks, clauses: Clauses | None) -> Cuts:
        lanes = _Lanes(self._batch, [self._settings[number] for number in numbers])
        steps: list[Cuts] = []
        self._out_of_order = False
        while len(lanes.lane):
            steps.append(self._step(lanes, marks, clauses))
        return Cuts(*(np.concatenate(each) for each in zip(*steps, strict=True)))

    def _step(self, lanes: _Lanes, marks: Marks, clauses: Clauses | None) -> Cuts:
        """End one window of every lane; lanes whose turn ends first are dropped."""
        batch, last = self._batch, lanes.last
        visible = batch.visible_from[lanes.begin]
        wanted = np.minimum(visible + lanes.least, batch.length)
        silence = np.minimum(lanes.silences[lanes.row + np.maximum(lanes.token, batch.token[visible])], last)
        place = np.maximum(marks.reaching[wanted], lanes.place)
        next_place = place + 1
        at, token = marks.at[place], marks.token[place]
        self._prove_overfull(lanes, marks, place, at, token)
        fed = marks.proved[place]
        next_clause = lanes.clause
        if clauses is not None:
            clause = self._clause(lanes, clauses, wanted, fed)
            next_clause = clauses.following(np.minimum(token, last), fed - 1)
            sooner = np.flatnonzero(clauses.proved[clause] < fed)
            chosen = clause[sooner]
            at[sooner], token[sooner], fed[sooner] = clauses.at[chosen], clauses.token[chosen], clauses.proved[chosen]
            next_place[sooner] = marks.following(token[sooner], fed[sooner])
            next_clause[sooner] = chosen + 1
        full_from = fed.copy()
        full = self._fill(lanes, marks, place, silence, at, token, fed)
        if len(full):
            full_from[full] = fed[full] + 1
            next_place[full] = marks.following(token[full], fed[full])
            if clauses is not None:
                next_clause[full] = clauses.following(token[full], fed[full])
        quiet = np.flatnonzero(silence < np.minimum(token, last))
        if len(quiet):
            after = silence[quiet]
            at[quiet], token[quiet], full_from[quiet] = batch.token_end[after], after, 0
            next_place[quiet] = marks.of_token[after + 1]
            if clauses is not None:
                next_clause[quiet] = clauses.of_token[after + 1]
        live = token <= last
        cuts = self._release(lanes, at, token, quiet, live)
        lanes.go_on(live, at, token, next_place, next_clause, full_from)
        return cuts

    def _clause(self, lanes: _Lanes, clauses: Clauses, wanted: Ints, fed: Ints) -> Ints:
        """The next clause that is one in its window, as far as it comes before so much of the text."""
        clause = np.maximum(clauses.reaching[wanted], lanes.clause)
        while True:
            maybe = np.flatnonzero((clauses.token[clause] <= lanes.last) & (clauses.proved[clause] < fed))
            refused = maybe[clauses.is_refused(lanes.begin[maybe], clause[maybe])]
            if not len(refused):
                return clause
            clause[refused] += 1

    def _prove_overfull(self, lanes: _Lanes, marks: Marks, place: Ints, at: Ints, token: Ints) -> None:
        """Where what is left behind a cut is a full window at once, it must be known exactly how much has come."""
        over = np.flatnonzero((at + lanes.max_chars <= marks.proved[place]) & (token <= lanes.last))
        if len(over):
            marks.prove(place[over])

    def _fill(
        self, lanes: _Lanes, marks: Marks, place: Ints, silence: Ints, at: Ints, token: Ints, fed: Ints
    ) -> Ints:
        """The lanes whose window is full before anything else ends it: their cut goes into `at`, `token`, `fed`."""
        if lanes.never_full:
            return np.array([], np.int32)
        whole = np.maximum(lanes.begin + lanes.max_chars, lanes.full_from)
        in_token = self._batch.token[np.minimum(whole, lanes.text_end) - 1]
        tried = np.flatnonzero((whole <= lanes.text_end) & (in_token <= np.minimum(token, silence)))
        if not len(tried):
            return tried
        self._limits = self._limits or Limits(self._batch)
        cut, proved = self._limits.cut(
            lanes.begin[tried], whole[tried], lanes.max_chars[tried], lanes.text_end[tried]
        )
        in_token = self._batch.token[proved - 1]
        tied = tried[in_token == token[tried]]
        marks.prove(place[tied])
        fed[tied] = np.minimum(fed[tied], marks.proved[place[tied]])
        won = (cut != NOWHERE) & (proved < fed[tried])
        full = tried[won]
        at[full], token[full], fed[full] = cut[won], in_token[won], proved[won]
        return full

    def _release(self, lanes: _Lanes, at: Ints, token: Ints, quiet: Ints, live: Bools) -> Cuts:
        """What leaves because of the step's cuts, and when."""
        batch, hold = self._batch, self._hold
        token = np.minimum(token, lanes.last)
        time, end = batch.times[token], at
        waits = live & (hold.let_go[token] < at)
        if hold.moved is not None:
            end = np.where(live, hold.moved[np.minimum(at, batch.length)], at)
        if len(quiet):
            waits[quiet] = False
            time[quiet] += lanes.timeout[quiet]
            end = end.copy()
            given_up = hold.expires[token[quiet]] < time[quiet]
            end[quiet] = np.where(given_up, at[quiet], np.minimum(at[quiet], hold.let_go[token[quiet]]))
        late = np.flatnonzero(waits)
        if len(late):
            self._out_of_order = True
            time[late] = hold.released(at[late], token[late], batch.times)
        fresh = np.flatnonzero(live & (end > lanes.released))
        shown = fresh[~waits[fresh]] if len(late) else fresh
        lanes.released[shown] = end[shown]
        return Cuts(lanes.lane[fresh], end[fresh], time[fresh])

    def _count(self, numbers: Sequence[int], cuts: Cuts) -> None:
        """Add up what left, and the delays of all tokens."""
        batch, tally = self._batch, self.tally
        streams, tokens = len(batch.streams), len(batch.times)
        lane, at, time = cuts
        if self._out_of_order:
            order = np.lexsort((time, at, lane))
            lane, at, time = lane[order], at[order], time[order]
            again = (np.diff(lane) == 0) & (np.diff(at) == 0)
            new = np.append(True, ~again)[: len(lane)]
            lane, at, time = lane[new], at[new], time[new]
        row = lane // streams
        size = len(numbers)
        messages = np.bincount(row, minlength=size)
        tally.broken[numbers] = np.bincount(row[self._inside[at]], minlength=size)
        empty = np.bincount(row[at == batch.end[lane - row * streams]], minlength=size)
        tally.messages[numbers] = messages + streams
        tally.windows[numbers] = messages + streams - empty
        closed = batch.times[batch.last]
        firsts = np.tile(closed, size)
        firsts[lane[::-1]] = time[::-1]
        # By token, the time at which it left, where a window ends with it; of several the first.
        left = np.zeros((size, tokens), batch.times.dtype)
        left[row[::-1], batch.token[at[::-1]] - 1] = time[::-1] + 1
        left[:, batch.last] = closed + 1
        for i, number in enumerate(numbers):
            ends = np.flatnonzero(left[i])
            delays = np.repeat(left[i][ends], np.diff(ends, prepend=-1))
            delays -= self._times_and_one
            tally.delays[number] = np.bincount(bin_of(delays), minlength=BINS)
            tally.delays[number, 0] -= streams
            tally.firsts[number] = np.bincount(bin_of(firsts[i * streams : (i + 1) * streams]), minlength=BINS)

    def _count_tokens(self, number: int) -> None:
        """Mode "none": every token ends a window, and moderation alone holds it."""
        batch, setting = self._batch, self._settings[number]
        sizes = batch.token_end - batch.token_begin
        if int(sizes.max()) >= setting.max_chars:
            self.tally.take(number, plain.tally(batch.streams, [setting], self._policy))
            return
        at = np.delete(self._hold.let_go, batch.last)
        time, stream = np.delete(batch.times, batch.last), np.delete(batch.stream_of, batch.last)
        shown = np.flatnonzero(at > np.append(0, np.where(np.diff(stream), batch.begin[stream[1:]], at[:-1])))
        self._out_of_order = False
        self._count([number], Cuts(stream[shown], at[shown], time[shown]))


class _Lanes:
    """Where each stream stands under each setting. What a stream's first window is measured by differs."""

    def __init__(self, batch: Batch, settings: Sequence[WindowSettings]) -> None:
        def by_lane(values: Sequence[int] | Sequence[np.integer]) -> Ints:
            return np.repeat(np.array(values, np.int32), len(batch.streams))

        def by_stream(values: Ints) -> Ints:
            return np.tile(values, len(settings))

        firsts = [s.timeout if s.first_timeout is None else s.first_timeout for s in settings]
        timeouts = sorted({*firsts, *(s.timeout for s in settings)})
        rows = [batch.silences(timeout) for timeout in timeouts]
        self.silences = np.concatenate(rows)
        self.row = by_lane([timeouts.index(first) * len(rows[0]) for first in firsts])
        self.timeout = by_lane([_microseconds(first) for first in firsts])
        self.least = by_lane([max(1, s.min_chars if s.first_min_chars is None else s.first_min_chars) for s in settings])
        self._later = (
            by_lane([timeouts.index(s.timeout) * len(rows[0]) for s in settings]),
            by_lane([_microseconds(s.timeout) for s in settings]),
            by_lane([max(1, s.min_chars) for s in settings]),
        )
        self.max_chars = by_lane([s.max_chars for s in settings])
        self.never_full = min(s.max_chars for s in settings) > int((batch.end - batch.begin).max())
        self.lane = np.arange(len(settings) * len(batch.streams), dtype=np.int32)
        self.last, self.text_end = by_stream(batch.last), by_stream(batch.end)
        self.begin, self.token = by_stream(batch.begin), by_stream(batch.first)
        self.released = self.begin.copy()
        self.place = np.zeros_like(self.lane)
        self.clause = np.zeros_like(self.lane)
        self.full_from = np.zeros_like(self.lane)

    def go_on(self, live: Bools, begin: Ints, token: Ints, place: Ints, clause: Ints, full_from: Ints) -> None:
        """Behind what was cut; lanes that are not live are dropped."""
        self.begin, self.token, self.place, self.clause, self.full_from = begin, token, place, clause, full_from
        if self._later:
            self.row, self.timeout, self.least = self._later
            self._later = ()
        if not live.all():
            kept = np.flatnonzero(live)
            for name in _BY_LANE:
                setattr(self, name, getattr(self, name)[kept])


_BY_LANE = (
    "lane row timeout least max_chars last text_end begin token released place clause full_from"
).split()


def _microseconds(seconds: float) -> int:
    return min(round(seconds * 1_000_000), NEVER)
