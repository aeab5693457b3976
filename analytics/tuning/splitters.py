"""Where the splitter cuts a text, and which character proves each cut.

Rules
- The text is fed in pieces that end where a cut is likely to be proved: behind a line break, and behind the first
  visible character after a stop or a line break. So what proves it is known without asking again, nearly always: a cut
  is not proved before all text up to it has come, nor, behind a blank, before something visible has.
- Where that is not enough, the piece is split again, character by character.
- What a splitter has emitted depends on the text alone, not on the pieces; so the cuts are those of every chunking.
- Behind a line break a splitter is as new. Behind any other cut it is as behind a full stop that needs no proof.
- One that has found its language by the first words goes on as one that was given it. Until then, what is split again
  is all text from its beginning.
"""

from __future__ import annotations

import re
from typing import Any

from flows.sentences import SentenceSplitter
from flows.steps.windows import WindowSettings

Cut = tuple[int, int]
"""Where a sentence ends, and how much of the text proves that."""

_STOP = "。"
_STOP_AND_NEXT = r"(?<=[.!?…])['\"”’)\]*_»]*(?=[^\S\n]+(\S))"
_SIGN_AND_NEXT = r"(?<=\n)(?=[^\S\n]*(\S?))|(?<=[?!])(?=(\S))|(?<=\*)\*(?=(\s))|(?<=[。！？।])"
_MAY_PROVE = re.compile(rf"[.!?…\n*。！？।](?:{_STOP_AND_NEXT}|{_SIGN_AND_NEXT})")
"""A sign, and as a group what follows. A stop with a blank behind it proves nothing by itself; the others may."""


class Splitters:
    """Splits whole texts by the settings' language, abbreviations and overrides."""

    def __init__(self, settings: WindowSettings) -> None:
        self._settings = settings
        self._behind_stop: dict[str, dict[str, Any]] = {}

    def cuts(self, text: str, language: str | None) -> list[Cut]:
        """The cuts of a text, in order, but for its end. What only the end proves is proved by one character more."""
        cuts: list[Cut] = []
        language = language or self._settings.language
        splitter = self._settings.splitter(language)
        fed = at = known = 0

        def feed(end: int) -> None:
            nonlocal fed, at, language, known
            for piece in splitter.feed(text[fed:end]):
                before, at = at, at + len(piece)
                first = max(fed + 1, at + (text[at - 1].isspace() and text[at - 1] != "\n"))
                given = language if before >= known else None
                cuts.append((at, end if first >= end else self._proof(text, given, before, first, end)))
            fed = end
            if language is None and splitter.language is not None:
                language, known = splitter.language, end

        for match in _MAY_PROVE.finditer(text):
            sign, following = match.end(), match.lastindex
            if following != 1 and sign > fed:
                feed(sign)
            if following and at < sign and match.end(following) > fed:
                feed(match.end(following))
        if fed < len(text):
            feed(len(text))
        for piece in splitter.flush()[:-1]:
            at += len(piece)
            cuts.append((at, len(text) + 1))
        return cuts

    def _proof(self, text: str, language: str | None, before: int, first: int, last: int) -> int:
        """What proves the cut that follows the one before: `first` at the earliest, `last` at the latest."""
        splitter = self._settings.splitter(language)
        begin = 0 if language is None else before
        if language is not None and before and text[before - 1] != "\n":
            if language not in self._behind_stop:
                learner = SentenceSplitter(language)
                learner.feed(_STOP)
                self._behind_stop[language] = learner.snapshot()
            splitter.restore(self._behind_stop[language])
        begin += sum(map(len, splitter.feed(text[begin : first - 1])))
        for proof in range(first, last):
            begin += sum(map(len, splitter.feed(text[proof - 1 : proof])))
            if begin > before:
                return proof
        return last
