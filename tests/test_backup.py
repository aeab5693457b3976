"""flows.engine.backup: a copy that a job can be started on, and one that was made by other means."""

from __future__ import annotations

import shutil
import stat
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from connectors.errors import DataDirError
from connectors.job.requests import SessionRequest
from connectors.metrics import open_metrics
from flows import cxone
from flows.engine.backup import backup
from flows.engine.examination import examine
from flows.live import LiveJob
from tests.conftest import OtherSide, corpus_of
from tests.test_cli import invoke

Start = Callable[..., OtherSide]

STREAMS = {f"s-{number}": [f"Word {number}-{word}. " for word in range(60)] for number in range(4)}


class Running:
    """A job under way on a data directory, on a thread of its own."""

    def __init__(self, side: OtherSide, data_dir: Path) -> None:
        requests = [SessionRequest(session_id=name, prompt=f"stream {name}") for name in STREAMS]
        self._side = side
        self.job: LiveJob = cxone.job(side.settings(data_dir), requests=requests)
        self._thread = threading.Thread(target=self.job.run)
        self._thread.start()

    def until_tokens(self, count: int) -> None:
        self._side.reactor.run(self._side.gateway.until(lambda gateway: gateway.counts["tokens"] >= count), 30)

    def end(self) -> None:
        self._thread.join(60)
        assert not self._thread.is_alive()


def shown(data_dir: Path) -> list[tuple[str, int, int]]:
    with closing(open_metrics(data_dir)) as database:
        return database.sql(
            "SELECT session_id, count(*), count(DISTINCT seq) FROM messages GROUP BY session_id ORDER BY session_id"
        ).fetchall()


def test_a_copy_made_while_a_job_runs_goes_on_as_the_original_would(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(STREAMS), token_interval=0.03, speed=1)
    running = Running(side, tmp_path / "data")
    copies = []
    for tokens in (20, 100):
        running.until_tokens(tokens)
        copies.append(tmp_path / f"copy-{tokens}")
        backup(tmp_path / "data", copies[-1])
    running.end()
    whole = shown(tmp_path / "data")
    assert [count for _, count, _ in whole] == [60] * len(STREAMS)
    for copy in copies:
        assert [each for each in examine(copy) if each.level == "error"] == []
        for path in (copy, *copy.rglob("*")):
            assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
        assert not (copy / "log" / "w00" / "identity").exists()
        job = cxone.job(side.settings(copy), requests=[])
        job.run()
        assert job.outcomes.total() > 0, "turns were under way"
        assert set(job.outcomes) == {"finished"}
        assert {name for name, _, _ in shown(copy)} <= set(STREAMS)
        assert all(count == distinct == 60 for _, count, distinct in shown(copy))
    assert all(side.desktop.transcript(name) == "".join(words) for name, words in STREAMS.items())
    assert all(side.desktop.is_whole(name) for name in STREAMS)


def test_a_copy_of_a_directory_at_rest_is_as_the_original(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(["Good ", "morning."]))
    side.run(tmp_path / "data", "s")
    result = invoke({}, "backup", tmp_path / "data", tmp_path / "copy")
    assert result.exit_code == 0, result.output
    assert "Copied to" in result.stdout
    assert shown(tmp_path / "data") == [("s", 1, 1)]
    side.run(tmp_path / "copy", "s")
    assert shown(tmp_path / "copy") == [("s", 2, 1)], "the session's turns 0 and 1"


def test_a_copy_made_by_other_means_while_a_job_ran_is_refused_with_its_remedy(
    other_side: Start, tmp_path: Path
) -> None:
    side = other_side(corpus_of(STREAMS), token_interval=0.03, speed=1)
    running = Running(side, tmp_path / "data")
    running.until_tokens(40)
    copy = shutil.copytree(tmp_path / "data", tmp_path / "copy", ignore=shutil.ignore_patterns("*.tmp", ".*"))
    running.end()
    assert any(each.refused and "is a copy" in each.what for each in examine(copy))
    with pytest.raises(DataDirError, match=r"is a copy.*move recovery/w00 away and remove .*identity"):
        cxone.job(side.settings(copy)).run()
    shutil.rmtree(copy / "recovery")
    (copy / "log" / "w00" / "identity").unlink()
    cxone.job(side.settings(copy)).run()
    assert all(side.desktop.transcript(name) == "".join(words) for name, words in STREAMS.items())

    at_rest = shutil.copytree(tmp_path / "data", tmp_path / "at-rest")
    assert not any(each.refused for each in examine(at_rest))
    cxone.job(side.settings(at_rest)).run()


@pytest.mark.parametrize("what", ["no directory", "a target that is there"])
def test_what_cannot_be_copied_is_told_in_one_line(what: str, tmp_path: Path) -> None:
    data_dir, target = tmp_path / "data", tmp_path / "copy"
    (data_dir if what != "no directory" else target).mkdir()
    if what != "no directory":
        target.mkdir()
    result = invoke({}, "backup", data_dir, target)
    assert result.exit_code == DataDirError.exit_code
    assert result.stderr.startswith("tokenweir: ")
