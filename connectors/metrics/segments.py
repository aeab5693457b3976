"""Rows into segments: the writer under the sink (sink.py).

Rules
- A segment is written at each snapshot and named in it, and never opens the database: no analyst can
  hold up the flow, nor the flow an analyst. At most `max_rows` rows wait in memory between snapshots;
  when there are more, a part of the segment is written early.
- Bytewax replays from its last committed snapshot, so what was written after that one is written
  again. A writer therefore begins with a `RunRow` that says after which segment everything older than itself
  is void. From then on the views leave the void rows out; so each row counts once, without a key, and
  nothing is removed under a reader.
- Without a snapshot nothing is void, because nobody can say what will be replayed: a lost recovery
  store costs no row. One exception: a run that itself began without a snapshot, did not end and wrote at
  most PROVISIONAL segments was killed before its first snapshot was committed, and is replayed whole.
- What a start says before it is at what is new may have been said before, whatever became of recovery
  store, spool and database. Such rows go into files of their own, and count where no older row has their
  key (tables.py). What is new goes straight in.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from connectors.disk.durable import is_full
from connectors.errors import SettingsError
from connectors.metrics.database import landed_up_to
from connectors.metrics.spool import Spool, check_lane
from connectors.metrics.tables import Row, RunRow

PROVISIONAL: Final = 8
"""So many newest segments of a lane may still be replayed. Bytewax was never seen to go back by more than one."""

MAX_WAITING: Final = 4
"""So many times `max_rows` wait in memory while the disk is full."""

SNAPSHOT_VERSION: Final = 1


class SegmentWriter:
    """Writes one lane's rows as segments. One thread at a time; one writer a lane.

    directory  the data directory; `spool/` is made in it
    lane       name of the lane, letters, digits, `_` and `-`
    after      the last segment that stands; what lies after it is void. None: everything stands
    fresh      whether the writer began without a snapshot (see RunRow)
    max_rows   rows kept in memory before a part of the segment is written without waiting for `flush`
    clock      nanoseconds since the Unix epoch

    `again` says whether the rows to come may have been said before; it changes only while none wait.

    Raises `SettingsError` for a lane that cannot be a file's name, `OSError` where the disk refuses.
    """

    def __init__(
        self,
        directory: Path,
        lane: str,
        *,
        after: int | None = None,
        fresh: bool = False,
        max_rows: int = 50_000,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self.lane = check_lane(lane)
        if max_rows < 1:
            raise SettingsError(f"max_rows {max_rows}: at least 1")
        self._max_rows = max_rows
        self._clock = clock
        self._rows: list[Row] = []
        self.dropped = 0
        self.again = False
        self._spool = Spool(directory)
        self._spool.create()
        self._spool.remove_torn(lane)
        newest = max((f.segment for f in self._spool.files() if f.lane == lane), default=0)
        newest = newest or landed_up_to(directory, lane)  # the spool was removed
        self._after = newest if after is None else after
        self._segment = max(newest, self._after)
        self._begun: int | None = None
        self._parts = 0
        self.add([RunRow("begun", self._clock() // 1000, self._after, fresh)])
        self.flush()

    @property
    def segment(self) -> int:
        """Number of the last segment that is complete: where a resumed writer goes on."""
        return self._segment

    @property
    def waits(self) -> bool:
        """Whether rows are in no segment yet."""
        return bool(self._rows)

    def add(self, rows: Iterable[Row]) -> None:
        """Take rows for the next segment."""
        self._rows.extend(rows)
        if len(self._rows) >= self._max_rows:
            self._write_part()

    def flush(self) -> int:
        """Complete the segment, if any rows came since the last one, and sync it. Returns `segment`.

        Where the disk is full, rows wait for the next flush.
        """
        if self._rows and not self._write_part():
            return self._segment
        if self._begun is not None:
            self._segment, self._begun, self._parts = self._begun, None, 0
        return self._segment

    def close(self) -> None:
        """Write what is left, and that this was an orderly end: nothing of it will be replayed."""
        self.add([RunRow("ended", self._clock() // 1000, self._after, False)])
        self.flush()

    def _write_part(self) -> bool:
        """Write the rows; False where the disk is full, and `MAX_WAITING` times `max_rows` of them wait at most."""
        if self._begun is None:
            self._begun = max(self._clock() // 1000, self._segment + 1)
        try:
            self._spool.write(self.lane, self._begun, self._parts, self._rows, again=self.again)
        except OSError as error:
            if not is_full(error):
                raise
            excess = max(0, len(self._rows) - MAX_WAITING * self._max_rows)
            del self._rows[:excess]
            self.dropped += excess
            return False
        self._parts += 1
        self._rows = []
        return True


def last_standing(spool: Spool, lane: str) -> int | None:
    """The last segment that stands when there is no snapshot; None if all of them do."""
    spool.create()
    files = [file for file in spool.files() if file.lane == lane]
    last_run = max(spool.runs(files), default=None)
    if last_run is None or last_run.row.event != "begun" or not last_run.row.fresh:
        return None
    written = {file.segment for file in files if file.segment > last_run.segment}
    return last_run.row.replays_after if len(written) <= PROVISIONAL else None
