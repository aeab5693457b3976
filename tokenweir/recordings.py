"""`tokenweir recordings …`: recordings made, listed, shown and taken apart."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

import click

from connectors.log.files import LogReader
from connectors.log.records import FRAME, Record
from connectors.vendors.decoding import Decoder
from connectors.vendors.registry import known
from flows.recordings import captures, editing, recorder, shapes
from flows.recordings.export import export as export_body
from flows.recordings.imports import About
from flows.recordings.vendor import vendor_of
from flows.settings import load
from tokenweir.listing import listed
from tokenweir.options import PATH, RECORDINGS, SETTINGS
from tokenweir.output import Terminal, err, explained, out

LISTED = 200

OUTPUT = click.option("-o", "--output", type=PATH, required=True, help="The recording to write; .zst compresses it.")


@click.group("recordings")
def command() -> None:
    """Recordings: from what you have, and back; what they hold; parts and wholes."""


@command.command("import")
@click.argument("source", type=click.Path(path_type=Path, allow_dash=True))
@OUTPUT
@click.option(
    "--preset",
    type=click.Choice([shapes.AUTO, *known()]),
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
    """Make a recording of an answer that `curl -N` saved, of a HAR file or a VCR cassette, or of JSON lines of tokens.

    SOURCE is a file, or - for standard input: `curl -N … | tokenweir recordings import - -o NAME.jsonl` keeps the
    times at which the tokens came.
    """
    about = About(session=session_id, prompt=prompt, model=model, tenant=tenant, language=language)
    read = sys.stdin.buffer if str(source) == "-" else source
    made = captures.import_file(read, output, about, shape=preset, path=token_path, every=every)
    how = f" by {made.path}" if made.path else f" of {made.vendor}"
    spaced = "" if made.timed else f"; their times are made up, {every:g} s apart"
    failed = "".join(f"; {count} turns ended as {reason}" for reason, count in made.failed.items())
    left_out = f"; {made.left_out} exchanges were no answers of a model, and are left out" if made.left_out else ""
    err.print(f"{made.tokens} tokens{how} in {output}{failed}{left_out}{spaced}", highlight=False, markup=False)


@command.command("export")
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


@command.command("ls")
@RECORDINGS
@explained
def list_(paths: tuple[Path, ...]) -> None:
    """List recordings: what they hold, and how it ended."""
    width = out.width if out.is_terminal else LISTED
    summaries = [editing.summarise(path) for path in editing.recordings_in(paths)]
    Terminal(width=width).print(listed(summaries, width), highlight=False)


@command.command("show")
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


@command.command("trim")
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


@command.command("keep")
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
    for path in recorder.keep(recording, output, loaded, recorder.KeepOptions(sample, fake_pii, why)):
        click.echo(path)


@command.command("split")
@click.argument("recording", type=PATH)
@click.option("-o", "--output", type=PATH, required=True, help="A folder.")
@explained
def split(recording: Path, output: Path) -> None:
    """Make a recording of each session."""
    for path in editing.split(recording, output):
        click.echo(path)


@command.command("merge")
@RECORDINGS
@OUTPUT
@click.option("--rename", is_flag=True, help="Put the recording's name before each session's.")
@click.option("--together", is_flag=True, help="All begin at the same moment, whatever their dates.")
@explained
def merge(paths: tuple[Path, ...], output: Path, rename: bool, together: bool) -> None:
    """Make one recording of several."""
    count = editing.merge(editing.recordings_in(paths), output, rename=rename, together=together)
    err.print(f"{count} records in {output}", highlight=False, markup=False)


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
