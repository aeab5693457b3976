"""Checks a data directory and says what a start would do with it. Changes nothing, and needs no settings.

Rules
- Every finding is of a level: `ok`, `note` (a start deals with it by itself) or `mend` (a start would be refused, or
  would lose something; the finding says the remedy).
- It only reads, takes no lock, and may run beside a job; then torn ends, open turns and what waits are that job's.
- Where a finding names a file it never quotes what is in it.
"""

from __future__ import annotations

import io
import os
import pickle
import re
import shutil
import sqlite3
import stat
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import duckdb
import msgspec

from connectors.errors import DataDirError, InputError
from connectors.history import History
from connectors.lock import is_held
from connectors.log import FOLD, LogReader, Position
from connectors.outbox import Outbox
from connectors.recall import recall
from connectors.segment import measure
from connectors.turns import READABLE, Turns
from flows import store

Level = Literal["ok", "note", "mend"]

LOW_DISK = 64 << 20
JOURNAL = re.compile(r"(delivery-.+)-(\d{8,})\.jsonl")
FOLDERS = ("log", "recovery", "delivery", "dialog", "callers", "spool")
PRIVATE = ("log", "delivery", "dialog", "callers")


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at. `where` is a path inside the data directory."""

    level: Level
    where: str
    what: str


def examine(data_dir: Path, desktops: Collection[str] | None = None) -> list[Finding]:
    """Everything found. `desktops` are those of the settings, where they are known.

    Raises DataDirError where there is no such directory.
    """
    if not data_dir.is_dir():
        raise DataDirError(f"{data_dir} is no directory; give the one that --data-dir named")
    findings: list[Finding] = []
    lanes = sorted(path for path in (data_dir / "log").glob("*") if path.is_dir())
    if not lanes:
        findings.append(Finding("note", "log", "no log: a start begins anew"))
    for folder in lanes:
        findings += _lane(data_dir, folder)
    for name in ("delivery", "dialog", "callers"):
        findings += _journals(data_dir, data_dir / name, desktops if name == "delivery" else None)
    findings += _metrics(data_dir)
    findings += _rights(data_dir)
    findings += _space(data_dir)
    return findings


def _lane(data_dir: Path, folder: Path) -> Iterator[Finding]:
    where = str(folder.relative_to(data_dir))
    if is_held(folder) or is_held(folder / "lock"):
        yield Finding("note", where, "a job runs on it now")
    try:
        reader = LogReader(folder)
    except InputError as error:
        yield Finding("mend", where, str(error))
        return
    numbers = [number for number, _ in reader.files]
    if numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        yield Finding("mend", where, "a file in the middle is missing; restore it, or its sessions have gaps")
    torn = _torn_bytes(reader.files[-1][1])
    if torn:
        yield Finding("note", where, f"the last line is torn: a start cuts {torn} bytes off")
    for _, path in reader.files:
        kept = path.with_suffix(FOLD)
        if kept.exists() and not _is_fold(kept):
            yield Finding("note", str(kept.relative_to(data_dir)), "unreadable fold: a start reads more of the log")
    turns = Turns()
    end, records = reader.begin(), 0
    kept_fold, begin = reader.fold(reader.end())
    if kept_fold is not None and kept_fold.get("version") in READABLE:
        turns.restore(kept_fold)
    elif kept_fold is not None:
        begin = reader.begin()
    try:
        for record, end in reader.read():
            records += 1
            if end > begin:
                turns.feed(record)
    except InputError as error:
        yield Finding("mend", where, str(error))
        return
    yield Finding("ok", where, f"{len(numbers)} files of {reader.header.vendor}, {records} records")
    if turns.open:
        going_on = sum(turn.continuation_id is not None or not turn.frames for turn in turns.open.values())
        cut = len(turns.open) - going_on
        yield Finding(
            "note", where, f"{len(turns.open)} turns are open: a start asks for the rest of {going_on} and ends {cut}"
        )
    yield from _recovery(data_dir, folder.name, end)


def _recovery(data_dir: Path, lane: str, end: Position) -> Iterator[Finding]:
    """The store against the log: where the flow would go on."""
    folder = store.folder_of(data_dir, lane)
    where = str(folder.relative_to(data_dir))
    try:
        if found := store.differences(folder):
            yield Finding("mend", where, store.refusal(folder, found))
    except DataDirError as error:
        yield Finding("mend", where, str(error))
    parts = sorted(folder.glob("part-*.sqlite3"))
    if not parts:
        yield Finding("note", where, "no recovery store: a start reads the whole log again")
        return
    for path in parts:
        try:
            with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as snapshots:
                (verdict,) = snapshots.execute("PRAGMA quick_check(1)").fetchone()
                query = "SELECT ser_change FROM snaps WHERE step_id LIKE '%.read_log' ORDER BY snap_epoch DESC LIMIT 1"
                position = _position(snapshots.execute(query).fetchone())
        except sqlite3.Error as error:
            yield Finding("mend", where, f"{path.name} cannot be read ({error}); restore it, or move the folder away")
            continue
        if verdict != "ok":
            yield Finding("mend", where, f"{path.name} is damaged; restore it, or move the folder away")
        elif position is None:
            yield Finding("note", where, f"{path.name} holds no position: a start reads the whole log again")
        elif position > end:
            yield Finding(
                "mend", where, f"{path.name} is beyond the log's end: restore the log, or move the folder away"
            )
        else:
            yield Finding("ok", where, f"a start goes on at file {position.file}, byte {position.offset}")


def _position(row: tuple[bytes | None] | None) -> Position | None:
    """The source's newest snapshot, which holds plain data only."""
    try:
        state = _Plain(io.BytesIO(row[0])).load() if row and row[0] else None
        return Position(state["file"], state["offset"]) if state else None
    except (pickle.UnpicklingError, EOFError, KeyError, TypeError):
        return None


class _Plain(pickle.Unpickler):
    """Loads no class: what is in a store is not trusted."""

    def find_class(self, module_name: str, global_name: str) -> Any:
        raise pickle.UnpicklingError("not plain data")


def _journals(data_dir: Path, folder: Path, desktops: Collection[str] | None) -> Iterator[Finding]:
    lanes: dict[str, dict[int, Path]] = {}
    for path in sorted(folder.glob("*.jsonl")):
        if found := JOURNAL.fullmatch(path.name):
            lanes.setdefault(found[1], {})[int(found[2])] = path
    for name, segments in lanes.items():
        where = str((folder / name).relative_to(data_dir))
        try:
            yield from _journal(where, name.removeprefix("delivery-"), folder.name, segments, desktops)
        except DataDirError as error:
            yield Finding("mend", where, str(error))
        except FileNotFoundError:
            yield Finding("note", where, "a job begins a new segment now: ask again")


def _journal(
    where: str, lane: str, kind: str, segments: dict[int, Path], desktops: Collection[str] | None
) -> Iterator[Finding]:
    newest = segments[max(segments)]
    _, end = measure(newest)
    if torn := _torn_bytes(newest):
        yield Finding("note", where, f"the last line is torn: a start cuts {torn} bytes off")
    history = History(lane, segments, end)
    if kind == "callers":
        lines = sum(1 for _ in history.stored())
        yield Finding("ok", where, f"{len(segments)} segments, {lines} lines of what callers may read again")
        return
    outboxes: dict[str, Outbox] = {}
    oldest = recall(history, lambda to: outboxes.setdefault(to, Outbox()), 0.0)
    waiting = {to: outboxes[to].pending for to in oldest}
    yield Finding("ok", where, f"{len(segments)} segments, {sum(waiting.values())} messages to send")
    for to, count in waiting.items():
        since = f", the oldest since {_moment(oldest[to])}" if oldest[to] else ""
        if kind == "dialog":
            yield Finding("note", where, f"{count} updates of dialog variables wait{since}: a start sets them")
        elif desktops is None or to in desktops:
            yield Finding("note", where, f"{count} messages wait for the desktop {to!r}{since}: a start sends them")
        else:
            what = f"{count} messages wait for the desktop {to!r}{since}, and the settings have no such desktop"
            yield Finding("mend", where, f"{what}: add [desktops.{to}], and the next start sends them")


def _moment(at: int) -> str:
    return f"{datetime.fromtimestamp(at / 1_000_000, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _metrics(data_dir: Path) -> Iterator[Finding]:
    spool, database = data_dir / "spool", data_dir / "metrics.duckdb"
    if spool.is_dir():
        waiting = [path for path in spool.glob("*.parquet") if ".schema." not in path.name]
        unreadable = list((spool / "unreadable").glob("*"))
        yield Finding("ok", "spool", f"{len(waiting)} files wait to be landed")
        if unreadable:
            yield Finding(
                "mend", "spool/unreadable", f"{len(unreadable)} files could not be landed: the disk is failing"
            )
    if not database.exists():
        yield Finding("note", "metrics.duckdb", "no database: a start makes it")
        return
    try:
        with duckdb.connect(str(database), read_only=True) as connection:
            rows = connection.sql("SELECT count(*) FROM landed.turns").fetchall()[0][0]
            yield Finding("ok", "metrics.duckdb", f"{rows} turns landed")
    except duckdb.IOException as error:
        if "lock" in str(error).lower():
            yield Finding("note", "metrics.duckdb", "another process writes it now")
        else:
            yield Finding("mend", "metrics.duckdb", "it cannot be read; restore it, or move it away for a new one")
    except duckdb.Error:
        yield Finding("mend", "metrics.duckdb", "it is no database of ours; restore it, or move it away for a new one")


def _rights(data_dir: Path) -> Iterator[Finding]:
    """What others may read, and what this user may not write."""
    for name in FOLDERS:
        for path in sorted((data_dir / name).rglob("*")):
            mode = path.stat().st_mode
            ours = str(path.relative_to(data_dir))
            if not os.access(path, os.R_OK | os.W_OK):
                yield Finding("mend", ours, "this user may not write it; give it to the job's user")
            elif name in PRIVATE and stat.S_ISREG(mode) and mode & 0o077:
                yield Finding("mend", ours, "others may read it, and it holds customers' text; chmod 600 it")


def _space(data_dir: Path) -> Iterator[Finding]:
    free = shutil.disk_usage(data_dir).free
    if free < LOW_DISK:
        yield Finding("mend", ".", f"{free >> 20} MB are free on the disk: sessions may be refused; make room")
    else:
        yield Finding("ok", ".", f"{free >> 20} MB are free on the disk")


def _torn_bytes(path: Path) -> int:
    data = path.read_bytes()
    return len(data) - (data.rfind(b"\n") + 1)


def _is_fold(path: Path) -> bool:
    try:
        msgspec.json.decode(path.read_bytes())
    except msgspec.DecodeError:
        return False
    return True
