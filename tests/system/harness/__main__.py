"""The command line of the harness: a long run, or several, and what they came to."""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
from pathlib import Path
from typing import get_args

from connectors.simulator import Corpus
from tests.system.harness.plan import ALL, FEATURES, Plan, Resumes
from tests.system.harness.report import say
from tests.system.harness.run import run


def main() -> int:
    """0 where nothing differs."""
    given = _parser().parse_args()
    seed = random.SystemRandom().randrange(1 << 30) if given.seed is None else given.seed
    streams = tuple(stream.tokens for stream in Corpus.read(given.streams)) if given.streams else ()
    for number in range(given.runs):
        folder = given.keep / str(number) if given.keep else Path(tempfile.mkdtemp(prefix="tokenweir-soak-"))
        folder.mkdir(parents=True, exist_ok=True)
        say(f"seed {seed + number}, in {folder}")
        plan = Plan.of(seed + number, given.sessions, given.kills, streams, given.features, given.resumes)
        report = run(plan, folder, say)
        for line in report.lines():
            say(line)
        if report.differences:
            return 1
        if not given.keep:
            shutil.rmtree(folder)
    return 0


def _parser() -> argparse.ArgumentParser:
    known = "".join(f"\n  {name:9} {what}" for name, what in FEATURES.items())
    parser = argparse.ArgumentParser(
        prog="python -m tests.system.harness",
        description="Kill both services again and again, and compare everything with the truth.",
        epilog=f"features:{known}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--sessions", type=int, default=200)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=None, help="of the first run; the next one has the next")
    parser.add_argument("--runs", type=int, default=1, help="one after the other, until one differs")
    parser.add_argument(
        "--features", type=_features, default=ALL, help="with commas: only these; with a minus before each: all but"
    )
    parser.add_argument("--resumes", choices=get_args(Resumes), default="auto", help="how CXone goes on after a break")
    parser.add_argument("--streams", type=Path, help="JSON lines whose `tokens` become the sessions' answers")
    parser.add_argument("--keep", type=Path, help="a folder to work in, which stays")
    return parser


def _features(text: str) -> frozenset[str]:
    """`away,plain`: these alone; `-disk,-console`: all but these; `none`."""
    names = [name for name in text.split(",") if name and name != "none"]
    if unknown := [name for name in names if name.removeprefix("-") not in FEATURES]:
        raise argparse.ArgumentTypeError(f"no feature {unknown[0]!r}: there are {', '.join(FEATURES)}")
    without = frozenset(name[1:] for name in names if name.startswith("-"))
    return (ALL - without) if without else frozenset(names)


if __name__ == "__main__":
    sys.exit(main())
