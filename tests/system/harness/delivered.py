"""What came to a desktop, against what was stored for it and what its kind is promised.

Rules
- What was stored goes out in its order. On one connection nothing comes twice, nothing is left out, nothing overtakes.
- At the begin of a later connection the last messages may come again, as many as the promise says (one, mostly); or
  messages may be missing, where the promise says that they may be lost.
- Plain texts have no names, so two messages may look alike: what came is right if there is any way to read it so.

No I/O.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tests.system.harness.desktops import Promise


class Reading(NamedTuple):
    """How what came can be read.

    places  of each thing that came, by connection: its place in what was stored; -1 where it has none
    again   how many came again
    wrong   what is not as promised; empty where all is
    """

    places: list[list[int]]
    again: int
    wrong: str


def read(stored: Sequence[object], connections: Sequence[Sequence[object]], promise: Promise) -> Reading:
    """Find a way to read what came over the connections, one after the other, as what was stored."""
    states = {0}
    steps: list[dict[int, int]] = []  # for each thing that came, places after it and where the connection stood before
    begins: list[dict[int, int]] = []  # for each connection, places at its begin and after the one before
    for number, came in enumerate(connections):
        begin = {place: place for place in states}
        if came and steps:
            for place in states:
                for back in range(1, (promise.again or 0) + 1):
                    if place - back >= 0:
                        begin.setdefault(place - back, place)
        if came and promise.loses:
            begin |= {place: min(states) for place in range(min(states), len(stored)) if place not in begin}
        begins.append(begin)
        states = set(begin)
        for index, each in enumerate(came):
            after = {place + 1: place for place in states if place < len(stored) and stored[place] == each}
            if not after:
                found = [place for place, one in enumerate(stored) if one == each]
                why = _why(found, min(states), max(states), index == 0)
                return Reading([], 0, f"{_short(each)}, {index} of connection {number}, {why}")
            steps.append(after)
            states = set(after)
    places, again = _back(states, steps, begins, connections)
    if not promise.loses and max(states) < len(stored):
        lost = stored[max(states)]
        return Reading(places, again, f"{_short(lost)} and {len(stored) - max(states) - 1} after it never came")
    return Reading(places, again, "")


def _back(
    states: set[int], steps: list[dict[int, int]], begins: list[dict[int, int]], connections: Sequence[Sequence[object]]
) -> tuple[list[list[int]], int]:
    """From the end back to the begin: one way that explains everything, and how much of it came again."""
    place, at, again = max(states), len(steps), 0
    places: list[list[int]] = []
    for number in range(len(connections) - 1, -1, -1):
        mine: list[int] = []
        for _ in connections[number]:
            at -= 1
            place = steps[at][place]
            mine.append(place)
        places.append(mine[::-1])
        before = begins[number][place]
        again += max(0, before - place)
        place = before
    return places[::-1], again


def _why(found: list[int], first: int, last: int, is_first: bool) -> str:
    if not found:
        return "was never stored"
    if all(place < first for place in found):
        return "came again" + (" and was not the last before it" if is_first else "")
    return f"came while {last} should have been next, and is {found[0]}"


def _short(each: object) -> str:
    return repr(each)[:80]
