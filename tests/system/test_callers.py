"""Many callers of one service: each gets its own stream whole, and none leaves anything behind."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from connectors.sse import Event
from tests.callers import caller, descriptors, events, listen, serving, shown, until
from tests.conftest import OtherSide, corpus_of
from tests.test_cli import environment

Start = Callable[..., OtherSide]

CALLERS = 200
HANG_UPS = 50
WARM_UP = 50
SESSIONS = 150
MAX_GROWTH = 8 << 20

TEXT = ["One. ", "Two. ", "Three. ", "Four. ", "Five. ", "Six. ", "Seven. ", "Eight."]


def own_text(number: int) -> list[str]:
    return [f"Caller {number} reads sentence {place}. " for place in range(8)]


def test_two_hundred_streams_at_once_are_each_complete_and_in_order(other_side: Start, tmp_path: Path) -> None:
    texts = {f"t-{number}": own_text(number) for number in range(CALLERS)}
    side = other_side(corpus_of(texts), speed=1, token_interval=0.05)

    async def read(url: str) -> list[Event]:
        async with caller() as client:
            return [event async for event in events(client, url)]

    async def read_all(urls: list[str]) -> list[list[Event]]:
        return await asyncio.gather(*(read(url) for url in urls))

    with serving(side, tmp_path, job={"max_sessions": CALLERS}) as service:
        heard = asyncio.run(read_all([service.stream_url(name, stream=name) for name in texts]))
        assert service.frontend.hub.counts["done"] == CALLERS
    for (name, text), mine in zip(texts.items(), heard, strict=True):
        assert [event.event for event in mine] == ["token"] * (len(mine) - 1) + ["done"]
        assert [event.id for event in mine] == [f"{name}/0/{seq}" for seq in range(len(mine))]
        assert shown(mine) == mine[-1].data == "".join(text)


def test_fifty_callers_that_hang_up_leave_nothing_behind(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(TEXT), "stall=inf@4")

    async def read_one(url: str) -> None:
        async with caller() as client:
            stream = events(client, url)
            await anext(stream)
            await stream.aclose()

    async def hang_up(urls: list[str]) -> None:
        await asyncio.gather(*(read_one(url) for url in urls))

    with serving(side, tmp_path, {"resume_grace": 0.2}) as service:
        listen(service.stream_url("first"), count=1)  # opens what stays: the desktop's socket, DuckDB's files, …
        side.reactor.run(side.gateway.until(lambda gateway: gateway.counts["gone"] == 1))
        until(lambda: service.job.running == 0 and service.frontend.hub.callers == 0)
        before = descriptors()
        asyncio.run(hang_up([service.stream_url(f"s-{number}") for number in range(HANG_UPS)]))
        side.reactor.run(side.gateway.until(lambda gateway: gateway.counts["gone"] == HANG_UPS + 1))
        until(lambda: service.job.outcomes["cancelled"] == HANG_UPS + 1)
        assert service.job.running == 0
        assert service.frontend.hub.callers == 0
        assert service.frontend.hub.counts["abandoned"] == HANG_UPS + 1
        until(lambda: descriptors() <= before)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_sessions_one_after_another_leave_memory_flat(other_side: Start, tmp_path: Path) -> None:
    """In a process of its own, which is warm once it has landed metrics; no turn is kept for replay."""
    side = other_side(corpus_of(TEXT))
    env = environment(side, tmp_path, FRONTEND_PORT="0", TOKENWEIR__FRONTEND__REPLAY_FOR="0")
    command = [sys.executable, "-m", "tokenweir", "run", "cxone"]
    process = subprocess.Popen(
        command, env={**os.environ, **env}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    numbers = itertools.count()

    async def ask(client: httpx.AsyncClient, address: str) -> None:
        url = f"{address}/stream?session_id=s-{next(numbers)}&dialog_id=d&prompt=stream%20s"
        heard = [event async for event in events(client, url)]
        assert heard[-1].data == "".join(TEXT)

    async def ask_all(address: str) -> int:
        """Bytes of memory that the sessions after the warm-up cost."""
        async with caller() as client:
            warm = tmp_path / "metrics.duckdb"
            while not warm.exists():
                await ask(client, address)
            for _ in range(WARM_UP):
                await ask(client, address)
            before = memory(process.pid)
            for _ in range(SESSIONS):
                await ask(client, address)
            return memory(process.pid) - before

    try:
        assert process.stderr is not None
        address = next(line for line in process.stderr if "listening on" in line).split()[-1]
        assert asyncio.run(ask_all(address)) < MAX_GROWTH
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.communicate()


def memory(pid: int) -> int:
    """Bytes of RAM that a process has for itself, without the files that it maps."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.partition("RssAnon:")[2].split()[0]) << 10
