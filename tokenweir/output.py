"""Where commands print, where logs go, and how a command ends.

Exit codes: 0 finished; 1 an error of ours; 2 wrong usage; 3 settings; 4 credentials; 5 the vendor; 6 messages not
delivered; 7 an input file; 8 the data directory; 9 something differs (`demo`, `diff --exit-code`); 10 stopped with
turns open; 11 standard output that did not take all. An error of ours brings its own (connectors/errors.py).
"""

from __future__ import annotations

import functools
import io
import logging
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, ParamSpec, TextIO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from connectors.console.outlet import close_stdout, outlets
from connectors.console.printable import PrintableFormatter, explanation, printable
from connectors.errors import InputError, OutputError, TokenweirError

DIFFERS = 9
UNFINISHED = 10

P = ParamSpec("P")


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


out = Terminal(soft_wrap=True)
err = Terminal(stderr=True, soft_wrap=True)


class StderrHandler(logging.StreamHandler[TextIO]):
    """Logs to what is standard error at the time: in a job that is an outlet."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)
        self.setFormatter(PrintableFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))

    @property
    def stream(self) -> TextIO:  # type: ignore[override]  # an attribute there
        return sys.stderr


def explained(command: Callable[P, int | None]) -> Callable[P, None]:
    """End with an error's own exit code and one line, no traceback."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            code = command(*args, **kwargs) or 0
            _flush()
        except TokenweirError as error:
            code = complain(error)
        sys.exit(code)

    return wrapped


def unstoppable(command: Callable[P, None]) -> Callable[P, None]:
    """Of an explained command that runs a job: no reader of its console holds it up, or ends it."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        with outlets() as output:
            try:
                command(*args, **kwargs)
            except SystemExit as ended:
                lost = output.finish()
                if not lost:
                    raise
                code = complain(OutputError(f"{lost} bytes of standard output were not written: nobody took them"))
                sys.exit(ended.code or code)

    return wrapped


def complain(error: TokenweirError) -> int:
    """Say it in one line on standard error; its exit code."""
    err.print(explanation(error), style="red")
    return error.exit_code


def write_page(path: Path, text: str) -> None:
    """Write a page of HTML. Raises InputError."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from None


def print_strictly() -> None:
    """Have standard output say what is wrong with it by an error of its own, and escape what its encoding lacks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    real = sys.__stdout__
    if real is not None and sys.stdout is real:
        raw = _Stdout(real.fileno(), "w", closefd=False)
        sys.stdout = io.TextIOWrapper(
            io.BufferedWriter(raw), real.encoding, "backslashreplace", line_buffering=real.isatty()
        )


class _Stdout(io.FileIO):
    """Where it cannot be written it says so once, and then takes everything: the exit flushes it again."""

    _failed = False

    def write(self, data: Any) -> int:
        if self._failed:
            return len(data)
        try:
            return super().write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            self._failed = True
            raise OutputError(f"standard output cannot be written: {error.strerror}") from None


def _flush() -> None:
    """Have standard output taken now, while an error can be told. Raises OutputError."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        close_stdout()
