"""Makes flows/moderation/tables/numbering_plans.py of libphonenumber's metadata (PyPI's phonenumbers, Apache-2.0).

    .venv/bin/python tools/numbering_plans.py [FILE]

Every region's plan as libphonenumber judges by it: which numbers there are, what is dialled before them at home, and
which are dialled without. What it needs for writing numbers is left out but for the groups that may as well be a
large amount's (12 345 678).
"""

from __future__ import annotations

import itertools
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import phonenumbers
from phonenumbers import PhoneMetadata, PhoneNumberFormat, PhoneNumberType
from phonenumbers.phonemetadata import NumberFormat

TARGET = Path(__file__).parents[1] / "flows" / "moderation" / "tables" / "numbering_plans.py"
KINDS = (
    *("fixed_line", "mobile", "toll_free", "premium_rate", "shared_cost"),
    *("personal_number", "voip", "pager", "uan", "voicemail"),
)
SUBSCRIBERS = (PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE)
NONE = "-"

HEAD = '''\
"""National numbering plans: which numbers a region has, and how they are dialled there.

Made by tools/numbering_plans.py of libphonenumber's metadata, version {version} (Apache-2.0, by the libphonenumber
authors); not to be edited by hand. Fields are parted by tabs, `-` is nothing.
"""

# One line a region or code, as long as its pattern is:
# ruff: noqa: E501

from __future__ import annotations

VERSION = "{version}"
"""Of the metadata."""

REGIONS = r"""
{regions}
"""
"""Region (ISO 3166), calling code, the digits of its shortest numbers, the pattern of what is dialled before
a number, what of it belongs to the number, the pattern of the region's numbers."""

CODES = r"""
{codes}
"""
"""Calling code, the pattern of its numbers that are dialled without a prefix, the sizes of their groups where they are
those of an amount, too."""
'''


def metadata(region: str) -> PhoneMetadata:
    found = PhoneMetadata.metadata_for_region(region)
    assert found is not None
    return found


def shortest(region: str) -> int:
    """How many digits are dialled for its shortest numbers: four only if people are called by those."""
    lengths = {kind: dialled_digits(region, kind) for kind in PhoneNumberType.values()}
    subscribers = {lengths[kind] for kind in SUBSCRIBERS}
    return min(count for count in lengths.values() if count > 4 or count in subscribers - {0})


def dialled_digits(region: str, kind: int) -> int:
    """How many digits are dialled for the example of a kind; 0 if the region has none."""
    number = phonenumbers.example_number_for_type(region, kind)
    return sum(map(str.isdigit, phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL))) if number else 0


def region_line(region: str) -> str:
    plan = metadata(region)
    patterns = [
        desc.national_number_pattern for kind in KINDS if (desc := getattr(plan, kind)) and desc.national_number_pattern
    ]
    fields = (
        str(shortest(region)),
        plan.national_prefix_for_parsing or NONE,
        plan.national_prefix_transform_rule or NONE,
        "|".join(dict.fromkeys(patterns)),
    )
    return "\t".join((region, str(plan.country_code), *fields))


def needs_prefix(form: NumberFormat) -> bool:
    """Whether numbers of this form are dialled with the prefix: their rule writes digits before the first group."""
    rule = (form.national_prefix_formatting_rule or "").partition(r"\1")[0]
    return any(map(str.isdigit, rule)) and not form.national_prefix_optional_when_formatting


def form_pattern(form: NumberFormat) -> str:
    leading = form.leading_digits_pattern[-1:]  # the last is the fullest
    digits = re.sub(r"\((\\d(?:\{[\d,]+\})?)\)", r"\1", form.pattern or "")
    return (f"(?={leading[0]})" if leading else "") + re.sub(r"\((?!\?)", "(?:", digits)


def examples(regions: Iterable[str]) -> Iterator[str]:
    for region, kind in itertools.product(regions, PhoneNumberType.values()):
        if number := phonenumbers.example_number_for_type(region, kind):
            yield phonenumbers.national_significant_number(number)


def undialled(forms: list[NumberFormat], numbers: Iterable[str]) -> str:
    """The pattern of numbers that are dialled as they are.

    The first form that fits a number is its own. What none fits is dialled as it is; most codes have no such numbers.
    """
    if not any(map(needs_prefix, forms)):
        return ".*"
    found: list[str] = []
    refused: list[str] = []
    for needs, run in itertools.groupby(forms, needs_prefix):
        patterns = [form_pattern(form) for form in run]
        if needs:
            refused += patterns
        else:
            found.append((rf"(?!(?:{'|'.join(refused)})\Z)" if refused else "") + f"(?:{'|'.join(patterns)})")
    every = "|".join(map(form_pattern, forms))
    if not all(re.fullmatch(every, number) for number in numbers):
        found.append(rf"(?!(?:{every})\Z).*")
    return "|".join(found) or NONE


def amount_like(forms: list[NumberFormat]) -> str:
    """The sizes of the groups of those forms that have one to three digits first, and then three each."""
    found = set()
    for form in forms:
        groups = [
            range(int(least or 1), int(most or least or 1) + 1)
            for least, most in re.findall(r"\((?:\\d|\[[^]]*\])(?:\{(\d+)(?:,(\d+))?\})?", form.pattern or "")
        ]
        for sizes in itertools.product(*groups):
            if not needs_prefix(form) and len(sizes) > 1 and set(sizes[1:]) == {3} and sizes[0] <= 3:
                found.add("-".join(map(str, sizes)))
    return ",".join(sorted(found)) or NONE


def main() -> None:
    regions = sorted(phonenumbers.SUPPORTED_REGIONS)
    codes = {}
    for code, sharing in sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE.items()):
        if sharing[0] in phonenumbers.SUPPORTED_REGIONS:
            forms = metadata(sharing[0]).number_format  # the code's main region has those of all
            codes[code] = "\t".join((str(code), undialled(forms, examples(sharing)), amount_like(forms)))
    text = HEAD.format(
        version=phonenumbers.__version__, regions="\n".join(map(region_line, regions)), codes="\n".join(codes.values())
    )
    sys.stdout.write(f"{len(regions)} regions, {len(codes)} codes, {len(text)} characters\n")
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET
    target.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
