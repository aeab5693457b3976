"""Checks a data directory and says what a start would do with it. Changes nothing, and needs no settings.

Rules
- What a start looks at itself is in flows/engine/checks.py; here is what takes longer: every line of log and journals,
  and the database.
- It only reads, takes no lock, and may run beside a job; then torn ends, open turns and what waits are that job's.
- Where a finding names a file it never quotes what is in it.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Collection, Container, Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import msgspec

from connectors.delivery.history import History
from connectors.delivery.outbox import Outbox
from connectors.delivery.recall import recall
from connectors.delivery.segment import measure
from connectors.disk import private
from connectors.disk.lock import is_held
from connectors.errors import DataDirError, InputError
from connectors.log.clock import MAX_SKEW
from connectors.log.files import FOLD, LogReader
from connectors.log.records import SECOND
from connectors.log.turns import READABLE, Turns
from connectors.vendors import registry
from flows.engine import store
from flows.engine.checks import JOURNALS, Finding, journals, of_lane

LOW_DISK = 64 << 20
TEXT = ("log", "recovery", *JOURNALS.values(), "callers")
"""What holds text of customers and models; see "Privacy" in docs/operations.md."""


def examine(data_dir: Path, desktops: Collection[str] | None = None) -> list[Finding]:
    """Everything found. `desktops` are those of the settings, where they are known.

    Raises DataDirError where there is no such directory.
    """
    if not data_dir.is_dir():
        raise DataDirError(f"{data_dir} is no directory; give the one that --data-dir named")
    findings: list[Finding] = []
    names = {path.name for part in ("log", "recovery") for path in (data_dir / part).glob("[!.]*") if path.is_dir()}
    if not names:
        findings.append(Finding("note", "log", "no log: a start begins again"))
    for lane in sorted(names):
        refusals = [each for each in of_lane(data_dir, lane) if each not in findings]
        told = {each.what for each in refusals}
        findings += refusals
        findings += (each for each in _lane(data_dir, data_dir / "log" / lane) if each.what not in told)
    for name in (*JOURNALS.values(), "callers"):
        told = {each.what for each in findings}
        findings += _journals(data_dir, data_dir / name, told, desktops if name == "delivery" else None)
    findings += _metrics(data_dir)
    findings += _rights(data_dir)
    findings += _space(data_dir)
    return findings


def _lane(data_dir: Path, folder: Path) -> Iterator[Finding]:
    where = str(folder.relative_to(data_dir))
    if is_held(folder) or is_held(folder / "lock"):
        yield Finding("note", where, "a job runs on it now")
    yield from _store(data_dir, folder.name)
    try:
        reader = LogReader(folder)
    except InputError as error:
        if any(folder.glob("*.jsonl")):
            yield Finding("error", where, str(error), refused=True)
        return
    torn = _torn_bytes(reader.files[-1][1])
    if torn:
        yield Finding("note", where, f"the last line is torn: a start cuts {torn} bytes off")
    for _, path in reader.files:
        kept = path.with_suffix(FOLD)
        if kept.exists() and not _is_fold(kept):
            yield Finding("note", str(kept.relative_to(data_dir)), "unreadable fold: a start reads more of the log")
    vendor = registry.known().get(reader.header.vendor)
    turns = Turns(reads=vendor.decoder if vendor else None)
    records = 0
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
        yield Finding("error", where, str(error))
        return
    yield Finding("ok", where, f"{len(reader.files)} files of {reader.header.vendor}, {records} records")
    if turns.open:
        asked = [turn for turn in turns.open.values() if not turn.whole]
        going_on = sum(turn.continuation_id is not None or not turn.said for turn in asked)
        cut = len(turns.open) - going_on
        yield Finding(
            "note", where, f"{len(turns.open)} turns are open: a start asks for the rest of {going_on} and ends {cut}"
        )
    yield from _clock(reader, turns.last)


def _store(data_dir: Path, lane: str) -> Iterator[Finding]:
    folder = store.folder_of(data_dir, lane)
    try:
        store.states(folder, thorough=True)
    except DataDirError as error:
        yield Finding("error", str(folder.relative_to(data_dir)), str(error), refused=True)


def _clock(reader: LogReader, last: int | None) -> Iterator[Finding]:
    """Log time against this machine's clock."""
    if last is None:
        return
    ahead = reader.created.timestamp() + last / SECOND - time.time()
    if ahead * SECOND > MAX_SKEW:
        yield Finding(
            "note",
            str(Path("log") / reader.path.name),
            f"log time is {ahead:.0f} s ahead of this machine's clock, which must have been set back: new turns are "
            "dated by the clock as it is now; see that it is right",
        )


def _journals(
    data_dir: Path, folder: Path, told: Container[str], desktops: Collection[str] | None
) -> Iterator[Finding]:
    for name, segments in journals(folder).items():
        where = str((folder / name).relative_to(data_dir))
        try:
            yield from _journal(where, name.removeprefix("delivery-"), folder.name, dict(segments), desktops)
        except DataDirError as error:
            if str(error) not in told:
                yield Finding("error", where, str(error), refused=True)
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
        if kind != "delivery":
            yield Finding("note", where, f"{count} updates for the vendor wait{since}: a start sends them")
        elif desktops is None or to in desktops:
            yield Finding("note", where, f"{count} messages wait for the desktop {to!r}{since}: a start sends them")
        else:
            what = f"{count} messages wait for the desktop {to!r}{since}, and the settings have no such desktop"
            yield Finding("error", where, f"{what}: add [desktops.{to}], and the next start sends them")


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
                "error", "spool/unreadable", f"{len(unreadable)} files could not be landed: the disk is failing"
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
            yield Finding("error", "metrics.duckdb", "it cannot be read; restore it, or move it away for a new one")
    except duckdb.Error:
        yield Finding("error", "metrics.duckdb", "it is no database of ours; restore it, or move it away for a new one")


def _rights(data_dir: Path) -> Iterator[Finding]:
    """What others may read: a start closes it to them, but until then it is open."""
    parts: dict[str, list[str]] = {}
    for path in private.open_to_others(data_dir, registry.journals().values()):
        where = path.relative_to(data_dir)
        parts.setdefault(where.parts[0], []).append(str(where))
    for part, paths in parts.items():
        more = f", and {len(paths) - 1} more" if len(paths) > 1 else ""
        if part in TEXT:
            what = "others may read it, and it holds customers' text; chmod -R go= it (a start does so, too)"
            yield Finding("error", paths[0] + more, what)
        else:
            yield Finding("note", paths[0] + more, "others may read it until the next start")


def _space(data_dir: Path) -> Iterator[Finding]:
    free = shutil.disk_usage(data_dir).free
    if free < LOW_DISK:
        yield Finding("error", ".", f"{free >> 20} MB are free on the disk: sessions may be refused; make room")
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
