"""When a turn's text came, token by token, as far as it has not left: what says how long it took and was held. A core.

Rules
- A token that brought no text ends where the one before it did.
- What has left is forgotten, so it is as long as what waits.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from itertools import chain

from flows.steps.events import Run

_ONE = array("q", [1])


class Arrivals:
    """The arrivals of one turn's text.

    fed  characters that have come
    """

    def __init__(self) -> None:
        self.fed = 0
        self._ends = array("q")
        self._tokens = array("q")
        self._times = array("q")

    def add(self, chars: int, tokens: int, t: int) -> None:
        """So many characters came, and the vendor's tokens that ended in them."""
        self.fed += chars
        if self._ends and not chars:
            self._tokens[-1] += tokens
        else:
            self._ends.append(self.fed)
            self._tokens.append(tokens)
            self._times.append(t)

    def add_run(self, run: Run) -> None:
        fed = self.fed
        self._ends.extend([fed + end for end in run.ends])
        self._tokens.extend(_ONE * len(run.times))
        self._times.extend(run.times)
        self.fed = fed + len(run.text)

    def time_of(self, at: int) -> int:
        """When the character at this offset came; it has, and has not left."""
        return self._times[bisect_right(self._ends, at)]

    def take(self, end: int, otherwise: int) -> tuple[int, int]:
        """The text before `end` leaves: when its first character came (`otherwise`, if none waits), and how many tokens
        ended in it."""
        upto = bisect_right(self._ends, end)
        began, tokens = self._times[0] if self._times else otherwise, sum(self._tokens[:upto])
        for each in (self._ends, self._tokens, self._times):
            del each[:upto]
        return began, tokens

    def snapshot(self) -> bytes:
        return array("q", chain.from_iterable(zip(self._ends, self._tokens, self._times, strict=True))).tobytes()

    def restore(self, data: bytes, fed: int) -> None:
        self.fed = fed
        flat = array("q")
        flat.frombytes(data)
        self._ends, self._tokens, self._times = flat[0::3], flat[1::3], flat[2::3]
