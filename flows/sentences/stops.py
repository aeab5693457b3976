"""A stop in the text, and what stands around it: all that a rule may look at."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum

from flows.sentences.languages import Kind, Language
from flows.sentences.signs import (
    BLANKS,
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

_JOINTS = re.compile(r"[-–'’/]")
_SHORT = 8
_PHRASE = 10
_SPACED_CLOSING = "\"'”’»)"


class Verdict(Enum):
    CUT = "a sentence ends here"
    JOIN = "it does not"
    WAIT = "that cannot be told yet"


def verdict_on(condition: bool | None, then: Verdict, otherwise: Verdict) -> Verdict:
    """A verdict on a condition that may not be known yet."""
    return Verdict.WAIT if condition is None else then if condition else otherwise


class Stop:
    """A stop, and what stands around it.

    `text` holds the piece from `start` on, or `start` is None where the piece began more than `LOOK_BACK` ago; `final`
    says that no text will follow. `item` is the list marker that the piece began with.

    - `run`: the stop itself, or several: `?!`, `...`, `. . .`
    - `before`: the piece up to the stop, at most `LOOK_BACK` of it; `words` its last words; `word` the one that the
      stop touches, "" if none
    - `closers`: quotation marks and brackets behind the stop that belong to the sentence
    - `next`: the next visible character or line break behind all that, at `ahead`; "" while there is none
    - `far`: so much white space has come that nothing behind it matters
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
        "far",
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
        text, self.far = self.text, False
        tail = _match(TAIL, text, self.end)
        self.closers = text[self.end : tail]
        end = tail
        while True:
            end = _match(TRAIL, text, end)
            ahead, furthest = end, min(len(text), end + BLANKS)
            while ahead < furthest and text[ahead] != "\n" and text[ahead].isspace():
                ahead += 1
            if ahead == end + BLANKS:
                self.next, self.unfinished, self.far = "", False, True
                break
            self.next = text[ahead : ahead + 1]
            if ahead == end or not self._may_close(self.next):
                self.unfinished = False
                break
            if ahead + 1 == len(text) or not text[ahead + 1].isspace():
                self.unfinished = ahead + 1 == len(text)
                break
            end = ahead + 1  # between spaces it closes; before a word it would open
            self.closers += self.next
        if not self.far and len(text) - ahead <= UNFINISHED_LENGTH and UNFINISHED.fullmatch(text, ahead):
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
        spaced = self._spaced_kind() if len(self.words) > 1 and self.words[-2][-1] == "." else None
        if spaced:
            return spaced
        if len(word) == 1:
            return table.get(word)  # a capital is an initial, unless the table has it so
        lower = word.lower()
        found = table.get(word) or table.get(lower)
        if found is Kind.INNER and word.isupper() and "." not in word and word not in table:
            return None  # San Jose, CA.
        if found:
            return found
        if lower.endswith(self.language.compounds):
            return Kind.MAYBE
        last = self.last_part()
        return None if last is word else table.get(last) or table.get(last.lower())

    def last_part(self) -> str:
        """The word before the stop, without what a hyphen, dash or apostrophe joins to it: Dipl.-Kfm."""
        return self.word if self.word.isalpha() else _JOINTS.split(self.word)[-1]

    def _spaced_kind(self) -> Kind | None:
        """The same of the word together with those before it, as far as they are cut short: z. B., a. e. c."""
        found, joined = None, self.word.lower()
        for word in reversed(self.words[:-1]):
            if word[-1] != "." or len(word) > _SHORT:
                break
            joined = word.lstrip(OPENING).lower() + joined
            found = self.language.abbreviations.get(joined) or found
        return found

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
            return not self.is_number_ahead(word)
        return titles and self.language.abbreviations.get(word) is Kind.NAME

    def follows_number(self) -> bool:
        return len(self.words) > 1 and (self.words[-2][-1].isdigit() or self.words[-2][-1] == ".")

    def is_number_ahead(self, word: str) -> bool:
        """Whether the word ahead is cut short, and numbers something: Inv. No. 5"""
        stopped = self.text[self.ahead + len(word) : self.ahead + len(word) + 1] == "."
        return stopped and self.language.abbreviations.get(word) is Kind.NUMBER

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
        clause = self.before.rpartition(": ")[2].split(None, _PHRASE)
        return 0 < len(clause) <= _PHRASE and self.start is not None and clause[0].lower() in self.language.prepositions


Rule = Callable[[Stop], Verdict | None]
"""Answers CUT, JOIN or WAIT; None leaves it to the next rule."""


def _match(pattern: re.Pattern[str], text: str, at: int) -> int:
    """Where the match ends, `at` if there is none."""
    found = pattern.match(text, at)
    return found.end() if found else at
