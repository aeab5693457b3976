"""What tuning costs: many streams under many settings, and against a plain loop over the operators.

    python benchmarks/tuning.py [--data ../shared/evaluation/streams.jsonl] [--streams 10000] [--tokens 300]

The streams are resampled by a seed: texts of the data's rows, joined up to so many tokens, with the times of one of its
timed rows, over and over. They are written to a file of JSON lines.

- the command: `tokenweir tune` on that file, as a process of its own; its page, figures and bounds included
- the walk: tokens times settings by its CPU seconds, the tables by setting included; before it the texts are analysed,
  once for all settings: sentences, clauses, paragraphs, what moderation holds
- the plain loop: the same figures for some of the streams and settings, text by text through `Windows` and `Release`

Moderation is off. One core does it all.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from analytics.tuning import plain
from analytics.tuning.count import Count
from analytics.tuning.grid import grid
from analytics.tuning.hold import holding
from analytics.tuning.streams import Stream, read
from flows.moderation import Policy
from flows.steps.windows import WindowSettings

ROOT = Path(__file__).parents[1]
OFF = Policy(pii=(), blocklist=())
BLOCK, BATCH = 2_000, 250
"""Streams that are walked together, and of those in a batch: as the tuner has them."""


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


def command(file: Path) -> None:
    """All that `tokenweir tune` does, from its start to its end."""
    html = file.with_suffix(".html")
    begun = time.perf_counter()
    arguments = ["tune", str(file), "--no-moderation", "--html", str(html)]
    done = subprocess.run([sys.executable, "-m", "tokenweir", *arguments], stdout=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise SystemExit(done.returncode)
    wall, used = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = used.ru_utime + used.ru_stime
    print(f"tokenweir tune: {wall:.1f} s, {cpu:.1f} s of CPU, {used.ru_maxrss // 1024} MB")
    print(f"its page: {html.stat().st_size // 1024} KB")


def walk_rate(streams: Sequence[Stream], settings: Sequence[WindowSettings]) -> float:
    """Token-settings a second of the walk, over blocks as the tuner makes them."""
    walked = analysed = 0.0
    steps = sum(len(stream.ends) for stream in streams) * len(settings)
    for begin in range(0, len(streams), BLOCK):
        members = streams[begin : begin + BLOCK]
        batches = [members[at : at + BATCH] for at in range(0, len(members), BATCH)]
        clock = time.process_time()
        count = Count(batches, settings, holding(OFF))
        analysed += time.process_time() - clock
        clock = time.process_time()
        count.run()
        walked += time.process_time() - clock
    print(f"the walk: {steps / walked / 1e6:.0f} M token-settings a second", end="; ")
    print(f"{steps / (walked + analysed) / 1e6:.0f} M with the analysis of the texts")
    return steps / walked


def plain_rate(streams: Sequence[Stream], settings: Sequence[WindowSettings]) -> float:
    clock = time.process_time()
    plain.tally(streams, settings, holding(OFF))
    return sum(len(stream.ends) for stream in streams) * len(settings) / (time.process_time() - clock)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/evaluation/streams.jsonl")
    parser.add_argument("--streams", type=int, default=10_000)
    parser.add_argument("--tokens", type=int, default=300)
    parser.add_argument("--seed", type=int, default=8)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "streams.jsonl"
        resample(given.data, given.streams, given.tokens, given.seed, file)
        command(file)
        streams, settings = read([file]).streams, grid(WindowSettings())
    tokens = sum(stream.tokens for stream in streams)
    print(f"{len(streams):,} streams, {tokens:,} tokens, {len(settings)} settings")
    rate = walk_rate(streams, settings)
    slow = plain_rate(streams[:: max(1, len(streams) // 40)], settings[::9])
    print(f"the plain loop: {slow / 1e6:.3f} M, so the walk is {rate / slow:.0f} times as fast")


if __name__ == "__main__":
    main()
