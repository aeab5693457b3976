"""connectors.log.lane: the live end of a log."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.log.clock import Clock
from connectors.log.files import LogReader
from connectors.log.lane import Lane
from connectors.log.records import closed, frame, opened
from connectors.log.turns import Turns
from connectors.log.writer import LogWriter


@pytest.fixture
def lane(tmp_path: Path) -> Iterator[Lane]:
    writer = LogWriter(tmp_path, "cxone")
    lane = Lane(writer, Clock(LogReader(tmp_path).created, None), Turns(), max_waiting=40)
    yield lane
    lane.close()


def begin(lane: Lane, session_id: str, tenant: str) -> None:
    lane.append(opened(session_id, 0, {"tenant": tenant}))


def is_ready(lane: Lane, session_id: str) -> bool:
    async def ask() -> bool:
        try:
            async with asyncio.timeout(0):
                await lane.ready(lane.turns.open[session_id, 0])
        except TimeoutError:
            return False
        return True

    return asyncio.run(ask())


def test_records_are_on_disk_before_the_flow_can_have_them(lane: Lane, tmp_path: Path) -> None:
    lane.append(opened("s", 0, {}), frame("s", 0, "a"))
    batches, _ = lane.take(0)
    logged = [record for record, _ in LogReader(tmp_path).read()]
    assert [record for batch in batches for record in batch.records] == logged


def test_time_never_runs_backwards(lane: Lane) -> None:
    for _ in range(100):
        lane.append(frame("s", 0, "a"))
    batches, _ = lane.take(0)
    times = [record.t for batch in batches for record in batch.records]
    assert times == sorted(times)
    assert all(batch.watermark >= batch.records[-1].t for batch in batches)


def test_a_start_logs_a_mark_before_the_flow_gets_one(lane: Lane, tmp_path: Path) -> None:
    """Else a kill in its first second, and a clock that was set back, would give the flow the same second twice."""
    lane.append(opened("s", 0, {}))
    lane.close()
    turns = Turns()
    for record, _ in LogReader(tmp_path).read():
        turns.feed(record)
    again = Lane(LogWriter(tmp_path, "cxone"), Clock(LogReader(tmp_path).created, turns.last), turns)

    async def first_tick() -> int:
        ticking = asyncio.create_task(again.tick())
        while True:
            await asyncio.sleep(0.001)
            if batches := again.take(0)[0]:
                ticking.cancel()
                return batches[0].watermark

    mark = asyncio.run(first_tick())
    again.close()
    assert [record.t for record, _ in LogReader(tmp_path).read()][-1] == mark


def test_a_full_queue_keeps_sockets_unread_until_the_flow_has_taken_from_it(lane: Lane) -> None:
    begin(lane, "s", "acme")
    assert is_ready(lane, "s")
    for _ in range(30):
        lane.append(frame("s", 0, "a"))
    assert lane.waiting == 31
    assert not is_ready(lane, "s")
    assert lane.pauses == 1
    lane.take(0)
    assert lane.waiting == 0
    assert is_ready(lane, "s")


def test_one_tenants_flood_does_not_keep_another_waiting(lane: Lane) -> None:
    begin(lane, "flood", "acme")
    begin(lane, "calm", "other")
    for _ in range(100):
        lane.append(frame("flood", 0, "a"))
    assert not is_ready(lane, "flood")
    assert is_ready(lane, "calm")


def test_a_closed_turn_is_counted_for_its_own_tenant(lane: Lane) -> None:
    begin(lane, "s", "acme")
    lane.append(frame("s", 0, "a"), closed("s", 0, "finished"))
    lane.take(0)
    assert not any(handed - taken for handed, taken in zip(lane._handed_on, lane._taken, strict=True))


def test_the_end_has_the_last_mark_and_comes_once(lane: Lane, tmp_path: Path) -> None:
    lane.append(opened("s", 0, {}))
    lane.finish()
    lane.finish()
    _, ended = lane.take(0)
    assert ended
    assert [record.k for record, _ in LogReader(tmp_path).read()] == ["open", "mark"]
