"""Whether a sentence ends at a line break, and markdown's lines.

Certainty
- Proved by the line break itself: behind a stop or colon, behind a heading or a row of a table, and a blank line.
- Proved by the next visible character: every other line break. A line that goes on in a small letter was only wrapped,
  if the piece began like a sentence; a piece that began in a small letter itself is a line of a list, a verse or code.

Rules
- A heading (`#`) and a row of a table (`|`) are whole: nothing inside them ends.
- A code fence is one piece, from its opening to the line break behind its closing.
- A line break with more than `BLANKS` white space behind it ends a piece, and no line that begins with more than that
  closes a fence.
- Behind a hard break (two spaces), or indented by four or more (code), a line stands for itself.
"""

from __future__ import annotations

import re
from enum import Enum

from flows.sentences.languages import Kind, Language
from flows.sentences.signs import BLANKS, CLOSING, FULL_STOPS, STOPS


class Line(Enum):
    TEXT = "text"
    WHOLE = "whole"
    FENCE = "fence"


_ENDED = re.compile(rf"[{re.escape(STOPS + FULL_STOPS)}:：][{re.escape(CLOSING)}]{{0,8}}\s*\Z")
_LAST_WORD = re.compile(r"([^\s(\"'“‘]+)\.\s*\Z")
_NOT_WRAPPED = frozenset("({[;=\\<>|")
_OPENING = re.compile(r"#{1,6}|`{1,64}|~{1,64}")


def opening(text: str, at: int, final: bool) -> tuple[Line, str, int] | None:
    """What the line that begins visibly at `at` is: its kind, its fence if it is one, and where to go on.

    None while its first signs may still grow.
    """
    mark = _OPENING.match(text, at)
    if mark is None:
        return (Line.WHOLE if text[at] == "|" else Line.TEXT), "", at
    signs, end = mark.group(), mark.end()
    if end == len(text) and not final:
        return None
    if signs[0] == "#":
        return (Line.WHOLE if text[end : end + 1].isspace() else Line.TEXT), "", at
    return (Line.FENCE, signs, end) if len(signs) >= 3 else (Line.TEXT, "", at)


def closing(text: str, line_break: int, fence: str, final: bool) -> int | None:
    """Where the code fence ends, if the line behind this line break closes it; 0 if not; None while it may."""
    furthest = line_break + 1 + BLANKS
    at = _skip(text, line_break + 1, furthest, " \t")
    rest = text[at : at + len(fence)]
    if rest != fence:
        return None if fence.startswith(rest) and at + len(rest) == len(text) and not final else 0
    at = _skip(text, _skip(text, at, furthest, fence[0]), furthest, " \t\r")
    if at >= furthest:
        return 0
    if at == len(text):
        return 0 if final else None
    return at + 1 if text[at] == "\n" else 0


def _skip(text: str, at: int, furthest: int, signs: str) -> int:
    """Where something else than these signs stands, `furthest` at most."""
    while at < min(len(text), furthest) and text[at] in signs:
        at += 1
    return at


def judge(before: str, text: str, at: int, first: str, language: Language, final: bool) -> int | None:
    """Where a piece of plain text is cut at the line break `at`; 0 if nowhere; None while it is open.

    `before` is the text before the line break, `first` the first visible character of the piece.
    """
    if _ENDED.search(before):
        word = _LAST_WORD.search(before)
        if not word or language.abbreviations.get(word.group(1).lower()) not in (Kind.NAME, Kind.INNER):
            return at + 1
    ahead, furthest = at + 1, at + 1 + BLANKS
    while ahead < min(len(text), furthest) and text[ahead] != "\n" and text[ahead].isspace():
        ahead += 1
    if ahead == furthest:
        return ahead
    if ahead == len(text):
        return 0 if final else None
    if text[ahead] == "\n":
        return ahead + 1
    hard = before.endswith("  ") or ahead - at > 4
    wrapped = text[ahead].islower() and not first.islower() and before.rstrip()[-1:] not in _NOT_WRAPPED
    return 0 if wrapped and not hard else ahead
