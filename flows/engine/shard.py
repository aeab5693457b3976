"""A step's part of a shard: one core a turn, driven by the log's time.

Rules
- A turn's events come together and in order of time; between turns there is no order, for none is another's business.
- They and the core's own deadlines are merged by time. A deadline fires when an event of its turn or the watermark has
  a `t` strictly greater, and what it gives carries the deadline's `t`.
- A core is made at its turn's `open` and dropped after its `close`, or when it no longer `lingers` after that.
- A core that raises ends its own turn: a dead letter, a close with reason `failed`, and silence after it.
  What reaches no open turn becomes a dead letter too, one a turn (`MAX_IGNORED` such turns are remembered).
- A turn's snapshot is kept as bytes until the turn is touched again, so an epoch costs what has changed since the
  last; where that is more than `MAX_TOUCHED` turns, those that wait longest are encoded as others come.
"""

from __future__ import annotations

import heapq
import pickle
from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Any

from connectors.errors import DataDirError
from connectors.log.records import CLOSE, OPEN, VERDICT, Frames, Record
from flows.steps.base import Core
from flows.steps.events import DeadLetter, Event, Output, Run

VERSION = 2
MAX_IGNORED = 10_000
MAX_TOUCHED = 128


class _OpenTurn:
    """An open turn's core, the record that opened it, and the earliest deadline of it in the heap."""

    __slots__ = ("_head", "closed", "core", "kept", "opened", "scheduled")

    def __init__(self, opened: Record, core: Core) -> None:
        self.opened = opened
        self.core = core
        self.scheduled: int | None = None
        self.closed = False
        self.kept: bytes | None = None
        self._head = pickle.dumps((core.version, opened.t, opened.s, opened.n, opened.d))

    def snapshot(self) -> bytes:
        """Two pickles, one behind the other: what never changes, and the rest."""
        if self.kept is None:
            self.kept = self._head + pickle.dumps((self.closed, self.core.snapshot()))
        return self.kept


class Shard:
    """All open turns of a shard in one step.

    `make` builds a core from its turn's first open.
    """

    def __init__(self, step: str, make: Callable[[Record], Core]) -> None:
        self._step = step
        self._make = make
        self._turns: dict[tuple[str, int], _OpenTurn] = {}
        self._deadlines: list[tuple[int, str, int]] = []
        self._ignored: dict[tuple[str, int], None] = {}
        self._touched: dict[_OpenTurn, None] = {}

    def feed(self, events: Iterable[Event], watermark: int) -> list[Output]:
        """Take events, each turn's in order of time, then let time pass to `watermark`."""
        out: list[Output] = []
        turn: _OpenTurn | None = None
        for event in events:
            if turn is None or turn.opened.n != event.n or turn.opened.s != event.s:
                if turn is not None:
                    self._settle(turn)
                turn = self._turn_of(event, out)
            if turn is not None and not self._take(turn, event, out):
                turn = None
        if turn is not None:
            self._settle(turn)
        if self._deadlines and self._deadlines[0][0] < watermark:
            self._expire(watermark, out)
        while len(self._touched) > MAX_TOUCHED:
            oldest = next(iter(self._touched))
            oldest.snapshot()
            del self._touched[oldest]
        return out

    def snapshot(self) -> dict[str, Any]:
        self._touched.clear()
        return {
            "version": VERSION,
            "turns": b"".join([turn.snapshot() for turn in self._turns.values()]),
            "ignored": list(self._ignored),
        }

    def restore(self, data: dict[str, Any]) -> None:
        """Go on from a snapshot. Raises DataDirError for one that another version of tokenweir took."""
        self._fits(data["version"], VERSION)
        self._ignored = dict.fromkeys((s, n) for s, n in data["ignored"])
        stream = BytesIO(data["turns"])
        while stream.tell() < len(data["turns"]):
            begin = stream.tell()
            version, t, s, n, d = pickle.load(stream)
            opened = Record(t, s, n, OPEN, d=d)
            turn = self._turns[s, n] = _OpenTurn(opened, self._make(opened))
            core = turn.core
            turn.closed, core_data = pickle.load(stream)
            if version in core.reads:
                core.restore(core.upgrade(core_data, version))
            else:
                self._fits(version, core.version)
                core.restore(core_data)
                turn.kept = data["turns"][begin : stream.tell()]
            self._settle(turn)

    def _fits(self, found: int, version: int) -> None:
        if found != version:
            raise DataDirError(
                f"step {self._step}: the recovery store's snapshots are of version {found}, this tokenweir's of "
                f"{version}; finish with the one that wrote them, or remove the lane's recovery folder (nothing is "
                "lost: the whole log is read again)"
            )

    def _turn_of(self, event: Event, out: list[Output]) -> _OpenTurn | None:
        """The event's turn, made now if this opens it; None where there is none."""
        key = (event.s, event.n)
        turn = self._turns.get(key)
        if turn is None:
            kind = event.k if type(event) is Record else None
            if kind != OPEN or key in self._ignored:
                self._miss(event, kind, out)
                return None
            assert isinstance(event, Record)
            try:
                turn = self._turns[key] = _OpenTurn(event, self._make(event))
            except Exception as error:
                self._refuse(event, error, out)
                return None
        self._touch(turn)
        return turn

    def _take(self, turn: _OpenTurn, event: Event, out: list[Output]) -> bool:
        """Let the turn's time pass to the event, then feed it; False where that is the last of the turn."""
        core = turn.core
        try:
            while (deadline := core.deadline) is not None and deadline < event.t:
                out.extend(core.expire(deadline))
            if turn.closed and not core.lingers:  # that was what it waited for
                self._settle(turn)
                self._miss(event, event.k if type(event) is Record else None, out)
                return False
            out.extend(core.feed(event))
        except Exception as error:
            self._fail(event, error, out)
            return False
        if type(event) is Record and event.k == CLOSE:
            turn.closed = True
            self._settle(turn)
            return False
        return True

    def _expire(self, now: int, out: list[Output]) -> None:
        deadlines = self._deadlines
        while deadlines and deadlines[0][0] < now:
            t, s, n = heapq.heappop(deadlines)
            turn = self._turns.get((s, n))
            if turn is None or turn.scheduled != t:
                continue
            turn.scheduled = None
            if turn.core.deadline == t:
                self._touch(turn)
                try:
                    out.extend(turn.core.expire(t))
                except Exception as error:
                    self._fail(Record(t, s, n), error, out)
                    continue
            self._settle(turn)

    def _touch(self, turn: _OpenTurn) -> None:
        turn.kept = None
        self._touched[turn] = None

    def _settle(self, turn: _OpenTurn) -> None:
        """Drop what is over; note the deadline of the rest.

        A deadline that moved back keeps its old entry, which finds the new one when its time comes.
        """
        if turn.closed and not turn.core.lingers:
            del self._turns[turn.opened.s, turn.opened.n]
            self._touched.pop(turn, None)
            return
        deadline = turn.core.deadline
        if deadline is not None and (turn.scheduled is None or deadline < turn.scheduled):
            turn.scheduled = deadline
            heapq.heappush(self._deadlines, (deadline, turn.opened.s, turn.opened.n))

    def _refuse(self, opened: Record, error: Exception, out: list[Output]) -> None:
        """No core could be made: the steps to come see a turn that failed at once."""
        key = (opened.s, opened.n)
        self._ignore(key)
        failed = Record(opened.t, *key, CLOSE, d={"reason": "failed"})
        out += [opened, DeadLetter(opened.t, *key, self._step, type(error).__name__), failed]

    def _fail(self, event: Event, error: Exception, out: list[Output]) -> None:
        key = (event.s, event.n)
        t = _end(event)
        turn = self._turns.pop(key)
        self._touched.pop(turn, None)
        if not (turn.closed or (type(event) is Record and event.k == CLOSE)):  # else nothing comes that would end it
            self._ignore(key)
        out.append(DeadLetter(t, *key, self._step, type(error).__name__))
        out.extend(turn.core.abandon(Record(t, *key, CLOSE, d={"reason": "failed"})))

    def _miss(self, event: Event, kind: str | None, out: list[Output]) -> None:
        key = (event.s, event.n)
        if isinstance(event, DeadLetter) or kind == VERDICT:
            out.append(event)
        elif kind == CLOSE:
            self._ignored.pop(key, None)
        elif key not in self._ignored:
            self._ignore(key)
            out.append(DeadLetter(event.t, *key, self._step, "no open turn"))

    def _ignore(self, key: tuple[str, int]) -> None:
        if len(self._ignored) >= MAX_IGNORED:
            del self._ignored[next(iter(self._ignored))]
        self._ignored[key] = None


def _end(event: Event) -> int:
    """The log time of an event, or of the last of several that are joined."""
    if type(event) is Frames:
        return event.records[-1].t
    return event.times[-1] if type(event) is Run else event.t
