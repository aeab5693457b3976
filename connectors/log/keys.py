"""The flow's keys: a lane and a shard of it, and which partition of a sink they belong to.

Rules
- A key is the lane's name, a dash and two digits. A lane's name may hold digits, dashes and underscores of its own, so
  the lane is what comes before the last dash, and nothing else in a key is looked at.
- Bytewax has the partitions of all processes in the order of their names, and asks for an index into that. A process
  that knows only its own lane is alone, and all keys are its own.
"""

from __future__ import annotations

from collections.abc import Iterable


def key_of(lane: str, shard: int) -> str:
    return f"{lane}-{shard:02d}"


def lane_of(key: str) -> str:
    return key.rpartition("-")[0]


class Partitions:
    """A sink's partitions, one a lane: this process's and those of the others, if there are any."""

    def __init__(self, lane: str, others: Iterable[str] = ()) -> None:
        self._index = {name: index for index, name in enumerate(sorted({lane, *others}))}

    def index(self, key: str) -> int:
        """For a sink's `part_fn`. Raises KeyError for the key of a lane that it was not told of."""
        return self._index[lane_of(key)] if len(self._index) > 1 else 0
