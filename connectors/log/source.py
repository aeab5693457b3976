"""LogSource: Bytewax's way into a log, live or recorded.

Rules
- What a shard gets, and when a watermark goes to it, says shards.py; where a part goes on, resume.py.
- The position is that of what was emitted. A live log is read from disk up to the end found at start, and from
  memory after it: no gap, no repetition.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from connectors.log.files import LogReader, Position
from connectors.log.lane import Lane
from connectors.log.records import Record
from connectors.log.resume import State, fold, freeze, position_of
from connectors.log.shards import Item, Sharder

READ_RECORDS = 16_384
WAIT = 0.02
SNAPSHOTS_BACK = 8

_PAST = datetime(2000, 1, 1, tzinfo=UTC)


class LogSource(FixedPartitionedSource[Item, State | None]):
    """A recorded log, read at full speed: what a replay is. Building it opens nothing.

    `path` is a recording (`.jsonl`, `.jsonl.zst`) or a lane's folder. Raises InputError, when the flow starts,
    if it is not one.
    """

    def __init__(self, path: Path, lane: str = "w00") -> None:
        self._path = path
        self._lane = lane

    def list_parts(self) -> list[str]:
        return [self._lane]

    def build_part(self, step_id: str, for_part: str, resume_state: State | None) -> EndedPartition:
        reader = LogReader(self._path)
        position = position_of(reader, resume_state)
        turns = fold(reader, position)
        sharder = Sharder(for_part, reader.created, turns.open, resumed=resume_state is not None)
        return EndedPartition(reader.read_blocks(position), sharder, position)


class EndedPartition(StatefulSourcePartition[Item, State | None]):
    """Records that are all there, at full speed; raises StopIteration at the end.

    blocks    some records each, with the position after them, where they have one
    position  where to go on, as far as `sharder` knows it
    """

    def __init__(
        self,
        blocks: Iterable[tuple[Sequence[Record], Position | None]],
        sharder: Sharder,
        position: Position | None = None,
    ) -> None:
        self._blocks = iter(blocks)
        self._sharder = sharder
        self._position = position
        self._watermark = 0
        self._ended = False

    def next_batch(self) -> list[Item]:
        if self._ended:
            raise StopIteration
        batch: list[Record] = []
        while len(batch) < READ_RECORDS and not self._ended:
            block = next(self._blocks, None)
            if block is None:
                self._ended = True
            else:
                batch += block[0]
                self._position = block[1]
        if batch:
            self._watermark = batch[-1].t
        return self._sharder.deal(batch, self._watermark, last=self._ended)

    def snapshot(self) -> State | None:
        return None if self._position is None else freeze(self._position)


class LivePartition(StatefulSourcePartition[Item, State]):
    """A lane: what was on disk at start, then what arrives. Ends when the lane's `finish` was called.

    cut_short   ended before all that was on disk was read
    caught_up   all of that, and the lane's first watermark after it, was given to the flow
    """

    def __init__(
        self,
        lane: Lane,
        reader: LogReader,
        sharder: Sharder,
        position: Position,
        keep_bytes: int,
        before_snapshot: Callable[[], object] = lambda: None,
        stopped: Callable[[], bool] = lambda: False,
        at_end: Callable[[], None] = lambda: None,
    ) -> None:
        """`position` is where to go on, and `sharder` knows the turns that are open there.

        stopped  asked while the disk is read: True leaves what is not read yet to the next start
        at_end   called when the flow has all that the lane had; may raise TokenweirError for what ended it
        """
        self.cut_short = False
        self._before_snapshot = before_snapshot
        self._stopped = stopped
        self._at_end = at_end
        self._lane = lane
        self._sharder = sharder
        self._position = position
        self._on_disk = reader.read(position)
        self._reading_disk = True
        self._watermark = 0
        self._keep_bytes = keep_bytes
        self._snapshots: deque[Position] = deque(maxlen=SNAPSHOTS_BACK)
        self._ended = False
        self._unchecked = False
        self.caught_up = False

    def next_batch(self) -> list[Item]:
        if self._reading_disk and self._stopped():
            self.cut_short = self._ended = True
        if self._ended:
            if not self.cut_short:
                self._at_end()
            raise StopIteration
        if self._unchecked:  # here and not in `snapshot`: an error of that comes with Bytewax's own stack
            self._unchecked = False
            self._lane.check()
        return self._read_disk() if self._reading_disk else self._take()

    def next_awake(self) -> datetime:
        """Always due: the waiting is done on the queue, where a record ends it at once."""
        return _PAST

    def snapshot(self) -> State:
        """Sync first: a snapshot must never lie beyond what the disk has."""
        self._before_snapshot()
        self._lane.sync()
        self._unchecked = True
        if len(self._snapshots) == SNAPSHOTS_BACK:
            self._lane.retain(self._snapshots[0], self._keep_bytes)
        self._snapshots.append(self._position)
        return freeze(self._position, self._sharder.held)

    def close(self) -> None:
        self._lane.close()

    def _read_disk(self) -> list[Item]:
        batch = list(islice(self._on_disk, READ_RECORDS))
        self._reading_disk = len(batch) == READ_RECORDS
        if not batch:
            return []
        self._position, self._watermark = batch[-1][1], batch[-1][0].t
        return self._sharder.deal([record for record, _ in batch], self._watermark)

    def _take(self) -> list[Item]:
        batches, self._ended = self._lane.take(WAIT)
        if batches:
            self._position, self._watermark = batches[-1].position, batches[-1].watermark
            self.caught_up = True
        elif not self._ended:
            return []
        records = [record for batch in batches for record in batch.records]
        urgent = [each for batch in batches for each in batch.urgent]
        return self._sharder.deal(records, self._watermark, last=self._ended, urgent=urgent)


class StoppedPartition(StatefulSourcePartition[Item, State]):
    """A lane whose job was stopped before the flow could begin: nothing is read, and position and `held` stay."""

    def __init__(self, position: Position, held: Sequence[Record], close: Callable[[], object]) -> None:
        self._position = position
        self._held = held
        self._close = close

    def next_batch(self) -> list[Item]:
        raise StopIteration

    def snapshot(self) -> State:
        return freeze(self._position, self._held)

    def close(self) -> None:
        self._close()
