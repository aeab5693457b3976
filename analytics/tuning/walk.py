"""Streams under settings, walked together: a step is the next window of each of them.

Rules
- A lane is one stream under one setting. It stands where its window begins, behind what proved the last cut. In a step
  each lane finds the first of: the next place where a window may end and is long enough (`Marks`), the place where it
  is full (`Limits`), silence, the turn's end.
- What ends a window is the windows' business alone, when it leaves is moderation's (`Hold`): the cuts of a step are
  made into releases last.
- It does what `flows.steps.windows` and `flows.steps.release` do, text by text; tests hold it against them (`plain`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from analytics.tuning.hold import Hold
from analytics.tuning.limits import NOWHERE, Limits
from analytics.tuning.tables import NEVER, Batch, Bools, Clauses, Ints, Marks, Times, paragraphs
from flows.steps.windows import CLAUSE, PARAGRAPH, WindowSettings

_NO_LANES = np.zeros(0, np.intp)


class Row(NamedTuple):
    """Streams of a batch to walk under one setting."""

    setting: WindowSettings
    streams: Ints


class Releases(NamedTuple):
    """What left, in order of place for each lane: the lane, the position up to which it is now shown, and when."""

    lane: Ints
    at: Ints
    time: Times


class Walk:
    """The walk through one batch, in one mode."""

    def __init__(self, batch: Batch, sentences: Marks, hold: Hold, limits: Limits, mode: str) -> None:
        self._batch = batch
        self._hold = hold
        self._limits = limits
        self._marks: Marks = paragraphs(batch, sentences) if mode == PARAGRAPH else sentences
        self._clauses = Clauses(batch) if mode == CLAUSE else None
        self._silences: dict[float, Ints] = {}
        self._waited = self._disordered = np.zeros(0, bool)

    def walk(self, rows: Sequence[Row]) -> tuple[Releases, Ints]:
        """Every release before the turns' last; lanes are numbered row by row, stream by stream.

        And by lane the token that ended its first window.
        """
        lanes = _Lanes(self._batch, rows, self._silent_after)
        steps: list[Releases] = []
        self._waited = np.zeros(len(lanes.lane), bool)
        disordered = self._disordered = np.zeros(len(lanes.lane), bool)
        opened = lanes.last.copy()
        while len(lanes.lane):
            steps.append(self._step(lanes))
            if len(steps) == 1:
                opened[lanes.lane] = lanes.token
        releases = Releases(*(np.concatenate(each) for each in zip(*steps, strict=True)))
        return _in_order(releases, disordered[releases.lane]) if disordered.any() else releases, opened

    def silence_opens(self, timeout: float, opened: Ints) -> Bools:
        """By stream: whether its first window, which that token ends, is ended sooner by so long a silence."""
        batch = self._batch
        visible = batch.token[batch.visible_from[batch.begin]]
        sooner: Bools = self._silent_after(timeout)[np.maximum(batch.first, visible)] < np.minimum(opened, batch.last)
        return sooner

    def _silent_after(self, timeout: float) -> Ints:
        if timeout not in self._silences:
            self._silences[timeout] = self._batch.silences(timeout)
        return self._silences[timeout]

    def _step(self, lanes: _Lanes) -> Releases:
        """End one window of every lane; lanes whose turn ends first are dropped."""
        batch, marks, clauses, last = self._batch, self._marks, self._clauses, lanes.last
        visible = batch.visible_from[lanes.begin]
        wanted = np.minimum(visible + lanes.least, batch.length)
        silence = last if lanes.patient else lanes.silence(batch.token[visible])
        place = np.maximum(marks.reaching[wanted], lanes.place)
        at, token, fed = marks.at[place], marks.token[place], marks.proved[place]
        next_place, next_clause = place + 1, lanes.clause
        if clauses is not None:
            clause = self._clause(lanes, clauses, wanted, fed)
            next_clause = clauses.behind(fed - 1)
            sooner = np.flatnonzero(clauses.proved[clause] < fed)
            chosen = clause[sooner]
            at[sooner], token[sooner], fed[sooner] = clauses.at[chosen], clauses.token[chosen], clauses.proved[chosen]
            next_place[sooner], next_clause[sooner] = marks.behind(fed[sooner]), chosen + 1
        full = self._fill(lanes, silence, at, token, fed)
        quiet = _NO_LANES if lanes.patient else np.flatnonzero(silence < np.minimum(token, last))
        if len(quiet):
            after = silence[quiet]
            at[quiet] = fed[quiet] = batch.token_end[after]
            token[quiet] = after
        for other in (full, quiet):
            if len(other):
                next_place[other] = marks.behind(fed[other])
                if clauses is not None:
                    next_clause[other] = clauses.behind(fed[other])
        full_from = fed.copy()
        full_from[full] += 1
        live = token <= last
        releases = self._release(lanes, at, token, quiet, live)
        lanes.go_on(live, at, token, next_place, next_clause, full_from)
        return releases

    def _clause(self, lanes: _Lanes, clauses: Clauses, wanted: Ints, fed: Ints) -> Ints:
        """The next clause that is one in its window, as far as it comes before so much of the text."""
        clause = np.maximum(clauses.reaching[wanted], lanes.clause)
        asked = np.arange(len(clause))
        while len(asked):
            place = clause[asked]
            asked = asked[(clauses.token[place] <= lanes.last[asked]) & (clauses.proved[place] < fed[asked])]
            asked = asked[clauses.is_refused(lanes.begin[asked], clause[asked])]
            clause[asked] += 1
        return clause

    def _fill(self, lanes: _Lanes, silence: Ints, at: Ints, token: Ints, fed: Ints) -> Ints:
        """The lanes whose window is full before anything else ends it: their cut goes into `at`, `token`, `fed`."""
        if lanes.never_full:
            return _NO_LANES
        whole = np.maximum(lanes.begin + lanes.max_chars, lanes.full_from)
        tried = np.flatnonzero((whole <= lanes.text_end) & (whole < fed))
        tried = tried[self._batch.token[whole[tried] - 1] <= silence[tried]]
        cut, proved = self._limits.cut(lanes.begin[tried], whole[tried], lanes.max_chars[tried], lanes.text_end[tried])
        won = (cut != NOWHERE) & (proved < fed[tried])
        full: Ints = tried[won]
        at[full], fed[full], token[full] = cut[won], proved[won], self._batch.token[proved[won] - 1]
        return full

    def _release(self, lanes: _Lanes, at: Ints, token: Ints, quiet: Ints, live: Bools) -> Releases:
        """What leaves because of the step's cuts, and when."""
        batch, hold = self._batch, self._hold
        token = np.minimum(token, lanes.last)
        time, end = batch.times[token], at
        waits = live & (hold.let_go[token] < at)
        if hold.moved is not None:
            end = np.where(live, hold.moved[np.minimum(at, batch.length)], at)
        if len(quiet):
            self._disordered[lanes.lane[quiet]] |= self._waited[lanes.lane[quiet]]
            waits[quiet] = False
            time[quiet] += lanes.timeout[quiet]
            end = end.copy()
            given_up = hold.expires[token[quiet]] < time[quiet]
            end[quiet] = np.where(given_up, at[quiet], np.minimum(at[quiet], hold.let_go[token[quiet]]))
        late = np.flatnonzero(waits)
        if len(late):
            self._waited[lanes.lane[late]] = True
            self._disordered[lanes.lane[late]] |= hold.moved is not None
            time[late] = hold.released(at[late], token[late], batch.times)
        if lanes.patient and hold.moved is None:  # every window then shows more than the last
            fresh = np.flatnonzero(live)
        else:
            fresh = np.flatnonzero(live & (end > lanes.released))
            shown = fresh[~waits[fresh]] if len(late) else fresh
            lanes.released[shown] = end[shown]
        return Releases(lanes.lane[fresh], end[fresh], time[fresh])


class _Lanes:
    """Where each stream stands under each setting. What a stream's first window is measured by differs."""

    def __init__(self, batch: Batch, rows: Sequence[Row], silent_after: Callable[[float], Ints]) -> None:
        counts = [len(row.streams) for row in rows]
        streams = np.concatenate([row.streams for row in rows])
        settings = [row.setting for row in rows]

        def by_lane(values: Sequence[int]) -> Ints:
            return np.repeat(np.array(values, np.int32), counts)

        firsts = [s.timeout if s.first_timeout is None else s.first_timeout for s in settings]
        timeouts = sorted({*firsts, *(s.timeout for s in settings)})
        tables = [silent_after(timeout) for timeout in timeouts]
        self.patient = timeouts == [0]
        self._silences = np.concatenate(tables)
        self.row = by_lane([timeouts.index(first) * len(tables[0]) for first in firsts])
        self.timeout = by_lane([_microseconds(first) for first in firsts])
        self.least = by_lane(
            [max(1, s.min_chars if s.first_min_chars is None else s.first_min_chars) for s in settings]
        )
        self._later: tuple[Ints, ...] = (
            by_lane([timeouts.index(s.timeout) * len(tables[0]) for s in settings]),
            by_lane([_microseconds(s.timeout) for s in settings]),
            by_lane([max(1, s.min_chars) for s in settings]),
        )
        self.max_chars = by_lane([s.max_chars for s in settings])
        self.never_full = min(s.max_chars for s in settings) > int((batch.end - batch.begin).max())
        self.lane = np.arange(len(streams), dtype=np.int32)
        self.last, self.text_end = batch.last[streams], batch.end[streams]
        self.begin, self.token = batch.begin[streams], batch.first[streams]
        self.released = self.begin.copy()
        self.place = np.zeros_like(self.lane)
        self.clause = np.zeros_like(self.lane)
        self.full_from = np.zeros_like(self.lane)

    def silence(self, visible: Ints) -> Ints:
        """The token after which it is silent for too long, once something visible is there; the last for none."""
        after: Ints = np.minimum(self._silences[self.row + np.maximum(self.token, visible)], self.last)
        return after

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


_BY_LANE = [
    "lane",
    "row",
    "timeout",
    "least",
    "max_chars",
    "last",
    "text_end",
    "begin",
    "token",
    "released",
    "place",
    "clause",
    "full_from",
]


def _microseconds(seconds: float) -> int:
    return min(round(seconds * 1_000_000), NEVER)


def _in_order(releases: Releases, disordered: Bools) -> Releases:
    """With those by place, each place once: at the earliest time.

    Places are out of order where silence shows text while a window waits for moderation, or a finding moves their ends.
    """
    lane, at, time = (each[disordered] for each in releases)
    order = np.lexsort((time, at, lane))
    order = order[np.append(True, (np.diff(lane[order]) != 0) | (np.diff(at[order]) != 0))]
    rest = (each[~disordered] for each in releases)
    return Releases(*(np.append(a, b[order]) for a, b in zip(rest, (lane, at, time), strict=True)))
