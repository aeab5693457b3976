"""The digits of every script: the one table of them, Python's own, which `\\d` in `re` and `str.isdecimal` go by too.

Detectors see each as 0 to 9 (`plain.py`), words of a block list are compared so, and no pattern of ours names them
again: a table of our own beside that one lacked some digits, and whether a number was found then hung on the text
around it.
"""

from __future__ import annotations

import unicodedata

DIGITS = r"\d"
"""All of them, as the inside of a character class of `re`."""


def _as_ascii() -> dict[int, str]:
    """Unicode gives the ten digits of a script ten places in a row; the planes behind the second have none."""
    zeroes = {place - unicodedata.decimal(chr(place)) for place in range(0, 0x20000, 10) if chr(place).isdecimal()}
    return {zero + value: str(value) for zero in zeroes for value in range(10)}


AS_ASCII = _as_ascii()
"""For `str.translate`."""
