"""Playback: Bytewax's way into records that are not on disk as they are, at full speed or in time.

Rules
- It gives what LogSource would give of the same records. A replay that was broken off begins again: there is no
  position to go on from.
- In time, a record comes when as much time has passed as the log says, divided by `speed`; time goes on in
  silence too, so that a window which silence ends is shown when it ended.
- The last watermark comes at once: nobody waits for what is known to be the end.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from connectors.errors import InputError
from connectors.log.records import SECOND, Record
from connectors.log.shards import WATERMARK_EVERY, Item, Sharder
from connectors.log.source import READ_RECORDS, EndedPartition

Clock = Callable[[], float]

MAX_SPEED = 1_000_000.0
IDLE = 0.05


class Playback(FixedPartitionedSource[Item, Any]):
    """Records as a source. Building it reads nothing.

    records  gives them, in order of time
    created  the moment that their times count from
    speed    times the recorded time; None for as fast as it goes
    clock    seconds, of any origin

    Raises InputError for a speed that is none.
    """

    def __init__(
        self,
        records: Callable[[], Iterable[Record]],
        created: datetime,
        *,
        speed: float | None = None,
        lane: str = "w00",
        clock: Clock = time.monotonic,
    ) -> None:
        if speed is not None and not 0 < speed <= MAX_SPEED:
            raise InputError(f"a speed is more than 0 and at most {MAX_SPEED:,.0f}; leave it out for full speed")
        self._records = records
        self._created = created
        self._speed = speed
        self._lane = lane
        self._clock = clock

    def list_parts(self) -> list[str]:
        return [self._lane]

    def build_part(self, step_id: str, for_part: str, resume_state: Any) -> StatefulSourcePartition[Item, Any]:
        sharder = Sharder(for_part, self._created)
        if self._speed is None:
            return EndedPartition((([record], None) for record in self._records()), sharder)
        return _InTime(self._records(), sharder, self._speed, self._clock)


class _InTime(StatefulSourcePartition[Item, None]):
    def __init__(self, records: Iterable[Record], sharder: Sharder, speed: float, clock: Clock) -> None:
        self._records = iter(records)
        self._sharder = sharder
        self._speed = speed
        self._clock = clock
        self._next = next(self._records, None)
        self._first = self._next.t if self._next else 0
        self._begun = clock()
        self._watermark = 0

    def next_batch(self) -> list[Item]:
        if self._next is None:
            raise StopIteration
        now = self._first + int((self._clock() - self._begun) * self._speed * SECOND)
        due: list[Record] = []
        while self._next is not None and self._next.t <= now and len(due) < READ_RECORDS:
            due.append(self._next)
            self._next = next(self._records, None)
        ended = self._next is None
        if self._next is not None:
            now = min(now, self._next.t)
        elif due:
            now = due[-1].t
        self._watermark = max(self._watermark, now)
        return self._sharder.deal(due, self._watermark, last=ended)

    def next_awake(self) -> datetime | None:
        """When the next record is due, and often enough in between that time is seen to pass."""
        if self._next is None:
            return None
        log_time = (self._next.t - self._first) / SECOND / self._speed
        wait = self._begun + log_time - self._clock()
        return datetime.now(UTC) + timedelta(
            seconds=min(max(wait, 0.0), max(IDLE, WATERMARK_EVERY / SECOND / self._speed))
        )

    def snapshot(self) -> None:
        return None
