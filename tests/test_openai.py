"""connectors.vendors.openai: chat completions over SSE, live, recorded and replayed; and that it is one folder."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from connectors.job.requests import SessionRequest
from connectors.log.records import Record, encode_message
from connectors.log.writer import LogWriter
from connectors.metrics import open_metrics
from connectors.reactor import Reactor
from connectors.simulator import AgentDesktop, Corpus, TokenStream
from connectors.vendors.openai.contract import Decoder
from connectors.vendors.openai.simulator import SimulatedOpenAI
from connectors.vendors.registry import named
from flows.live import LiveJob
from flows.replay import replay
from flows.settings import Settings, load
from tests.test_cli import invoke

ROOT = Path(__file__).parents[1]
VENDOR = named("openai")
WORDS = ("The ", "parcel ", "left ", "on ", "Monday. ", "Write ", "to ", "jane@", "example.com", " then.")
SHOWN = "The parcel left on Monday. Write to [REDACTED] then."


def chunk(content: str | None = None, finish: str | None = None, index: int = 0, **more: Any) -> str:
    delta = {} if content is None else {"content": content}
    return json.dumps({"choices": [{"index": index, "delta": delta, "finish_reason": finish}], **more})


@pytest.mark.parametrize(
    ("frames", "text", "whole"),
    [
        ([chunk("Hel"), chunk("lo"), chunk(finish="stop"), "[DONE]"], "Hello", True),
        ([chunk("Hello", finish="stop"), "[DONE]"], "Hello", True),
        ([chunk("Hello"), chunk(finish="length"), "[DONE]"], "Hello", True),
        ([chunk("Hello"), "[DONE]"], "Hello", False),
        ([chunk("Hello"), chunk(finish=""), "[DONE]"], "Hello", False),
        ([json.dumps({"choices": []}), chunk("Hello"), chunk(finish="stop"), "[DONE]"], "Hello", True),
        ([json.dumps({"choices": None}), chunk("Hello"), chunk(finish="stop"), " [DONE] "], "Hello", True),
        (['{"choices":[{"index":0}]}', chunk("Hello"), chunk(finish="stop"), "[DONE]"], "Hello", True),
        ([chunk("Hello"), chunk("no", index=1), chunk(finish="stop", index=1), "[DONE]"], "Hello", False),
        ([chunk(b"\\ud83d".decode("unicode_escape"))], "\ud83d", False),
    ],
)
def test_text_is_choice_0_and_whole_with_its_finish_reason(frames: list[str], text: str, whole: bool) -> None:
    decoder = Decoder()
    deltas = [delta for frame in frames for delta in decoder.feed(frame, None)]
    assert "".join(token for delta in deltas for token in delta.tokens) == text
    assert decoder.complete == whole
    assert any(delta.finished for delta in deltas) == (whole and frames[-1].strip() == "[DONE]")
    assert not any(delta.malformed or delta.error for delta in deltas)


def test_usage_comes_after_the_finish_and_an_error_is_one_wherever_it_stands() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    [delta] = Decoder().feed(json.dumps({"choices": [], "usage": usage}), None)
    assert delta.usage == (3, 2, 5)
    assert [delta.error for delta in Decoder().feed('{"error":{"message":"out of capacity"}}', None)] == [True]
    assert [delta.malformed for delta in Decoder().feed('{"choices":[{"delta":{"content":7}}]}', None)] == [True]


@contextmanager
def serving(faults: str) -> Iterator[tuple[SimulatedOpenAI, AgentDesktop]]:
    reactor = Reactor()
    server = SimulatedOpenAI(Corpus([TokenStream("words", WORDS)]), faults=faults, speed=0)
    desktop = AgentDesktop()
    try:
        for each in (server, desktop):
            reactor.run(each.start())
        yield server, desktop
    finally:
        for each in (server, desktop):
            reactor.run(each.close())
        reactor.close()


def settings_of(server: SimulatedOpenAI, desktop: AgentDesktop, data_dir: Path) -> Settings:
    environment = {**VENDOR.simulated(server.url), "AGENT_WS_URL": desktop.url, "TOKENWEIR_DATA_DIR": str(data_dir)}
    more = {"TOKENWEIR__OPENAI__RETRY_BASE": "0.01", "TOKENWEIR__OPENAI__RETRY_CAP": "0.02"}
    return load(None, {**environment, **more}, vendor="openai")


@pytest.mark.parametrize(
    ("faults", "shown", "outcome"),
    [
        ("", SHOWN, "finished"),
        ("finish=last", SHOWN, "finished"),
        ("eol=crlf,comments=2,pieces=3,split=2,pack=2", SHOWN, "finished"),
        ("429=1:retry-after=0,503=1", SHOWN, "finished"),
        ("drop=fin@0", SHOWN, "finished"),
        ("drop=end@last", SHOWN, "interrupted"),
        ("drop=rst@5", "The parcel left on Monday. ", "interrupted"),
        ("drop=error@5", "The parcel left on Monday. ", "vendor_error"),
    ],
)
def test_a_job_shows_what_was_said_and_how_it_ended(faults: str, shown: str, outcome: str, tmp_path: Path) -> None:
    with serving(faults) as (server, desktop):
        settings = settings_of(server, desktop, tmp_path)
        job = LiveJob(VENDOR, settings, requests=[SessionRequest(session_id="s", prompt="stream words")])
        job.run()
        assert desktop.transcript("s") == shown
        assert job.outcomes == {outcome: 1}
    with open_metrics(tmp_path) as metrics:
        [(vendor, tokens)] = metrics.sql("SELECT vendor, completion_tokens FROM turns").fetchall()
    assert vendor == "openai"
    if not faults:
        assert tokens == len(WORDS)


REQUEST = {"prompt": "stream words", "model": None, "desktop": "default"}


@pytest.mark.parametrize(
    ("frames", "asked", "shown", "outcome"),
    [
        ([chunk("")], 1, SHOWN, "finished"),
        ([json.dumps({"choices": [{"delta": {"reasoning_content": "hm"}}]})], 1, SHOWN, "finished"),
        ([chunk("The parcel left. ")], 0, "The parcel left. ", "interrupted"),
        ([chunk("The parcel left."), chunk(finish="stop")], 0, "The parcel left.", "finished"),
        (
            [chunk("The parcel left.", "stop"), json.dumps({"choices": [], "usage": None})],
            0,
            "The parcel left.",
            "finished",
        ),
    ],
    ids=["role", "thought", "text", "all but the end", "all but the end, with counts"],
)
def test_a_restart_in_the_middle_asks_again_until_text_came_and_ends_what_is_whole(
    frames: list[str], asked: int, shown: str, outcome: str, tmp_path: Path
) -> None:
    writer = LogWriter(tmp_path / "log" / "w00", "openai")
    writer.append([Record(1, "s", 0, "open", d=REQUEST), *(Record(2, "s", 0, "frame", d=each) for each in frames)])
    writer.close()
    with serving("") as (server, desktop):
        job = LiveJob(VENDOR, settings_of(server, desktop, tmp_path))
        job.run()
        assert (desktop.transcript("s"), job.outcomes) == (shown, {outcome: 1})
        assert server.counts["starts"] == asked


def test_what_is_recorded_replays_to_the_same_bytes_and_exports_as_it_came(tmp_path: Path) -> None:
    with serving("split=2") as (server, desktop):
        settings = settings_of(server, desktop, tmp_path / "data")
        job = LiveJob(VENDOR, settings, requests=[SessionRequest(session_id="s", prompt="stream words")])
        job.run()
        job.source.record(tmp_path / "kept.jsonl")
        live = sorted(each.raw.encode() for each in desktop.received)
    replayed: list[bytes] = []
    replay(tmp_path / "kept.jsonl", settings, lambda message: replayed.append(encode_message(message)))
    assert sorted(replayed) == live
    result = invoke({}, "recordings", "ls", tmp_path / "kept.jsonl")
    assert result.exit_code == 0
    assert "openai" in result.output


def test_a_wrong_key_is_told_with_the_setting_and_never_shown(tmp_path: Path) -> None:
    with serving("") as (server, desktop):
        environment = {**VENDOR.simulated(server.url), "OPENAI_API_KEY": "wrong-key", "AGENT_WS_URL": desktop.url}
        settings = load(None, {**environment, "TOKENWEIR_DATA_DIR": str(tmp_path)}, vendor="openai")
        job = LiveJob(VENDOR, settings, requests=[SessionRequest(session_id="s", prompt="stream words")])
        job.run()
    assert job.outcomes == {"refused": 1}
    assert server.counts["status_401"] == 1, "there is no access token to renew"
    [fault] = job.faults
    assert "OPENAI_API_KEY" in str(fault)
    assert "wrong-key" not in str(fault)


def test_the_vendor_came_as_one_folder() -> None:
    """Nothing of the product was edited for it."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("needs git and the repository's history")

    def ask(*words: str) -> list[str]:
        return subprocess.run([git, *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()

    added = ask("log", "--diff-filter=A", "--format=%H", "--", "connectors/vendors/openai/vendor.py")
    if not added:
        pytest.skip("the commit that added it is not in this history")
    files = ask("show", "--format=", "--name-only", added[-1])
    assert "connectors/vendors/openai/vendor.py" in files
    beside = ("connectors/vendors/openai/", "tests/", "recordings/", "docs/")
    assert [file for file in files if not file.startswith(beside)] == []
