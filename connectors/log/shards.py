"""The log's records dealt out to shards: what the flow gets, keyed.

Rules
- An item is (key, (records, mark)): the key is lane and shard. A turn's records are together and in order of time, its
  frames in a row as one `Frames`, so that a step need not look at each by itself; between turns there is no order.
  The mark promises that no later record of the lane has a smaller `t`.
- A session's shard is crc32 of its id, modulo 16, for ever: the recovery store knows shards, not sessions.
- An open goes into the flow with the log's `created` (microseconds since the Unix epoch), so that rows can be dated,
  and with its prompt's length in place of the prompt: the flow's state, and so the recovery store, needs no more.
  Where log time was not the wall clock's, the open says by how much (`skew`), and that is taken off `created`.
  All else goes as it was logged.
- Marks go to shards with open turns, and for `LINGER` to those where one was closed (its verdicts may be awaited), at
  most one each `MARK_EVERY`; the last mark of a log goes to all of them.

A core: no I/O.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TypeAlias

import msgspec

from connectors.log.keys import key_of
from connectors.log.records import CLOSE, FRAME, OPEN, SECOND, Frames, Record

SHARDS = 16
MARK_EVERY = 50_000
LINGER = 3_600_000_000

Item: TypeAlias = tuple[str, tuple[Sequence[Record | Frames], int]]


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
        self._keys = [key_of(lane, shard) for shard in range(SHARDS)]
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
        dealt: dict[int, list[Record | Frames]] = {}
        for (session_id, _), own in _by_turn(records).items():
            shard = shard_of(session_id)
            dealt.setdefault(shard, []).extend(self._joined(shard, own))
        items: list[Item] = []
        for shard, key in enumerate(self._keys):
            share = dealt.get(shard)
            awake = self._open[shard] or mark < self._lingers_until[shard]
            due = awake and (last or mark - self._marked[shard] >= MARK_EVERY)
            if share or due:
                self._marked[shard] = mark
                items.append((key, (share or (), mark)))
        return items

    def _joined(self, shard: int, records: list[Record]) -> list[Record | Frames]:
        """A turn's records, its frames in a row as one."""
        if len(records) == 1:
            return [self._track(shard, records[0])]
        out: list[Record | Frames] = []
        begin = 0
        for at, record in enumerate(records):
            if record.k != FRAME:
                _join(records[begin:at], out)
                out.append(self._track(shard, record))
                begin = at + 1
        _join(records[begin:], out)
        return out

    def _track(self, shard: int, record: Record) -> Record:
        """Note what opens and closes; an open is dated."""
        if record.k == CLOSE:
            self._open[shard].discard((record.s, record.n))
            self._lingers_until[shard] = record.t + LINGER
        if record.k != OPEN:
            return record
        self._open[shard].add((record.s, record.n))
        request = dict(record.fields)
        skew = request.pop("skew", 0)
        created = self._created - (skew if isinstance(skew, int) else 0)
        request |= {"prompt_chars": len(str(request.pop("prompt", None) or "")), "created": created}
        return msgspec.structs.replace(record, d=request)


def _by_turn(records: Iterable[Record]) -> dict[tuple[str, int], list[Record]]:
    turns: dict[tuple[str, int], list[Record]] = {}
    for record in records:
        if record.s:
            key = (record.s, record.n)
            own = turns.get(key)
            if own is None:
                turns[key] = [record]
            else:
                own.append(record)
    return turns


def _join(frames: list[Record], out: list[Record | Frames]) -> None:
    if len(frames) > 1:
        out.append(Frames(frames[0].t, frames[0].s, frames[0].n, frames))
    else:
        out += frames
