"""What a job runs beside its flow for the metrics: the lander's thread, and the table of deliveries.

Rules
- It starts with the flow and ends after it; a daemon thread, so a killed job leaves only files.
- Deliveries are facts of the world, not of the log: they are written here, in a lane of their own, and never
  replayed. At most `MAX_WAITING` wait in memory for the next flush; more are dropped and counted.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from connectors.errors import DataDirError
from connectors.metrics.dimensions import Prices, SloSettings
from connectors.metrics.lander import Lander, LanderSettings
from connectors.metrics.script import script
from connectors.metrics.segments import MetricsSink, SegmentWriter, _Partition
from connectors.metrics.tables import Row

FLUSH_EVERY = 1.0
MAX_WAITING = 100_000

log = logging.getLogger(__name__)


class Landing:
    """`start` with the flow, `note` what was delivered, `close` after the flow.

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
        self._settings = settings
        self._script = script(prices, slo)
        self._waiting: list[Row] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._writer: SegmentWriter | None = None
        self._lander: Lander | None = None

    def start(self) -> None:
        """Begin to flush and to land, at once. Idempotent. Raises `DataDirError` where the disk refuses."""
        if self._threads:
            return
        try:
            self._writer = SegmentWriter(self._directory, self._lane)
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

    def note(self, rows: Sequence[Row]) -> None:
        """Take rows of deliveries and of what was given up. Safe from any thread; never blocks on the disk."""
        with self._lock:
            room = MAX_WAITING - len(self._waiting)
            self._waiting += rows[:room]
            self.dropped += max(0, len(rows) - room)

    def close(self) -> None:
        """Write and land what is left. Idempotent."""
        if not self._threads:
            return
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._threads = []
        assert self._writer is not None
        assert self._lander is not None
        self._writer.add(self._taken())
        self._writer.close()
        self._lander.land()
        self._lander.close()

    def _flush_until_stopped(self) -> None:
        assert self._writer is not None
        while not self._stop.wait(FLUSH_EVERY):
            try:
                self._writer.add(self._taken())
                self._writer.flush()
            except OSError as error:
                log.warning("metrics: deliveries wait, the disk refuses: %s", error.strerror)

    def _taken(self) -> Iterable[Row]:
        with self._lock:
            rows, self._waiting = self._waiting, []
        return rows


class LandedMetricsSink(MetricsSink):
    """A MetricsSink that starts its job's landing when the flow starts."""

    def __init__(self, directory: Path, lane: str, landing: Landing) -> None:
        super().__init__(directory, lane)
        self._landing = landing

    def build_part(self, step_id: str, for_part: str, resume_state: dict[str, Any] | None) -> _Partition:
        part = super().build_part(step_id, for_part, resume_state)
        self._landing.start()
        return part
