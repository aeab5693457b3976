"""What tuning costs: many streams under many settings, and against a plain loop over the operators.

    python benchmarks/tuning.py [--data ../shared/evaluation/streams.jsonl] [--streams 10000] [--tokens 300] [--settings 200]

The streams are resampled by a seed: texts of the data's rows, joined up to about so many tokens, with the times of one
of its timed rows, over and over. They are written to a file of JSON lines first, so that all that `tokenweir tune` does
is measured: reading, splitting, walking, the front, the page.

- token-settings a second: tokens times settings by the time of the walk, its tables included
- the plain loop: the same figures for some of the streams and settings, through `Windows` and `Release`
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from analytics.tuning.count import Count as Walk
from analytics.tuning.grid import grid
from analytics.tuning.hold import holding
from analytics.tuning.streams import read
from flows.moderation import Policy
from flows.windows import WindowSettings

OFF = Policy(pii=(), blocklist=())


def resample(data: Path, streams: int, tokens: int, seed: int, to: Path) -> None:
    rows: list[dict[str, Any]] = [json.loads(line) for line in data.open(encoding="utf-8")]
    texts = [row["tokens"] for row in rows if row["kind"] == "text" and row["tokens"]]
    gaps = [
        [later - sooner for sooner, later in zip(row["t_ms"], row["t_ms"][1:], strict=False)]
        for row in rows
        if row["t_ms"] and len(row["t_ms"]) > 1 and row["kind"] == "text"
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared/evaluation/streams.jsonl")
    parser.add_argument("--streams", type=int, default=10_000)
    parser.add_argument("--tokens", type=int, default=300)
    parser.add_argument("--settings", type=int, default=200)
    parser.add_argument("--seed", type=int, default=8)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "streams.jsonl"
        resample(given.data, given.streams, given.tokens, given.seed, file)
        measure(file, given.settings, given.seed)


def measure(file: Path, settings: int, seed: int) -> None:
    from analytics.tuning.tuner import tune
    before, cpu = time.perf_counter(), time.process_time()
    streams = read([file])
    print(f"read {time.perf_counter() - before:.1f} s")
    tried = grid(WindowSettings())[:settings]
    o=tune(streams, tried, OFF, seed=seed)
    print(f"all {time.perf_counter()-before:.1f} s wall {time.process_time()-cpu:.1f} s cpu {len(tried)}")
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, "MB")


if __name__ == "__main__":
    main()
