"""What characters read as: the digits of every script as 0 to 9, full-width and small forms as what they are forms of,
blanks of any width as a blank, hyphens and minus signs as `-`.

Our detectors see every text so. One character stands for one, so that offsets stay; what nobody sees is taken out
elsewhere. Long dashes stay what they are: they stand between words.
"""

from __future__ import annotations

import re
import unicodedata

from flows.moderation.tables.digits import AS_ASCII
from flows.moderation.tables.separators import BLANKS, SHORT_DASHES


def _forms() -> dict[int, str]:
    """Full-width and small forms of what ASCII has."""
    places = (*range(0xFE50, 0xFE6C), *range(0xFF01, 0xFF5F))
    forms = {place: unicodedata.normalize("NFKC", chr(place)) for place in places}
    return {place: form for place, form in forms.items() if form.isascii()}


def _each(inside: str, plain: str) -> dict[int, str]:
    """All of a class that are not of ASCII themselves."""
    return {place: plain for place in range(0x80, 0x10000) if re.match(f"[{inside}]", chr(place))}


_SIGNS = _forms() | _each(BLANKS, " ") | _each(SHORT_DASHES, "-")
_PLAIN = AS_ASCII | _SIGNS
_FOREIGN = re.compile(rf"[^\D0-9]|[{''.join(map(chr, sorted(_SIGNS)))}]")


def read_plain(text: str, start: int = 0) -> str:
    """The text as it reads, if there is anything from `start` on that is not plain as it is."""
    if text.isascii() or _FOREIGN.search(text, start) is None:
        return text
    return text.translate(_PLAIN)


def all_that_read_as(chars: str) -> str:
    """The inside of a character class, with all that reads as one of its characters."""
    return chars + "".join(chr(place) for place, plain in _SIGNS.items() if re.match(f"[{chars}]", plain))
