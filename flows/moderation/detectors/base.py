"""The detector: looks at a text that is still growing, and says what is in it and what may still come.

Rules
- `scan` decides from left to right. What it has settled it never takes back, and what it settles depends on the text
  alone, not on how the text was cut into pushes: scanning in pieces and scanning at once give the same.
- It looks back at most `CONTEXT` characters before `start`, and holds at most `bound` characters before the end.
- Each of its matches holds a character of its `trigger`; or it has none and is asked about all text. While there is
  no trigger beyond what is settled it is not asked, and counts as settled up to the open word.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Protocol

from flows.moderation.findings import Match
from flows.moderation.tables.scripts import OPEN_BREAKS, UNSPACED

CONTEXT = 96
"""Characters before `start` that a detector may look at."""

DIGITS = (
    "0-9\u0660-\u0669\u06f0-\u06f9\u07c0-\u07c9\u0966-\u096f\u09e6-\u09ef\u0a66-\u0a6f\u0ae6-\u0aef\u0b66-\u0b6f\u0be6-\u0bef"
    "\u0c66-\u0c6f\u0ce6-\u0cef\u0d66-\u0d6f\u0de6-\u0def\u0e50-\u0e59\u0ed0-\u0ed9\u0f20-\u0f29\u1040-\u1049\u1090-\u1099"
    "\u17e0-\u17e9\u1810-\u1819\u1946-\u194f\u19d0-\u19d9\u1a80-\u1a89\u1a90-\u1a99\u1b50-\u1b59\u1bb0-\u1bb9\u1c40-\u1c49"
    "\u1c50-\u1c59\ua620-\ua629\ua8d0-\ua8d9\ua900-\ua909\ua9d0-\ua9d9\ua9f0-\ua9f9\uaa50-\uaa59\uabf0-\uabf9\uff10-\uff19"
    "\U000104a0-\U000104a9\U0001d7ce-\U0001d7ff"
)
"""What `\\d` matches, as ranges: a regular expression finds one of these three times as fast."""

Scan = tuple[list[Match], int]
"""The matches found, in order and disjoint, and the offset up to which the text is settled: no match that is
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


_OPEN = re.compile(rf"[^{OPEN_BREAKS}{UNSPACED}]{{0,64}}\(?\+?")


def open_word(text: str) -> int:
    """Where the word at the end of the text begins: at most 64 characters, with a bracket or plus before it.

    Scripts that put no blanks between words have no open word.
    """
    match = _OPEN.match(text[:-67:-1])
    return len(text) - match.end() if match else len(text)


def ascii_digits(digits: str) -> str:
    """Digits of whatever script as 0 to 9."""
    return digits if digits.isascii() else "".join(str(unicodedata.digit(digit)) for digit in digits)
