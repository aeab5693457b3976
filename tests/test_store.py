"""store.py: a recovery store of another version is refused before Bytewax could panic over it."""

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
    ("reassembly", 2): "(bool, (str, int), (bytes, str), (str, (list, bytes), bool, NoneType, NoneType))",
    ("windows", 2): "(dict, int, int, str, bool, NoneType)",
    ("release", 2): (
        "((int, str, (int, int, int, bool), dict, dict, NoneType, list), list, list, bytes, (int, int, int, bool), "
        "(int, str), NoneType, NoneType)"
    ),
    ("session", 2): ("(NoneType, NoneType, int, int, int, int, int, int, int, int, int, NoneType, NoneType, tuple)"),
}
"""What a version looks like, of a turn that has just begun. Never change an entry: a new shape is a new version."""


def shape(data: object) -> str:
    if isinstance(data, tuple) and data:
        return f"({', '.join(map(shape, data))})"
    return type(data).__name__


@pytest.mark.parametrize("name", CORES)
def test_a_shape_belongs_to_its_version(name: str) -> None:
    assert SHAPES[name, VERSIONS[name]] == shape(CORES[name]().snapshot())


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
    with pytest.raises(DataDirError, match=r"windows 7 \(here 2\).*remove the folder") as refused:
        job.run()
    assert str(tmp_path) in str(refused.value)
    assert refused.value.exit_code == 8
    told = invoke({}, "doctor", tmp_path)
    assert told.exit_code == 8
    assert "windows 7 (here 2)" in told.stdout
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
    with pytest.raises(DataDirError, match=r"windows 1 \(here 2\)"):
        cxone.job(side.settings(tmp_path)).run()


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
