"""The commands about recordings: `replay`, `diff`, `recordings …`. They parse, call and print; nothing else."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import click
import msgspec
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from connectors.commands import err, explained, out, shown
from connectors.console.printable import printable
from connectors.console.sink import Terminal
from connectors.errors import InputError
from connectors.log.files import LogReader
from connectors.log.records import FRAME, Record
from connectors.vendors.decoding import Decoder
from flows.recordings import captures, editing, recorder, shapes
from flows.recordings.comparison import Comparison, Figures, TurnDifference, quantile
from flows.recordings.export import export as export_body
from flows.recordings.listing import listed
from flows.recordings.variants import Variant
from flows.replay import outputs, vendor_of
from flows.replay import replay as replay_recording
from flows.settings import Settings, load

DIFFERS = 9
LISTED = 200

PATH = click.Path(path_type=Path)
RECORDINGS = click.argument("paths", metavar="RECORDING…", type=PATH, nargs=-1, required=True)
SETTINGS = click.option("--settings", type=PATH, help="A TOML file; ./tokenweir.toml if it is there.")
OUTPUT = click.option("-o", "--output", type=PATH, required=True, help="The recording to write; .zst compresses it.")


@click.command()
@RECORDINGS
@SETTINGS
@click.option(
    "--speed", type=float, help="Times the recorded time: 1 as it was, 10 ten times as fast. Full speed without."
)
@click.option("--cut", help="The same text in other pieces: char, a number of characters, or seed:K.")
@click.option(
    "--faults", help="What goes wrong with every turn, e.g. drop@12:repeat=3,stall=2@20 (docs/recordings.md)."
)
@click.option("--json", "as_json", is_flag=True, help="Messages as JSON lines on standard output.")
@click.option("--desktop", metavar="URL", help="Send the messages to an agent desktop too (ws://…).")
@click.option("--data-dir", type=PATH, help="Put the metrics into this data directory's DuckDB too.")
@explained
def replay(
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
    with shown(as_json) as show, _progress(found, quiet=len(found) == 1 or out.is_terminal) as each:
        for path in each:
            if len(found) > 1 and not as_json:
                out.rule(Text(path.name), align="left")
            records = variant.records(path) if cut or faults else None
            loaded = load(settings, vendor=vendor_of(path).name)
            with outputs(loaded, data_dir, desktop) as (messages, rows):
                replay_recording(path, loaded, show, messages=messages, rows=rows, records=records, speed=speed)


@click.command()
@click.argument("before", metavar="A.toml", type=PATH)
@click.argument("after", metavar="B.toml", type=PATH)
@RECORDINGS
@click.option("--json", "as_json", is_flag=True, help="One JSON object with everything.")
@click.option("--exit-code", is_flag=True, help=f"End with {DIFFERS} if a sentence or a finding differs.")
@explained
def diff(before: Path, after: Path, paths: tuple[Path, ...], as_json: bool, exit_code: bool) -> int:
    """What a change of settings does to recorded streams: sentences, findings, messages, delay."""
    comparison = Comparison()
    with _progress(editing.recordings_in(paths)) as each:
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


@click.group()
def recordings() -> None:
    """Recordings: from what you have, and back; what they hold; parts and wholes."""


@recordings.command("import")
@click.argument("source", type=click.Path(path_type=Path, allow_dash=True))
@OUTPUT
@click.option(
    "--preset",
    type=click.Choice([shapes.AUTO, *shapes.SHAPES]),
    default=shapes.AUTO,
    show_default=True,
    help="Whose stream it is.",
)
@click.option("--token-path", help="Where a token is in an event, e.g. choices.0.delta.content; instead of a preset.")
@click.option(
    "--every",
    type=click.FloatRange(0, 60),
    default=captures.EVERY,
    show_default=True,
    help="Seconds between tokens that have no times.",
)
@click.option("--session-id", help="The session's name; the output's name otherwise.")
@click.option("--prompt", default="", help="What was asked.")
@click.option("--model", help="The model; as the stream says otherwise.")
@click.option("--tenant", help="Whose stream it is.")
@click.option("--language", help="Its language, e.g. de.")
@explained
def import_(
    source: Path,
    output: Path,
    preset: str,
    token_path: str | None,
    every: float,
    session_id: str | None,
    prompt: str,
    model: str | None,
    tenant: str | None,
    language: str | None,
) -> None:
    """Make a recording of an SSE body that `curl -N` saved, or of JSON lines of tokens.

    SOURCE is a file, or - for standard input: `curl -N … | tokenweir recordings import - -o NAME.jsonl` keeps the
    times at which the tokens came.
    """
    about = captures.About(session=session_id, prompt=prompt, model=model, tenant=tenant, language=language)
    read = sys.stdin.buffer if str(source) == "-" else source
    made = captures.import_file(read, output, about, shape=preset, path=token_path, every=every)
    how = f" by {made.path}" if made.path else ""
    spaced = "" if made.timed else f"; their times are made up, {every:g} s apart"
    err.print(f"{made.tokens} tokens{how} in {output}{spaced}", highlight=False, markup=False)


@recordings.command("export")
@click.argument("recording", type=PATH)
@click.option("--session", help="Whose turn, where there are several.")
@click.option("--turn", type=int, help="Which of its turns.")
@click.option(
    "-o", "--output", type=click.File("wb", lazy=True), default="-", help="A file; standard output otherwise."
)
@explained
def export(recording: Path, session: str | None, turn: int | None, output: BinaryIO) -> None:
    """Give a turn back as the plain body of one SSE answer."""
    for event in export_body(recording, session, turn):
        output.write(event)


@recordings.command("ls")
@RECORDINGS
@explained
def list_(paths: tuple[Path, ...]) -> None:
    """List recordings: what they hold, and how it ended."""
    width = out.width if out.is_terminal else LISTED
    summaries = [editing.summarise(path) for path in editing.recordings_in(paths)]
    Terminal(width=width).print(listed(summaries, width), highlight=False)


@recordings.command("show")
@click.argument("recording", type=PATH)
@click.option("--session", help="Of this session only.")
@click.option("--raw", is_flag=True, help="Frames as the vendor sent them.")
@explained
def show(recording: Path, session: str | None, raw: bool) -> None:
    """Show a recording record by record. What a customer wrote is in it: this is before moderation."""
    vendor = vendor_of(recording)
    decoders: dict[tuple[str, int], Decoder] = {}
    reader = LogReader(recording)
    out.print(f"{reader.header.vendor}, {reader.header.created}. {reader.header.note}", highlight=False, markup=False)
    for record, _ in reader.read():
        if session in (None, record.s) or not record.s:
            decoder = decoders.setdefault((record.s, record.n), vendor.decoder())
            text = _frame_text(record, decoder.feed) if record.k == FRAME and not raw else _plain(record)
            name = f"{record.s}/{record.n}" if record.s else ""
            out.print(f"{record.t / 1e6:11.6f}  {name:<20} {record.k:<6} {text}", highlight=False, markup=False)


@recordings.command("trim")
@click.argument("recording", type=PATH)
@OUTPUT
@click.option("--session", "sessions", multiple=True, help="Keep this session; again for more.")
@click.option("--from", "begin", type=float, help="Keep turns that begin from then on, in seconds.")
@click.option("--to", "end", type=float, help="… and before then.")
@explained
def trim(recording: Path, output: Path, sessions: tuple[str, ...], begin: float | None, end: float | None) -> None:
    """Keep some turns of a recording, whole."""
    count = editing.trim(recording, output, sessions=sessions, begin=begin, end=end)
    err.print(f"{count} records in {output}", highlight=False, markup=False)


@recordings.command("keep")
@click.argument("recording", type=PATH)
@click.option("-o", "--output", type=PATH, required=True, help="NAME.jsonl, or a folder for one a session.")
@click.option("--sample", type=float, default=1.0, show_default=True, help="Keep this share of the sessions.")
@click.option("--fake-pii", is_flag=True, help="Replace personal data by made-up data of the same shape.")
@click.option("--why", default="", help="Why, for the manifest.")
@SETTINGS
@explained
def keep(recording: Path, output: Path, sample: float, fake_pii: bool, why: str, settings: Path | None) -> None:
    """Keep a recording, or a lane's log (DATA_DIR/log/w00), with its manifest; as `run --record` does."""
    loaded = load(settings, vendor=vendor_of(recording).name)
    for path in recorder.keep(recording, output, loaded, recorder.Wish(sample, fake_pii, why)):
        click.echo(path)


@recordings.command("split")
@click.argument("recording", type=PATH)
@click.option("-o", "--output", type=PATH, required=True, help="A folder.")
@explained
def split(recording: Path, output: Path) -> None:
    """Make a recording of each session."""
    for path in editing.split(recording, output):
        click.echo(path)


@recordings.command("merge")
@RECORDINGS
@OUTPUT
@click.option("--rename", is_flag=True, help="Put the recording's name before each session's.")
@click.option("--together", is_flag=True, help="All begin at the same moment, whatever their dates.")
@explained
def merge(paths: tuple[Path, ...], output: Path, rename: bool, together: bool) -> None:
    """Make one recording of several."""
    count = editing.merge(editing.recordings_in(paths), output, rename=rename, together=together)
    err.print(f"{count} records in {output}", highlight=False, markup=False)


@contextmanager
def _progress(paths: list[Path], *, quiet: bool = False) -> Iterator[Iterable[Path]]:
    """The recordings, one after the other, with a bar on standard error where a person is looking."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=quiet or not err.is_terminal) as bar:
        task = bar.add_task("", total=len(paths))

        def each() -> Iterator[Path]:
            for path in paths:
                bar.update(task, description=path.name)
                yield path
                bar.advance(task)

        yield each()


def _file(path: Path, vendor: str) -> Settings:
    if not path.exists():
        raise InputError(f"{path} is not there; give two settings files, then recordings")
    return load(path, {}, vendor=vendor)


def _frame_text(record: Record, feed: Callable[..., Iterable[object]]) -> str:
    """What a frame says: its tokens and its end."""
    if not isinstance(record.d, str):
        return ""
    said = []
    for delta in feed(record.d, record.id):
        said += [repr(token) for token in getattr(delta, "tokens", ())]
        said += [name for name in ("finished", "error", "malformed") if getattr(delta, name, False)]
    return " ".join(said) or f"({len(record.d)} characters without a token)"


def _plain(record: Record) -> str:
    if isinstance(record.d, dict):
        return ", ".join(f"{name}={value!r}" for name, value in record.d.items() if value is not None)
    return record.d or ""


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
