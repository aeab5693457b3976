"""`tokenweir replay`: recordings through the flow again, on the screen."""

from __future__ import annotations

from pathlib import Path

import click
from rich.text import Text

from flows.recordings import editing
from flows.recordings.variants import Variant
from flows.recordings.vendor import vendor_of
from flows.replay import outputs, replay
from flows.settings import load
from tokenweir.options import PATH, RECORDINGS, SETTINGS
from tokenweir.output import err, explained, out
from tokenweir.progress import one_by_one
from tokenweir.screen import shown


@click.command("replay")
@RECORDINGS
@SETTINGS
@click.option(
    "--speed", type=float, help="Times the recorded time: 1 as it was, 10 ten times as fast. Full speed without."
)
@click.option("--cut", help="The same text in other pieces: char, a number of characters, or seed:K.")
@click.option("--faults", help="What goes wrong with every turn, e.g. drop@12:repeat=3,stall=2@20 (docs/simulator.md).")
@click.option("--json", "as_json", is_flag=True, help="Messages as JSON lines on standard output.")
@click.option("--desktop", metavar="URL", help="Send the messages to an agent desktop too (ws://…).")
@click.option("--data-dir", type=PATH, help="Put the metrics into this data directory's DuckDB too.")
@explained
def command(
    paths: tuple[Path, ...],
    settings: Path | None,
    speed: float | None,
    cut: str | None,
    faults: str | None,
    as_json: bool,
    desktop: str | None,
    data_dir: Path | None,
) -> None:
    """Run recordings, or folders of them, through the flow again and show their messages."""
    variant, found = Variant.parse(cut, faults), editing.recordings_in(paths)
    if variant.passed_over:
        said = f"a replay has no connections, so these faults are passed over: {', '.join(variant.passed_over)}"
        err.print(Text(said), style="yellow")
    with shown(as_json) as show, one_by_one(found, quiet=len(found) == 1 or out.is_terminal) as each:
        for path in each:
            if len(found) > 1 and not as_json:
                out.rule(Text(path.name), align="left")
            records = variant.records(path) if cut or faults else None
            loaded = load(settings, vendor=vendor_of(path).name)
            with outputs(loaded, data_dir, desktop) as (messages, rows):
                replay(path, loaded, show, messages=messages, rows=rows, records=records, speed=speed)
