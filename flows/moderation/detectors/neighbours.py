"""What stands beside a number in groups and is no part of it: a date, a time, `24/7`, another number.

Rules
- A number is apart from what stands beside it if that is something else, or if another sign parts them than parts its
  own groups: `415-555-0132 3 times`. Where the same sign goes on, it is a longer number.
- It looks `REACH` characters before the number, and no further behind it than it is told.
"""

from __future__ import annotations

import itertools
import re

REACH = 40

_DAY, _MONTH = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:0?[1-9]|1[0-2])"
_DATE = (
    rf"(?:(?:19|20)\d\d([-/.]){_MONTH}\1{_DAY}|(?:{_DAY}([-/.]){_MONTH}\2|{_MONTH}([-/.]){_DAY}\3)(?:19|20)?\d\d)"
    r"(?![0-9]|[-/.][0-9])"
)
_RATIO = r"[1-9]\d?/[1-9]\d?(?![0-9/])"
_HOUR = r"\d{1,2}(?:[:.]\d\d)?\s?(?:[ap]\.?\s?m\b\.?|Uhr\b|h\b|hrs?\b|o'clock\b)"
_PLAIN = re.compile(f"{_DATE}|{_RATIO}|{_HOUR}", re.IGNORECASE)
_YEAR = r"(?P<year>(?:19|20)\d\d)(?![0-9-])"
_THING = rf"(?:{_DATE}|{_RATIO}|{_HOUR}|\d{{1,2}}:\d\d(?![0-9])|\d{{1,2}}-\d{{1,2}}(?![0-9-])|{_YEAR})"
_OTHER = re.compile(_THING, re.IGNORECASE)
_OTHER_BEFORE = re.compile(rf"(?<![0-9])(?<![0-9][ .,/-]){_THING}[ ,;]{{1,3}}\(?\Z", re.IGNORECASE)
_BEFORE = re.compile(r"([0-9A-Za-z])([ .,:;/\u2014\u2015-]+\(?)\Z")
_OF_OTHER = re.compile(r"(?<![0-9])(?:[1-9]\d?/|\d{1,2}:)\Z")
_GROUP = re.compile(r"\d+")

Groups = list[tuple[int, int]]


def orders(text: str, groups: Groups, limit: int) -> list[int]:
    """How many of the groups a number may have: the most first, but last those that end in something else."""
    counts = list(range(len(groups), 0, -1))
    if len(counts) == 1:
        return counts
    return sorted(counts, key=lambda count: _ends_in_other(text, groups, count, limit))


def _ends_in_other(text: str, groups: Groups, count: int, limit: int) -> bool:
    for begin, _ in groups[max(1, count - 3) : count]:
        other = _PLAIN.match(text, begin, limit)
        if other and other.end() >= groups[count - 1][1] and text[begin - 1] in " (":
            return True
    return False


def is_other(text: str, begin: int, limit: int) -> bool:
    """Whether a date, a ratio or a time stands there, and no number."""
    return _PLAIN.match(text, begin, limit) is not None


def between(text: str, groups: Groups) -> set[str]:
    """What stands between the groups."""
    return {text[a:b] for (_, a), (b, _) in itertools.pairwise(groups)}


def begins_apart(text: str, begin: int, groups: Groups) -> bool:
    """Whether what stands before the number that begins there, with these groups, is no part of it."""
    left = max(0, begin - REACH)
    before = _BEFORE.search(text, max(left, begin - 5), begin)
    if before is None:
        return True
    inner = between(text, groups)
    sign = before[2].rstrip("(")
    core = sign.strip()
    if before[1].isalpha():
        return not core or sign != core or core not in "-/"
    if _OF_OTHER.search(text, max(left, begin - 4), begin) and groups[0][1] - groups[0][0] <= 2:
        return False
    other = _OTHER_BEFORE.search(text, left, begin)
    if other and not (other["year"] and {b - a for a, b in groups[:2]} == {4}):  # one more group of four
        return True
    if core == "":
        return (bool(inner) and " " not in inner) or _is_alike_before(text, left, begin, groups)
    if sign != core:
        return sign not in inner
    return bool(inner) and core not in "-\u2014\u2015" and not any(core in each for each in inner)


def _is_alike_before(text: str, left: int, begin: int, groups: Groups) -> bool:
    """Whether as many groups of the same sizes stand before."""
    before = [m.end() - m.start() for m in _GROUP.finditer(text, left, begin)][-len(groups) :]
    sizes = [b - a for a, b in groups]
    return len({*sizes}) > 1 and before == sizes


def ends_apart(text: str, groups: Groups, count: int, limit: int) -> bool:
    """Whether the number of the first groups ends there, and what stands behind is no part of it."""
    if count == len(groups):
        return True
    own, rest = groups[:count], groups[count:]
    inner = between(text, own)
    sign = text[own[-1][1] : rest[0][0]]
    core = sign.strip()
    if (" " in sign or "(" in sign) and _OTHER.match(text, rest[0][0], limit):
        return True
    if "(" in core:
        return bool(inner)
    if core == "":
        if inner and " " not in inner:
            return True
        # Groups of one size all along are one number.
        alike = [b - a for a, b in own] == [b - a for a, b in rest[:count]]
        sizes = {b - a for a, b in own}
        anew = text[own[0][0]] == text[rest[0][0]] == "0" and rest[0][1] - rest[0][0] not in sizes
        return len(sizes) > 1 and (alike or anew)
    if sign != core:
        return sign not in inner
    return core == "/" and bool(inner) and not any("/" in each for each in inner)
