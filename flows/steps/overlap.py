"""Where in the text received the text after a continuation could have come before.

Rules
- A place is kept as long as all that came since agrees with what was received from there on. It is complete once it
  has reached the end of what was received: what comes behind that is new.
- The `MAX_PLACES` nearest to the end are tried; where there are more, `unsure` says so.
"""

from __future__ import annotations

from collections.abc import Iterable

MAX_PLACES = 256


class Overlap:
    """The places, as the text comes.

    received  what was received before
    places    offsets in it, in order; None before any text
    matched   characters that came since
    carried   places where a repetition that was cut off may go on
    """

    __slots__ = ("carried", "matched", "places", "received", "unsure")

    def __init__(self, received: str = "", carried: Iterable[int] = ()) -> None:
        self.received = received
        self.carried = list(carried)
        self.restart()

    def restart(self) -> None:
        self.places: list[int] | None = None
        self.matched = 0
        self.unsure = False

    def feed(self, text: str) -> None:
        if self.places is None:
            found = _places(self.received, text)
            self.unsure = len(found) > MAX_PLACES
            carried = [place for place in self.carried if self._agrees(place, text)]
            self.places = sorted({*carried, *found[-MAX_PLACES:]})
        else:
            self.places = [place for place in self.places if self._agrees(place, text)]
        self.matched += len(text)

    def pin(self, place: int) -> None:
        """It can only be this one."""
        self.places = [each for each in self.places or () if each == place]
        self.unsure = False

    @property
    def alive(self) -> bool:
        return bool(self.places)

    @property
    def goes_on(self) -> bool:
        """Whether a place has not reached the end yet."""
        return any(self._length(place) > self.matched for place in self.places or ())

    @property
    def contains(self) -> bool:
        """Whether all that came since could have come before."""
        return any(self._length(place) >= self.matched for place in self.places or ())

    @property
    def longest(self) -> int:
        """Characters of the longest overlap with the end of what was received."""
        return max((length for length in map(self._length, self.places or ()) if length <= self.matched), default=0)

    def has(self, length: int) -> bool:
        """Whether the first `length` characters that came are the last that were received."""
        return length <= self.matched and len(self.received) - length in (self.places or ())

    def _length(self, place: int) -> int:
        return len(self.received) - place

    def _agrees(self, place: int, text: str) -> bool:
        at = place + self.matched
        if len(self.received) - at >= len(text):
            return self.received.startswith(text, at)
        return text.startswith(self.received[at:])


def _places(received: str, text: str) -> list[int]:
    """Where text that begins with `text` may have come before, the last `MAX_PLACES` and one more, in order."""
    shorter = max(len(received) - len(text) + 1, 0)
    found = [at for at in range(shorter, len(received)) if text.startswith(received[at:])][-MAX_PLACES - 1 :]
    end = len(received)
    while len(found) <= MAX_PLACES and (at := received.rfind(text, 0, end)) >= 0:
        found.append(at)
        end = at + len(text) - 1
    return sorted(found)
