"""A service at its ends: at rest, with silent sessions, at its highest rate, under one flood, after many sessions.

    python -m benchmarks.limits rest|silent|rate|flood|endurance [--only tokenweir,asyncio]

- rest: how long it takes to start, what it holds and what it uses when nobody asks anything
- silent: the same with 1,000 sessions open that say nothing
- rate: 400 sessions, faster from step to step, until the p99 of their latency has passed 100 ms
- flood: one stream as fast as it comes, alone; then beside 20 others at 20 tokens/s, and how late theirs got
- endurance: short sessions one after another, and what memory grew by in the second half of them
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final

import uvloop

from benchmarks.load import texts
from benchmarks.load.latency import Proofs, latencies, learn, percentile
from benchmarks.load.service import Name, Service, serving
from benchmarks.load.world import World
from benchmarks.table import Figures, Line, at_least, at_most, line, ratio, show, take_turns

CONTESTANTS: Final[tuple[Name, ...]] = ("tokenweir", "asyncio")
SETTLE: Final = 1.0
"""Seconds between what was done to a service and a look at how it rests."""

WITHIN: Final = 60.0
STEPS: Final = (100, 50, 33, 25, 20, 16, 14, 12, 11, 10)
"""Milliseconds between a session's tokens: 4,000 to 40,000 tokens a second of 400."""

LATE: Final = 0.1


@contextlib.asynccontextmanager
async def started(name: Name) -> AsyncIterator[tuple[World, Service]]:
    with tempfile.TemporaryDirectory(prefix="tokenweir-bench-") as folder:
        async with World("cxone") as world, serving(name, world, Path(folder)) as service:
            yield world, service


async def use(service: Service, seconds: float) -> float:
    """The share of a core that it uses, in percent."""
    before = service.cpu()
    await asyncio.sleep(seconds)
    return (service.cpu() - before) / seconds * 100


async def rest(names: Sequence[Name], runs: int, seconds: float) -> list[Line]:
    async def measure(name: Name) -> Figures:
        async with started(name) as (_, service):
            await asyncio.sleep(SETTLE)
            return {
                "start": service.start_time,
                "memory": service.memory() / 1e6,
                "use": await use(service, seconds),
            }

    rounds = await take_turns(names, runs, measure)
    return [
        line("start, until it listens", "s", rounds, "start", at_most(1.0)),
        line("process at rest", "MB", rounds, "memory", at_most(100)),
        line("CPU with no session", "% of a core", rounds, "use"),
    ]


async def silent(names: Sequence[Name], sessions: int, seconds: float) -> list[Line]:
    """Each has said one token; the memory that they take is against a service that has had a few."""

    async def measure(name: Name) -> Figures:
        async with started(name) as (world, service):
            few = await world.begin(service.url, texts.TEXTS, 20, "sentence", "q")
            await world.play(few, 50, WITHIN)
            await asyncio.sleep(SETTLE)
            before = service.memory()
            streams = await world.begin(service.url, sessions, 20, "sentence")
            for stream in streams:
                stream.step()
            await asyncio.sleep(SETTLE)
            return {"memory": (service.memory() - before) / sessions / 1e3, "use": await use(service, seconds)}

    rounds = await take_turns(names, 1, measure)
    return [
        line(f"{sessions:,} open silent sessions: memory each", "KB", rounds, "memory", at_most(30)),
        line(f"{sessions:,} open silent sessions: CPU", "% of a core", rounds, "use", at_most(3)),
    ]


async def rate(names: Sequence[Name], sessions: int, seconds: float, steps: Sequence[int] = STEPS) -> list[Line]:
    values: dict[Name, list[float]] = {}
    notes = []
    for name in names:
        highest, said = await _highest(name, sessions, seconds, steps)
        values[name] = [highest]
        notes.append(f"{name}: {said}")
    what = f"highest rate with p99 < 100 ms, {sessions} sessions, sentences"
    return [Line(what, "tokens/s", values, at_least(20_000), "; ".join(notes))]


async def _highest(name: Name, sessions: int, seconds: float, steps: Sequence[int]) -> tuple[float, str]:
    """The last rate that held, and what was seen at the one that did not."""
    highest, proofs = 0.0, Proofs()
    async with started(name) as (world, service):
        for number, step in enumerate(steps):
            tokens = max(2, round(seconds * 1000 / step))
            quiet = await world.begin(service.url, texts.TEXTS, tokens, "sentence", f"q{number}-")
            await world.play(quiet, min(100, 1000 / step), WITHIN)
            learn(quiet, proofs)
            streams = await world.begin(service.url, sessions, tokens, "sentence", f"s{number}-")
            played = await world.play(streams, 1000 / step, seconds + 10)
            learn(streams, proofs)
            worst = percentile(latencies(streams, proofs), 0.99)
            aimed = sessions * 1000 / step
            if played.late > LATE:
                return highest, f"at {aimed:,.0f} the generator is late by {played.late * 1e3:.0f} ms: its limit"
            if worst >= LATE or played.unfinished:
                return highest, f"at {aimed:,.0f} p99 is {worst * 1e3:,.0f} ms"
            highest = aimed
    return highest, "no limit seen"


async def flood(names: Sequence[Name], runs: int, tokens: int, seconds: float) -> list[Line]:
    async def measure(name: Name) -> Figures:
        async with started(name) as (world, service):
            proofs: Proofs = {}
            length = max(2, round(20 * seconds))
            quiet = await world.begin(service.url, 2 * texts.TEXTS, length, "sentence", "q")
            await world.play(quiet, 50, WITHIN)
            learn(quiet, proofs)
            alone = await world.begin(service.url, 1, tokens, "sentence", "a", "other")
            before = service.cpu()
            poured = await world.pour(alone, WITHIN)
            used = service.cpu() - before
            others = await world.begin(service.url, 20, length, "sentence")
            beside = await world.begin(service.url, 1, tokens, "sentence", "b", "other")
            playing = asyncio.create_task(world.play(others, 20, WITHIN))
            await asyncio.sleep(SETTLE)
            second = await world.pour(beside, WITHIN)
            played = await playing
        learn(others, proofs)
        took = latencies(others, proofs)
        return {
            "cpu": used / tokens * 1e6,
            "longest": percentile(took, 1.0) * 1e3,
            "p50": percentile(took, 0.5) * 1e3,
            "late": played.late * 1e3,
            "unfinished": poured.unfinished + second.unfinished + played.unfinished,
        }

    rounds = await take_turns(names, runs, measure)
    what = f"one stream of {tokens:,} tokens as fast as it comes"
    return [
        line(f"{what}: CPU a token", "µs", rounds, "cpu", ratio(2.0)),
        line("beside it, 20 sessions: latency p50", "ms", rounds, "p50"),
        line("beside it, 20 sessions: longest latency", "ms", rounds, "longest", at_most(50)),
    ]


async def endurance(names: Sequence[Name], sessions: int, at_once: int = 50) -> list[Line]:
    async def measure(name: Name) -> Figures:
        async with started(name) as (world, service):
            first, lost, done = 0, 0, 0
            while done < sessions:
                streams = await world.begin(service.url, at_once, 10, "sentence", f"s{done}-")
                lost += (await world.pour(streams, WITHIN)).unfinished
                for stream in streams:
                    del world.streams[stream.session_id]
                done += at_once
                if not first and done >= sessions / 2:
                    first = service.memory()
            await asyncio.sleep(SETTLE)
            return {"grown": (service.memory() - first) / (sessions / 2), "unfinished": lost}

    rounds = await take_turns(names, 1, measure)
    return [line(f"memory grown a session, {sessions:,} one after another", "bytes", rounds, "grown", at_most(500))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["rest", "silent", "rate", "flood", "endurance"])
    parser.add_argument("--only", default=",".join(CONTESTANTS))
    parser.add_argument("--runs", type=int, default=1)
    given = parser.parse_args()
    names = [name for name in CONTESTANTS if name in given.only.split(",")]
    uvloop.run(_one(given.what, names, given.runs))


async def _one(what: str, names: Sequence[Name], runs: int) -> None:
    match what:
        case "rest":
            show(await rest(names, runs, 5))
        case "silent":
            show(await silent(names, 1000, 5))
        case "rate":
            show(await rate(names, 400, 4))
        case "flood":
            show(await flood(names, runs, 200_000, 12))
        case _:
            show(await endurance(names, 20_000))


if __name__ == "__main__":
    main()
