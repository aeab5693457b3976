"""The whole table: every part of it, one after another, as Markdown.

    python -m benchmarks [--only live,rate,…] [--runs 3] [--tiny]

`--tiny` shows in a minute that every part runs; its figures mean nothing. benchmarks/README.md says how to read them.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from pathlib import Path
from typing import Final, NamedTuple

import uvloop

from benchmarks import limits, live, offline
from benchmarks.live import Load
from benchmarks.load.service import NAMES
from benchmarks.table import show

PARTS: Final = (
    *("live", "recovery", "rest", "silent", "rate", "flood", "endurance"),
    *("replay", "tuning", "epochs", "growth", "floor"),
)


class Size(NamedTuple):
    """How much of everything. `live`: what runs at each number of sessions; `further`: what else runs live."""

    sessions: tuple[int, ...] = (100, 400)
    live: tuple[Load, ...] = (
        Load(0, "cxone", "sentence"),
        Load(0, "cognigy", "sentence"),
        Load(0, "cognigy", "none"),
    )
    further: tuple[Load, ...] = (
        Load(400, "cxone", "sentence", confirm="pong"),
        Load(1, "cxone", "sentence", pace=1000),
    )
    seconds: float = 6
    runs: int = 3
    silent: int = 1000
    rest: float = 5
    flood: int = 200_000
    endurance: int = 20_000
    steps: tuple[int, ...] = limits.STEPS
    replay: int = 300_000
    streams: int = 10_000
    growth: int = 160_000
    epoch_sessions: int = 10_000
    rates: tuple[int, ...] = (2_000, 8_000)


TINY: Final = Size(
    sessions=(4,),
    live=(Load(0, "cxone", "sentence"), Load(0, "cognigy", "none")),
    further=(),
    seconds=0.3,
    runs=1,
    silent=5,
    rest=0.2,
    flood=500,
    endurance=100,
    steps=(50,),
    replay=1_000,
    streams=20,
    growth=1_600,
    epoch_sessions=20,
    rates=(2_000,),
)


async def whole(parts: list[str], size: Size) -> None:
    most, names = max(size.sessions), limits.CONTESTANTS
    show([])
    if "live" in parts:
        loads = [load._replace(sessions=sessions) for load in size.live for sessions in size.sessions]
        loads = [load._replace(seconds=size.seconds) for load in (*loads, *size.further)]
        await live.run(loads, NAMES, size.runs, head=False)
    if "recovery" in parts:
        show(await live.recovery(Load(most, "cxone", "sentence", seconds=size.seconds), min(2, size.runs)), head=False)
    if "rest" in parts:
        show(await limits.rest(names, size.runs, size.rest), head=False)
    if "silent" in parts:
        show(await limits.silent(names, size.silent, size.rest), head=False)
    if "rate" in parts:
        show(await limits.rate(names, most, min(4, size.seconds), size.steps), head=False)
    if "flood" in parts:
        show(await limits.flood(names, size.runs, size.flood, 2 * size.seconds), head=False)
    if "endurance" in parts:
        show(await limits.endurance(names[:1], size.endurance), head=False)
    await asyncio.to_thread(commands, parts, size)


def commands(parts: list[str], size: Size) -> None:
    with tempfile.TemporaryDirectory(prefix="tokenweir-bench-") as folder:
        work = offline.Work(Path(folder))
        if "replay" in parts:
            show(offline.replay(work, size.replay, size.runs), head=False)
        if "tuning" in parts:
            show(offline.tuning(work, size.streams, 300 if size.streams > 100 else 30), head=False)
        if "epochs" in parts:
            show(offline.epochs(work, size.epoch_sessions, size.epoch_sessions), head=False)
        if "growth" in parts:
            show(offline.growth(work, size.growth), head=False)
        if "floor" in parts:
            show(offline.floor(size.rates, size.seconds), head=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(PARTS), help=f"of {', '.join(PARTS)}")
    parser.add_argument("--runs", type=int)
    parser.add_argument("--tiny", action="store_true")
    given = parser.parse_args()
    parts = given.only.split(",")
    if unknown := set(parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    size = TINY if given.tiny else Size()
    uvloop.run(whole(parts, size._replace(runs=given.runs or size.runs)))


if __name__ == "__main__":
    main()
