"""The agent desktops: Bytewax's way out to them.

Rules
- `write_batch` never waits for a desktop: it writes the journal and wakes the couriers, which live on the
  reactor's thread. The snapshot holds no messages, only how far the journal had been synced.
- A message is sent until it is confirmed; docs/delivery.md says what each kind of desktop is promised.
- An orderly end drains for `drain_timeout`; the rest stays stored, and `failure` says so.
- An error raised here names the step: Bytewax does not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from connectors.delivery.connection import CLOSE_TIMEOUT, Courier, DesktopSettings, DesktopStatus
from connectors.delivery.journal import SEGMENT_BYTES, Journal, Position
from connectors.delivery.ledger import ENDED_FOR, Delivered, DeliveryMemory
from connectors.delivery.outbox import Counts
from connectors.errors import DeliveryError, naming
from connectors.log.records import Message
from connectors.reactor import Reactor

__all__ = ["Delivered", "DesktopSettings", "DesktopSink", "DesktopStatus"]

Batch: TypeAlias = Sequence[tuple[str, Message]]
State: TypeAlias = dict[str, int]

SNAPSHOT_VERSION = 1


class DesktopSink(FixedPartitionedSink[Batch, State]):
    """Delivers `(key, [(desktop's name, message), …])` to the desktops. One partition a lane.

    desktops      by name; a message for another name goes nowhere: it is counted as `unknown_desktop`, and told as such
    directory     where the journal lives; made if it is not there
    lane          this process's lane; its keys begin with `lane` and a dash
    reactor       the process's reactor, or a function that gives it when the flow starts
    lanes         all processes' lanes, where there are several
    ended_for, segment_bytes, on_full      see DeliveryMemory and Journal
    on_delivered, on_pressure              see DeliveryMemory
    on_open, on_close                      called with the memory when delivery begins, and before it is closed; then
                                           `note` is to be called on it

    Building it opens nothing. After an orderly end, `undelivered` and `failure` tell what is left.
    """

    def __init__(
        self,
        desktops: Mapping[str, DesktopSettings],
        directory: Path,
        lane: str,
        reactor: Reactor | Callable[[], Reactor],
        *,
        lanes: Sequence[str] = (),
        ended_for: float = ENDED_FOR,
        segment_bytes: int = SEGMENT_BYTES,
        on_full: Callable[[], bool] | None = None,
        on_delivered: Callable[[list[Delivered]], object] | None = None,
        on_pressure: Callable[[str, bool], object] | None = None,
        on_open: Callable[[DeliveryMemory], object] | None = None,
        on_close: Callable[[], object] | None = None,
    ) -> None:
        self._desktops = dict(desktops)
        self._directory = directory
        self._lane = lane
        self._lanes = {name: index for index, name in enumerate(sorted({lane, *lanes}))}
        self._reactor = reactor
        self._ended_for = ended_for
        self._segment_bytes = segment_bytes
        self._on_full = on_full
        self._on_delivered = on_delivered
        self._on_pressure = on_pressure
        self._on_open = on_open
        self._on_close = on_close
        self._part: _Partition | None = None

    def list_parts(self) -> list[str]:
        return [self._lane]

    def part_fn(self, item_key: str) -> int:
        return self._lanes[item_key.rpartition("-")[0]] if len(self._lanes) > 1 else 0

    def build_part(self, step_id: str, for_part: str, resume_state: State | None) -> _Partition:
        with naming(step_id):
            journal = Journal(self._directory, self._lane, segment_bytes=self._segment_bytes, on_full=self._on_full)
            try:
                if resume_state is not None:
                    journal.check(Position(resume_state["segment"], resume_state["offset"]))
                memory = DeliveryMemory(
                    journal,
                    {name: settings.outbox() for name, settings in self._desktops.items()},
                    ended_for=self._ended_for,
                    noting=self._on_open is not None,
                    on_delivered=self._on_delivered,
                    on_pressure=self._on_pressure,
                )
            except BaseException:
                journal.close()
                raise
        if self._on_open is not None:
            self._on_open(memory)
        reactor = self._reactor if isinstance(self._reactor, Reactor) else self._reactor()
        self._part = _Partition(step_id, self._desktops, memory, reactor, self._on_close)
        return self._part

    @property
    def pressure(self) -> frozenset[str]:
        """The desktops whose backlog has passed its bound. Safe from any thread."""
        return self._part.memory.pressed if self._part else frozenset()

    @property
    def undelivered(self) -> int:
        """Messages that are stored and not settled."""
        return sum(self._part.memory.pending.values()) if self._part else 0

    @property
    def unknown_desktop(self) -> int:
        """Messages for desktops that the settings lack."""
        return self._part.memory.unknown_desktop if self._part else 0

    @property
    def unencodable(self) -> int:
        """Messages that cannot be written as JSON, and were left out."""
        return self._part.memory.unencodable if self._part else 0

    def status(self) -> dict[str, DesktopStatus]:
        """Every desktop at this moment. Safe from any thread."""
        if self._part is None:
            return {}
        pending = self._part.memory.pending
        return {name: desktop.status(pending[name]) for name, desktop in self._part.couriers.items()}

    def everyone(self) -> dict[str, DesktopStatus]:
        """The same, with those that nothing was sent to yet, and those that the settings lack. Safe from any thread."""
        nobody = DesktopStatus(False, 0, 0, 0, "not connected yet", Counts())
        if self._part is None:
            return dict.fromkeys(self._desktops, nobody)
        memory = self._part.memory
        missing = {
            name: DesktopStatus(False, 0, pending, 0, "not in the settings", memory.counts(name))
            for name, pending in memory.pending.items()
            if name not in self._desktops
        }
        return self.status() | missing

    def failure(self) -> DeliveryError | None:
        """What an orderly end left behind, as the error to end with; None if everything was delivered."""
        if self._part is None:
            return None
        left = []
        for name, pending in self._part.memory.pending.items():
            if pending:
                courier = self._part.couriers.get(name)
                where = (
                    f" ({courier.settings.address}: {courier.presence.error or 'too slow'})"
                    if courier
                    else " (not in the settings)"
                )
                left.append(f"{pending} for {name!r}{where}")
        if not left:
            return None
        return DeliveryError(
            f"messages were not delivered: {', '.join(left)}; they are stored in {self._directory} "
            "and will be sent by the next run with the same --data-dir"
        )


class _Partition(StatefulSinkPartition[Batch, State]):
    def __init__(
        self,
        step_id: str,
        desktops: Mapping[str, DesktopSettings],
        memory: DeliveryMemory,
        reactor: Reactor,
        on_close: Callable[[], object] | None,
    ) -> None:
        self.memory = memory
        self.couriers = {name: Courier(name, settings, memory) for name, settings in desktops.items()}
        self._step_id = step_id
        self._reactor = reactor
        self._on_close = on_close
        self._tasks: list[asyncio.Task[None]] = []
        reactor.run(self._start())

    def write_batch(self, values: list[Batch]) -> None:
        with naming(self._step_id):
            fresh = self.memory.offer(pair for batch in values for pair in batch)
        if fresh:
            self._reactor.call(self._wake, fresh)

    def snapshot(self) -> State:
        with naming(self._step_id):
            position = self.memory.sync()
        return {"version": SNAPSHOT_VERSION, "segment": position.segment, "offset": position.offset}

    def close(self) -> None:
        with naming(self._step_id):
            try:
                self._reactor.run(self._stop())
                if self._on_close is not None:
                    self._on_close()
            finally:
                self.memory.close()

    async def _start(self) -> None:
        self._tasks = [asyncio.create_task(courier.run()) for courier in self.couriers.values()]

    async def _stop(self) -> None:
        await asyncio.gather(*(courier.drain() for courier in self.couriers.values()))
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=CLOSE_TIMEOUT * 2)

    def _wake(self, names: set[str]) -> None:
        for name in names:
            self.couriers[name].wake()
