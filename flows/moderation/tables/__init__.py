"""Facts that the detectors go by, apart from the code that goes by them."""

from __future__ import annotations


def words(text: str) -> tuple[str, ...]:
    """The words of a table that is written as plain text."""
    return tuple(text.split())
