"""`tokenweir query`: asks the metrics and prints or writes the answer."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import BinaryIO, cast

import click
import polars as pl
from rich.box import SIMPLE_HEAD
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from analytics import query as questions
from connectors.console.printable import printable
from tokenweir.options import METRICS
from tokenweir.output import Terminal, err, explained, out
from tokenweir.settings import load_with

SHOWN_ROWS = 100


@click.command("query")
@click.argument("sql", required=False)
@click.option("--name", help="A view, table or macro to show whole, instead of SQL.")
@METRICS
@click.option("--format", "kind", type=click.Choice(["table", "csv", "json", "parquet"]), default="table")
@click.option("-o", "--output", type=click.File("wb", lazy=True), help="A file; standard output otherwise.")
@explained
def command(sql: str | None, name: str | None, data_dir: Path | None, kind: str, output: BinaryIO | None) -> None:
    """Ask the metrics in SQL, read-only, while jobs run. With neither SQL nor --name: list what there is to ask.

    A table shows the first 100 rows; the other formats have all of them.
    """
    if sql is not None and name is not None:
        raise click.UsageError("give SQL or --name, not both")
    if output is not None and kind == "table":
        raise click.UsageError("a file needs --format csv, json or parquet")
    metrics = load_with(None, data_dir).job.data_dir
    asked = sql if sql is not None else questions.named(metrics, name) if name is not None else questions.CATALOGUE
    if kind != "table":
        questions.write(metrics, asked, cast(questions.Format, kind), output or sys.stdout.buffer)
        return
    rows, more = questions.answer(metrics, asked, most=SHOWN_ROWS)
    _print_frame(rows, wrapped=asked == questions.CATALOGUE)
    if more:
        err.print(f"the first {SHOWN_ROWS} rows; --format csv has all of them", highlight=False)


def _print_frame(frame: pl.DataFrame, *, wrapped: bool) -> None:
    """A frame as a table: its cells wrapped into the terminal, or as wide as it needs."""
    table = Table(box=SIMPLE_HEAD)
    for name, dtype in frame.schema.items():
        table.add_column(Text(printable(name)), justify="right" if dtype.is_numeric() else "left")
    for row in questions.cells(frame):
        table.add_row(*[Text(printable(cell)) for cell in row])  # before it is measured
    if wrapped:
        out.print(table)
    else:
        wide = Terminal(width=100_000)
        wide.width = Measurement.get(wide, wide.options, table).maximum
        wide.print(table)
