"""What a language's tables hold. The tables themselves are in the files beside this one.

Rules
- An abbreviation is written without its last full stop, in lower case; inner full stops stay: `p.m`, `z.b`.
- It has one kind. A short form that is two things is of the kind that does less harm; a test holds that none has two.
"""

from __future__ import annotations

from enum import Enum

import msgspec


class Kind(Enum):
    """What an abbreviation says of the full stop behind it."""

    NAME = "stands before a name, never at the end: Dr. Meier"
    INNER = "stands inside a sentence, never at the end: e.g., vs., z. B."
    NUMBER = "stands before a number or label: No. 5, Fig. A, Tel. Office"
    DATE = "stands beside a number or another date, else ends before a capital: 5 Oct., Fri. Oct. 5"
    UNIT = "stands behind a number and ends before a capital: 5 lb. of flour"
    TIME = "ends before a capital, unless the sentence has only just begun: At 5 p.m. Mr. Smith …"
    PLACE = "ends before a capital, unless that goes with it: the U.S. Senate"
    LIST = "ends before a capital: etc., usw."
    MAYBE = "ends only before a word that is known to open sentences: Acme Inc. It …"


class Language(msgspec.Struct, frozen=True, kw_only=True):
    """A language's tables. Every field may be left out; words are in lower case."""

    abbreviations: dict[str, Kind] = {}
    compounds: tuple[str, ...] = ()
    """Abbreviations, of the kind MAYBE, that compounds end with: Bahnhofstr."""
    openers: frozenset[str] = frozenset()
    """Words that open sentences and are seldom names."""
    heads: tuple[str, ...] = ()
    """Beginnings of openers that hardly any name shares: they prove the opener before the word is whole."""
    partners: frozenset[str] = frozenset()
    """Words that go on, with a capital, after a PLACE or a TIME: Senate, Monday, EST."""
    prepositions: frozenset[str] = frozenset()
    """A sentence that begins with one of these, and is short yet, is not over at a UNIT, DATE or TIME."""
    counted: frozenset[str] = frozenset()
    """Words before a plain number, which then is no list marker: step 2."""
    marked_names: frozenset[str] = frozenset()
    """Names that hold a mark: yahoo!, who? weekly."""
    letters: frozenset[str] = frozenset()
    """Names of letters, in scripts that have no capitals: initials are written with them."""
    always_capital: frozenset[str] = frozenset()
    """Words that have their capital inside a sentence too, where it proves nothing."""
    quoting: tuple[str, ...] = ()
    """What goes on after a closed quotation: 」と"""
    stops: str = ""
    """Signs that are a full stop here and something else elsewhere."""
    not_stops: str = ""
    """Signs that are a full stop or a backtick elsewhere, not here."""
    capital_stops: str = ""
    """Signs that end a sentence only before a capital: a semicolon."""
    months: frozenset[str] = frozenset()
    """The names of the months."""
    ordinals: int = 0
    """A number with a full stop is an ordinal, if it has no more digits than this: am 3. Oktober."""
    ordinal_days: bool = False
    """It is one in dates only: den 24. December."""
    capital_nouns: bool = False
    """Every noun has a capital: 5 Std. Fahrt."""
    unspoken: tuple[str, ...] = ()
    """What no word ends with: monatl. Beitrag."""
    syllabic_consonants: bool = False
    """There are words without a vowel: krk."""
    ordinary: frozenset[str] = frozenset()
    """Those of the kind NUMBER that are words as well: no. The others go on before a capital too: Acct. Number."""
    one_letter: frozenset[str] = frozenset()
    """Words of one letter that may end a sentence, and are no initials: Ik bel u."""
    double_letters: bool = False
    """A letter twice shortens a plural: EE. UU."""
    lower_starts: tuple[str, ...] = ()
    """A sentence may open with a small letter, as in chats, behind a word that ends so: that shows that it is whole,
    for words are cut short before a vowel. `ANY` ending will do where the table of abbreviations is good enough."""


ANY = ("",)


def words(text: str) -> frozenset[str]:
    """The words of a table, written with spaces between them."""
    return frozenset(text.split())


def beginnings(text: str) -> tuple[str, ...]:
    """The same for `heads`."""
    return tuple(text.split())


def endings(text: str) -> tuple[str, ...]:
    """The same for `lower_starts`."""
    return tuple(text.split())


def table(**kinds: str) -> dict[str, Kind]:
    """Abbreviations by kind: `table(name="dr prof", list="etc")`. Raises ValueError for one that has two kinds."""
    found: dict[str, Kind] = {}
    for kind, text in kinds.items():
        for word in text.split():
            if word in found:
                raise ValueError(f"abbreviation {word!r} is both {found[word].name} and {kind.upper()}; keep one")
            found[word] = Kind[kind.upper()]
    return found


EVERYWHERE = table(
    name="dr mr mrs ms prof st",
    inner="e.g i.e vs cf ca op cit ibid al",
    number="no nr p pp fig vol art tel",
    time="a.m p.m",
    list="etc",
    maybe="inc co corp ltd jr sr",
)
"""Abbreviations that mean the same in most languages."""
