"""The signs that sentences are written with, and the patterns that find them.

Rules
- Full stops of one script only prove a boundary by themselves. All other stops need a look at what follows.
- Every pattern looks a bounded distance ahead, so that no text makes a rule wait for ever: white space `BLANKS` far.
- `LOOK_BACK` is the furthest that a rule looks back.
"""

from __future__ import annotations

import re
from functools import cache
from unicodedata import normalize

LOOK_BACK = 256
"""Characters before a stop that its rules may read. A quotation that is longer is read as plain text."""

BLANKS = 512
"""White space behind a stop or a line break that is waited through. So much ends the sentence, whatever follows."""

FULL_STOPS = (
    "。｡।॥۔።။։។៕᱾︒᱿"  # Chinese, Japanese, Indian, Urdu, Ethiopic, Burmese, Armenian, Khmer, Ol Chiki
    "᠃᠉᙮܀܁܂꧉፨"  # Mongolian and Manchu, Inuktitut and Cree, Syriac, Javanese, Ethiopic paragraphs
    "᭟᪨᪩᪪᪫᜶᰻᰼꓿꘎꛳꣎꣏꤯꩝꩞꩟꫰꫱꯫𑅁𑅂𑑋𑑌"  # Balinese, Tai Tham, Philippine, Lepcha, Lisu, Vai, Bamum,
)  # Saurashtra, Kayah Li, Cham, Meetei Mayek, Chakma, Newa
"""After Unicode's property Sentence_Terminal: the living scripts, without signs that are a comma as often."""
DOTS = ".．﹒…‥"
STOPS = DOTS + "!?！？﹗﹖︕︖؟⁇⁈⁉‼‽⸮፧߹᥄᥅꘏꛷\U00011143\u037e"
OPENING = "\"'“‘„‚«»‹›([{*_<"
WIDE_OPENING = "「『（《〈【"
CLOSING = "\"'”’“»›«‹)]}*_~$」』】》〉）］｝"
BULLETS = "•⁃●▪‣◦"
DASHES = "-–—―"
EYES = frozenset(":;=-'^")
CONTINUING = frozenset(",;:)]}/=%&|+،؛，、；：﹐﹑﹔﹕")

_ACCENTED = "".join(
    letter
    for letter in map(chr, (*range(0xC0, 0x250), *range(0x1E00, 0x1F00)))
    if normalize("NFD", letter)[0] in "aeiouy"
)
VOWEL = re.compile(f"[aeiouyæœøıάεέηήιίοόυύωώαаеёиіїоуыэєюя{_ACCENTED}]", re.IGNORECASE)

_PAIRS = dict(zip("”’»」』】》〉）)]", "“‘«「『【《〈（([", strict=True))
_STRAIGHT_OPENING = re.compile(r"(?<![\w'])'+")
_STRAIGHT_CLOSING = re.compile(r"(?<=[\w.,!?])'+(?!\w)")

_EMOJI = "[\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff\U000e0020-\U000e007f\ufe0f\u200d]"
_EMOTICON = r"(?:[:;=][-'^]?[)(\]DPp|/*]{1,8}|<3)(?!\w)"
_FOOTNOTE = r"(?:\[\^?\d{1,3}(?:, ?\d{1,3}){0,3}\]|【[^】\n]{1,32}】)"

CLOSERS = re.compile(f"[{re.escape(CLOSING)}]{{0,8}}")

TAIL = re.compile(rf"(?:[{re.escape(CLOSING)}]|{_FOOTNOTE}){{0,8}}")
"""What belongs to a sentence right behind its stop: quotation marks, brackets, emphasis, a footnote."""

TRAIL = re.compile(rf"(?:[^\S\n]{{0,3}}(?:{_EMOJI}|{_EMOTICON}|{_FOOTNOTE})){{0,32}}")
"""And behind a space: emoji, emoticons, footnotes."""

UNFINISHED = re.compile(r"[:;=][-'^]?|<|\[\^?[\d, ]{0,16}|【[^】\n]{0,32}")
UNFINISHED_LENGTH = 40
"""What may still grow into an emoticon or a footnote."""

WORD = re.compile(r"\w(?:[\w'’-]|\.(?=\w)){0,23}")

MARKER = re.compile(r"[\s>#*_•⁃●▪‣◦+-]*\(?(\d{1,3}(?:\.\d{1,3}){0,3}|[A-Za-z]|[A-Z]\d{1,2}|[ivxlc]{2,5}|[IVXLC]{2,5})")
"""A list marker before its stop, from the start of the piece: `  - **12`, `2.1`, `Q3`, `IV`."""


@cache
def candidates(stops: str, not_stops: str) -> re.Pattern[str]:
    """Where the scanner looks closer: everything else is passed over in one step."""
    signs = set(FULL_STOPS + STOPS + BULLETS + stops + "\n`)") - set(not_stops) - {"."}
    full_stop = "" if "." in not_stops else r"|\.(?![a-z0-9,])"
    return re.compile(f"[{re.escape(''.join(sorted(signs)))}]{full_stop}")


@cache
def run_of_stops(stops: str) -> re.Pattern[str]:
    """A stop, or several, or several with spaces between them: `?!`, `...`, `. . .`"""
    sign = f"[{re.escape(STOPS + FULL_STOPS + stops)}]"
    return re.compile(rf"{sign}{{1,64}}(?:[ \t\u00a0\u202f]{sign}(?!{sign})){{0,8}}")


def is_open(mark: str, before: str) -> bool:
    """Whether `before` holds a quotation or bracket that `mark` would close."""
    if mark == '"':
        return before.count('"') % 2 == 1
    if mark == "'":
        return len(_STRAIGHT_OPENING.findall(before)) > len(_STRAIGHT_CLOSING.findall(before))
    return before.count(_PAIRS[mark]) > before.count(mark)


def is_quoting(before: str) -> bool:
    """Whether a quotation or bracket is open at the end of `before`."""
    return any(is_open(mark, before) for mark in '"”»」』】》〉）)')
