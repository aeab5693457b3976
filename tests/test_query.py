"""`tokenweir query`: by SQL and by name, as a table and as files, read-only."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner, Result

from analytics import query
from connectors.errors import InputError
from connectors.metrics import open_metrics
from tests.analytics_data import by_hand, landed
from tokenweir import main

BY_MODEL = "SELECT model, count(*) AS turns, min(started_at) AS first FROM turns GROUP BY model ORDER BY model"


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return landed(tmp_path_factory.mktemp("metrics"), by_hand())


def ask(directory: Path, *args: str | Path) -> Result:
    env = {"TOKENWEIR_DATA_DIR": str(directory)}
    return CliRunner(env=env).invoke(main, ["query", *map(str, args)])


def test_a_table_is_as_wide_as_it_needs(directory: Path) -> None:
    result = ask(directory, "--name", "usage_daily")
    assert result.exit_code == 0, result.output
    heading, *lines = [line.split() for line in result.stdout.splitlines() if line.strip()]
    assert heading[:4] == ["day", "tenant", "vendor", "model"]
    assert ["2026-11-19", "acme", "cxone", "gpt-4", "1", "1", "100", "50", "1", "0", "0.006", "USD"] in lines


def test_a_table_is_rounded_for_the_eye_and_a_file_is_exact(directory: Path) -> None:
    asked = "SELECT 1979.2499999999998::DOUBLE AS ms, 2 / 3 AS share, 12345e-8 AS rate, 1.50::DECIMAL(9, 6) AS cost"
    assert ask(directory, asked).stdout.split()[-4:] == ["1979.2", "0.667", "0.000123", "1.5"]
    assert ask(directory, asked, "--format", "csv").stdout.splitlines()[1].startswith("1979.2499999999998,0.6666666")


@pytest.mark.parametrize(
    ("values", "places"),
    [([], 1), ([None, 0.0], 1), ([0.5, -0.001], 3), ([-15.3, 2.0], 1), ([float("nan"), float("inf"), 0.04], 4)],
)
def test_fractions_have_the_places_that_the_largest_needs(values: list[float | None], places: int) -> None:
    column = pl.Series("x", values, pl.Float64)
    assert query.rounded(column) == places
    assert len(list(query.cells(column.to_frame()))) == len(values)


def test_long_answers_are_cut_and_said_to_be(directory: Path) -> None:
    result = ask(directory, "SELECT range AS n FROM range(250)")
    numbers = [line.strip() for line in result.stdout.splitlines() if line.strip().isdigit()]
    assert numbers == [str(n) for n in range(100)]
    assert "first 100 rows" in result.stderr


def test_csv_json_and_parquet_have_all_rows_and_their_types(directory: Path, tmp_path: Path) -> None:
    lines = list(csv.reader(io.StringIO(ask(directory, BY_MODEL, "--format", "csv").stdout)))
    assert lines[:2] == [["model", "turns", "first"], ["gpt-4", "2", "2026-11-19 23:59:59.2+00"]]
    records = json.loads(ask(directory, BY_MODEL, "--format", "json").stdout)
    assert records[2] == {"model": None, "turns": 1, "first": "2026-11-20 12:00:00+00"}
    path = tmp_path / "a.parquet"
    assert ask(directory, BY_MODEL, "--format", "parquet", "-o", path).exit_code == 0
    assert pl.read_parquet(path).schema == {
        "model": pl.String,
        "turns": pl.Int64,
        "first": pl.Datetime("us", "UTC"),
    }
    assert len(ask(directory, "SELECT * FROM range(250)", "--format", "csv").stdout.splitlines()) == 251


def test_with_nothing_it_lists_what_there_is(directory: Path) -> None:
    result = ask(directory)
    assert result.exit_code == 0
    assert {"usage_daily", "turns", "top_rules"} <= {
        line.split()[0] for line in result.stdout.splitlines() if line.strip()
    }
    names = query.catalogue(directory)
    assert names["comment"].null_count() == 0
    assert names.filter(pl.col("name") == "usage")["parameters"].to_list() == ["since, until, of_tenant"]


def test_every_name_that_is_listed_can_be_asked(directory: Path) -> None:
    with open_metrics(directory) as connection:
        for name in query.catalogue(connection)["name"]:
            query.answer(connection, query.named(connection, name), most=1)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["SELECT"], 7, "Parser Error"),
        (["SELECT nothing FROM turns"], 7, "nothing"),
        (["SELECT CAST('x' AS INTEGER)"], 7, "Conversion Error"),
        (["--name", "usage; DROP TABLE slo"], 7, "there is no"),
        (["DELETE FROM prices"], 7, "read-only"),
        (["DROP VIEW turns"], 7, "read-only"),
        (["COPY turns TO 'x.csv'"], 7, "read-only"),
        (["FROM read_csv('/etc/passwd')"], 7, "Permission Error"),
        (["/* nothing */"], 7, "no rows"),
        (["SELECT 1", "--name", "turns"], 2, "not both"),
        (["SELECT 1", "-o", "x.csv"], 2, "--format"),
    ],
)
def test_mistakes_are_one_line(directory: Path, arguments: list[str], code: int, says: str) -> None:
    result = ask(directory, *arguments)
    assert result.exit_code == code, result.output
    assert says in result.stderr
    assert "Traceback" not in result.output


WRITING = [
    "COPY (SELECT 1) TO '{outside}/x.csv'",
    "COPY (SELECT 1) TO '{spool}/x.parquet'",
    "COPY (PIVOT turns ON vendor USING count(*)) TO '{spool}/x.parquet'",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO '{spool}/x.parquet'",
    "PREPARE v AS COPY (SELECT 1) TO '{spool}/x.parquet'",
    "SELECT 1; COPY (SELECT 1) TO '{spool}/x.parquet'",
    "COPY (SELECT 1) TO '{outside}/x.csv'; SELECT 1",
    "FROM query('COPY (SELECT 1) TO ''{outside}/x.csv''')",
    "EXPORT DATABASE '{outside}/x'",
    "IMPORT DATABASE '{outside}'",
    "ATTACH '{outside}/x.db'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET enable_external_access = true",
    "SET lock_configuration = false",
    "RESET allowed_directories",
    "PRAGMA enable_profiling",
    "PRAGMA profiling_output = '{outside}/x'",
    "CALL enable_logging()",
    "FROM enable_logging(storage := 'file', storage_path := '{outside}/x')",
    "CREATE TEMP TABLE x AS SELECT 1",
    "CREATE SECRET x (TYPE s3)",
    "USE memory",
    "CHECKPOINT",
    "VACUUM",
    "BEGIN",
    "INSERT INTO landed.turns SELECT * FROM landed.turns",
    "UPDATE prices SET model = 'x'",
]
READING = [
    "FROM read_csv('{outside}/secret.csv')",
    "FROM '{outside}/secret.csv'",
    "FROM read_text('{outside}/secret.csv')",
    "FROM read_blob('{outside}/secret.csv')",
    "FROM read_json('{outside}/secret.csv')",
    "FROM read_parquet('{outside}/secret.csv')",
    "FROM sniff_csv('{outside}/secret.csv')",
    "FROM glob('{outside}/*')",
    "FROM read_text('{spool}/../metrics.gate')",
    "FROM read_text('{spool}/../../secret.csv')",
    "FROM read_csv('https://127.0.0.1:9/x.csv')",
    "FROM read_csv('/dev/stdin')",
    "SELECT getenv('HOME')",
    "FROM connection",
]


@pytest.mark.parametrize("statement", [*WRITING, *READING])
def test_a_question_writes_nothing_and_reads_nothing_but_the_metrics(
    statement: str, directory: Path, tmp_path: Path
) -> None:
    def files() -> set[Path]:
        return {path for folder in (directory, tmp_path) for path in folder.rglob("*")}

    (tmp_path / "secret.csv").write_text("a\nsecret\n")
    before, sql, written = files(), statement.format(outside=tmp_path, spool=directory / "spool"), io.BytesIO()
    for ask_it in (
        lambda: query.answer(directory, sql, most=9),
        lambda: query.write(directory, sql, "csv", written),
    ):
        with pytest.raises(InputError, match=r"^query") as caught:
            ask_it()
        assert "\n" not in str(caught.value)
    assert files() == before
    assert written.getvalue() == b""


def test_what_reads_the_metrics_can_be_asked(directory: Path) -> None:
    for statement in (
        "FROM turns; -- a remark",
        "SHOW TABLES",
        "DESCRIBE turns",
        "SUMMARIZE turns",
        "VALUES (1)",
        "TABLE turns",
        "WITH t AS (FROM turns) SELECT count(*) FROM t",
        "PIVOT turns ON vendor IN ('cxone') USING count(*)",
        "FROM latency(of_tenant := 'acme')",
    ):
        rows, _ = query.answer(directory, statement, most=9)
        assert rows.width
        written = io.BytesIO()
        query.write(directory, statement, "json", written)
        assert len(json.loads(written.getvalue())) >= rows.height


def test_a_question_puts_down_what_does_not_fit_into_memory_where_it_is_taken_away_again(directory: Path) -> None:
    with query._opened(directory) as (connection, folder):
        assert connection.sql("SELECT current_setting('temp_directory')").fetchall() == [(str(folder),)]
    assert not folder.exists()


def test_asking_and_reporting_leave_the_data_directory_as_it_was(directory: Path, tmp_path: Path) -> None:
    def files() -> dict[str, tuple[int, bytes]]:
        found = (path for path in directory.rglob("*") if path.is_file())
        return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in found}

    before = files()
    assert ask(directory, "--name", "turn_errors").exit_code == 0
    assert ask(directory, "DELETE FROM landed.turns").exit_code == 7
    env = {"TOKENWEIR_DATA_DIR": str(directory)}
    assert CliRunner(env=env).invoke(main, ["report", "-o", str(tmp_path / "r.html")]).exit_code == 0
    assert files() == before


def test_a_directory_without_metrics_is_said_so(tmp_path: Path) -> None:
    assert ask(tmp_path, "SELECT 1").exit_code == 7


def test_the_name_of_a_view_wins_over_that_of_a_macro(directory: Path) -> None:
    assert query.named(directory, "turns") == "FROM turns"
    assert query.named(directory, "totals") == "FROM totals()"
    assert query.named(directory, "usage_daily") == "FROM usage_daily ORDER BY ALL"
    with pytest.raises(InputError, match="usage_daily"):
        query.named(directory, "nope")


def test_a_real_process_writes_bytes_to_a_pipe_and_nothing_else(directory: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "tokenweir", "query", "--data-dir", directory, "SELECT 1 AS one", "--format", "csv"],
        capture_output=True,
        check=True,
    )
    assert (ran.stdout, ran.stderr) == (b"one\n1\n", b"")
