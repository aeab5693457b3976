"""A pattern of the user's own, on RE2: its time is linear in the text whatever the pattern, it cannot hang.

Rules
- A match is at most `max_length` characters; a longer one counts as far as that. The longest match of a place is not
  sought: the pattern's own preference holds, as in RE2.
- Text is held only while its end may still become a match (`beginnings.py`), and at most `max_length` characters.
- With a `check` a match counts only if its letters and digits, in capitals, pass it.

Bound: the pattern's `max_length`, and one character.
"""

from __future__ import annotations

from collections.abc import Callable

import re2  # type: ignore[import-untyped]  # google-re2 ships no types

from connectors.errors import SettingsError
from flows.moderation.beginnings import beginning
from flows.moderation.detectors.base import Scan
from flows.moderation.findings import Match

_MEMORY = 16 << 20  # bytes RE2 may use for one pattern


class PatternDetector:
    """Finds one pattern. Raises `SettingsError`, naming `field`, for a pattern that cannot serve a stream."""

    def __init__(
        self,
        name: str,
        regex: str,
        max_length: int,
        field: str,
        check: Callable[[str], bool] | None = None,
        trigger: str | None = None,
    ) -> None:
        self.category = name
        self.trigger = trigger
        self._check = check
        self.bound = max_length + 1
        self._most = max_length
        self._whole = _compile(regex, field)
        if self._whole.fullmatch(""):
            raise SettingsError(f"{field}: the pattern matches the empty text; let it match at least one character")
        try:
            begun = beginning(regex)
        except ValueError as error:
            raise SettingsError(f"{field}: {error}") from None
        self._begun = _compile(f"(?:{begun})\\z", field)

    def scan(self, text: str, start: int, open_word: int, final: bool) -> Scan:
        size = len(text)
        settled = size if final else self._first_begun(text, start)
        found: list[Match] = []
        at = start
        while at < settled:
            # A window, so that what a long match costs does not depend on the text behind it.
            left = max(0, at - 1)
            window = text[left : at + 2 * self._most]
            match = self._whole.search(window, at - left)
            begin = left + match.start() if match else at + self._most
            if begin >= settled:
                break
            if match is None:
                at = begin
                continue
            inner = text[max(0, begin - 1) : begin + self._most]
            match = self._whole.match(inner, 1 if begin else 0)
            if match is None or match.end() == match.start() or not self._holds(match.group()):
                at = begin + 1
                continue
            at = begin + match.end() - match.start()
            found.append(Match(begin, at, "pattern"))
        return found, max(settled, at if found else start)

    def _holds(self, value: str) -> bool:
        if self._check is None:
            return True
        plain = "".join(char for char in value if char.isalnum()).upper()
        return plain.isascii() and self._check(plain)

    def _first_begun(self, text: str, start: int) -> int:
        """Where the first match may begin that is not complete."""
        size = len(text)
        first = max(start, size - self._most)
        left = max(0, first - 1)
        match = self._begun.search(text[left:], first - left)
        return left + match.start() if match else size


def _compile(regex: str, field: str) -> re2._Regexp:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    try:
        return re2.compile(regex, options)
    except re2.error as error:
        reason = error.args[0] if error.args else "not a pattern"
        reason = reason.decode(errors="replace") if isinstance(reason, bytes) else reason
        raise SettingsError(f"{field}: RE2 does not take this pattern: {reason}") from None
