"""Errors a person can fix, named by whose fault they are.

Rules
- The message is one line: what is wrong, where, and how to fix it.
- It never holds a secret or a customer's text.
- Each kind has the exit code that `tokenweir` ends with (docs/operations.md lists them).
- Bytewax does not say which step an error comes from, so a sink says it (`naming`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import ClassVar


class TokenweirError(Exception):
    """Base of all errors that are shown as one line instead of a traceback."""

    exit_code: ClassVar[int] = 1


class SettingsError(TokenweirError, ValueError):
    """A setting is missing, misspelt or out of range. A ValueError, so that msgspec adds where it stands."""

    exit_code = 3


class CredentialsError(TokenweirError):
    """The vendor refused our credentials or their scope."""

    exit_code = 4


class UpstreamError(TokenweirError):
    """The vendor could not be reached, or broke its contract."""

    exit_code = 5


class DeliveryError(TokenweirError):
    """Messages are stored that no desktop took."""

    exit_code = 6


class InputError(TokenweirError):
    """A file that we were given is not what it should be: a recording, a list of sessions."""

    exit_code = 7


class OutputError(TokenweirError):
    """Standard output did not take what was to be shown. What is delivered and stored is not touched by that."""

    exit_code = 11


class DataDirError(TokenweirError):
    """The data directory is locked, damaged, or does not fit its recovery store."""

    exit_code = 8


@contextlib.contextmanager
def naming(step_id: str) -> Iterator[None]:
    """Say which step an error comes from. One that is not ours becomes a DeliveryError that asks for a report."""
    try:
        yield
    except TokenweirError as error:
        raise type(error)(f"step {step_id}: {error}") from error
    except Exception as error:
        raise DeliveryError(f"step {step_id}: unexpected {type(error).__name__}; please report it") from error
