"""Values that are read out: opt-ins, for what is written as it would be spoken.

- SPOKEN_NUMBER: seven digits or more in words of one language ("four one one one", "double seven"), however parted.
- SPOKEN_EMAIL: an address with its signs in words ("jane dot doe at example dot com", "jane (at) example (dot) com").
- DICTATED_DIGITS: seven digits or more, one a line.

What counts up or down (one, two, three) is no number. Nothing confirms what is found, so they are off unless asked for.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence

from flows.moderation.detectors.base import DIGITS
from flows.moderation.detectors.pattern import PatternDetector
from flows.moderation.tables import spoken

_LEAST_SPOKEN = 7
_LEAST_SINGLE = 3  # of them not in pairs, as years are
_LEAST_DICTATED = 7
_GAP = r"[\s,.;:\-–—…]{1,4}"
_WORD = re.compile(r"[^\W\d_]+")


def _any(words: Iterable[str]) -> str:
    """The pattern of these words, the longer first."""
    return f"(?:{'|'.join(sorted(map(re.escape, words), key=len, reverse=True))})"


def _spoken(language: str) -> str:
    digit = _any(spoken.DIGITS[language])
    times = spoken.TIMES.get(language)
    unit = f"(?:{_any(times)}{_GAP})?{digit}" if times else digit
    return f"{unit}(?:{_GAP}{unit}){{2,}}"


_NUMBER = rf"(?i:\b(?:{'|'.join(map(_spoken, spoken.DIGITS))})\b)"
_VALUES = {word: digits for table in spoken.DIGITS.values() for word, digits in table.items()}
_PAIRS = {word for word, digits in _VALUES.items() if len(digits) == 2 and word != "hundred"}
_TENS = {word for word in _PAIRS if _VALUES[word].endswith("0") and word != "ten"}
_TIMES = {word: times for table in spoken.TIMES.values() for word, times in table.items()}

_NOT_IN_NAMES = r"\s,;:!?\"<>()\[\]{}@/\\|*`~="
_NAME = rf"[^{_NOT_IN_NAMES}.'_+-][^{_NOT_IN_NAMES}]{{0,30}}"  # RE2's \b and \w know ASCII alone
_IN_NAME = re.compile(rf"[^{_NOT_IN_NAMES}.'+-]")


def _sign(words: Iterable[str]) -> str:
    """A sign in words: between blanks, or in brackets."""
    return rf"(?:\s{{1,2}}{_any(words)}\s{{1,2}}|\s?[\[({{<]\s?{_any(words)}\s?[\])}}>]\s?)"


_JOINED = _sign((*spoken.DOT, *spoken.JOINED))
_EMAIL = (
    rf"(?i:{_NAME}(?:{_JOINED}{_NAME}){{0,3}}{_sign(spoken.AT)}{_NAME}(?:{_JOINED}{_NAME}){{0,3}}"
    rf"{_sign(spoken.DOT)}{_any(spoken.ENDS)}\b)"
)
_SIGN_WORDS = frozenset((*spoken.AT, *spoken.DOT, *spoken.JOINED))

_LINES = rf"\b\d[,.;]?(?:[ \t]{{0,4}}\r?\n{{1,2}}[ \t>*•-]{{0,6}}\d[,.;]?){{{_LEAST_DICTATED - 1},}}\b"


class SpokenNumberDetector(PatternDetector):
    def __init__(self) -> None:
        super().__init__("SPOKEN_NUMBER", _NUMBER, 256, "pii SPOKEN_NUMBER")

    def _holds(self, value: str) -> bool:
        words = _WORD.findall(value.casefold())
        count, single, times, before = 0, 0, 1, ""
        for word in words:
            digits = _VALUES.get(word, "")
            count += len(digits) * times
            single += len(digits) == 1 and before not in _TENS
            times, before = _TIMES.get(word, 1), word
        is_amount = "hundred" in words and not _PAIRS.isdisjoint(words)
        if count < _LEAST_SPOKEN or single < _LEAST_SINGLE or is_amount:
            return False
        return not _counts([int(_VALUES.get(word, "0")) for word in words])


class SpokenEmailDetector(PatternDetector):
    def __init__(self) -> None:
        super().__init__("SPOKEN_EMAIL", _EMAIL, 192, "pii SPOKEN_EMAIL")

    def _end(self, text: str, begin: int) -> int:
        return 0 if begin and _IN_NAME.match(text, begin - 1) else super()._end(text, begin)

    def _holds(self, value: str) -> bool:
        words = re.findall(r"[^\W_]+", value.casefold())
        host = words[next((i for i, word in enumerate(words) if word in spoken.AT), -1) + 1]
        return words[0] not in spoken.NO_NAMES and words[0] not in _SIGN_WORDS and host not in spoken.NO_HOSTS


class DictatedDigitsDetector(PatternDetector):
    def __init__(self) -> None:
        super().__init__("DICTATED_DIGITS", _LINES, 256, "pii DICTATED_DIGITS", trigger=DIGITS)

    def _holds(self, value: str) -> bool:
        return not _counts([int(char) for char in value if char.isdecimal()])


def _counts(values: Sequence[int]) -> bool:
    """Whether these go up or down by the same step all the way."""
    steps = {second - first for first, second in itertools.pairwise(values)}
    return len(steps) == 1 and 0 not in steps
