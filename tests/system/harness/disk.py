"""A disk of the data directory's own, which is full now and then.

Rules
- It is a tmpfs that shrinks to what it holds and grows again: the services get the system's own ENOSPC. That needs the
  right to mount; where it is missing there is no such disk, and the report says so.
- A period is a few seconds, so that what is kept back (`log.reserve_bytes`) is enough for what is under way.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import time
from pathlib import Path
from typing import Final

SIZE: Final = 512 << 20
RESERVE: Final = 4 << 20
FORGIVEN: Final = 10.0
"""Seconds after a period in which a service may still end because of it."""


class Disk:
    """The folder `path` as a small disk. `close` leaves its files there, on the disk that it hides."""

    def __init__(self, path: Path, rng: random.Random) -> None:
        self.path = path
        self.periods = 0
        self._rng = random.Random(rng.random())
        self._full_until: float | None = None
        self._next = time.monotonic() + self._rng.uniform(3, 6)
        self._was_full = 0.0
        path.mkdir(parents=True, exist_ok=True)
        self.mounted = not _mount("-t", "tmpfs", "-o", f"size={SIZE}", "tokenweir-harness", str(path))

    @property
    def excuses(self) -> bool:
        """Whether a service that ends by itself now may do so for want of room."""
        return self._full_until is not None or time.monotonic() - self._was_full < FORGIVEN

    def step(self) -> None:
        now = time.monotonic()
        if not self.mounted:
            return
        if self._full_until is not None:
            if now >= self._full_until:
                self.make_room()
                self._next = now + self._rng.uniform(8, 20)
        elif now >= self._next and self._fill():
            self.periods += 1
            self._full_until = now + self._rng.uniform(1, 3)

    def make_room(self) -> None:
        if self._full_until is not None:
            _mount("-o", f"remount,size={SIZE}", str(self.path))
            self._full_until, self._was_full = None, time.monotonic()

    def close(self) -> None:
        if not self.mounted:
            return
        self.make_room()
        kept = self.path.with_name(f".{self.path.name}.kept")
        shutil.copytree(self.path, kept, dirs_exist_ok=True)
        subprocess.run(["umount", "--lazy", str(self.path)], check=True)
        self.mounted = False
        shutil.copytree(kept, self.path, dirs_exist_ok=True)
        shutil.rmtree(kept)

    def _fill(self) -> bool:
        """Shrink it to what it holds; False where that moved on meanwhile."""
        state = os.statvfs(self.path)
        return not _mount("-o", f"remount,size={(state.f_blocks - state.f_bfree) * state.f_frsize}", str(self.path))


def _mount(*arguments: str) -> int:
    if shutil.which("mount") is None:
        return 1
    return subprocess.run(["mount", *arguments], capture_output=True, check=False).returncode
