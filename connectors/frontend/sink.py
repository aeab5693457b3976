"""The callers, as Bytewax's way out to them.

Rules
- `write_batch` hands the messages to the reactor's thread and returns; a slow caller holds up nobody.
- What was handed over is saved and synced before each snapshot. The snapshot itself holds nothing: a journal that was
  lost is missed by callers alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeAlias

from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from connectors.log.keys import Partitions
from connectors.log.records import Finish, Message
from connectors.reactor import Reactor

Batch: TypeAlias = Sequence[Message | Finish]


class Shows(Protocol):
    """Who shows callers what the flow gives."""

    def show(self, shown: Sequence[Message | Finish]) -> None:
        """Save these and show them. A turn's last message and its `Finish` are in one call. Called on the reactor."""

    def sync(self) -> None:
        """Make what was shown survive the machine. Called on the flow's thread."""


class CallerSink(FixedPartitionedSink[Batch, None]):
    """Hands `(key, [message or finish, …])` to `callers`. One partition a lane (`lanes` are all processes')."""

    def __init__(self, callers: Shows, lane: str, reactor: Reactor, *, lanes: Sequence[str] = ()) -> None:
        self._partitions = Partitions(lane, lanes)
        self._callers = callers
        self._lane = lane
        self._reactor = reactor

    def list_parts(self) -> list[str]:
        return [self._lane]

    def part_fn(self, item_key: str) -> int:
        return self._partitions.index(item_key)

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> _Partition:
        return _Partition(self._callers, self._reactor)


class _Partition(StatefulSinkPartition[Batch, None]):
    def __init__(self, callers: Shows, reactor: Reactor) -> None:
        self._callers = callers
        self._reactor = reactor

    def write_batch(self, values: list[Batch]) -> None:
        self._reactor.call(self._callers.show, [each for batch in values for each in batch])

    def snapshot(self) -> None:
        self._reactor.run(_everything_before())
        self._callers.sync()


async def _everything_before() -> None:
    """Has run when what was called on the reactor earlier has run."""
