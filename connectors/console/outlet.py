"""Standard output and standard error as a job writes to them: nobody who reads them slowly, or no more, holds it up.

Rules
- What is written waits for a thread of its own that writes it on. What comes while too much waits is dropped, a whole
  `write` (a line) at a time, and counted.
- That is said on standard error: when it begins, and how much it was when all that waited has been written.
- What cannot be written (a full disk) is tried again every `RETRY` seconds. A reader that has gone away wanted no more:
  for it nothing is kept or counted. Nothing is raised.
- At the end, what waits is written for as long as its reader goes on reading, up to `LONGEST` seconds.
"""

from __future__ import annotations

import atexit
import contextlib
import io
import os
import select
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final, TextIO

OUTPUT_LIMIT: Final = 16 << 20
ERRORS_LIMIT: Final = 1 << 20
"""Bytes that may wait."""

OUTPUT_PATIENCE: Final = 10.0
ERRORS_PATIENCE: Final = 2.0
"""Seconds at the end in which no byte is taken, after which nobody is waited for any more."""

RETRY: Final = 1.0
LONGEST: Final = 60.0

_PIECE: Final = select.PIPE_BUF
"""Written at once: little, so that a slow reader is seen to read."""

_Write = Callable[[memoryview], int]


class Outlet(io.RawIOBase):
    """One of the streams. Its thread starts at once; `text()` is what takes the place of `sys.stdout`.

    stream    what to write to; None, as Python has it where the descriptor is closed, takes nothing
    name      what it is called in a note
    notes     where notes go; here, if None
    limit     bytes that may wait
    patience  seconds that `finish` waits for a reader that does not read
    """

    def __init__(
        self,
        stream: TextIO | None,
        name: str,
        notes: Outlet | None = None,
        *,
        limit: int = OUTPUT_LIMIT,
        patience: float = OUTPUT_PATIENCE,
    ) -> None:
        self.dropped = 0
        self._stream = stream
        self._name = name
        self._notes = notes
        self._limit = limit
        self._patience = patience
        self._write = _writer(stream)
        self._changed = threading.Condition()  # its lock can be taken again: a signal handler may log
        self._waiting = bytearray()
        self._size = 0  # of what waits and what is being written
        self._told = 0
        self._lost: int | None = None
        self._gone = self._write is None
        self._failed = False
        self._ending = threading.Event()
        if not self._gone:
            threading.Thread(target=self._run, name=name, daemon=True).start()

    def text(self) -> TextIO:
        """This as a text stream in the original's encoding; what has no place in that is written as an escape."""
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        return io.TextIOWrapper(  # type: ignore[type-var]  # it is only written to
            self, encoding, errors="backslashreplace", newline="\n", write_through=True
        )

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self._stream is not None and self._stream.isatty()

    def fileno(self) -> int:
        if self._stream is None:
            raise io.UnsupportedOperation("fileno")
        return self._stream.fileno()

    def write(self, data: bytes | bytearray | memoryview) -> int:  # type: ignore[override]  # what writers here have
        """Keep the data to be written, or drop it. Never waits, never raises."""
        piece = bytes(data)
        begins = False
        with self._changed:
            if self._gone:
                return len(piece)
            if self._size + len(piece) > self._limit:
                begins = self.dropped == self._told
                self.dropped += len(piece)
            else:
                self._keep(piece)
        if begins and self._notes is not None:
            self._notes.say(f"{self._name} is not read: what does not fit into {self._limit >> 20} MiB is dropped")
        return len(piece)

    def say(self, text: str) -> None:
        """Write a line of ours."""
        self.write(f"tokenweir: {text}\n".encode())

    def finish(self) -> int:
        """Have what waits written, while somebody reads; take nothing more. Returns how many bytes nobody got."""
        self._ending.set()
        with self._changed:
            begun = moved = time.monotonic()
            while self._size and not (self._gone or self._failed):
                before = self._size
                self._changed.wait(0.1)
                now = time.monotonic()
                moved = now if self._size < before else moved
                if now - moved > self._patience or now - begun > LONGEST:
                    break
            if self._lost is None:
                self._lost = self.dropped + self._size
            self._leave()
            return self._lost

    def _keep(self, piece: bytes) -> None:
        self._waiting += piece
        self._size += len(piece)
        self._changed.notify_all()

    def _leave(self) -> None:
        """Nothing is kept from now on."""
        self._gone = True
        self._size = 0
        self._waiting.clear()
        self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not (self._waiting or self._gone):
                    self._changed.wait()
                if self._gone:
                    return
                data, self._waiting = self._waiting, bytearray()
            if not self._write_all(memoryview(data)):
                return

    def _write_all(self, data: memoryview) -> bool:
        """Write it, however long that takes; False when there is nothing more to do here."""
        assert self._write is not None
        while data and not self._gone:
            try:
                count = self._write(data[:_PIECE])
            except BlockingIOError:  # somebody who shares the descriptor wants it so
                self._poll()
            except BrokenPipeError:
                with self._changed:
                    self._leave()
            except (OSError, ValueError):
                last = self._ending.is_set()
                self._ending.wait(RETRY)
                if last:
                    with self._changed:
                        self._failed = True
                        self._changed.notify_all()
                    return False
            else:
                data = data[count:]
                self._count(count)
        return not self._gone

    def _count(self, written: int) -> None:
        """Note what was written; and where that was all that waited, say what was dropped meanwhile."""
        with self._changed:
            if self._gone:
                return
            self._size -= written
            dropped = 0 if self._size else self.dropped - self._told
            self._told += dropped
            note = f"{self._name} is read again: {dropped} bytes of it were dropped"
            if dropped and self._notes is None:
                self.say(note)
            self._changed.notify_all()
        if dropped and self._notes is not None:
            self._notes.say(note)

    def _poll(self) -> None:
        ready = select.poll()
        ready.register(self.fileno(), select.POLLOUT)
        ready.poll(RETRY * 1_000)


@contextlib.contextmanager
def outlets() -> Iterator[Outlet]:
    """Outlets in place of `sys.stdout`, which is given, and `sys.stderr`, for the length of a block.

    One that could not be written to its end stays there, so that nothing that comes later waits for it either.
    """
    before = sys.stdout, sys.stderr
    errors = _errors()
    output = Outlet(sys.stdout, "standard output", errors)
    sys.stdout, sys.stderr = output.text(), errors.text()
    try:
        yield output
    finally:
        if not output.finish():
            sys.stdout = before[0]
        if not errors.finish():
            sys.stderr = before[1]


def unblock_stderr() -> None:
    """Put an outlet in the place of `sys.stderr` for as long as the process lives."""
    errors = _errors()
    sys.stderr = errors.text()
    atexit.register(errors.finish)


def close_stdout() -> None:
    """Nobody reads it: what is left in its buffer goes nowhere, and the exit can flush it."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)


def _errors() -> Outlet:
    return Outlet(sys.stderr, "standard error", limit=ERRORS_LIMIT, patience=ERRORS_PATIENCE)


def _writer(stream: TextIO | None) -> _Write | None:
    """How to write to a stream: to its descriptor, past its buffer and lock; to itself where it has none."""
    if stream is None:
        return None
    with contextlib.suppress(OSError, ValueError):
        stream.flush()
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError, AttributeError):
        return _through(stream)
    return lambda data: os.write(descriptor, data)


def _through(stream: TextIO) -> _Write:
    def write(data: memoryview) -> int:
        stream.buffer.write(bytes(data))
        stream.flush()
        return len(data)

    return write
