"""A live run and the replay of its recording: the same bytes as the desktop read off its socket."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connectors.job.requests import SessionRequest
from connectors.log.records import encode_message
from connectors.metrics import TurnRow, open_metrics
from connectors.simulator import Corpus, TokenStream
from connectors.simulator.draws import draw_faults
from connectors.simulator.faults import Faults, Repeat
from connectors.simulator.turns import FaultPlan
from flows import cxone
from flows.engine.kept import KeptSink
from flows.live import LiveJob
from flows.moderation import Moderator
from flows.replay import replay
from flows.settings import Settings
from tests.conftest import corpus_of

BLOCKED = {"moderation": {"blocklist": ["frobnicate"]}}

FAULTS: dict[str, FaultPlan] = {
    "none": "",
    "a drop and the same tokens again": "drop=rst@20,repeat=5",
    "a drop and the same tokens under new ids": "drop=fin@12,repeat=9:ids=new",
    "one id for the stream": "ids=stream,drop=end@15,repeat=6",
    "two drops and a revoked token": "drop=end@10:revoke,drop=rst@25,repeat=3",
    "refusals": {"refund": "429=1:retry-after=0", "german": "503=1", "account": "401=1:on=continue,drop=fin@9"},
    "split and packed JSON": "split=2,drop=fin@1700b",
    "SSE liberties": "eol=crlf,comments=2,lines,bom,pieces=7,finish=last",
    "malformed events": "malformed=garbage@3,malformed=truncated@6,malformed=utf8@9,big=30000@5",
    "an error event": "drop=error@14",
    "no way to go on": "ids=none,drop=fin@14",
}

Start = Callable[..., Any]


@pytest.mark.parametrize("faults", FAULTS.values(), ids=FAULTS)
def test_a_replay_gives_the_bytes_of_the_live_run(other_side: Start, tmp_path: Path, faults: FaultPlan) -> None:
    side = other_side(faults=faults)
    job = side.run(tmp_path / "data", *side.gateway.corpus.names, **BLOCKED)
    assert "failed" not in job.outcomes
    assert job.outcomes.total() == len(side.gateway.corpus)
    shown = shown_on(side)
    assert sum(b'"final":true' in message for message in shown) == len(side.gateway.corpus)
    assert replayed(job, tmp_path / "r.jsonl") == shown


@pytest.mark.parametrize("seed", range(3))
def test_faults_as_they_come_change_neither_the_text_nor_the_replay(
    other_side: Start, tmp_path: Path, seed: int
) -> None:
    corpus = Corpus.builtin()

    def drawn(stream: TokenStream) -> Faults:
        """Without what a client cannot fix: an error event, the account's token revoked twice at once, new ids
        for a repetition that is short."""
        faults = draw_faults(100 * seed + corpus.names.index(stream.name), len(stream.tokens))
        return msgspec.structs.replace(
            faults,
            refusals=tuple(refusal for refusal in faults.refusals if refusal.status != 401),
            drops=tuple(msgspec.structs.replace(drop, revoke=False) for drop in faults.drops if drop.how != "error"),
            repeat=Repeat(faults.repeat.tokens),
        )

    side = other_side(corpus, drawn, speed=20)
    job = side.run(tmp_path / "data", *corpus.names, window={"timeout": 0}, **BLOCKED)
    assert job.outcomes == {"finished": len(corpus)}
    for name in corpus.names:
        assert side.desktop.transcript(name) == moderated(corpus.text(name), job.settings)
    assert replayed(job, tmp_path / "r.jsonl") == shown_on(side)


def test_windows_that_time_out_do_so_at_the_same_time_in_a_replay(other_side: Start, tmp_path: Path) -> None:
    faults = "stall=0.3@7,stall=0.12@20,drop=fin@14,repeat=2"
    side = other_side(faults=faults, speed=10)
    job = side.run(tmp_path / "data", *side.gateway.corpus.names, window={"timeout": 0.1}, **BLOCKED)
    shown = shown_on(side)
    assert sum(b'"closed_by":"timeout"' in message for message in shown) >= len(side.gateway.corpus)
    assert replayed(job, tmp_path / "r.jsonl") == shown


def test_what_was_held_too_long_is_given_up_at_the_same_time_in_a_replay(other_side: Start, tmp_path: Path) -> None:
    side = other_side(faults="stall=0.4@45")
    held = {"blocklist": ["frobnicate"], "max_hold_seconds": 0.1}
    job = side.run(tmp_path / "data", "account", "refund", "code", moderation=held)
    shown = shown_on(side)
    assert any(b"HELD" in message for message in shown)
    assert replayed(job, tmp_path / "r.jsonl") == shown


def test_a_job_that_was_stopped_and_started_again_replays_as_one(other_side: Start, tmp_path: Path) -> None:
    side = other_side(faults="repeat=3", token_interval=0.01, speed=1)
    settings = side.settings(tmp_path / "data", **BLOCKED)
    names = ("account", "blocked", "german", "emoji")
    first = cxone.job(settings, requests=[SessionRequest(session_id=name, prompt=f"stream {name}") for name in names])

    async def stop() -> None:
        await side.gateway.until(lambda gateway: gateway.counts["tokens"] >= 100)
        first.source.stop()

    stopping = side.reactor.spawn(stop())
    first.run()
    stopping.result()
    assert first.open_turns
    second = cxone.job(settings)
    second.run()
    assert sum((first.outcomes + second.outcomes).values()) == len(names)
    for name in names:
        assert side.desktop.transcript(name) == moderated(side.gateway.corpus.text(name), settings)
    continued = {message["session_id"] for message in map(json.loads, replayed(second, tmp_path / "r.jsonl"))}
    assert len(continued) == first.open_turns
    shown = [message for message in shown_on(side) if json.loads(message)["session_id"] in continued]
    assert replayed(second, tmp_path / "r.jsonl") == shown


def test_turns_are_dated_rightly_after_a_start_with_a_clock_that_was_years_ahead(
    other_side: Start, tmp_path: Path
) -> None:
    side = other_side(corpus_of({"then": ["Good ", "morning."], "now": ["Good ", "night."]}))
    side.run(tmp_path / "data", "then")
    file = tmp_path / "data" / "log" / "w00" / "000000000001.jsonl"
    year, lines = datetime.now(UTC).year, file.read_bytes()
    file.write_bytes(lines.replace(b'"created":"%d' % year, b'"created":"%d' % (year + 4), 1))
    job = side.run(tmp_path / "data", "now")
    job.source.record(tmp_path / "r.jsonl")
    rows = KeptSink()
    replay(tmp_path / "r.jsonl", job.settings, lambda _: None, rows={"keep": rows})
    [turn] = [row for row in rows.items if isinstance(row, TurnRow)]
    assert abs(turn.started_at / 1e6 - time.time()) < 60
    with closing(open_metrics(tmp_path / "data")) as database:
        query = "SELECT epoch_us(started_at), epoch_us(ended_at) FROM turns WHERE session_id = 'now'"
        assert database.sql(query).fetchall() == [(turn.started_at, turn.ended_at)]


def shown_on(side: Any) -> list[bytes]:
    """What the desktop read off its socket, in the order of bytes."""
    return sorted({message.raw.encode() for message in side.desktop.received})


def replayed(job: LiveJob, path: Path) -> list[bytes]:
    """The messages of the recording of a job's run, in the order of bytes."""
    job.source.record(path)
    messages: list[bytes] = []
    replay(path, job.settings, lambda message: messages.append(encode_message(message)))
    return sorted(messages)


def moderated(text: str, settings: Settings) -> str:
    moderator = Moderator(settings.moderation)
    return moderator.feed(text) + moderator.flush()
