"""`tokenweir run VENDOR`: a live job, from its options to what it ended with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import msgspec

from connectors.console.sink import ConsoleSink
from connectors.errors import InputError
from connectors.job.requests import Admission, SessionRequest, parse_request, read_sessions
from connectors.vendors.base import Vendor
from connectors.vendors.registry import known
from flows.live import LiveJob, check_desktops
from flows.recordings.recorder import KeepOptions, check_target, keep_job
from tokenweir.options import PATH, SETTINGS
from tokenweir.output import UNFINISHED, complain, err, explained, unstoppable
from tokenweir.screen import shown
from tokenweir.settings import load_with


@click.group("run")
def command() -> None:
    """Run a live job."""


def _job_options(function: Callable[..., None]) -> Callable[..., None]:
    """The options that a job of every vendor has."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Messages as JSON lines on standard output."),
        click.option("--show", is_flag=True, help="Show a service's sentences too; they are customers' text."),
        click.option("--why", default="", help="Why it was recorded, for the recording's manifest."),
        click.option("--fake-pii", is_flag=True, help="Record with personal data replaced by made-up data."),
        click.option("--sample", type=float, default=1.0, show_default=True, help="Record this share of the sessions."),
        click.option("--record", type=PATH, help="Keep this run's sessions: NAME.jsonl, or a folder for one each."),
        click.option("--data-dir", type=PATH, help="Where everything is kept; job.data_dir."),
        SETTINGS,
        click.option("--sessions", type=PATH, help="A JSON-lines file of sessions to work off."),
        click.option("--model", help="Its model; the settings' otherwise."),
        click.option("--session-id", default="s-1", show_default=True, help="Its id."),
        click.option("--prompt", help="One session with this prompt; the job ends with it."),
    ):
        function = option(function)
    return function


def _command_of(vendor: Vendor) -> click.Command:
    """`run NAME`: a vendor's job, with an option for each field besides that it needs of a request."""

    def function(**options: Any) -> int:
        return _run(vendor, **options)

    for field in vendor.needs:
        if field != "prompt":
            words = field.replace("_", " ").removesuffix(" id")
            option = click.option(f"--{field.replace('_', '-')}", help=f"The {words} of the --prompt's session.")
            function = option(function)
    function.__doc__ = f"{vendor.about}\n\nWith neither --prompt nor --sessions it is a service: {vendor.service}"
    return click.command(vendor.name)(_job_options(unstoppable(explained(function))))


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
    **needed: str | None,
) -> int:
    """`needed` has the fields that this vendor needs besides."""
    if prompt is not None and sessions is not None:
        raise click.UsageError("give --prompt or --sessions, not both")
    loaded, options = load_with(settings, data_dir, vendor.name), KeepOptions(sample, fake_pii, why)
    if record is not None:  # the log's files stay until it is made
        check_target(record)
        loaded = msgspec.structs.replace(loaded, log=msgspec.structs.replace(loaded.log, keep_bytes=1 << 62))
    fields = {"session_id": session_id, "prompt": prompt, "model": model, **needed}
    admission = Admission(needs=vendor.needs, takes=vendor.takes, tenants=frozenset(loaded.tenants))
    requests, broken = _requests(fields, sessions, admission)
    if loaded.desktops or vendor.desktop:
        check_desktops(loaded, requests)
    serve = prompt is None and sessions is None
    with shown(as_json, at_all=show or not serve) as showing:
        once, sink = sessions is not None, ConsoleSink(showing)
        job = LiveJob(vendor, loaded, requests=requests, serve=serve, once=once, extra={"show": sink})
        job.run()
    if record is not None:
        made = keep_job(job.source, record, loaded, options)
        err.print(f"recorded {len(made)} file{'s' * (len(made) != 1)} in {record}", highlight=False)
    sink.check()
    return _conclude(job, broken, serve=serve)


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


for each in known().values():
    if each.live:
        command.add_command(_command_of(each))
