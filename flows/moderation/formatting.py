"""Formatting of what is given out: markdown's signs taken out, white space brought to single blanks.

Rules
- A sign goes only where it is markup. `*`, `_` and `~~` are markup beside a word, not between blanks, and not inside
  a word: snake_case, 2*3, 2**8 and ~5 stay. Nothing inside code is markup but the backticks that end it.
- A run of white space becomes one blank.
- It sees the text in order, as it is given out, and keeps two facts about what it has seen; no text.
- A run of signs is judged whole: what is given out never ends inside one (of `RUN` signs at most).
"""

from __future__ import annotations

import re

from flows.moderation.findings import Span

RUN = 64

_MARKDOWN = "|".join(rf"{sign}{{1,{RUN}}}" for sign in (r"\*", "_", "~", "`"))
_PARAGRAPH = re.compile(r"\n[ \t]{0,4}\n")
_PARAGRAPH_CHARS = 6


class Formatter:
    """Formats one turn. `state` is what a snapshot has to hold."""

    __slots__ = ("_code", "_normalise", "_strip", "_token", "_white")

    def __init__(self, strip_markdown: bool, normalise_space: bool) -> None:
        self._strip, self._normalise = strip_markdown, normalise_space
        self._token = re.compile("|".join([_MARKDOWN] * strip_markdown + [r"\s+"]))
        self._code = 0  # backticks that opened the code we are in
        self._white = False  # whether white space was given out last

    @property
    def state(self) -> tuple[int, bool]:
        return self._code, self._white

    @state.setter
    def state(self, state: tuple[int, bool]) -> None:
        self._code, self._white = state

    def end(self, text: str, begin: int, end: int) -> int:
        """The last place up to `end` where no run of signs of `text[begin:]` is cut."""
        if not self._strip or not begin < end < len(text) or text[end] != text[end - 1] or text[end] not in "*_~`":
            return end
        first = end
        while first > begin and text[first - 1] == text[end]:
            first -= 1
        return end - (end - first) % RUN

    def spans(self, text: str, begin: int, end: int, base: int) -> list[Span]:
        """The spans for `text[begin:end)`, whose source offsets are `base` more. Text around it is context."""
        spans: list[Span] = []
        at = seen = begin
        for token in self._token.finditer(text, begin, end):
            first, last = token.span()
            if first > seen:
                self._white = False
            seen = last
            new = self._instead(text, first, last)
            if new is None:
                self._white = text[last - 1].isspace()
                continue
            if first > at:
                spans.append(Span(base + at, base + first, text[at:first]))
            spans.append(Span(base + first, base + last, new))
            self._white = self._white or bool(new)
            at = last
        if at < end:
            spans.append(Span(base + at, base + end, text[at:end]))
        if seen < end:
            self._white = False
        return spans

    def passed(self, text: str, begin: int, end: int) -> None:
        """Something else was given out for `text[begin:end)`: a mask."""
        for token in self._token.finditer(text, begin, end):
            self._instead(text, *token.span())
        self._white = False

    def _instead(self, text: str, first: int, last: int) -> str | None:
        """What takes the place of a token; None if it stays."""
        run = text[first:last]
        if run[0].isspace():
            if self._code < 3 and _PARAGRAPH.search(text, _white_begins(text, first), last):
                self._code = 0  # a backtick that nothing closed
            if not self._normalise:
                return None
            if self._white:
                return ""
            return None if run == " " else " "
        if run[0] == "`":
            if self._code and len(run) != self._code:
                return None
            self._code = 0 if self._code else len(run)
            return ""
        if self._code:
            return None
        return "" if _is_markup(run, text[first - 1 : first] if first else "", text[last : last + 1]) else None


def _white_begins(text: str, at: int) -> int:
    """Where the white space begins that goes on over `at`, as far as a paragraph's end can need it: a run of it may
    have been given out in pieces."""
    first = at
    while first > 0 and at - first < _PARAGRAPH_CHARS and text[first - 1].isspace():
        first -= 1
    return first


def _is_markup(run: str, before: str, after: str) -> bool:
    left, right = before.isalnum(), after.isalnum()
    if run[0] == "~" and len(run) != 2:
        return False
    if run[0] == "*" and (not before or before == "\n") and after in (" ", "\t"):
        return True  # the bullet of a list
    blank_left, blank_right = not before or before.isspace(), not after or after.isspace()
    if blank_left and blank_right:
        return run[0] == "*" and len(run) > 2  # a rule across the page
    if not (left and right):
        return True
    if run[0] != "*" or before.isdigit() or after.isdigit():
        return False
    return len(run) > 1 or not (before.isascii() and after.isascii())
