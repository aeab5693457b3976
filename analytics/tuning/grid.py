"""The settings that are tried: a grid over what a window's settings say, and a search around what was best of it.

Rules
- The settings in force are always among those tried.
- A combination that no window can tell from another (any time-out in mode "none") or that is refused (`min_chars` over
  `max_chars`) is not tried.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from connectors.errors import SettingsError
from flows.steps.windows import WindowSettings

Axes = Mapping[str, Sequence[Any]]

TUNED = ("mode", "timeout", "first_timeout", "min_chars", "first_min_chars", "max_chars")

TIMEOUTS = (0.5, 1.0, 2.0, 5.0)
OWN: tuple[Axes, ...] = (
    {
        "mode": ("sentence",),
        "timeout": TIMEOUTS,
        "first_timeout": (None, 0.15, 0.4),
        "min_chars": (0, 40, 120),
        "first_min_chars": (None, 0),
        "max_chars": (120, 2_000),
    },
    {
        "mode": ("sentence",),
        "timeout": TIMEOUTS,
        "first_timeout": (None, 0.15, 0.4),
        "min_chars": (20,),
        "max_chars": (40,),
    },
    {
        "mode": ("clause",),
        "timeout": TIMEOUTS,
        "first_timeout": (None, 0.15),
        "min_chars": (0, 40),
        "first_min_chars": (None, 0),
        "max_chars": (80, 400),
    },
    {"mode": ("paragraph",), "timeout": (0.5, 2.0, 5.0), "first_timeout": (None, 0.15), "max_chars": (120, 400, 2_000)},
    {"mode": ("none",)},
)
"""The tuner's own grid. Short windows are what shows first words early where the first sentence is long."""


def grid(base: WindowSettings, axes: Axes | None = None) -> list[WindowSettings]:
    """Every combination of the values of `axes`, over `base`; about 200 of the tuner's own where there are none.

    Raises SettingsError where an axis is none, or has a value that it cannot have.
    """
    settings = [base]
    for each in (axes,) if axes else OWN:
        if unknown := [name for name in each if name not in TUNED]:
            raise SettingsError(f"{unknown[0]!r} is not tuned; what is: {', '.join(TUNED)}")
        for values in itertools.product(*each.values()):
            settings += _settings(base, dict(zip(each, values, strict=True)))
    return _distinct(settings)


def around(best: WindowSettings, tried: Iterable[WindowSettings]) -> list[WindowSettings]:
    """Finer steps about a setting: on each axis half-way to its neighbours among those tried, two axes at a time."""
    tried = list(tried)
    steps: dict[str, list[Any]] = {}
    for name in TUNED[1:]:
        here = getattr(best, name)
        values = sorted({value for each in tried if (value := getattr(each, name)) is not None})
        if here is None or here not in values:
            continue
        at = values.index(here)
        near = values[max(0, at - 1) : at] + values[at + 1 : at + 2]
        steps[name] = [type(here)(round((here + value) / 2, 3)) for value in near]
    found: list[WindowSettings] = []
    for one, other in itertools.combinations_with_replacement(steps, 2):
        for value, second in itertools.product(steps[one], steps[other]):
            found += _settings(best, {one: value, other: second})
        found += [setting for value in steps[one] for setting in _settings(best, {one: value})]
    known = set(_distinct(tried))
    return [setting for setting in _distinct(found) if setting not in known]


def _settings(base: WindowSettings, values: Mapping[str, Any]) -> list[WindowSettings]:
    try:
        tree = {**msgspec.structs.asdict(base), **values}
        if "first_min_chars" not in values and (tree["first_min_chars"] or 0) > tree["max_chars"]:
            return []
        if tree["min_chars"] > tree["max_chars"]:
            return []
        return [msgspec.convert(tree, WindowSettings)]
    except (msgspec.ValidationError, ValueError) as error:
        raise SettingsError(f"{', '.join(f'{name} = {value!r}' for name, value in values.items())}: {error}") from None


def _distinct(settings: Iterable[WindowSettings]) -> list[WindowSettings]:
    """Those that can differ in what they do, each once."""
    known: dict[WindowSettings, WindowSettings] = {}
    for setting in settings:
        same: dict[str, Any] = {}
        if setting.first_timeout == setting.timeout:
            same["first_timeout"] = None
        if setting.first_min_chars == setting.min_chars:
            same["first_min_chars"] = None
        if setting.mode == "none":
            same = {"timeout": 0.0, "first_timeout": None, "min_chars": 0, "first_min_chars": None}
        known.setdefault(msgspec.structs.replace(setting, **same), setting)
    return list(known.values())
