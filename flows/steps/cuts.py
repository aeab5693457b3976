"""Where a window may be cut that no sentence ends: at a clause, or when it is full.

Rules
- A clause ends behind `, ; : —` and their like with white space after it, or behind the full-width ones alone; never
  inside inline code, a code fence or brackets that are open.
- A full window is cut behind its last clause, if that is not in its first half; else behind its last word; else, in
  scripts that write without spaces, before its last character, as readers see characters.
- Never inside a number ("1 000", "3：30", "10，000", "三十五"), a URL or a word: without such a place there is None,
  and the window waits for one. A sign between two digits may be the number's own, so no clause ends at it; where the
  window ends behind a digit and a sign, the number may go on.
"""

from __future__ import annotations

import re
import unicodedata

WIDE = "、，；：﹐﹑﹔﹕"
BEHIND = rf"\s{WIDE}”’」』）"
"""What a word may begin behind, as the inside of a character class."""
SIGNS = ",;:،؛—–"
"""What a clause ends with where white space follows; a sign of `WIDE` needs none."""
_CLAUSE = re.compile(rf"[{SIGNS}][\"'”’)\]»]*\s+|[{WIDE}][”’」』）]*")
_SPACE = re.compile(r"\s+")
UNSPACED = r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
"""Characters of scripts without blanks between words, as the class of a pattern."""
_UNSPACED = re.compile(UNSPACED)
_MAKES_PLACE = re.compile(rf"[{BEHIND}]|{UNSPACED}")
_ZWJ = "\u200d"
_NUMERALS = frozenset("〇零一二三四五六七八九十百千万萬亿億兆两兩半点點")


def clause_ends(text: str, at: int) -> bool:
    """Whether a clause of `text` ends right before `at`, where a word begins."""
    space = len(text[:at].rstrip())
    match = _CLAUSE.match(text, max(0, space - 1)) or _CLAUSE.match(text, max(0, space - 2))
    return match is not None and match.end() == at and not _is_inside(text[:at]) and not _is_in_number(text, match)


def best_cut(window: str) -> int | None:
    """How much of a full window to let go, from 1 to all of it; None where no place is good."""
    half = len(window) // 2
    clauses = [m.end() for m in _CLAUSE.finditer(window) if m.end() > half and not _is_in_number(window, m)]
    if clauses and window[: clauses[-1]].strip():
        return clauses[-1]
    for match in reversed(list(_SPACE.finditer(window))):
        before, after = window[: match.start()], window[match.end() : match.end() + 1]
        if before and not (before[-1].isdigit() and (after.isdigit() or not after)):
            return match.end()
    if not window.strip():
        return len(window)
    return _last_character(window) if _UNSPACED.match(window[-1]) else None


def may_have_place(window: str) -> bool:
    """Whether `best_cut` may find a place that was not there before the window's last character came."""
    return _MAKES_PLACE.search(window, len(window) - 2) is not None


def _is_inside(text: str) -> bool:
    return text.count("`") % 2 == 1 or text.count("(") > text.count(")") or text.count("[") > text.count("]")


def _is_in_number(text: str, sign: re.Match[str]) -> bool:
    """Whether digits stand on both sides of the sign, or may: nothing has come behind it."""
    after = text[sign.end() : sign.end() + 1]
    return (after.isdigit() or not after) and digit_before(text, sign.start()) >= 0


def digit_before(text: str, sign: int) -> int:
    """Where the digit stands that a sign at that place follows, as one inside a number does; -1 for none."""
    first = max(0, sign - 4)
    before = text[first:sign].rstrip()
    return first + len(before) - 1 if before[-1:].isdigit() else -1


def _last_character(text: str) -> int | None:
    """Where the last character begins as readers see it, with its marks, joiners and variation selectors; or the number
    that it goes on with. None where that is all of the text."""
    at = len(text) - 1
    while at > 0 and (unicodedata.category(text[at]) in ("Mn", "Mc", "Me") or _ZWJ in text[at - 1 : at + 1]):
        at -= 1
    while at > 0 and _counts(text[at]) and _counts(text[at - 1]):
        at -= 1
    return at or None


def _counts(char: str) -> bool:
    return char.isdigit() or char in _NUMERALS
