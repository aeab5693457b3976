"""A Bytewax flow that does nothing: what its activations alone cost, and so the floor of a flow under Bytewax.

    python -m benchmarks.peers.noop [--rate 2000] [--seconds 5] [--steps 4] [--recovery]
    python -m benchmarks.peers.noop --tokens 1000000 --batch 1000

Tokens are there at so many a second, asked for once a millisecond, as a live source does; or as many as it takes, in
batches, as a replay reads them. They go through keyed stateful steps that hand on what they get, on 16 keys, into a
sink that drops them. Prints one line of JSON: tokens, and seconds of CPU.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.testing import cluster_main

KEYS = tuple(str(number) for number in range(16))
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)

Item = tuple[str, list[int]]


class Tokens(FixedPartitionedSource[Item, int]):
    """`rate` tokens a second for so long; 0: `tokens`, `batch` at a time."""

    def __init__(self, rate: float, seconds: float, tokens: int, batch: int) -> None:
        self.sent = 0
        self.rate = rate
        self.most = int(rate * seconds) or tokens
        self.batch = batch

    def list_parts(self) -> list[str]:
        return ["w00"]

    def build_part(self, step_id: str, for_part: str, resume_state: int | None) -> Part:
        return Part(self)


class Part(StatefulSourcePartition[Item, int]):
    def __init__(self, source: Tokens) -> None:
        self._source = source
        self._begun = time.monotonic()

    def next_batch(self) -> list[Item]:
        source = self._source
        if source.sent >= source.most:
            raise StopIteration
        due = source.sent + source.batch
        if source.rate:
            time.sleep(0.001)
            due = int((time.monotonic() - self._begun) * source.rate)
        due = min(due, source.most)
        shards: dict[str, list[int]] = {}
        for token in range(source.sent, due):
            shards.setdefault(KEYS[token % len(KEYS)], []).append(token)
        source.sent = due
        return list(shards.items())

    def next_awake(self) -> datetime:
        return LONG_AGO

    def snapshot(self) -> int:
        return self._source.sent


class Nothing(StatelessSinkPartition[Any]):
    def write_batch(self, items: list[Any]) -> None:
        pass


class Drop(DynamicSink[Any]):
    def build(self, step_id: str, worker_index: int, worker_count: int) -> Nothing:
        return Nothing()


def hand_on(state: int | None, tokens: list[int]) -> tuple[int, list[list[int]]]:
    return (state or 0) + len(tokens), [tokens]


def flow(source: Tokens, steps: int) -> Dataflow:
    built = Dataflow("noop")
    stream = op.input("in", built, source)
    for number in range(steps):
        stream = op.stateful_flat_map(f"step_{number}", stream, hand_on)
    op.output("out", stream, Drop())
    return built


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=float, default=0)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--tokens", type=int, default=1_000_000)
    parser.add_argument("--batch", type=int, default=1_000)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--recovery", action="store_true", help="with a recovery store, and epochs of half a second")
    given = parser.parse_args()
    source = Tokens(given.rate, given.seconds, given.tokens, given.batch)
    with tempfile.TemporaryDirectory(prefix="tokenweir-noop-") as folder:
        recovery = None
        if given.recovery:
            init_db_dir(folder, 1)
            recovery = RecoveryConfig(folder)
        begun = time.process_time()
        cluster_main(flow(source, given.steps), [], 0, epoch_interval=timedelta(seconds=0.5), recovery_config=recovery)
        print(json.dumps({"tokens": source.sent, "seconds": time.process_time() - begun}))


if __name__ == "__main__":
    main()
