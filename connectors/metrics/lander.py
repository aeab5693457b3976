"""The lander: moves whole segments from the spool into metrics.duckdb.

Rules
- One lander a data directory, elected by a lock on a file. The kernel lets go of it when a process dies,
  and the next lander takes over.
- It tries to open the database and skips its turn when readers have it. Nobody misses a row by that: the
  views show the spool's rows as well. While it is in, nobody reads; so it may remove files that globs see.
- Rows and the ledger move in one transaction; files are removed after it. Killed in between, the
  ledger already hides the files, and the next pass removes them.
- While a lane's writer runs (or has crashed) its PROVISIONAL newest segments stay, since they may be
  replayed. A lane that ended in order is landed whole.
- A lane's newest files stay in the spool, landed or not: they keep its numbers rising.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Self

import duckdb
import msgspec

from connectors.disk.lock import Lock
from connectors.errors import SettingsError
from connectors.fields import FieldError, check_range
from connectors.metrics.database import opened_for_landing, prepare, transaction
from connectors.metrics.segments import PROVISIONAL
from connectors.metrics.spool import Run, SegmentFile, Spool
from connectors.metrics.tables import RUNS, TABLES, Table, globbed, not_landed_sql, quoted

log = logging.getLogger(__name__)

_RETENTION_EVERY: Final = 3600.0
_LEAST_MEMORY: Final = 16_000_000
_UNITS: Final = {
    f"{letter}{i}b": base**n for i, base in (("", 1000), ("i", 1024)) for n, letter in enumerate("kmgt", 1)
}
_SIZE: Final = re.compile(rf"(\d+(?:\.\d+)?) *({'|'.join(_UNITS)})", re.IGNORECASE)


class LanderSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of the landing.

    interval      seconds between two passes
    patience      seconds that a pass tries to get at a file that readers hold
    max_files     files moved in one pass; more wait for the next, and readers get in between
    memory_limit  what DuckDB may use for a pass: a number and KB, MB, GB, KiB, MiB or GiB; at least 16MB
    retain_days   landed rows older than this are deleted, once an hour; None keeps them for ever
    """

    interval: float = 5.0
    patience: float = 0.5
    max_files: int = 1000
    memory_limit: str = "256MB"
    retain_days: float | None = None

    def __post_init__(self) -> None:
        check_range(self, "interval", above=0, unit="seconds")
        check_range(self, "patience", least=0, unit="seconds")
        check_range(self, "max_files", least=1)
        if _bytes(self.memory_limit) < _LEAST_MEMORY:
            raise FieldError("memory_limit", "should be a size of at least 16MB, such as 256MB or 1GiB")
        if self.retain_days is not None and not self.retain_days > 0:
            raise FieldError("retain_days", "should be more than 0, or left out to keep everything")


def _bytes(size: str) -> float:
    """What DuckDB takes a size for; 0 for what is none. (It takes -5MB and `none` for no limit at all.)"""
    parts = _SIZE.fullmatch(size.strip())
    return float(parts[1]) * _UNITS[parts[2].lower()] if parts else 0


class Plan(msgspec.Struct, frozen=True):
    """What one pass does: the files it lands and removes, how far each lane is landed then, and the
    (lane, after, before) whose segments are replayed although they were landed."""

    land: list[SegmentFile]
    remove: list[SegmentFile]
    ledger: dict[str, int]
    replayed: list[tuple[str, int, int]]


def plan(
    files: Sequence[SegmentFile],
    runs: Sequence[Run],
    ledger: Mapping[str, int],
    *,
    final: bool = False,
    max_files: int = 1000,
) -> Plan:
    """Decide on a pass. A core: it looks at names and at what the writers said, and touches nothing.

    files   the spool's files
    runs    what the writers said in those, in order
    ledger  lane -> the last segment landed
    """
    voids = [(r.lane, r.row.replays_after, r.segment) for r in runs if r.row.event == "begun"]
    ends = {r.lane: r.segment if r.row.event == "ended" else -1 for r in runs}
    lanes: dict[str, list[SegmentFile]] = defaultdict(list)
    remove: list[SegmentFile] = []
    for file in files:
        is_void = file.table != RUNS.name and any(
            file.lane == lane and after < file.segment < before for lane, after, before in voids
        )
        (remove if is_void else lanes[file.lane]).append(file)
    ready: list[SegmentFile] = []
    for lane, standing in lanes.items():
        numbers = sorted({file.segment for file in standing})
        ended = ends.get(lane, -1) >= numbers[-1]
        settled = numbers if final or ended else numbers[:-PROVISIONAL]
        if settled:
            ready += [f for f in standing if ledger.get(lane, 0) < f.segment <= settled[-1]]
    land: list[SegmentFile] = []
    for file in sorted(ready, key=lambda f: (f.segment, f.lane)):
        whole = not land or (file.lane, file.segment) != (land[-1].lane, land[-1].segment)
        if whole and len(land) >= max_files:
            break
        land.append(file)
    landed = {**ledger, **{file.lane: file.segment for file in land}}
    for lane, standing in lanes.items():
        newest = max(file.segment for file in standing)
        remove += [f for f in standing if f.segment <= landed.get(lane, 0) and f.segment < newest]
    replayed = [v for v in voids if v[1] < ledger.get(v[0], 0) < v[2]]
    return Plan(land, remove, landed, replayed)


class Lander:
    """Lands one data directory's spool. Used by one thread at a time; `close` it to give up the election.

    directory  the data directory
    script     SQL of the caller's own, run after our views whenever it changed (analysts' views)

    Counters: `passes` that landed, `skipped` ones (readers had the file), `landed_rows`, `failures`.
    Raises `SettingsError` for a directory that DuckDB cannot open.
    """

    def __init__(self, directory: Path, settings: LanderSettings | None = None, *, script: str = "") -> None:
        self.passes = self.skipped = self.landed_rows = self.failures = 0
        self._directory = directory.absolute()
        if "?" in str(self._directory):
            raise SettingsError(f"data directory {directory}: DuckDB opens no path with a '?'; choose another")
        self._settings = settings or LanderSettings()
        self._script = script
        self._spool = Spool(directory)
        self._lock: Lock | None = None
        self._ledger: dict[str, int] | None = None
        self._retained_at = float("-inf")
        self._taken_out: set[tuple[str, int, int]] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def land(self, *, final: bool = False) -> int:
        """One pass. Returns the rows landed: 0 if there was nothing to do, readers had the file, or
        another process is elected.

        final  land also the newest segments of lanes that did not end in order. Only for lanes that no
               job will resume; the rows of one that does are taken out again and counted once, but not
               before the pass after its start.

        Raises `DataDirError` for a database of a later version, `duckdb.Error` and `OSError` where the
        disk refuses; nothing is lost by that.
        """
        if not self._elected():
            return 0
        self._spool.create()
        if self._ledger is not None and not self._retention_is_due():
            coming = self._plan(self._ledger, final)
            nothing = not coming.land and not coming.remove and self._taken_out.issuperset(coming.replayed)
            if nothing and self._spool.has_schemas():
                return 0
        settings = self._settings
        with opened_for_landing(
            self._directory, patience=settings.patience, memory_limit=settings.memory_limit
        ) as database:
            if database is None:
                self.skipped += 1
                return 0
            try:
                return self._pass(database, final)
            except duckdb.Error:
                # One file that a disk has spoilt must not hold up all others for ever.
                bad = self._spool.set_aside_unreadable(self._spool.files())
                if not bad:
                    raise
                log.warning("metrics: unreadable segments were set aside: %s", ", ".join(map(str, bad)))
                return self._pass(database, final)

    def run(self, stop: threading.Event, interval: float | None = None) -> None:
        """Land now, and every `interval` seconds until `stop` is set. A failure is logged, counted and tried again.

        While readers keep the file, turns come half as often each time, down to one in 16: each closes
        the gate for `patience` seconds, and nobody misses a row meanwhile.
        """
        pause = interval or self._settings.interval
        in_a_row = 0
        while not stop.is_set():
            try:
                skipped = self.skipped
                self.land()
                in_a_row = in_a_row + 1 if self.skipped > skipped else 0
            except Exception as error:
                self.failures += 1
                log.warning("metrics: landing in %s failed: %s", self._directory, _one_line(error))
            stop.wait(pause * 2 ** min(in_a_row, 4))

    def close(self) -> None:
        """Give up the election. Idempotent; the next `land` stands for it again."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _elected(self) -> bool:
        if self._lock is not None and not self._lock.check():
            self.close()
        if self._lock is None:
            self._directory.mkdir(parents=True, exist_ok=True)
            self._lock = Lock.take(self._directory / "lander.lock")
        return self._lock is not None

    def _plan(self, ledger: Mapping[str, int], final: bool) -> Plan:
        files = self._spool.files()
        return plan(files, list(self._spool.runs(files)), ledger, final=final, max_files=self._settings.max_files)

    def _pass(self, database: duckdb.DuckDBPyConnection, final: bool) -> int:
        prepare(database, self._directory, self._script)
        ledger = dict(database.execute("SELECT lane, landed_up_to FROM landed.ledger").fetchall())
        todo = self._plan(ledger, final)
        cleaning = self._retention_is_due()
        with transaction(database):
            for lane, after, before in set(todo.replayed) - self._taken_out:
                _take_out(database, lane, after, before)
            rows = _insert(database, self._spool, todo)
            if cleaning:
                _delete_older(database, time.time() - (self._settings.retain_days or 0) * 86400)
        if cleaning:
            self._retained_at = time.monotonic()
        self._taken_out = set(todo.replayed)
        self._spool.remove(todo.remove)
        self._ledger = todo.ledger
        self.passes += bool(todo.land)
        self.landed_rows += rows
        return rows

    def _retention_is_due(self) -> bool:
        due = time.monotonic() - self._retained_at >= _RETENTION_EVERY
        return self._settings.retain_days is not None and due


def _insert(database: duckdb.DuckDBPyConnection, spool: Spool, todo: Plan) -> int:
    """Move the plan's files in, and the ledger on. Returns the rows."""
    rows = 0
    by_table: dict[tuple[str, bool], list[Path]] = defaultdict(list)
    segments: dict[str, set[int]] = defaultdict(set)
    for file in todo.land:
        by_table[file.table, file.again].append(file.path)
        segments[file.lane].add(file.segment)
    for table in TABLES.values():
        # The schema's file has all columns; one that an older writer did not know becomes null.
        schema = spool.path / f"{table.name}.schema.parquet"
        columns = ", ".join(c.name for c in table.columns)
        for again in (False, True):
            if paths := by_table[table.name, again]:
                files = ", ".join(quoted(globbed(str(path))) for path in (schema, *paths))
                read = f"read_parquet([{files}], union_by_name = true)"
                database.execute(
                    f"INSERT INTO landed.{table.name} ({columns})"
                    f" SELECT {columns} FROM {_said_first(table, read) if again else read}"
                )
                rows += _changed(database)
    for lane, numbers in segments.items():
        before = database.execute("SELECT segments FROM landed.ledger WHERE lane = ?", [lane]).fetchall()
        database.execute("DELETE FROM landed.ledger WHERE lane = ?", [lane])
        database.execute(
            "INSERT INTO landed.ledger VALUES (?, ?, ?, to_timestamp(?))",
            [lane, todo.ledger[lane], (before[0][0] if before else 0) + len(numbers), time.time()],
        )
    return rows


def _said_first(table: Table, again: str) -> str:
    """Those rows of `again` that are not landed yet; of the same ones in several segments those of the oldest."""
    return (
        f"(SELECT *, rank() OVER (PARTITION BY {', '.join(('lane', *table.key))} ORDER BY segment) AS nth FROM {again})"
        f" AS s WHERE nth = 1 AND {not_landed_sql(table, again)}"
    )


def _take_out(database: duckdb.DuckDBPyConnection, lane: str, after: int, before: int) -> None:
    """Delete landed rows that come again, because a job was resumed from a snapshot of long ago."""
    taken = 0
    for table in TABLES.values():
        if table is not RUNS:
            database.execute(
                f"DELETE FROM landed.{table.name} WHERE lane = ? AND segment > ? AND segment < ?",
                [lane, after, before],
            )
            taken += _changed(database)
    if taken:
        log.warning("metrics: %d landed rows of lane %s are replayed and were taken out", taken, lane)


def _delete_older(database: duckdb.DuckDBPyConnection, oldest: float) -> None:
    for table in TABLES.values():
        database.execute(f"DELETE FROM landed.{table.name} WHERE hour < to_timestamp(?)", [oldest])


def _changed(database: duckdb.DuckDBPyConnection) -> int:
    """Rows that the last statement inserted or deleted."""
    ((rows,),) = database.fetchall()
    return int(rows)


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
