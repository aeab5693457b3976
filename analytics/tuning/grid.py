"""The settings that are tried: a grid over what a window's settings say, and then a search around the best of it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from flows.windows import WindowSettings

AXES: dict[str, tuple[Any, ...]] = {
    "mode": ("sentence", "clause"),
    "timeout": (0.25, 0.5, 1.0, 2.0, 5.0),
    "first_timeout": (None, 0.2),
    "min_chars": (0, 20, 40, 80, 160),
    "max_chars": (400, 2_000),
}


def grid(base: WindowSettings, axes: Mapping[str, Sequence[Any]] = AXES) -> Iterator[WindowSettings]:
    for values in itertools.product(*axes.values()):
        yield msgspec.structs.replace(base, **dict(zip(axes, values, strict=True)))
