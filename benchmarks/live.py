"""Live sessions at a steady pace: CPU a token, and how long messages take, beside the peer and the relay.

    python -m benchmarks.live --sessions 100 --shape cxone --window sentence [--pace 20] [--seconds 6] [--runs 3]
                              [--confirm ack|pong] [--only tokenweir,asyncio,relay]

Sessions are opened first, and say nothing until all are; so what is measured is from the first token to the last
message, the sessions' ends included. CPU is the service's own. All services have the same block list of 1,000 terms;
tokenweir looks for its six default types of personal data besides.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import uvloop

from benchmarks.load import texts
from benchmarks.load.latency import Proofs, latencies, learn, percentile
from benchmarks.load.service import NAMES, Name, serving
from benchmarks.load.texts import Shape
from benchmarks.load.world import Confirm, Window, World
from benchmarks.table import Figures, Goal, Line, Rounds, at_most, line, ratio, show, take_turns

QUIET_SECONDS = 3.0
PATIENCE = 20.0


class Load(NamedTuple):
    """What sessions do. `pace`: tokens a second of each; `seconds`: how long each goes on."""

    sessions: int
    shape: Shape
    window: Window
    pace: float = 20
    seconds: float = 6
    confirm: Confirm = "ack"
    epoch: float = 0.5

    @property
    def tokens(self) -> int:
        """Of one session."""
        return max(2, round(self.pace * self.seconds))

    def __str__(self) -> str:
        desktop = f", {self.confirm}" if self.shape == "cxone" else ""
        return f"{self.shape}{desktop}, {self.sessions} sessions x {self.pace:g}/s, {self.window}"


async def measure(name: Name, load: Load) -> Figures:
    """One service under this load, started for it."""
    with tempfile.TemporaryDirectory(prefix="tokenweir-bench-") as folder:
        async with (
            World(load.shape, confirm=load.confirm, relayed=name == "relay") as world,
            serving(name, world, Path(folder), window=load.window, confirm=load.confirm, epoch=load.epoch) as service,
        ):
            proofs: Proofs = {}
            some = 2 * texts.TEXTS if load.sessions > 1 else 1
            quiet = await world.begin(service.url, some, load.tokens, load.window, "q")
            pace = min(500, max(50, load.tokens / QUIET_SECONDS))
            await world.play(quiet, pace, load.tokens / pace + PATIENCE)
            learn(quiet, proofs)
            before = service.cpu()
            streams = await world.begin(service.url, load.sessions, load.tokens, load.window)
            begun, own = service.cpu(), time.process_time()
            played = await world.play(streams, load.pace, load.seconds + PATIENCE)
            used, own = service.cpu() - begun, time.process_time() - own
    learn(streams, proofs)
    took = latencies(streams, proofs)
    tokens = load.sessions * load.tokens
    return {
        "cpu": used / tokens * 1e6,
        "p50": percentile(took, 0.5) * 1e3,
        "p99": percentile(took, 0.99) * 1e3,
        "begin": (begun - before) / load.sessions * 1e3,
        "generator": own / tokens * 1e6,
        "late": played.late * 1e3,
        "unfinished": played.unfinished,
    }


def lines(load: Load, rounds: Rounds, *, cpu: Goal | None = None, fast: bool = False) -> list[Line]:
    """`fast`: this load is one whose latency has a goal."""
    return [
        line(f"{load}: CPU a token", "µs", rounds, "cpu", cpu),
        line(f"{load}: latency p50", "ms", rounds, "p50", at_most(3) if fast else None),
        line(f"{load}: latency p99", "ms", rounds, "p99", at_most(30) if fast else None),
    ]


async def recovery(load: Load, runs: int) -> list[Line]:
    """The same with epochs of half a second, and with none while it runs (an epoch of a minute)."""
    values: dict[float, list[float]] = {0.5: [], 60: []}
    for _ in range(runs):
        for epoch, found in values.items():
            found.append((await measure("tokenweir", load._replace(epoch=epoch)))["cpu"])
    shares = [on / off for on, off in zip(values[0.5], values[60], strict=True)]
    return [
        Line(f"{load}: CPU with an epoch of .5 s", "µs", {"tokenweir": values[0.5]}),
        Line("the same against an epoch of 60 s", "times", {"tokenweir": shares}, at_most(1.25)),
    ]


async def run(loads: Sequence[Load], names: Sequence[Name], runs: int, *, head: bool = True) -> None:
    for number, load in enumerate(loads):
        rounds = await take_turns(names, runs, partial(measure, load=load))
        goal = ratio(1.5 if load.sessions < 400 else 1.2) if load.window == "sentence" else None
        fast = load.sessions == 400 and load.pace == 20 and load.window == "sentence"
        show(lines(load, rounds, cpu=goal, fast=fast), head=head and number == 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=100)
    parser.add_argument("--shape", choices=["cxone", "cognigy"], default="cxone")
    parser.add_argument("--window", choices=["sentence", "none"], default="sentence")
    parser.add_argument("--pace", type=float, default=20)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--confirm", choices=["ack", "pong"], default="ack")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", default=",".join(NAMES))
    given = parser.parse_args()
    load = Load(given.sessions, given.shape, given.window, given.pace, given.seconds, given.confirm)
    uvloop.run(_one(load, [name for name in NAMES if name in given.only.split(",")], given.runs))


async def _one(load: Load, names: Sequence[Name], runs: int) -> None:
    rounds = await take_turns(names, runs, lambda name: measure(name, load))
    more = [
        line("beginning a session: CPU", "ms", rounds, "begin"),
        line("what the generator itself takes, CPU a token", "µs", rounds, "generator"),
    ]
    show(lines(load, rounds) + more)


if __name__ == "__main__":
    main()
