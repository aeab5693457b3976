"""The detector: looks at a text that is still growing, and says what is in it and what may still come.

Rules
- `scan` decides from left to right. What it has settled it never takes back, and what it settles depends on the text
  alone, not on how the text was cut into pushes: scanning in pieces and scanning at once give the same.
- It looks back at most `CONTEXT` characters before `start`, and holds at most `bound` characters before the end.
- Each of its matches holds a character of its `trigger`; or it has none and is asked about all text. While there is
  no trigger beyond what is settled it is not asked, and counts as settled up to the open word.
- Its matches may overlap only where each is judged by its place alone. What overlaps, of one detector or of several,
  the moderator makes one of; no detector decides that by what it has seen first.
- What has no bound, as a key of a thousand characters, is found by its beginning, with `goes_on`, even where its end
  has come: it is the last of its scan, and ends where the detector has settled. Until `go_on` has said where it ends
  nothing else is asked of it. Only detectors without a trigger have such matches, and they are `GoingOn`.
- Ours see every character as what it reads as (`tables/plain.py`), those of the users' own as it is. All
  of them are shown the text as it came and as a reader sees it (`rendering.py`).
"""

from __future__ import annotations

import re
from typing import Protocol

from flows.moderation.findings import Match
from flows.moderation.tables.digits import DIGITS as DIGITS
from flows.moderation.tables.scripts import OPEN_BREAKS, UNSPACED, UNSPACED_LETTERS

CONTEXT = 96
"""Characters before `start` that a detector may look at; one that looks at fewer may say so in `context`."""

WORD_CONTEXT = 131
"""Characters before the end of a text that `open_word` looks at."""

Scan = tuple[list[Match], int]
"""The matches found, in order of their start, and the offset up to which the text is settled: no match that is
not in the list begins before it."""

NOTHING: list[Match] = []


class Detector(Protocol):
    """One kind of thing to find. Stateless: one instance serves every session of a policy."""

    @property
    def category(self) -> str:
        """What its findings are of; no two detectors of a policy share one."""
        ...

    @property
    def bound(self) -> int:
        """The most characters it holds."""
        ...

    @property
    def trigger(self) -> str | None:
        """The characters that call it, as the inside of a character class; None if it is to see all text."""
        ...

    def scan(self, text: str, start: int, open_word: int, final: bool) -> Scan:
        """Find what begins at or after `start` in `text`.

        `open_word` is where the last word begins that may still grow (`len(text)` if none); a detector that has
        seen nothing may settle up to there, or further. `final` says that no more text will come: all is settled.
        Offsets are those of `text`; text before `start` is context only.
        """
        ...


class GoingOn(Detector, Protocol):
    """A detector whose matches may go on without a bound."""

    def go_on(self, text: str, start: int, rule: str, final: bool) -> tuple[int, bool]:
        """How far the match of `rule`, certain up to `start`, is certain now; and whether it may reach further.

        What lies behind that place, at most `bound` characters, is undecided. With `final` it does not go on.
        """
        ...


_IN_OPEN = f"[^{OPEN_BREAKS}{UNSPACED}]"
BRACKETS = "(\uff08"
PLUSES = "+\uff0b"
_OPEN = re.compile(rf"{_IN_OPEN}{{0,64}}(?:[{BRACKETS}](?:[{PLUSES}]{_IN_OPEN}{{0,63}})?)?")

UNSPACED_WORD = re.compile(rf"[{UNSPACED_LETTERS}]{{1,12}}(?=[\s:<(\uff1a\uff08]|\Z)")
"""A word of scripts without blanks, read from its end: where there is a blank before it, or what introduces it."""


def open_word(text: str) -> int:
    """Where the word at the end of the text begins: at most 64 characters, with a bracket before it, and with the word
    before that if a plus ends it: a number may begin with that plus, as in `+(44`.

    Scripts that put no blanks between words have an open word only where they have one all the same: an address, say.
    """
    end = text[:-WORD_CONTEXT:-1]
    match = UNSPACED_WORD.match(end) or _OPEN.match(end)
    return len(text) - match.end() if match else len(text)
