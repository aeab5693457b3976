"""Moderation beside the reference libraries: what they hold for valid is found, and what they do not is not.

Part of `python benchmarks/moderation.py`. Needs what is in the test extra: phonenumbers and python-stdnum.
"""

from __future__ import annotations

import importlib
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from flows.moderation import Moderator, Policy
from flows.moderation.policy import DISGUISED_TYPES, NATIONAL_IDS

TEXTS = Path(__file__).parents[1] / "tests" / "texts"
WORST = 5


def found(text: str, policy: Policy) -> list[str]:
    moderator = Moderator(policy)
    moderator.feed(text)
    moderator.flush()
    return [text[f.start : f.end] for f in moderator.findings]


def lines(name: str) -> list[str]:
    return [line.replace(r"\n", "\n") for line in (TEXTS / name).read_text(encoding="utf-8").splitlines()]


def measure_regions() -> None:
    import phonenumbers

    texts = lines("no_phones.txt")
    regions = sorted(phonenumbers.SUPPORTED_REGIONS)
    hit: Counter[str] = Counter()
    total: Counter[str] = Counter()
    false: dict[str, int] = {}
    theirs: dict[str, int] = {}
    missed = []
    for region in regions:
        policy = Policy(pii=("PHONE_NUMBER",), region=region)
        for written in national_examples(region):
            for form, number in (("grouped", written), ("bare", re.sub(r"\D", "", written))):
                total[form] += 1
                hit[form] += (ok := found(f"also {number} today", policy) == [number])
                missed += [] if ok else [f"{region} {number}"]
        false[region] = sum(bool(found(text, policy)) for text in texts)
        theirs[region] = sum(phonenumbers.PhoneNumberMatcher(text, region).has_next() for text in texts)
    print(f"phones of {len(regions)} regions, libphonenumber's examples")
    print("  found", "  ".join(f"{form} {hit[form]}/{total[form]}" for form in total), f" missed: {', '.join(missed)}")
    for name, counts in (("tokenweir", false), ("libphonenumber", theirs)):
        worst = "  ".join(f"{region} {count}" for region, count in Counter(counts).most_common(WORST))
        mean = sum(counts.values()) / len(counts)
        print(f"  {name:17} texts of {len(texts)} without a phone with a false one: {mean:.2f} a region; most: {worst}")


def national_examples(region: str) -> Iterator[str]:
    import phonenumbers

    for kind in phonenumbers.PhoneNumberType.values():
        if number := phonenumbers.example_number_for_type(region, kind):
            yield phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)


def measure_national_ids() -> None:
    from tests.test_moderation_national import ORACLES, Draw, written

    print("national ids, python-stdnum's verdict on drawn numbers: valid found in all written forms; invalid found")
    for kind in NATIONAL_IDS:
        if kind not in ORACLES:
            print(f"  {kind:26} it has no such check")
            continue
        is_valid = importlib.import_module(f"stdnum.{ORACLES[kind]}").is_valid
        policy = Policy(pii=(kind,))
        counts: Counter[tuple[bool, bool]] = Counter()
        for number in Draw(17).numbers(kind):
            valid = is_valid(number)
            if counts[valid, True] + counts[valid, False] < 600:
                counts.update(
                    (valid, found(f"it is {value} then", policy) == [value]) for value in written(kind, number)
                )
        sums = [f"{counts[valid, True]}/{counts[valid, True] + counts[valid, False]}" for valid in (True, False)]
        print(f"  {kind:26} {sums[0]}; {sums[1]}")


def measure_disguises() -> None:
    texts = lines("no_disguises.txt") + lines("no_phones.txt")
    print(f"disguises: false findings in {len(texts)} texts that come near")
    print(
        " ", "  ".join(f"{kind} {sum(len(found(t, Policy(pii=(kind,)))) for t in texts)}" for kind in DISGUISED_TYPES)
    )
