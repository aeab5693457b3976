"""Disk space kept back, so that what is under way can end when the disk is full.

Rules
- A file of `size` bytes that are really allocated. When a write finds no space, it is removed and the write tried
  again: running sessions go on, and no new ones are taken (`released`) until it could be put back.
- It is put back when four times its size is free.
- `guard` frees it before the disk is full: the recovery store is not ours, and ends the process when a write fails.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
from pathlib import Path

from connectors.disk.durable import reserve_space

log = logging.getLogger(__name__)


class Reserve:
    """One data directory's reserve; `size` 0 is none. Nothing here raises OSError."""

    def __init__(self, path: Path, size: int) -> None:
        self.released = False
        self.releases = 0
        self._path = path
        self._size = size

    def hold(self) -> None:
        """Have the file, if there is room for it. Call it at start, and now and then."""
        if not self._size or (self._path.exists() and not self.released):
            return
        try:
            if shutil.disk_usage(self._path.parent).free < 4 * self._size:
                return
            fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                reserve_space(fd, self._size)
            finally:
                os.close(fd)
        except OSError:
            self._path.unlink(missing_ok=True)
            return
        if self.released:
            log.warning("there is room on the disk again: sessions are taken")
        self.released = False

    def guard(self) -> None:
        """Free the reserve when less than half its size is left beside it. Call it before each snapshot."""
        if not self._size or self.released:
            return
        with contextlib.suppress(OSError):
            if shutil.disk_usage(self._path.parent).free < self._size // 2:
                self.release()

    def release(self) -> bool:
        """A write found no space: free the reserve. True if that is worth another try."""
        if not self._size:
            return False
        held = self._path.exists()
        self._path.unlink(missing_ok=True)
        if not self.released:
            self.releases += 1
            log.error("the disk of %s is full: no new sessions are taken until there is room", self._path.parent)
        self.released = True
        return held
