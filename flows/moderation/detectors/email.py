"""E-mail addresses (RFC 5321's dot-atoms, RFC 6531's letters of every script).

- Of the signs that a local part may have those count that stand in addresses: none that quotes, marks up or parts what
  is written (`/ * { } |` and the backtick). Those of a query's fields before it are not of it.
- In scripts without blanks a local part is at most 12 letters behind a blank or a colon: where it began is not to be
  told elsewhere, and there the domain alone is a finding. Their domains end in a name that there is.
- What ends as a file does, or a tag (`logo@2x.png`, `js@latest.min`), is no domain (`tables/domains.py`).

Bound: local part 64, domain 255, the sign between them and one character after.
"""

from __future__ import annotations

import re

from flows.moderation.detectors.base import NOTHING, UNSPACED_WORD, Scan
from flows.moderation.findings import Match
from flows.moderation.tables import domains
from flows.moderation.tables.scripts import MARKS, UNSPACED, UNSPACED_LETTERS

_SPACED = rf"(?:[^\W_{UNSPACED}]|[{MARKS}])"
_INSIDE = rf"(?:[^\W_{UNSPACED}]|[{MARKS}\-])"
_LOCAL = re.compile(rf"(?:[^\W{UNSPACED}]|[{MARKS}.!#$%&'+=?^~\-]){{1,64}}\Z")
_UNSPACED_LABEL = rf"[0-9-]{{0,20}}[{UNSPACED_LETTERS}][{UNSPACED_LETTERS}0-9-]{{0,42}}"
_ENDS = "|".join(sorted(domains.UNSPACED, key=len, reverse=True))
_DOMAIN = re.compile(
    rf"""(?P<labels>(?:(?:{_SPACED}(?:{_INSIDE}{{0,61}}{_SPACED})?|{_UNSPACED_LABEL})\.){{1,8}})
    (?P<last>xn--[A-Za-z0-9-]{{2,59}}(?![A-Za-z0-9-])
    |(?:[^\W\d_{UNSPACED}]|[{MARKS}]){{2,24}}(?!{_SPACED})|{_ENDS})""",
    re.VERBOSE,
)
_RUN = rf"(?:{_INSIDE}{{1,63}}|{_UNSPACED_LABEL})"
_OPEN = re.compile(rf"(?:{_RUN}\.){{0,8}}(?:{_RUN})?\Z")
_EDGES = ".!$%&'+=?^~-"
_FIELDS = re.compile(
    r"(?:[^=&]{0,30}=[^&]{0,60}&|.*[?&])*(?:e-?mail|mail-?to|to|cc|bcc|from|user(?:name)?|login|addr(?:ess)?|contact|id"
    r"|reply-?to|sender|recipient|account)=|(?:[^=&]{1,30}=[^&]{0,60}&)+[^=&]{1,30}=",
    re.IGNORECASE,
)
_UNSPACED = re.compile(f"[{UNSPACED_LETTERS}]")
_SCALE = re.compile(r"[0-9]{1,2}(?:\.[0-9])?x\.")
_WIDEST = 256


class EmailDetector:
    category = "EMAIL_ADDRESS"
    bound = 64 + 1 + 255 + 1
    context = 16
    trigger = "@"

    def scan(self, text: str, start: int, open_word: int, final: bool) -> Scan:
        at = text.find("@", start)
        if at < 0:
            return NOTHING, max(open_word, start)
        found: list[Match] = []
        size = len(text)
        while at >= 0:
            begin = _local(text, start, at)
            if begin is not None and text[at - 1] != ".":
                if not final and size - at <= _WIDEST and _OPEN.match(text, at + 1):
                    return found, begin
                domain = _DOMAIN.match(text, at + 1, at + 1 + _WIDEST)
                if domain is not None and (begin < at or domain["last"] in domains.UNSPACED) and _is_one(domain):
                    found.append(Match(begin, domain.end(), "address"))
                    start = domain.end()
            at = text.find("@", max(at + 1, start))
        return found, max(open_word, start)


def _local(text: str, start: int, at: int) -> int | None:
    """Where the local part before the sign at `at` begins; `at` if it cannot be told, None if there is none."""
    if at and _UNSPACED.match(text, at - 1):
        word = UNSPACED_WORD.match(text[max(0, at - 14) : at][::-1])
        return max(start, at - word.end()) if word else at
    local = _LOCAL.search(text, max(start, at - 64), at)
    if local is None:
        return None
    begin, left = local.start(), -1
    while begin > left:  # until nothing more is left out: looked at again from there, it begins there
        left = begin
        while begin < at and text[begin] in _EDGES:
            begin += 1
        if fields := _FIELDS.match(text, begin, at):
            begin = fields.end()
    return begin if begin < at else None


def _is_one(domain: re.Match[str]) -> bool:
    """Whether it is a domain, not the name of a file or a tag."""
    labels = domain["labels"].lower()
    if _SCALE.match(labels):
        return False
    if domain["last"].lower() not in domains.NONE:
        return True
    before = labels.rstrip(".").rpartition(".")
    return bool(before[1]) and (before[2] in domains.COMMON or (len(before[2]) == 2 and before[2].isalpha()))
