"""The log's records dealt out to shards: what the flow gets, keyed.

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

A core: no I/O.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TypeAlias

import msgspec

from connectors.log.keys import key_of
from connectors.log.records import CLOSE, OPEN, SECOND, Record

SHARDS = 16
MARK_EVERY = 50_000
LINGER = 3_600_000_000

Item: TypeAlias = tuple[str, tuple[Sequence[Record], int]]


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
        request = dict(record.fields)
        skew = request.pop("skew", 0)
        created = self._created - (skew if isinstance(skew, int) else 0)
        request |= {"prompt_chars": len(str(request.pop("prompt", None) or "")), "created": created}
        return msgspec.structs.replace(record, d=request)
