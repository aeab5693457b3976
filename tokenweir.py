"""tokenweir's front door: the command line. It parses, calls and prints; nothing else.

Exit codes: 0 finished; 1 an error of ours; 2 wrong usage; 3 settings; 4 credentials; 5 the vendor; 6 messages not
delivered; 7 an input file; 8 the data directory; 9 a transcript that differs (`demo`); 10 stopped with turns open;
11 standard output that did not take all.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

import click
import msgspec
import polars as pl
from rich import box
from rich.box import SIMPLE_HEAD
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from analytics import query as questions
from analytics import usage
from analytics.frames import Scope, parse_moment
from analytics.report import report as make_report
from analytics.tuning.command import command as tune
from connectors.commands import StderrHandler, complain, err, explained, out, print_strictly, shown, unstoppable
from connectors.console.printable import printable
from connectors.console.sink import ConsoleSink, Screen, Terminal
from connectors.errors import DataDirError, InputError, SettingsError
from connectors.job.requests import Admission, SessionRequest, parse_request, read_sessions
from connectors.simulator import AgentDesktop, Corpus
from connectors.simulator.vendor import SimulatedVendor
from connectors.vendors.base import Vendor
from connectors.vendors.registry import known, named
from flows import demo as demonstration
from flows.backup import backup
from flows.doctor import examine
from flows.engine.checks import Finding, of_settings
from flows.live import LiveJob, check_desktops
from flows.moderation import Span
from flows.recordings.commands import diff, recordings, replay
from flows.recordings.inspection import inspect
from flows.recordings.recorder import Wish, check_target, keep_job
from flows.settings import Settings, load

DIFFERS = 9
UNFINISHED = 10
SHOWN_ROWS = 100
LISTED_STREAMS = 20


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="tokenweir")
@click.option("-v", "--verbose", count=True, help="Say more on standard error; twice for debugging.")
def main(verbose: int) -> None:
    """LLM token streams to whole, safe sentences on an agent's desktop."""
    print_strictly()
    levels = (logging.WARNING, logging.INFO, logging.DEBUG)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # a line a request, with its URL
    logging.basicConfig(level=levels[min(verbose, 2)], handlers=[StderrHandler()])


@main.command()
@click.option("--data-dir", type=click.Path(path_type=Path), default=Path("tokenweir-data/demo"), show_default=True)
@unstoppable
@explained
def demo(data_dir: Path) -> int:
    """Run the main job against simulated servers, show it, check it, and replay it."""
    with Screen(out) as screen:
        report = demonstration.run(data_dir, screen.show)
    _print_turns(data_dir)
    _print_checks(report)
    return DIFFERS if report.failed else 0


@main.group()
def run() -> None:
    """Run a live job."""


def _job_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options that a job of every vendor has."""
    path = click.Path(path_type=Path)
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Messages as JSON lines on standard output."),
        click.option("--show", is_flag=True, help="Show a service's sentences too; they are customers' text."),
        click.option("--why", default="", help="Why it was recorded, for the recording's manifest."),
        click.option("--fake-pii", is_flag=True, help="Record with personal data replaced by made-up data."),
        click.option("--sample", type=float, default=1.0, show_default=True, help="Record this share of the sessions."),
        click.option("--record", type=path, help="Keep this run's sessions: NAME.jsonl, or a folder for one each."),
        click.option("--data-dir", type=path, help="Where everything is kept; job.data_dir."),
        click.option("--settings", type=path, help="A TOML file; ./tokenweir.toml if it is there."),
        click.option("--sessions", type=path, help="A JSON-lines file of sessions to work off."),
        click.option("--model", help="Its model; the settings' otherwise."),
        click.option("--session-id", default="s-1", show_default=True, help="Its id."),
        click.option("--prompt", help="One session with this prompt; the job ends with it."),
    ):
        command = option(command)
    return command


@run.command("cxone")
@_job_options
@unstoppable
@explained
def run_cxone(**options: Any) -> int:
    """CXone's streams to the agent desktop.

    With neither --prompt nor --sessions it is a service: it takes sessions at POST /sessions until SIGTERM or SIGINT.
    """
    return _run(named("cxone"), **options)


@run.command("cognigy")
@_job_options
@click.option("--dialog-id", help="The dialog of the --prompt's session.")
@unstoppable
@explained
def run_cognigy(**options: Any) -> int:
    """Cognigy.AI's streams to callers, the agent desktop and dialog variables.

    With neither --prompt nor --sessions it is a service: browsers read GET /stream?session_id=&dialog_id=, callers
    begin sessions at POST /sessions, until SIGTERM or SIGINT.
    """
    return _run(named("cognigy"), **options)


def _run(
    vendor: Vendor,
    *,
    prompt: str | None,
    session_id: str,
    model: str | None,
    sessions: Path | None,
    settings: Path | None,
    data_dir: Path | None,
    record: Path | None,
    sample: float,
    fake_pii: bool,
    why: str,
    as_json: bool,
    show: bool,
    dialog_id: str | None = None,
) -> int:
    if prompt is not None and sessions is not None:
        raise click.UsageError("give --prompt or --sessions, not both")
    loaded, wish = _load(settings, data_dir, vendor.name), Wish(sample, fake_pii, why)
    if record is not None:  # the log's files stay until it is made
        check_target(record)
        loaded = msgspec.structs.replace(loaded, log=msgspec.structs.replace(loaded.log, keep_bytes=1 << 62))
    fields = {"session_id": session_id, "prompt": prompt, "model": model, "dialog_id": dialog_id}
    requests, broken = _requests(fields, sessions, Admission(needs=vendor.needs, tenants=frozenset(loaded.tenants)))
    if vendor.desktop or loaded.desktops:
        check_desktops(loaded, requests)
    serve = prompt is None and sessions is None
    with shown(as_json, at_all=show or not serve) as showing:
        once, sink = sessions is not None, ConsoleSink(showing)
        job = LiveJob(vendor, loaded, requests=requests, serve=serve, once=once, extra={"show": sink})
        job.run()
    if record is not None:
        made = keep_job(job.source, record, loaded, wish)
        err.print(f"recorded {len(made)} file{'s' * (len(made) != 1)} in {record}", highlight=False)
    sink.check()
    return _conclude(job, broken, serve=serve)


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--settings", type=click.Path(path_type=Path), help="A TOML file; ./tokenweir.toml if it is there.")
@click.option("--tenant", help="Whose policy, for a plain text; a recording's turns name their own.")
@click.option("--json", "as_json", is_flag=True, help="Findings as JSON lines, by place and never by value.")
@explained
def moderate(file: Path, settings: Path | None, tenant: str | None, as_json: bool) -> None:
    """Show what the policy would do to a text or a recording: every finding in colour, with its rule."""
    for name, spans in inspect(file, _load(settings), tenant):
        if as_json:
            for span in spans:
                if span.finding is not None:
                    click.echo(msgspec.json.encode({"text": name, **msgspec.to_builtins(span.finding)}))
        else:
            _print_spans(name, spans)


@main.command()
@click.argument("data_dir", type=click.Path(path_type=Path))
@click.option("--settings", type=click.Path(path_type=Path), help="Check this TOML file, and the environment, too.")
@explained
def doctor(data_dir: Path, settings: Path | None) -> int:
    """Check a data directory and say what a start would do with it. Changes nothing.

    Settings are checked where a file of them is given. Of ./tokenweir.toml it only wants to know which desktops there
    are; without any it says what waits for whom.
    """
    wrong = _settings_findings(settings) if settings is not None else []
    findings = [*wrong, *examine(data_dir, None if wrong else _desktops(settings))]
    return _print_findings(findings, "Nothing to mend.")


@main.command("backup")
@click.argument("data_dir", type=click.Path(path_type=Path))
@click.argument("target", type=click.Path(path_type=Path))
@explained
def make_backup(data_dir: Path, target: Path) -> int:
    """Copy a data directory, while jobs run on it or not. Start a job with the copy as its --data-dir to restore it.

    TARGET is made. The copy is checked as `doctor` checks.
    """
    backup(data_dir, target)
    return _print_findings([each for each in examine(target) if each.level == "mend"], f"Copied to {target}.")


@main.command()
@click.argument("name", metavar="VENDOR", type=click.Choice(list(known())), default="cxone")
@click.option("--corpus", type=click.Path(path_type=Path), help="JSON lines with `tokens` and perhaps `t_ms`.")
@click.option("--port", default=8085, show_default=True, help="Of the gateway; 0 for any.")
@click.option("--desktop-port", default=8086, show_default=True, help="Of the agent desktop; 0 for any.")
@click.option("--faults", default="", help="What goes wrong with every stream, e.g. drop=rst@12,repeat=3.")
@click.option("--desktop", "behaviour", default="", help="How the desktop behaves, e.g. ack=5,slow=0.2.")
@click.option("--speed", default=1.0, show_default=True, help="Of the streams' own times; 0: as fast as possible.")
@explained
def simulate(
    name: str, corpus: Path | None, port: int, desktop_port: int, faults: str, behaviour: str, speed: float
) -> None:
    """Serve a simulated vendor and an agent desktop on loopback until interrupted.

    The faults' and behaviours' words are in docs/simulator.md.
    """
    served = Corpus.read(corpus) if corpus else Corpus.builtin()
    vendor = named(name)
    gateway = vendor.simulator(served, faults=faults, port=port, speed=speed)
    desktop = AgentDesktop(behaviour=behaviour, port=desktop_port)
    try:
        asyncio.run(_simulate(vendor, gateway, desktop))
    except KeyboardInterrupt:
        err.print("stopped")


async def _simulate(vendor: Vendor, gateway: SimulatedVendor, desktop: AgentDesktop) -> None:
    async with AsyncExitStack() as servers:
        await servers.enter_async_context(gateway)
        await servers.enter_async_context(desktop)
        names = list(gateway.corpus.names)
        more = f" and {len(names) - LISTED_STREAMS} more" if len(names) > LISTED_STREAMS else ""
        err.print(f"{len(names)} streams: {', '.join(names[:LISTED_STREAMS])}{more}", highlight=False, markup=False)
        err.print(f"Ask for one by {vendor.asking}. To use them, paste:")
        for name, value in {**vendor.simulated(gateway.url), "AGENT_WS_URL": desktop.url}.items():
            click.echo(f"export {name}='{value}'")
        sys.stdout.flush()
        await asyncio.Event().wait()


@main.command()
@click.argument("sql", required=False)
@click.option("--name", help="A view, table or macro to show whole, instead of SQL.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Whose metrics; job.data_dir.")
@click.option("--format", "kind", type=click.Choice(["table", "csv", "json", "parquet"]), default="table")
@click.option("-o", "--output", type=click.File("wb", lazy=True), help="A file; standard output otherwise.")
@explained
def query(sql: str | None, name: str | None, data_dir: Path | None, kind: str, output: BinaryIO | None) -> None:
    """Ask the metrics in SQL, read-only, while jobs run. With neither SQL nor --name: list what there is to ask.

    A table shows the first 100 rows; the other formats have all of them.
    """
    if sql is not None and name is not None:
        raise click.UsageError("give SQL or --name, not both")
    if output is not None and kind == "table":
        raise click.UsageError("a file needs --format csv, json or parquet")
    metrics = _load(None, data_dir).job.data_dir
    asked = sql if sql is not None else questions.named(metrics, name) if name is not None else questions.CATALOGUE
    if kind != "table":
        questions.write(metrics, asked, cast(questions.Format, kind), output or sys.stdout.buffer)
        return
    rows, more = questions.answer(metrics, asked, most=SHOWN_ROWS)
    _print_frame(rows, folded=asked == questions.CATALOGUE)
    if more:
        err.print(f"the first {SHOWN_ROWS} rows; --format csv has all of them", highlight=False)


@main.command()
@click.option("--data-dir", type=click.Path(path_type=Path), help="Whose metrics; job.data_dir.")
@click.option("--since", help="Turns opened from then on: 2026-11-20, 2026-11-20T14:30 (UTC), or 24h, 7d ago.")
@click.option("--until", help="Turns opened before then.")
@click.option("--tenant", help="One tenant's turns only.")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("report.html"), show_default=True)
@explained
def report(data_dir: Path | None, since: str | None, until: str | None, tenant: str | None, output: Path) -> None:
    """Write what happened into one HTML file: traffic, latency, cost, moderation, interruptions."""
    now = datetime.now(UTC)
    scope = Scope(parse_moment(since, now) if since else None, parse_moment(until, now) if until else None, tenant)
    page = make_report(_load(None, data_dir).job.data_dir, scope, now=now)
    try:
        output.write_text(page, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{output} cannot be written: {error.strerror}") from None
    out.print(f"wrote {output}", highlight=False, markup=False)


def _desktops(path: Path | None) -> frozenset[str] | None:
    """Those of the settings; None where those have none, or cannot be read."""
    try:
        return frozenset(load(path).desktops) or None
    except SettingsError:  # said where they are asked for
        return None


def _print_findings(findings: list[Finding], sound: str) -> int:
    """Print them, then what is to be mended, or that it is `sound`."""
    for each in findings:
        style = {"ok": "green", "note": "yellow", "mend": "bold red"}[each.level]
        out.print(Text.assemble((f"{each.level:4}", style), printable(f"  {each.where}: {each.what}")))
    broken = sum(each.level == "mend" for each in findings)
    out.print(f"{broken} to mend." if broken else sound, highlight=False)
    return DataDirError.exit_code if broken else 0


def _settings_findings(path: Path) -> list[Finding]:
    try:
        return list(of_settings(load(path)))
    except SettingsError as error:
        return [Finding("mend", "settings", str(error), refused=True)]


def _load(path: Path | None, data_dir: Path | None = None, vendor: str = "") -> Settings:
    settings = load(path, vendor=vendor)
    if data_dir is None:
        return settings
    return msgspec.structs.replace(settings, job=msgspec.structs.replace(settings.job, data_dir=data_dir))


def _requests(
    fields: dict[str, str | None], sessions: Path | None, admission: Admission
) -> tuple[list[SessionRequest], list[InputError]]:
    """What was asked for, and the lines of the file that cannot be done."""
    if sessions is not None:
        read = list(read_sessions(sessions, admission))
        broken = [each for each in read if isinstance(each, InputError)]
        return [each for each in read if isinstance(each, SessionRequest)], broken
    if fields["prompt"] is None:
        return [], []
    given = {name: value for name, value in fields.items() if value is not None}
    request = parse_request(msgspec.json.encode(given))
    admission.check(request)
    return [request], []


def _conclude(job: LiveJob, broken: list[InputError], *, serve: bool) -> int:
    """Say how it ended; the exit code is the first fault's, an input file's before all. A service's failed turns were
    told as they failed.
    """
    ended = ", ".join(f"{count} {reason}" for reason, count in sorted(job.outcomes.items()))
    err.print(f"turns: {ended or 'none'}; data in {job.settings.job.data_dir}", highlight=False)
    faults = job.undelivered if serve else [*broken, *job.faults]
    codes = [complain(fault) for fault in faults]
    if job.source.cut_short:
        err.print("stopped while the log was read; the next run with this --data-dir goes on from there")
        codes.append(0 if serve else UNFINISHED)
    elif job.open_turns:
        err.print(f"{job.open_turns} turns are open; the next run with this --data-dir continues them")
        codes.append(0 if serve else UNFINISHED)
    return codes[0] if codes else 0


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


def _print_frame(frame: pl.DataFrame, *, folded: bool) -> None:
    """A frame as a table: its cells folded into the terminal, or as wide as it needs."""
    table = Table(box=SIMPLE_HEAD)
    for name, dtype in frame.schema.items():
        table.add_column(Text(printable(name)), justify="right" if dtype.is_numeric() else "left")
    for row in questions.cells(frame):
        table.add_row(*[Text(printable(cell)) for cell in row])  # before it is measured
    if folded:
        out.print(table)
    else:
        wide = Terminal(width=100_000)
        wide.width = Measurement.get(wide, wide.options, table).maximum
        wide.print(table)


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


def _print_checks(report: demonstration.Report) -> None:
    counts = report.counts
    broken = sum(count for name, count in counts.items() if name.startswith("drop_"))
    refused = ", ".join(
        f"{counts[f'status_{code}']} with {code}" for code in (401, 429, 503) if f"status_{code}" in counts
    )
    out.print(
        f"The vendor broke off {broken} streams and refused requests: {refused}; "
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


for command in (replay, diff, recordings, tune):
    main.add_command(command)


if __name__ == "__main__":
    main()
