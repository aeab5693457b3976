"""connectors.console.outlet: who writes never waits, whoever reads; what was dropped is counted and said."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.console.outlet import Outlet, outlets

LINE = b"0123456789 " * 9 + b"\n"
LIMIT = 1 << 20


class Pipe:
    """A pipe: its writing end as a stream, and what is read from the other end when it is asked for."""

    def __init__(self) -> None:
        self.reader, writer = os.pipe()
        self.stream: TextIO = os.fdopen(writer, "w", encoding="utf-8")

    def read(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            data += os.read(self.reader, size - len(data))
        return bytes(data)

    def close_reader(self) -> None:
        if self.reader >= 0:
            os.close(self.reader)
            self.reader = -1


@pytest.fixture
def pipes() -> Iterator[Callable[[], Pipe]]:
    made: list[Pipe] = []

    def make() -> Pipe:
        made.append(Pipe())
        return made[-1]

    yield make
    for pipe in made:
        pipe.close_reader()
        pipe.stream.close()


def test_a_reader_that_does_not_read_holds_nobody_up_and_what_it_missed_is_counted(pipes: Callable[[], Pipe]) -> None:
    outlet = Outlet(pipes().stream, "standard output", limit=LIMIT, patience=0.2)
    count = 3 * LIMIT // len(LINE)
    for _ in range(count):
        assert outlet.write(LINE) == len(LINE)
    capacity = 1 << 16
    assert count * len(LINE) - LIMIT - capacity - len(LINE) <= outlet.dropped <= count * len(LINE) - LIMIT + len(LINE)
    assert outlet.finish() >= outlet.dropped + LIMIT - capacity - len(LINE)
    assert outlet.finish() == outlet.finish()
    assert outlet.write(LINE) == len(LINE), "and afterwards it goes nowhere"


def test_a_reader_that_reads_again_gets_what_waited_and_is_told_of_the_rest(pipes: Callable[[], Pipe]) -> None:
    pipe, noted = pipes(), pipes()
    notes = Outlet(noted.stream, "standard error")
    outlet = Outlet(pipe.stream, "standard output", notes, limit=LIMIT)
    sent = 3 * LIMIT // len(LINE)
    for _ in range(sent):
        outlet.write(LINE)
    begins = b"tokenweir: standard output is not read: what does not fit into 1 MiB is dropped\n"
    assert noted.read(len(begins)) == begins
    arriving = sent * len(LINE) - outlet.dropped
    assert pipe.read(arriving) == LINE * (arriving // len(LINE)), "whole lines"
    again = f"tokenweir: standard output is read again: {outlet.dropped} bytes of it were dropped\n".encode()
    assert noted.read(len(again)) == again
    outlet.write(b"more\n")
    assert pipe.read(5) == b"more\n"
    assert (outlet.finish(), notes.finish()) == (outlet.dropped, 0)


def test_standard_error_tells_of_itself(pipes: Callable[[], Pipe]) -> None:
    pipe = pipes()
    outlet = Outlet(pipe.stream, "standard error", limit=LIMIT)
    for _ in range(2 * LIMIT // len(LINE)):
        outlet.write(LINE)
    arriving = 2 * LIMIT // len(LINE) * len(LINE) - outlet.dropped
    pipe.read(arriving)
    note = f"tokenweir: standard error is read again: {outlet.dropped} bytes of it were dropped\n".encode()
    assert pipe.read(len(note)) == note
    outlet.finish()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(max_size=60) | st.integers(1, 30_000).map(lambda n: "é" * n), max_size=20))
def test_whatever_the_pieces_they_arrive_whole_and_in_order(pieces: list[str]) -> None:
    pipe = Pipe()
    got: list[bytes] = []

    def read() -> None:
        with os.fdopen(pipe.reader, "rb") as reader:
            got.append(reader.read())

    reading = threading.Thread(target=read)
    reading.start()
    outlet = Outlet(pipe.stream, "standard output")
    stream = outlet.text()
    for piece in pieces:
        stream.write(piece)
        stream.flush()
    assert outlet.finish() == 0
    pipe.stream.close()
    reading.join()
    assert got == ["".join(pieces).encode()]


def test_a_slow_reader_is_waited_for_as_long_as_it_reads(pipes: Callable[[], Pipe]) -> None:
    """It takes three times as long as one that does not read is waited for."""
    pipe = pipes()
    outlet = Outlet(pipe.stream, "standard output", patience=0.3)
    outlet.write(LINE * 2_000)
    ending = threading.Thread(target=outlet.finish)
    ending.start()
    left = 2_000 * len(LINE)
    while left:
        left -= len(os.read(pipe.reader, 4_096))
        ending.join(0.02)  # its pace
    ending.join()
    assert outlet.finish() == 0


def test_a_pipe_that_somebody_made_non_blocking_is_written_all_the_same(pipes: Callable[[], Pipe]) -> None:
    pipe = pipes()
    os.set_blocking(pipe.stream.fileno(), False)
    outlet = Outlet(pipe.stream, "standard output")
    outlet.write(LINE * 5_000)
    assert pipe.read(5_000 * len(LINE)) == LINE * 5_000
    assert outlet.finish() == 0


def test_a_full_disk_raises_nothing_and_does_not_hold_up_the_end() -> None:
    with Path("/dev/full").open("w") as full:
        outlet = Outlet(full, "standard output", patience=60)
        print("text", file=outlet.text())  # what a library would do
        assert outlet.finish() == 5


def test_a_full_disk_that_has_room_again_gets_it_all(tmp_path: Path) -> None:
    """The limit on a file's size stands for the disk."""
    from tests.disk import full_at, make_room

    with (tmp_path / "out").open("w") as file, full_at(100):
        outlet = Outlet(file, "standard output")
        outlet.write(LINE * 3)
        make_room()
        assert outlet.finish() == 0
    assert (tmp_path / "out").read_bytes() == LINE * 3


def test_a_reader_that_went_away_wanted_no_more(pipes: Callable[[], Pipe]) -> None:
    pipe = pipes()
    pipe.close_reader()
    outlet = Outlet(pipe.stream, "standard output", patience=60)
    outlet.write(LINE)
    assert outlet.finish() == 0
    outlet.write(LINE)
    assert outlet.finish() == 0


def test_a_stream_that_is_closed_takes_nothing() -> None:
    outlet = Outlet(None, "standard output")
    outlet.text().write("text")
    assert outlet.finish() == 0
    assert not outlet.isatty()


def test_signs_that_an_encoding_lacks_are_written_as_escapes(pipes: Callable[[], Pipe]) -> None:
    pipe = pipes()
    with os.fdopen(os.dup(pipe.stream.fileno()), "w", encoding="ascii") as stream:
        outlet = Outlet(stream, "standard output")
        outlet.text().write("Grüße 😀 \ud83d\n")
        expected = b"Gr\\xfc\\xdfe \\U0001f600 \\ud83d\n"
        assert pipe.read(len(expected)) == expected
        outlet.finish()


def test_streams_come_back_unless_nobody_took_what_they_had(
    pipes: Callable[[], Pipe], monkeypatch: pytest.MonkeyPatch
) -> None:
    good, stuck = pipes(), Path("/dev/full").open("w")  # noqa: SIM115  # closed below
    monkeypatch.setattr(sys, "stdout", stuck)
    monkeypatch.setattr(sys, "stderr", good.stream)
    with outlets():
        sys.stdout.write("out")
        sys.stderr.write("err")
    assert sys.stderr is good.stream
    assert good.read(3) == b"err"
    assert sys.stdout is not stuck
    sys.stdout.write("nowhere")
    stuck.close()
