"""What installed packages bring, by their entry points.

Rules
- A package that cannot be imported, or that brings what is not taken, harms nobody: it is said once, and left out.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any

log = logging.getLogger(__name__)


def take_each(group: str, what: str, take: Callable[[Any], None]) -> None:
    """Hand over what each entry point of the group gives. `take` raises for what it does not take."""
    for entry in entry_points(group=group):
        try:
            take(entry.load())
        except Exception as error:  # whatever a foreign package raises, the others must go on
            log.warning(
                "the %s %r (%s) is left out: %s: %s", what, entry.name, entry.value, type(error).__name__, error
            )
