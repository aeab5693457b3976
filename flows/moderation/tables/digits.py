"""The digits of every script: the one table of them, Python's own, which `\\d` in `re` and `str.isdecimal` go by too.

Detectors see each as 0 to 9, words of a block list are compared so, and no pattern of ours names them again: a table
of our own beside that one lacked some digits, and whether a number was found then hung on the text around it.
"""

from __future__ import annotations

import re
import unicodedata

DIGITS = r"\d"
"""All of them, as the inside of a character class of `re`."""

_FOREIGN = re.compile(r"[^\D0-9]")


def _as_ascii() -> dict[int, str]:
    """Unicode gives the ten digits of a script ten places in a row; the planes behind the second have none."""
    zeroes = {place - unicodedata.decimal(chr(place)) for place in range(0, 0x20000, 10) if chr(place).isdecimal()}
    return {zero + value: str(value) for zero in zeroes for value in range(10)}


AS_ASCII = _as_ascii()
"""For `str.translate`."""


def read_digits(text: str, start: int = 0) -> str:
    """The text with its digits as 0 to 9, if there are others from `start` on. It is as long: offsets stay."""
    if text.isascii() or _FOREIGN.search(text, start) is None:
        return text
    return text.translate(AS_ASCII)
