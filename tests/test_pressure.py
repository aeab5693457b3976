"""A desktop that falls behind: its sessions' sockets are left unread, nobody else's are, and nothing is lost."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from connectors.job.requests import SessionRequest
from connectors.log.lane import Lane
from connectors.log.pressure import Pressure
from connectors.log.turns import Turn
from connectors.simulator import AgentDesktop
from flows import cxone
from flows.live import LiveJob
from tests.callers import until
from tests.conftest import OtherSide, corpus_of

Start = Callable[..., OtherSide]

SENTENCES = [f"Sentence {number} of it. " for number in range(60)]
BIG = ",".join(f"big=1000000@{token}" for token in range(25, 60))
"""More than all buffers between the two hold."""


def turn(desktop: str | None = None, **request: Any) -> Turn:
    return Turn("s", 0, {"desktop": desktop, **request})


class Desktops:
    """A job for two desktops: `default`, which is dead until it is revived, and `east`."""

    def __init__(self, start: Start, data_dir: Path, *, faults: str = BIG, **default: Any) -> None:
        self.side = start(corpus_of({"s": SENTENCES, "t": SENTENCES, "u": SENTENCES}), behaviour="dead")
        self.east = AgentDesktop()
        self.side.reactor.run(self.east.start())
        self.data_dir = data_dir
        self.default = {"url": self.side.desktop.url, "backlog": 10, "reconnect_max": 0.05, **default}
        self.faults = faults

    def job(self, *requests: SessionRequest) -> LiveJob:
        sections = {
            "desktops": {"default": self.default, "east": {"url": self.east.url}},
            "cxone": {"idle_timeout": 0.5},
            "job": {"max_sessions": 2},
        }
        return cxone.job(self.side.settings(self.data_dir, **sections), requests=requests)

    def request(self, name: str, desktop: str) -> SessionRequest:
        prompt = f"stream {name} with {self.faults}" if self.faults else f"stream {name}"
        return SessionRequest(session_id=name, prompt=prompt, desktop=desktop)

    def until_is_whole(self, desktop: AgentDesktop, name: str) -> None:
        self.side.reactor.run(desktop.until(lambda desktop: desktop.is_whole(name), 60), 60)

    def close(self) -> None:
        self.side.reactor.run(self.east.close())


def start(job: LiveJob) -> threading.Thread:
    running = threading.Thread(target=job.run)
    running.start()
    return running


async def _logged(lane: Lane) -> None:
    """What came is in the log."""
    lane.flush()


def test_a_pressed_desktops_sessions_are_not_read_and_the_others_go_on_and_nothing_is_lost(
    other_side: Start, tmp_path: Path
) -> None:
    desktops = Desktops(other_side, tmp_path, max_pause=0)
    vendor, default = desktops.side.gateway, desktops.side.desktop
    job = desktops.job(desktops.request("s", "default"), desktops.request("t", "east"), desktops.request("u", "east"))
    running = start(job)
    until(lambda: job.source.job is not None and job.source.job.lane.pauses > 0)
    assert job.source.job is not None
    held = job.source.job.lane.turns.open["s", 0]
    job.reactor.run(_logged(job.source.job.lane))
    read = held.frames
    assert 0 < read < len(SENTENCES)
    for name in ("t", "u"):  # one after the other: two sessions are under way at once
        desktops.until_is_whole(desktops.east, name)
        assert desktops.east.transcript(name) == "".join(SENTENCES)
        assert held.frames == read
    assert vendor.counts["tokens"] < 3 * len(SENTENCES), "the vendor's own writes wait"
    assert job.desktops.pressure == {"default"}
    desktops.side.reactor.run(default.revive())
    running.join(60)
    assert job.outcomes == {"finished": 3}
    assert default.transcript("s") == "".join(SENTENCES)
    assert default.is_whole("s")
    assert default.counts["contradictions"] == 0
    assert job.desktops.pressure == frozenset()
    assert vendor.counts["continuations"] == 0
    desktops.close()


def test_a_desktop_that_is_gone_for_long_holds_its_sessions_for_max_pause(other_side: Start, tmp_path: Path) -> None:
    """Then they are read to their ends, and what they said waits on disk."""
    desktops = Desktops(other_side, tmp_path, max_pause=0.2)
    job = desktops.job(desktops.request("s", "default"))
    running = start(job)
    until(lambda: job.outcomes.total() == 1)
    assert job.source.job is not None
    assert job.source.job.lane.pauses > 0
    assert desktops.side.desktop.counts["shown"] == 0
    desktops.side.reactor.run(desktops.side.desktop.revive())
    running.join(60)
    assert job.outcomes == {"finished": 1}
    until(lambda: desktops.side.desktop.is_whole("s"))
    assert desktops.side.desktop.transcript("s") == "".join(SENTENCES)
    desktops.close()


def test_what_an_earlier_process_left_presses_from_the_start_and_a_stop_is_in_order(
    other_side: Start, tmp_path: Path
) -> None:
    desktops = Desktops(other_side, tmp_path, faults="", max_pause=0.01, drain_timeout=0.01)
    first = desktops.job(desktops.request("s", "default"))
    first.run()
    assert first.desktops.undelivered >= 60
    desktops.default["max_pause"] = 0
    desktops.faults = BIG
    second = desktops.job(desktops.request("t", "default"))
    running = start(second)
    until(lambda: second.source.job is not None and second.source.job.lane.pauses > 0)
    second.source.stop()
    running.join(60)
    assert not running.is_alive()
    assert second.open_turns == 1
    desktops.side.reactor.run(desktops.side.desktop.revive())
    desktops.default["drain_timeout"] = 60
    third = desktops.job()
    third.run()
    for name in ("s", "t"):
        assert desktops.side.desktop.transcript(name) == "".join(SENTENCES)
        assert desktops.side.desktop.is_whole(name)
    desktops.close()


def test_a_turn_is_held_for_its_own_desktop_alone_and_not_where_a_caller_reads_along() -> None:
    pressure = Pressure()
    pressure.update({"default"})
    assert pressure.holds(turn())
    assert pressure.holds(turn("default"))
    assert not pressure.holds(turn("east"))
    assert not pressure.holds(turn(attended=True))
    pressure.update(())
    assert not pressure.holds(turn())


def test_a_held_turn_goes_on_when_its_desktop_has_caught_up() -> None:
    async def main() -> None:
        pressure = Pressure({"default": 60})
        pressure.update({"default", "east"})
        waiting = asyncio.create_task(pressure.passed(turn()))
        await asyncio.sleep(0)
        pressure.update({"default"})
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not waiting.done()
        pressure.update(())
        async with asyncio.timeout(5):
            await waiting

    asyncio.run(main())


def test_max_pause_counts_from_the_beginning_of_the_pressure() -> None:
    async def main() -> None:
        pressure = Pressure({"default": 0.1})
        began = time.monotonic()
        pressure.update({"default"})
        await pressure.passed(turn())
        assert time.monotonic() - began >= 0.1
        pressure.update({"default", "east"})
        assert not pressure.holds(turn()), "it was pressed before"
        assert pressure.holds(turn("east"))
        pressure.update(())
        pressure.update({"default"})
        assert pressure.holds(turn()), "again"

    asyncio.run(main())
