"""US social security numbers (SSA's rules for areas, groups and serials).

3-2-4 digits with one kind of separator. Other groupings, slashes, and nine bare digits need a telling word at most 40
characters before.
Bound: 11 characters and one after.
"""

from __future__ import annotations

import re

from flows.moderation.detectors.base import DIGITS, NOTHING, Scan
from flows.moderation.findings import Match
from flows.moderation.tables.separators import STRICT

_BEFORE = 40
_HEAD = re.compile(r"(?<![0-9A-Za-z])[0-9]")
_SIGN = f"[{STRICT}_]"
_GROUPED = re.compile(rf"(?:\d{{3}}({_SIGN})\d{{2}}\1\d{{4}}|\d{{3}}-\d{{6}})(?![0-9A-Za-z]|[-.]\d)")
_TOLD = re.compile(r"(?:\d{5}-\d{4}|\d{9}|\d{3}/\d{2}/\d{4})(?![0-9A-Za-z]|[-./]\d)")
_BEGUN = re.compile(rf"\d{{1,3}}(?:[{STRICT}_/]?\d{{1,2}})?(?:[{STRICT}_/]?\d{{1,4}})?[{STRICT}_/]?\Z")
_CUE = re.compile(r"\b(?:ssn|social(?:[ -]?(?:security|sec))?|security (?:number|no)|taxpayer|tin)\b", re.IGNORECASE)
_ADVERTISED = {"078051120", "219099999"}  # printed on specimen cards, never anybody's


def is_ssn(digits: str) -> bool:
    """Whether the SSA can have issued this number: nine digits."""
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    possible = area not in ("000", "666") and area < "900" and group != "00" and serial != "0000"
    return possible and digits not in _ADVERTISED


class SsnDetector:
    category = "US_SSN"
    bound = 11 + 2
    context = 48
    trigger = DIGITS

    def scan(self, text: str, start: int, open_word: int, final: bool) -> Scan:
        found: list[Match] = []
        size = len(text)
        head = _HEAD.search(text, start)
        while head is not None:
            begin = head.start()
            if not final and size - begin < self.bound and _BEGUN.match(text, begin):
                return found, begin
            match, rule = _GROUPED.match(text, begin), "grouped"
            if match is None and _CUE.search(text, max(0, begin - _BEFORE), begin):
                match, rule = _TOLD.match(text, begin), "told"
            if (
                match
                and _is_apart(text, begin, match)
                and is_ssn("".join(char for char in match.group() if char.isdigit()))
            ):
                found.append(Match(begin, match.end(), rule))
                start = match.end()
            else:
                start = begin + 1
            head = _HEAD.search(text, start)
        return found or NOTHING, max(open_word, start)


def _is_apart(text: str, begin: int, match: re.Match[str]) -> bool:
    """Whether it is no part of a longer number: that goes on with the sign that is between its own groups."""
    if begin < 2 or not text[begin - 2].isdigit():
        return True
    return text[begin - 1] not in (set(match.group()) if match.lastindex else ".-")
