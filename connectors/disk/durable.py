"""What survives the machine: files that are whole or not there, data that is on disk, space that is really ours.

Rules
- A file that is to be whole is written beside its place, as `.NAME.partial`, synced, and renamed; what cannot be
  finished is removed. A killed process may leave a partial file: whoever writes that file next replaces it.
- macOS has neither `fdatasync` nor `posix_fallocate`, and some file systems cannot sync a folder: each of these has
  a stand-in here, and nothing else in tokenweir calls them.
- A disk is full where an error says so by one of `_FULL`: no space, no quota, or a limit of the file's own size.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_CANNOT = (errno.EINVAL, errno.EBADF, errno.ENOTSUP, errno.EOPNOTSUPP)
_PIECE = bytes(1 << 20)


def is_full(error: OSError) -> bool:
    """Whether a write failed for want of room, so that it may succeed when there is some."""
    return error.errno in _FULL


def write_all(fd: int, data: bytes) -> None:
    """`os.write` may write less than it is given."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def sync_data(fd: int) -> None:
    """Have a file's content on disk, and of what describes it only what is needed to read it."""
    sync: Callable[[int], None] = getattr(os, "fdatasync", os.fsync)
    sync(fd)


def sync_path(path: Path) -> None:
    """Have a file on disk; or a folder's entries, where the file system can do that."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in _CANNOT or not path.is_dir():
            raise
    finally:
        os.close(fd)


def reserve_space(fd: int, size: int) -> None:
    """Make the file `size` bytes long, with room for all of them. Raises OSError where there is none."""
    allocate: Callable[[int, int, int], None] | None = getattr(os, "posix_fallocate", None)
    if allocate is not None:
        try:
            return allocate(fd, 0, size)
        except OSError as error:
            if error.errno not in _CANNOT:
                raise
    os.lseek(fd, 0, os.SEEK_SET)
    for begin in range(0, size, len(_PIECE)):
        write_all(fd, _PIECE[: size - begin])
    return None


@contextlib.contextmanager
def replacing(paths: Sequence[Path]) -> Iterator[Sequence[IO[bytes]]]:
    """Files 0600 to write, which take the places of `paths` when the block ends without an error.

    All are on disk before the first takes its place.
    """
    partials = [partial(path) for path in paths]
    try:
        with contextlib.ExitStack() as opened:
            files = [opened.enter_context(os.fdopen(_create(each), "wb")) for each in partials]
            yield files
            for file in files:  # all are written before the first is synced: that mostly syncs the rest
                file.flush()
            for file in files:
                os.fsync(file.fileno())
        for each, path in zip(partials, paths, strict=True):
            each.replace(path)
    except BaseException:
        for each in partials:
            each.unlink(missing_ok=True)
        raise
    for folder in {path.parent for path in paths}:
        with contextlib.suppress(OSError):  # they have their places: a power cut may bring the old ones back, whole
            sync_path(folder)


@contextlib.contextmanager
def replaced(path: Path) -> Iterator[IO[bytes]]:
    """A file 0600 to write, which takes `path`'s place, whole and on disk, when the block ends without an error."""
    with replacing([path]) as (file,):
        yield file


def write_whole(path: Path, data: bytes) -> None:
    """Write a file 0600, whole or not at all, and have it on disk."""
    with replaced(path) as file:
        file.write(data)


def partial(path: Path) -> Path:
    """Where a file is written until it is whole."""
    return path.with_name(f".{path.name}.partial")


def _create(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
