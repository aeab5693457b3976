"""KeptSink: what a flow gives, kept in memory, for those who ask a replay what it came to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition


class KeptSink(FixedPartitionedSink[Sequence[Any], None]):
    """Takes lists, and keeps their items in `items`, in order. One partition, nothing to remember."""

    def __init__(self) -> None:
        self.items: list[Any] = []

    def list_parts(self) -> list[str]:
        return ["kept"]

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> _Part:
        return _Part(self.items)


class _Part(StatefulSinkPartition[Sequence[Any], None]):
    def __init__(self, items: list[Any]) -> None:
        self._items = items

    def write_batch(self, values: list[Sequence[Any]]) -> None:
        for value in values:
            self._items += value

    def snapshot(self) -> None:
        return None
