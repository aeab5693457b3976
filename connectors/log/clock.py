"""Log time, as a live log is stamped with it."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

from connectors.log.records import SECOND

MAX_SKEW = 5 * SECOND
"""A turn is dated by log time, unless that is further than this from the wall clock."""


class Clock:
    """Log time: microseconds since `created`, never backwards, whatever the wall clock does.

    After a restart it goes on from max(wall clock, last `t` + 1 s).
    """

    def __init__(self, created: datetime, last: int | None, wall: Callable[[], int] = time.time_ns) -> None:
        self._created_us = int(created.timestamp() * SECOND)
        self._wall_ns = wall
        begin = max(self._wall(), last + SECOND, 0) if last is not None else max(self._wall(), 0)
        self._base = begin - time.monotonic_ns() // 1000

    def now(self) -> int:
        return self._base + time.monotonic_ns() // 1000

    def skew(self) -> int:
        """Microseconds that log time is ahead of the wall clock now; 0 within `MAX_SKEW`.

        It goes astray where a start found the wall clock wrong, or somebody set it while the job ran.
        """
        ahead = self.now() - self._wall()
        return ahead if abs(ahead) > MAX_SKEW else 0

    def _wall(self) -> int:
        return self._wall_ns() // 1000 - self._created_us
