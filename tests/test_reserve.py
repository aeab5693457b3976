"""connectors.log.reserve and the log on a disk that is full: a small tmpfs, where this process may mount one."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.log.clock import Clock
from connectors.log.files import LogReader
from connectors.log.lane import Lane
from connectors.log.records import Record, frame
from connectors.log.reserve import Reserve
from connectors.log.turns import Turns
from connectors.log.writer import LogWriter

MEGABYTE = 1 << 20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of four megabytes."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", tmp_path]
    mounted = subprocess.run(mount, capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("needs the right to mount a tmpfs")
    yield tmp_path
    subprocess.run(["umount", "--lazy", tmp_path], check=True)


def fill(disk: Path) -> None:
    """Take all that is left."""
    with (disk / "ballast").open("wb", buffering=0) as ballast:
        try:
            while True:
                ballast.write(b"x" * 4096)
        except OSError:
            pass


def append_until_full(writer: LogWriter) -> int:
    """Append pairs of records until the disk refuses; returns how many it took."""
    written = 0
    with contextlib.suppress(OSError):
        while True:
            writer.append([frame("s", 0, f"{number} " + "x" * 1_000) for number in (written, written + 1)])
            written += 2
    return written


def test_a_reserve_is_allocated_and_freed(small_disk: Path) -> None:
    reserve = Reserve(small_disk / "reserve", MEGABYTE // 2)
    reserve.hold()
    assert (small_disk / "reserve").stat().st_blocks * 512 >= MEGABYTE // 2
    assert reserve.release()
    assert reserve.released
    assert not reserve.release(), "there was nothing left to free"
    assert reserve.releases == 1
    reserve.hold()
    assert not reserve.released


def test_a_reserve_is_not_put_back_before_there_is_plenty_of_room(small_disk: Path) -> None:
    reserve = Reserve(small_disk / "reserve", MEGABYTE // 2)
    reserve.hold()
    fill(small_disk)
    reserve.release()
    reserve.hold()
    assert reserve.released
    (small_disk / "ballast").unlink()
    reserve.hold()
    assert not reserve.released


def test_no_reserve_is_none(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path / "reserve", 0)
    reserve.hold()
    assert not (tmp_path / "reserve").exists()
    assert not reserve.release()


def test_a_log_goes_on_in_the_reserve_and_then_refuses_whole_appends_only(small_disk: Path) -> None:
    reserve = Reserve(small_disk / "reserve", MEGABYTE // 2)
    writer = LogWriter(small_disk / "log", "cxone", rotate_bytes=MEGABYTE // 8, on_full=reserve.release)
    reserve.hold()
    fill(small_disk)
    written = append_until_full(writer)
    assert reserve.released
    assert written > 200, "the reserve was used"
    writer.close()
    texts = [str(record.d).split()[0] for record, _ in LogReader(small_disk / "log").read()]
    assert texts == [str(number) for number in range(written)]
    (small_disk / "ballast").unlink()
    writer = LogWriter(small_disk / "log", "cxone")
    writer.append([frame("s", 0, "after")])
    writer.close()
    assert [record.d for record, _ in LogReader(small_disk / "log").read()][-1] == "after"


def test_time_goes_on_in_the_flow_while_the_disk_takes_no_marks(small_disk: Path) -> None:
    class Fast(Clock):
        def now(self) -> int:
            return super().now() * 100

    async def tick() -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.3):
                await lane.tick()

    writer = LogWriter(small_disk / "log", "cxone")
    lane = Lane(writer, Fast(datetime.now(UTC), None), Turns())
    fill(small_disk)
    with contextlib.suppress(OSError):
        while True:
            writer.append([Record(1)])
    asyncio.run(tick())
    batches, ended = lane.take(0)
    assert len(batches) > 1
    assert not ended
    lane.close()
