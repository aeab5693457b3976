"""`tokenweir diff`: what two settings make of the same recordings, side by side."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec
from rich.table import Table
from rich.text import Text

from connectors.console.printable import printable
from connectors.errors import InputError
from flows.recordings import editing
from flows.recordings.comparison import Comparison, Figures, TurnDifference, quantile
from flows.recordings.vendor import vendor_of
from flows.settings import Settings, load
from tokenweir.options import PATH, RECORDINGS
from tokenweir.output import DIFFERS, explained, out
from tokenweir.progress import one_by_one


@click.command("diff")
@click.argument("before", metavar="A.toml", type=PATH)
@click.argument("after", metavar="B.toml", type=PATH)
@RECORDINGS
@click.option("--json", "as_json", is_flag=True, help="One JSON object with everything.")
@click.option("--exit-code", is_flag=True, help=f"End with {DIFFERS} if a sentence or a finding differs.")
@explained
def command(before: Path, after: Path, paths: tuple[Path, ...], as_json: bool, exit_code: bool) -> int:
    """What a change of settings does to recorded streams: sentences, findings, messages, delay."""
    comparison = Comparison()
    with one_by_one(editing.recordings_in(paths)) as each:
        for path in each:
            vendor = vendor_of(path).name
            comparison.add(path, _file(before, vendor), _file(after, vendor))
    if as_json:
        click.echo(msgspec.json.encode(comparison))
    else:
        for turn in comparison.turns:
            _print_difference(turn)
        _print_figures(comparison.before, comparison.after, before.name, after.name)
        out.print(f"{len(comparison.turns)} of {comparison.before.turns} turns differ.", highlight=False)
    return DIFFERS if exit_code and comparison.turns else 0


def _file(path: Path, vendor: str) -> Settings:
    if not path.exists():
        raise InputError(f"{path} is not there; give two settings files, then recordings")
    return load(path, {}, vendor=vendor)


def _print_difference(turn: TurnDifference) -> None:
    out.rule(Text(f"{turn.recording}: {turn.session}/{turn.turn}"), align="left")
    for change in turn.changes:
        for text in change.before:
            out.print(Text(printable(f"- {text.strip()}"), "red"))
        for text in change.after:
            out.print(Text(printable(f"+ {text.strip()}"), "green"))
    for sign, found in (("lost", turn.lost), ("gained", turn.gained)):
        for each in found:
            out.print(
                Text(f"  {sign}: {each.category} by {each.rule} at {each.start}-{each.end}: {each.action}", "yellow")
            )


def _print_figures(before: Figures, after: Figures, a: str, b: str) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("")
    for heading in (a, b):
        table.add_column(Text(heading), justify="right")
    for name in ("messages", "findings"):
        table.add_row(name, str(getattr(before, name)), str(getattr(after, name)))
    for name, values in (("first message, ms", "first"), ("delay, ms", "delays")):
        for share in (0.5, 0.95):
            numbers = [quantile(getattr(side, values), share) for side in (before, after)]
            table.add_row(f"{name}, p{share:.0%}".rstrip("%"), *(("-" if n is None else str(n)) for n in numbers))
    out.print(table)
