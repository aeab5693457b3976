"""A stop in the text, and what stands around it: all that a rule may look at."""

from __future__ import annotations

import re
from enum import Enum

from flows.sentences.languages import Kind, Language
from flows.sentences.signs import (
    LOOK_BACK,
    OPENING,
    TAIL,
    TRAIL,
    UNFINISHED,
    UNFINISHED_LENGTH,
    WORD,
    is_open,
    run_of_stops,
)

_JOINTS = re.compile(r"[-'’/]")
_SPACED_CLOSING = "\"'”’»)"


class Verdict(Enum):
    CUT = "a sentence ends here"
    JOIN = "it does not"
    WAIT = "that cannot be told yet"


class Stop:
    """A stop, and what stands around it.

    `text` holds the piece from `start` on, or `start` is None where the piece began more than `LOOK_BACK` ago; `final`
    says that no text will follow. `item` is the list marker that the piece began with.

    - `run`: the stop itself, or several: `?!`, `...`, `. . .`
    - `before`: the piece up to the stop, at most `LOOK_BACK` of it; `words` its last words; `word` the one that the
      stop touches, "" if none
    - `closers`: quotation marks and brackets behind the stop that belong to the sentence
    - `next`: the next visible character or line break behind all that, at `ahead`; "" while there is none
    - `unfinished`: half a sign has come that may still belong to the sentence
    - `glued`: nothing stands between the stop (or its closers) and `next`
    - `cut`: where the sentence would end; `end`: where the scan goes on when it does not
    """

    __slots__ = (
        "ahead",
        "at",
        "before",
        "closers",
        "cut",
        "end",
        "final",
        "glued",
        "item",
        "language",
        "next",
        "run",
        "start",
        "text",
        "unfinished",
        "word",
        "words",
    )

    def __init__(
        self, text: str, start: int | None, at: int, language: Language, item: tuple[str, str] | None, final: bool
    ) -> None:
        self.text, self.start, self.at, self.language, self.item, self.final = text, start, at, language, item, final
        self.before = text[max(start or 0, at - LOOK_BACK) : at]
        run = run_of_stops(language.stops).match(text, at)
        self.end = run.end() if run else at + 1
        self.run = text[at : self.end]
        self._look_ahead()
        self.words = self.before.rsplit(None, 4)
        detached = not self.words or self.before[-1].isspace()
        self.word = "" if detached else self.words[-1].lstrip(OPENING)

    def _look_ahead(self) -> None:
        """Find the next visible character behind all that still belongs to the sentence."""
        text = self.text
        tail = _match(TAIL, text, self.end)
        self.closers = text[self.end : tail]
        end = tail
        while True:
            end = _match(TRAIL, text, end)
            ahead = end
            while ahead < len(text) and text[ahead] != "\n" and text[ahead].isspace():
                ahead += 1
            self.next = text[ahead : ahead + 1]
            if ahead == end or not self._may_close(self.next):
                self.unfinished = False
                break
            if ahead + 1 == len(text) or not text[ahead + 1].isspace():
                self.unfinished = ahead + 1 == len(text)
                break
            end = ahead + 1  # between spaces it closes; before a word it would open
            self.closers += self.next
        if len(text) - ahead <= UNFINISHED_LENGTH and UNFINISHED.fullmatch(text, ahead):
            self.unfinished = True
        self.glued = ahead == tail
        self.ahead = self.cut = ahead

    def _may_close(self, mark: str) -> bool:
        """Whether a mark behind a space may still close something that the sentence opened."""
        if not mark or mark not in _SPACED_CLOSING or mark in self.closers:
            return False
        return is_open(mark, self.before + self.closers)

    def kind(self) -> Kind | None:
        """What the tables say of the word before the stop."""
        table = self.language.abbreviations
        word = self.word
        lower = word.lower()
        if len(word) == 1:
            if len(self.words) > 1 and len(self.words[-2]) == 2 and self.words[-2][1] == ".":
                spaced = table.get(f"{self.words[-2].lower()}{lower}")  # z. B.
                if spaced:
                    return spaced
            return table.get(word)  # a capital is an initial, unless the table has it so
        found = table.get(word) or table.get(lower)
        if found is Kind.INNER and word.isupper() and "." not in word and word not in table:
            return None  # San Jose, CA.
        if not found and lower.endswith(self.language.compounds):
            return Kind.MAYBE
        return found or table.get(_JOINTS.split(lower)[-1])

    def next_word(self) -> str | None:
        """The word ahead in lower case ("" where there is none); None while it may still grow."""
        word = WORD.match(self.text, self.ahead)
        if word and not self.final and self.text[word.end() : word.end() + 2] in ("", "."):
            return None
        return self.word_so_far()

    def word_so_far(self) -> str:
        """As much of the word ahead as has come, in lower case."""
        word = WORD.match(self.text, self.ahead)
        return word.group().lower().replace("’", "'") if word else ""

    def opens(self, *, titles: bool = True) -> bool | None:
        """Whether the word ahead opens a sentence, as titles do too; None while that cannot be told."""
        if not self.next.isalpha() or self.next.islower():
            return False
        if self.text[self.ahead : self.ahead + 8].lower().startswith(self.language.heads):
            return True
        word = self.next_word()
        if word is None:
            return None
        if len(word) == 1 and self.text[self.ahead + 1 : self.ahead + 2] == ".":
            return False  # the next of several initials
        if word in self.language.openers:
            return True
        return titles and self.language.abbreviations.get(word) is Kind.NAME

    def has_partner(self) -> bool | None:
        """Whether the word ahead goes on after a PLACE or TIME; None while it may still become such a word."""
        seen, partners = self.word_so_far(), self.language.partners
        if self.next_word() is None:
            return None if any(partner.startswith(seen) for partner in partners) else False
        return seen in partners

    def is_young(self) -> bool:
        """Whether the sentence has had no room for a verb yet."""
        return self.start is not None and len(self.words) <= 2

    def is_fronted(self) -> bool:
        """Whether the clause is still in its opening phrase: At 5 a.m. …"""
        clause = self.before.rpartition(": ")[2].split(None, 1)
        return self.start is not None and bool(clause) and clause[0].lower() in self.language.prepositions


def _match(pattern: re.Pattern[str], text: str, at: int) -> int:
    """Where the match ends, `at` if there is none."""
    found = pattern.match(text, at)
    return found.end() if found else at
