"""The ids of a turn's frames: enough to tell one that comes again from a new one.

Rules
- Ids that count on, as `ctx-17` and `ctx-18` do, are one run, however many: its prefix, first and last number. Of any
  other id 64 bits of a hash are kept. An epoch writes them for every open turn, so they are to be short.
- The latest `MAX_RUNS` runs and `MAX_SINGLE` other ids are remembered.
- An id of more than `MAX_COUNTED` characters counts nothing, and so does a number of more than 18 digits.
- Ids may count the turn's tokens (`ctx-4`, `ctx-8` behind four tokens each). They do where every step did, and one was
  of several tokens or none of them would differ from a count of frames.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any, NamedTuple

MAX_RUNS = 512
MAX_SINGLE = 4_096
MAX_COUNTED = 200
LAST_COUNTED = 10**18 - 1

_HASH_BYTES = 8
_COUNTED = re.compile(r"(.*?)(0|[1-9][0-9]{0,17})", re.DOTALL)


class IdRun(NamedTuple):
    """Ids that count on, one by one."""

    prefix: str
    first: int
    last: int


class Ids:
    """Ids in the order in which they came."""

    def __init__(self) -> None:
        self._runs: list[tuple[str, int, int]] = []
        self._single: dict[bytes, None] = {}
        self._hashes = bytearray()  # the same, one behind the other, as the snapshot wants them

    def __contains__(self, frame_id: str) -> bool:
        counted = _counted(frame_id)
        if counted and any(prefix == counted[0] and first <= counted[1] <= last for prefix, first, last in self._runs):
            return True
        return _hash(frame_id) in self._single

    def add(self, frame_id: str) -> bool:
        """Remember an id; False if it was known."""
        counted = _counted(frame_id)
        prefix, first, last = self._runs[-1] if self._runs else ("", 0, 0)
        counts_on = bool(self._runs) and counted == (prefix, last + 1)
        if not (counts_on and self._is_one_run) and frame_id in self:
            return False
        if counts_on:
            self._runs[-1] = (prefix, first, last + 1)
        elif counted:
            self._begin_run(*counted)
        else:
            self._add_single(frame_id)
        return True

    def go_on(self, run: IdRun) -> bool:
        """Remember a run of which the first id was added just now, where it goes on from what came; else False."""
        if not self._is_one_run or self._runs[-1][::2] != (run.prefix, run.first):
            return False
        self._runs[-1] = (run.prefix, self._runs[-1][1], run.last)
        return True

    def clear(self) -> None:
        self._runs.clear()
        self._single.clear()
        self._hashes.clear()

    def snapshot(self) -> tuple[Any, ...]:
        return (self._runs.copy(), bytes(self._hashes))

    def restore(self, data: tuple[Any, ...]) -> None:
        runs, hashes = data
        self._runs += runs
        self._hashes += hashes
        self._single = dict.fromkeys(hashes[at : at + _HASH_BYTES] for at in range(0, len(hashes), _HASH_BYTES))

    @property
    def _is_one_run(self) -> bool:
        """Nothing else could hold an id that counts on, so none need be looked for."""
        return len(self._runs) == 1 and not self._single

    def _begin_run(self, prefix: str, number: int) -> None:
        if self._runs and self._runs[-1][1] == self._runs[-1][2]:  # nothing counted on from it
            before, alone, _ = self._runs.pop()
            self._add_single(f"{before}{alone}")
        self._runs.append((prefix, number, number))
        if len(self._runs) > MAX_RUNS:
            del self._runs[0]

    def _add_single(self, frame_id: str) -> None:
        hashed = _hash(frame_id)
        self._single[hashed] = None
        self._hashes += hashed
        if len(self._single) > MAX_SINGLE:
            del self._single[next(iter(self._single))], self._hashes[:_HASH_BYTES]


class TokenCount:
    """Ids that say how many of the turn's tokens have come.

    tokens  let through so far
    """

    def __init__(self) -> None:
        self.tokens = 0
        self._last: tuple[str, int, int] | None = None
        self._counts = True
        self._proved = False

    def feed(self, frame_id: str | None, tokens: int) -> None:
        """So many tokens were let through; `frame_id` where theirs is another id than the one before."""
        self.tokens += tokens
        if frame_id is None or not self._counts:
            return
        counted, before = _counted(frame_id), self._last
        if counted is None or (before and counted[0] != before[0]):
            self.refute()
            return
        if before is not None:
            step, came = counted[1] - before[1], self.tokens - before[2]
            self._counts = step == came
            self._proved = self._counts and (self._proved or step > 1)
        self._last = (*counted, self.tokens)

    def go_on(self, run: IdRun) -> None:
        """A token under each id of a run; the first of them was fed."""
        self.tokens += run.last - run.first
        if self._counts:
            self._last = (run.prefix, run.last, self.tokens)

    def end_of(self, frame_id: str | None) -> int | None:
        """How many of the turn's tokens have come at the end of this id's frame; None where ids do not say."""
        counted = _counted(frame_id) if frame_id is not None and self._proved else None
        if counted is None or self._last is None or counted[0] != self._last[0]:
            return None
        return counted[1] - self._last[1] + self._last[2]

    def refute(self) -> None:
        """They count something else."""
        self._counts, self._proved, self._last = False, False, None

    @property
    def proved(self) -> bool:
        return self._proved

    def snapshot(self) -> tuple[Any, ...]:
        return (self.tokens, self._last, self._counts, self._proved)

    def restore(self, data: tuple[Any, ...]) -> None:
        self.tokens, self._last, self._counts, self._proved = data


def count_on(ids: Sequence[str | None]) -> IdRun | None:
    """The run that these ids are; None if they are none."""
    counted = _counted(ids[0]) if ids[0] is not None and len(ids) > 1 else None
    if counted is None or counted[1] > LAST_COUNTED - len(ids):
        return None
    prefix, first = counted
    if any(each != f"{prefix}{number}" for number, each in enumerate(ids, first)):
        return None
    return IdRun(prefix, first, first + len(ids) - 1)


def follows(last: str | None, frame_id: str | None) -> bool:
    """Whether an id counts on from the last one: `ctx-18` after `ctx-17`."""
    before, after = _counted(last or ""), _counted(frame_id or "")
    return before is not None and after is not None and after == (before[0], before[1] + 1)


@lru_cache(maxsize=4)  # several ask in turn of the same frame
def _counted(frame_id: str) -> tuple[str, int] | None:
    """An id as a prefix and a number; None if it ends in none."""
    match = _COUNTED.fullmatch(frame_id) if len(frame_id) <= MAX_COUNTED else None
    return (match[1], int(match[2])) if match else None


def _hash(frame_id: str) -> bytes:
    return blake2b(frame_id.encode(errors="surrogatepass"), digest_size=_HASH_BYTES).digest()
