"""Personal data replaced by made-up data of the same kind, shape and length: a core.

Rules
- A fake keeps what says of which kind a value is (an issuer's first digits, a country, a calling code, the last label
  of a domain) and every separator; other digits become digits of the same script, letters letters of the same case.
- It passes the check that its kind has: Luhn, mod 97, a national id's own.
- A fake is drawn by the order in which values are first met, never from the value itself: who has the recording
  cannot try values out. The same value has the same fake everywhere in a recording.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterator

from flows.moderation.detectors.card import luhn
from flows.moderation.detectors.national import NATIONAL_IDS
from flows.moderation.policy import BLOCKED, HELD

TRIES = 20_000
"""Candidates for one value; the rarest check (a date and two digits) is met once in about 400."""

ACCEPT_TRIES = 50
"""Valid candidates that are shown to `accept`, which may be dear."""

NOT_PERSONAL = frozenset({BLOCKED, HELD})

Draw = Iterator[int]

_ALNUM = re.compile(r"[^\W_]")


class Fakes:
    """The fakes of one recording. `seed` names the recording; no secret."""

    def __init__(self, seed: str = "") -> None:
        self.counts: dict[str, int] = {}
        self._seed = seed
        self._made: dict[tuple[str, str], str] = {}

    def of(self, category: str, value: str, accept: Callable[[str], bool] = lambda _: True) -> str | None:
        """The fake of a value, of the same length; None where none was found that `accept` takes too."""
        key = (category, value)
        made = self._made.get(key)
        if made is not None and accept(made):
            return made
        draw = _draw(f"{self._seed}/{category}/{len(self._made)}")
        asked = 0
        for _ in range(TRIES):
            fake = _candidate(category, value, draw)
            if fake == value or not _is_valid(category, fake):
                continue
            if accept(fake):
                self._made[key] = fake
                self.counts[category] = self.counts.get(category, 0) + 1
                return fake
            asked += 1
            if asked == ACCEPT_TRIES:
                break
        return None


def _draw(seed: str) -> Draw:
    """Numbers without end, the same for the same seed."""
    block = 0
    while True:
        yield from hashlib.sha256(f"{seed}/{block}".encode()).digest()
        block += 1


def _candidate(category: str, value: str, draw: Draw) -> str:
    chars = list(value)
    free = [place for place, char in enumerate(chars) if _ALNUM.match(char)]
    for place in free[_kept(category, value) :]:
        chars[place] = _like(chars[place], draw)
    if category == "EMAIL_ADDRESS":
        last = value.rfind(".")
        chars[last:] = value[last:]
    elif category == "IP_ADDRESS":
        return _address(value, draw)
    elif category == "CREDIT_CARD":
        _mend(chars, free[-1], luhn)
    elif category == "IBAN_CODE":
        _mend_iban(chars, free)
    return "".join(chars)


def _kept(category: str, value: str) -> int:
    """How many letters and digits at the front say what it is."""
    if category == "CREDIT_CARD":
        return 4
    if category == "IBAN_CODE":
        return 2
    if category == "PHONE_NUMBER":
        return 3 if "+" in value or value.startswith("00") else 2
    return 0


def _like(char: str, draw: Draw) -> str:
    """Another character of the same kind; one that has no kind of ours stays."""
    if char.isdecimal():
        return chr(ord(char) - unicodedata.decimal(char) + next(draw) % 10)
    if "a" <= char <= "z":
        return chr(ord("a") + next(draw) % 26)
    if "A" <= char <= "Z":
        return chr(ord("A") + next(draw) % 26)
    return char


def _address(value: str, draw: Draw) -> str:
    """Numbers of as many digits in each place: below 256 with dots, hexadecimal with colons."""
    if ":" in value:
        return re.sub(r"[0-9a-fA-F]", lambda m: _hex(m[0], draw), value)
    ranges = {1: (1, 9), 2: (10, 99), 3: (100, 255)}

    def octet(match: re.Match[str]) -> str:
        low, high = ranges.get(len(match[0]), (0, 0))
        return str(low + next(draw) % (high - low + 1)) if high else match[0]

    return re.sub(r"[0-9]+", octet, value)


def _hex(char: str, draw: Draw) -> str:
    return ("0123456789" if char.isdecimal() else "ABCDEF" if char.isupper() else "abcdef")[
        next(draw) % (10 if char.isdecimal() else 6)
    ]


def _mend(chars: list[str], place: int, check: Callable[[str], bool]) -> None:
    """Set the check digit at a place."""
    zero = ord(chars[place]) - unicodedata.decimal(chars[place])
    for digit in range(10):
        chars[place] = chr(zero + digit)
        if check("".join(str(unicodedata.decimal(char)) for char in chars if char.isdecimal())):
            return


def _mend_iban(chars: list[str], free: list[int]) -> None:
    """ISO 13616: the two digits behind the country, so that the number is 1 modulo 97."""
    letters = "".join(chars[place] for place in free).upper()
    number = int("".join(str(int(char, 36)) for char in f"{letters[4:]}{letters[:2]}00"))
    for place, digit in zip(free[2:4], f"{98 - number % 97:02}", strict=True):
        chars[place] = digit


def _is_valid(category: str, fake: str) -> bool:
    if category in NATIONAL_IDS:
        bare = "".join(_ALNUM.findall(fake)).upper()
        try:
            return NATIONAL_IDS[category][1](bare)
        except (ValueError, KeyError, IndexError):
            return False
    return True
