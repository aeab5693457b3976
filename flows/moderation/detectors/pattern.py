"""A pattern of the user's own, on RE2: its time is linear in the text whatever the pattern, it cannot hang.

Rules
- A match is at most `max_length` characters: what the pattern matches within so many, with what lies around them as
  context. The longest match of a place is not sought: the pattern's own preference holds, as in RE2.
- Whether a match begins at a place depends on that much text behind it and one character around, and is decided when
  that is there, or when the text can no longer become a match. A piece's end is never taken for the end of the text.
- Text is held only while its end may still become a match (`beginnings.py`), and at most `max_length` characters.
- With a `check` a match counts only if its letters and digits, in capitals, pass it.
- What a pattern of the user's has at its ends, `\\b` or `\\B`, is judged here, by the letters of all scripts
  (`widening.py`): a match counts only if it holds, and reaches further or less far where it does not.

Bound: the pattern's `max_length`, and one character.
"""

from __future__ import annotations

from collections.abc import Callable

import re2  # type: ignore[import-untyped]  # google-re2 ships no types

from connectors.fields import FieldError
from flows.moderation.beginnings import beginning
from flows.moderation.detectors.base import Scan
from flows.moderation.findings import Match
from flows.moderation.widening import LETTER, NO_LETTER, is_word, widened

_NEAR = 16
_MEMORY = 16 << 20  # bytes RE2 may use for one pattern


class PatternDetector:
    """Finds one pattern. Raises `SettingsError`, naming `field`, for a pattern that cannot serve a stream."""

    context = 2

    def __init__(
        self,
        name: str,
        regex: str,
        max_length: int,
        field: str,
        check: Callable[[str], bool] | None = None,
        trigger: str | None = None,
        begins: str = "",
        ends: str = "",
    ) -> None:
        self.category = name
        self.trigger = trigger
        self._check = check
        self._begins, self._ends = begins, ends
        self.bound = max_length + 1
        self._most = max_length
        self._whole = _compile(regex, field)
        if self._whole.fullmatch(""):
            raise FieldError(field, "matches the empty text; let it match at least one character")
        try:
            begun = beginning(regex)
        except ValueError as error:
            raise FieldError(field, f"cannot serve: {error}") from None
        self._begun = _compile(f"(?:{begun})\\z", field)
        self._before = [_compile(f"({regex}){sign}", field) for sign in (NO_LETTER, LETTER)] if ends else []

    def scan(self, text: str, start: int, open_word: int, final: bool) -> Scan:
        size = len(text)
        undecided = size if final else self._first_begun(text, start)
        found: list[Match] = []
        at = start
        while at < undecided:
            # A window, so that what a long match costs does not depend on the text behind it. In it are all matches
            # that begin at `at` or up to `_most` behind it, and the character that follows each.
            left = max(0, at - 1)
            match = self._whole.search(text[left : at + 2 * self._most + 1], at - left)
            begin = left + match.start() if match else size
            if begin > at + self._most:
                at += self._most + 1
                continue
            if begin >= undecided:
                break
            end = self._end(text, begin)
            if not end:
                at = begin + 1
                continue
            found.append(Match(begin, end, "pattern"))
            at = start = end
            if at > undecided:
                undecided = self._first_begun(text, at)  # what began inside the match is no beginning any more
        return found, max(undecided, start)

    def _end(self, text: str, begin: int) -> int:
        """The end of the match that begins there; 0 if none does that is short enough and passes the check."""
        left = max(0, begin - 1)
        if not _has_edge(self._begins, text, begin):
            return 0
        window, at = text[left : begin + self._most + 1], begin - left
        match = self._whole.match(window, at, at + self._most)
        if not match or not match.group():
            return 0
        end = left + int(match.end())
        if self._ends and not _has_edge(self._ends, text, end):
            end = self._other_end(text, begin, end)
        return end if end and self._holds(text[begin:end]) else 0

    def _other_end(self, text: str, begin: int, end: int) -> int:
        """Where else a match ends as it has to; 0 if nowhere.

        The `_NEAR` nearest places are tried, further first, as a lazy pattern would; then RE2 is asked for a match
        before a letter and for one before none. That misses one only where its last sign may be a letter or not.
        """
        most: int = min(begin + self._most, len(text))
        further = range(end + 1, min(end + _NEAR, most) + 1)
        other: int
        for other in (*further, *range(end - 1, max(end - _NEAR, begin), -1)):
            if _has_edge(self._ends, text, other) and self._whole.fullmatch(text[begin:other]):
                return other
        window = text[begin : most + 1] if most < len(text) else f"{text[begin:]}\n"
        for before in self._before:
            match = before.match(window)
            last: int = begin + match.end(1) if match else begin
            if last > begin and _has_edge(self._ends, text, last):
                return last
        return 0

    def _holds(self, value: str) -> bool:
        if self._check is None:
            return True
        plain = "".join(char for char in value if char.isalnum()).upper()
        return plain.isascii() and self._check(plain)

    def _first_begun(self, text: str, start: int) -> int:
        """Where the first match may begin that is not complete."""
        size = len(text)
        first = max(start, size - self._most)
        while first < size:
            left = max(0, first - 1)
            match = self._begun.search(text[left:], first - left)
            if not match:
                return size
            first = left + int(match.start())
            if first == size or _has_edge(self._begins, text, first):
                return first
            first += 1
        return size


def users_detector(name: str, regex: str, max_length: int, field: str) -> PatternDetector:
    """The detector of a pattern of the user's own, which holds for all scripts. Raises `SettingsError`."""
    _compile(regex, field)
    try:
        wide = widened(regex)
    except ValueError as error:
        raise FieldError(field, f"cannot serve: {error}") from None
    return PatternDetector(name, wide.regex, max_length, field, begins=wide.begins, ends=wide.ends)


def _has_edge(edge: str, text: str, at: int) -> bool:
    """Whether `\\b` or `\\B` holds there; nothing does always."""
    if not edge:
        return True
    boundary = is_word(text[at - 1 : at] if at else "") != is_word(text[at : at + 1])
    return boundary == (edge == r"\b")


def _compile(regex: str, field: str) -> re2._Regexp:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    try:
        return re2.compile(regex, options)
    except re2.error as error:
        reason = error.args[0] if error.args else "not a pattern"
        reason = reason.decode(errors="replace") if isinstance(reason, bytes) else reason
        what = reason.partition(": ")[0]  # what follows is the pattern's own text
        raise FieldError(field, f"is no pattern of RE2's: {what}") from None
