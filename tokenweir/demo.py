"""`tokenweir demo`: plays the scenes and prints what came of them."""

from __future__ import annotations

from pathlib import Path

import click
from rich import box
from rich.table import Table

from analytics import usage
from tokenweir.options import PATH
from tokenweir.output import DIFFERS, err, explained, out, unstoppable
from tokenweir.scenes import Report, play
from tokenweir.screen import Screen


@click.command("demo")
@click.option("--data-dir", type=PATH, default=Path("tokenweir-data/demo"), show_default=True)
@unstoppable
@explained
def command(data_dir: Path) -> int:
    """Run the main job against simulated servers, show it, check it, and replay it."""
    with Screen(out) as screen:
        report = play(data_dir, screen.show)
    _print_turns(data_dir)
    _print_checks(report)
    return DIFFERS if report.failed else 0


def _print_turns(data_dir: Path) -> None:
    """The turns as the database has them, and what windows saved against a message a token."""
    turns = usage.turns(data_dir)
    table = Table(title="Turns, from DuckDB", title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.show_edge = table.pad_edge = False  # so that it fits 80 columns
    for heading in ("session", "ended"):
        table.add_column(heading, no_wrap=True)
    for heading in ("tokens", "sent", "fewer", "first ms", "breaks", "hidden"):
        table.add_column(heading, justify="right")
    for row in turns.iter_rows(named=True):
        table.add_row(
            row["session_id"],
            row["outcome"],
            str(row["tokens_received"]),
            str(row["messages"]),
            f"{row['message_reduction']:.0%}",
            str(row["time_to_first_message_ms"]),
            str(row["interruptions"]),
            str(row["moderation_blocks"]),
        )
    out.print(table)
    tokens, messages = int(turns["tokens_received"].sum()), int(turns["messages"].sum())
    reduction = usage.reduction(tokens, messages)
    out.print(f"\n{tokens} tokens became {messages} messages: {reduction:.0%} fewer than one a token.", highlight=False)


def _print_checks(report: Report) -> None:
    counts = report.counts
    broken = sum(count for name, count in counts.items() if name.startswith("drop_"))
    refused = ", ".join(
        f"{counts[f'status_{code}']} with {code}" for code in (401, 429, 503) if f"status_{code}" in counts
    )
    out.print(
        f"The vendors broke off {broken} streams and refused requests: {refused}; "
        f"{counts['continuations']} continuations made up for it.",
        highlight=False,
    )
    whole = sum(not each.differs for each in report.transcripts)
    out.print(f"{whole} of {len(report.transcripts)} transcripts are what they must be.", highlight=False)
    for each in report.transcripts:
        if each.differs:
            err.print(f"{each.session_id}: {each.differs}", style="red", markup=False)
    replayed = report.replay_differs or f"all {report.messages} messages are the same bytes"
    out.print(f"The recordings in {report.recordings[0].parent}, replayed: {replayed}.", highlight=False)
    where = report.data_dir
    out.print("\nTo ask more, and for all of it on one page:", highlight=False)
    click.echo(f"  .venv/bin/tokenweir query --data-dir {where} --name usage_daily")
    click.echo(f"  .venv/bin/tokenweir report --data-dir {where}")
    opened = f"duckdb.connect('{where / 'metrics.duckdb'}', read_only=True)"
    click.echo(f"  .venv/bin/python -c \"import duckdb; print({opened}.sql('FROM sessions'))\"")
