"""Recordings at a glance, for a terminal: a table where there is room for one, else a few lines for each."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from connectors.console.printable import printable
from flows.recordings.editing import Summary

TABLE_WIDTH = 140
"""Columns of a terminal below which the table's own would be cut."""


def listed(summaries: Iterable[Summary], width: int) -> RenderableType:
    """What to print on a terminal of this width."""
    return _table(summaries) if width >= TABLE_WIDTH else Group(*(each for one in summaries for each in _lines(one)))


def _table(summaries: Iterable[Summary]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("recording", "vendor", "created"):
        table.add_column(heading, no_wrap=True)
    for heading in ("sessions", "turns", "tokens", "seconds"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("ended", no_wrap=True)
    table.add_column("note", no_wrap=True, overflow="ellipsis", max_width=60)
    for summary in summaries:
        table.add_row(
            printable(summary.path.name),
            printable(summary.header.vendor),
            summary.header.created[:19],
            *map(str, _counts(summary)),
            f"{summary.seconds:.1f}",
            _ended(summary),
            printable(summary.header.note),
        )
    return table


def _lines(summary: Summary) -> tuple[Text, ...]:
    sessions, turns, tokens = _counts(summary)
    held = f"sessions {sessions}, turns {turns}, tokens {tokens}, seconds {summary.seconds:.1f}; {_ended(summary)}"
    about = f"  {summary.header.vendor}  {summary.header.created[:16]}"
    head = Text.assemble((printable(summary.path.name), "bold"), printable(about))
    note = Text(printable(f"    {summary.header.note}"), "dim", no_wrap=True, overflow="ellipsis")
    return (head, Text(f"    {held}"), *((note,) if summary.header.note else ()))


def _counts(summary: Summary) -> tuple[int, int, int]:
    """Sessions, turns, tokens."""
    sessions = len({turn.session for turn in summary.turns})
    return sessions, len(summary.turns), sum(turn.tokens for turn in summary.turns)


def _ended(summary: Summary) -> str:
    return printable(", ".join(sorted({turn.ended or "open" for turn in summary.turns})))
