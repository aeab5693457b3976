"""What people read in place of a model's answer: the one definition of these texts, and of who asks for which."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, TypeAlias

import msgspec


class Texts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The texts of one language: what an answer failed of, and that a caller had it cancelled."""

    timeout: str = "I am experiencing high latency. Please try again in a moment."
    rate_limit: str = "Service is temporarily overloaded. Please retry shortly."
    other: str = "An unexpected error occurred. Please contact support."
    cancelled: str = "The request was cancelled."


BUILT_IN: Final = Texts()
"""What the vendors' contracts say (docs/vendors.md), in English."""

What: TypeAlias = Literal["timeout", "other", "cancelled"]
Say: TypeAlias = Callable[[What, str | None], str]
"""The text for a caller whose turn was asked for in this language."""
