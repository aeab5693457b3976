"""National phone numbers of the region that a policy names: in its plan, and not what else is written in such digits.

Rules
- A number with the prefix that is dialled before it counts however it is written, but as a time, a date or an ISBN.
- One that is dialled as it is counts unless its shape or a word beside it tells that it is an amount, a decimal, years,
  a range, a version, or some other thing's number. A telling word may still make a phone number of it (`phone.py`).
- It looks at most `BEFORE` characters before the digits and `AFTER` behind them.
"""

from __future__ import annotations

import re

from flows.moderation.numbering import NumberingPlan
from flows.moderation.tables import cues

BEFORE = 40
AFTER = 10

_GROUP = re.compile(r"\d+")
_DAY = r"(?:0[1-9]|[12]\d|3[01])"
_MONTH = r"(?:0?[1-9]|1[0-2])"
_YEAR = r"(?:1[89]|20)\d\d"
_DASH = r"\s?[-‐‑–]\s?"
_NEVER = re.compile(
    rf"""
      (?:.*[ (])?0[.]\d.*                       # 0.0012345678, 1.5 (0.0076
    | {_MONTH}[-./]{_YEAR}                      # 03/2026
    | \d{{1,7}}([-‐‑ ])\d{{1,7}}\1\d{{1,7}}\1\d # 0-306-40615-2
    """,
    re.VERBOSE,
)
_NOT_BARE = re.compile(
    rf"""
      \d{{1,3}}[.]\d+(?:[ ]\d{{1,3}}[.]\d+)*            # 13.404954, 48.8583 2.2944
    | (?:19|20)\d\d(?:\D{{1,3}}(?:19|20)\d\d)*         # 2019, 2019 2020 2021
    | {_YEAR}{_DASH}{_YEAR}                            # 1789-1815
    | (?:19\d|20[0-4])\d(?:0[1-9]|1[0-2]){_DAY}(?:\D.*)?           # 20240115 103000
    | (?:19|20)\d\d[-/](?!\d{{4}}\Z).*                        # 2024-001234
    | \d{{1,3}}(?:[.]\d{{3}})+ | [1-9]\d{{0,2}}0{{3,}}        # 2.500.000, 67500000
    | (?:[\d]+[.])*\d[.].* | .*[.]\d(?:[.].*)?          # 4.18.2100.6
    | \d{{1,3}}(?:[.]\d{{1,3}}){{3}}(?:/\d+)?           # 10.20.30.40
    """,
    re.VERBOSE,
)
_HOURS = re.compile(rf"((?:[01]\d|2[0-4])([.]?)[0-5][05]){_DASH}((?:[01]\d|2[0-4])\2[0-5][05])")
_RANGE = re.compile(rf"(\d+){_DASH}(\d+)")
_AMOUNT = re.compile(r"\d{1,3}(?:([ \u00a0\u2007\u202f])\d{3})(?:\1\d{3})*")
_NOUNS = "|".join((*cues.OTHER_NUMBERS, *cues.OTHER_NOUNS))
_NUMBER = rf"(?:{'|'.join(cues.NUMBER_WORDS)})\b\.?"
_NAMED = re.compile(
    rf"""(?:\b(?:{_NOUNS})s?\b(?:[ ]{_NUMBER})? | \b(?!{"|".join(cues.PHONE_STEMS)})\w{{3,24}}(?:nummer|nr\.?) | № | \#)
    [\s:.#"']{{0,4}}(?:(?:is|was|ist|est|es|è)\s)?\Z""",
    re.IGNORECASE | re.VERBOSE,
)
_COUNTED_BEFORE = re.compile(
    rf"""(?:[$€£¥₹§±≈<>] | \b(?:{"|".join(cues.COUNTED_BEFORE)})\.?
    | \b(?:{"|".join(cues.AMOUNTS)})\b["']?[\s:=]{{0,3}}(?:(?:is|was|of)\s)?(?:[A-Z]{{3}})?)\s?\Z""",
    re.IGNORECASE | re.VERBOSE,
)
_COUNTED_AFTER = re.compile(
    rf"\s?(?:[$€£¥₹%‰°×÷*^=<>]|\+\s?\d)|[ \u00a0-]?(?:{'|'.join(cues.COUNTED_AFTER)})\b"
    rf"|(?:{'|'.join(cues.COUNTED_AFTER_UNSPACED)})",
    re.IGNORECASE,
)


class HomeNumbers:
    """The national numbers of one plan."""

    def __init__(self, plan: NumberingPlan) -> None:
        self._plan = plan
        self.least = plan.shortest

    def is_number(self, text: str, begin: int, end: int) -> bool:
        """Whether the digits at `[begin, end)`, in groups, are a number of this plan."""
        written = text[begin:end].lstrip("(")
        groups = _GROUP.findall(written)
        digits = "".join(groups)
        how = self._plan.dialled(digits)
        hours = _HOURS.fullmatch(written)
        if not how or _NEVER.fullmatch(written) or (hours and hours[1] < hours[3]):
            return False
        named = _NAMED.search(text, max(0, begin - BEFORE), begin)
        if how == "prefix":
            return len(groups) > 1 or not named
        return not (
            named
            or _COUNTED_BEFORE.search(text, max(0, begin - BEFORE), begin)
            or _COUNTED_AFTER.match(text, end, end + AFTER + 1)
            or self._is_other(written, groups)
        )

    def _is_other(self, written: str, groups: list[str]) -> bool:
        """Whether these groups are written as what is no phone number."""
        if _NOT_BARE.fullmatch(written):
            return True
        if _AMOUNT.fullmatch(written):
            return tuple(map(len, groups)) not in self._plan.amounts
        if (pair := _RANGE.fullmatch(written)) and _is_range(pair[1], pair[2]):
            return True
        singles = sum(len(group) == 1 for group in groups)
        return 1 < singles < len(groups)


def _is_range(low: str, high: str) -> bool:
    """Whether two groups are from where and to where: rising, and round."""
    if int(low) >= int(high):
        return False
    if len(low) < len(high):
        return low.endswith("00") and high.endswith("00")
    return high.endswith("00") or (high[-1] == "0" and low[-1] in "01")
