"""Where a window may be cut that no sentence ends: at a clause, or when it is full.

Rules
- A clause ends behind `, ; : —` and their like with white space after it, or behind the full-width ones alone; never
  inside inline code, a code fence or brackets that are open.
- A full window is cut behind its last clause, if that is not in its first half; else behind its last word; else, in
  scripts that write without spaces, before its last character, as readers see characters.
- Never inside a number ("1 000"), a URL or a word: without such a place there is None, and the window waits for one.
"""

from __future__ import annotations

import re
import unicodedata

_CLAUSE = re.compile(r"[,;:،؛—–][\"'”’)\]»]*\s+|[、，；：][”’」』）]*")
_SPACE = re.compile(r"\s+")
_UNSPACED = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
_MAKES_PLACE = re.compile(rf"[\s、，；：”’」』）]|{_UNSPACED.pattern}")
_ZWJ = "\u200d"


def clause_ends(text: str, at: int) -> bool:
    """Whether a clause of `text` ends right before `at`, where a word begins."""
    space = len(text[:at].rstrip())
    match = _CLAUSE.match(text, max(0, space - 1)) or _CLAUSE.match(text, max(0, space - 2))
    return match is not None and match.end() == at and not _is_inside(text[:at])


def best_cut(window: str) -> int | None:
    """How much of a full window to let go, from 1 to all of it; None where no place is good."""
    clauses = [match.end() for match in _CLAUSE.finditer(window) if match.end() > len(window) // 2]
    if clauses and window[: clauses[-1]].strip():
        return clauses[-1]
    for match in reversed(list(_SPACE.finditer(window))):
        before, after = window[: match.start()], window[match.end() : match.end() + 1]
        if before and not (before[-1].isdigit() and (after.isdigit() or not after)):
            return match.end()
    if _UNSPACED.match(window[-1]) and len(window) > 1:
        return _last_character(window)
    return len(window) if not window.strip() else None


def may_have_place(window: str) -> bool:
    """Whether `best_cut` may find a place that was not there before the window's last character came."""
    return _MAKES_PLACE.search(window, len(window) - 2) is not None


def _is_inside(text: str) -> bool:
    return text.count("`") % 2 == 1 or text.count("(") > text.count(")") or text.count("[") > text.count("]")


def _last_character(text: str) -> int:
    """Where the last character begins as readers see it: with its marks, joiners and variation selectors."""
    at = len(text) - 1
    while at > 1 and (unicodedata.category(text[at]) in ("Mn", "Mc", "Me") or _ZWJ in text[at - 1 : at + 1]):
        at -= 1
    return at
