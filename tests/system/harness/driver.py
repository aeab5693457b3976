"""Begins one service's sessions, and ends its lives as the plan says.

Rules
- A kill's figure is the number of sessions that were mid-stream: frames of them were logged in the life that the kill
  ended, and neither their end nor a break after them.
- A service that ends by itself is a difference, unless its disk was full a moment ago; it is started again.
- After the last kill, when all is shown, comes one restart in order over everything that is settled, and new sessions.
"""

from __future__ import annotations

import contextlib
import random
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from connectors.errors import DeliveryError, InputError
from connectors.log.files import LogReader, Position
from connectors.log.records import CLOSE, ERROR, FRAME
from tests.system.harness.plan import Plan, Session
from tests.system.harness.service import Service
from tests.system.harness.stored import Stored
from tests.system.harness.world import World

EARLY: Final = 0.2
STOPPED: Final = 0.2
UNREAD: Final = 0.25
STOP_WITHIN: Final = 20.0
HEALTH_EVERY: Final = 0.5
UNREAD_FOR: Final = (3.0, 5.0)
"""Seconds that a life lasts of which nobody reads what it writes: long enough for the pipe to be full."""
NOT_SHOWN: Final = 11
"""The exit code of a process that had more to show than standard output took."""

MOST_ENDS: Final = 20
"""Ends of its own after which a service is not started again."""


class Mid:
    """How many sessions were mid-stream when a life ended: reads the log on from where the last life ended."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._position: Position | None = None

    def count(self) -> int:
        flowing: set[tuple[str, int]] = set()
        with contextlib.suppress(InputError):  # no log yet
            for record, after in LogReader(self._folder).read(self._position):
                self._position = after
                if record.k == FRAME:
                    flowing.add((record.s, record.n))
                elif record.k in (CLOSE, ERROR):
                    flowing.discard((record.s, record.n))
        return len(flowing)


class Driver:
    """One service's.

    excused  whether a service that ends now may do so because its disk is full

    lives       [from, to] of each life, from the moment it listened; by the monotonic clock
    mid_stream  sessions mid-stream at each kill
    stops       lives that ended by SIGTERM
    gave_up     lives that ended for want of room on the disk
    unread      lives of which nobody read the console
    """

    def __init__(
        self,
        service: Service,
        plan: Plan,
        sessions: list[Session],
        data_dir: Path,
        world: World,
        rng: random.Random,
        excused: Callable[[], bool],
    ) -> None:
        self.service = service
        self.sessions = [each for each in sessions if not each.last]
        self.lives: list[list[float]] = []
        self.mid_stream: list[int] = []
        self.stops = self.gave_up = self.unread = 0
        self.differences: list[str] = []
        self.stored = Stored(data_dir / "delivery", service.vendor)
        self._last_sessions = [each for each in sessions if each.last]
        self._plan = plan
        self._share = plan.share(service.vendor)
        self._mid = Mid(data_dir / "log" / service.vendor)
        self._world = world
        self._rng = random.Random(rng.random())
        self._excused = excused
        self._begun = 0
        self._ends = 0
        self._stopping: float | None = None
        self._health_at = 0.0
        self._start()

    @property
    def done(self) -> bool:
        return not self._kills_left and not self._last_sessions and self._whole == len(self.sessions)

    @property
    def progress(self) -> tuple[int, ...]:
        shown = sum(each.counts["shown"] + each.counts["plain"] for each in self._world.desktops.values())
        return self._begun, self._whole, self._kills_left, shown

    @property
    def state(self) -> str:
        return (
            f"{self.service.vendor}: {len(self.mid_stream)} of {self._share.kills} kills, "
            f"{self._begun} of {len(self.sessions)} begun, {self._whole} whole"
        )

    def step(self) -> None:
        self.stored.read()
        if self._stopping is not None:
            self._wait_for_the_end(self._stopping)
        elif self.service.exited is not None:
            self._ended_by_itself()
        elif self._kills_left and self._dies_now():
            self._end()
        elif self._listens():
            self._note_life()
            self._check_health()
            if self._begun < self._may_have_begun():
                self._begun += self.service.begin(self.sessions[self._begun])
            elif self._last_sessions and not self._kills_left and self._whole == len(self.sessions):
                self.sessions += self._last_sessions
                self._last_sessions = []
                self._stop()

    def finish(self) -> None:
        """SIGTERM, at the very end: nothing is left to deliver."""
        self._close_life()
        try:
            code = self.service.terminate(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            self._complain_of_no_end()
        else:
            if code not in self._orderly:
                self.differences.append(f"{self.service.vendor} ended with {code}: {self.service.said[-500:]}")
        self.stored.read()

    @property
    def _kills_left(self) -> int:
        return self._share.kills - len(self.mid_stream)

    @property
    def _whole(self) -> int:
        return sum(self._world.is_whole(each) or self.stored.is_done(each.name) for each in self.sessions)

    def _start(self) -> None:
        unread = "console" in self._plan.features and self._rng.random() < UNREAD
        self._is_unread = unread
        self.unread += unread
        self.service.start(unread=unread)
        self._early = self._rng.random() < EARLY
        self._clock_from: float | None = time.monotonic() if self._early else None
        life = (0.1, 1.5) if self._early else UNREAD_FOR if unread else self._share.life
        self._lives_for = self._rng.uniform(*life)
        self._noted = False
        self._stalled = False

    def _end(self) -> None:
        if "stops" in self._plan.features and self._listens() and self._rng.random() < STOPPED:
            self._stop()
            return
        self.service.kill()
        self._close_life()
        self.stored.read()
        self.mid_stream.append(self._mid.count())
        self._start()

    def _stop(self) -> None:
        self._close_life()
        self.service.stop()
        self._stopping = time.monotonic()
        self.stops += 1

    def _wait_for_the_end(self, since: float) -> None:
        code = self.service.exited
        if code is None and time.monotonic() - since < STOP_WITHIN:
            return
        if code is None:
            self._complain_of_no_end()
        elif code not in (*self._orderly, DeliveryError.exit_code) and not self._excused():
            said = self.service.said[-500:]
            self.differences.append(f"{self.service.vendor} ended with {code} after SIGTERM: {said}")
        self._stopping = None
        self._mid.count()
        self._start()

    @property
    def _orderly(self) -> tuple[int, ...]:
        """Exit codes of an orderly end."""
        return (0, NOT_SHOWN) if self._is_unread else (0,)

    def _complain_of_no_end(self) -> None:
        how = " while nobody read its console" if self._is_unread else ""
        said = self.service.abort()
        self.differences.append(f"{self.service.vendor} did not end within {STOP_WITHIN:g} s of SIGTERM{how}: {said}")

    def _ended_by_itself(self) -> None:
        self._close_life()
        self._ends += 1
        if self._excused():
            self.gave_up += 1
        else:
            code, said = self.service.exited, self.service.said[-1000:]
            self.differences.append(f"{self.service.vendor} ended by itself with {code}: {said}")
            if self._ends > MOST_ENDS:
                raise RuntimeError(self.differences[-1])
        self._mid.count()
        self._start()

    def _dies_now(self) -> bool:
        if self._clock_from is None and self._listens():
            self._clock_from = time.monotonic()
        return self._clock_from is not None and time.monotonic() >= self._clock_from + self._lives_for

    def _listens(self) -> bool:
        try:
            return self.service.listens()
        except AssertionError:  # it ended just now: the next step says so
            return False

    def _note_life(self) -> None:
        if not self._noted:
            self._noted = True
            self.lives.append([time.monotonic(), float("inf")])

    def _close_life(self) -> None:
        if self._noted:
            self.lives[-1][1] = time.monotonic()
            self._noted = False

    def _check_health(self) -> None:
        """The flow takes what arrives, whatever else goes wrong."""
        if self._stalled or time.monotonic() < self._health_at:
            return
        self._health_at = time.monotonic() + HEALTH_EVERY
        with contextlib.suppress(OSError):
            status, told = self.service.ask("GET", "/health", within=2)
            if status != 200:
                self._stalled = True
                self.differences.append(f"{self.service.vendor}: its flow stands still: {told}")

    def _may_have_begun(self) -> int:
        """The last sessions wait for the last kills."""
        share = self._share
        later = (share.sessions - share.under_way) * len(self.mid_stream) // max(1, share.kills)
        return share.under_way + later + len(self.sessions) - share.sessions
