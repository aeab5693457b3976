"""A lock on a file or a folder: one process at a time has it, for as long as it lives.

Rules
- The kernel keeps it (flock), and lets go when the process dies: nothing is left to be cleaned up.
- It is on the inode, not on the name: who deletes a lock's file and makes another has a lock of his own. So the holder
  asks `check` before it goes on: a file that is gone is made and locked again, and one that is another's ends the
  holding. A lock on a folder goes only with what is in it.
- Some file systems (NFS) cannot lock a folder: then `take` gives a lock that holds nothing back; use a file beside it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from pathlib import Path

_NOT_HERE = (errno.EBADF, errno.EINVAL, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP)


class Lock:
    """A lock that is held; `take` gives it. `close` it to let go."""

    def __init__(self, path: Path, fd: int) -> None:
        self._path = path
        self._fd = fd

    @classmethod
    def take(cls, path: Path, *, shared: bool = False) -> Lock | None:
        """The lock, or None where another has it. Raises OSError.

        A file is made (0600) where there is none, but for a shared lock, which only needs to read it.
        """
        while True:
            fd = _open(path, shared)
            try:
                fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(fd)
                return None
            except OSError as error:
                if error.errno not in _NOT_HERE or not path.is_dir():
                    os.close(fd)
                    raise
            lock = cls(path, fd)
            if lock._is_in_place():
                return lock
            lock.close()  # it was deleted between the two

    def check(self) -> bool:
        """Whether it still holds others back."""
        if self._fd < 0:
            return False
        if self._is_in_place():
            return True
        if self._path.exists() or not self._path.parent.is_dir() or _is_folder(self._fd):
            return False
        with contextlib.suppress(OSError):
            if (again := Lock.take(self._path)) is not None:
                os.close(self._fd)
                self._fd = again._fd
                return True
        return False

    def close(self) -> None:
        """Let go. Idempotent."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _is_in_place(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self._fd), self._path.stat())
        except OSError:
            return False


def is_held(path: Path) -> bool:
    """Whether a process holds it alone; asked with a shared lock that is let go of at once."""
    try:
        lock = Lock.take(path, shared=True)
    except OSError:
        return False
    if lock is not None:
        lock.close()
    return lock is None


def _open(path: Path, shared: bool) -> int:
    if shared or path.is_dir():
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _is_folder(fd: int) -> bool:
    return stat.S_ISDIR(os.fstat(fd).st_mode)
