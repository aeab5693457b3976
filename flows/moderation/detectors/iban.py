"""Bank account numbers: IBANs (ISO 13616) of a registered country's shape that pass mod 97.

In groups of any size, or not grouped, in capitals or small letters, with up to three separators between two.
Bound: 34 characters with three between each two, and one character after.
"""

from __future__ import annotations

import re

from flows.moderation.detectors.base import DIGITS, NOTHING, Scan
from flows.moderation.findings import Match
from flows.moderation.tables import ibans
from flows.moderation.tables.separators import LOOSE

_HEAD = re.compile(r"(?<![0-9A-Za-z])[A-Za-z]{2}(?:[0-9]{2}|[0-9]?\Z)")
_SEPARATOR = LOOSE.replace("/", "")  # account numbers with slashes are of other kinds
_SEPARATORS = f"[{_SEPARATOR}]{{0,3}}"
_BODY = re.compile(rf"[A-Za-z]{{2}}[0-9]{{0,2}}(?:{_SEPARATORS}[A-Za-z0-9])*{_SEPARATORS}")
_ALNUM = re.compile("[0-9A-Za-z]")
_NOISE = re.compile(f"[{_SEPARATOR}]+")


def mod_97(iban: str) -> bool:
    """ISO/IEC 7064, MOD 97-10, over capitals and digits."""
    return int("".join(str(int(c, 36)) for c in iban[4:] + iban[:4])) % 97 == 1


class IbanDetector:
    category = "IBAN_CODE"
    bound = 34 + 33 * 3 + 1
    context = 1
    trigger = DIGITS

    def scan(self, text: str, start: int, open_word: int, final: bool) -> Scan:
        head = _HEAD.search(text, start)
        if head is None:
            return NOTHING, max(open_word, start)
        found: list[Match] = []
        size = len(text)
        while head is not None:
            begin = head.start()
            start = begin + 1
            sample = ibans.SAMPLES.get(text[begin : begin + 2].upper())
            if sample is not None:
                body = _BODY.match(text, begin, min(size, begin + self.bound))
                raw = body.group() if body else ""
                iban = _NOISE.sub("", raw).upper()
                length = len(sample)
                pattern = ibans.PATTERNS[sample[:2]]
                # It may go on if, completed by the sample, it has the shape; complete, it needs to see what follows.
                goes_on = len(iban) <= length and begin + len(raw) == size
                if goes_on and not final and pattern.fullmatch(iban + sample[len(iban) :]):
                    return found, begin
                if len(iban) >= length and pattern.match(iban) and mod_97(iban[:length]):
                    end = begin + _nth(raw, length)
                    if not _ALNUM.match(text, end):
                        found.append(Match(begin, end, "mod 97"))
                        start = end
            head = _HEAD.search(text, start)
        return found, max(open_word, start)


def _nth(raw: str, count: int) -> int:
    """Where the first `count` letters and digits of `raw` end."""
    for index, char in enumerate(raw):
        count -= char.isalnum()
        if not count:
            return index + 1
    return len(raw)
