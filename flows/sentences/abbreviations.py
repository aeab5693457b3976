"""Whether a full stop ends a sentence or a word cut short: the rules for what stands before it.

Rules
- What may be ordinal number, date, abbreviation or initial ends a sentence only if the word ahead opens one.
- A small letter goes on with the sentence. Only where the tables say that people open sentences so, and the word before
  is plain, does it not; a number with a full stop never ends a sentence before a small letter.
- An abbreviation that the tables do not have is one all the same if a small letter follows, or if no word of the
  language can end as it does.
- One letter is an initial or a label, unless it is a word of the language: Ik bel u. Это я.
"""

from __future__ import annotations

import re

from flows.sentences.languages import Kind
from flows.sentences.signs import CLOSING, VOWEL, is_open
from flows.sentences.stops import Rule, Stop, Verdict, verdict_on

CUT, JOIN, WAIT = Verdict.CUT, Verdict.JOIN, Verdict.WAIT

_ACRONYM = re.compile(r"(?:[^\W\d_]\.)+[^\W\d_]\Z")
_NUMBER = re.compile(r"[-–]?(\d{1,4})\Z")
_ROMAN = re.compile(r"[IVXLC]+\Z")
_FIGURE = re.compile(r"[\d.,:]+\Z")
_DOUBLE = re.compile(r"([^\W\d_])\1\Z")
_DAY = re.compile(r"(?:0?[1-9]|[12]\d|3[01])\.(?:0?[1-9]|1[0-2])\Z")


def ordinal(stop: Stop) -> Verdict | None:
    """A number with a full stop is an ordinal in many languages, and a part of dates: am 3. Oktober, am 7.10. ist"""
    language = stop.language
    if stop.run != "." or stop.closers or not (language.ordinals or language.ordinal_days):
        return None
    number = _NUMBER.match(stop.word)
    if language.ordinals:
        known = len(number[1]) <= language.ordinals if number else _ROMAN.match(stop.word) or _DAY.match(stop.word)
        return verdict_on(stop.opens(), CUT, JOIN) if known else None
    if number and stop.next.isupper():
        return _before_month(stop)
    return verdict_on(stop.opens(), CUT, JOIN) if _DAY.match(stop.word) else None


def _before_month(stop: Stop) -> Verdict | None:
    seen, months = stop.word_so_far(), stop.language.months
    if stop.next_word() is None:
        return WAIT if any(month.startswith(seen) for month in months) else None
    return JOIN if seen in months else None


def abbreviation(stop: Stop) -> Verdict | None:
    """The tables know the word."""
    if stop.run != ".":
        return None
    kind = stop.kind()
    if kind is not None:
        return _KINDS[kind](stop)
    return _maybe(stop) if _is_cut_short(stop) else None


def _is_cut_short(stop: Stop) -> bool:
    """Whether the word can only be one that the tables do not have: it has no vowel, or ends as no word is spoken."""
    word, language = stop.last_part(), stop.language
    if not word.isalpha() or (VOWEL.search(word) and not word.endswith(language.unspoken)):
        return False
    return len(word) > 1 and word[1:].islower() and not language.syllabic_consonants


def doubled(stop: Stop) -> Verdict | None:
    """A letter twice shortens a plural: EE. UU. A Roman number may be the same, and then is."""
    if not stop.language.double_letters or stop.run != "." or not _DOUBLE.match(stop.word):
        return None
    ahead = stop.text[stop.ahead : stop.ahead + 2]
    if len(ahead) < 2 and not stop.final:
        return WAIT
    if _DOUBLE.match(ahead):
        return JOIN
    return verdict_on(stop.opens(), CUT, JOIN) if stop.word[0] not in "CIMX" else None


def initials(stop: Stop) -> Verdict | None:
    """A letter, or several with full stops, stand for a name: J. R. R. Tolkien. But: you and I."""
    if stop.run != ".":
        return None
    word, letters = stop.word, stop.language.letters
    if word in stop.language.one_letter:
        return None
    if len(word) == 1 and word.islower():
        return None if stop.kind() is Kind.LIST else JOIN  # и т. д.
    if word == "I" and len(stop.words) > 1 and stop.words[-2][0].islower():
        return None
    if (len(word) == 1 and word.isalpha()) or _ACRONYM.match(word):
        return verdict_on(stop.opens(), CUT, JOIN)
    return JOIN if letters and all(part in letters for part in word.split(".")) else None


def small_letter(stop: Stop) -> Verdict | None:
    """A small letter goes on with the sentence, except in chats: there it needs a plain word and a plain stop."""
    if not stop.next.islower():
        return None
    if stop.closers or is_open(")", stop.before) or is_open("]", stop.before):
        return JOIN
    if stop.run != ".":
        return None
    return None if stop.word.endswith(stop.language.lower_starts) and _is_plain(stop.word) else JOIN


def _is_plain(word: str) -> bool:
    """Whether nobody may have cut this word short."""
    if not word or word[-1] in CLOSING or word[-1].isdigit():
        return bool(word) and not _FIGURE.match(word)
    if not word.isalpha() or not VOWEL.search(word):
        return False
    return len(word) >= (2 if word.islower() else 3 if word.isupper() else 5)


# What the kinds of abbreviations say


def _never(stop: Stop) -> Verdict | None:
    return JOIN


def _maybe(stop: Stop) -> Verdict | None:
    return verdict_on(stop.opens(), CUT, JOIN)


def _number(stop: Stop) -> Verdict | None:
    if not stop.next.isalpha() or stop.next.islower():
        return JOIN
    word = stop.next_word()
    word_too = stop.word.islower() or len(stop.words) == 1
    ordinary = word_too and stop.word.lower() in stop.language.ordinary
    if word is not None and len(word) == 1 and not ordinary:
        return JOIN  # Apt. A, Vol. I
    if word is not None and stop.is_number_ahead(word):
        return JOIN
    opens = stop.opens()
    if opens:
        return CUT
    if opens is None or word is None:
        return WAIT
    written = stop.text[stop.ahead : stop.ahead + len(word)]
    is_label = written.isupper() or any(c.isdigit() for c in written)
    return JOIN if is_label or not ordinary else None


def _date(stop: Stop) -> Verdict | None:
    if not stop.next.isalpha() or stop.next.islower():
        return JOIN
    word, opens, language = stop.next_word(), stop.opens(), stop.language
    if word is None:
        return CUT if opens else WAIT
    table = language.abbreviations
    if word in language.months or Kind.DATE in (table.get(word), table.get(word.capitalize())):
        return JOIN  # Fri. Oct. 5
    is_opening = stop.is_fronted() or (stop.start is not None and len(stop.words) <= 3)  # El 5 oct. Ana …
    return CUT if opens else JOIN if is_opening or language.capital_nouns else None


def _unit(stop: Stop) -> Verdict | None:
    word, language = stop.word, stop.language
    if stop.next.isupper() and language.capital_nouns:
        return _maybe(stop)
    if stop.follows_number():
        if not stop.next.isupper():
            return JOIN
        return verdict_on(stop.opens(titles=False), CUT, JOIN) if stop.is_fronted() else None
    if len(word) == 1:
        return None if word in language.one_letter else JOIN
    goes_on = stop.next.islower() or stop.next.isdigit()
    return JOIN if goes_on and word.lower() not in language.openers else None


def _time(stop: Stop) -> Verdict | None:
    if stop.next.islower() or stop.next in "([":
        return JOIN
    if not stop.next.isalpha():
        return JOIN if stop.is_young() else None
    partner = stop.has_partner()
    if partner is False and stop.is_fronted():
        return verdict_on(stop.opens(titles=False), CUT, JOIN)
    return verdict_on(partner, JOIN, CUT)


def _place(stop: Stop) -> Verdict | None:
    if not stop.next.isalpha() or stop.next.islower():
        return JOIN
    is_noun = len(stop.words) > 1 and stop.words[-2].lower() == "the" and not stop.is_young()
    partner = stop.has_partner()
    if partner is False and not is_noun:
        return _maybe(stop)  # a U.S. citizen
    return verdict_on(partner, JOIN, CUT)


def _list(stop: Stop) -> Verdict | None:
    return JOIN if stop.next.islower() or stop.next.isdigit() or stop.next in "([" else None


_KINDS: dict[Kind, Rule] = {
    Kind.NAME: _never,
    Kind.INNER: _never,
    Kind.NUMBER: _number,
    Kind.DATE: _date,
    Kind.UNIT: _unit,
    Kind.TIME: _time,
    Kind.PLACE: _place,
    Kind.LIST: _list,
    Kind.MAYBE: _maybe,
}
