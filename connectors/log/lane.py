"""The live end of a log: it stamps what arrives, writes it, and hands it to the flow.

Rules
- All that stamps, writes and queues runs on the reactor's thread, so stamps, file and queue have one order; the flow
  calls `take` on its own.
- Write first, hand on second. What must be logged before anything else happens is `append`ed; what a vendor sends is
  `receive`d, and logged and handed on with what else comes in the same turn of the event loop, in one write. Where
  the flow has something to do still, or nothing to say of it yet, it waits for more: `BUSY` and `GROUP` at most. The
  stamps are those of arrival. On a full disk it waits until there is room, and no socket is read meanwhile.
- A watermark promises that no later record has a smaller `t`. Every `TICK` one goes to the flow;
  the log gets one only after a second without a record, and as the last line of an orderly end. So the flow is never
  more than a second ahead of the log, and a start goes on a second after it: not even a kill breaks the promise.
- A turn is not read either while its desktop is too far behind (pressure.py).
- When more than half of `max_waiting` records wait for the flow, `ready` keeps sockets unread until a quarter does:
  those of tenants that have more than their even share of them, so that one's flood does not starve another
  (tenants are counted in `TENANTS` drawers, by their names' hash).
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import time
import zlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple, TypeAlias

import msgspec

from connectors.log.clock import Clock
from connectors.log.files import Position
from connectors.log.pressure import Pressure
from connectors.log.records import SECOND, Record
from connectors.log.turns import Turn, Turns
from connectors.log.writer import LogWriter

TICK = 0.05
BUSY = 0.002
GROUP = 0.01
AGAIN = 1.0
TENANTS = 256
ALL = TENANTS


Cue: TypeAlias = Callable[[Turn], Callable[[str], bool]]


def always(turn: Turn) -> Callable[[str], bool]:
    """Every text, at once."""
    return lambda text: True


class Batch(NamedTuple):
    """Records in order, the watermark that they carry time to, and the position after them.

    shares  how many of them each tenant has
    urgent  by record: whether the flow may have something to say as soon as it has it
    """

    records: Sequence[Record]
    watermark: int
    position: Position
    shares: Sequence[tuple[int, int]] = ()
    urgent: Sequence[bool] = ()


class Lane:
    """One process's way into the flow.

    turns  the fold over everything logged before, and goes on with every append
    cue    of a turn, tells by each text that comes whether the flow may have something to say at once
    """

    def __init__(
        self,
        writer: LogWriter,
        clock: Clock,
        turns: Turns,
        *,
        max_waiting: int = 50_000,
        pressure: Pressure | None = None,
        cue: Cue = always,
    ) -> None:
        self.turns = turns
        self.cue = cue
        self.pauses = 0
        self._writer = writer
        self._clock = clock
        self._last_logged = clock.now() if turns.last is None else turns.last
        self._queue: queue.SimpleQueue[Batch | None] = queue.SimpleQueue()
        self._max_waiting = max_waiting
        self._pressure = pressure or Pressure()
        self._handed_on = [0] * (TENANTS + 1)
        self._taken = [0] * (TENANTS + 1)
        self._finished = False
        self._last_take = time.monotonic()
        self._received: list[Record] = []
        self._urgent: list[bool] = []
        self._flushing: asyncio.Handle | None = None
        self._flush_at = 0.0
        self._no_room = False

    def append(self, *records: Record) -> None:
        """Stamp, log and hand on. The records' `t` is overwritten with now.

        Raises OSError when the disk is full; then nothing of these was logged or handed on.
        """
        self.flush()
        self._log(self._stamped(records), [True] * len(records))

    def receive(self, *frames: Record, hurry: bool = True) -> None:
        """As `append`, of frames that a vendor sent: logged and handed on soon, with others.

        hurry  the flow may have something to say as soon as it has them
        """
        self._received += self._stamped(frames)
        self._urgent += [hurry] * len(frames)
        self._flush_within((BUSY if self.waiting else 0.0) if hurry else GROUP)

    def flush(self) -> None:
        """Log and hand on what was received. Raises OSError when the disk is full; then it waits on."""
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        if self._received:
            self._no_room = True
            self._log(self._received, self._urgent)
            self._received, self._urgent, self._no_room = [], [], False

    def _flush_within(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        at = loop.time() + seconds
        if self._flushing is not None:
            if self._flush_at <= at or self._no_room:
                return
            self._flushing.cancel()
        self._flush_at = at
        self._flushing = loop.call_later(seconds, self._try_to_flush) if seconds else loop.call_soon(self._try_to_flush)

    def _try_to_flush(self) -> None:
        self._flushing = None
        try:
            self.flush()
        except OSError:  # a full disk: whoever appends says so, and `ready` keeps sockets unread
            self._flush_within(AGAIN)

    def _stamped(self, records: Sequence[Record]) -> list[Record]:
        now = self._clock.now()
        return [msgspec.structs.replace(record, t=now) for record in records]

    def _log(self, stamped: list[Record], urgent: list[bool]) -> None:
        """One write, then the fold, then the flow."""
        position = self._writer.append(stamped)
        self._last_logged = now = stamped[-1].t
        shares: dict[int, int] = {}
        for record in stamped:
            turn = self.turns.open.get((record.s, record.n))
            self.turns.feed(record)
            tenant = _tenant(turn or self.turns.open.get((record.s, record.n)))
            shares[tenant] = shares.get(tenant, 0) + 1
        for tenant, count in shares.items():
            self._handed_on[tenant] += count
        self._handed_on[ALL] += len(stamped)
        self._queue.put(Batch(stamped, now, position, tuple(shares.items()), urgent))

    def is_ready(self, turn: Turn) -> bool:
        """Whether `ready` would return at once."""
        return not (self._no_room or self._is_full(_tenant(turn), self._max_waiting) or self._pressure.holds(turn))

    async def ready(self, turn: Turn) -> None:
        """Return when flow and desktop have room for this turn. Await it before reading more from its socket."""
        if self.is_ready(turn):
            return
        self.pauses += 1
        while self._no_room or self._is_full(_tenant(turn), self._max_waiting // 2):
            await asyncio.sleep(TICK)
        await self._pressure.passed(turn)

    @property
    def waiting(self) -> int:
        """Records logged that the flow has not taken yet."""
        return self._waiting(ALL)

    def _waiting(self, tenant: int) -> int:
        return self._handed_on[tenant] - self._taken[tenant]

    def _is_full(self, tenant: int, limit: int) -> bool:
        """Whether the queue is more than half full, and with more than this tenant's share of its own."""
        if self.waiting <= limit // 2:
            return False
        sharing = sum(self._waiting(each) > 0 for each in range(TENANTS))
        return self._waiting(tenant) > limit // (2 * max(1, sharing))

    def skew(self) -> int:
        """How far log time is ahead of the wall clock; see Clock."""
        return self._clock.skew()

    def idle_seconds(self) -> float:
        """Seconds since the flow last came for records: it should come every few milliseconds."""
        return time.monotonic() - self._last_take

    async def tick(self) -> None:
        """Put watermarks into the queue until `finish`."""
        while not self._finished:
            await asyncio.sleep(TICK)
            if not self._finished:
                self._watermark()

    def finish(self) -> None:
        """Log the last watermark and end the flow in order. Records appended later belong to the next run."""
        if not self._finished:
            self._finished = True
            with contextlib.suppress(OSError):  # a full disk: the flow ends all the same
                self.flush()
                self._log_mark()
            self._queue.put(None)

    def take(self, wait: float) -> tuple[list[Batch], bool]:
        """Everything that waits, after at most `wait` seconds for the first; and whether the lane has ended.

        The flow's side: called on Bytewax's thread.
        """
        self._last_take = time.monotonic()
        batches: list[Batch] = []
        try:
            batch = self._queue.get(timeout=wait)
            while batch is not None:
                batches.append(batch)
                for tenant, count in batch.shares:
                    self._taken[tenant] += count
                self._taken[ALL] += len(batch.records)
                batch = self._queue.get_nowait()
        except queue.Empty:
            return batches, False
        return batches, True

    def sync(self) -> None:
        self._writer.sync()

    def check(self) -> None:
        """Raise DataDirError where the log's folder is not ours any more."""
        self._writer.check()

    def retain(self, oldest: Position, keep_bytes: int) -> int:
        return self._writer.retain(oldest, keep_bytes)

    def close(self) -> None:
        self._writer.close()

    def _watermark(self) -> None:
        with contextlib.suppress(OSError):
            self.flush()
        if self._no_room:  # what waits has an earlier stamp
            return
        now = self._clock.now()
        if now - self._last_logged >= SECOND:
            with contextlib.suppress(OSError):  # a full disk: time goes on in the flow all the same
                self._log_mark()
                return
        self._queue.put(Batch((), now, self._writer.position))

    def _log_mark(self) -> None:
        now = self._clock.now()
        position = self._writer.append([Record(now)])
        self._last_logged = now
        self._queue.put(Batch((), now, position))


def _tenant(turn: Turn | None) -> int:
    """The drawer that a turn's tenant is counted in."""
    name = turn.request.get("tenant") if turn is not None else None
    return _drawer(str(name or ""))


@lru_cache(maxsize=1024)
def _drawer(name: str) -> int:
    return zlib.crc32(name.encode()) % TENANTS
