"""Whether the flow may have something to say as soon as it has a text, or might as well have it with what comes next.

Rules
- It is asked of each text of a turn in order, before the flow sees it, by those who hand it on. Nothing but how long a
  text waits for company depends on it: never what comes out.
- A window ends with the first word behind a sign that may end it, at the latest: from the sign to that, all is urgent.
  A character of a script without blanks is a word.
- A sign that may end a window is, in every script, any character that is neither letter, digit, mark nor blank, but for
  those that stand inside of words and sentences; a line break is one too.

A core.
"""

from __future__ import annotations

import re
from typing import Any

from flows.steps.cuts import UNSPACED
from flows.steps.windows import CLAUSE, WindowSettings

_IN_SENTENCE = re.compile(r"(?s:.*)(?:[^\w ,;'’\-–—\"“”„()]|_)")
_IN_CLAUSE = re.compile(r"(?s:.*)(?:[^\w '’\-]|_)")
_DECIDED = re.compile(rf"\W*(?:{UNSPACED}|\w+\W)")
LONGEST = 64


class Cue:
    """One turn's; `request` is what its open says."""

    def __init__(self, settings: WindowSettings, request: dict[str, Any]) -> None:
        mode = request.get("window") or settings.mode
        self._always = mode == "none"
        self._last_sign = (_IN_CLAUSE if mode == CLAUSE else _IN_SENTENCE).match
        self._behind: str | None = None  # what came behind the last sign, while a window may end there

    def __call__(self, text: str) -> bool:
        """Whether this text may end a window; called with each that comes."""
        if self._always:
            return True
        sign = self._last_sign(text)
        if sign is None and self._behind is None:
            return False
        behind = text[sign.end() :] if sign else f"{self._behind}{text}"
        self._behind = None if len(behind) > LONGEST or _DECIDED.match(behind) else behind
        return True
