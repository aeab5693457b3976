"""What a core is: a step's part in one turn, which only thinks.

Rules
- It has no I/O, no clock, thread, randomness or Bytewax, not even through what it imports: time is in the events, and
  in the deadline that it asks for. So it is tested with plain calls, and runs wherever Python does.
- It is made from its turn's first open, which is then fed to it like all that follows. `feed` and `expire` are called
  in order of log time, until it has been fed its turn's close; where it `lingers` then, until it no longer does.
- What it gives carries the event's `t`, or the deadline's. An event that it does not know goes on as it came.
- What it gives depends on nothing but what it was fed: neither on how that was batched, nor on a snapshot in between.
- Where it raises, `abandon` is the last that is asked of it.

flows/engine/shard.py is what calls it: one a turn.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from connectors.log.records import Record
from flows.steps.events import Event, Output


class Core:
    """What a step knows of one turn. No I/O, no clock: time is in the events.

    version   of the shape that `snapshot` gives
    reads     older ones, of which `upgrade` makes it; no other is restored
    deadline  log time after which `expire` wants to be called; None for no time
    lingers   its turn was closed, and it still waits for something before it hands the close on
    """

    version = 1
    reads: tuple[int, ...] = ()
    deadline: int | None = None
    lingers = False

    def feed(self, event: Event) -> Iterable[Output]:
        """Take one event; give what goes on, in order: what it does not know, as it came."""
        raise NotImplementedError

    def expire(self, t: int) -> Iterable[Output]:
        """The deadline `t` has passed."""
        return ()

    def abandon(self, close: Record) -> Iterable[Output]:
        """`feed` or `expire` raised: end the turn with no more thought."""
        return (close,)

    def snapshot(self) -> tuple[Any, ...]:
        """All that it must remember, as plain data: no objects of ours, and nothing that changes later."""
        raise NotImplementedError

    def restore(self, data: tuple[Any, ...]) -> None:
        """Go on from a snapshot of this `version`; called once, on a new core."""
        raise NotImplementedError

    @classmethod
    def upgrade(cls, data: tuple[Any, ...], version: int) -> tuple[Any, ...]:
        """What a version of `reads` remembered, as this one would: the same, where `restore` can do with it."""
        return data
