"""Payment card numbers: 12 to 19 digits that an issuer gives out and that pass Luhn's check.

Grouped as on cards (4-4-4-4, 4-6-5, ...), digit by digit, or not at all. What may as well be an article's bar code
needs a telling word, at most 40 characters before. Between groups stands what `tables/separators.py` has. Signs that
part the fields of a list or a table as well (`_FIELD`) are believed only if they are all the same, no more of these
fields are there, and they are not round numbers or years: Luhn's check lets every tenth list of four pass.
Bound: 19 digits with up to four characters between them, and one character after.
"""

from __future__ import annotations

import itertools
import re

from flows.moderation.detectors.base import DIGITS, NOTHING, Scan
from flows.moderation.findings import Match
from flows.moderation.tables import issuers
from flows.moderation.tables.separators import DASHES, DOTS, LINE_BREAKS, SLASHES

_HEAD = re.compile(r"(?<![0-9A-Za-z])[0-9]")
_FIELD = rf" ?[\t{LINE_BREAKS}{SLASHES}]{{1,2}} ?|[,;:]"
_SEPARATOR = rf"(?:{_FIELD}| ?[{DASHES}{DOTS}] ?|[_*~]{{1,2}}| {{1,2}})"
_CHAIN = re.compile(rf"([0-9]+(?:{_SEPARATOR}[0-9]+)*)(?:{_SEPARATOR})?")
_FIELD_BEFORE = re.compile(rf"[0-9](?:{_FIELD})\Z")
_ROUND = re.compile(r"00\Z|(?:19|20)[0-9][0-9]\Z")
_WINDOW = 19 + 18 * 4 + 1
_GROUPINGS = {
    (4, 4, 4), (4, 4, 5), (4, 4, 4, 1), (4, 4, 4, 2), (4, 6, 4), (4, 4, 4, 3), (4, 6, 5), (4, 4, 4, 4), (8, 8),
    (4, 4, 4, 4, 1), (4, 4, 4, 4, 2), (4, 4, 4, 4, 3), (4, 4, 4, 5), (4, 4, 4, 6), (4, 4, 4, 7), (6, 13), (4, 5, 6),
}  # fmt: skip
_BEGINNINGS = {shape[:count] for shape in _GROUPINGS for count in range(len(shape))}
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
    context = 48
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
            if chain.end() == size and limit < begin + _WINDOW and not final and self._may_become(text, chain, groups):
                return found, begin
            end = self._card_end(text, groups)
            if end:
                found.append(Match(begin, end, "luhn"))
            start = end or groups[0][1]
            head = _HEAD.search(text, start)
        return found, max(open_word, start)

    def _may_become(self, text: str, chain: re.Match[str], groups: list[tuple[int, int]]) -> bool:
        """Whether more digits may make a card number of a chain that ends the text."""
        begin, end = groups[0]
        sizes = tuple(b - a for a, b in groups)
        complete = sizes if chain.end() > chain.end(1) else sizes[:-1]  # the last group may still grow
        if complete not in _BEGINNINGS and set(complete) != {1} and (len(complete) > 1 or sizes[0] < 12):
            return False
        return end - begin < 4 or (end - begin <= 19 and bool(issuers.lengths(text[begin:end])))

    def _card_end(self, text: str, groups: list[tuple[int, int]]) -> int:
        """The end of the longest card number that begins with the first group; 0 if there is none."""
        sizes = tuple(end - begin for begin, end in groups[:19])
        for count in range(len(sizes), 0, -1):
            shape = sizes[:count]
            if 12 <= sum(shape) <= 19 and (count == 1 or shape in _GROUPINGS or set(shape) == {1}):
                end = groups[count - 1][1]
                number = "".join(text[a:b] for a, b in groups[:count])
                if not is_card(number) or _LETTER.match(text, end) or not _is_apart(text, groups, count):
                    continue
                if sum(shape) == 12 and _UUID.search(text, max(0, groups[0][0] - 25), groups[0][0]):
                    continue  # the end of a UUID, or its three groups in the middle
                if sum(shape) > 13 or not is_trade_item(number) or _told(text, groups[0][0]):
                    return end
        return 0


def _is_apart(text: str, groups: list[tuple[int, int]], count: int) -> bool:
    """Whether the first groups are a number of their own, not a part of a longer one or fields of a list."""
    begin = groups[0][0]
    between = {text[a:b] for (_, a), (b, _) in itertools.pairwise(groups[:count])}
    if text[begin - 1 : begin] == "." and text[begin - 2 : begin - 1].isdigit() and (not between or "." in between):
        return False
    if not any(re.fullmatch(_FIELD, separator) for separator in between):
        return True
    rounds = sum(_ROUND.search(text, a, b) is not None for a, b in groups)
    alone = len(groups) == count and not _FIELD_BEFORE.search(text, max(0, begin - 5), begin)
    return alone and len(between) == 1 and count > 1 and rounds < 2 and groups[0][1] - begin > 1
