"""connectors.job.job: what becomes of a turn whose end cannot be logged."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from connectors.errors import DataDirError
from connectors.job.job import Job, Outcome
from connectors.job.requests import SessionRequest
from connectors.log.clock import Clock
from connectors.log.files import LogReader
from connectors.log.lane import Lane
from connectors.log.records import closed, frame, opened
from connectors.log.reserve import Reserve
from connectors.log.turns import Turn, Turns
from connectors.log.writer import LogWriter
from tests import disk

KEY = ("s", 0)


class Gateway:
    """Converses as it is told to."""

    model = "m"

    def __init__(self, converse: Callable[[Turn, Lane], Awaitable[Outcome]]) -> None:
        self._converse = converse

    async def converse(self, turn: Turn, lane: Lane) -> Outcome:
        return await self._converse(turn, lane)

    async def check(self) -> None:
        """Can always be used."""

    async def aclose(self) -> None:
        """Has no sockets."""


def no_room(folder: Path) -> AbstractContextManager[None]:
    """No file may grow past what the log has: a write of the log fails as on a full disk."""
    return disk.full_at(max(path.stat().st_size for path in folder.glob("*.jsonl")))


def run(
    folder: Path,
    converse: Callable[[Turn, Lane], Awaitable[Outcome]],
    test: Callable[[Job], Awaitable[None]],
    reserve: Reserve | None = None,
) -> Job:
    """A job on a lane in this folder, for as long as `test` takes."""
    writer = LogWriter(folder, "cxone")
    lane = Lane(writer, Clock(LogReader(folder).created, None), Turns())
    job = Job(lane, Gateway(converse), reserve=reserve)

    async def both() -> None:
        await test(job)
        job.stop()
        await job.run()

    asyncio.run(both())
    lane.close()
    return job


def ends(folder: Path) -> list[object]:
    return [record.d for record, _ in LogReader(folder).read() if record.k == "close"]


async def soon(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.job.job.RESERVE_EVERY", 0.01)


def test_a_failed_turn_whose_close_finds_no_room_is_closed_when_there_is(tmp_path: Path) -> None:
    async def converse(turn: Turn, lane: Lane) -> Outcome:
        raise RuntimeError

    async def test(job: Job) -> None:
        job.begin(SessionRequest(session_id="s", prompt="p"))
        with no_room(tmp_path):
            for _ in range(10):
                await asyncio.sleep(0.01)
            assert job.running == 1
            assert KEY in job.lane.turns.open
        await soon(lambda: job.running == 0)
        assert job.outcomes == {"failed": 1}

    run(tmp_path, converse, test)
    assert ends(tmp_path) == [{"reason": "failed"}]


def test_a_cancelled_turn_whose_close_finds_no_room_is_closed_when_there_is(tmp_path: Path) -> None:
    async def converse(turn: Turn, lane: Lane) -> Outcome:
        await asyncio.Event().wait()
        raise AssertionError

    async def test(job: Job) -> None:
        job.begin(SessionRequest(session_id="s", prompt="p"))
        with no_room(tmp_path):
            for _ in range(2):
                with pytest.raises(OSError, match="File too large"):
                    await job.cancel(*KEY)
        await soon(lambda: job.running == 0)
        assert job.outcomes == {"cancelled": 1}
        assert not await job.cancel(*KEY)

    run(tmp_path, converse, test)
    assert ends(tmp_path) == [{"reason": "cancelled"}]


def test_an_attempt_after_a_full_disk_knows_what_the_turn_had_said_before_it(tmp_path: Path) -> None:
    """It waited to be logged; an attempt that did not know of it began the answer anew, and so it was shown twice."""
    said: list[bool] = []

    async def converse(turn: Turn, lane: Lane) -> Outcome:
        said.append(turn.said)
        if len(said) == 1:
            lane.receive(frame("s", 0, "a"))
            lane.flush()
        return await ended(turn, lane)

    async def test(job: Job) -> None:
        job.begin(SessionRequest(session_id="s", prompt="p"))
        with no_room(tmp_path):
            await soon(lambda: said)
            for _ in range(10):
                await asyncio.sleep(0.01)
            assert said == [False]
        await soon(lambda: job.running == 0)
        assert said == [False, True]

    run(tmp_path, converse, test, Reserve(tmp_path / "reserve", 0))


def test_a_list_is_refused_where_the_log_cannot_say_what_was_begun(tmp_path: Path) -> None:
    """Else it would pass over sessions that were never begun."""
    lane = Lane(LogWriter(tmp_path, "cxone"), Clock(LogReader(tmp_path).created, None), Turns(1, 0))
    for name in ("a", "b"):
        lane.append(opened(name, 0, {}))
        lane.append(closed(name, 0, "finished"))
    assert lane.turns.lost == 1
    requests = [SessionRequest(session_id="c", prompt="p")]
    job = Job(lane, Gateway(ended), requests=requests, once=True)
    with pytest.raises(DataDirError, match="--data-dir of its own"):
        asyncio.run(job.run())
    lane.close()


async def ended(turn: Turn, lane: Lane) -> Outcome:
    lane.append(closed(turn.session_id, turn.number, "finished"))
    return Outcome("finished")


def test_a_turn_that_ends_by_itself_is_closed_once(tmp_path: Path) -> None:
    async def converse(turn: Turn, lane: Lane) -> Outcome:
        lane.append(closed(turn.session_id, turn.number, "finished"))
        return Outcome("finished")

    async def test(job: Job) -> None:
        job.begin(SessionRequest(session_id="s", prompt="p"))
        await soon(lambda: job.running == 0)

    run(tmp_path, converse, test)
    assert ends(tmp_path) == [{"reason": "finished"}]


def test_a_gateway_that_does_not_close_ends_the_lane_all_the_same(tmp_path: Path) -> None:
    class Broken(Gateway):
        async def aclose(self) -> None:
            raise RuntimeError("a package's")

    async def never(turn: Turn, lane: Lane) -> Outcome:
        raise AssertionError("nothing is asked")

    lane = Lane(LogWriter(tmp_path, "cxone"), Clock(LogReader(tmp_path).created, None), Turns())
    job = Job(lane, Broken(never))
    job.stop()
    with pytest.raises(RuntimeError, match="a package's"):
        asyncio.run(job.run())
    assert lane.take(0)[1], "the flow hears of the end"
    lane.close()
