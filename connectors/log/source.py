"""LogSource: Bytewax's way into a log, live or recorded.

Rules
- An item is (key, (records, mark)): the key is lane and shard, the records are in order of time, and the mark
  promises that no later record of the lane has a smaller `t`.
- A session's shard is crc32 of its id, modulo 16, for ever: the recovery store knows shards, not sessions.
- An open goes into the flow with the log's `created` (microseconds since the Unix epoch), so that rows can be dated,
  and with its prompt's length in place of the prompt: the flow's state, and so the recovery store, needs no more.
  Where log time was not the wall clock's, the open says by how much (`skew`), and that is taken off `created`.
  All else goes as it was logged.
- Marks go to shards with open turns, and for `LINGER` to those where one was closed (its verdicts may be awaited), at
  most one each `MARK_EVERY`; the last mark of a log goes to all of them.
- The position is that of what was emitted. A live log is read from disk up to the end found at start, and from
  memory after it: no gap, no repetition.
"""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TypeAlias

import msgspec
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from connectors.errors import DataDirError
from connectors.log.files import SECOND, LogReader, Position
from connectors.log.lane import Lane
from connectors.log.records import CLOSE, OPEN, Record
from connectors.log.turns import READABLE, Turns

SHARDS = 16
MARK_EVERY = 50_000
LINGER = 3_600_000_000
READ_RECORDS = 2_048
WAIT = 0.001
SNAPSHOTS_BACK = 8
SNAPSHOT_VERSION = 1

Item: TypeAlias = tuple[str, tuple[Sequence[Record], int]]
State: TypeAlias = dict[str, int]
Through: TypeAlias = Callable[[Iterator[tuple[Record, Position]]], Iterator[tuple[Record, Position]]]

_PAST = datetime(2000, 1, 1, tzinfo=UTC)


def shard_of(session_id: str) -> int:
    return zlib.crc32(session_id.encode()) % SHARDS


class Sharder:
    """Deals a lane's records out to its shards, with the marks that carry time on.

    turns    opened before, and not closed
    resumed  what was closed before is not known: any shard may have turns that wait for verdicts
    """

    def __init__(
        self, lane: str, created: datetime, turns: Iterable[tuple[str, int]] = (), *, resumed: bool = False
    ) -> None:
        self._created = int(created.timestamp() * SECOND)
        self._keys = [f"{lane}-{shard:02d}" for shard in range(SHARDS)]
        self._open: list[set[tuple[str, int]]] = [set() for _ in range(SHARDS)]
        self._marked = [0] * SHARDS
        self._lingers_until = [0] * SHARDS
        self._resumed = resumed
        for session_id, number in turns:
            self._open[shard_of(session_id)].add((session_id, number))

    def deal(self, records: Sequence[Record], mark: int, *, last: bool = False) -> list[Item]:
        """The items for these records and this mark; `last` marks every shard with an open turn."""
        if self._resumed:
            self._resumed = False
            self._lingers_until = [mark + LINGER] * SHARDS
        hands: dict[int, list[Record]] = {}
        for record in records:
            if record.s:
                shard = shard_of(record.s)
                hands.setdefault(shard, []).append(self._track(shard, record))
        items: list[Item] = []
        for shard, key in enumerate(self._keys):
            hand = hands.get(shard)
            awake = self._open[shard] or mark < self._lingers_until[shard]
            due = awake and (last or mark - self._marked[shard] >= MARK_EVERY)
            if hand or due:
                self._marked[shard] = mark
                items.append((key, (hand or (), mark)))
        return items

    def _track(self, shard: int, record: Record) -> Record:
        """Note what opens and closes; an open is dated."""
        if record.k == CLOSE:
            self._open[shard].discard((record.s, record.n))
            self._lingers_until[shard] = record.t + LINGER
        if record.k != OPEN:
            return record
        self._open[shard].add((record.s, record.n))
        request = dict(record.d) if isinstance(record.d, dict) else {}
        skew = request.pop("skew", 0)
        created = self._created - (skew if isinstance(skew, int) else 0)
        request |= {"prompt_chars": len(str(request.pop("prompt", None) or "")), "created": created}
        return msgspec.structs.replace(record, d=request)


class LogSource(FixedPartitionedSource[Item, State]):
    """A recorded log, read at full speed: what a replay is. Building it opens nothing.

    `path` is a recording (`.jsonl`, `.jsonl.zst`) or a lane's folder. Raises InputError, when the flow starts,
    if it is not one.
    """

    def __init__(self, path: Path, lane: str = "w00") -> None:
        self._path = path
        self._lane = lane

    def list_parts(self) -> list[str]:
        return [self._lane]

    def build_part(self, step_id: str, for_part: str, resume_state: State | None) -> RecordedPartition:
        return RecordedPartition(LogReader(self._path), for_part, resume_state)


class RecordedPartition(StatefulSourcePartition[Item, State]):
    """Reads on from its position; raises StopIteration at the end."""

    def __init__(self, reader: LogReader, lane: str, resume_state: State | None) -> None:
        self._position = position_of(reader, resume_state)
        turns = fold(reader, self._position)
        self._sharder = Sharder(lane, reader.created, turns.open, resumed=resume_state is not None)
        self._records = reader.read(self._position)
        self._mark = 0
        self._ended = False

    def next_batch(self) -> list[Item]:
        if self._ended:
            raise StopIteration
        batch = list(islice(self._records, READ_RECORDS))
        if batch:
            self._position = batch[-1][1]
            self._mark = batch[-1][0].t
        self._ended = len(batch) < READ_RECORDS
        return self._sharder.deal([record for record, _ in batch], self._mark, last=self._ended)

    def snapshot(self) -> State:
        return freeze(self._position)


class LivePartition(StatefulSourcePartition[Item, State]):
    """A lane: what was on disk at start, then what arrives. Ends when the lane's `finish` was called.

    cut_short   ended before all that was on disk was read
    caught_up   all of that, and the lane's first mark after it, was given to the flow
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
    ) -> None:
        """`position` is where to go on, and `sharder` knows the turns that are open there.

        stopped  asked while the disk is read: True leaves what is not read yet to the next start
        """
        self.cut_short = False
        self._before_snapshot = before_snapshot
        self._stopped = stopped
        self._lane = lane
        self._sharder = sharder
        self._position = position
        self._on_disk = reader.read(position)
        self._reading_disk = True
        self._mark = 0
        self._keep_bytes = keep_bytes
        self._snapshots: deque[Position] = deque(maxlen=SNAPSHOTS_BACK)
        self._ended = False
        self._unchecked = False
        self.caught_up = False

    def next_batch(self) -> list[Item]:
        if self._reading_disk and self._stopped():
            self.cut_short = self._ended = True
        if self._ended:
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
        return freeze(self._position)

    def close(self) -> None:
        self._lane.close()

    def _read_disk(self) -> list[Item]:
        batch = list(islice(self._on_disk, READ_RECORDS))
        self._reading_disk = len(batch) == READ_RECORDS
        if not batch:
            return []
        self._position, self._mark = batch[-1][1], batch[-1][0].t
        return self._sharder.deal([record for record, _ in batch], self._mark)

    def _take(self) -> list[Item]:
        batches, self._ended = self._lane.take(WAIT)
        if batches:
            self._position, self._mark = batches[-1].position, batches[-1].mark
            self.caught_up = True
        elif not self._ended:
            return []
        records = [record for batch in batches for record in batch.records]
        return self._sharder.deal(records, self._mark, last=self._ended)


def position_of(reader: LogReader, resume_state: State | None) -> Position:
    """Where to go on; without a snapshot, the log's begin. Raises DataDirError where it lies beyond the log."""
    if resume_state is None:
        return reader.begin()
    position = Position(resume_state["file"], resume_state["offset"])
    if position > reader.end():
        raise DataDirError(
            f"{reader.path} ends before the position that the recovery store remembers (file {position.file}, "
            f"byte {position.offset}): the log was replaced or lost its end; restore it, or move the recovery "
            "folder away to read the whole log again"
        )
    return max(position, reader.begin())


class StoppedPartition(StatefulSourcePartition[Item, State]):
    """A lane whose job was stopped before the flow could begin: nothing is read, and the position stays."""

    def __init__(self, position: Position, close: Callable[[], object]) -> None:
        self._position = position
        self._close = close

    def next_batch(self) -> list[Item]:
        raise StopIteration

    def snapshot(self) -> State:
        return freeze(self._position)

    def close(self) -> None:
        self._close()


def fold(reader: LogReader, before: Position, through: Through = iter) -> Turns:
    """What the records before a position say of their turns; they are read `through` something that may raise."""
    turns = Turns()
    kept, begin = reader.fold(before)
    if kept is not None and kept.get("version") in READABLE:
        turns.restore(kept)
    elif kept is not None:  # another version's
        begin = reader.begin()
    for record, after in through(reader.read(begin)):
        if after > before:
            break
        turns.feed(record)
    return turns


def freeze(position: Position) -> State:
    return {"version": SNAPSHOT_VERSION, "file": position.file, "offset": position.offset}
