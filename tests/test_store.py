"""store.py, versions.py: a recovery store of another version is refused before Bytewax could panic over it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connectors.cxone.contract import Decoder
from connectors.errors import DataDirError
from connectors.records import Record
from connectors.sessions import SessionRequest
from flows import cxone
from flows.moderation import Policy
from flows.reassembly import Reassembly
from flows.release import Release
from flows.session import Session
from flows.shard import Core
from flows.store import VERSIONS
from flows.windows import Windows, WindowSettings
from tests.callers import until
from tests.conftest import OtherSide, corpus_of
from tests.test_cli import invoke

Start = Callable[..., OtherSide]

WORDS = ["The ", "parcel ", "left. ", "It ", "arrives ", "at ", "noon. ", "Sign ", "for ", "it."]
OPENED = Record(0, "s", 0, "open", d={"prompt_chars": 3, "created": 0})

CORES: dict[str, Callable[[], Core]] = {
    "reassembly": lambda: Reassembly(Decoder()),
    "windows": lambda: Windows(WindowSettings(), OPENED),
    "release": lambda: Release(Policy(), OPENED),
    "session": lambda: Session("cxone", OPENED),
}

SHAPES = {
    ("reassembly", 1): {"characters", "continuation", "json", "opened", "version"},
    ("windows", 1): {"begin", "deadline", "first", "open", "split", "splitter", "version"},
    ("release", 1): {
        *("asked", "begin", "boundaries", "closing", "deadline", "ended", "fed", "moderator", "pieces", "seq", "spans"),
        *("unasked", "version"),
    },
    ("session", 1): {"tally", "version"},
}
"""What a version looks like. Never change an entry: a new shape is a new version."""


@pytest.mark.parametrize("name", CORES)
def test_a_shape_belongs_to_its_version(name: str) -> None:
    assert SHAPES[name, VERSIONS[name]] == CORES[name]().snapshot().keys()


@pytest.mark.parametrize("name", CORES)
def test_a_core_refuses_a_snapshot_of_another_version(name: str) -> None:
    snapshot: dict[str, Any] = {**CORES[name]().snapshot(), "version": 99}
    with pytest.raises(DataDirError, match=f"{name} of version 99"):
        CORES[name]().restore(snapshot)


def stopped_in_the_middle(side: OtherSide, data_dir: Path, **sections: Any) -> None:
    """A job that is stopped in order while its one turn is under way."""
    job = cxone.job(side.settings(data_dir, **sections), requests=[SessionRequest(session_id="s", prompt="stream s")])
    running = threading.Thread(target=job.run)
    running.start()
    until(lambda: side.desktop.counts["shown"] >= 1)
    job.source.stop()
    running.join(30)


def test_a_store_of_another_version_is_refused_and_its_removal_loses_nothing(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(WORDS), "stall=inf@5")
    stopped_in_the_middle(side, tmp_path)
    stamp = tmp_path / "recovery" / "w00.versions"
    stamp.write_bytes(msgspec.json.encode({**VERSIONS, "windows": 7}))
    job = cxone.job(side.settings(tmp_path))
    with pytest.raises(DataDirError, match=r"windows 7 \(here 1\).*remove the folder") as refused:
        job.run()
    assert str(tmp_path) in str(refused.value)
    assert refused.value.exit_code == 8
    told = invoke({}, "doctor", tmp_path)
    assert told.exit_code == 8
    assert "windows 7 (here 1)" in told.stdout
    for path in (tmp_path / "recovery" / "w00").iterdir():
        path.unlink()
    cxone.job(side.settings(tmp_path)).run()
    assert side.desktop.transcript("s") == "".join(WORDS)
    assert msgspec.json.decode(stamp.read_bytes()) == VERSIONS
    assert invoke({}, "doctor", tmp_path).exit_code == 0


def test_a_store_without_its_versions_is_of_the_first(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(WORDS), "stall=inf@5")
    stopped_in_the_middle(side, tmp_path)
    (tmp_path / "recovery" / "w00.versions").unlink()
    cxone.job(side.settings(tmp_path)).run()
    assert side.desktop.transcript("s") == "".join(WORDS)


def test_versions_that_cannot_be_read_are_an_error(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(WORDS))
    side.run(tmp_path, "s")
    (tmp_path / "recovery" / "w00.versions").write_bytes(b"{")
    with pytest.raises(DataDirError, match="cannot be read"):
        side.run(tmp_path, "s")
    assert invoke({}, "doctor", tmp_path).exit_code == 8


def test_a_turn_goes_on_in_its_language_where_the_settings_changed(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(WORDS), "stall=inf@5")
    stopped_in_the_middle(side, tmp_path)
    cxone.job(side.settings(tmp_path, window={"language": "de"})).run()
    assert side.desktop.transcript("s") == "".join(WORDS)
