"""What the asyncio peer knows of text: where sentences end, and what is blocked. As simple as such services have it.

It leaves out: personal data, evasive spellings, formatting, languages, broken characters, tokens that are repeated.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

_END = re.compile(r"[.!?][\"')\]]*\s+(?=\S)")
_ABBREVIATION = re.compile(r"(?:\b(?:Dr|Mr|Mrs|Ms|Prof|St|No|vs|etc|e\.g|i\.e|a\.m|p\.m)|\b[A-Z]|\d)\.\s+$")
_WORD = re.compile(r"\w+")
_LAST_WORD = re.compile(r"\w*$")


class Splitter:
    """Sentences of a text that is still growing: one is out once the next has begun."""

    def __init__(self) -> None:
        self._held = ""
        self._searched = 0

    def feed(self, token: str) -> Iterator[str]:
        self._held += token
        begun = 0
        for end in _END.finditer(self._held, max(0, self._searched)):
            if not _ABBREVIATION.search(self._held, begun, end.end()):
                yield self._held[begun : end.end()]
                begun = end.end()
        if begun:
            self._held = self._held[begun:]
        self._searched = max(0, len(self._held) - 8)

    def flush(self) -> str:
        held, self._held = self._held, ""
        return held


class BlockList:
    """Blocked words, whatever their case; shared by all sessions."""

    def __init__(self, terms: Iterable[str]) -> None:
        self._words = {term.casefold() for term in terms if term}
        self._beginnings = {word[:size] for word in self._words for size in range(1, len(word) + 1)}

    def clean(self, text: str) -> str:
        if self._words.isdisjoint(_WORD.findall(text.casefold())):
            return text
        return _WORD.sub(lambda word: "[REDACTED]" if word[0].casefold() in self._words else word[0], text)

    def might_grow(self, word: str) -> bool:
        return word.casefold() in self._beginnings


class Passing:
    """Every token at once, but for a last word that may yet become a blocked one."""

    def __init__(self, blocked: BlockList) -> None:
        self._blocked = blocked
        self._held = ""

    def feed(self, token: str) -> Iterator[str]:
        self._held += token
        word = _LAST_WORD.search(self._held)
        if word and word[0] and self._blocked.might_grow(word[0]):
            out, self._held = self._held[: word.start()], word[0]
        else:
            out, self._held = self._held, ""
        if out:
            yield out

    def flush(self) -> str:
        held, self._held = self._held, ""
        return held
