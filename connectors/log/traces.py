"""Traces of sessions whose ids are no longer kept: the number of each one's last turn, in 12 bytes.

Rules
- A session is known by 8 bytes of its id's hash. Two of 3 million ids share them with a chance of 1 in 4 million; then
  one of the two counts its turns on from the other's.
- At most `most` are kept. What finds no room is counted (`lost`), and `floor` is above the turns of all of that.
- A core, and plain data: what `snapshot` gives goes into the log's fold.
"""

from __future__ import annotations

import base64
from array import array
from bisect import bisect_left
from hashlib import blake2b
from typing import Any

DRAWERS = 1_024
"""Sorted apart by the hash's lowest bits, so that one goes in at the cost of moving some kilobytes."""

_HIGHEST = (1 << 32) - 1


class Traces:
    """Session ids to the number of their last turn."""

    def __init__(self, most: int = 2_000_000) -> None:
        self.lost = 0
        self.floor = 0
        self._most = most
        self._count = 0
        self._hashes: dict[int, array[int]] = {}
        self._turns: dict[int, array[int]] = {}

    def __len__(self) -> int:
        return self._count

    def add(self, session_id: str, turn: int) -> None:
        """Keep this instead of what was kept of the session before."""
        hashed, drawer, place = self._find(session_id)
        hashes, turns = self._hashes.setdefault(drawer, array("Q")), self._turns.setdefault(drawer, array("I"))
        turn = min(max(turn, 0), _HIGHEST)
        if place < len(hashes) and hashes[place] == hashed:
            turns[place] = turn
        elif self._count < self._most:
            hashes.insert(place, hashed)
            turns.insert(place, turn)
            self._count += 1
        else:
            self.lost += 1
            self.floor = max(self.floor, turn + 1)

    def get(self, session_id: str) -> int | None:
        """The number of the session's last turn; None where there is no trace of it."""
        hashed, drawer, place = self._find(session_id)
        hashes = self._hashes.get(drawer, ())
        return self._turns[drawer][place] if place < len(hashes) and hashes[place] == hashed else None

    def snapshot(self) -> dict[str, Any]:
        """Plain data."""
        drawers = sorted(self._hashes)
        return {
            "lost": self.lost,
            "floor": self.floor,
            "hashes": _text(b"".join(self._hashes[drawer].tobytes() for drawer in drawers)),
            "turns": _text(b"".join(self._turns[drawer].tobytes() for drawer in drawers)),
        }

    def restore(self, data: dict[str, Any]) -> None:
        """Go on from a snapshot; called once, on new traces."""
        self.lost, self.floor = data["lost"], data["floor"]
        hashes, turns = array("Q", base64.b64decode(data["hashes"])), array("I", base64.b64decode(data["turns"]))
        self._count = len(hashes)
        begin = 0
        while begin < len(hashes):  # a drawer at a time; within it they are sorted
            drawer = hashes[begin] % DRAWERS
            end = begin
            while end < len(hashes) and hashes[end] % DRAWERS == drawer:
                end += 1
            self._hashes[drawer], self._turns[drawer] = hashes[begin:end], turns[begin:end]
            begin = end

    def _find(self, session_id: str) -> tuple[int, int, int]:
        """The id's hash, its drawer, and where in that it is or would be."""
        hashed = int.from_bytes(blake2b(session_id.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")
        drawer = hashed % DRAWERS
        return hashed, drawer, bisect_left(self._hashes.get(drawer, ()), hashed)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
