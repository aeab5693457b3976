"""connectors.disk.lock: one holder, whatever becomes of the lock's file."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from connectors.delivery.journal import Journal, Stored
from connectors.disk.lock import Lock, is_held
from connectors.errors import DataDirError
from connectors.log.clock import Clock
from connectors.log.files import LogReader, Position
from connectors.log.lane import Lane
from connectors.log.shards import Sharder
from connectors.log.source import LivePartition
from connectors.log.turns import Turns
from connectors.log.writer import LogWriter
from connectors.metrics.lander import Lander


def taken(path: Path) -> Lock:
    lock = Lock.take(path)
    assert lock is not None
    return lock


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch, lambda path: None], ids=["folder", "file", "none yet"])
def test_one_has_it_until_it_lets_go(make: Callable[[Path], None], tmp_path: Path) -> None:
    path = tmp_path / "it"
    make(path)
    lock = taken(path)
    assert Lock.take(path) is None
    assert Lock.take(path, shared=True) is None
    assert is_held(path)
    assert lock.check()
    lock.close()
    lock.close()
    assert not lock.check()
    assert not is_held(path)
    taken(path).close()


def test_several_share_it(tmp_path: Path) -> None:
    path = tmp_path / "it"
    path.touch(0o400)
    first, second = Lock.take(path, shared=True), Lock.take(path, shared=True)
    assert first
    assert second
    assert not is_held(path)
    first.close()
    second.close()


def test_a_file_that_was_deleted_is_made_and_locked_again(tmp_path: Path) -> None:
    path = tmp_path / "it"
    lock = taken(path)
    path.unlink()
    assert lock.check()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Lock.take(path) is None
    path.unlink()
    other = taken(path)
    assert not lock.check(), "another was faster"
    other.close()
    assert not lock.check(), "and has been at it"


def test_a_folder_that_is_gone_or_another_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "it"
    path.mkdir()
    lock = taken(path)
    path.rmdir()
    assert not lock.check()
    path.mkdir()
    assert not lock.check()


def test_a_lane_has_one_writer_though_its_lock_file_was_deleted(tmp_path: Path) -> None:
    writer = LogWriter(tmp_path, "cxone")
    (tmp_path / "lock").unlink()
    with pytest.raises(DataDirError, match="belongs to another process"):
        LogWriter(tmp_path, "cxone")
    writer.check()
    writer.close()
    LogWriter(tmp_path, "cxone").close()


def test_a_log_that_is_removed_under_a_job_ends_it(tmp_path: Path) -> None:
    lane = Lane(LogWriter(tmp_path / "log", "cxone"), Clock(LogReader(tmp_path / "log").created, None), Turns())
    reader = LogReader(tmp_path / "log")
    part = LivePartition(lane, reader, Sharder("w00", reader.created), Position(1, reader.end().offset), 0)
    part.snapshot()
    assert part.next_batch() == []
    shutil.rmtree(tmp_path / "log")
    part.snapshot()
    with pytest.raises(DataDirError, match="removed or replaced while the job ran"):
        part.next_batch()
    lane.close()


def test_two_journals_never_write_on_though_the_lock_file_was_deleted(tmp_path: Path) -> None:
    message = Stored("default", b'{"session_id":"s","turn":0,"seq":0}')  # type: ignore[arg-type]  # as good as Raw
    first = Journal(tmp_path, "w00")
    (tmp_path / "delivery-w00.lock").unlink()
    first.append([message])
    with pytest.raises(DataDirError, match="another process delivers"):
        Journal(tmp_path, "w00")
    (tmp_path / "delivery-w00.lock").unlink()
    second = Journal(tmp_path, "w00")
    with pytest.raises(DataDirError, match="taken over"):
        first.append([message])
    second.append([message])
    first.close()
    second.close()


def test_a_lander_whose_lock_went_to_another_is_not_elected_any_more(tmp_path: Path) -> None:
    with Lander(tmp_path) as first, Lander(tmp_path) as second:
        first.land()
        (tmp_path / "lander.lock").unlink()
        second.land()
        assert second._elected()
        assert not first._elected()
