"""A message on its way to a desktop, as it waits in memory."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

Name: TypeAlias = tuple[str, int, int]
"""(session_id, turn, seq)"""


class Entry(msgspec.Struct, gc=False):
    """A message in memory. `place` says where it is stored; `sent_at` is None until it is first sent."""

    session_id: str
    turn: int
    seq: int
    final: bool
    place: int
    body: bytes
    sent_at: int | None = None

    @property
    def name(self) -> Name:
        return self.session_id, self.turn, self.seq
