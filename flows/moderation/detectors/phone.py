"""Phone numbers.

- International, with `+`, `00` or `011` and a calling code that exists: always, if as long as its numbers are.
- National: with a region set, as numbers are dialled there; else in strict groupings (North American 3-3-4, an area
  code in brackets, a trunk zero), or beside a telling word, at most 40 characters before or 10 after.

Bound: 48 characters, an extension, and the 11 characters after that may hold the telling word.
"""

from __future__ import annotations

import re

from flows.moderation.detectors.base import DIGITS, NOTHING, Scan
from flows.moderation.detectors.home import HomeNumbers
from flows.moderation.detectors.neighbours import begins_apart, ends_apart, is_other, orders
from flows.moderation.findings import Match
from flows.moderation.numbering import plan_of_region
from flows.moderation.tables import calling_codes, cues
from flows.moderation.tables.separators import DOTS, LONG_DASHES

_WINDOW = 48
_BEFORE = 40
_LEAST = 6  # digits of a number, but where a region's are shorter
_AFTER = 10

_BLANK = "[ ]"
_DASH = f"[-{LONG_DASHES}{DOTS}_/]"
_SEPARATOR = rf"(?:\)?(?:{_BLANK}?{_DASH}{_BLANK}?|{_BLANK}){_BLANK}?\(?|\)|\()"
_HEAD = re.compile(r"(?<![0-9A-Z_])(?:\+\(?|\(\+?)?(?:[0-9]|\Z)")
_BODY = re.compile(rf"(?:\+\(?|\(\+?)?\d+(?:{_SEPARATOR}\d+)*")
_REST = re.compile(rf"\)?{_BLANK}?{_DASH}?{_BLANK}?{_BLANK}?\(?")
_GROUP = re.compile(r"\d+")
_EXTENSION = re.compile(r"[ ,]{0,2}(?:x|ext\.?|extension)[ .:]?\d{1,6}(?![0-9A-Za-z])", re.IGNORECASE)
_EXTENSION_OPEN = re.compile(
    r"[ ,]{0,2}(?:x|e(?:x(?:t(?:\.|e(?:n(?:s(?:i(?:on?)?)?)?)?)?)?)?)?[ .:]?\d{0,6}\Z", re.IGNORECASE
)

_YEARS = r"(?:1[5-9]|20)\d\d-(?:1[5-9]|20)\d\d"
_3_3_4 = rf"""(?:(?:1|91){_DASH})?(?:
      \d{{3}}([-{LONG_DASHES}{DOTS}_/])\d{{3}}\1\d{{4}}            # 415-555-0132, 415.555.0132
    | \d{{3}}/\d{{3}}-\d{{4}}                                   # 415/555-0132
    | \(\d{{3}}\){_BLANK}?\d{{3}}[-. ]\d{{4}}               # (415) 555-0132
    )"""
_OTHERWISE = rf"""(?!\d{{3}}[- .]\d\d[- .]\d{{4}}\Z)(?:                # as social security numbers are grouped
      [2-9]\d\d[ ][2-9]\d\d[ ]\d{{4}}                         # 415 555 0132
    | \((?:0\d{{1,4}}|\d{{2,4}})\){_BLANK}?(?!{_YEARS})\d{{3,5}}[- ]\d{{3,4}}  # (11) 4706-6184
    | \(0\d{{1,4}}\)[- ]?\d{{5,8}}                            # (0909) 8790870
    | 8[ ]?\(\d{{3,5}}\)[ ]?\d{{1,3}}-\d\d-?\d\d              # 8 (860) 750-02-01
    | 0[1-9]\d{{0,3}}[-/ ]\d{{5,8}}                         # 09-7625400, 0345 278323
    | 0[1-9]\d{{0,3}}(?:[- .]\d{{2,4}}){{2,4}}                # 0431 19 97 94, 090-1234-5678
    )"""
_NORTH_AMERICAN = re.compile(_3_3_4, re.VERBOSE)
_STRICT = re.compile(_OTHERWISE, re.VERBOSE)
_GROUPING = re.compile(f"{_3_3_4}|{_OTHERWISE}", re.VERBOSE)
_NUMBER_BEFORE = re.compile(
    rf"(?:(?<![0-9A-Za-z])(?<![0-9][-.,/ ])(?:{_3_3_4}|{_OTHERWISE})|\+\d[-\d .()]{{6,20}}\d)[ ,;/]{{1,3}}\(?\Z",
    re.VERBOSE,
)
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_MONTH = r"(?:0?[1-9]|1[0-2])"
_DATE = re.compile(
    rf"(?:(?:19|20)\d\d([-/.]){_MONTH}\1{_DAY}|(?:{_DAY}([-/.]){_MONTH}\2|{_MONTH}([-/.]){_DAY}\3)(?:19|20)?\d\d)"
    r"(?!\d|[-/.]\d)"
)
_ABROAD = re.compile(rf"(?:00|011)(?:\d\d|[17]?(?!\d))(?!\d*{_SEPARATOR}(?:19|20)\d\d-\d\d)")
_HYPHENED = re.compile(r"[0-9A-Za-z][-/.,:]\Z")
_DECIMALS = re.compile(r"\.\d|,\d{3}(?!\d)|:\d\d(?!\d)|\s?%")
_DECIMALS_OF_ONE = re.compile(r"[.,:]\d|\s?%")
_LETTER = re.compile("[A-Za-z]")
_OTHERS = "|".join(cues.OTHER_NUMBERS)
_CUE = re.compile(
    rf"\b(?:{'|'.join(cues.BEFORE)})\b|{'|'.join(cues.BEFORE_UNSPACED)}"
    rf"|\b(?:my|your|his|her|our|their)\s(?:(?!(?:{_OTHERS})\b)\w+\s)?number\b"
    r"|\b(?:new|old|current|contact|alternative|direct)\snumber\b",
    re.IGNORECASE,
)
_OTHER = re.compile(rf"\b(?:{_OTHERS})\b|[$€£¥#]\s?\Z", re.IGNORECASE)
_YEARS_ONLY = re.compile(r"(?:(?:19|20)\d\d\W{1,3})*(?:19|20)\d\d|(?:\d{1,2}00\W{1,3})+\d{1,2}00")
_LINKED = re.compile(rf"(?:\W|\b(?:{'|'.join(cues.LINKS)})\b)*", re.IGNORECASE)
_CUE_AFTER = re.compile(rf"\W{{0,3}}(?:\w+\W{{1,2}})?(?:{'|'.join(cues.AFTER)})\b", re.IGNORECASE)


class PhoneDetector:
    category = "PHONE_NUMBER"
    bound = _WINDOW + 18 + _AFTER + 1
    context = 48
    trigger = DIGITS

    def __init__(self, region: str = "") -> None:
        plan = plan_of_region(region)
        self._home = HomeNumbers(plan) if plan else None
        self.least = min(_LEAST, self._home.least) if self._home else _LEAST

    def scan(self, text: str, start: int, open_word: int, final: bool) -> Scan:
        found: list[Match] = []
        size = len(text)
        head = _HEAD.search(text, start)
        while head is not None and head.start() < size:
            begin = head.start()
            body = _BODY.match(text, begin, begin + _WINDOW)
            if body is None:  # a plus or a bracket at the end
                return found, max(begin if not final else size, start)
            end = body.end()
            if not final and _unsettled(text, begin, end, self.least):
                return found, begin
            rule, last = self._rule(text, begin, end)
            if rule:
                extension = _EXTENSION.match(text, last)
                start = extension.end() if extension else last
                found.append(Match(begin + _is_in_brackets(text, begin, last), start, rule))
            else:
                first = _GROUP.search(text, begin)
                start = first.end() if first else end
            head = _HEAD.search(text, start)
        return found or NOTHING, max(open_word, start)

    def _rule(self, text: str, begin: int, end: int) -> tuple[str, int]:
        """The rule by which a phone number begins at `begin`, and where it ends; ("", 0) if none does."""
        groups = [m.span() for m in _GROUP.finditer(text, begin, end)]
        cut_off = end - begin >= _WINDOW
        if cut_off:
            groups.pop()
        plus = "+" in text[begin : begin + 2]
        if not groups or (not plus and sum(b - a for a, b in groups) < self.least):
            return "", 0
        limit = end if cut_off else end + _AFTER
        if is_other(text, begin, limit):
            return "", 0
        extension = None if cut_off else _EXTENSION.match(text, end)
        runs_on = not cut_off and not extension and _LETTER.match(text, end) is not None
        counts = orders(text, groups, limit)
        if plus or (begins_apart(text, begin, groups[:1]) and _ABROAD.match(text, begin)):
            # Where a number without its country follows, this one does not go on into it.
            for count in sorted(counts, key=lambda count: not _is_followed(text, groups[count:])):
                number = "".join(text[a:b] for a, b in groups[:count])
                if not plus:
                    number = number.removeprefix("00").removeprefix("011")
                if is_international(number) and not (runs_on and count == len(groups)):
                    return "international", groups[count - 1][1]
        if _DATE.match(text, begin):
            return "", 0
        for count in counts:
            last = groups[count - 1][1]
            whole = count == len(groups)
            if whole and (cut_off or runs_on):
                continue
            if not ends_apart(text, groups, count, limit) and not _is_followed(text, groups[count:]):
                continue
            after = extension.end() if whole and extension else last
            if rule := self._national(text, begin, last, groups[:count], after):
                return rule, last
        return "", 0

    def _national(self, text: str, begin: int, end: int, groups: list[tuple[int, int]], after: int) -> str:
        """The rule by which these groups are a number without its country; "" if they are none."""
        digits = sum(b - a for a, b in groups)
        if not self.least <= digits <= 15:
            return ""
        apart = begins_apart(text, begin, groups)
        apart = apart or _NUMBER_BEFORE.search(text, max(0, begin - _BEFORE), begin) is not None
        hyphened = _HYPHENED.search(text, max(0, begin - 2), begin) is not None
        begin += _is_in_brackets(text, begin, end)
        if (apart or not hyphened) and _NORTH_AMERICAN.fullmatch(text, begin, end):
            return "grouping"
        if not apart:
            return ""
        glued = _LETTER.match(text[begin - 1 : begin]) is not None  # a blank was lost: only the plainest is believed
        if glued or (_DECIMALS if len(groups) > 1 else _DECIMALS_OF_ONE).match(text, end):
            return ""
        if digits >= 9 and _STRICT.fullmatch(text, begin, end):
            return "grouping"
        if self._home is not None and self._home.is_number(text, begin, end):
            return "national"
        return "told" if digits >= _LEAST and _told(text, begin, end, after, digits) else ""


def _is_in_brackets(text: str, begin: int, end: int) -> bool:
    """Whether the bracket there is not closed in the number: it is around it."""
    return text[begin] == "(" and text[begin + 1 : begin + 2] != "+" and ")" not in text[begin:end]


def _is_followed(text: str, groups: list[tuple[int, int]]) -> bool:
    """Whether the first of these groups are a number, in plain groups."""
    if not groups:
        return False
    begin = groups[0][0] - (text[groups[0][0] - 1] == "(")
    return any(_GROUPING.fullmatch(text, begin, end) for _, end in groups[1:])


def _unsettled(text: str, begin: int, end: int, least: int) -> bool:
    """Whether what may come can still change the verdict on the digits at `[begin, end)`."""
    size = len(text)
    if end - begin >= _WINDOW:
        return False
    rest = _REST.match(text, end)
    if rest is not None and rest.end() == size:
        return True
    digits = sum(m.end() - m.start() for m in _GROUP.finditer(text, begin, end))
    if digits < least:
        return False
    if _EXTENSION_OPEN.match(text, end):
        return True
    extension = _EXTENSION.match(text, end)
    if digits > 15 and text[begin:end].isdigit():
        return False
    return size - (extension.end() if extension else end) <= _AFTER


def _told(text: str, begin: int, end: int, after: int, digits: int) -> bool:
    """Whether a word beside the digits tells that they are a phone number."""
    cue = 0
    for match in _CUE.finditer(text, max(0, begin - _BEFORE), begin):
        cue = match.end()
    if _OTHER.search(text, cue or max(0, begin - _BEFORE), begin):
        return False  # a nearer word tells that it is another number
    if cue and _leads_to(text, cue, begin, end, digits):
        return True
    told = _CUE_AFTER.match(text, after, after + _AFTER + 1)
    return told is not None and told.end() <= after + _AFTER


def _leads_to(text: str, cue: int, begin: int, end: int, digits: int) -> bool:
    """Whether a telling word that ends at `cue` speaks of the digits: the plainer they are, the nearer it must be."""
    grouped = end - begin > digits
    if digits == 6:
        return grouped and begin - cue <= 3
    if _YEARS_ONLY.fullmatch(text, begin, end):
        return False
    if grouped or digits > 9 or text[begin] == "0":
        return True
    return not text.endswith("0000", begin, end) and _LINKED.fullmatch(text, cue, begin) is not None


def is_international(digits: str) -> bool:
    """Whether these digits are a calling code and as many more as numbers under it have."""
    row = calling_codes.calling_code(digits)
    if row is None:
        return False
    count = len(digits) - len(row.code)
    if count in row.lengths:
        return True
    trunk = row.trunk  # "+44 (0)20 ..." is written often
    return bool(trunk) and digits.startswith(row.code + trunk) and count - len(trunk) in row.lengths
