"""Real processes whose console nobody reads, whose disk is full, or which have none: sessions go on being delivered."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import pty
import signal
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import OtherSide, corpus_of
from tests.test_cli import environment

Start = Callable[..., OtherSide]
WORDS = ["The ", "parcel ", "left. ", "It ", "arrives ", "at ", "noon."]
SESSIONS = ["a", "b", "c"]
RUN = [sys.executable, "-m", "tokenweir", "-v", "run", "cxone"]


class Stuck:
    """A console that is full already and that nobody reads: a pipe or a terminal."""

    def __init__(self, *, terminal: bool = False) -> None:
        self._reader, self.writer = pty.openpty() if terminal else os.pipe()
        if terminal:
            mode = termios.tcgetattr(self.writer)
            mode[1] &= ~termios.OPOST  # what is written is what is read
            termios.tcsetattr(self.writer, termios.TCSANOW, mode)
        os.set_blocking(self.writer, False)
        self._filled = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                self._filled += os.write(self.writer, b"." * 512)
        with contextlib.suppress(BlockingIOError):
            while True:
                self._filled += os.write(self.writer, b".")
        os.set_blocking(self.writer, True)

    def read(self) -> str:
        """Read what was written until the other side has closed it."""
        self.give_away()
        data = bytearray()
        with contextlib.suppress(OSError):  # how a terminal ends
            while piece := os.read(self._reader, 1 << 16):
                data += piece
        return data[self._filled :].decode()

    def give_away(self) -> None:
        """The writing end is the child's now."""
        if self.writer >= 0:
            os.close(self.writer)
            self.writer = -1

    def go_away(self) -> None:
        """Close what nobody read."""
        self.give_away()
        if self._reader >= 0:
            os.close(self._reader)
            self._reader = -1


@pytest.fixture
def stuck() -> Iterator[Callable[..., Stuck]]:
    made: list[Stuck] = []

    def make(**options: bool) -> Stuck:
        made.append(Stuck(**options))
        return made[-1]

    yield make
    for each in made:
        each.go_away()


@pytest.fixture
def running() -> Iterator[list[subprocess.Popen[bytes]]]:
    processes: list[subprocess.Popen[bytes]] = []
    yield processes
    for process in processes:
        process.kill()
        process.wait()


def sessions_file(folder: Path) -> Path:
    path = folder / "sessions.jsonl"
    path.write_text("".join(json.dumps({"session_id": name, "prompt": "stream s"}) + "\n" for name in SESSIONS))
    return path


def begin_sessions(port: int) -> None:
    """Once the service listens."""
    for name in SESSIONS:
        body = json.dumps({"session_id": name, "prompt": "stream s"})
        retry = ["--retry", "100", "--retry-delay", "1", "--retry-all-errors", "--retry-connrefused"]
        command = ["curl", "-s", "-f", *retry, "-d", body, f"http://127.0.0.1:{port}/sessions"]
        subprocess.run(command, check=True, capture_output=True, timeout=60)


def wait_until_delivered(side: OtherSide) -> None:
    side.reactor.run(side.desktop.until(lambda desktop: all(map(desktop.is_whole, SESSIONS))), 30)
    assert {side.desktop.transcript(name) for name in SESSIONS} == {"".join(WORDS)}


@pytest.mark.parametrize("which", ["stdout", "stderr", "both"])
def test_a_service_whose_console_nobody_reads_goes_on_delivering_and_ends(
    which: str,
    other_side: Start,
    stuck: Callable[..., Stuck],
    running: list[subprocess.Popen[bytes]],
    free_tcp_port: int,
    tmp_path: Path,
) -> None:
    side = other_side(corpus_of(WORDS))
    out, err = (stuck() if which in (name, "both") else None for name in ("stdout", "stderr"))
    process = subprocess.Popen(
        [*RUN, "--json"],
        env={**os.environ, **environment(side, tmp_path, FRONTEND_PORT=str(free_tcp_port))},
        stdout=out.writer if out else subprocess.DEVNULL,
        stderr=err.writer if err else subprocess.DEVNULL,
    )
    running.append(process)
    begin_sessions(free_tcp_port)
    wait_until_delivered(side)
    process.send_signal(signal.SIGTERM)
    if out is not None:  # its reader goes away at last; standard error's is not waited for long
        out.go_away()
    assert process.wait(30) == 0


def test_bytewaxs_own_command_line_is_not_held_up_either(
    other_side: Start,
    stuck: Callable[..., Stuck],
    running: list[subprocess.Popen[bytes]],
    free_tcp_port: int,
    tmp_path: Path,
) -> None:
    side = other_side(corpus_of(WORDS))
    running.append(
        subprocess.Popen(
            [sys.executable, "-m", "bytewax.run", "flows.cxone:flow"],
            env={**os.environ, **environment(side, tmp_path, FRONTEND_PORT=str(free_tcp_port))},
            stdout=subprocess.DEVNULL,
            stderr=stuck().writer,
        )
    )
    begin_sessions(free_tcp_port)
    wait_until_delivered(side)


@pytest.mark.parametrize(
    ("redirection", "code"),
    [(">/dev/full", 11), ("2>/dev/full >/dev/null", 0), (">/dev/full 2>/dev/full", 11), (">&- 2>&-", 0)],
)
def test_a_console_that_cannot_be_written_ends_nothing_and_is_told(
    redirection: str, code: int, other_side: Start, tmp_path: Path
) -> None:
    side = other_side(corpus_of(WORDS))
    ended = subprocess.run(
        ["sh", "-c", f'exec "$@" {redirection}', "sh", *RUN, "--json", "--sessions", sessions_file(tmp_path)],
        env={**os.environ, **environment(side, tmp_path / "data")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    wait_until_delivered(side)
    assert ended.returncode == code, ended.stderr
    if redirection == ">/dev/full":
        size = sum(len(each.raw) + 1 for each in side.desktop.received)
        (told,) = (line for line in ended.stderr.splitlines() if line.startswith("tokenweir:"))
        assert told == f"tokenweir: {size} bytes of standard output were not written: nobody took them"


def test_a_reader_that_begins_to_read_late_gets_every_line(
    other_side: Start, stuck: Callable[..., Stuck], running: list[subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    side = other_side(corpus_of(WORDS))
    out = stuck()
    process = subprocess.Popen(
        [*RUN, "--json", "--sessions", sessions_file(tmp_path)],
        env={**os.environ, **environment(side, tmp_path / "data")},
        stdout=out.writer,
        stderr=subprocess.DEVNULL,
    )
    running.append(process)
    wait_until_delivered(side)
    assert sorted(out.read().splitlines()) == sorted(each.raw for each in side.desktop.received)
    assert process.wait(30) == 0


def test_a_stopped_terminal_holds_up_no_session_and_shows_all_in_the_end(
    other_side: Start, stuck: Callable[..., Stuck], running: list[subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    side = other_side(corpus_of(WORDS))
    out = stuck(terminal=True)
    process = subprocess.Popen(
        [*RUN, "--sessions", sessions_file(tmp_path)],
        env={**os.environ, **environment(side, tmp_path / "data"), "TERM": "xterm"},
        stdout=out.writer,
        stderr=subprocess.DEVNULL,
    )
    running.append(process)
    wait_until_delivered(side)
    shown = out.read()
    assert process.wait(30) == 0
    assert all(shown.count(text) == len(SESSIONS) for text in ("The parcel left.", "It arrives at noon."))


def test_the_demo_is_not_held_up_by_who_looks_at_it_and_shows_checks_and_says_where_the_database_is(
    stuck: Callable[..., Stuck], running: list[subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    out, done = stuck(), tmp_path / "demo" / "recordings" / "openai.jsonl"
    process = subprocess.Popen(
        [sys.executable, "-m", "tokenweir", "demo", "--data-dir", tmp_path / "demo"],
        stdout=out.writer,
        stderr=subprocess.DEVNULL,
    )
    running.append(process)
    looked = threading.Event()
    while not done.exists():
        assert process.poll() is None
        looked.wait(0.05)  # nothing tells of a file but the file
    shown = out.read()
    assert process.wait(30) == 0
    assert "20 of 20 transcripts are what they must be" in shown
    assert "metrics.duckdb" in shown


@pytest.mark.parametrize(("options", "shows"), [([], False), (["--show"], True), (["--json"], True)])
def test_a_services_sentences_go_to_no_console_unless_asked_for(
    options: list[str],
    shows: bool,
    other_side: Start,
    running: list[subprocess.Popen[bytes]],
    free_tcp_port: int,
    tmp_path: Path,
) -> None:
    side = other_side(corpus_of(WORDS))
    process = subprocess.Popen(
        [*RUN, *options],
        env={**os.environ, **environment(side, tmp_path, FRONTEND_PORT=str(free_tcp_port))},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    running.append(process)
    begin_sessions(free_tcp_port)
    wait_until_delivered(side)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert (b"parcel" in out) == shows
    assert out == b"" or shows
    assert b"parcel" not in err


def test_a_console_without_room_for_a_sign_gets_its_escape(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(["Grüße ", "und 😀."]))
    for command in (
        [*RUN, "--prompt", "stream s", "--record", tmp_path / "r.jsonl"],
        [sys.executable, "-m", "tokenweir", "replay", tmp_path / "r.jsonl"],
        [sys.executable, "-m", "tokenweir", "recordings", "show", "--raw", tmp_path / "r.jsonl"],
    ):
        environ = {**os.environ, **environment(side, tmp_path / "data"), "PYTHONIOENCODING": "ascii"}
        ended = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr
        assert r"Gr\xfc\xdfe" in ended.stdout
    assert side.desktop.transcript("s-1") == "Grüße und 😀."


COMMANDS = {
    "replay": ["replay", "clean.jsonl"],
    "replay --json": ["replay", "clean.jsonl", "--json"],
    "diff": ["diff", "settings.toml", "settings.toml", "clean.jsonl", "--json"],
    "moderate": ["moderate", "clean.jsonl"],
    "ls": ["recordings", "ls", "clean.jsonl"],
    "show": ["recordings", "show", "clean.jsonl"],
    "export": ["recordings", "export", "clean.jsonl"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_only_prints_says_in_one_line_that_it_cannot(command: str) -> None:
    folder = Path(__file__).parents[2] / "recordings"
    started = [sys.executable, "-m", "tokenweir", *COMMANDS[command]]
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(started, cwd=folder, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert ended.stderr == f"tokenweir: standard output cannot be written: {os.strerror(errno.ENOSPC)}\n"
    assert ended.returncode == 11
