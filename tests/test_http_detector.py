"""Remote detectors of the settings: asked over HTTP, by `tokenweir run` and by Bytewax's own command line."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal

import pytest

from connectors.detectors import registry
from connectors.detectors.base import DetectorSettings
from connectors.detectors.settings import HttpDetectorSettings
from connectors.errors import SettingsError
from connectors.job.detectors import Detectors
from connectors.log.clock import Clock
from connectors.log.files import LogReader
from connectors.log.lane import Lane
from connectors.log.records import VERDICT, Question
from connectors.log.turns import Turns
from connectors.log.writer import LogWriter
from connectors.metrics import open_metrics
from connectors.reactor import Reactor
from connectors.secret import Secret
from flows.replay import replay
from flows.settings import load, parse
from tests.conftest import OtherSide, corpus_of
from tests.test_cli import environment, invoke, post, start_service

Start = Callable[..., OtherSide]
ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "detector"
TEXT = "Our 😀 blue heron flies. "
SECRET = "Bearer hush-7731"
NAMES = ["The ", "Blue ", "Heron ", "is ", "late. ", "It ", "arrives ", "at ", "noon."]
SHOWN = "The [a project] is late. It arrives at noon."
FOUND = b'{"findings": [{"start": 6, "end": 16, "rule": "project", "score": 0.9}], "model": "m"}'


class Server(ThreadingHTTPServer):
    """A detector on loopback: `answer` says what becomes of a question, by its number from 0."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/judge?v=1"
        self.asked: list[tuple[dict[str, str], Any]] = []
        self.answer: Callable[[_Handler, int], object] = answering(200, FOUND)
        self.gate = threading.Event()
        self.changed = threading.Condition()
        self.under_way = self.most = 0

    def until_asked(self, count: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.asked) >= count, 20)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.changed:
            number = len(self.server.asked)
            self.server.asked.append(({name.lower(): value for name, value in self.headers.items()}, json.loads(body)))
            self.server.under_way += 1
            self.server.most = max(self.server.most, self.server.under_way)
            self.server.changed.notify_all()
        try:
            self.server.answer(self, number)
        except OSError:  # who asked has gone
            self.close_connection = True
        finally:
            with self.server.changed:
                self.server.under_way -= 1

    def reply(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base's name for it
        pass


def answering(status: int, body: bytes, **headers: str) -> Callable[[_Handler, int], object]:
    return lambda handler, _: handler.reply(status, body, **headers)


def saying(*findings: object) -> Callable[[_Handler, int], object]:
    return answering(200, json.dumps({"findings": findings}).encode())


def silent(handler: _Handler, _: int) -> None:
    handler.server.gate.wait(60)
    handler.close_connection = True


def gated(handler: _Handler, _: int) -> None:
    handler.server.gate.wait(60)
    handler.reply(200, b'{"findings": []}')


def hanging_up(times: int) -> Callable[[_Handler, int], object]:
    def answer(handler: _Handler, number: int) -> None:
        if number < times:
            handler.close_connection = True
        else:
            handler.reply(200, FOUND)

    return answer


def trickling(handler: _Handler, _: int) -> None:
    """Headers at once, a body that does not end."""
    handler.send_response(200)
    handler.send_header("Content-Length", "100")
    handler.end_headers()
    handler.wfile.write(b"{")
    handler.server.gate.wait(60)
    handler.close_connection = True


@pytest.fixture
def servers() -> Iterator[Callable[[], Server]]:
    started: list[Server] = []

    def start() -> Server:
        server = Server()
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        started.append(server)
        return server

    yield start
    for server in started:
        server.gate.set()
        server.shutdown()
        server.server_close()


@pytest.fixture
def server(servers: Callable[[], Server]) -> Server:
    return servers()


class Asking:
    """A job's detectors over a lane of their own."""

    def __init__(self, folder: Path, reactor: Reactor, **sections: HttpDetectorSettings) -> None:
        self.lane = Lane(LogWriter(folder, "cxone"), Clock(LogReader(folder).created, None), Turns())
        self.detectors = Detectors({name: each.detector(name) for name, each in sections.items()}, reactor)
        reactor.run(self.detectors.open())
        self.running = reactor.spawn(self.detectors.run(self.lane))

    def ask(self, name: str = "far", text: str = TEXT, start: int = 100) -> None:
        self.detectors.ask(Question(0, "s-1", 2, name, start, text, "de"))

    def verdicts(self, count: int) -> list[dict[str, Any]]:
        """The next verdicts, as they are logged."""
        found: list[dict[str, Any]] = []
        while len(found) < count:
            batches, ended = self.lane.take(1.0)
            assert not ended
            found += [each.fields for batch in batches for each in batch.records if each.k == VERDICT]  # type: ignore[union-attr]  # no frames are among them
        return found


@pytest.fixture
def asking(tmp_path: Path) -> Iterator[Callable[..., Asking]]:
    reactor, started = Reactor(), []

    def start(**sections: HttpDetectorSettings) -> Asking:
        made = Asking(tmp_path / f"log{len(started)}", reactor, **sections)
        started.append(made)
        return made

    yield start
    for each in started:
        each.running.cancel()
    reactor.close()
    for each in started:
        each.lane.close()


def test_a_question_is_a_post_and_findings_are_offsets_in_its_text(
    server: Server, asking: Callable[..., Asking]
) -> None:
    job = asking(far=HttpDetectorSettings(url=server.url, authorization=Secret(SECRET)))
    job.ask()
    assert job.verdicts(1) == [{"detector": "far", "start": 100, "upto": 124, "findings": [(106, 116, "project")]}]
    [(headers, body)] = server.asked
    assert (headers["authorization"], headers["content-type"]) == (SECRET, "application/json")
    assert body == {"detector": "far", "session_id": "s-1", "turn": 2, "start": 100, "language": "de", "text": TEXT}
    assert TEXT[6:16] == "blue heron"
    server.answer = saying({"start": 0, "end": 3})
    job.ask()
    assert job.verdicts(1)[0]["findings"] == [(100, 103, "far")]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (silent, "timeout"),
        (trickling, "timeout"),
        (answering(500, b"down"), "status_500"),
        (answering(401, FOUND), "status_401"),
        (answering(204, b""), "status_204"),
        (hanging_up(2), "disconnected"),
        (answering(200, b"no JSON"), "answer"),
        (answering(200, b"\xff\xfe"), "answer"),
        (answering(200, b"{}"), "answer"),
        (answering(200, b"[]"), "answer"),
        (answering(200, b'{"findings": null}'), "answer"),
        (answering(200, b'{"findings": ' + b"[" * 5_000), "answer"),
        (saying([0, 3, "rule"]), "answer"),
        (saying({"start": 0}), "answer"),
        (saying({"start": "0", "end": 3}), "answer"),
        (saying({"start": 0, "end": 2.5}), "answer"),
        (saying({"start": -1, "end": 3}), "answer"),
        (saying({"start": 3, "end": 3}), "answer"),
        (saying({"start": 4, "end": 3}), "answer"),
        (saying({"start": 0, "end": len(TEXT) + 1}), "answer"),
        (saying({"start": 0, "end": 1 << 70}), "answer"),
        (saying({"start": 0, "end": 3, "rule": "r" * 65}), "answer"),
        (saying({"start": 0, "end": 3, "rule": "a\nb"}), "answer"),
        (saying({"start": 0, "end": 3}, {"start": 9, "end": 999}), "answer"),
        (saying(*[{"start": 0, "end": 3}] * 1_001), "answer"),
        (answering(200, b" " * 70_000 + FOUND), "protocol"),
        (answering(200, FOUND, **{"Content-Encoding": "br"}), "protocol"),
    ],
)
def test_what_is_no_answer_is_a_verdict_without_findings(
    server: Server,
    asking: Callable[..., Asking],
    caplog: pytest.LogCaptureFixture,
    answer: Callable[[_Handler, int], object],
    reason: str,
) -> None:
    server.answer = answer
    timeout = 0.2 if reason == "timeout" else 10.0
    options = {"timeout": timeout, "max_answer_bytes": 65_536}
    job = asking(far=HttpDetectorSettings(url=server.url, authorization=Secret(SECRET), **options))
    job.ask()
    assert job.verdicts(1) == [{"detector": "far", "start": 100, "upto": 124, "findings": None, "reason": reason}]
    status = job.detectors.everyone()["far"]
    assert (status.failed, status.answered, status.error) == (1, 0, reason)
    [line] = [record.getMessage() for record in caplog.records]
    assert f"detector far gives no answer ({reason})" in line
    assert "heron" not in caplog.text
    assert "hush" not in caplog.text


def test_a_redirect_is_not_followed(servers: Callable[[], Server], asking: Callable[..., Asking]) -> None:
    server, elsewhere = servers(), servers()
    job = asking(far=HttpDetectorSettings(url=server.url, authorization=Secret(SECRET)))
    for status in (301, 302, 303, 307, 308):
        server.answer = answering(status, b"", Location=elsewhere.url)
        job.ask()
        assert job.verdicts(1)[0]["reason"] == f"status_{status}"
    assert elsewhere.asked == []


def test_one_that_is_not_there_is_no_answer(asking: Callable[..., Asking]) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as gone:
        url = f"http://127.0.0.1:{gone.server_port}"
    job = asking(far=HttpDetectorSettings(url=url))
    job.ask()
    assert job.verdicts(1)[0]["reason"] == "connect"


def test_a_connection_that_broke_off_is_tried_once_more(server: Server, asking: Callable[..., Asking]) -> None:
    """A server may close a kept connection in the moment in which it is used."""
    server.answer = hanging_up(1)
    job = asking(far=HttpDetectorSettings(url=server.url))
    job.ask()
    assert job.verdicts(1)[0]["findings"] == [(106, 116, "project")]
    assert len(server.asked) == 2


def test_a_detector_is_asked_no_more_at_once_than_it_may(server: Server, asking: Callable[..., Asking]) -> None:
    server.answer = gated
    job = asking(far=HttpDetectorSettings(url=server.url, max_concurrency=2, max_waiting=5))
    for _ in range(7):
        job.ask()
    assert [each["reason"] for each in job.verdicts(2)] == ["dropped", "dropped"]
    server.until_asked(2)
    assert job.detectors.everyone()["far"].waiting == 5
    server.gate.set()
    assert [each["findings"] for each in job.verdicts(5)] == [[]] * 5
    status = job.detectors.everyone()["far"]
    assert (status.waiting, status.answered, status.dropped, status.error) == (0, 5, 2, "")
    assert server.most == 2
    assert job.detectors.is_idle()


def test_the_time_for_an_answer_has_the_wait_for_a_turn_in_it(server: Server, asking: Callable[..., Asking]) -> None:
    """Else those at the end of a long line would wait for as many times as there are before them."""
    server.answer = silent
    job = asking(far=HttpDetectorSettings(url=server.url, max_concurrency=1, timeout=0.5))
    for _ in range(50):
        job.ask()
    assert [each["reason"] for each in job.verdicts(50)] == ["timeout"] * 50
    assert len(server.asked) < 25


def test_one_that_hangs_delays_no_other(servers: Callable[[], Server], asking: Callable[..., Asking]) -> None:
    hangs, quick = servers(), servers()
    hangs.answer = silent
    job = asking(hangs=HttpDetectorSettings(url=hangs.url), quick=HttpDetectorSettings(url=quick.url))
    for _ in range(40):
        job.ask("hangs")
    hangs.until_asked(16)
    job.ask("quick")
    assert [each["detector"] for each in job.verdicts(1)] == ["quick"]


def test_a_dead_detector_is_said_once_and_not_for_each_question(
    server: Server, asking: Callable[..., Asking], caplog: pytest.LogCaptureFixture
) -> None:
    server.answer = answering(503, b"")
    job = asking(far=HttpDetectorSettings(url=server.url))
    for _ in range(20):
        job.ask()
    job.verdicts(20)
    assert len(caplog.records) == 1
    assert job.detectors.counts["failed"] == 20


# By the command line


@pytest.fixture
def example() -> Iterator[str]:
    """examples/detector/server.py, as a process."""
    command = [sys.executable, str(EXAMPLE / "server.py"), "0"]
    env = {**os.environ, "DETECTOR_TOKEN": SECRET.removeprefix("Bearer ")}
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield process.stdout.readline().strip()
    process.terminate()
    process.communicate(timeout=20)


def told(side: OtherSide, folder: Path, url: str, authorization: str = SECRET) -> tuple[dict[str, str], Path]:
    """An environment and a file of settings: the example's, with another address."""
    text = (EXAMPLE / "tokenweir.toml").read_text(encoding="utf-8")
    file = folder / "tokenweir.toml"
    file.write_text(text.replace("http://127.0.0.1:8091/", url), encoding="utf-8")
    variable = {"TOKENWEIR__DETECTORS__PROJECTS__AUTHORIZATION": authorization}
    return environment(side, folder / "data", **variable), file


def test_the_example_is_asked_by_a_run_and_by_no_replay(other_side: Start, tmp_path: Path, example: str) -> None:
    side = other_side(corpus_of(NAMES))
    env, file = told(side, tmp_path, example)
    recording = tmp_path / "r.jsonl"
    options = ("--settings", file, "--prompt", "stream s", "--record", recording)
    result = invoke(env, "run", "cxone", *options)
    assert result.exit_code == 0, result.output
    assert side.desktop.transcript("s-1") == SHOWN
    shown: list[str] = []
    replay(recording, load(file, {}), lambda message: shown.append(message.text))
    assert "".join(shown) == SHOWN
    with open_metrics(tmp_path / "data") as database:
        found = database.sql("SELECT category, rule FROM landed.findings").fetchall()
        dead = database.sql("SELECT * FROM landed.dead_letters").fetchall()
    assert (found, dead) == ([("projects", "project")], [])


def test_a_run_that_has_no_answers_withholds_and_says_so(other_side: Start, tmp_path: Path, example: str) -> None:
    side = other_side(corpus_of(NAMES))
    env, file = told(side, tmp_path, example, "Bearer another-4711")
    result = invoke(env, "run", "cxone", "--settings", file, "--prompt", "stream s")
    assert result.exit_code == 0, result.output
    assert "Heron" not in side.desktop.transcript("s-1")
    assert side.desktop.is_whole("s-1")
    assert "another-4711" not in result.output
    with open_metrics(tmp_path / "data") as database:
        dead = database.sql("SELECT DISTINCT step, reason FROM landed.dead_letters").fetchall()
    assert dead == [("ask_detectors", "projects: status_401")]


def test_bytewaxs_own_command_line_asks_it_and_health_shows_it(
    other_side: Start, tmp_path: Path, example: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    side = other_side(corpus_of(NAMES))
    env, file = told(side, tmp_path, example)
    for name, value in {**env, "TOKENWEIR_SETTINGS": str(file)}.items():
        monkeypatch.setenv(name, value)
    process = start_service(side, tmp_path / "data", [sys.executable, "-m", "bytewax.run", "flows.cxone:flow"])
    assert post(process, {"session_id": "s-9", "prompt": "stream s"})[0] == 202
    side.reactor.run(side.desktop.until(lambda desktop: desktop.is_whole("s-9")), 20)
    address = f"{process.address}/health?verbose"  # type: ignore[attr-defined]  # a note on the process
    said = json.loads(subprocess.run(["curl", "-s", address], capture_output=True, text=True, check=True).stdout)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert side.desktop.transcript("s-9") == SHOWN
    status = said["detectors"]["projects"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", status.pop("since"))
    asked = status.pop("answered")
    assert asked >= 2
    assert status == {"error": "", "waiting": 0, "failed": 0, "dropped": 0}


def test_a_name_without_a_section_is_refused_with_the_remedy(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(NAMES))
    env = {**environment(side, tmp_path), "TOKENWEIR__MODERATION__REMOTE": '["birds"]'}
    result = invoke(env, "run", "cxone", "--prompt", "stream s")
    assert result.exit_code == SettingsError.exit_code
    assert "moderation.remote: nobody serves the detector 'birds'" in result.stderr
    assert "say where it is in [detectors.birds]" in result.stderr


# Kinds


class Loud(DetectorSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    kind: Literal["loud"] = "loud"
    volume: int = 11

    def detector(self, name: str) -> Any:
        return name


def changed(**fields: Any) -> Any:
    return type(
        "Changed", (Loud,), {"__annotations__": dict.fromkeys(fields, str), **fields}, frozen=True, kw_only=True
    )


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (object, "subclass of DetectorSettings"),
        (Loud(), "subclass of DetectorSettings"),
        (DetectorSettings, "should have a default"),
        (changed(kind="Not A Name"), "should have a default"),
        (changed(kind="http"), "there is a kind 'http' already"),
        (type("Mute", (DetectorSettings,), {"__annotations__": {"kind": str}, "kind": "mute"}), "makes no detector"),
    ],
)
def test_a_kind_that_cannot_serve_is_left_out(kind: Any, said: str) -> None:
    with pytest.raises((TypeError, ValueError), match=said):
        registry._check(kind, registry.kinds())
    assert registry._check(Loud, registry.kinds()) == "loud"


def test_an_installed_package_brings_a_kind(tmp_path: Path) -> None:
    info = tmp_path / "loud-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: loud\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[tokenweir.detectors]\nloud = tests.test_http_detector:Loud\nno = gone:X\n")
    script = (
        "from flows.settings import parse\n"
        "from tokenweir.manual import settings_page\n"
        "read = parse({'detectors': {'a': {'kind': 'loud', 'volume': 3}, 'b': {'url': 'http://b'}}})\n"
        "print(read.detectors['a'].volume, type(read.detectors['b']).__name__, 'volume = 11' in settings_page())\n"
        "for table in ({'kind': 'mute'}, {'kind': 'loud', 'url': 'http://b'}, {'kind': 3}, 'x'):\n"
        "    try:\n"
        "        parse({'detectors': {'a': table}})\n"
        "    except ValueError as error:\n"
        "        print(error)\n"
    )
    env = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    done = subprocess.run(
        [sys.executable, "-c", script], env=env, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "the kind of detector 'no' (gone:X) is left out: ModuleNotFoundError" in done.stderr
    assert done.stdout.splitlines() == [
        "3 HttpDetectorSettings True",
        'detectors.a.kind should be "http" or "loud" (from settings)',
        "detectors.a.url is no setting; there are kind, timeout, max_concurrency, max_waiting, volume (from settings)",
        'detectors.a.kind should be "http" or "loud" (from settings)',
        "detectors.a should be a table, [detectors.a] (from settings)",
    ]


def test_the_settings_do_not_print_what_may_be_secret() -> None:
    read = parse({"detectors": {"a": {"url": "https://host/path?key=hush", "authorization": SECRET}}})
    assert "hush" not in repr(read)
