"""E-mail addresses (RFC 5321's dot-atoms, RFC 6531's letters).

Bound: local part 64, domain 255, the sign between them and one character after.
"""

from __future__ import annotations

import re

from flows.moderation.detectors.base import NOTHING, Scan
from flows.moderation.findings import Match

_ALPHA = "A-Za-z\u00c0-\u024f\u0370-\u03ff\u0400-\u052f"
_LETTER = _ALPHA + "0-9"
_LOCAL = re.compile(rf"[{_LETTER}._%+'\-]{{1,64}}\Z")
_DOMAIN = re.compile(
    rf"(?:[{_LETTER}](?:[{_LETTER}\-]{{0,61}}[{_LETTER}])?\.){{1,8}}"
    rf"(?:xn--[A-Za-z0-9-]{{2,59}}|[{_ALPHA}]{{2,24}})(?![{_LETTER}-])"
)
_DOMAIN_RUN = re.compile(rf"[{_LETTER}.\-]{{0,255}}")
_EDGES = ".%+'-"


class EmailDetector:
    category = "EMAIL_ADDRESS"
    bound = 64 + 1 + 255 + 1
    trigger = "@"

    def scan(self, text: str, start: int, open_word: int, final: bool) -> Scan:
        at = text.find("@", start)
        if at < 0:
            return NOTHING, max(open_word, start)
        found: list[Match] = []
        size = len(text)
        while at >= 0:
            local = _LOCAL.search(text, max(start, at - 64), at)
            begin = local.start() if local else at
            while begin < at and text[begin] in _EDGES:
                begin += 1
            if begin < at and text[at - 1] not in ".":
                run = _DOMAIN_RUN.match(text, at + 1)
                if run is not None and run.end() == size and not final and size - at <= 256:
                    return found, min(begin, max(open_word, start))
                domain = _DOMAIN.match(text, at + 1, at + 257)
                if domain is not None:
                    found.append(Match(begin, domain.end(), "address"))
                    start = domain.end()
            at = text.find("@", max(at + 1, start))
        return found, max(open_word, start)
