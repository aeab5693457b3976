"""What the splitter knows of each language. A new language or abbreviation goes into this folder, and only here.

How to add
- An abbreviation: into the block of its language, on the line of its kind (`language.Kind` says which there are).
- A language: a block like the others in the file of its family, and its code in that file's `LANGUAGES`.

Rules
- Signs of one script only (`。`, `।`, `؟`, `።` …) end sentences in every language and need no entry.
- A code may carry a region or script (`pt-BR`, `zh_Hant`), which is ignored. Without a code, or with one that is not
  here, `OTHER` holds: the abbreviations that mean the same in most languages.
- The tables are written by hand; the nearest standard is the `sentenceBreak` suppressions of Unicode CLDR.
"""

from __future__ import annotations

from flows.sentences.languages import english, germanic, other, romance, slavic
from flows.sentences.languages.language import EVERYWHERE, Kind, Language

__all__ = ["LANGUAGES", "OTHER", "Kind", "Language", "language_of"]

LANGUAGES: dict[str, Language] = {
    **english.LANGUAGES,
    **germanic.LANGUAGES,
    **romance.LANGUAGES,
    **slavic.LANGUAGES,
    **other.LANGUAGES,
}

OTHER = Language(abbreviations=EVERYWHERE, openers=english.ENGLISH.openers)


def language_of(code: str | None) -> Language:
    """The tables for a language code (BCP 47, any case); `OTHER` where there is none."""
    primary = (code or "").lower().replace("_", "-").partition("-")[0]
    return LANGUAGES.get(primary, OTHER)
