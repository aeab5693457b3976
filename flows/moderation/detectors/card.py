"""Payment card numbers: 12 to 19 digits that an issuer gives out and that pass Luhn's check.

Grouped as on cards (4-4-4-4, 4-6-5, ...), digit by digit, or not at all. What may as well be an article's bar code
needs a telling word, at most 40 characters before.
Bound: 19 digits with up to three characters between them, and one character after.
"""

from __future__ import annotations

import re

from flows.moderation.detectors.base import DIGITS, NOTHING, Scan
from flows.moderation.findings import Match
from flows.moderation.tables import issuers

_HEAD = re.compile(r"(?<![0-9A-Za-z])(?<![0-9][.,])[0-9]")
_BLANK = r"[ \u00a0\u2007\u202f\u200b-\u200d\u2060\ufeff]"
_CHAIN = re.compile(rf"([0-9]+(?:(?: ?[-‐‑–.] ?|{_BLANK})[0-9]+)*)(?: ?[-‐‑–.] ?|{_BLANK})?")
_WINDOW = 19 + 18 * 3 + 1
_GROUPINGS = {
    (4, 4, 4), (4, 4, 5), (4, 4, 4, 1), (4, 4, 4, 2), (4, 6, 4), (4, 4, 4, 3), (4, 6, 5), (4, 4, 4, 4), (8, 8),
    (4, 4, 4, 4, 1), (4, 4, 4, 4, 2), (4, 4, 4, 4, 3), (4, 4, 4, 5), (4, 4, 4, 6), (4, 4, 4, 7), (6, 13), (4, 5, 6),
}  # fmt: skip
_FIRST_GROUPS = {1} | {shape[0] for shape in _GROUPINGS}
_DIGITS = re.compile("[0-9]+")
_LETTER = re.compile("[A-Za-z]")
_UUID = re.compile(r"(?<![0-9A-Za-z])[0-9A-Fa-f]{8}-(?:(?:[0-9A-Fa-f]{4}-){3})?\Z")

_BEFORE = 40
_CUE = re.compile(
    r"\b(?:cards?|cc|credit|debit|visa|maestro|mastercard|payment|pay|charged?|karte|carte|tarjeta|carta)\b",
    re.IGNORECASE,
)


def _told(text: str, begin: int) -> bool:
    return _CUE.search(text, max(0, begin - _BEFORE), begin) is not None


def luhn(digits: str) -> bool:
    """ISO/IEC 7812-1, annex B."""
    total = 0
    for i, digit in enumerate(reversed(digits)):
        value = int(digit)
        if i % 2:
            value = value * 2 - 9 if value > 4 else value * 2
        total += value
    return total % 10 == 0


def is_trade_item(digits: str) -> bool:
    """Whether these 12 or 13 digits are a UPC or EAN: GS1's check digit."""
    return sum(int(digit) * (3 if i % 2 else 1) for i, digit in enumerate(reversed(digits))) % 10 == 0


def is_card(digits: str) -> bool:
    return len(digits) in issuers.lengths(digits) and luhn(digits) and len(set(digits)) > 1


class CardDetector:
    category = "CREDIT_CARD"
    bound = _WINDOW
    trigger = DIGITS

    def scan(self, text: str, start: int, open_word: int, final: bool) -> Scan:
        head = _HEAD.search(text, start)
        if head is None:
            return NOTHING, max(open_word, start)
        found: list[Match] = []
        size = len(text)
        while head is not None:
            begin = head.start()
            limit = min(size, begin + _WINDOW)
            chain = _CHAIN.match(text, begin, limit)
            assert chain is not None  # it begins with a digit
            groups = [m.span() for m in _DIGITS.finditer(text, begin, chain.end(1))]
            if chain.end() == size and limit < begin + _WINDOW and not final and self._may_become(text, groups):
                return found, begin
            end = self._card_end(text, groups)
            if end:
                found.append(Match(begin, end, "luhn"))
            start = end or groups[0][1]
            head = _HEAD.search(text, start)
        return found, max(open_word, start)

    def _may_become(self, text: str, groups: list[tuple[int, int]]) -> bool:
        begin, end = groups[0]
        size = end - begin
        if len(groups) > 1 and size not in _FIRST_GROUPS and size < 12:
            return False
        return size < 4 or (size <= 19 and bool(issuers.lengths(text[begin:end])))

    def _card_end(self, text: str, groups: list[tuple[int, int]]) -> int:
        """The end of the longest card number that begins with the first group; 0 if there is none."""
        sizes = tuple(end - begin for begin, end in groups[:19])
        for count in range(len(sizes), 0, -1):
            shape = sizes[:count]
            if 12 <= sum(shape) <= 19 and (count == 1 or shape in _GROUPINGS or set(shape) == {1}):
                end = groups[count - 1][1]
                number = "".join(text[a:b] for a, b in groups[:count])
                if not is_card(number) or _LETTER.match(text, end):
                    continue
                if sum(shape) == 12 and _UUID.search(text, max(0, groups[0][0] - 25), groups[0][0]):
                    continue  # the end of a UUID, or its three groups in the middle
                if sum(shape) > 13 or not is_trade_item(number) or _told(text, groups[0][0]):
                    return end
        return 0
