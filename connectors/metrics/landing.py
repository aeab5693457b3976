"""What a job runs beside its flow for the metrics: the lander's thread, and the table of deliveries.

Rules
- It starts with the flow and ends after it; a daemon thread, so a killed job leaves only files.
- Deliveries are facts of the world, not of the log: they are written here, in a lane of their own, and never
  replayed. At most `MAX_WAITING` wait in memory for the next flush; more are dropped and counted.
- What nobody could give again, such as what was given up, has a lane of its own, of which nothing is ever void.
- What delivery remembers (`Noting`) is told what has been written, and gives back what a killed process had not:
  a delivery is one row, whatever dies.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from connectors.errors import DataDirError
from connectors.metrics.dimensions import Prices, SloSettings
from connectors.metrics.lander import Lander, LanderSettings
from connectors.metrics.script import script
from connectors.metrics.segments import SegmentWriter
from connectors.metrics.spool import Spool
from connectors.metrics.tables import Row

FLUSH_EVERY = 1.0
MAX_WAITING = 100_000

log = logging.getLogger(__name__)


class Noting(Protocol):
    """What delivery remembers of the rows that this table has. See DeliveryMemory."""

    def taken(self, take: Callable[[], list[Row]], /) -> tuple[list[Row], int]: ...
    def note(self, lines: int, segment: int, /) -> None: ...


class Landing:
    """`start` with the flow, `follow` delivery, `note` what was delivered, `close` after the flow.

    prices, slo  what the settings say of models and of waiting (dimensions.py), for the analysts' views

    Raises `SettingsError` for prices that contradict each other.
    """

    def __init__(
        self,
        directory: Path,
        lane: str,
        settings: LanderSettings | None = None,
        *,
        prices: Prices | None = None,
        slo: SloSettings | None = None,
    ) -> None:
        self.dropped = 0
        self._directory = directory
        self._lane = f"{lane}_deliveries"
        self._rest_lane = f"{lane}_deliveries_rest"
        self._settings = settings
        self._script = script(prices, slo)
        self._waiting: list[Row] = []
        self._kept: list[Row] = []
        self._lock = threading.Lock()
        self._memory: Noting | None = None
        self._after: int | None = None
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._flushing = threading.Lock()
        self._writer: SegmentWriter | None = None
        self._rest: SegmentWriter | None = None
        self._lander: Lander | None = None

    def start(self) -> None:
        """Begin to flush and to land, at once. Idempotent. Raises `DataDirError` where the disk refuses."""
        if self._threads:
            return
        try:
            Spool(self._directory).create()
        except OSError as error:
            raise DataDirError(
                f"metrics cannot be kept in {self._directory}: {error.strerror}; use another --data-dir"
            ) from None
        self._lander = Lander(self._directory, self._settings, script=self._script)
        self._threads = [
            threading.Thread(target=self._lander.run, args=(self._stop,), name="lander", daemon=True),
            threading.Thread(target=self._flush_until_stopped, name="deliveries", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def follow(self, memory: Noting, after: int | None, lacking: Sequence[Row]) -> None:
        """Go on where an earlier process came to, before anything is noted.

        after    the last segment that stands; None: all do, and the memory was told of none
        lacking  the rows that are in none of those
        """
        self._memory, self._after = memory, after
        self.note(lacking)

    def unfollow(self) -> None:
        """Write what delivery noted, before its memory closes."""
        self.flush()
        with self._flushing:
            if self._writer is not None:
                self._writer.close()
            self._memory, self._after, self._writer = None, None, None

    def note(self, rows: Sequence[Row]) -> None:
        """Take rows of what the followed delivery settled. Safe from any thread; never blocks on the disk."""
        with self._lock:
            self._add(self._waiting, rows)

    def keep(self, rows: Sequence[Row]) -> None:
        """The same of any other rows, which nothing could give again after a restart."""
        with self._lock:
            self._add(self._kept, rows)

    def close(self) -> None:
        """Write and land what is left. Idempotent."""
        if not self._threads:
            return
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._threads = []
        assert self._lander is not None
        self.flush()
        for writer in (self._writer, self._rest):
            if writer is not None:
                writer.close()
        self._lander.land()
        self._lander.close()

    def flush(self) -> None:
        """Write what was noted, and tell the memory. Raises OSError where the disk refuses."""
        with self._flushing:
            self._flush_rest()
            if not self._waiting and self._writer is None:
                return
            writer = self._writer or self._begun()  # before rows are taken: where the disk refuses, they wait
            rows, lines = self._memory.taken(self._taken) if self._memory else (self._taken(), 0)
            writer.add(rows)
            segment = writer.flush()
            if self._memory and rows and not writer.waits:
                self._memory.note(lines, segment)

    def _flush_rest(self) -> None:
        if not self._kept and self._rest is None:
            return
        self._rest = self._rest or SegmentWriter(self._directory, self._rest_lane)
        with self._lock:
            rows, self._kept = self._kept, []
        self._rest.add(rows)
        self._rest.flush()

    def _add(self, waiting: list[Row], rows: Sequence[Row]) -> None:
        room = MAX_WAITING - len(waiting)
        waiting += rows[:room]
        self.dropped += max(0, len(rows) - room)

    def _begun(self) -> SegmentWriter:
        writer = self._writer = SegmentWriter(self._directory, self._lane, after=self._after)
        if self._memory and self._after is None:
            self._memory.note(0, writer.segment)  # from here on it is known which rows a killed process has written
        return writer

    def _flush_until_stopped(self) -> None:
        while not self._stop.wait(FLUSH_EVERY):
            try:
                self.flush()
            except OSError as error:
                log.warning("metrics: deliveries wait, the disk refuses: %s", error.strerror)

    def _taken(self) -> list[Row]:
        with self._lock:
            rows, self._waiting = self._waiting, []
        return rows
