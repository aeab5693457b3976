"""What the splitter knows of each language. A new language or abbreviation goes into this folder, and only here.

How to add
- An abbreviation: into the block of its language, on the line of its kind (`language.Kind` says which there are).
- A language: a block like the others in the file of its family, and its code in that file's `LANGUAGES`.

Rules
- Signs of one script only (`。`, `।`, `؟`, `።` …) end sentences in every language and need no entry.
- A code may carry a region or script (`pt-BR`, `zh_Hant`), which is ignored. With one that is not here, `OTHER` holds:
  the abbreviations that mean the same in most languages.
- The tables are written by hand, some of it picked from the lists of pysbd and sentencex (both MIT). What CLDR has
  beside them (`cldr.py`, made by tools/cldr.py of Unicode's data) is added below; an entry by hand goes before CLDR's.
"""

from __future__ import annotations

import msgspec

from flows.sentences.languages import english, germanic, other, romance, slavic
from flows.sentences.languages.cldr import CLDR
from flows.sentences.languages.language import EVERYWHERE, Kind, Language, words

__all__ = ["LANGUAGES", "OTHER", "UNKNOWN", "Kind", "Language", "language_of"]

_KINDS = {
    "dates": Kind.DATE,
    "units": Kind.UNIT,
    "amounts": Kind.MAYBE,
    "others": Kind.MAYBE,
    "words": Kind.MAYBE,
}
_ALIASES = {"no": "nb", "nn": "nb"}


def _with_cldr(code: str, own: Language) -> Language:
    found = CLDR.get(_ALIASES.get(code, code), {})
    by_hand = own.abbreviations.keys() | own.one_letter
    theirs = {
        word: kind
        for name, kind in _KINDS.items()
        for word in found.get(name, "").split()
        if word.lower() not in by_hand
    }
    return msgspec.structs.replace(
        own, abbreviations=theirs | own.abbreviations, months=words(found.get("months", "")) | own.months
    )


LANGUAGES: dict[str, Language] = {
    code: _with_cldr(code, own)
    for family in (english, germanic, romance, slavic, other)
    for code, own in family.LANGUAGES.items()
}

OTHER = Language(abbreviations=EVERYWHERE, openers=english.ENGLISH.openers)

_PARTICLES = words("van von de den der des del di da do dos du la le lo el al av af ten te")
_KEPT = (Kind.NUMBER, Kind.DATE, Kind.UNIT, Kind.MAYBE)


def _unknown() -> Language:
    english_one, every = LANGUAGES["en"], LANGUAGES.values()
    openers = frozenset().union(*(each.openers for each in every))
    abbreviations = {
        word: kind if kind in _KEPT else Kind.MAYBE
        for each in every
        for word, kind in each.abbreviations.items()
        if len(word) > 1 and word.lower() not in openers
    }
    return msgspec.structs.replace(
        english_one,
        abbreviations=abbreviations | english_one.abbreviations,
        openers=english_one.openers | openers - _PARTICLES,
        compounds=LANGUAGES["de"].compounds,
        lower_starts=(),
    )


UNKNOWN = _unknown()
"""While a text's language is being found: English, most likely, with the abbreviations of all, and nothing that only
English does."""

UNTOLD = msgspec.structs.replace(UNKNOWN, lower_starts=LANGUAGES["en"].lower_starts)
"""Where the first words did not tell it: nor will the rest, so sentences may begin as in English, small letters too."""


def language_of(code: str | None) -> Language:
    """The tables for a language code (BCP 47, any case); `OTHER` where there is none."""
    primary = (code or "").lower().replace("_", "-").partition("-")[0]
    return LANGUAGES.get(primary, OTHER)
