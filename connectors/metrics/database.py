"""The database file: opening it for reading and for landing, making and migrating what is in it.

Rules
- One process writes or many read. So the lander only tries, and is in the file for moments; a reader
  that meets it waits for those moments.
- Readers that come without a pause would keep the lander out for ever. So it closes a gate (a lock on a
  file) before it tries, and `open_metrics` passes through that gate. Other clients know no gate; at worst
  they cost the lander a turn, or meet its lock and must open again.
- The file is written in STORAGE_VERSION, so that DuckDB clients from 1.0 on open it.
- `schema_version` has one row for each version the file ever had, the newest being its own. A newer
  file than this program is refused; an older one is migrated in one transaction.
- Views name the spool by its absolute path, so that they work from any working directory. When the
  data directory was moved, the next landing renews them; until then `open_metrics` says so. A container
  that shares its data directory mounts it under the path that readers know it by.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import duckdb

from connectors.disk.lock import Lock
from connectors.errors import DataDirError, InputError
from connectors.metrics.spool import Spool
from connectors.metrics.tables import SCHEMA_VERSION, tables_sql, views_sql

FILE: Final = "metrics.duckdb"
STORAGE_VERSION: Final = "v1.0.0"

FIRST_LANDING: Final = 3.0
"""Seconds in which a job that has just begun has its database."""

MIGRATIONS: Final[dict[int, str]] = {}
"""SQL that takes a file from the version before to this one, where adding columns is not enough.

Columns that a row type gained need no entry: tables_sql adds them, null in older rows.
"""

_POLL: Final = 0.01


def open_metrics(directory: Path, *, wait: float = 10.0) -> duckdb.DuckDBPyConnection:
    """Open the metrics read-only, with times shown in UTC; close it as you would any connection.

    directory  the data directory
    wait       seconds to wait for a lander that is in the file (it stays for moments)

    For polars, `analytics.frames.frame(connection, sql)`.
    Raises `InputError` where nothing was measured yet, `DataDirError` where the directory was moved
    or is of a later version, `duckdb.IOException` where the wait was not enough.
    """
    path = directory.absolute() / FILE
    _wait_for_first_landing(directory, min(wait, FIRST_LANDING))
    with _gate(directory, wait, shared=True):
        connection = _connect(path, read_only=True, wait=wait)
    try:
        connection.execute("SET TimeZone = 'UTC'")
        version, spool, _ = _state(connection)
        if version > SCHEMA_VERSION:
            raise DataDirError(_LATER.format(path=path, version=version))
        if not version:
            raise InputError(_NOT_YET.format(directory=directory))  # a lander was killed before it had made the tables
        if spool != str(Spool(directory).path):
            raise DataDirError(f"{path} was moved from {spool}: start a job in it once, which renews its views")
    except BaseException:
        connection.close()
        raise
    return connection


@contextlib.contextmanager
def opened_for_landing(
    directory: Path, *, patience: float, memory_limit: str
) -> Iterator[duckdb.DuckDBPyConnection | None]:
    """The database, open for writing; None if readers kept it for `patience` seconds."""
    config: dict[str, str | bool | int | float | list[str]] = {
        "storage_compatibility_version": STORAGE_VERSION,
        "threads": 1,
        "memory_limit": memory_limit,
        "autoinstall_known_extensions": False,
    }
    with _gate(directory, patience, shared=False):
        try:
            connection = _connect(directory.absolute() / FILE, read_only=False, wait=patience, config=config)
        except (duckdb.IOException, duckdb.ConnectionException) as error:
            if not _is_locked(error):
                raise
            yield None
        else:
            with connection:
                yield connection


@contextlib.contextmanager
def held_open(directory: Path, *, wait: float = 60.0) -> Iterator[None]:
    """The database is open for reading: nothing is landed meanwhile. Raises `duckdb.Error` where it cannot be."""
    with _gate(directory, wait, shared=True), _connect(directory.absolute() / FILE, read_only=True, wait=wait):
        yield


def prepare(connection: duckdb.DuckDBPyConnection, directory: Path, script: str = "") -> None:
    """Bring tables, comments and views up to SCHEMA_VERSION, this directory and `script`. Idempotent.

    script  further SQL of the caller's (views over ours); run again when it changed

    Raises `DataDirError` where the file is of a later version.
    """
    spool = Spool(directory)
    spool.create()
    version, of_spool, of_script = _state(connection)
    if version > SCHEMA_VERSION:
        raise DataDirError(_LATER.format(path=directory / FILE, version=version))
    if (version, of_spool, of_script) == (SCHEMA_VERSION, str(spool.path), script) and spool.has_schemas():
        return
    spool.write_schemas()
    with transaction(connection):
        for statement in tables_sql():
            connection.execute(statement)
        for step in range(version + 1, SCHEMA_VERSION + 1):
            if version and step in MIGRATIONS:
                connection.execute(MIGRATIONS[step])
        for statement in views_sql(str(spool.path)):
            connection.execute(statement)
        if script:
            connection.execute(script)
        connection.execute("DELETE FROM schema_version WHERE version = ?", [SCHEMA_VERSION])
        connection.execute(
            "INSERT INTO schema_version VALUES (?, to_timestamp(?), ?, ?)",
            [SCHEMA_VERSION, time.time(), str(spool.path), script],
        )


def landed_up_to(directory: Path, lane: str, *, wait: float = 2.0) -> int:
    """The last segment of a lane that is landed; 0 where there is none, or the database cannot be read in that time."""
    path = directory.absolute() / FILE
    if not path.exists():
        return 0
    try:
        with _gate(directory, wait, shared=True), _connect(path, read_only=True, wait=wait) as connection:
            rows = connection.execute("SELECT landed_up_to FROM landed.ledger WHERE lane = ?", [lane]).fetchall()
    except duckdb.Error:
        return 0
    return int(rows[0][0]) if rows else 0


@contextlib.contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    connection.begin()
    try:
        yield
    except BaseException:
        with contextlib.suppress(duckdb.Error):  # the first error is the one to tell
            connection.rollback()
        raise
    connection.commit()


def _wait_for_first_landing(directory: Path, wait: float) -> None:
    """Return when there is a file; only a directory in which a job has begun is worth the wait. Raises `InputError`."""
    deadline = time.monotonic() + wait
    while not (directory / FILE).exists():
        if not Spool(directory).path.exists():
            raise InputError(f"no metrics in {directory}: run a job with this data directory first")
        if time.monotonic() >= deadline:
            raise InputError(_NOT_YET.format(directory=directory))
        time.sleep(_POLL)


_NOT_YET: Final = "no metrics in {directory} yet: a job has begun there and landed nothing; ask again, or start one"
_LATER: Final = "{path} is of schema version {version}, written by a later tokenweir: update this one"


def _state(connection: duckdb.DuckDBPyConnection) -> tuple[int, str, str]:
    """Schema version, spool and script of the file; 0 and nothing for a new one."""
    try:
        rows = connection.execute(
            "SELECT version, spool, script FROM schema_version ORDER BY version DESC LIMIT 1"
        ).fetchall()
    except duckdb.CatalogException:
        rows = []
    return rows[0] if rows else (0, "", "")


def _connect(
    path: Path,
    *,
    read_only: bool,
    wait: float,
    config: dict[str, str | bool | int | float | list[str]] | None = None,
) -> duckdb.DuckDBPyConnection:
    """Connect, trying again for `wait` seconds while others hold the file."""
    deadline = time.monotonic() + wait
    while True:
        try:
            return duckdb.connect(path, read_only=read_only, config=config or {})
        except (duckdb.IOException, duckdb.ConnectionException) as error:
            if not _is_locked(error) or time.monotonic() >= deadline:
                raise
            time.sleep(_POLL)


@contextlib.contextmanager
def _gate(directory: Path, wait: float, *, shared: bool) -> Iterator[None]:
    """Hold the gate, shared or alone, or go on without it when `wait` seconds did not suffice."""
    path = directory / "metrics.gate"
    gate: Lock | None = None
    deadline = time.monotonic() + wait
    with contextlib.suppress(OSError):  # no lander was here yet, or the directory is not ours to look into
        while (gate := Lock.take(path, shared=shared)) is None and time.monotonic() < deadline:
            time.sleep(_POLL)
    try:
        yield
    finally:
        if gate is not None:
            gate.close()


def _is_locked(error: Exception) -> bool:
    """Whether another process, or another connection of this one, holds the file."""
    text = str(error)
    return "Could not set lock" in text or "different configuration" in text
