"""store.py: a recovery store of another version is refused before Bytewax could panic over it."""

from __future__ import annotations

import pickle
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connectors.errors import DataDirError
from connectors.job.requests import SessionRequest
from connectors.log.files import Position
from connectors.log.records import Record
from connectors.log.resume import freeze
from connectors.vendors.cxone.contract import Decoder
from flows import cxone
from flows.engine.shard import Shard
from flows.engine.store import READS, STEPS, VERSIONS, differences, states
from flows.moderation import Policy
from flows.steps.base import Core
from flows.steps.events import Text
from flows.steps.reassembly import Reassembly
from flows.steps.release import Release
from flows.steps.totals import Totals
from flows.steps.windows import Windows, WindowSettings
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
    "session": lambda: Totals("cxone", OPENED),
}

SHAPES = {
    ("reassembly", 2): "(bool, (str, int), (bytes, str), (str, (list, bytes), bool, NoneType, NoneType))",
    ("reassembly", 3): (
        "(bool, (str, int, bool), (bytes, str), ((str, bool, ((list, bytes), bool, bool, NoneType, int, NoneType), "
        "(int, bool, NoneType), (int, NoneType, bool, bool)), NoneType))"
    ),
    ("reassembly", 4): (
        "(bool, (str, int, bool, NoneType), (bytes, str), ((str, bool, ((list, bytes), bool, bool, NoneType, int, "
        "NoneType), (int, bool, NoneType), (int, NoneType, bool, bool)), NoneType))"
    ),
    ("windows", 2): "(dict, int, int, str, bool, NoneType)",
    ("release", 2): (
        "((int, str, (int, int, int, bool), dict, dict, NoneType, list), list, list, bytes, (int, int, int, bool), "
        "(int, str), NoneType, NoneType)"
    ),
    ("release", 3): (
        "((int, str, (int, int, int, bool), dict, dict, NoneType, list, (dict, list)), list, list, bytes, "
        "(int, int, int, bool), (int, str), NoneType, NoneType)"
    ),
    ("release", 4): (
        "((int, str, (int, int, int, bool), dict, dict, NoneType, list, (dict, list), dict, NoneType), list, list, "
        "bytes, (int, int, int, bool), (int, str), NoneType, NoneType)"
    ),
    ("release", 5): (
        "((int, str, (int, int, int, bool), dict, dict, NoneType, list, (dict, list), dict, NoneType), list, list, "
        "bytes, (int, int, int, bool), (int, str, NoneType), NoneType, NoneType)"
    ),
    ("session", 2): ("(NoneType, NoneType, int, int, int, int, int, int, int, int, int, NoneType, NoneType, tuple)"),
    ("session", 3): (
        "(NoneType, NoneType, int, int, int, int, int, int, int, int, int, NoneType, NoneType, int, tuple)"
    ),
    ("session", 4): (
        "(NoneType, NoneType, int, int, int, int, int, int, int, int, int, NoneType, NoneType, int, str, tuple)"
    ),
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


def test_a_sink_whose_snapshot_is_of_another_version_is_refused_before_the_flow_runs(
    other_side: Start, tmp_path: Path
) -> None:
    """Though what is written beside the store says nothing of it."""
    side = other_side(corpus_of(WORDS), "stall=inf@5")
    stopped_in_the_middle(side, tmp_path)
    path = tmp_path / "recovery" / "w00" / "part-0.sqlite3"
    whole = path.read_bytes()
    found = states(path.parent)
    assert found is not None
    assert found.keys() == STEPS.keys() - {"set_variables"}, "the vendor has no dialogs"
    for step in found:
        path.write_bytes(whole)
        with closing(sqlite3.connect(path)) as database:
            for rowid, data in database.execute(
                "SELECT rowid, ser_change FROM snaps WHERE step_id LIKE ? AND ser_change IS NOT NULL", [f"%.{step}"]
            ).fetchall():
                later = pickle.dumps({**pickle.loads(data), "version": 9})
                database.execute("UPDATE snaps SET ser_change = ? WHERE rowid = ?", [later, rowid])
            database.commit()
        with pytest.raises(DataDirError, match=rf"{STEPS[step]} 9 \(here 1\).*remove the folder"):
            cxone.job(side.settings(tmp_path)).run()
        assert f"{STEPS[step]} 9 (here 1)" in invoke({}, "doctor", tmp_path).stdout
    path.write_bytes(whole)
    cxone.job(side.settings(tmp_path)).run()
    assert side.desktop.transcript("s") == "".join(WORDS)


def test_a_position_is_known_whatever_else_is_in_its_snapshot(other_side: Start, tmp_path: Path) -> None:
    """The source's has the frames that were held back, too: a start must see that the log has lost some."""
    side = other_side(corpus_of(WORDS), "stall=inf@5")
    stopped_in_the_middle(side, tmp_path)
    folder = tmp_path / "recovery" / "w00"
    found = states(folder)
    assert found is not None
    with closing(sqlite3.connect(folder / "part-0.sqlite3")) as database:
        held = freeze(Position(found["read_log"]["file"], found["read_log"]["offset"]), [OPENED])
        query = "UPDATE snaps SET ser_change = ? WHERE step_id LIKE '%.read_log' AND ser_change IS NOT NULL"
        database.execute(query, [pickle.dumps(held)])
        database.commit()
    assert states(folder) == found
    log = tmp_path / "log" / "w00" / "000000000001.jsonl"
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:2]))
    with pytest.raises(DataDirError, match="ends before the position"):
        cxone.job(side.settings(tmp_path)).run()
    assert "ends before the position" in invoke({}, "doctor", tmp_path).stdout


def test_a_version_beside_the_store_is_read_where_its_core_reads_it(tmp_path: Path) -> None:
    store = tmp_path / "w00"
    store.mkdir()
    (store / "part-0.sqlite3").touch()
    for name in VERSIONS:
        reads = READS.get(name, ())
        for version in range(VERSIONS[name] + 2):
            (tmp_path / "w00.versions").write_bytes(msgspec.json.encode({**VERSIONS, name: version}))
            assert (differences(store) == "") == (version in (VERSIONS[name], *reads)), (name, version)


def test_sums_that_an_older_version_did_not_keep_begin_anew() -> None:
    """So a field at the end of `Tally` costs a version that is read, and no line to read it by."""
    session = Totals("cxone", OPENED)
    session.feed(Text(5, "s", 0, "Hi.", 2))
    *sums, shown = session.snapshot()
    for kept in range(len(sums) + 1):
        older = Totals("cxone", OPENED)
        older.restore(Totals.upgrade((*sums[:kept], shown), 2))
        assert older.snapshot() == (*sums[:kept], *Totals("cxone", OPENED).snapshot()[kept:])


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


def test_snapshots_of_the_version_before_are_read() -> None:
    told = (False, "The cat ", [("cat ", "c")], 4, [4], [])
    texts = ("The cat ", ([("ctx-", 0, 1)], b"12345678"), True, "c")
    for doubt, frames, text in [
        (None, [], ""),
        (None, [("sat", "ctx-2")], "sat"),
        (told, [], "cat "),
        (told, [("sat", "d")], "cat sat"),
        ((True, "The cat ", [], 0, [], []), [("sat", "d")], "sat"),
        ((False, "The cat ", [], 0, [], []), [("sat", None)], "sat"),
    ]:
        old = (True, ("", 0), (b"", ""), (*texts, doubt))
        core = Reassembly(Decoder())
        core.restore(Reassembly.upgrade(old, 2))
        core.restore(core.snapshot())
        records = [Record(1, "s", 0, "frame", id=each, d=f'{{"token":"{token}"}}') for token, each in frames]
        records.append(Record(1, "s", 0, "close", d={"reason": "finished"}))
        assert "".join(e.text for record in records for e in core.feed(record) if isinstance(e, Text)) == text
    session = Totals("cxone", OPENED)
    *sums, _, shown = session.snapshot()
    session.restore(Totals.upgrade((*sums, shown), 2))
    assert session.snapshot() == Totals("cxone", OPENED).snapshot()


def test_a_store_of_the_version_before_is_gone_on_with_and_is_of_this_one_after(
    other_side: Start, tmp_path: Path
) -> None:
    side = other_side(corpus_of(WORDS), "stall=inf@5")
    stopped_in_the_middle(side, tmp_path)
    stamp = tmp_path / "recovery" / "w00.versions"
    stamp.write_bytes(msgspec.json.encode({**VERSIONS, "reassembly": 2, "session": 2}))
    assert invoke({}, "doctor", tmp_path).exit_code == 0
    cxone.job(side.settings(tmp_path)).run()
    assert side.desktop.transcript("s") == "".join(WORDS)
    assert msgspec.json.decode(stamp.read_bytes()) == VERSIONS


def test_a_shard_reads_a_snapshot_that_its_core_can_upgrade() -> None:
    class Old(Reassembly):
        version = 2

        def snapshot(self) -> tuple[Any, ...]:
            return (True, ("", 0), (b"", ""), ("", ([], b""), True, None, None))

    before = Shard("reassemble", lambda _: Old(Decoder()))
    before.feed([Record(0, "s", 0, "open", d={})], 0)
    shard = Shard("reassemble", lambda _: Reassembly(Decoder()))
    shard.restore(before.snapshot())
    again = Shard("reassemble", lambda _: Reassembly(Decoder()))
    again.restore(shard.snapshot())
    [text] = again.feed([Record(1, "s", 0, "frame", d='{"token":"on"}')], 1)
    assert isinstance(text, Text)
    assert text.text == "on"
