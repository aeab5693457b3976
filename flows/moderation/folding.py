"""What a word reads as, however it is written.

Rules
- A word is a run of letters, digits and of the signs that stand for letters; marks and zero-width characters belong
  to it. In scripts without blanks every character is a word of its own. No word is longer than 64 characters.
- Folding is done word by word, so a folded word's offsets are those of the word: nothing is mapped back.
- Letters of another script fold to Latin only in words that also hold Latin letters: a Russian word stays Russian.
- Letters of the text's own alphabet, where its language is known, are not folded: `año` is no `ano` in Spanish. Vowel
  signs of Arabic and Hebrew, tatweel, and the forms of alef, yeh and kaf are, as people write with and without.
"""

from __future__ import annotations

import re
import unicodedata

from flows.moderation.tables.alphabets import small
from flows.moderation.tables.confusables import AS_I, AS_L, LETTERS, LOOK_ALIKES
from flows.moderation.tables.digits import AS_ASCII
from flows.moderation.tables.scripts import UNSPACED, WORD_BREAKS
from flows.moderation.tables.separators import INVISIBLE

LONGEST = 64
"""The most characters of a word."""

_IN_WORD = f"[^{WORD_BREAKS}{UNSPACED}]"
WORD = re.compile(rf"[{UNSPACED}]|(?<!{_IN_WORD}){_IN_WORD}{{1,{LONGEST}}}(?!{_IN_WORD})")
_TAIL = re.compile(rf"{_IN_WORD}{{0,{LONGEST}}}")
_BETWEEN = re.compile(rf"[{WORD_BREAKS}]*")

PIECE = 3
"""The most letters of a piece of a spaced-out word."""

_INVISIBLE = re.compile(f"[{INVISIBLE}]")
_MARKS = re.compile(
    r"[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
    r"\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7"  # Hebrew points and accents
    r"\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed\u08d3-\u08ff]"  # Arabic
)
_AWAY = 0xE000  # Unicode's area for private use
_LATIN = re.compile("[a-z]")
_ASCII = re.compile(r"[\x00-\x7f]*")
_FOREIGN = re.compile(r"[^\x00-\x7f]")
_PLAIN = str.maketrans(LETTERS) | AS_ASCII
_SIGNS = "!$@+|*€£¥"
_SIGN = re.compile(r"[!$@+|*€£¥]")
_STANDS_FOR = re.compile(r"[0-9!@$+|€£¥]")
_REPEAT = re.compile(r"([^\W\d_])\1\1+")
_DOUBLE = re.compile(r"(.)\1+")


def fold(word: str, letters: str = "") -> str:
    """The word in small letters and digits from 0 to 9, without accents, invisible characters and look-alikes; but for
    the `letters` of its alphabet, which stay."""
    if letters:
        word = small(unicodedata.normalize("NFC", _INVISIBLE.sub("", word)), letters)
        own = [letter for letter in letters if letter in word]
        if own:  # each out of the way while the rest is folded, in a place that means nothing
            for i, letter in enumerate(own):
                word = word.replace(letter, chr(_AWAY + i))
            word = fold(word)
            for i, letter in enumerate(own):
                word = word.replace(chr(_AWAY + i), letter)
            return word
    if word.isascii():
        return word.lower()
    word = unicodedata.normalize("NFKD", _INVISIBLE.sub("", word)).casefold()
    word = _MARKS.sub("", word).translate(_PLAIN)
    if _FOREIGN.search(word):
        alike = word.translate(LOOK_ALIKES)
        if _LATIN.search(word) or (alike.isascii() and not word.isalpha()):
            word = alike
    return unicodedata.normalize("NFC", word)


def exact(word: str, letters: str = "") -> str:
    """The word in small letters, and nothing else of it changed but what cannot be seen."""
    return small(unicodedata.normalize("NFC", _INVISIBLE.sub("", word)), letters)


def word_start(text: str, at: int) -> int:
    """Where the word begins that goes on over `at`; `at` itself if none does."""
    match = _TAIL.match(text[max(0, at - LONGEST) : at][::-1])
    before = match.end() if match else 0
    goes_on = _TAIL.match(text, at, at + 1)
    return at - before if before < LONGEST and goes_on and goes_on.end() > at else at


def next_word(text: str, at: int) -> int:
    """Where behind `at` the next word that is to be seen begins, at the earliest: the one at the end may still have
    nothing to be seen. What is too long for a word at the end will not be one."""
    match = _BETWEEN.match(text, at)
    begin = match.end() if match else at
    return begin if len(text) - begin <= LONGEST else len(text)


def core(word: str) -> str:
    """The word without the signs at its ends."""
    return word.strip(_SIGNS)


def piece(word: str, letters: str = "") -> tuple[str, ...]:
    """What a piece of a spaced-out word reads as, two ways; empty if the word is none: over three letters, or no
    letter in it, or a sign that stands alone in plain text."""
    plain = fold(word, letters) if len(word) <= 2 * PIECE else ""
    return () if plain.isdigit() or plain in "!+|" else _forms(plain)


def growing_piece(word: str) -> tuple[str, ...]:
    """What a piece that may still grow will begin with, whatever comes; empty if it will be none.

    Plain letters and digits at its beginning stay what they are. Behind and without them all is open: a look-alike
    waits for a letter to fold beside, a mark for one to be on, a digit for one to stand for another.
    """
    if len(word) > 2 * PIECE:
        return ()
    plain = _ASCII.match(word)[0].lower()  # type: ignore[index]  # it always matches
    return _forms(plain) if plain else ("", "")


def _forms(plain: str) -> tuple[str, ...]:
    forms = (plain.translate(AS_I), plain.translate(AS_L))
    return forms if len(plain) <= PIECE and forms[0].isalpha() else ()


def is_visible(word: str) -> bool:
    """Whether there is anything of the word to be seen."""
    return word.isascii() or bool(_INVISIBLE.sub("", word))


def squeeze(word: str) -> str:
    """The word with every repeated letter once."""
    return _DOUBLE.sub(r"\1", word)


def readings(word: str, letters: str = "") -> list[str]:
    """What a word may read as: folded; without its signs, or a part between them; its digits and signs as letters;
    and stretched letters as one or as two."""
    plain = fold(word, letters)
    if plain.isascii() and plain.isalpha() and not _REPEAT.search(plain):
        return [plain]
    found = [plain]
    bare = core(plain)
    if bare != plain:
        found.append(bare)
    parts = _SIGN.split(bare)
    if len(parts) > 1:
        found.append("".join(parts))
        found += [part for part in parts if len(part) > 2]
    if _STANDS_FOR.search(plain) and _LATIN.search(plain) and not plain[:2].isdigit():
        for form in dict.fromkeys((plain.replace("*", ""), bare.replace("*", ""))):
            found += (form.translate(AS_I), form.translate(AS_L))
    for form in tuple(found):
        if _REPEAT.search(form):
            found += (_REPEAT.sub(r"\1", form), _REPEAT.sub(r"\1\1", form))
    return [form for form in dict.fromkeys(found) if form] or [plain]


def stretched(reading: str) -> str:
    """The squeezed form of a reading whose letters are stretched; empty if none is three times in a row."""
    return squeeze(reading) if _REPEAT.search(reading) else ""
