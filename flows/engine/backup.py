"""A copy of a data directory that a job can be started on, made while jobs run on it or not.

Rules
- What is copied later may know more than what was copied before it, never less: the recovery stores first, then the
  journals, the logs, the spool, the database. So the copy is as after a kill at the moment of the first, with some of
  the log ahead: the flow says again what it said, and every part knows what it has already.
- A store is copied by SQLite's own means, which give one moment of it. The logs' files are opened before that and read
  after it, so that none can go in between. A journal that is merged meanwhile is copied again. Whole lines only.
- The database is held open for reading while it is copied, which keeps landers out; what they landed before is in it,
  and in the spool's copy perhaps too, where the ledger hides it.
- It is made beside the target and put in its place when all is synced: whole or not at all. Files are 0600.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import duckdb

from connectors.disk import private
from connectors.disk.durable import sync_path
from connectors.errors import DataDirError
from connectors.log.files import FOLD
from connectors.metrics.database import FILE as DATABASE
from connectors.metrics.database import held_open
from flows.engine import store
from flows.engine.checks import JOURNALS, journals

MAX_TRIES = 100
"""Of what changes while it is copied: a journal is merged once in 16 MB of messages, the spool landed every 5 s."""

_PIECE = 1 << 20


def backup(data_dir: Path, target: Path) -> None:
    """Copy a data directory to `target`, which must not be there. Raises DataDirError."""
    if not data_dir.is_dir():
        raise DataDirError(f"{data_dir} is no directory; give the one that --data-dir named")
    if target.exists():
        raise DataDirError(f"{target} is there already; give a folder that is to be made")
    partial = target.with_name(f".{target.name}.partial")
    try:
        with private.created():
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            _copy(data_dir, partial)
            _sync(partial)
            partial.rename(target)
    except (OSError, sqlite3.Error, duckdb.Error) as error:
        shutil.rmtree(partial, ignore_errors=True)
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error).splitlines()[0]
        raise DataDirError(f"{data_dir} cannot be copied to {target}: {reason}") from None


def _copy(source: Path, target: Path) -> None:
    with ExitStack() as held:
        logs = [(folder, _hold(folder, held)) for folder in sorted((source / "log").glob("[!.]*")) if folder.is_dir()]
        for path in sorted((source / "recovery").glob("[!.]*")):
            _copy_store(path, target / "recovery" / path.name)
        for name in (*JOURNALS.values(), "callers"):
            _copy_journals(source / name, target / name)
        for folder, files in logs:
            _copy_log(folder, files, target / "log" / folder.name)
    _copy_metrics(source, target)


def _hold(folder: Path, held: ExitStack) -> dict[str, BinaryIO]:
    """The log's files and folds, open: they are there to be read whatever is removed."""
    files: dict[str, BinaryIO] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix in (".jsonl", FOLD):
            with contextlib.suppress(FileNotFoundError):
                files[path.name] = held.enter_context(path.open("rb"))
    return files


def _copy_store(path: Path, target: Path) -> None:
    """A lane's recovery store, or the versions beside it."""
    if not path.is_dir():
        _write(target, path.read_bytes())
        return
    target.mkdir(parents=True)
    if (path / store.FILE).exists():
        with (
            contextlib.closing(sqlite3.connect(f"file:{path / store.FILE}?mode=ro", uri=True)) as database,
            contextlib.closing(sqlite3.connect(target / store.FILE)) as copy,
        ):
            database.backup(copy)


def _copy_journals(source: Path, target: Path) -> None:
    """Every segment of every lane, and whatever else is kept beside them."""
    for path in sorted(source.glob("[!.]*")):
        if path.suffix not in (".jsonl", ".lock", ".tmp"):
            _write(target / path.name, path.read_bytes())
    for name in journals(source) if source.is_dir() else ():
        for _ in range(MAX_TRIES):
            if _copy_journal(source, target, name):
                break
        else:
            raise DataDirError(f"{source / name} is merged faster than it can be copied; try again")


def _copy_journal(source: Path, target: Path, name: str) -> bool:
    """Copy one journal's segments from the oldest on; False where they were others at the end."""
    segments = journals(source).get(name, [])
    with ExitStack() as held:
        try:
            files = [(path, held.enter_context(path.open("rb"))) for _, path in segments]
        except FileNotFoundError:
            return False
        inodes = [os.fstat(file.fileno()).st_ino for _, file in files]
        for path, file in files:
            _write(target / path.name, _whole_lines(file.read()))
        try:
            same = [path.stat().st_ino for _, path in journals(source).get(name, [])] == inodes
        except FileNotFoundError:
            same = False
    if not same:
        for path, _ in files:
            (target / path.name).unlink()
    return same


def _copy_log(folder: Path, files: dict[str, BinaryIO], target: Path) -> None:
    """What was held, then what was begun since, up to what the newest has by then."""
    with ExitStack() as held:
        since = {name: file for name, file in _hold(folder, held).items() if name not in files}
        for name, file in sorted({**files, **since}.items()):
            with _created(target / name) as out:
                while piece := file.read(_PIECE):
                    out.write(piece)
        newest = max((name for name in {**files, **since} if name.endswith(".jsonl")), default=None)
        if newest is not None:
            with (target / newest).open("rb+") as out:
                out.truncate(len(_whole_lines(out.read())))
        for path in sorted((folder / "lists").glob("[!.]*")):
            _write(target / "lists" / path.name, path.read_bytes())


def _copy_metrics(source: Path, target: Path) -> None:
    copied: set[str] = set()
    for _ in range(MAX_TRIES):
        vanished = False
        for path in sorted((source / "spool").glob("*.parquet")):
            if path.name not in copied:
                try:
                    _write(target / "spool" / path.name, path.read_bytes())
                    copied.add(path.name)
                except FileNotFoundError:  # landed meanwhile, so there are newer ones
                    vanished = True
        if not vanished:
            break
    if not (source / DATABASE).exists():
        return
    with held_open(source):
        for name in (DATABASE, f"{DATABASE}.wal"):
            if (source / name).exists():
                with (source / name).open("rb") as file, _created(target / name) as out:
                    shutil.copyfileobj(file, out, _PIECE)


def _whole_lines(data: bytes) -> bytes:
    return data[: data.rfind(b"\n") + 1]


@contextlib.contextmanager
def _created(path: Path) -> Iterator[BinaryIO]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        yield file


def _write(path: Path, data: bytes) -> None:
    with _created(path) as file:
        file.write(data)


def _sync(folder: Path) -> None:
    """Have all of it on disk."""
    for path in (*folder.rglob("*"), folder):
        sync_path(path)
