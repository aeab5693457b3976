"""connectors.disk.private: a data directory is its user's alone, whatever the umask and whatever was there before."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from connectors.console.sink import ConsoleSink
from connectors.job.requests import SessionRequest
from connectors.log.records import Message
from flows import cxone
from flows.engine.examination import examine
from tests.conftest import OtherSide, corpus_of

Start = Callable[..., OtherSide]


@pytest.fixture(params=[0o000, 0o022], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def modes(data_dir: Path) -> dict[str, int]:
    """Of everything in it that others have a right on."""
    found = {}
    for path in data_dir.rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode != (0o700 if path.is_dir() else 0o600):
            found[str(path.relative_to(data_dir))] = mode
    return found


def test_nothing_of_a_data_directory_is_open_to_others(other_side: Start, tmp_path: Path, umask: int) -> None:
    side = other_side(corpus_of({"a": ["The ", "parcel ", "left. "], "b": ["Good ", "night."]}))
    data_dir, found = tmp_path / "data", []

    def show(message: Message) -> None:
        found.append(modes(data_dir))

    def run(name: str) -> None:
        requests = [SessionRequest(session_id=name, prompt=f"stream {name}")]
        cxone.job(side.settings(data_dir), requests=requests, extra={"show": ConsoleSink(show)}).run()

    run("a")
    found.append(modes(data_dir))
    assert (data_dir / "recovery" / "w00" / "part-0.sqlite3").exists()
    assert os.umask(umask) == umask, "it is put back"
    assert found
    assert not any(found)

    for path in data_dir.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    (data_dir / "notes.txt").write_text("the user's own")
    assert any(each.level == "error" and "others may read" in each.what for each in examine(data_dir))
    run("b")
    assert set(modes(data_dir)) <= {"notes.txt"}
    assert not any("others may read" in each.what for each in examine(data_dir))
