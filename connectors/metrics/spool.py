"""The spool: Parquet files, each whole or absent, on their way into the database.

Rules
- `<table>.<lane>.<segment>.<part>.parquet` holds rows of one table in one segment, and
  `<table>-again.…` those that may have been said before (see tables.py). A segment is numbered
  by the microsecond at which it was begun, and always higher than the one before it in its lane, so that no number is
  ever used twice, whatever was lost or set back.
- A file appears by rename, after it was synced; a reader's glob sees it whole or not at all.
- Only the lander removes or replaces a file that a glob can see, and only while it holds the
  database, because a reader that has expanded its glob will open what it found.
- `<table>.schema.parquet` has no rows: a glob that finds nothing would be an error.
"""

from __future__ import annotations

import io
import logging
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any, Final, NamedTuple

import polars as pl

from connectors.disk.durable import replacing, sync_path
from connectors.errors import SettingsError
from connectors.metrics.tables import AGAIN, RUNS, TABLES, Column, Row, RunRow, Table

log = logging.getLogger(__name__)

LANE: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NAME: Final = re.compile(rf"([a-z_]+)({AGAIN})?\.({LANE.pattern})\.(\d{{16,19}})\.\d+\.parquet")
_HOUR: Final = 3_600_000_000
_MOMENT: Final = pl.Datetime("us", "UTC")
_DTYPES: Final[dict[str, Any]] = {
    "VARCHAR": pl.String,
    "BIGINT": pl.Int64,
    "BOOLEAN": pl.Boolean,
    "DOUBLE": pl.Float64,
    "TIMESTAMPTZ": _MOMENT,
}
_SCHEMAS: Final = {
    f"{table.name}{again}.schema.parquet": table
    for table in TABLES.values()
    for again in (("", AGAIN) if table.key else ("",))
}
_BY_NAME: Final = {table.name: table for table in TABLES.values()}


class SegmentFile(NamedTuple):
    """One file of a segment. Sorts by lane, then by segment."""

    lane: str
    segment: int
    table: str
    path: Path
    again: bool = False


class Run(NamedTuple):
    """A start or an end of a lane's writer, and the segment that says so."""

    lane: str
    segment: int
    row: RunRow


class Spool:
    """The folder `spool/` of a data directory. Holds no file open."""

    def __init__(self, directory: Path) -> None:
        self.path = directory.absolute() / "spool"

    def create(self) -> None:
        self.path.mkdir(parents=True, exist_ok=True)

    def files(self) -> list[SegmentFile]:
        """Every file of every segment, in order."""
        found = []
        for name in os.listdir(self.path):
            match = _NAME.fullmatch(name)
            if match and match[1] in _BY_NAME:
                found.append(SegmentFile(match[3], int(match[4]), match[1], self.path / name, bool(match[2])))
        return sorted(found)

    def runs(self, files: Iterable[SegmentFile]) -> Iterator[Run]:
        """What the lanes' writers say of themselves in these files, in order."""
        names = [column.name for column in RUNS.declared]
        for file in files:
            if file.table == RUNS.name:
                try:
                    rows = pl.read_parquet(file.path, columns=names, glob=False)
                except pl.exceptions.PolarsError:
                    continue  # a failing disk: the lander will set it aside
                for event, _, after, fresh in rows.iter_rows():
                    yield Run(file.lane, file.segment, RunRow(event, 0, after, fresh))

    def write(self, lane: str, segment: int, part: int, rows: Iterable[Row], *, again: bool = False) -> None:
        """Write a part of a segment and sync it: one file for each table that has rows.

        again  they may have been said before

        A crash between two files leaves a torn segment. That does no harm: no snapshot names it, so the
        resumed writer declares it void.
        """
        by_type: dict[type[Row], list[Row]] = {}
        for row in rows:
            by_type.setdefault(type(row), []).append(row)
        files = {}
        for kind, of_kind in by_type.items():
            table = TABLES[kind]
            name = f"{table.name}{AGAIN if again and table.key else ''}.{lane}.{segment:016d}.{part}.parquet"
            files[name] = _frame(table, of_kind, lane, segment)
        try:
            self._put(files)
        except FileNotFoundError:  # somebody removed the folder while the job ran
            self.create()
            self._put(files)

    def write_schemas(self) -> None:
        """Write the files without rows. For the lander only."""
        self._put({name: _frame(table, [], "", 0) for name, table in _SCHEMAS.items()})

    def has_schemas(self) -> bool:
        return all((self.path / name).exists() for name in _SCHEMAS)

    def remove(self, files: Iterable[SegmentFile]) -> None:
        """Remove files. For the lander only, while it holds the database.

        Not synced, because readers wait meanwhile: one that a power cut brings back is hidden by the ledger, or void,
        and removed again.
        """
        for file in files:
            file.path.unlink(missing_ok=True)

    def remove_torn(self, lane: str) -> None:
        """Remove what a killed writer of this lane left half written. No glob sees such a file."""
        for pattern in (f".*.{lane}.*.partial", f"*.{lane}.*.tmp"):  # the latter until 0.1
            for path in self.path.glob(pattern):
                path.unlink(missing_ok=True)

    def set_aside_unreadable(self, files: Iterable[SegmentFile]) -> list[Path]:
        """Move files that are no Parquet (a failing disk) to `spool/unreadable/`. For the lander only."""
        moved = []
        for file in files:
            try:
                pl.read_parquet(file.path, glob=False)
            except (pl.exceptions.PolarsError, OSError):
                target = self.path / "unreadable" / file.path.name
                target.parent.mkdir(exist_ok=True)
                os.replace(file.path, target)
                moved.append(target)
        return moved

    def _put(self, frames: Mapping[str, pl.DataFrame]) -> None:
        """Write files by name and sync them: all, before the first is in its place."""
        with replacing([self.path / name for name in frames]) as files:
            for frame, file in zip(frames.values(), files, strict=True):
                content = io.BytesIO()
                # polars' streaming engine, which write_parquet takes, hands each page from thread to thread; on a busy
                # machine every one of them waits for its turn.
                frame.lazy().sink_parquet(content, compression="lz4", engine="in-memory")
                file.write(content.getbuffer())
        sync_path(self.path)  # a snapshot names them next


def check_lane(lane: str) -> str:
    """The lane, if it can be part of a file's name."""
    if not LANE.fullmatch(lane) or lane == "schema":
        raise SettingsError(f"lane {lane!r}: 1 to 64 letters, digits, _ or -, and not 'schema'")
    return lane


def _frame(table: Table, rows: Sequence[Row], lane: str, segment: int) -> pl.DataFrame:
    columns = {c.name: _series(c, [*map(attrgetter(c.field), rows)]) for c in table.declared}
    moment, *others = (columns[name].to_physical() for name in table.dated_by)
    for other in others:
        moment = moment.zip_with(moment.is_not_null(), other)
    # Plain series throughout: expressions would wait for polars' threads, which a busy machine delays.
    return pl.DataFrame(
        [
            *columns.values(),
            (moment // _HOUR * _HOUR).cast(_MOMENT).alias("hour"),
            pl.Series("lane", [lane] * len(rows), pl.String),
            pl.Series("segment", [segment] * len(rows), pl.Int64),
        ]
    )


def _series(column: Column, cells: Sequence[Any]) -> pl.Series:
    """A column of values; one that does not fit (a vendor may send any number) becomes null, not a crash."""
    dtype = _DTYPES[column.type]
    physical = pl.Int64 if dtype == _MOMENT else dtype
    try:
        series = pl.Series(column.name, cells, physical)
    except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError):
        fitted = [_fitted(cell, column.type) for cell in cells]
        log.warning("column %s: values that do not fit %s were stored as null", column.name, column.type)
        series = pl.Series(column.name, fitted, physical)
    return series.cast(dtype)


def _fitted(cell: Any, sql_type: str) -> Any:
    match sql_type:
        case "VARCHAR" if isinstance(cell, str):
            return cell.encode("utf-8", "replace").decode("utf-8")
        case "BIGINT" | "TIMESTAMPTZ" if isinstance(cell, int) and -(2**63) <= cell < 2**63:
            return int(cell)
        case "BOOLEAN" if isinstance(cell, bool):
            return cell
        case "DOUBLE" if isinstance(cell, int | float):
            return float(cell)
    return None
