"""A goal in plain words: "first words within 400 ms, fewest messages".

Rules
- Clauses between commas. A limit names a figure, `within` (also: under, below, at most) or `at least`, a number and
  its unit (ms, s, %); the last clause may say what should be best: fewest messages, shortest delay, earliest first
  words, fewest broken sentences. Without that it is the fewest messages.
- "First words" and "delay" are the 95th percentile unless they say p50 or p99.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from connectors.errors import SettingsError

DEFAULT = "first words within 400 ms, fewest messages"
_FIGURES = {
    "first words": "first_p95",
    "first words p50": "first_p50",
    "first words p95": "first_p95",
    "delay": "delay_p95",
    "delay p50": "delay_p50",
    "delay p95": "delay_p95",
    "delay p99": "delay_p99",
    "messages": "messages",
    "broken sentences": "broken",
    "reduction": "reduction",
}
_BEST = {
    "fewest messages": "messages",
    "shortest delay": "delay_p95",
    "earliest first words": "first_p95",
    "fewest broken sentences": "broken",
}
_LIMIT = re.compile(
    r"(?P<figure>[a-z0-9 ]+?) (?P<way>within|under|below|at most|at least) (?P<number>[\d.]+) ?(?P<unit>ms|s|%|)"
)
_UNITS = {"first": {"ms": 1.0, "s": 1_000.0}, "delay": {"ms": 1.0, "s": 1_000.0}, "messa": {"": 1.0}}
_SHARE = {"%": 0.01}
_SAYING = (
    f'say limits and what should be best, such as "{DEFAULT}"; limits of {", ".join(_FIGURES)}; '
    f"best: {', '.join(_BEST)}"
)


class Limit(msgspec.Struct, frozen=True):
    """A bound on a figure: `sign` 1 for at most, -1 for at least."""

    figure: str
    sign: int
    value: float

    def excess(self, value: Any) -> Any:
        """By how much of the limit a value (or an array of them) is beyond it; 0 or less where it is met."""
        return self.sign * (value - self.value) / max(self.value, 1e-9)


class Goal(msgspec.Struct, frozen=True):
    """What is wanted: all limits met, and of what meets them the least `best`."""

    text: str
    limits: tuple[Limit, ...]
    best: str

    @property
    def figures(self) -> tuple[str, ...]:
        """The figures that it is about, and the messages: what a front is drawn over."""
        return tuple(dict.fromkeys((self.best, *(limit.figure for limit in self.limits), "messages")))


def parse(text: str) -> Goal:
    """Raises SettingsError that says what can be said."""
    limits: list[Limit] = []
    best = "messages"
    for clause in filter(None, (" ".join(part.lower().split()) for part in text.split(","))):
        if clause in _BEST:
            best = _BEST[clause]
            continue
        match = _LIMIT.fullmatch(clause)
        if match is None or match["figure"] not in _FIGURES:
            raise SettingsError(f"--goal: {clause!r} is not understood: {_SAYING}")
        limits.append(_limit(clause, match.groupdict()))
    return Goal(text, tuple(limits), best)


def _limit(clause: str, said: Mapping[str, str]) -> Limit:
    figure = _FIGURES[said["figure"]]
    units = _UNITS.get(figure[:5], _SHARE)
    try:
        number = float(said["number"])
    except ValueError:
        number = -1.0
    if said["unit"] not in units or number < 0:
        wanted = " or ".join(unit or "no unit" for unit in units)
        raise SettingsError(f"--goal: {clause!r} should have a number and {wanted}")
    return Limit(figure, -1 if said["way"] == "at least" else 1, number * units[said["unit"]])
