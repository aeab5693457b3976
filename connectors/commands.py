"""What the commands of the front door share: where they print, where logs go, and how an error ends them."""

from __future__ import annotations

import functools
import io
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec, TextIO

from connectors.console.outlet import outlets
from connectors.console.printable import PrintableFormatter
from connectors.console.sink import Screen, Terminal, close_stdout, show_json, show_nothing
from connectors.errors import OutputError, TokenweirError
from connectors.log.records import Message

P = ParamSpec("P")

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
    err.print(f"tokenweir: {error}", style="red")
    return error.exit_code


@contextmanager
def shown(as_json: bool, *, at_all: bool = True) -> Iterator[Callable[[Message], None]]:
    """How messages are shown: as JSON lines, or for people, or not `at_all`."""
    if as_json:
        yield show_json
    elif not at_all:
        yield show_nothing
    else:
        with Screen(out) as screen:
            yield screen.show


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
