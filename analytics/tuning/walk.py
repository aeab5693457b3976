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

import msgspec
import numpy as np
from numpy.typing import NDArray

from analytics.tuning import plain
from analytics.tuning.figures import BINS, Tally, bin_of
from analytics.tuning.hold import Hold
from analytics.tuning.limits import NOWHERE, Limits
from analytics.tuning.streams import Stream
from analytics.tuning.tables import NEVER, Batch, Bools, Clauses, Ints, Marks, Sentences, Times, paragraphs
from flows.moderation import Policy
from flows.windows import CLAUSE, PARAGRAPH, WindowSettings

NONE = "none"
LANES = 4_000
"""How many lanes are walked together: enough to pay for numpy's calls, few enough to stay in the processor's cache."""


class Cuts(NamedTuple):
    """What a step cut, by lane, or all steps of a walk."""

    lane: Ints
    at: Ints
    time: Times


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
        self._longest = int((batch.end - batch.begin).max())
        sessions = len({stream.session for stream in streams})
        self.tally = Tally(len(settings), sessions, len(streams), sum(stream.tokens for stream in streams))

    def run(self, done: Callable[[int], None] = lambda _: None) -> Tally:
        """Walk every setting; `done` is told of token-settings as they are done."""
        modes: dict[str, list[int]] = {}
        for number, setting in enumerate(self._settings):
            modes.setdefault(setting.mode, []).append(number)
        tokens = len(self._batch.times) - len(self._batch.streams)
        for mode, numbers in modes.items():
            if mode == NONE:
                for number in numbers:
                    self._count_tokens(number)
                    done(tokens)
                continue
            marks, clauses = self._marks(mode)
            size = max(1, LANES // len(self._batch.streams))
            for i in range(0, len(numbers), size):
                chunk = numbers[i : i + size]
                self._count(chunk, self._walk(chunk, marks, clauses))
                done(tokens * len(chunk))
        return self.tally

    def _marks(self, mode: str) -> tuple[Marks, Clauses | None]:
        if mode == PARAGRAPH:
            return paragraphs(self._batch, self._sentences), None
        return self._sentences, Clauses(self._batch, self._sentences) if mode == CLAUSE else None

    def _walk(self, numbers: Sequence[int], marks: Marks, clauses: Clauses | None) -> Cuts:
        lanes = _Lanes(self._batch, [self._settings[number] for number in numbers])
        steps: list[Cuts] = []
        while len(lanes.lane):
            steps.append(self._step(lanes, marks, clauses))
        return Cuts(*(np.concatenate(each) for each in zip(*steps, strict=True)))

    def _step(self, lanes: _Lanes, marks: Marks, clauses: Clauses | None) -> Cuts:
        """End one window of every lane; lanes whose turn ends first are dropped."""
        batch, hold = self._batch, self._hold
        begin, last = lanes.begin, lanes.last
        visible = batch.visible_from[begin]
        shown = np.maximum(lanes.token, batch.token[visible])
        wanted = np.minimum(visible + lanes.least, batch.length)
        place = np.maximum(marks.reaching[wanted], lanes.place)
        token, at = marks.token[place], marks.at[place]
        clause = None
        if clauses is not None:
            clause = self._clause(lanes, marks, clauses, wanted, place)
            sooner = clauses.proved[clause] < marks.proved[place]
            token = np.where(sooner, clauses.token[clause], token)
            at = np.where(sooner, clauses.at[clause], at)
        silence = lanes.silences[lanes.row + shown]
        full = self._full(lanes, np.minimum(silence, last), token, marks, place, clauses, clause)
        fed: Ints | None = None
        if full is not None:
            which, full_at, fed = full
            at[which] = full_at
            token[which] = batch.token[fed - 1]
        silent = silence < np.minimum(token, last)
        live = silent | (token <= last)
        time = batch.times[np.minimum(token, last)]
        end = at
        if silent.any():
            quiet = np.flatnonzero(silent)
            after = silence[quiet]
            time[quiet] = batch.times[after] + lanes.timeout[quiet]
            token[quiet], at[quiet] = after, batch.token_end[after]
            end = at.copy()
            end[quiet] = np.where(hold.expires[after] < time[quiet], at[quiet], hold.let_go[after])
        hard = live & ~silent
        waits = hard & (hold.let_go[np.minimum(token, last)] < at)
        if waits.any():
            late = np.flatnonzero(waits)
            time[late] = hold.released(at[late], token[late], batch.times)
        if hold.moved is not None:
            end = np.where(hard, hold.moved[np.minimum(at, batch.length)], end)
        cuts = Cuts(lanes.lane, end, time)
        # Where each lane goes on.
        if full is None:
            fed_to = None
        if live.all():
            chosen = cuts
        else:
            chosen = Cuts(*(each[live] for each in cuts))
        self._go_on(lanes, marks, clauses, at, token, silent, place, clause, full, live)
        return chosen
