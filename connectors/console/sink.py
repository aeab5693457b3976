"""Messages on a terminal, or as JSON lines for a program: what a person at the keyboard sees of a flow.

Rules
- JSON lines are the very bytes that a desktop gets.
- On a terminal, sentences scroll by above a table of the sessions that are under way; elsewhere plain lines.
- It shows moderated text only: it hangs where the desktops hang.
- It is no part of delivery: where it cannot show, the flow goes on without it (outlet.py sees to it that a job never
  waits for it).
- Text of others is printable (printable.py), and never markup.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition
from rich.console import Console, ConsoleOptions, RenderableType
from rich.live import Live
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from connectors.console.printable import printable
from connectors.errors import OutputError
from connectors.log.records import Message, encode_message

Batch = Sequence[tuple[str, Message]]
MAX_ROWS = 16

log = logging.getLogger(__name__)


class Terminal(Console):
    """A console for text of others, which goes quiet when nobody reads it any more.

    rich's own obeys markup in what it prints, lets a terminal's escapes pass, and ends the process at a closed pipe.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"markup": False, "emoji": False, "highlight": False, **options})

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """rich's, with every text printable; its own control codes are no texts."""
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else printable(text), style, control)

    def print(self, *objects: Any, **options: Any) -> None:
        """rich's, but what its own Text would take out of a string without a trace is shown."""
        super().print(*[printable(each) if isinstance(each, str) else each for each in objects], **options)

    def on_broken_pipe(self) -> None:
        self.quiet = True
        close_stdout()


class ConsoleSink(FixedPartitionedSink[Batch, None]):
    """Shows every message through `show`; one partition, nothing to remember.

    fault  what it could not go on with; the flow went on without
    """

    def __init__(self, show: Callable[[Message], None], lane: str = "w00") -> None:
        self.fault: Exception | None = None
        self._show = show
        self._lane = lane

    def list_parts(self) -> list[str]:
        return [self._lane]

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> _Part:
        return _Part(self)

    def show(self, message: Message) -> None:
        if self.fault is not None:
            return
        try:
            self._show(message)
        except BrokenPipeError as fault:
            self.fault = fault
            close_stdout()
        except (OSError, OutputError) as fault:
            self.fault = fault
        except Exception as fault:
            self.fault = fault
            log.warning("messages are not shown any more: %s", type(fault).__name__)

    def check(self) -> None:
        """After the flow: raise what it could not go on with. A reader that went away wanted no more."""
        if self.fault is not None and not isinstance(self.fault, BrokenPipeError):
            raise self.fault


class _Part(StatefulSinkPartition[Batch, None]):
    def __init__(self, sink: ConsoleSink) -> None:
        self._sink = sink

    def write_batch(self, values: list[Batch]) -> None:
        for batch in values:
            for _, message in batch:
                self._sink.show(message)

    def snapshot(self) -> None:
        return None


def show_json(message: Message) -> None:
    """One message as the line of JSON that a desktop gets."""
    sys.stdout.buffer.write(encode_message(message) + b"\n")
    sys.stdout.buffer.flush()


def show_nothing(message: Message) -> None:
    """For a service, whose console is somebody's log file."""


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


def close_stdout() -> None:
    """Nobody reads it: what is left in its buffer goes nowhere, and the exit can flush it."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
