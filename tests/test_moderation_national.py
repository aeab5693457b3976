"""flows.moderation.detectors.national: each national id's check, held against python-stdnum's."""

from __future__ import annotations

import importlib
import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.moderation import Moderator, Policy
from flows.moderation.detectors.base import DIGITS
from flows.moderation.detectors.national import NATIONAL_IDS, trigger_of
from flows.moderation.detectors.pattern import PatternDetector

DRAWN = 4_000
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
CONTROL = "TRWAGMYFPDXBNJZSQVHLCKE"

ORACLES = {
    "AU_TFN": "au.tfn",
    "BR_CPF": "br.cpf",
    "CA_SIN": "ca.sin",
    "CN_RESIDENT_ID": "cn.ric",
    "DE_TAX_ID": "de.idnr",
    "ES_NIE": "es.nie",
    "ES_NIF": "es.dni",
    "FI_PERSONAL_IDENTITY_CODE": "fi.hetu",
    "FR_NIR": "fr.nir",
    "IN_AADHAAR": "in_.aadhaar",
    "IT_FISCAL_CODE": "it.codicefiscale",
    "KR_RRN": "kr.rrn",
    "NL_BSN": "nl.bsn",
    "PL_PESEL": "pl.pesel",
    "SE_PERSONNUMMER": "se.personnummer",
    "TR_NATIONAL_ID": "tr.tckimlik",
    "UK_NHS": "gb.nhs",
    "ZA_ID_NUMBER": "za.idnr",
}
"""It has no check of AU_MEDICARE and SG_NRIC_FIN. Of Chinese places only Dongcheng (110101) is drawn: of others it
knows since when they are."""


class Draw:
    """Numbers of a type's shape, of which a good part is valid."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)

    def numbers(self, kind: str) -> Iterator[str]:
        """With every last digit in turn, so that some have the right one."""
        for _ in range(DRAWN // 10):
            body = self._body(kind)
            for check in self._checks(kind):
                yield body + check

    def _digits(self, count: int) -> str:
        return "".join(self._rng.choices("0123456789", k=count))

    def _date(self, century: bool = False) -> str:
        """A day, or nearly one."""
        year = self._rng.randint(1950, 2019)
        tail = f"{self._rng.randint(1, 13):02}{self._rng.randint(1, 32):02}"
        return (str(year) if century else f"{year % 100:02}") + tail

    def _body(self, kind: str) -> str:
        rng, digits = self._rng, self._digits
        date = self._date()
        match kind:
            case "CN_RESIDENT_ID":
                return rng.choice(("110101", "990000")) + self._date(century=True) + digits(3)
            case "DE_TAX_ID":
                once = rng.sample("0123456789", 10)
                return "".join(once[: rng.choice((8, 9))] + rng.choices(once[:8], k=2))[:10]
            case "ES_NIE":
                return rng.choice("XYZ") + digits(7)
            case "ES_NIF":
                return digits(8)
            case "FI_PERSONAL_IDENTITY_CODE":
                return date[4:] + date[2:4] + date[:2] + "-" + digits(3)
            case "FR_NIR":
                return (
                    rng.choice("12")
                    + digits(2)
                    + f"{rng.randint(1, 12):02}"
                    + rng.choice(("75", "2A", "2B"))
                    + digits(6)
                )
            case "IT_FISCAL_CODE":
                name = "".join(rng.choices(LETTERS, k=6))
                return (
                    name
                    + digits(2)
                    + rng.choice("ABCDEHLMPRST")
                    + f"{rng.randint(0, 75):02}"
                    + rng.choice("AH")
                    + digits(3)
                )
            case "KR_RRN":
                return date + rng.choice("12345678") + digits(5)
            case "PL_PESEL":
                return f"{date[:2]}{rng.randint(0, 99):02}{date[4:]}" + digits(4)
            case "SE_PERSONNUMMER":
                return date + "-" + digits(3)
            case "ZA_ID_NUMBER":
                return date + digits(4) + rng.choice("013") + "8"
        sizes = {"BR_CPF": 9, "FR_NIR": 13, "IN_AADHAAR": 11, "TR_NATIONAL_ID": 9, "UK_NHS": 9}
        return digits(sizes.get(kind, 8))

    def _checks(self, kind: str) -> list[str]:
        match kind:
            case "ES_NIE" | "ES_NIF":
                return list(CONTROL)
            case "FI_PERSONAL_IDENTITY_CODE":
                return list("0123456789ABCDEFHJKLMNPRSTUVWXY")
            case "IT_FISCAL_CODE":
                return list(LETTERS)
            case "CN_RESIDENT_ID":
                return list("0123456789X")
            case "BR_CPF" | "TR_NATIONAL_ID" | "FR_NIR":
                return [f"{number:02}" for number in range(1, 98)]
        return list("0123456789")


def is_ours(kind: str, number: str) -> bool:
    shape, check = NATIONAL_IDS[kind]
    if not re.fullmatch(shape.replace(r"\b", ""), number):
        return False
    return check(re.sub("[^0-9A-Z]", "", number))


@pytest.mark.parametrize("kind", ORACLES)
def test_a_national_id_is_valid_where_python_stdnum_says_so(kind: str) -> None:
    oracle = importlib.import_module(f"stdnum.{ORACLES[kind]}")
    valid = 0
    for number in Draw(11).numbers(kind):
        assert is_ours(kind, number) == oracle.is_valid(number), number
        valid += oracle.is_valid(number)
    assert valid > 50


@pytest.mark.parametrize("number", ["33590407689", "59709211467", "89056843928"])
def test_a_german_tax_id_repeats_just_one_of_its_digits(number: str) -> None:
    assert not is_ours("DE_TAX_ID", number)
    text = f"Steuer-ID {number}, bitte"
    moderator = Moderator(Policy(pii=("DE_TAX_ID",)))
    assert moderator.feed(text) + moderator.flush() == text


def test_swedes_without_a_place_in_the_register_are_found_though_the_library_knows_none() -> None:
    assert is_ours("SE_PERSONNUMMER", "701063-2391")


def test_refugees_numbers_are_found_though_the_library_knows_none() -> None:
    assert is_ours("ZA_ID_NUMBER", "8001015009285")


@pytest.mark.parametrize(
    ("shape", "letters"),
    [
        (r"(?i:\b[PQ][A-C]{0,2}[ -]?\d{1,4}[ -]?[A-Z]\b)", "PQpq"),
        (r"\b(?:\d{4}|[JK]{3}) ?\d{2}\b", "JK"),
        (r"\b\d{3} ?\d{3}\b", ""),
    ],
)
def test_a_shape_is_looked_for_from_its_first_letter_on(shape: str, letters: str) -> None:
    trigger = trigger_of(shape)
    assert trigger is not None
    assert set(trigger.removeprefix(DIGITS)) == set(letters)


def test_letters_apart_before_the_digits_are_waited_for() -> None:
    shape = r"\b[PQ][A-C]{2} ?\d{4}\b"
    detector = PatternDetector("PLATE", shape, 32, "here", trigger=trigger_of(shape))
    for letter in "PQ":
        text = f"it is {letter}AB "
        assert re.search(f"[{detector.trigger}]", text)
        assert detector.scan(text, 0, len(text), final=False) == ([], text.index(letter))


def test_every_national_id_is_named_in_the_docs() -> None:
    page = (Path(__file__).parents[1] / "docs" / "moderation.md").read_text(encoding="utf-8")
    assert [kind for kind in NATIONAL_IDS if f"`{kind}`" not in page] == []


GROUPINGS = {
    "AU_TFN": (3, 3, 3),
    "BR_CPF": (3, 3, 3, 2),
    "CA_SIN": (3, 3, 3),
    "CN_RESIDENT_ID": (6, 8, 4),
    "DE_TAX_ID": (2, 3, 3, 3),
    "ES_NIE": (1, 7, 1),
    "ES_NIF": (2, 3, 3, 1),
    "FR_NIR": (1, 2, 2, 2, 3, 3, 2),
    "IN_AADHAAR": (4, 4, 4),
    "IT_FISCAL_CODE": (3, 3, 5, 5),
    "KR_RRN": (6, 7),
    "NL_BSN": (3, 3, 3),
    "PL_PESEL": (6, 5),
    "SE_PERSONNUMMER": (6, 4),
    "TR_NATIONAL_ID": (3, 3, 3, 2),
    "UK_NHS": (3, 3, 4),
    "ZA_ID_NUMBER": (6, 4, 2, 1),
}
"""As people write them; FI_PERSONAL_IDENTITY_CODE has its sign inside."""


def written(kind: str, number: str) -> Iterator[str]:
    oracle = importlib.import_module(f"stdnum.{ORACLES[kind]}")
    yield oracle.format(number) if hasattr(oracle, "format") else number
    yield number
    plain = number.replace("-", "")
    for sign in " -.\u00a0\u2011" if kind in GROUPINGS else "":
        at, groups = 0, []
        for size in GROUPINGS[kind]:
            groups.append(plain[at : at + size])
            at += size
        yield sign.join(groups)


@pytest.mark.parametrize("kind", ORACLES)
def test_a_national_id_is_found_as_it_is_written_and_no_other(kind: str) -> None:
    oracle = importlib.import_module(f"stdnum.{ORACLES[kind]}")
    policy = Policy(pii=(kind,))
    valid = invalid = 0
    for number in Draw(5).numbers(kind):
        is_valid = oracle.is_valid(number)
        if (valid if is_valid else invalid) >= 12:
            continue
        valid, invalid = valid + is_valid, invalid + (not is_valid)
        for value in written(kind, number):
            text = f"it is {value}, and that is all"
            for pieces in ([text], list(text)):
                moderator = Moderator(policy)
                shown = "".join(map(moderator.feed, pieces)) + moderator.flush()
                assert shown == (text.replace(value, "[REDACTED]") if is_valid else text)
    assert valid == invalid == 12
