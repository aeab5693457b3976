"""What a benchmark found, as one table: tokenweir beside its peer, in one run.

Rules
- A figure is the median of its rounds; in a round every contestant has its turn, one after another.
- A ratio is the median of the rounds' own ratios: what the machine does to a round, it does to both.
- A goal is said beside its figure, and whether it is met; nothing fails by it.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterable, Sequence
from statistics import median
from typing import Literal, NamedTuple

from benchmarks.load.service import Name

Figures = dict[str, float]
Rounds = dict[Name, list[Figures]]
HEAD = ("what", "unit", "tokenweir", "asyncio", "ratio", "relay", "goal", "met", "note")


class Goal(NamedTuple):
    """A bound on tokenweir's figure, or on its ratio to the peer."""

    of: Literal["value", "ratio"]
    is_most: bool
    bound: float

    def __str__(self) -> str:
        return f"{'<=' if self.is_most else '>='} {_number(self.bound)}{' x' if self.of == 'ratio' else ''}"

    def met(self, value: float | None) -> bool | None:
        if value is None or math.isnan(value):
            return None
        return value <= self.bound if self.is_most else value >= self.bound


def at_most(bound: float) -> Goal:
    return Goal("value", True, bound)


def at_least(bound: float) -> Goal:
    return Goal("value", False, bound)


def ratio(bound: float) -> Goal:
    return Goal("ratio", True, bound)


class Line(NamedTuple):
    """One line of the table. `values`: of each contestant, one a round."""

    what: str
    unit: str
    values: dict[Name, list[float]]
    goal: Goal | None = None
    note: str = ""

    def value(self, name: Name) -> float | None:
        return median(values) if (values := self.values.get(name)) else None

    @property
    def ratio(self) -> float | None:
        pairs = zip(self.values.get("tokenweir", ()), self.values.get("asyncio", ()), strict=False)
        ratios = [ours / theirs for ours, theirs in pairs if theirs]
        return median(ratios) if ratios else None

    def cells(self) -> tuple[str, ...]:
        judged = self.goal and self.goal.met(self.ratio if self.goal.of == "ratio" else self.value("tokenweir"))
        return (
            self.what,
            self.unit,
            _number(self.value("tokenweir")),
            _number(self.value("asyncio")),
            _number(self.ratio),
            _number(self.value("relay")),
            str(self.goal or ""),
            {True: "yes", False: "no", None: ""}[judged],
            self.note,
        )


def line(what: str, unit: str, rounds: Rounds, figure: str, goal: Goal | None = None) -> Line:
    """One figure of the rounds. What every run should have and one has not is its note."""
    values = {name: [each[figure] for each in found if figure in each] for name, found in rounds.items()}
    lost = sum(each.get("unfinished", 0) for found in rounds.values() for each in found)
    late = max((each.get("late", 0.0) for found in rounds.values() for each in found), default=0.0)
    notes = [f"{lost:.0f} streams did not end in time"] * bool(lost) + [f"generator {late:.0f} ms late"] * (late > 50)
    return Line(what, unit, values, goal, "; ".join(notes))


async def take_turns(
    names: Sequence[Name],
    runs: int,
    measure: Callable[[Name], Awaitable[Figures]],
    *,
    once: Iterable[Name] = ("relay",),
) -> Rounds:
    """Measure each of them in every round; those of `once` in the first alone."""
    rounds: Rounds = {name: [] for name in names}
    for number in range(runs):
        for name in names:
            if number == 0 or name not in once:
                rounds[name].append(await measure(name))
    return rounds


def show(lines: Iterable[Line], *, head: bool = True) -> None:
    """As Markdown, on standard output."""
    if head:
        print("|", " | ".join(HEAD), "|")
        print("|", " | ".join(["---"] * len(HEAD)), "|", flush=True)
    for each in lines:
        print("|", " | ".join(each.cells()), "|", flush=True)


def _number(value: float | None) -> str:
    if value is None or math.isnan(value):
        return ""
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"
