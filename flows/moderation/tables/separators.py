"""The signs that stand between the groups of a number, and those that nobody sees: the one table of them.

Each is the inside of a character class, of `re` and of RE2. Sources: Unicode's general categories Zs, Pd and Cf, its
confusables of `-`, `.` and `/`, and what people type.
"""

from __future__ import annotations

BLANKS = " \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
"""Blanks within a line, of any width; a tab is none of them."""

LINE_BREAKS = "\n\r\x0b\x0c\x85\u2028\u2029"

SHORT_DASHES = "\\-\u02d7\u058a\u05be\u1400\u1806\u2010-\u2013\u2043\u207b\u208b\u2212\u2796\ufe32\ufe63\uff0d"
"""Hyphens and minus signs."""

LONG_DASHES = "\u2014\u2015\u2e3a\u2e3b\ufe31\ufe58\u30fc\uff70"
"""What stands between words, or in them, as well as in numbers: Japan's sign for a long vowel is one of these."""

DASHES = SHORT_DASHES + LONG_DASHES

DOTS = ".\u00b7\u2022\u2024\u2027\u2219\u22c5\u30fb\ufe52\uff0e\uff65"

SLASHES = "/\\\\|\u2044\u2215\u29f8\uff0f\uff3c\uff5c"

STRICT = BLANKS + DASHES + DOTS
"""Between the groups of what nothing confirms: one of these."""

LOOSE = STRICT + LINE_BREAKS + SLASHES + "\t_,;:*~`'+=\u2018\u2019\u201a"
"""Between the groups of what a checksum confirms: any of these, a few of them one after the other."""

INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff"
)
"""Nothing is to be seen of these: zero width, soft hyphens, direction marks, variation selectors, tags, fillers."""
