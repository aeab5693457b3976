"""What a run came to."""

from __future__ import annotations

import statistics
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Final

import msgspec

CROWD: Final = 50


class Report(msgspec.Struct):
    """What a run came to. `differences` is empty where all is as it must be.

    mid_stream  by vendor: sessions mid-stream at each kill
    cut         turns that could not go on, and that a kill or a stop interrupted
    again       by desktop: messages that came again, byte for byte the same
    latest      by desktop: the longest that a message waited for it, in seconds
    load        of the machine at the end, a core: what is much over 1 makes everything late
    left_out    features of the plan that this machine or this simulator has not
    """

    seed: int
    mid_stream: dict[str, list[int]] = {}
    seconds: float = 0.0
    sessions: int = 0
    whole: int = 0
    cut: int = 0
    messages: int = 0
    again: dict[str, int] = {}
    latest: dict[str, float] = {}
    contradictions: int = 0
    rows: dict[str, int] = {}
    faults: dict[str, int] = {}
    load: float = 0.0
    left_out: list[str] = []
    differences: list[str] = []

    @property
    def kills(self) -> list[int]:
        return [count for counts in self.mid_stream.values() for count in counts]

    @property
    def crowded(self) -> int:
        """Kills that fell while `CROWD` or more sessions were mid-stream."""
        return sum(count >= CROWD for count in self.kills)

    def lines(self) -> Iterator[str]:
        """For people."""
        yield f"seed {self.seed}: {self.sessions} sessions, {len(self.kills)} kill -9, {self.seconds:.0f} s"
        for vendor, counts in self.mid_stream.items():
            tens = sorted(Counter(count // 10 * 10 for count in counts).items())
            spread = " ".join(f"{low}-{low + 9}:{number}" for low, number in tens)
            yield f"mid-stream at a kill, {vendor}: median {statistics.median(counts or [0]):g}; {spread}"
        yield f"{self.crowded} of {len(self.kills)} kills with {CROWD} or more sessions mid-stream"
        yield f"{self.whole} transcripts are their streams' texts, {self.cut} were cut by a kill and say so"
        yield f"{self.messages} messages shown, {self.contradictions} with another text"
        yield "came again: " + ", ".join(f"{count} to {name}" for name, count in self.again.items())
        waits = ", ".join(f"{wait:.1f} s for {name}" for name, wait in self.latest.items())
        yield f"waited longest: {waits}; the machine had {self.load:.1f} to do a core"
        yield "rows, each once: " + ", ".join(f"{count} {name}" for name, count in self.rows.items())
        yield "what went wrong on the way: " + ", ".join(f"{n} {name}" for name, n in sorted(self.faults.items()))
        yield from (f"LEFT OUT {each}" for each in self.left_out)
        yield from (f"DIFFERS {each}" for each in self.differences)


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
