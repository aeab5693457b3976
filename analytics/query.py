"""One question in SQL, answered as a frame or as a file; and what there is to ask.

Rules
- The database is opened read-only and for the length of one question; a job in the same directory goes on.
- Read-only means all there is: one SELECT, no statement that writes a file or changes a setting, and of the disk only
  the data directory's own segments. (Over a connection that was handed in, its owner's settings hold.)
- DuckDB writes the files itself, row group by row group: an answer larger than memory is no trouble.
- A mistake in the SQL is an `InputError` of one line.
- Only a table for the eye rounds; a frame and a file have every digit.
"""

from __future__ import annotations

import contextlib
import math
import shutil
import tempfile
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal, TypeAlias

import duckdb
import polars as pl

from analytics.frames import Metrics, frame, opened
from analytics.stream import Stream
from connectors.errors import InputError
from connectors.metrics.spool import Spool
from connectors.metrics.tables import quoted

Format: TypeAlias = Literal["csv", "json", "parquet"]

_OPTIONS: Final = {"csv": "FORMAT csv, HEADER", "json": "FORMAT json, ARRAY true", "parquet": "FORMAT parquet"}

CATALOGUE: Final = """
SELECT name, kind, parameters, comment FROM (
    SELECT view_name AS name, 'view' AS kind, NULL AS parameters, comment FROM duckdb_views()
    WHERE NOT internal AND schema_name = 'main'
    UNION ALL
    SELECT table_name, 'table', NULL, comment FROM duckdb_tables() WHERE schema_name = 'main'
    UNION ALL
    SELECT function_name, 'macro', array_to_string(parameters, ', '), comment FROM duckdb_functions()
    WHERE NOT internal AND function_type = 'table_macro'
) ORDER BY name, kind DESC
"""


def catalogue(metrics: Metrics) -> pl.DataFrame:
    """Everything that can be asked by name, by name: `name`, `kind` (table, view, macro), `parameters`, `comment`."""
    return frame(metrics, CATALOGUE)


def named(metrics: Metrics, name: str) -> str:
    """The SQL that shows all of a table, view or macro; of two with one name, the view. Raises InputError.

    The sums of days and hours come in order.
    """
    there = catalogue(metrics)
    kinds = there.filter(pl.col("name") == name)["kind"].to_list()
    if not kinds:
        names = ", ".join(there["name"].unique().sort())
        raise InputError(f"there is no {name!r} to ask; there are {names}")
    if set(kinds) == {"macro"}:
        return f"FROM {name}()"
    return f"FROM {name} ORDER BY ALL" if name.endswith(("_daily", "_hourly")) else f"FROM {name}"


def answer(metrics: Metrics, sql: str, *, most: int) -> tuple[pl.DataFrame, bool]:
    """The first `most` rows, and whether there are more. Raises InputError."""
    with _opened(metrics) as (connection, _), _explained():
        rows = pl.DataFrame(Stream(connection.sql(_asked(connection, sql)).limit(most + 1)))
    return rows.head(most), rows.height > most


def cells(rows: pl.DataFrame) -> Iterator[list[str]]:
    """The rows as texts for the eye: null is empty, money without its last zeros, other fractions as `rounded` does."""
    writers = [_writer(column) for column in rows]
    for row in rows.iter_rows():
        yield ["" if value is None else write(value) for write, value in zip(writers, row, strict=True)]


def rounded(column: pl.Series) -> int:
    """To how many places a column of fractions is rounded: 3 digits of its largest, and a place at least."""
    largest = max((abs(value) for value in column if value is not None and math.isfinite(value)), default=0.0)
    return max(1, 2 - math.floor(math.log10(largest))) if largest > 0 else 1


def _writer(column: pl.Series) -> Callable[[Any], str]:
    if column.dtype.is_float():
        places = rounded(column)
        return lambda value: f"{value:.{places}f}"
    if column.dtype.is_decimal():
        return _plain
    return str


def _plain(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def write(metrics: Metrics, sql: str, kind: Format, target: BinaryIO) -> None:
    """All rows, as a file of that kind. Raises InputError."""
    with _opened(metrics) as (connection, folder):
        path = folder / "answer"
        with _explained():
            connection.execute(f"COPY ({_asked(connection, sql)}) TO {quoted(str(path))} ({_OPTIONS[kind]})")
        with path.open("rb") as file:
            shutil.copyfileobj(file, target)


@contextlib.contextmanager
def _opened(metrics: Metrics) -> Iterator[tuple[duckdb.DuckDBPyConnection, Path]]:
    """A connection that can do nothing but read, and a folder for what it needs to put down."""
    with tempfile.TemporaryDirectory() as name, opened(metrics) as connection:
        folder = Path(name)
        if not isinstance(metrics, duckdb.DuckDBPyConnection):
            allowed = ", ".join(quoted(f"{path}/") for path in (Spool(Path(metrics)).path, folder))
            for setting in (
                f"temp_directory = {quoted(name)}",
                f"allowed_directories = [{allowed}]",
                "autoinstall_known_extensions = false",
                "autoload_known_extensions = false",
                "enable_external_access = false",
                "lock_configuration = true",
            ):
                connection.execute(f"SET {setting}")
        yield connection, folder


def _asked(connection: duckdb.DuckDBPyConnection, sql: str) -> str:
    """The question as part of a statement of ours. Raises InputError for what is not one SELECT."""
    statements = connection.extract_statements(sql)
    if not statements:
        raise InputError("the query gives no rows: ask with SELECT or FROM")
    if [statement.type for statement in statements] != [duckdb.StatementType.SELECT]:
        raise InputError(
            "query is read-only: give one SELECT or FROM (a PIVOT with its IN); for a file there are --format and -o"
        )
    return f"FROM query({quoted(sql)})"


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except (duckdb.Error, pl.exceptions.PolarsError) as error:
        reason = (str(error).splitlines() or ["no reason given"])[0]
        hint = "; `tokenweir query` alone lists what there is" if isinstance(error, duckdb.CatalogException) else ""
        raise InputError(f"query: {reason}{hint}") from None
