"""What to do with the figures: the front, the setting that serves a goal best, and how sure that is, in plain words.

Rules
- A setting is on the front if no other is as good in all that the goal is about, and better in something.
- Recommended is what meets the goal's limits and has the least of what should be least. Of several alike, the one
  that breaks fewer sentences, then that delays less, then that changes less. Where none meets them, what comes nearest.
- How sure: in how many resamples it meets the limits, and in how many nothing that was tried is better.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from analytics.tuning.figures import Figure, Figures, Floats
from analytics.tuning.goal import Goal
from analytics.tuning.grid import TUNED
from analytics.tuning.tuner import FEW, Outcome
from flows.steps.windows import WindowSettings

ALIKE = 0.005
"""Of two settings that differ by less than this share, neither is better."""


class Advice(msgspec.Struct, frozen=True):
    """
    front    the settings on the front, by number
    chosen   the recommended one
    met      whether it meets the goal's limits
    holds    the share of resamples in which it does
    best     the share of resamples in which nothing that was tried is better
    """

    goal: Goal
    front: tuple[int, ...]
    chosen: int
    met: bool
    holds: float
    best: float


def advise(outcome: Outcome, goal: Goal) -> Advice:
    """The first of the outcome's settings are those in force."""
    excess, wanted = _excess(outcome, goal), _costs(outcome, goal.best)
    order = np.lexsort(
        (
            np.array([_changes(outcome.settings[0], setting) for setting in outcome.settings]),
            np.array([figures.delay_p95.value for figures in outcome.figures]),
            np.array([round(figures.broken.value, 2) for figures in outcome.figures]),
            _graded(wanted[:, 0]),
            _graded(excess[:, 0]),
        )
    )
    chosen = int(order[0])
    beyond, least = excess[:, 1:], np.where(excess[:, 1:] <= 0, wanted[:, 1:], np.inf)
    nearest = np.where(
        np.isfinite(least).any(axis=0), beyond[chosen] <= 0, beyond[chosen] <= beyond.min(axis=0) + ALIKE
    )
    rival = np.where(np.isfinite(least).any(axis=0), least.min(axis=0), wanted[chosen, 1:])
    best = nearest & (wanted[chosen, 1:] <= rival * (1 + ALIKE))
    return Advice(
        goal=goal,
        front=front(outcome.figures, goal.figures),
        chosen=chosen,
        met=bool(excess[chosen, 0] <= 0),
        holds=float((beyond[chosen] <= 0).mean()),
        best=float(best.mean()),
    )


def front(figures: Sequence[Figures], names: Sequence[str]) -> tuple[int, ...]:
    """The settings that no other is better than, by messages; of several that are the same, the first."""
    costs = np.array([[_cost(name, getattr(each, name).value) for name in names] for each in figures])
    kept: list[int] = []
    for number, cost in enumerate(costs):
        no_worse = (costs <= cost).all(axis=1)
        better = no_worse & (costs < cost).any(axis=1)
        same = no_worse & ~better
        if not better.any() and int(np.flatnonzero(same)[0]) == number:
            kept.append(number)
    return tuple(sorted(kept, key=lambda number: figures[number].messages.value))


def toml(setting: WindowSettings) -> str:
    """The setting as a section to paste: what was tuned, as far as it is not the default."""
    lines = [f"{name} = {_value(value)}" for name, value in _told(setting)]
    return "\n".join(["[window]", *lines]) + "\n"


def name_of(setting: WindowSettings) -> str:
    """The setting in a line."""
    return ", ".join(f"{name} = {_value(value)}" for name, value in _told(setting))


def brief(setting: WindowSettings) -> str:
    """The setting in few words, for a table."""
    if setting.mode == "none":
        return f"none, to {setting.max_chars} characters"
    timeout = f"{setting.timeout:g} s" if setting.timeout else "no time-out"
    first = "" if setting.first_timeout is None else f" (first {setting.first_timeout:g})"
    least = "" if setting.first_min_chars is None else f" (first {setting.first_min_chars})"
    return f"{setting.mode}, {timeout}{first}, {setting.min_chars}{least} to {setting.max_chars}"


def in_words(outcome: Outcome, advice: Advice) -> list[str]:
    """The recommendation, how sure it is, and what it rests on: a sentence or two each."""
    setting, figures = outcome.settings[advice.chosen], outcome.figures[advice.chosen]
    now = outcome.figures[0]
    said = "as it is" if advice.chosen == 0 else name_of(setting)
    tokens = outcome.tokens / outcome.sessions
    held = "with moderation's hold-back" if outcome.moderated else "without moderation"
    words = [
        f"For “{advice.goal.text}”: {said}."
        if advice.met
        else f"Nothing that was tried meets “{advice.goal.text}”. What comes nearest: {said}.",
        (
            f"95 of 100 turns show their first words within {_ms(figures.first_p95)} of their first token, and 95 of "
            f"100 tokens are shown within {_ms(figures.delay_p95)} of their arrival, {held}; "
            f"{_number(figures.messages)} messages a session instead of {tokens:.0f} tokens "
            f"({_share(figures.reduction.value)} fewer); {_share(figures.broken.value)} of them break off a sentence."
        ),
    ]
    if advice.chosen:
        words.append(
            f"The settings in force: first words within {_ms(now.first_p95)}, delay {_ms(now.delay_p95)}, "
            f"{_number(now.messages)} messages, {_share(now.broken.value)} broken off."
        )
    words.append(
        f"In {_share(advice.holds)} of the resamples it meets the limits, in {_share(advice.best)} nothing tried was "
        f"better. That rests on {outcome.turns:,} turns of {outcome.sessions:,} sessions, {outcome.tokens:,} tokens"
        + (f"; {', '.join(f'{count} of {name}' for name, count in outcome.groups.items())}." if outcome.groups else ".")
    )
    if outcome.sessions < FEW:
        words.append(f"Fewer than {FEW} sessions: take it as a hint, and record more.")
    if outcome.left_out:
        words.append("Left out: " + ", ".join(f"{n:,} turns {reason}" for reason, n in outcome.left_out.items()) + ".")
    return words


def _excess(outcome: Outcome, goal: Goal) -> Floats:
    """By setting and draw: how far beyond the limits, as a share of them; 0 where all are met."""
    excess = np.zeros_like(_costs(outcome, "messages"))
    for limit in goal.limits:
        values = np.stack([drawn[limit.figure] for drawn in outcome.drawn])
        excess = np.maximum(excess, limit.excess(values))
    return excess


def _costs(outcome: Outcome, name: str) -> Floats:
    return np.stack([_cost(name, drawn[name]) for drawn in outcome.drawn])


def _cost(name: str, value: Any) -> Any:
    """Less is better."""
    return 1 - value if name == "reduction" else value


def _graded(values: Floats) -> Floats:
    """Values that are alike made the same."""
    graded: Floats = np.round(np.log(np.maximum(values, 1e-6)) / np.log1p(ALIKE))
    return graded


def _changes(now: WindowSettings, setting: WindowSettings) -> int:
    return sum(getattr(now, name) != getattr(setting, name) for name in TUNED)


def _told(setting: WindowSettings) -> list[tuple[str, Any]]:
    default = WindowSettings()
    return [
        (name, getattr(setting, name))
        for name in TUNED
        if name in ("mode", "timeout", "min_chars", "max_chars") or getattr(setting, name) != getattr(default, name)
        if getattr(setting, name) is not None
        if setting.mode != "none" or name in ("mode", "max_chars")
    ]


def _value(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _ms(figure: Figure) -> str:
    return f"{_time(figure.value)} ({_time(figure.low)} to {_time(figure.high)})"


def _time(ms: float) -> str:
    return f"{ms:.0f} ms" if ms < 10_000 else f"{ms / 1000:.0f} s"


def _number(figure: Figure) -> str:
    return f"{figure.value:.1f} ({figure.low:.1f} to {figure.high:.1f})"


def _share(share: float) -> str:
    return f"{share:.0%}"
