"""What a job runs beside its flow for the metrics: the lander's thread, and the table of deliveries.

Rules
- It starts with the flow and ends after it; a daemon thread, so a killed job leaves only files.
- Deliveries are read from their journal (deliveries.py), every `FLUSH_EVERY` seconds.
- What nobody could give again, such as what was given up, has a lane of its own, of which nothing is ever void. At most
  `MAX_WAITING` such rows wait in memory for the next flush; more are dropped and counted.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from pathlib import Path

from connectors.errors import DataDirError
from connectors.metrics.deliveries import Deliveries
from connectors.metrics.dimensions import Prices, SloSettings
from connectors.metrics.lander import Lander, LanderSettings
from connectors.metrics.script import script
from connectors.metrics.segments import SegmentWriter
from connectors.metrics.spool import Spool
from connectors.metrics.tables import Row

FLUSH_EVERY = 1.0
MAX_WAITING = 100_000

log = logging.getLogger(__name__)


class Landing:
    """`start` with the flow, `close` after it.

    journal      the folder of the lane's delivery journal, where there is one
    prices, slo  what the settings say of models and of waiting (dimensions.py), for the analysts' views

    Raises `SettingsError` for prices that contradict each other.
    """

    def __init__(
        self,
        directory: Path,
        lane: str,
        settings: LanderSettings | None = None,
        *,
        journal: Path | None = None,
        prices: Prices | None = None,
        slo: SloSettings | None = None,
    ) -> None:
        self.dropped = 0
        self._directory = directory
        self._deliveries = Deliveries(directory, lane, journal) if journal is not None else None
        self._rest_lane = f"{lane}_deliveries_rest"
        self._settings = settings
        self._script = script(prices, slo)
        self._kept: list[Row] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._flushing = threading.Lock()
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

    def unread(self) -> int | None:
        """The oldest segment of the delivery journal that is still wanted; None: none is. Safe from any thread."""
        return self._deliveries.unread() if self._deliveries is not None else None

    def keep(self, rows: Sequence[Row]) -> None:
        """Take rows that nothing could give again after a restart. Safe from any thread; never blocks on the disk."""
        with self._lock:
            room = MAX_WAITING - len(self._kept)
            self._kept += rows[:room]
            self.dropped += max(0, len(rows) - room)

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
        for writer in (self._deliveries, self._rest):
            if writer is not None:
                writer.close()
        self._lander.land()
        self._lander.close()

    def flush(self) -> None:
        """Write what waits. Raises OSError where the disk refuses."""
        with self._flushing:
            self._flush_rest()
            if self._deliveries is not None:
                self._deliveries.flush()

    def _flush_rest(self) -> None:
        if not self._kept and self._rest is None:
            return
        self._rest = self._rest or SegmentWriter(self._directory, self._rest_lane)
        with self._lock:
            rows, self._kept = self._kept, []
        self._rest.add(rows)
        self._rest.flush()

    def _flush_until_stopped(self) -> None:
        while not self._stop.wait(FLUSH_EVERY):
            try:
                self.flush()
            except OSError as error:
                log.warning("metrics: rows wait, the disk refuses: %s", error.strerror)
