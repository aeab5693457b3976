"""Messages as a person at the keyboard sees them, or a program that reads them.

Rules
- On a terminal, sentences scroll by above a table of the sessions that are under way; elsewhere plain lines.
- Text of others is printable (connectors/console/printable.py), and never markup.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from connectors.console.printable import printable
from connectors.console.sink import show_json
from connectors.log.records import Message
from tokenweir.output import out

MAX_ROWS = 16


class Screen:
    """Sentences as they come, and on a terminal the sessions under way. Use it as a context manager."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._under_way: dict[tuple[str, int], list[int]] = {}
        self._ended = 0
        self._live = Live(
            self._table(),
            console=console,
            refresh_per_second=8,
            transient=True,
            redirect_stderr=sys.stderr is not None and sys.stderr.isatty(),  # a log file's lines belong in it
        )

    def __enter__(self) -> Screen:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._live.stop()

    def show(self, message: Message) -> None:
        key = (message.session_id, message.turn)
        if message.text:
            name = f"{message.session_id}/{message.turn}"
            self._console.print(Text.assemble((f"{name:>14}", "cyan"), " ", printable(message.text.strip())))
        counts = self._under_way.setdefault(key, [0, 0])
        counts[0] += 1
        counts[1] += len(message.text)
        if message.final:
            del self._under_way[key]
            self._ended += 1
        if self._live.is_started:
            self._live.update(self._table())

    def _table(self) -> Table:
        table = Table(title=f"{len(self._under_way)} under way, {self._ended} ended", title_justify="left")
        for column in ("session", "messages", "characters"):
            table.add_column(column, justify="left" if column == "session" else "right")
        for (session, turn), (messages, chars) in list(self._under_way.items())[-MAX_ROWS:]:
            table.add_row(f"{session}/{turn}", str(messages), str(chars))
        return table


@contextmanager
def shown(as_json: bool, *, at_all: bool = True) -> Iterator[Callable[[Message], None]]:
    """How messages are shown: as JSON lines, or for people, or not `at_all`."""
    if as_json:
        yield show_json
    elif not at_all:
        yield _show_nothing
    else:
        with Screen(out) as screen:
            yield screen.show


def _show_nothing(message: Message) -> None:
    """For a service, whose console is somebody's log file."""
