"""Searches at random for a text that moderation reads otherwise in other pieces; as the property does, but faster.

    python -m tests.properties.moderation_search [--examples 1000000] [--seed 1] [--policy NAME]

Prints each text that fails, made shorter, with its pieces and its policy's name, and ends with 1 if there was one.
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
import time
from collections.abc import Sequence

from flows.moderation import Policy
from flows.moderation.policy import OPT_IN_TYPES
from tests.properties.moderation_texts import POLICIES, check, cut, text_of

FAILURES = 20
"""So many, and the search ends."""
TELL = 20_000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--policy", action="append", choices=POLICIES)
    args = parser.parse_args()
    names = args.policy or list(POLICIES)
    weights = [1 / (1 + _slow(POLICIES[name])) for name in names]
    rng = random.Random(args.seed)
    started = time.monotonic()
    failed = 0
    for count in range(1, args.examples + 1):
        name = rng.choices(names, weights)[0]
        text = text_of(rng)
        pieces = cut(rng, text)
        try:
            check(POLICIES[name], text, pieces)
        except Exception as error:
            failed += 1
            _, pieces = shrunk(POLICIES[name], text, pieces)
            _tell(f"{type(error).__name__}: policy {name!r}, pieces {pieces!r}")
            if failed == FAILURES:
                break
        if count % TELL == 0:
            _tell(f"{count} examples in {time.monotonic() - started:.0f} s, {failed} failed")
    _tell(f"{count} examples, {failed} failed")
    return 1 if failed else 0


def _tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _slow(policy: Policy) -> int:
    """How many detectors of the policy are on RE2, which makes most of a text's time: of those, fewer are tried."""
    return len(policy.patterns) + sum(name in OPT_IN_TYPES for name in policy.pii)


def shrunk(policy: Policy, text: str, pieces: Sequence[str]) -> tuple[str, list[str]]:
    """A shorter text that fails, too, and its pieces."""

    def cuts(pieces: Sequence[str]) -> list[int]:
        return list(itertools.accumulate(map(len, pieces)))[:-1]

    def fails(text: str, at: Sequence[int]) -> bool:
        try:
            check(policy, text, [text[a:b] for a, b in itertools.pairwise((0, *at, len(text)))])
        except Exception:
            return True
        return False

    at = cuts(pieces)
    if fails(text, []):
        at = []
    size = max(1, len(text) // 2)
    while size:
        i = 0
        while i < len(text):
            less = text[:i] + text[i + size :]
            moved = [a if a <= i else max(i, a - size) for a in at]
            if fails(less, moved):
                text, at = less, moved
            else:
                i += size
        size //= 2
    for a in list(at):
        fewer = [b for b in at if b != a]
        if fails(text, fewer):
            at = fewer
    return text, [text[a:b] for a, b in itertools.pairwise((0, *at, len(text)))]


if __name__ == "__main__":
    sys.exit(main())
