"""connectors.disk.durable: whole files, synced data, reserved space, also where the system lacks the calls."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from connectors.delivery.journal import Journal
from connectors.disk.durable import is_full, replacing, reserve_space, sync_data, sync_path, write_whole
from connectors.job.requests import SessionRequest
from connectors.log.reserve import Reserve
from flows import cxone
from tests.conftest import OtherSide, corpus_of
from tests.disk import full_at

ROOT = Path(__file__).parents[1]
LACKING = ("fdatasync", "posix_fallocate")


@pytest.fixture(params=["linux", "macos"])
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "macos":
        for name in LACKING:
            monkeypatch.delattr(os, name)
    return str(request.param)


@pytest.fixture
def fd(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    yield fd
    os.close(fd)


@pytest.mark.usefixtures("system")
def test_reserved_space_is_allocated(tmp_path: Path) -> None:
    size = (2 << 20) + 5
    reserve = Reserve(tmp_path / "reserve", size)
    reserve.hold()
    held = (tmp_path / "reserve").stat()
    assert held.st_size == size
    assert held.st_blocks * 512 >= size


@pytest.mark.usefixtures("system")
def test_space_that_is_not_there_is_a_full_disk(fd: int) -> None:
    with full_at(1 << 20), pytest.raises(OSError, match="too large") as caught:
        reserve_space(fd, 2 << 20)
    assert is_full(caught.value)


def test_where_the_file_system_cannot_reserve_space_it_is_written(fd: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(fd: int, offset: int, size: int) -> None:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr(os, "posix_fallocate", unsupported)
    reserve_space(fd, 4096)
    assert os.fstat(fd).st_size == 4096


@pytest.mark.usefixtures("system")
def test_data_is_synced(fd: int) -> None:
    sync_data(fd)
    os.close(dup := os.dup(fd))
    with pytest.raises(OSError, match="descriptor"):
        sync_data(dup)


@pytest.mark.usefixtures("system")
def test_a_job_runs_where_the_system_lacks_these_calls(other_side: Callable[..., OtherSide], tmp_path: Path) -> None:
    side = other_side(corpus_of(["It ", "runs."]))
    job = cxone.job(side.settings(tmp_path), requests=[SessionRequest(session_id="s", prompt="stream s")])
    job.run()
    assert side.desktop.transcript("s") == "It runs."
    assert job.faults == []


def test_a_folder_that_cannot_be_synced_is_passed_over_and_a_failing_disk_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusal = errno.EINVAL
    sync = os.fsync

    def refuse_folders(fd: int) -> None:
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            raise OSError(refusal, os.strerror(refusal))
        sync(fd)

    monkeypatch.setattr(os, "fsync", refuse_folders)
    sync_path(tmp_path)
    Journal(tmp_path / "delivery", "w00").close()
    refusal = errno.EIO
    with pytest.raises(OSError, match="Input/output"):
        sync_path(tmp_path)
    write_whole(tmp_path / "whole", b"it is in its place")
    assert (tmp_path / "whole").read_bytes() == b"it is in its place"


def test_of_several_files_none_takes_its_place_before_all_are_written(tmp_path: Path) -> None:
    paths = [tmp_path / "a", tmp_path / "b"]

    def write(*contents: bytes) -> None:
        with replacing(paths) as files:
            for file, content in zip(files, contents, strict=True):
                file.write(content)
            assert not any(path.exists() for path in paths)

    with full_at(10), pytest.raises(OSError, match="too large"):
        write(b"short", b"x" * 99)
    assert list(tmp_path.iterdir()) == []
    write(b"whole", b"whole")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"whole", "b": b"whole"}


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_no_space_no_quota_and_a_limit_of_size_are_a_full_disk(number: int) -> None:
    assert is_full(OSError(number, os.strerror(number)))
    assert not is_full(OSError(errno.EIO, os.strerror(errno.EIO)))


def test_nothing_else_syncs_reserves_or_knows_the_errors_of_a_full_disk() -> None:
    """Such a call elsewhere would be one that macOS may lack, or a second opinion on what a full disk is."""
    call = re.compile(r"\bos\.(fsync|fdatasync|posix_fallocate)\b|\berrno\.(ENOSPC|EDQUOT|EFBIG)\b")
    found = {
        path.relative_to(ROOT).as_posix()
        for folder in ("connectors", "flows", "analytics")
        for path in (ROOT / folder).rglob("*.py")
        if call.search(path.read_text(encoding="utf-8"))
    }
    assert found == {"connectors/disk/durable.py"}
