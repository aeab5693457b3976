"""National phone numbers of a policy's region, held against libphonenumber: as dialled there, and nothing else."""

from __future__ import annotations

import random
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import phonenumbers
import pytest
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from flows.moderation import Moderator, Policy
from flows.moderation.numbering import plan_of_region
from flows.moderation.tables import numbering_plans
from tests.properties.moderation_texts import check

ROOT = Path(__file__).parents[1]
REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
NO_PHONES = (ROOT / "tests" / "texts" / "no_phones.txt").read_text(encoding="utf-8").splitlines()


def found(text: str, region: str) -> list[str]:
    moderator = Moderator(Policy(pii=("PHONE_NUMBER",), region=region))
    moderator.feed(text)
    moderator.flush()
    return [text[f.start : f.end] for f in moderator.findings]


def examples(region: str) -> Iterator[str]:
    """As they are written in their region."""
    for kind in PhoneNumberType.values():
        if number := phonenumbers.example_number_for_type(region, kind):
            yield phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)


def test_the_table_is_what_its_script_makes_of_the_metadata(tmp_path: Path) -> None:
    if phonenumbers.__version__ != numbering_plans.VERSION:
        pytest.skip("another version of the metadata; run tools/numbering_plans.py")
    made = tmp_path / "made.py"
    subprocess.run([sys.executable, "tools/numbering_plans.py", str(made)], cwd=ROOT, check=True, capture_output=True)
    assert made.read_text(encoding="utf-8") == Path(numbering_plans.__file__).read_text(encoding="utf-8")


def test_numbers_are_dialled_where_libphonenumber_says_so() -> None:
    rng = random.Random(3)
    differing, dialled = [], 0
    for region in REGIONS:
        plan = plan_of_region(region)
        assert plan is not None
        metadata = phonenumbers.PhoneMetadata.metadata_for_region(region)
        for _ in range(20):
            size = rng.choice(metadata.general_desc.possible_length)
            prefix = rng.choice(("", metadata.national_prefix or ""))
            digits = prefix + "".join(rng.choices("0123456789", k=size))
            dialled += bool(plan.dialled(digits))
            if bool(plan.dialled(digits)) != is_dialled(digits, region):
                differing.append((region, digits))
    assert dialled > 500
    assert len(differing) <= 2, differing


def is_dialled(digits: str, region: str) -> bool:
    try:
        number = phonenumbers.parse(digits, region, keep_raw_input=True)
    except phonenumbers.NumberParseException:
        return False
    own = number.country_code == phonenumbers.country_code_for_region(region)
    prefixed = phonenumbers.phonenumbermatcher._is_national_prefix_present_if_required(number)
    return own and phonenumbers.is_valid_number(number) and prefixed


UNFOUND = {"20.12.34", "321000", "8000000"}
"""A date and two round amounts, though they are New Caledonia's, Greenland's and the Seychelles'."""


def test_every_number_that_libphonenumber_has_an_example_of_is_found_grouped_and_bare() -> None:
    missed = {
        number
        for region in REGIONS
        for written in examples(region)
        for number in (written, re.sub(r"\D", "", written))
        if found(f"also {number} today", region) != [number]
    }
    assert missed == UNFOUND


def test_texts_without_phones_have_none_in_whatever_region() -> None:
    counts = {region: sum(bool(found(text, region)) for text in NO_PHONES) for region in REGIONS}
    assert max(counts.values()) <= 4, max(counts, key=counts.__getitem__)  # Somalia's numbers have six digits
    assert sorted(counts.values())[-2] <= 3
    assert sum(counts.values()) / len(counts) < 0.5
    assert not any(found(text, "") for text in NO_PHONES)


@pytest.mark.parametrize(
    ("text", "region", "numbers"),
    [
        ("ruf 030 12345678 an, Bestellung 0301234567", "DE", ["030 12345678"]),
        ("0171 2345678, 01712345678 oder (0171) 234 56 78", "DE", ["0171 2345678", "01712345678", "(0171) 234 56 78"]),
        ("1712345678 Stück", "DE", []),  # without its zero it is none
        ("62 12 34 56 or 62123456, not order 62123456 nor 62123456 items", "DK", ["62 12 34 56", "62123456"]),
        ("it is 6123-4567 now, pages 6123-4567", "SG", ["6123-4567"]),
        ("11 15-2345-6789 y 011 15-2345-6789", "AR", ["11 15-2345-6789", "011 15-2345-6789"]),
        ("8 812 123-45-67 и 88121234567", "RU", ["8 812 123-45-67", "88121234567"]),
        ("so 21 234 567 it is, 21 234 567 people", "LV", ["21 234 567"]),
        ("so 32 123 456 it is", "DK", []),  # an amount is grouped so, no Dane's number
        ("on 7012 today, in 2019 and 5000 people", "NU", ["7012"]),
        ("0.0012345678 and 55.676098, 12.568337", "DK", []),
    ],
)
def test_a_number_counts_as_it_is_dialled_and_written_there(text: str, region: str, numbers: list[str]) -> None:
    assert found(text, region) == numbers


@pytest.mark.parametrize("region", ["DE", "SO", "TK"])
def test_what_is_found_does_not_depend_on_pieces(region: str) -> None:
    policy = Policy(pii=("PHONE_NUMBER",), region=region)
    rng = random.Random(region)
    for text in [*NO_PHONES, *(f"{number} {rng.choice(NO_PHONES)}" for number in examples(region))]:
        for size in (2, 7):
            check(policy, text, [text[i : i + size] for i in range(0, len(text), size)])
