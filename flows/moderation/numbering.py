"""The numbering plan of a region: whether digits are a number that is dialled there.

Rules
- The numbers are those of all regions under the calling code: they dial each other as they dial themselves.
- A number counts as it is dialled at home: with the prefix, where its plan asks for one.
- A plan is read when a region is first asked for; nothing is kept of the others.
"""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

from flows.moderation.tables.numbering_plans import CODES, REGIONS


class NumberingPlan(NamedTuple):
    shortest: int
    """How many digits the shortest numbers have that people are called by."""
    numbers: re.Pattern[str]
    prefix: re.Pattern[str] | None
    kept: str
    """What of the prefix belongs to the number, as a template for its groups; empty if nothing does."""
    undialled: re.Pattern[str] | None
    amounts: frozenset[tuple[int, ...]]
    """The sizes of groups that are a number's, though a large amount is grouped so, too."""

    def dialled(self, digits: str) -> str:
        """How these digits are dialled as a number: "prefix" or "bare"; empty if they are none."""
        prefix = self.prefix.match(digits) if self.prefix else None
        if prefix and 0 < prefix.end() < len(digits):  # what is dialled within an area alone does not count
            rest = digits[prefix.end() :]
            if self.kept and prefix.lastindex:
                rest = prefix.expand(self.kept) + rest
            if self.numbers.fullmatch(rest):
                return "prefix"
        if self.undialled and self.numbers.fullmatch(digits) and self.undialled.fullmatch(digits):
            return "bare"
        return ""


@functools.cache  # as many as there are regions
def plan_of_region(region: str) -> NumberingPlan | None:
    """The plan of a region (ISO 3166), if it has one."""
    rows = [line.split("\t") for line in REGIONS.split("\n") if line]
    own = next((row for row in rows if row[0] == region), None)
    if own is None:
        return None
    _, code, shortest, prefix, kept, _ = own
    numbers = "|".join(row[5] for row in rows if row[1] == code)
    undialled, amounts = next(line.split("\t")[1:] for line in CODES.split("\n") if line.partition("\t")[0] == code)
    return NumberingPlan(
        int(shortest),
        re.compile(numbers),
        None if prefix == "-" else re.compile(prefix),
        "" if kept == "-" else kept,
        None if undialled == "-" else re.compile(undialled),
        frozenset(tuple(map(int, shape.split("-"))) for shape in amounts.split(",") if shape != "-"),
    )
