"""What the commands of the front door share: where they print, and how an error ends them."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec

from connectors.console import Screen, Terminal, show_json
from connectors.errors import TokenweirError
from connectors.records import Message

P = ParamSpec("P")

out = Terminal(soft_wrap=True)
err = Terminal(stderr=True, soft_wrap=True)


def explained(command: Callable[P, int | None]) -> Callable[P, None]:
    """End with an error's own exit code and one line, no traceback."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            sys.exit(command(*args, **kwargs) or 0)
        except TokenweirError as error:
            sys.exit(complain(error))

    return wrapped


def complain(error: TokenweirError) -> int:
    """Say it in one line on standard error; its exit code."""
    err.print(f"tokenweir: {error}", style="red", highlight=False, markup=False)
    return error.exit_code


@contextmanager
def shown(as_json: bool) -> Iterator[Callable[[Message], None]]:
    """How messages are shown: as JSON lines, or for people."""
    if as_json:
        yield show_json
        return
    with Screen(out) as screen:
        yield screen.show
