"""connectors.job.detectors: remote detectors, whose verdicts come back through the log."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from connectors.errors import SettingsError
from connectors.job.requests import SessionRequest
from connectors.log.files import LogReader
from connectors.log.records import Message, encode_message
from flows import cxone
from flows.live import LiveJob
from flows.replay import replay
from flows.settings import Settings
from tests.conftest import OtherSide, corpus_of
from tests.test_cli import complaint, environment, invoke

Start = Callable[..., OtherSide]
WORDS = ["The ", "code ", "is ", "blue ", "heron. ", "Tell ", "no ", "one. ", "The ", "blue ", "heron ", "flies."]
SHOWN = "The code is [REDACTED]. Tell no one. The [REDACTED] flies."


class Herons:
    """Finds `blue heron`, in one text at a time; fails as often as it is told to."""

    def __init__(self, failures: int = 0) -> None:
        self.asked: list[str] = []
        self._failures = failures

    async def judge(self, text: str) -> list[tuple[int, int, str]]:
        self.asked.append(text)
        if self._failures:
            self._failures -= 1
            raise RuntimeError(text)
        return [(match.start(), match.end(), "heron") for match in re.finditer("blue heron", text)]


def settings(side: OtherSide, data_dir: Path, **moderation: object) -> Settings:
    return side.settings(data_dir, moderation={"pii": [], "remote": ["birds"], **moderation})


def run(side: OtherSide, settings: Settings, detector: Herons) -> LiveJob:
    job = cxone.job(
        settings, requests=[SessionRequest(session_id="s", prompt="stream s")], detectors={"birds": detector}
    )
    job.run()
    return job


def test_what_a_remote_detector_finds_is_redacted(other_side: Start, tmp_path: Path) -> None:
    side, detector = other_side(corpus_of(WORDS)), Herons()
    job = run(side, settings(side, tmp_path), detector)
    assert side.desktop.transcript("s") == SHOWN
    assert side.desktop.is_whole("s")
    assert "".join(detector.asked) == "".join(WORDS)
    kinds = [record.k for record, _ in LogReader(job.source.folder).read()]
    assert kinds.count("verdict") == len(detector.asked)


def test_a_replay_needs_no_detector(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(WORDS))
    chosen = settings(side, tmp_path)
    job = run(side, chosen, Herons())
    recording = tmp_path / "r.jsonl"
    job.source.record(recording)
    shown: list[Message] = []
    replay(recording, chosen, shown.append)
    assert sorted(encode_message(message).decode() for message in shown) == sorted(
        each.raw for each in side.desktop.received
    )


def test_what_it_does_not_answer_goes_as_the_policy_says(
    other_side: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    side, detector = other_side(corpus_of(WORDS)), Herons(failures=99)
    job = run(side, settings(side, tmp_path), detector)
    assert side.desktop.is_whole("s")
    assert "heron" not in side.desktop.transcript("s")
    assert "heron" not in caplog.text
    assert job.detectors is not None
    assert job.detectors.counts["failed"] == len(detector.asked)


def test_a_detector_that_nobody_serves_is_refused_at_the_start(other_side: Start, tmp_path: Path) -> None:
    """Its text would be withheld for ever, without a word."""
    side = other_side(corpus_of(WORDS))
    with pytest.raises(SettingsError, match=r"^moderation\.remote: nobody serves the detector 'birds'.*leave it out"):
        cxone.job(settings(side, tmp_path))
    with pytest.raises(SettingsError, match="'more'"):
        cxone.job(settings(side, tmp_path, remote=["birds", "more"]), detectors={"birds": Herons()})
    of_tenant = side.settings(tmp_path, tenants={"acme": {"moderation": {"remote": ["birds"]}}})
    with pytest.raises(SettingsError, match=r"^tenants\.acme\.moderation\.remote: "):
        cxone.job(of_tenant)


def test_the_command_line_refuses_it_in_one_line(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(WORDS))
    told = {**environment(side, tmp_path), "TOKENWEIR__MODERATION__REMOTE": '["birds"]'}
    result = invoke(told, "run", "cxone", "--prompt", "stream s")
    assert result.exit_code == SettingsError.exit_code
    assert "moderation.remote" in complaint(result)
