"""Messages on a terminal, or as JSON lines for a program: what a person at the keyboard sees of a flow.

Rules
- JSON lines are the very bytes that a desktop gets.
- On a terminal, sentences scroll by above a table of the sessions that are under way; elsewhere plain lines.
- It shows moderated text only: it hangs where the desktops hang.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from connectors.records import Message, encode_message

Batch = Sequence[tuple[str, Message]]
MAX_ROWS = 16


class Terminal(Console):
    """A console that goes quiet when nobody reads it any more, where rich's own would end the process."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        _close_stdout()


class ConsoleSink(FixedPartitionedSink[Batch, None]):
    """Shows every message through `show`; one partition, nothing to remember."""

    def __init__(self, show: Callable[[Message], None], lane: str = "w00") -> None:
        self._show = show
        self._lane = lane

    def list_parts(self) -> list[str]:
        return [self._lane]

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> _Part:
        return _Part(self._show)


class _Part(StatefulSinkPartition[Batch, None]):
    """Shows until nobody reads any more; the flow goes on without."""

    def __init__(self, show: Callable[[Message], None]) -> None:
        self._show = show
        self._closed = False

    def write_batch(self, values: list[Batch]) -> None:
        if self._closed:
            return
        try:
            for batch in values:
                for _, message in batch:
                    self._show(message)
        except BrokenPipeError:
            self._closed = True
            _close_stdout()

    def snapshot(self) -> None:
        return None


def show_json(message: Message) -> None:
    """One message as the line of JSON that a desktop gets."""
    sys.stdout.buffer.write(encode_message(message) + b"\n")
    sys.stdout.buffer.flush()


class Screen:
    """Sentences as they come, and on a terminal the sessions under way. Use it as a context manager."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._under_way: dict[tuple[str, int], list[int]] = {}
        self._ended = 0
        self._live = Live(self._table(), console=console, refresh_per_second=8, transient=True)

    def __enter__(self) -> Screen:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._live.stop()

    def show(self, message: Message) -> None:
        key = (message.session_id, message.turn)
        if message.text:
            name = escape(f"{message.session_id}/{message.turn}")
            self._console.print(f"[cyan]{name:>14}[/] {escape(message.text.strip())}", highlight=False)
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
            table.add_row(escape(f"{session}/{turn}"), str(messages), str(chars))
        return table


def _close_stdout() -> None:
    """Nobody reads it: what is left in its buffer goes nowhere, and the exit can flush it."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
