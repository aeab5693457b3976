"""The log's records dealt out to shards: what the flow gets, keyed.

Rules
- An item is (key, (records, watermark)): the key is lane and shard. A turn's records are together and in order of time,
  its frames in a row as one `Frames`, so that a step need not look at each by itself; between turns there is no
  order. The watermark promises that no later record of the lane has a smaller `t`.
- A session's shard is crc32 of its id, modulo 16, for ever: the recovery store knows shards, not sessions.
- An open goes into the flow with the log's `created` (microseconds since the Unix epoch), so that rows can be dated,
  and with the length of what was asked (prompt, system, history) in place of the texts: the flow's state, and so the
  recovery store, needs no more. Where log time was not the wall clock's, the open says by how much (`skew`), and that
  is taken off `created`. All else goes as it was logged.
- A frame that is not urgent waits for others of its turn (held.py), and the shard's watermark with it.
- Watermarks go to shards with open turns, and for `LINGER` to those where one was closed (its verdicts may be
  awaited), at most one each `WATERMARK_EVERY`; the last watermark of a log goes to all of them.

A core: no I/O.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import repeat
from typing import Any, TypeAlias

import msgspec

from connectors.log.held import Held
from connectors.log.keys import key_of
from connectors.log.records import CLOSE, FRAME, OPEN, SECOND, Frames, Record

SHARDS = 16
WATERMARK_EVERY = 50_000
LINGER = 3_600_000_000

TurnKey: TypeAlias = tuple[str, int]
Item: TypeAlias = tuple[str, tuple[Sequence[Record | Frames], int]]


def shard_of(session_id: str) -> int:
    return zlib.crc32(session_id.encode()) % SHARDS


class Sharder:
    """Deals a lane's records out to its shards, with the watermarks that carry time on.

    turns    opened before, and not closed
    resumed  what was closed before is not known: any shard may have turns that wait for verdicts
    held     frames that were not given to the flow yet
    """

    def __init__(
        self,
        lane: str,
        created: datetime,
        turns: Iterable[tuple[str, int]] = (),
        *,
        resumed: bool = False,
        held: Iterable[Record] = (),
    ) -> None:
        self._created = int(created.timestamp() * SECOND)
        self._keys = [key_of(lane, shard) for shard in range(SHARDS)]
        self._open: list[set[tuple[str, int]]] = [set() for _ in range(SHARDS)]
        self._told = [0] * SHARDS
        self._lingers_until = [0] * SHARDS
        self._resumed = resumed
        for session_id, number in turns:
            self._open[shard_of(session_id)].add((session_id, number))
        self._held = [Held() for _ in range(SHARDS)]
        for record in held:
            self._held[shard_of(record.s)].add(record)

    @property
    def held(self) -> list[Record]:
        """Frames that were not given to the flow yet, each turn's in order."""
        return [record for held in self._held for record in held.records]

    def deal(
        self, records: Sequence[Record], watermark: int, *, last: bool = False, urgent: Iterable[bool] = repeat(True)
    ) -> list[Item]:
        """The items for these records and this watermark; `last` is for every shard with an open turn.

        urgent  by record: whether the flow may have something to say as soon as it has it
        """
        if self._resumed:
            self._resumed = False
            self._lingers_until = [watermark + LINGER] * SHARDS
        due = self._due(records, urgent)
        items: list[Item] = []
        for shard, (key, held) in enumerate(zip(self._keys, self._held, strict=True)):
            turns = due.get(shard, {})
            turns |= held.take_all() if last else held.take_due(watermark)
            share = [each for own in turns.values() for each in self._joined(shard, own)]
            oldest = held.oldest
            passed = watermark if oldest is None else min(watermark, oldest)
            awake = self._open[shard] or watermark < self._lingers_until[shard]
            if share or (awake and (last or passed - self._told[shard] >= WATERMARK_EVERY)):
                self._told[shard] = passed
                items.append((key, (share or (), passed)))
        return items

    def _due(self, records: Iterable[Record], urgent: Iterable[bool]) -> dict[int, dict[TurnKey, list[Record]]]:
        """By shard and turn what is urgent, with what the turn held; the rest is held."""
        due: dict[int, dict[TurnKey, list[Record]]] = {}
        places: dict[TurnKey, tuple[Held, dict[TurnKey, list[Record]]]] = {}
        for record, hurry in zip(records, urgent, strict=False):
            if not record.s:
                continue
            key = (record.s, record.n)
            place = places.get(key)
            if place is None:
                shard = shard_of(record.s)
                place = places[key] = self._held[shard], due.setdefault(shard, {})
            held, turns = place
            own = turns.get(key)
            if own is not None:
                own.append(record)
            elif hurry:
                turns[key] = [*held.take(key), record]
            else:
                held.add(record)
        return due

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
        request |= {"prompt_chars": _asked_chars(request), "created": created}
        return msgspec.structs.replace(record, d=request)


def _asked_chars(request: dict[str, Any]) -> int:
    """How much a request asks with. The flow needs no more of it: the texts are taken out, and the options."""
    request.pop("options", None)
    prompt, system, history = (request.pop(name, None) for name in ("prompt", "system", "history"))
    said = [each.get("content") for each in history if isinstance(each, dict)] if isinstance(history, list) else []
    return sum(len(str(text or "")) for text in (prompt, system, *said))


def _join(frames: list[Record], out: list[Record | Frames]) -> None:
    if len(frames) > 1:
        out.append(Frames(frames[0].t, frames[0].s, frames[0].n, frames))
    else:
        out += frames
