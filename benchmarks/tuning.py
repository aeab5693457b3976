"""What tuning costs: many streams under many settings, and against a plain loop over the operators.

    python benchmarks/tuning.py [--data ../shared/evaluation/streams.jsonl] [--streams 10000] [--tokens 300]

The streams are resampled by a seed: texts of the data's rows, joined up to so many tokens, with the times of one of its
timed rows, over and over. They are written to a file of JSON lines first, so that all that `tokenweir tune` does is
measured: reading, splitting, walking, the resamples, the front, the page. Moderation is off.

- token-settings a second: tokens times settings by the CPU seconds of the walk; before it the texts are analysed, once
  for all settings: sentences, clauses, paragraphs, what moderation holds
- the plain loop: the same figures for some of the streams and settings, text by text through `Windows` and `Release`
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from analytics.tuning import goal, plain
from analytics.tuning.advice import advise
from analytics.tuning.count import Count
from analytics.tuning.grid import grid
from analytics.tuning.hold import holding
from analytics.tuning.page import page
from analytics.tuning.streams import Stream, read
from analytics.tuning.tuner import tune
from flows.moderation import Policy
from flows.windows import WindowSettings

OFF = Policy(pii=(), blocklist=())


def resample(data: Path, streams: int, tokens: int, seed: int, to: Path) -> None:
    rows: list[dict[str, Any]] = [json.loads(line) for line in data.open(encoding="utf-8")]
    texts = [row["tokens"] for row in rows if row["kind"] == "text" and row["tokens"]]
    gaps = [
        [later - sooner for sooner, later in zip(row["t_ms"], row["t_ms"][1:], strict=False)]
        for row in rows
        if row["kind"] == "text" and row["t_ms"] and len(row["t_ms"]) > 1
    ]
    draw = random.Random(seed)
    with to.open("w", encoding="utf-8") as file:
        for number in range(streams):
            said: list[str] = []
            while len(said) < tokens:
                said += draw.choice(texts)[: tokens - len(said)]
            timed, t, t_ms = draw.choice(gaps), 0.0, [0.0]
            for i in range(len(said) - 1):
                t += timed[i % len(timed)]
                t_ms.append(round(t, 3))
            file.write(json.dumps({"id": str(number), "tokens": said, "t_ms": t_ms}) + "\n")


class Clock:
    """Seconds of the wall and of the processor since it was made."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def __str__(self) -> str:
        return f"{time.perf_counter() - self._wall:.1f} s, {self.cpu:.1f} s of CPU"

    @property
    def cpu(self) -> float:
        return time.process_time() - self._cpu


def measure(file: Path, seed: int) -> None:
    """All that `tokenweir tune` does, then its parts apart."""
    settings = grid(WindowSettings())
    clock = Clock()
    streams = read([file])
    print(f"reading: {clock}")
    outcome = tune(streams, settings, OFF, seed=seed)
    print(f"with all figures: {clock}")
    advice = advise(outcome, goal.parse(goal.DEFAULT))
    size = len(page(outcome, advice))
    print(f"in all, with a page of {size // 1024} KB: {clock}")
    print(f"memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")
    print(f"{outcome.turns:,} streams, {outcome.tokens:,} tokens, {len(settings)} settings")
    some = streams.streams[:: max(1, len(streams.streams) // 800)]
    rate = walk_rate(some, settings)
    slow = plain_rate(some[:40], settings[::9])
    print(f"the plain loop: {slow / 1e6:.3f} M, so the walk is {rate / slow:.0f} times as fast")


def walk_rate(streams: Sequence[Stream], settings: Sequence[WindowSettings]) -> float:
    """The best of a few runs: others may be using the machine."""
    steps = sum(len(stream.ends) for stream in streams) * len(settings)
    rates: list[tuple[float, float]] = []
    for _ in range(5):
        whole = Clock()
        count = Count([streams], settings, holding(OFF))
        clock = Clock()
        count.run()
        rates.append((steps / clock.cpu, steps / whole.cpu))
    rate, with_analysis = max(rates)
    print(f"the walk: {rate / 1e6:.0f} M token-settings a second; with the analysis {with_analysis / 1e6:.0f} M")
    return rate


def plain_rate(streams: Sequence[Stream], settings: Sequence[WindowSettings]) -> float:
    clock = Clock()
    plain.tally(streams, settings, holding(OFF))
    return sum(len(stream.ends) for stream in streams) * len(settings) / clock.cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared/evaluation/streams.jsonl")
    parser.add_argument("--streams", type=int, default=10_000)
    parser.add_argument("--tokens", type=int, default=300)
    parser.add_argument("--seed", type=int, default=8)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "streams.jsonl"
        resample(given.data, given.streams, given.tokens, given.seed, file)
        measure(file, given.seed)


if __name__ == "__main__":
    main()
