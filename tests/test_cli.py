"""tokenweir: the command line, its exit codes, and what it says of bad input."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from connectors.metrics import open_metrics
from connectors.simulator.vendor import CLIENT_ID, CLIENT_SECRET
from flows import cxone
from tests.conftest import OtherSide, corpus_of
from tokenweir import COMMANDS, LazyCommand, main

Start = Callable[..., OtherSide]
WORDS = ["The ", "parcel ", "left. ", "It ", "arrives ", "at ", "noon."]


def environment(side: OtherSide, data_dir: Path, **more: str) -> dict[str, str]:
    return {
        "CXONE_BASE_URL": side.gateway.url,
        "CXONE_CLIENT_ID": CLIENT_ID,
        "CXONE_CLIENT_SECRET": CLIENT_SECRET,
        "AGENT_WS_URL": side.desktop.url,
        "TOKENWEIR_DATA_DIR": str(data_dir),
        "TOKENWEIR__JOB__EPOCH": "0.1",
        **more,
    }


def invoke(env: dict[str, str], *args: str | Path) -> Result:
    return CliRunner(env=env).invoke(main, [str(arg) for arg in args])


def complaint(result: Result) -> str:
    """The one line that says what is wrong, without a traceback."""
    lines = [line for line in result.stderr.splitlines() if line.startswith("tokenweir: ")]
    assert len(lines) == 1, result.stderr
    assert "Traceback" not in result.output
    return lines[0]


LARGE = {"flows", "analytics", "bytewax", "duckdb", "polars", "numpy", "aiohttp", "starlette"}


@pytest.mark.parametrize("args", [["--help"], ["--version"], ["simulate", "--help"]], ids=" ".join)
def test_what_needs_little_imports_little(args: list[str]) -> None:
    script = "import sys; from tokenweir import main; main(sys.argv[1:], standalone_mode=False); print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", script, *args], capture_output=True, text=True, check=True)
    imported = set(ran.stdout.splitlines()[-1].split())
    assert "tokenweir" in imported
    assert imported & LARGE == set()
    assert {name for name in COMMANDS if f"tokenweir.{name}" in imported} == set(args) & set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_listed_with_the_first_sentence_of_its_own_help(name: str) -> None:
    listed = main.commands[name]
    assert isinstance(listed, LazyCommand)
    command = listed.load()
    assert command.name == name
    assert listed.get_short_help_str(1_000) == command.get_short_help_str(1_000)


def test_one_session_runs_to_its_end_and_is_delivered(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(WORDS))
    result = invoke(environment(side, tmp_path), "run", "cxone", "--prompt", "stream s", "--model", "m")
    assert result.exit_code == 0, result.output
    assert side.desktop.transcript("s-1") == "".join(WORDS)
    assert "The parcel left." in result.stdout


def test_json_is_the_bytes_that_the_desktop_read(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(WORDS))
    result = invoke(environment(side, tmp_path), "run", "cxone", "--prompt", "stream s", "--json")
    assert result.stdout.splitlines() == [each.raw for each in side.desktop.received]


def test_a_recorded_run_replays_to_the_same_bytes(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(WORDS), "drop=fin@3,repeat=2")
    recording = tmp_path / "r.jsonl"
    env = environment(side, tmp_path / "data")
    live = invoke(env, "run", "cxone", "--prompt", "stream s", "--json", "--record", recording)
    replayed = invoke({}, "replay", recording, "--json")
    assert replayed.exit_code == 0
    assert replayed.stdout == live.stdout


def test_a_session_asked_again_is_its_next_turn(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(WORDS))
    for _ in range(2):
        assert invoke(environment(side, tmp_path), "run", "cxone", "--prompt", "stream s").exit_code == 0
    assert side.desktop.turns() == [("s-1", 0), ("s-1", 1)]


def test_a_broken_line_among_the_sessions_does_not_lose_the_good_ones(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(WORDS))
    sessions = tmp_path / "sessions.jsonl"
    sessions.write_text(
        '{"session_id": "a", "prompt": "stream s"}\n{"session_id": 7}\n{"session_id": "b", "prompt": "stream s"}\n'
    )
    result = invoke(environment(side, tmp_path / "data"), "run", "cxone", "--sessions", sessions)
    assert result.exit_code == 7
    assert "line 2: session_id" in complaint(result)
    assert {session for session, _ in side.desktop.turns()} == {"a", "b"}
    assert side.desktop.transcript("b") == "".join(WORDS)


@pytest.mark.parametrize("name", ["file/r.jsonl", "file/folder", "file/deeper/r.jsonl.zst"])
def test_a_recording_that_cannot_be_written_is_said_before_the_run(
    name: str, other_side: Start, tmp_path: Path
) -> None:
    side = other_side(corpus_of(WORDS))
    (tmp_path / "file").write_text("no folder")
    env = environment(side, tmp_path / "data")
    result = invoke(env, "run", "cxone", "--prompt", "stream s", "--record", tmp_path / name)
    assert result.exit_code == 7
    assert "name another place" in complaint(result)
    assert side.gateway.counts["starts"] == 0
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("change", "code", "says"),
    [
        ({"CXONE_CLIENT_ID": ""}, 3, "CXONE_CLIENT_ID"),
        ({"CXONE_CLIENT_SECRET": "wrong-secret"}, 4, "CXONE_CLIENT_SECRET"),
        ({"CXONE_BASE_URL": "http://127.0.0.1:9"}, 5, "CXONE_BASE_URL"),
        ({"CXONE_BASE_URL": "api.example"}, 3, "CXONE_BASE_URL"),
        ({"AGENT_WS_URL": ""}, 3, "AGENT_WS_URL"),
        ({"AGENT_WS_URL": "http://127.0.0.1:9"}, 3, "AGENT_WS_URL"),
        ({"AGENT_WS_URL": "ws://127.0.0.1:9/", "TOKENWEIR__DESKTOPS__DEFAULT__DRAIN_TIMEOUT": "0.2"}, 6, "127.0.0.1:9"),
        ({"TOKENWEIR__WINDOW__TIMEOUT": "soon"}, 3, "TOKENWEIR__WINDOW__TIMEOUT"),
    ],
)
def test_bad_settings_end_with_one_clear_line(
    change: dict[str, str], code: int, says: str, other_side: Start, tmp_path: Path
) -> None:
    side = other_side(corpus_of(WORDS))
    result = invoke(environment(side, tmp_path, **change), "run", "cxone", "--prompt", "stream s")
    assert result.exit_code == code, result.output
    assert says in complaint(result)
    assert "wrong-secret" not in result.output


def test_a_missing_scope_is_named(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(WORDS), scopes=())
    result = invoke(environment(side, tmp_path), "run", "cxone", "--prompt", "stream s")
    assert result.exit_code == 4
    assert "ai:llm:stream" in complaint(result)


def test_messages_for_a_desktop_that_was_not_there_go_with_the_next_run(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(WORDS))
    away = {"AGENT_WS_URL": "ws://127.0.0.1:9/", "TOKENWEIR__DESKTOPS__DEFAULT__DRAIN_TIMEOUT": "0.2"}
    assert invoke(environment(side, tmp_path, **away), "run", "cxone", "--prompt", "stream s").exit_code == 6
    again = invoke(environment(side, tmp_path), "run", "cxone", "--session-id", "s-2", "--prompt", "stream s")
    assert again.exit_code == 0, again.output
    assert side.desktop.transcript("s-1") == side.desktop.transcript("s-2") == "".join(WORDS)


@pytest.mark.parametrize("content", ["", "hello\n", '{"tokens": ["a"]}\n'])
def test_a_recording_that_is_not_one(content: str, tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text(content)
    result = invoke({}, "replay", path)
    assert result.exit_code == 7
    assert str(path) in complaint(result)


def test_a_data_directory_in_use_is_said_so(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(WORDS), "stall=inf@2")
    process = start_service(side, tmp_path)
    try:
        result = invoke(environment(side, tmp_path), "run", "cxone", "--prompt", "stream s")
        assert result.exit_code == 8
        assert "another process" in complaint(result)
    finally:
        process.kill()
        process.communicate()


def test_a_refused_second_job_leaves_the_first_ones_recovery_store_alone(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(WORDS))
    process = start_service(side, tmp_path)
    assert post(process, {"session_id": "s-9", "prompt": "stream s"})[0] == 202
    side.reactor.run(side.desktop.until(lambda desktop: desktop.is_whole("s-9")), 20)
    assert invoke(environment(side, tmp_path), "run", "cxone", "--prompt", "stream s").exit_code == 8
    process.terminate()
    process.communicate(timeout=20)
    result = invoke(environment(side, tmp_path), "run", "cxone", "--prompt", "stream s")
    assert result.exit_code == 0, result.output


def test_the_metrics_can_be_asked_of_a_service_that_had_no_session_yet(other_side: Start, tmp_path: Path) -> None:
    process = start_service(other_side(corpus_of(WORDS)), tmp_path)
    try:
        result = invoke({"TOKENWEIR_DATA_DIR": str(tmp_path)}, "query", "SELECT count(*) AS n FROM turns")
        assert result.exit_code == 0, result.output
        assert result.stdout.split()[-1] == "0"
    finally:
        process.kill()
        process.communicate()


def test_a_data_directory_that_is_none_is_one_clear_line(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(WORDS))
    (tmp_path / "file").touch()
    result = invoke(environment(side, tmp_path / "file"), "run", "cxone", "--prompt", "stream s")
    assert result.exit_code == 8
    assert str(tmp_path / "file") in complaint(result)


def test_a_file_of_sessions_is_worked_off_once(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(WORDS))
    sessions = tmp_path / "sessions.jsonl"
    line = '{"session_id": "a", "prompt": "stream s"}\n'
    for lines, turns in ((1, 1), (1, 1), (3, 3)):
        sessions.write_text(line * lines)
        result = invoke(environment(side, tmp_path / "data"), "run", "cxone", "--sessions", sessions)
        assert result.exit_code == 0, result.output
        assert side.desktop.turns() == [("a", turn) for turn in range(turns)]


def test_a_broken_line_decides_the_exit_code_and_the_rest_is_worked_off(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(WORDS), "403=1")
    sessions = tmp_path / "sessions.jsonl"
    sessions.write_text(
        '{"session_id": "refused", "prompt": "stream s"}\n{"session_id": "x"}\n'
        '{"session_id": "good", "prompt": "stream s with eol=lf"}\n'
    )
    result = invoke(environment(side, tmp_path / "data"), "run", "cxone", "--sessions", sessions)
    assert result.exit_code == 7, result.output
    assert "line 2: prompt: missing" in result.stderr
    assert "1 finished, 1 refused" in result.stderr


@pytest.mark.parametrize("vendor", ["cxone", "cognigy"])
def test_bytewaxs_own_command_line_says_a_bad_setting_in_one_line(vendor: str, tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "bytewax.run", f"flows.{vendor}:flow"],
        env={**os.environ, "TOKENWEIR__WINDOW__TIMEOUT": "soon", "TOKENWEIR_DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 3
    assert ended.stderr.startswith("tokenweir: window.timeout should be a number (from TOKENWEIR__WINDOW__TIMEOUT)")
    assert len(ended.stderr.splitlines()) == 1


def test_bytewaxs_own_command_line_opens_and_ends_what_ours_does(other_side: Start, tmp_path: Path) -> None:
    """An address that is taken ends it with the reason; an interrupt leaves its rows landed."""
    side = other_side(corpus_of(WORDS))
    command = [sys.executable, "-m", "bytewax.run", "flows.cxone:flow"]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        env = environment(side, tmp_path, FRONTEND_PORT=str(taken.getsockname()[1]))
        ended = subprocess.run(command, env={**os.environ, **env}, capture_output=True, text=True, check=False)
    assert ended.returncode != 0
    assert "cannot listen on 127.0.0.1:" in ended.stderr
    process = start_service(side, tmp_path, command)
    assert post(process, {"session_id": "s-9", "prompt": "stream s"})[0] == 202
    side.reactor.run(side.desktop.until(lambda desktop: desktop.is_whole("s-9")), 20)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    with open_metrics(tmp_path) as database:
        rows = database.sql("SELECT count(*) FROM landed.deliveries").fetchall()
    assert rows == [(len(side.desktop.received),)]


def start_service(
    side: OtherSide, data_dir: Path, command: Sequence[str] = (sys.executable, "-m", "tokenweir", "run", "cxone")
) -> subprocess.Popen[str]:
    """A service in a process of its own; returns when it listens."""
    env = {**os.environ, **environment(side, data_dir, FRONTEND_PORT="0")}
    process = subprocess.Popen(
        command,
        env=env,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    while "listening on" not in (line := process.stderr.readline()):
        assert process.poll() is None, line
    process.address = line.split()[-1]  # type: ignore[attr-defined]  # a note on the process, for the tests
    return process


def post(process: subprocess.Popen[str], body: object) -> tuple[int, dict[str, object]]:
    answer = subprocess.run(
        ["curl", "-s", "-w", "\n%{http_code}", "-d", json.dumps(body), f"{process.address}/sessions"],  # type: ignore[attr-defined]  # as above
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    text, _, status = answer.rpartition("\n")
    return int(status), json.loads(text)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_service_takes_sessions_and_stops_in_order(number: signal.Signals, other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(WORDS))
    process = start_service(side, tmp_path)
    status, begun = post(process, {"session_id": "s-9", "prompt": "stream s"})
    assert (status, begun["session_id"], begun["turn"]) == (202, "s-9", 0)
    assert post(process, {"session_id": "s 9"})[0] == 400
    assert post(process, {"session_id": "s-8", "prompt": "p", "desktop": "nowhere"})[0] == 400
    assert post(process, {"session_id": "s-8"}) == (400, {"error": "prompt: missing", "missing": ["prompt"]})
    health = subprocess.run(["curl", "-s", f"{process.address}/health"], capture_output=True, text=True, check=True)  # type: ignore[attr-defined]  # as above
    assert health.stdout == "OK"
    side.reactor.run(side.desktop.until(lambda desktop: desktop.is_whole("s-9")), 20)
    process.send_signal(number)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 0, errors
    assert "1 finished" in errors
    assert side.desktop.transcript("s-9") == "".join(WORDS)


def test_a_turn_that_a_stop_interrupts_is_finished_by_the_next_start(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of({"s": WORDS, "t": WORDS}), {"s": "stall=inf@5"})
    process = start_service(side, tmp_path)
    assert post(process, {"session_id": "s-9", "prompt": "stream s"})[0] == 202
    side.reactor.run(side.desktop.until(lambda desktop: bool(desktop.transcript("s-9"))), 20)
    process.terminate()
    process.communicate(timeout=20)
    assert process.returncode == 0
    assert not side.desktop.is_whole("s-9")
    result = invoke(environment(side, tmp_path), "run", "cxone", "--session-id", "other", "--prompt", "stream t")
    assert result.exit_code == 0, result.output
    assert side.desktop.is_whole("s-9")
    assert side.desktop.transcript("s-9") == "".join(WORDS)
    assert side.desktop.counts["repeats"] == 0


def test_moderate_shows_what_a_policy_would_do_to_a_text(tmp_path: Path) -> None:
    text = tmp_path / "note.txt"
    text.write_text("Write to eve@example.com, and do not frobnicate.")
    env = {"BLOCKLIST": "frobnicate"}
    shown = invoke(env, "moderate", text)
    assert shown.exit_code == 0
    assert "eve@example.com" not in shown.stdout
    assert shown.stdout.count("[REDACTED]") == 2
    found = [json.loads(line) for line in invoke(env, "moderate", text, "--json").stdout.splitlines()]
    assert [(each["category"], each["start"], each["end"]) for each in found] == [
        ("EMAIL_ADDRESS", 9, 24),
        ("BLOCKED", 37, 47),
    ]


def test_moderate_shows_every_turn_of_a_recording() -> None:
    shown = invoke({}, "moderate", Path(__file__).parents[1] / "recordings" / "pii.jsonl")
    assert shown.exit_code == 0
    assert "CREDIT_CARD" in shown.stdout
    assert "4111" not in shown.stdout


def test_moderate_of_what_is_no_text_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "x.bin").write_bytes(b"\xff\xfe\x00")
    assert "UTF-8" in complaint(invoke({}, "moderate", tmp_path / "x.bin"))


def test_the_demo_never_removes_a_folder_that_is_not_its_own(tmp_path: Path) -> None:
    (tmp_path / "precious").touch()
    assert invoke({}, "demo", "--data-dir", tmp_path).exit_code == 8
    assert (tmp_path / "precious").exists()


def test_bytewaxs_open_port_is_warned_of(
    other_side: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    side = other_side(corpus_of(WORDS))
    monkeypatch.setenv("BYTEWAX_DATAFLOW_API_ENABLED", "1")
    monkeypatch.setenv("BYTEWAX_DATAFLOW_API_PORT", "3131")
    cxone.job(side.settings(tmp_path)).flow()
    assert "port 3131 on all interfaces" in caplog.text
