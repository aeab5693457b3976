"""A data directory is for its own user alone: files 0600, folders 0700, whatever the umask.

Rules
- While a job runs, the process's umask is 077: SQLite and DuckDB make files of their own, and ask nobody.
- What others may read is closed to them at the start: an earlier version, or a copy, may have left it open.
- Only what is ours in the directory is touched.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

UMASK = 0o077
FOLDERS = ("log", "recovery", "delivery", "callers", "spool")
FILES = ("metrics.duckdb", "metrics.duckdb.wal", "metrics.gate", "lander.lock")


@contextlib.contextmanager
def created() -> Iterator[None]:
    """What the process makes meanwhile is its user's alone."""
    before = os.umask(UMASK)
    try:
        yield
    finally:
        os.umask(before)


def ours(data_dir: Path, more: Iterable[str]) -> Iterator[Path]:
    """Every file and folder of ours in a data directory, each folder before what is in it; `more` names folders."""
    for name in FILES:
        if (path := data_dir / name).exists():
            yield path
    for name in (*FOLDERS, *more):
        for folder, _, files in os.walk(data_dir / name):
            yield Path(folder)
            yield from (Path(folder) / file for file in sorted(files))


def open_to_others(data_dir: Path, more: Iterable[str]) -> Iterator[Path]:
    """What of it others may read, write or enter."""
    for path in ours(data_dir, more):
        with contextlib.suppress(FileNotFoundError):  # removed meanwhile
            if stat.S_IMODE(path.stat().st_mode) & UMASK:
                yield path


def close_to_others(data_dir: Path, more: Iterable[str]) -> None:
    """Take others' rights away. What belongs to somebody else stays as it is."""
    for path in list(open_to_others(data_dir, more)):
        with contextlib.suppress(FileNotFoundError, PermissionError):
            path.chmod(stat.S_IMODE(path.stat().st_mode) & ~UMASK)
