"""`tokenweir moderate`: shows a text or a recording with what the policy finds in it."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec
from rich.text import Text

from connectors.console.printable import printable
from flows.moderation import Span
from flows.recordings.inspection import inspect
from flows.settings import load
from tokenweir.options import PATH, SETTINGS
from tokenweir.output import explained, out


@click.command("moderate")
@click.argument("file", type=PATH)
@SETTINGS
@click.option("--tenant", help="Whose policy, for a plain text; a recording's turns name their own.")
@click.option("--json", "as_json", is_flag=True, help="Findings as JSON lines, by place and never by value.")
@explained
def command(file: Path, settings: Path | None, tenant: str | None, as_json: bool) -> None:
    """Show what the policy would do to a text or a recording: every finding in colour, with its rule."""
    for name, spans in inspect(file, load(settings), tenant):
        if as_json:
            for span in spans:
                if span.finding is not None:
                    click.echo(msgspec.json.encode({"text": name, **msgspec.to_builtins(span.finding)}))
        else:
            _print_spans(name, spans)


def _print_spans(name: str, spans: list[Span]) -> None:
    found = [span.finding for span in spans if span.finding is not None]
    out.rule(f"{name}: {len(found)} findings", align="left")
    text = Text()
    for span in spans:
        if span.finding is None:
            text.append(printable(span.text))
        else:
            style = "yellow" if span.finding.action == "flag" else "bold green"
            text.append(printable(span.text), style)
            text.append(f" ({span.finding.category} by {span.finding.rule}: {span.finding.action})", "dim")
    out.print(text)
