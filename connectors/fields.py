"""What a struct of settings says of its own fields.

Rules
- `__post_init__` raises a FieldError: the field, and what it should be. Whoever read the settings adds the section, and
  the file or variable that the value came from (flows/sections.py).
- The words never hold the value.
"""

from __future__ import annotations

import math

import msgspec

from connectors.errors import SettingsError


class FieldError(SettingsError):
    """A field is not what it should be.

    field   its name; of something inside it with the way there, such as `patterns[0].regex`
    what    what is wrong or should be, as it goes on behind the name: "should be at least 1"
    beside  other fields that it does not go with
    """

    def __init__(self, field: str, what: str, *beside: str) -> None:
        super().__init__(f"{field} {what}")
        self.field = field
        self.what = what
        self.beside = beside


def check_range(
    settings: msgspec.Struct,
    *names: str,
    least: float | None = None,
    above: float | None = None,
    most: float | None = None,
    unit: str = "",
) -> None:
    """Raise FieldError for the first field that is set and out of its range, or infinite; `above` itself is outside."""
    if least is not None and most is not None:
        span = f"between {least:.16g} and {most:.16g}"
    else:
        ends = [("more than", above), ("at least", least), ("at most", most)]
        span = " and ".join(f"{words} {end:.16g}" for words, end in ends if end is not None)
    for name in names:
        value = getattr(settings, name)
        if value is None:
            continue
        if math.isinf(value):
            raise FieldError(name, "should be a finite number")
        if not ((least is None or value >= least) and (above is None or value > above)):
            raise FieldError(name, f"should be {span} {unit}".rstrip())
        if not (most is None or value <= most):
            raise FieldError(name, f"should be {span} {unit}".rstrip())
