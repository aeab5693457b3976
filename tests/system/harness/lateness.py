"""How late messages came: how long each waited while its desktop could be reached and its service ran.

Rules
- A message may come from the moment it left the flow. It waits while the desktop takes connections *and* the service
  listens. Time in which one of both is away does not count; nor does a wait of less than `BRIEF` that such an absence
  ends, for a connection has to be made first.
- A desktop that takes its time over each message is given that time for all that came to it meanwhile.
- The first time that a message came is the time that it came.

No I/O; times are seconds of one clock.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

LATE: Final = 2.0
"""Seconds: no message comes later than that once its desktop is back."""

BRIEF: Final = 1.0

Span = Sequence[float]
"""[from, to]"""


class Arrival(NamedTuple):
    """One message: when it could come, and when it first did."""

    name: object
    produced: float
    came: float


def waits(
    arrivals: Sequence[Arrival],
    lives: Sequence[Span],
    listened: Sequence[Span],
    taken: Sequence[float] = (),
    pace: float = 0.0,
) -> Iterator[tuple[float, object]]:
    """For each message, how long it waited, and its name.

    lives     of the service
    listened  spans in which the desktop took connections
    taken     when the desktop took anything, in order: repetitions too
    pace      seconds that it takes over each
    """
    open_spans = list(both(lives, listened))
    for arrival in arrivals:
        waited = 0.0
        for begin, end in open_spans:
            since, until = max(begin, arrival.produced), min(end, arrival.came)
            if until - since < (0 if until == arrival.came else BRIEF):
                continue
            busy = bisect.bisect_right(taken, until) - bisect.bisect_left(taken, since)
            waited += max(0.0, until - since - busy * pace)
        yield waited, arrival.name


def both(first: Sequence[Span], second: Sequence[Span]) -> Iterator[tuple[float, float]]:
    """When both hold."""
    for a, b in first:
        for c, d in second:
            if max(a, c) < min(b, d):
                yield max(a, c), min(b, d)
