"""National ids that carry a check digit: opt-ins, each a shape (RE2) and its check.

Shapes allow the groupings in use, with any sign between them that parts numbers (`tables/separators.py`). Nothing is
told by shape alone: without the right check digit it is no finding.
Sources: the issuing authorities' specifications; the names of the types are those of Presidio where it has one.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable
from datetime import date
from functools import cache

from flows.moderation.beginnings import beginning
from flows.moderation.detectors.base import DIGITS
from flows.moderation.detectors.card import luhn
from flows.moderation.tables.separators import STRICT

Check = Callable[[str], bool]


def _weighted(digits: str, weights: tuple[int, ...]) -> int:
    return sum(int(d) * w for d, w in zip(digits, weights, strict=False))


def _nhs(d: str) -> bool:
    check = 11 - _weighted(d, (10, 9, 8, 7, 6, 5, 4, 3, 2)) % 11
    return check != 10 and int(d[9]) == check % 11


def _bsn(d: str) -> bool:
    return int(d) > 0 and _weighted(d, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0


def _mod_11_10(d: str) -> bool:
    """ISO/IEC 7064, MOD 11,10; and of the first ten digits of a German tax id, just one comes twice or thrice."""
    product = 10
    for digit in d[:-1]:
        total = (int(digit) + product) % 10 or 10
        product = total * 2 % 11
    repeated = [count for count in Counter(d[:10]).values() if count > 1]
    return (11 - product) % 10 == int(d[-1]) and repeated in ([2], [3])


def _nif(d: str) -> bool:
    number = d[:-1].translate(str.maketrans("XYZ", "012"))
    return "TRWAGMYFPDXBNJZSQVHLCKE"[int(number) % 23] == d[-1]


_OMOCODIA = str.maketrans("LMNPQRSTUV", "0123456789")
"""Letters that stand for digits where two people would have the same code."""

_FISCAL_ODD = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)


def _fiscal(d: str) -> bool:
    total = 0
    for i, char in enumerate(d[:15]):
        value = int(char) if char.isdigit() else ord(char) - 65
        total += value if i % 2 else _FISCAL_ODD[value]
    digits = d.translate(_OMOCODIA)
    month = "ABCDEHLMPRST".index(d[8]) + 1
    day = int(digits[9:11]) % 40  # women's days are counted from 41
    return chr(65 + total % 26) == d[15] and _is_date(2000 + int(digits[6:8]), month, day)


def _nir(d: str) -> bool:
    body = d[:13].replace("2A", "19").replace("2B", "18")
    return 97 - int(body) % 97 == int(d[13:])


def _pesel(d: str) -> bool:
    century, month = divmod(int(d[2:4]), 20)
    year = (1900, 2000, 2100, 2200, 1800)[century] + int(d[:2])
    check = (10 - _weighted(d, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)) % 10) % 10
    return check == int(d[10]) and _is_date(year, month, int(d[4:6]))


def _personnummer(d: str) -> bool:
    century, d = int(d[:-10] or 20), d[-10:]
    day = int(d[4:6]) % 60  # those without a place in the register have 60 added
    return _is_date(100 * century + int(d[:2]), int(d[2:4]), day) and luhn(d)


def _hetu(d: str) -> bool:
    number = int(d[:6] + d[-4:-1])  # the sign between them tells the century
    is_person = 2 <= int(d[-4:-1]) <= 899  # others stand for somebody who has none yet
    check = "0123456789ABCDEFHJKLMNPRSTUVWXY"[number % 31]
    return check == d[-1] and is_person and _is_date(2000 + int(d[4:6]), int(d[2:4]), int(d[:2]))


def _cpf(d: str) -> bool:
    if len(set(d)) == 1:
        return False
    for count in (9, 10):
        check = _weighted(d, tuple(range(count + 1, 1, -1))[:count]) * 10 % 11 % 10
        if check != int(d[count]):
            return False
    return True


_VERHOEFF_D = (
    "0123456789", "1234067895", "2340178956", "3401289567", "4012395678",
    "5987604321", "6598710432", "7659821043", "8765932104", "9876543210",
)  # fmt: skip
_VERHOEFF_P = (
    "0123456789", "1576283094", "5803796142", "8916043527", "9453126870", "4286573901", "2793806415", "7046913258",
)  # fmt: skip


def _verhoeff(d: str) -> bool:
    check = 0
    for i, digit in enumerate(reversed(d)):
        check = int(_VERHOEFF_D[check][int(_VERHOEFF_P[i % 8][int(digit)])])
    return check == 0 and d != d[::-1]


def _tfn(d: str) -> bool:
    return _weighted(d, (1, 4, 3, 7, 5, 8, 6, 9, 10)) % 11 == 0


def _medicare(d: str) -> bool:
    return _weighted(d, (1, 3, 7, 9, 1, 3, 7, 9)) % 10 == int(d[8])


def _za(d: str) -> bool:
    """The eleventh digit: a citizen, a resident or a refugee."""
    return luhn(d) and d[10] in "012" and _is_date(2000 + int(d[:2]), int(d[2:4]), int(d[4:6]))


def _nric(d: str) -> bool:
    kind, number = d[0], d[1:8]
    total = _weighted(number, (2, 7, 6, 5, 4, 3, 2)) + {"S": 0, "T": 4, "F": 0, "G": 4, "M": 3}[kind]
    if kind == "M":
        return "KLJNPQRTUWX"[10 - total % 11] == d[8]
    return ("JZIHGFEDCBA" if kind in "ST" else "XWUTRQPNMLK")[total % 11] == d[8]


def _rrn(d: str) -> bool:
    check = (11 - _weighted(d, (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)) % 11) % 10
    year = (1900 if d[6] in "1256" else 2000) + int(d[:2])
    place = int(d[7:9])
    return check == int(d[12]) and place <= 96 and _is_date(year, int(d[2:4]), int(d[4:6]))


def _kimlik(d: str) -> bool:
    odd, even = sum(map(int, d[0:9:2])), sum(map(int, d[1:8:2]))
    return (odd * 7 - even) % 10 == int(d[9]) and sum(map(int, d[:10])) % 10 == int(d[10])


def _resident(d: str) -> bool:
    total = _weighted(d, (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2))
    is_place = d[:2] in _PROVINCES
    return "10X98765432"[total % 11] == d[17] and is_place and _is_date(int(d[6:10]), int(d[10:12]), int(d[12:14]))


_PROVINCES = frozenset(
    str(number)
    for first, last in ((11, 15), (21, 23), (31, 37), (41, 46), (50, 54), (61, 65), (71, 71), (81, 83))
    for number in range(first, last + 1)
)
"""GB/T 2260, and those of residents from Hong Kong, Macao and Taiwan."""


def _is_date(year: int, month: int, day: int) -> bool:
    """Whether there is such a day. Where a number does not tell the century, the year is of 2000: a leap one."""
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def _digits(*sizes: int) -> str:
    """The shape of digits in groups of these sizes, which are written with a sign between them or without."""
    return _SIGN.join(rf"\d{{{size}}}" for size in sizes)


_SIGN = f"[{STRICT}/]?"
_CODED = "[0-9LMNPQRSTUV]"
_FISCAL_CODE = (
    rf"(?i:\b[A-Z]{{3}}{_SIGN}[A-Z]{{3}}{_SIGN}{_CODED}{{2}}{_SIGN}[A-EHLMPRST]{_SIGN}{_CODED}{{2}}{_SIGN}"
    rf"[A-Z]{_CODED}{{3}}{_SIGN}[A-Z]\b)"
)

NATIONAL_IDS: dict[str, tuple[str, Check]] = {
    "AU_MEDICARE": (rf"\b[2-6]{_digits(3, 5, 1)}\b", _medicare),
    "AU_TFN": (rf"\b{_digits(3, 3, 3)}\b", _tfn),
    "BR_CPF": (rf"\b{_digits(3, 3, 3, 2)}\b", _cpf),
    "CA_SIN": (rf"\b[1-79]{_digits(2, 3, 3)}\b", luhn),
    "CN_RESIDENT_ID": (rf"\b[1-9]\d{{5}}{_SIGN}(?:19|20){_digits(6, 3)}[\dXx]\b", _resident),
    "DE_TAX_ID": (rf"\b[1-9]{_digits(1, 3, 3, 3)}\b", _mod_11_10),
    "ES_NIE": (rf"(?i:\b[XYZ]{_SIGN}{_digits(1, 3, 3)}{_SIGN}[A-Z]\b)", _nif),
    "ES_NIF": (rf"(?i:\b\d{{1,2}}{_SIGN}{_digits(3, 3)}{_SIGN}[A-Z]\b)", _nif),
    "FI_PERSONAL_IDENTITY_CODE": (r"(?i:\b\d{6}[-+A-FU-Y]\d{3}[0-9A-Y]\b)", _hetu),
    "FR_NIR": (rf"(?i:\b[12]{_SIGN}{_digits(2, 2)}{_SIGN}\d[\dAB]{_SIGN}{_digits(3, 3, 2)}\b)", _nir),
    "IN_AADHAAR": (rf"\b[2-9]{_digits(3, 4, 4)}\b", _verhoeff),
    "IT_FISCAL_CODE": (_FISCAL_CODE, _fiscal),
    "KR_RRN": (rf"\b\d{{6}}{_SIGN}[1-8]\d{{6}}\b", _rrn),
    "NL_BSN": (rf"\b(?:{_digits(4, 2, 3)}|{_digits(3, 3, 3)})\b", _bsn),
    "PL_PESEL": (rf"\b{_digits(6, 5)}\b", _pesel),
    "SE_PERSONNUMMER": (rf"\b(?:\d{{2}})?\d{{6}}(?:\+|{_SIGN})\d{{4}}\b", _personnummer),
    "SG_NRIC_FIN": (rf"(?i:\b[STFGM]{_SIGN}{_digits(4, 3)}{_SIGN}[A-Z]\b)", _nric),
    "TR_NATIONAL_ID": (rf"\b[1-9]{_digits(2, 3, 3, 2)}\b", _kimlik),
    "UK_NHS": (rf"\b{_digits(3, 3, 4)}\b", _nhs),
    "ZA_ID_NUMBER": (rf"\b{_digits(6, 4, 2, 1)}\b", _za),
}
"""By type: the shape, and the check on its letters and digits (capitals, without separators)."""


@cache
def trigger_of(shape: str) -> str | None:
    """The characters that call a shape's detector: digits, and the letters that it begins with, which may stand apart
    before them. None where it has no digit of its own, and so may be all letters."""
    if r"\d" not in shape:
        return None
    begun = re.compile(f"(?:{beginning(shape)})\\Z")
    return DIGITS + "".join(letter for letter in string.ascii_letters if begun.match(letter))
