"""Secrets: tokens of makers, keys in blocks, and what is assigned to a name that says so. An opt-in.

Rules
- A maker's token begins as no word does (`tables/makers.py`) and is certain when as much of it is there as tells it;
  then all that goes on in its signs belongs to it, however long.
- A key's block begins with its BEGIN line, is certain when a line of a key or its END follows, and goes on while more
  of either comes within `_BETWEEN` characters: line ends in any spelling (`\\n` too), quotes, headers and signs of
  quotation may lie between. It ends with its END, or where no more comes.
- What is assigned to a name (`api_key = "..."`, `Authorization: Bearer ...`, `AccountKey=...`) counts if it looks drawn
  by lot: a placeholder or a word does not.
- What is undecided is held, at most `bound` characters.
"""

from __future__ import annotations

import re
from collections import defaultdict

import ahocorasick  # type: ignore[import-not-found]  # pyahocorasick ships no types

from flows.moderation.detectors import assigned
from flows.moderation.detectors.base import NOTHING, Scan
from flows.moderation.findings import Match
from flows.moderation.tables.makers import ENCODED, LOOK, MAKERS, RUN, Maker

BLOCK = "private key"

_HEADER = re.compile(
    r"-----BEGIN [0-9A-Z_ -]{0,40}PRIVATE KEY(?: BLOCK)?-----|BEGIN SSH2 ENCRYPTED PRIVATE KEY ----"
    r"|PuTTY-User-Key-File-\d:"
)
_HEADER_BEGUN = re.compile(r"-----BEGIN(?: [0-9A-Z_ -]*)?|BEGIN SSH2[ A-Z-]*|PuTTY-User-Key-File-\d?")
_HEADER_MOST = 80
_HEADERS = ("-----BEGIN", "BEGIN SSH2", "PuTTY-User-Key-File-")

_BETWEEN = 160
_AHEAD = _BETWEEN + 80  # what tells whether a block goes on: as far as the next line may lie, and what tells that
_LINE = re.compile(
    r"(?P<end>-----END [^-]{0,50}-----|---- END [^-]{0,50}----)"
    r"|(?<![0-9A-Za-z+/])(?:[0-9A-Za-z+/]{40}"
    r"|(?=[0-9a-z+/]{0,27}[A-Z])(?=[0-9A-Z+/]{0,27}[a-z])(?=[A-Za-z+/]{0,27}[0-9])[0-9A-Za-z+/]{20})"
)
"""The END of a block, or as much of a line in base 64 as tells it from words."""
_REST_OF_LINE = re.compile(r"[0-9A-Za-z+/=]*")
_LAST_LINE = re.compile(
    r"[ \t\"',+]{0,6}(?:[\r\n]|\\[nr])(?:[\s\"',+>|]|\\[nr]){0,8}[0-9A-Za-z+/=]{1,39}(?=\s{0,4}(?:\n|\\[nr]|\Z))"
)
_ONLY_LINE = re.compile(r"(?:\s|\\[nr]){1,8}[0-9A-Za-z+/=]{4,39}\s*\Z")

_BOUNDARY = re.compile(r"(?<![0-9A-Za-z])|(?<=\\[nrt])|(?<=%[0-9A-F][0-9A-F])")
_IN_RUN = re.compile(f"[{RUN}]*")

_Shape = tuple[re.Pattern[str], Maker]


class SecretsDetector:
    """Finds secrets."""

    category = "SECRET"
    trigger = None
    bound = max(LOOK, _HEADER_MOST + _AHEAD)

    def __init__(self) -> None:
        shapes: dict[str, list[_Shape]] = defaultdict(list, {header: [] for header in _HEADERS})
        for maker in MAKERS:
            after = "(?![0-9A-Za-z])" if maker.exact else ""
            for beginning in maker.beginnings.split():
                shapes[beginning].append((re.compile(re.escape(beginning) + maker.rest + after), maker))
        self._beginnings = ahocorasick.Automaton()
        for beginning, its in shapes.items():
            self._beginnings.add_word(beginning, (len(beginning), its))
        self._beginnings.make_automaton()
        self._more = {maker.rule: re.compile(maker.more) for maker in MAKERS} | assigned.VALUES

    def scan(self, text: str, start: int, open_word: int, final: bool) -> Scan:
        found: list[Match] = NOTHING
        at = start
        for begin, named, shapes in self._candidates(text, start):
            if begin < at:
                continue
            goes_on = True
            if named:
                rule, end = assigned.rule_of(named), assigned.value_at(text, begin, named, final)
                goes_on = end - begin >= LOOK
            elif shapes:
                rule, end, goes_on = _token(text, begin, shapes, final)
            else:
                rule, end = BLOCK, _block(text, begin, final)
            if end < 0:
                return found, min(begin, max(at, open_word))
            if end:
                at = end
                found = [*found, Match(begin, end, rule, goes_on)]
                if goes_on:
                    return found, end
        return found, max(at, open_word)

    def go_on(self, text: str, start: int, rule: str, final: bool) -> tuple[int, bool]:
        if rule in (BLOCK, ENCODED):
            return _block_end(text, start, rule == BLOCK, final)
        more = self._more[rule]
        end = more.match(text, start).end()  # type: ignore[union-attr]  # it always matches
        undecided = text[end : end + 2]  # a dot belongs to it if something follows
        return end, not final and (not undecided or (undecided == "." and "." in more.pattern))

    def _candidates(self, text: str, start: int) -> list[tuple[int, str, list[_Shape]]]:
        """Where something may begin, in order: with its name if it is assigned, else with what it may be."""
        found: list[tuple[int, str, list[_Shape]]] = []
        for last, (size, shapes) in self._beginnings.iter(text, start):
            begin = last + 1 - size
            if _BOUNDARY.match(text, begin):
                found.append((begin, "", shapes))
        found.reverse()  # of those that begin at one place the longest first
        found += [(begin, name, []) for begin, name in assigned.values(text, start)]
        found.sort(key=_begin)
        return found


def _begin(candidate: tuple[int, str, list[_Shape]]) -> int:
    return candidate[0]


def _token(text: str, begin: int, shapes: list[_Shape], final: bool) -> tuple[str, int, bool]:
    """The rule and as much as is certain of the token that begins there, and whether more of it may follow; 0 if none
    does, -1 if that is undecided."""
    end = begin + LOOK
    for shape, maker in shapes:
        match = shape.match(text, begin, end)
        if match and (final or not maker.exact or match.end() < len(text)):
            return maker.rule, match.end(), not maker.exact
    may_grow = not final and len(text) < end and _IN_RUN.fullmatch(text, begin) is not None
    return "", -1 if may_grow else 0, False


def _block(text: str, begin: int, final: bool) -> int:
    """The end of the header of a key's block that begins there; 0 if none does, -1 if that is undecided."""
    header = _HEADER.match(text, begin, begin + _HEADER_MOST)
    if header is None:
        begun = not final and len(text) - begin < _HEADER_MOST and _HEADER_BEGUN.fullmatch(text, begin)
        return -1 if begun else 0
    end = header.end()
    if _next_line(text, end) or (final and _ONLY_LINE.match(text, end)):
        return end
    return -1 if not final and len(text) - end < _AHEAD else 0


def _next_line(text: str, start: int) -> re.Match[str] | None:
    """The next line of a block, or its END."""
    line = _LINE.search(text, start, start + _AHEAD)
    return line if line and line.start() - start <= _BETWEEN else None


def _block_end(text: str, start: int, breaks_off: bool, final: bool) -> tuple[int, bool]:
    """How far a block that is certain up to `start` is certain now, and whether it may go on. One without an END may
    have broken off in a line."""
    while True:
        start = _REST_OF_LINE.match(text, start).end()  # type: ignore[union-attr]  # it always matches
        line = _next_line(text, start)
        if line is None:
            break
        start = line.end()
        if line["end"]:
            return start, False
    if not final and len(text) - start < _AHEAD:
        return start, True
    last = _LAST_LINE.match(text, start) if breaks_off else None
    return last.end() if last else start, False
