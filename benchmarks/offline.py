"""Recordings: tokens a CPU-second of replay, tuning, and how both grow, by the commands that users run.

    python -m benchmarks.offline [--tokens 300000] [--runs 3]

CPU is that of the command's process, less what the command takes for a recording of a few tokens: its start.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

from benchmarks.load import texts
from benchmarks.load.service import ROOT, Name
from benchmarks.table import Line, at_least, at_most, show

WITHIN: Final = 300.0
FEW: Final = 200
TYPES: Final = 'pii = ["EMAIL_ADDRESS","PHONE_NUMBER","CREDIT_CARD","US_SSN","IBAN_CODE","IP_ADDRESS"]'


class Work:
    """A folder with recordings and settings in it, and commands over them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._start: dict[str, float] = {}

    def recording(self, sessions: int, tokens: int) -> Path:
        """Sessions side by side, so many tokens each; a log as docs/log.md has it."""
        path = self.folder / f"{sessions}-{tokens}.jsonl"
        if path.exists():
            return path
        with path.open("w", encoding="utf-8") as file:
            header = {"format": "tokenweir", "version": 1, "vendor": "cxone", "created": "2026-11-20T12:00:00Z"}
            file.write(json.dumps(header) + "\n")
            names, t = [f"s-{number}" for number in range(sessions)], 0
            said = [texts.tokens(number, tokens) for number in range(min(sessions, texts.TEXTS))]

            def write(name: str, kind: str, data: object, **more: str) -> None:
                nonlocal t
                t += 50_000 // sessions + 1
                record = {"t": t, "s": name, "n": 0, "k": kind, **more, "d": data}
                file.write(json.dumps(record, separators=(",", ":")) + "\n")

            for name in names:
                write(name, "open", {"prompt": "p", "model": "m"})
            for place in range(tokens):
                for number, name in enumerate(names):
                    write(name, "frame", texts.data(said[number % len(said)][place]), id=f"ctx-{place}")
            for name in names:
                write(name, "frame", texts.data("", finished=True), id=f"ctx-{tokens}")
                write(name, "close", {"reason": "finished"})
        return path

    def settings(self, name: str, moderation: str, terms: int, window: str = "sentence") -> Path:
        path = self.folder / f"{name}.toml"
        path.write_text(
            f'[window]\nmode = "{window}"\n[moderation]\n{moderation}\nblocklist = {texts.blocklist(terms)}\n'
        )
        return path

    def blocklist(self, terms: int) -> Path:
        path = self.folder / f"{terms}.txt"
        path.write_text("\n".join(texts.blocklist(terms)))
        return path

    def cpu(self, *command: str) -> float:
        """Seconds of CPU of a Python module with these arguments. Raises RuntimeError."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=WITHIN,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{command[:2]} ended with {done.returncode}:\n{done.stderr.decode()[-2000:]}")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    def replay(self, recording: Path, settings: Path, start: str = "replay") -> float:
        """Seconds of CPU of a replay, its start left out. `start`: settings that start alike have one."""
        arguments = ("--json", "--settings", str(settings))
        return self._beyond_start(start, recording, lambda path: ("tokenweir", "replay", str(path), *arguments))

    def loop(self, recording: Path, blocklist: Path, window: str) -> float:
        """The same of the peer's cores."""
        arguments = ("--blocklist", str(blocklist), "--window", window)
        return self._beyond_start("loop", recording, lambda path: ("benchmarks.peers.loop", str(path), *arguments))

    def _beyond_start(self, name: str, recording: Path, command: Callable[[Path], Sequence[str]]) -> float:
        if name not in self._start:
            self._start[name] = min(self.cpu(*command(self.recording(1, FEW))) for _ in range(2))
        return max(1e-3, self.cpu(*command(recording)) - self._start[name])


def replay(work: Work, tokens: int, runs: int) -> Iterable[Line]:
    """Tokens a CPU-second."""
    sessions = max(1, min(200, tokens // 500))
    recording, count = work.recording(sessions, tokens // sessions), tokens // sessions * sessions
    listed = work.blocklist(1000)
    for what, moderation, window, goal in (
        ("sentences, block list, PII", TYPES, "sentence", at_least(400_000)),
        ("sentences, block list", "pii = []", "sentence", at_least(800_000)),
        ("none, block list, PII", TYPES, "none", None),
    ):
        settings = work.settings(f"{window}-{len(moderation)}", moderation, 1000, window)
        values: dict[Name, list[float]] = {"tokenweir": [], "asyncio": []}
        for _ in range(runs):
            values["tokenweir"].append(count / work.replay(recording, settings))
            values["asyncio"].append(count / work.loop(recording, listed, window))
        yield Line(f"replay, {what}", "tokens/CPU s", values, goal)


def tuning(work: Work, streams: int, tokens: int) -> Iterable[Line]:
    """`tokenweir tune` over so many streams, under its 199 settings and what is in force."""
    path, draw = work.folder / "streams.jsonl", random.Random(8)
    with path.open("w", encoding="utf-8") as file:
        for number in range(streams):
            at, times = 0.0, []
            for _ in range(tokens):
                at += draw.expovariate(1 / 30) + (1500 if draw.random() < 0.002 else 0)
                times.append(round(at, 1))
            said = texts.tokens(number % 500, tokens)
            file.write(json.dumps({"id": f"{number}", "tokens": said, "t_ms": times}) + "\n")
    begun = time.perf_counter()
    cpu = work.cpu("tokenweir", "tune", str(path), "--no-moderation", "--html", str(path.with_suffix(".html")))
    took = time.perf_counter() - begun
    what = f"tuning, {streams * tokens / 1e6:g} M tokens under 200 settings"
    yield Line(what, "s", {"tokenweir": [took]}, at_most(8), f"{cpu:.1f} s of CPU")


def growth(work: Work, tokens: int) -> Iterable[Line]:
    """The slope on log-log of a replay's CPU, in four steps of two, over one thing that grows."""

    def took(sessions: int, each: int, terms: int = 1000) -> float:
        settings = work.settings(f"growth-{terms}", TYPES, terms)
        return min(work.replay(work.recording(sessions, each), settings, f"{terms} terms") for _ in range(2))

    least = max(200, tokens // 8)
    series: dict[str, list[tuple[float, float]]] = {"sessions": [], "text length": [], "recording length": []}
    for size in (1, 2, 4, 8):
        each = max(20, least // 100)
        series["sessions"].append((size, took(100 * size, each)))
        series["text length"].append((size, took(1, least * size)))
        series["recording length"].append((size, took(20, least * size // 20)))
    for what, points in series.items():
        yield Line(
            f"growth of replay with {what}", "slope", {"tokenweir": [slope(points)]}, at_most(1.1), _points(points)
        )
    listed = [(terms, took(20, least // 20, terms)) for terms in (1_000, 4_000, 16_000, 64_000)]
    yield _slope("growth with the block list", listed)


def _slope(what: str, points: Sequence[tuple[float, float]]) -> Line:
    return Line(what, "slope", {"tokenweir": [slope(points)]}, at_most(1.1), _points(points))


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Of the line that fits best through the logarithms."""
    xs, ys = [math.log(x) for x, _ in points], [math.log(y) for _, y in points]
    x, y = sum(xs) / len(xs), sum(ys) / len(ys)
    return sum((a - x) * (b - y) for a, b in zip(xs, ys, strict=True)) / sum((a - x) ** 2 for a in xs)


def epochs(work: Work, sessions: int, rate: int, tokens: int = 100) -> Iterable[Line]:
    """What an epoch holds up: `python -m benchmarks.recovery epoch`, in a process of its own."""
    arguments = ("--sessions", str(sessions), "--rate", str(rate), "--tokens", str(tokens))
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.recovery", "epoch", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=WITHIN,
        check=True,
    )
    for name, goal in (("p50", at_most(60)), ("longest", None)):
        found = re.search(rf"{name}: (\d+) ms", done.stdout)
        what = f"pause of an epoch, {sessions:,} sessions at {rate:,} tokens/s, {name}"
        yield Line(what, "ms", {"tokenweir": [float(found[1])] if found else []}, goal)


def floor(rates: Sequence[int], seconds: float) -> Iterable[Line]:
    """A Bytewax flow that does nothing: peers/noop.py."""
    runs = [(f"{rate:,} tokens/s", ("--rate", str(rate), "--seconds", str(seconds))) for rate in rates]
    for what, arguments in [*runs, ("as fast as it goes", ("--tokens", "500000"))]:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.peers.noop", *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=WITHIN,
            check=True,
        )
        found = json.loads(done.stdout)
        note = f"{found['seconds'] / max(1, found['tokens']) * 1e6:.3g} µs a token"
        yield Line(f"floor: no-op Bytewax flow, {what}", "", {}, None, note)


def _points(points: Sequence[tuple[float, float]]) -> str:
    return ", ".join(f"{x:g}: {y:.2f} s" for x, y in points)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=int, default=300_000)
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tokenweir-bench-") as folder:
        work = Work(Path(folder))
        show([*replay(work, given.tokens, given.runs), *growth(work, given.tokens)])


if __name__ == "__main__":
    main()
