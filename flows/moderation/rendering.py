"""The text as a reader sees it: without markdown's signs and what is invisible, each run of blanks as one blank.

A value is one however it is written down: `4111 1111 1111 **1111**` shows sixteen digits in a row. So detectors are
shown this reading beside the text as it came, whether the policy formats the text or a desktop that renders it does.

Rules
- More is taken out here than `formatting.py` takes out of what is shown, wherever that may be, in code too: all signs
  but those that stand between blanks and one `_` inside a word; and the backslash before a
  sign.
- A run of signs is judged whole, with the characters around it; until these are there, the reading ends before it.
- It begins as a copy of what came, and ends when both are alike again (`readings.py`).
"""

from __future__ import annotations

import itertools
import re
from array import array
from bisect import bisect_left
from typing import Any

from flows.moderation.detectors.base import CONTEXT, WORD_CONTEXT
from flows.moderation.plan import Plan
from flows.moderation.reading import Reading
from flows.moderation.tables.separators import BLANKS, INVISIBLE

RUN = 64

_BEFORE_BLANK = rf"*_~`{BLANKS}{INVISIBLE}"
_RUNS = "|".join(rf"{sign}{{1,{RUN}}}" for sign in (r"\*", "_", "~"))
_SIGNS = rf"`+|[{INVISIBLE}]+|{_RUNS}|\\(?=[!-/:-@\[-`{{-~]|\Z)"
_TOKENS = {
    False: re.compile(rf"{_SIGNS}|(?<=[{_BEFORE_BLANK}])[{BLANKS}]+"),
    True: re.compile(rf"{_SIGNS}|(?<=[\s{_BEFORE_BLANK}])\s+|[^\S ]\s*"),
}


class Rendering(Reading):
    """This reading of a turn, which is the text as it `came` up to the source's offset `upto`."""

    __slots__ = ("_places", "_plan", "upto")

    def __init__(self, plan: Plan, came: Reading, upto: int) -> None:
        begin = max(came.base, min(came.first() - CONTEXT, upto - WORD_CONTEXT))
        self._plan = plan
        self.text = came.text[begin - came.base : upto - came.base]
        self.base = begin
        self.quiet, self.settled, self.steady = came.quiet, [*came.settled], [*came.steady]
        self.going_on, self.awaits = {**came.going_on}, False
        self.ended = came.ended  # both are given out together
        self._places = array("q", range(begin, upto))  # of each character, in the source
        self.upto = upto
        """Up to where in the source this is read."""

    def read(self, came: Reading, final: bool) -> None:
        """Read what has come since; what may be judged only with what is to come, if that is `final`."""
        source, base = came.text, came.base
        at, end = self.upto - base, len(source)
        kept = [self.text]
        blank = self.text[-1:].isspace()
        for token in _TOKENS[self._plan.joins_lines].finditer(source, at):
            first, last = token.span()
            if last == end and not final and _awaits(source, first, last):
                end = first
                break
            if first > at:
                self._take(kept, source[at:first], base + at)
                blank = source[first - 1].isspace()
            at = last
            if source[first].isspace():
                if not blank:
                    self._take(kept, " " if self._plan.joins_lines else source[first], base + first)
                    blank = True
            elif stays := _stays(source, first, last, self._plan.strips):
                self._take(kept, source[first : first + stays], base + first)
                blank = False
        if at < end:
            self._take(kept, source[at:end], base + at)
        self.text = "".join(kept)
        self.upto = base + end

    def _take(self, kept: list[str], piece: str, place: int) -> None:
        kept.append(piece)
        self._places.extend(range(place, place + len(piece)))

    def source(self, offset: int) -> int:
        index = offset - self.base
        return self._places[index] if index < len(self._places) else self.upto

    def source_end(self, offset: int) -> int:
        return self._places[offset - self.base - 1] + 1

    def trim(self, upto: int) -> None:
        if upto > self.base:
            del self._places[: upto - self.base]
        super().trim(upto)

    def is_alike(self, came: Reading) -> bool:
        """Whether all of both is read, and detectors have settled both alike."""
        shift = self.upto - self.end
        return (
            self.upto == came.end
            and self.going_on == came.going_on
            and self.quiet + shift == came.quiet
            and [offset + shift for offset in self.settled] == came.settled
            and [offset + shift for offset in self.steady] == came.steady
        )

    def catch_up(self, came: Reading) -> None:
        """Read what came, and begin where detectors have settled that."""
        self.read(came, False)
        self.quiet = self._here(came.quiet)
        self.settled, self.steady = [*map(self._here, came.settled)], [*map(self._here, came.steady)]

    def _here(self, offset: int) -> int:
        """The place of the first character that is not before this one of the source."""
        return self.base + bisect_left(self._places, offset)

    def snapshot(self) -> tuple[Any, ...]:
        """All that `restored` needs, in plain data."""
        self.trim(self.first() - CONTEXT)
        runs: list[tuple[int, int]] = []
        for _, run in itertools.groupby(enumerate(self._places), lambda each: each[1] - each[0]):
            places = [place for _, place in run]
            runs.append((places[0], len(places)))
        return (self.text, self.base, runs, self.upto, self.progress(self._plan), {**self.going_on})

    @classmethod
    def restored(cls, plan: Plan, came: Reading, cut: int, data: tuple[Any, ...]) -> Rendering:
        self = cls(plan, came, came.base)
        self.text, self.base, runs, self.upto, (quiet, settled), going_on = data
        self._places = array("q", itertools.chain.from_iterable(range(at, at + count) for at, count in runs))
        self.resume(plan, quiet, settled, self._here(cut))
        self.going_on = {**going_on}
        return self


def _awaits(source: str, first: int, last: int) -> bool:
    """Whether what comes behind a token that ends the text may still make it longer, or tell what it is."""
    sign = source[first]
    return sign in "_\\" or (sign in "*~" and (not first or source[first - 1].isspace()))


def _stays(source: str, first: int, last: int, strips: bool) -> int:
    """How many characters at the beginning of a token stay."""
    sign, count = source[first], last - first
    before, after = source[first - 1 : first] if first else "", source[last : last + 1]
    if sign == "\\":
        return 0 if after else 1
    if before == "\\" and sign in "*_~`":
        return 1  # it is escaped
    if sign not in "*_~":
        return 0
    blank_left, blank_right = not before or before.isspace(), not after or after.isspace()
    if blank_left and blank_right:
        is_markup = sign == "*" and (count > 2 or before in ("", "\n"))  # a rule across the page, a list's bullet
        return 0 if is_markup else count
    if sign != "_":
        return 0
    if not before.isalnum():
        return 0
    if after and after in "*~":
        return 0 if strips else count
    return count if after.isalnum() and count == 1 else 0
