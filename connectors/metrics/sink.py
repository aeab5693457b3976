"""The end of the flow: Bytewax's way into the metrics.

Rules
- A snapshot completes a segment and names it, and a resume voids what was written after it (segments.py says how). It
  never opens the database.
- What the flow gives before its source is at what is new may have been given before: those rows are looked up by
  their keys.
- An error raised here names the step: Bytewax does not.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from connectors.errors import DataDirError
from connectors.log.keys import Partitions
from connectors.metrics.segments import SNAPSHOT_VERSION, SegmentWriter, last_standing
from connectors.metrics.spool import Spool, check_lane
from connectors.metrics.tables import Row

AGAIN_FOR: Final = 4
"""Rows of so many snapshots after the source has caught up are still looked up: steps may lag behind it."""


class MetricsSink(FixedPartitionedSink[list[Row], dict[str, Any]]):
    """Bytewax sink for `(key, [row, …])`, rows of any of the types in tables.py.

    One partition, named by its lane, pinned to the process that lists it. Building the sink opens nothing.

    lanes      all processes' lanes, where there are several
    caught_up  whether the source gives what is new, and has given all that an earlier run may have had. By default
               it never has: then all rows are looked up by their keys, which costs more
    """

    def __init__(
        self,
        directory: Path,
        lane: str,
        *,
        lanes: Sequence[str] = (),
        max_rows: int = 50_000,
        caught_up: Callable[[], bool] = lambda: False,
    ) -> None:
        self._partitions = Partitions(lane, lanes)
        self._caught_up = caught_up
        self._directory = directory
        self._lane = check_lane(lane)
        self._max_rows = max_rows

    def list_parts(self) -> list[str]:
        return [self._lane]

    def part_fn(self, item_key: str) -> int:
        return self._partitions.index(item_key)

    def build_part(self, step_id: str, for_part: str, resume_state: dict[str, Any] | None) -> _Partition:
        """Resume after the segment that the snapshot names; begin again where there is none.

        Raises `DataDirError` for a snapshot of a later version of tokenweir.
        """
        if resume_state is None:
            after = last_standing(Spool(self._directory), for_part)
        elif resume_state.get("version") == SNAPSHOT_VERSION:
            after = int(resume_state["segment"])
        else:
            raise DataDirError(f"step {step_id}: its snapshot is of a later tokenweir; resume with that one")
        with _naming(step_id, self._directory):
            writer = SegmentWriter(
                self._directory,
                for_part,
                after=after,
                fresh=resume_state is None,
                max_rows=self._max_rows,
            )
        return _Partition(writer, step_id, self._directory, self._caught_up)


class _Partition(StatefulSinkPartition[list[Row], dict[str, Any]]):
    def __init__(self, writer: SegmentWriter, step_id: str, directory: Path, caught_up: Callable[[], bool]) -> None:
        writer.again = True
        self._again_for = AGAIN_FOR
        self._caught_up = caught_up
        self._writer = writer
        self._step_id = step_id
        self._directory = directory
        self._replayable = True

    def write_batch(self, values: list[list[Row]]) -> None:
        self._replayable = True
        with _naming(self._step_id, self._directory):
            for rows in values:
                self._writer.add(rows)

    def snapshot(self) -> dict[str, Any]:
        self._replayable = False
        with _naming(self._step_id, self._directory):
            state = {"version": SNAPSHOT_VERSION, "segment": self._writer.flush()}
        if self._writer.again and self._caught_up() and not self._writer.waits:
            self._again_for -= 1
            self._writer.again = self._again_for > 0
        return state

    def close(self) -> None:
        """Bytewax closes its sinks after an error in a step, too; but in order only after a snapshot."""
        with _naming(self._step_id, self._directory):
            if self._replayable:
                self._writer.flush()
            else:
                self._writer.close()


@contextlib.contextmanager
def _naming(step_id: str, directory: Path) -> Iterator[None]:
    """Bytewax does not say which step failed, so the error does."""
    try:
        yield
    except OSError as error:
        raise DataDirError(
            f"step {step_id}: cannot write to {directory / 'spool'}: {error.strerror}; fix that and start again"
        ) from error
