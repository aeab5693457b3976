"""What of a turn's text a remote detector has judged.

Rules
- Verdicts may overtake each other. Each is on a piece of the text; all text is judged up to the first piece that no
  verdict is on.
- The first verdict on a text counts: of a later one only what no other was on is taken.
"""

from __future__ import annotations

from collections.abc import Sequence


class Judged:
    """One detector's. `upto` is the offset up to which all is judged; `ahead` has the pieces beyond it, in order."""

    __slots__ = ("ahead", "upto")

    def __init__(self, upto: int = 0, ahead: Sequence[tuple[int, int]] = ()) -> None:
        self.upto = upto
        self.ahead = [*ahead]

    def take(self, start: int, upto: int) -> tuple[int, int]:
        """Note a verdict on this piece; the first part of it that was not judged yet, which is empty if all was."""
        begin = max(start, self.upto)
        for first, last in self.ahead:
            if first <= begin < last:
                begin = last
            elif begin < first:
                upto = min(upto, first)
        if begin < upto:
            self.ahead = sorted([*self.ahead, (begin, upto)])
            while self.ahead and self.ahead[0][0] == self.upto:
                self.upto = self.ahead.pop(0)[1]
        return begin, max(begin, upto)

    def give_up(self, upto: int) -> None:
        """Wait no longer for verdicts on the text before this offset."""
        self.upto = max(self.upto, upto)
        self.ahead = [piece for piece in self.ahead if piece[1] > self.upto]
