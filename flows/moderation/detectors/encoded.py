"""Values in percent or entity encoding, as in URLs and HTML: an opt-in.

What is written with `%40` or `&#64;` is decoded, twice where the signs themselves are encoded (`%2540`), and shown to
the detectors of the six types. What they find there, and what is encoded at least in part, is a finding.

- A piece is what has no blank, bracket, quote, slash, comma, colon, `=`, `&` or `?` in it but in encoded form; it
  begins at most 64 characters before its first encoded one and ends at most 256 behind that. A blank before what is
  encoded, or before a digit, is in it.
- A piece is judged by itself, whatever stands around it.

Bound: 64 and 256 characters, and two after.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from flows.moderation.detectors.base import NOTHING, Detector, Scan
from flows.moderation.findings import Match
from flows.moderation.tables.plain import read_plain
from flows.moderation.tables.scripts import OPEN_BREAKS, UNSPACED

_BEFORE = 64
_LONGEST = 256
_ENTITY = r"&(?:\#[0-9]{1,7}|\#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][0-9A-Za-z]{1,15});"
_PERCENT = "(?:%[0-9A-Fa-f]{2})+"
_CODED = re.compile(f"{_PERCENT}|{_ENTITY}")
_FIRST = re.compile(rf"%[0-9A-Fa-f]{{2}}|{_ENTITY}")
_PLAIN = f"[^{OPEN_BREAKS}{UNSPACED}=&?]"
_START = re.compile(rf"{_PLAIN}{{0,{_BEFORE}}}\Z")
_PIECE = re.compile(rf"(?:{_ENTITY}|{_PLAIN}|[ ](?=[0-9]|%[0-9A-Fa-f]{{2}}|{_ENTITY}))+")
_MAY_BEGIN = r"(?:%[0-9A-Fa-f]?|&(?:\#[xX]?[0-9A-Fa-f]{0,7}|[0-9A-Za-z]{0,16}))"
_OPEN = re.compile(rf"[ ]?(?:{_MAY_BEGIN})?\Z")
_BEGUN = re.compile(rf"{_MAY_BEGIN}\Z")

_Decoded = tuple[str, list[int]]
"""A text, and for each of its characters where in the source it begins; and where the source ends."""


class EncodedDetector:
    """Of what these detectors find in plain text."""

    category = "ENCODED_VALUE"
    bound = _BEFORE + _LONGEST + 2
    trigger = "%&"

    def __init__(self, detectors: Sequence[Detector]) -> None:
        self._detectors = detectors

    def scan(self, text: str, start: int, open_word: int, final: bool) -> Scan:
        found: list[Match] = []
        size = len(text)
        first = _FIRST.search(text, start)
        while first is not None:
            begun = _START.search(text, max(start, first.start() - _BEFORE), first.start())
            begin = begun.start() if begun else first.start()
            limit = first.start() + _LONGEST
            piece = _PIECE.match(text, first.start(), limit)
            assert piece is not None  # it begins with what is encoded
            end = piece.end()
            if not final and size < limit + 2 and _OPEN.match(text, end):
                return found, begin
            found += self._found(text[begin:end], begin)
            start = end
            first = _FIRST.search(text, start)
        if not final and (last := _BEGUN.search(text, max(start, size - 19))):
            begun = _START.search(text, max(start, last.start() - _BEFORE), last.start())
            return found or NOTHING, begun.start() if begun else last.start()
        return found or NOTHING, max(open_word, start)

    def _found(self, piece: str, begin: int) -> list[Match]:
        """What the detectors find in the piece once it is decoded, by its places in the text."""
        decoded, places = _decoded(*_decoded(piece, list(range(len(piece) + 1))))
        plain = read_plain(decoded)
        found = []
        for detector in self._detectors:
            for match in detector.scan(plain, 0, len(plain), True)[0]:
                first, last = places[match.start], places[match.end]
                if last - first > match.end - match.start:
                    found.append(Match(begin + first, begin + last, detector.category.lower()))
        return sorted(found)


def _decoded(text: str, places: list[int]) -> _Decoded:
    """The text with what is encoded in it decoded, once."""
    parts: list[str] = []
    at: list[int] = []
    done = 0
    for coded in _CODED.finditer(text):
        parts.append(text[done : coded.start()])
        at += places[done : coded.start()]
        done = coded.end()
        if text[coded.start()] == "&":
            chars = html.unescape(coded.group())
            parts.append(chars)
            at += [places[coded.start()]] * len(chars)
            continue
        place = coded.start()
        for char in bytes.fromhex(coded.group().replace("%", "")).decode("utf-8", "replace"):
            parts.append(char)
            at.append(places[place])
            place = min(done - 3, place + 3 * len(char.encode("utf-8", "replace")))
    parts.append(text[done:])
    return "".join(parts), at + places[done:]
