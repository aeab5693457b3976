"""The callers, as Bytewax's way out to them.

Rules
- `write_batch` hands the messages to the reactor's thread and returns; a slow caller holds up nobody.
- It remembers nothing: what a caller may still read is in the hub, and dies with the process.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from connectors.reactor import Reactor
from connectors.records import Message

Batch: TypeAlias = Sequence[tuple[str, Message]]


class CallerSink(FixedPartitionedSink[Batch, None]):
    """Hands `(key, [(desktop's name, message), …])` to `show`, on the reactor. One partition: the process's lane."""

    def __init__(self, show: Callable[[Sequence[Message]], object], lane: str, reactor: Reactor) -> None:
        self._show = show
        self._lane = lane
        self._reactor = reactor

    def list_parts(self) -> list[str]:
        return [self._lane]

    def part_fn(self, item_key: str) -> int:
        return 0

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> _Partition:
        return _Partition(self._show, self._reactor)


class _Partition(StatefulSinkPartition[Batch, None]):
    def __init__(self, show: Callable[[Sequence[Message]], object], reactor: Reactor) -> None:
        self._show = show
        self._reactor = reactor

    def write_batch(self, values: list[Batch]) -> None:
        self._reactor.call(self._show, [message for batch in values for _, message in batch])

    def snapshot(self) -> None:
        return None
