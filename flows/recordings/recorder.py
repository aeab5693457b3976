"""What a job saw, kept: whole, by session, a sample of it, and without the customers' data.

Rules
- A recording is made from the ended log. To a file go all sessions together; to a folder each session's own, with the
  log's times: raw, it replays to the bytes that the desktop got.
- Whether a session is in a sample is decided by a hash of its id: the same sessions everywhere, whatever the run.
- Beside a recording lies its manifest, NAME.manifest.json: what it is, with which settings and versions it was made,
  when, why. Settings are named by their hash; nothing secret is in it.
"""

from __future__ import annotations

import contextlib
import hashlib
import platform
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory
from typing import TYPE_CHECKING

import msgspec

from connectors.disk.durable import write_whole
from connectors.errors import InputError
from connectors.log.files import LogReader, lists_beside
from connectors.log.records import Record
from connectors.log.writer import write_recording
from flows.engine.policies import Policies
from flows.recordings import editing
from flows.recordings.disguise import disguise
from flows.recordings.fakes import Fakes
from flows.recordings.vendor import vendor_of
from flows.settings import Settings

if TYPE_CHECKING:
    from connectors.job.source import LiveSource

PACKAGES = ("tokenweir", "bytewax", "msgspec")
MANIFEST = ".manifest.json"


class Manifest(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of a recording.

    sha256    of the recording's file
    settings  hash of the settings that decide what a stream comes to
    fakes     how many values of each category were replaced; None for a raw recording
    """

    vendor: str
    recorded: str
    sessions: int
    turns: int
    records: int
    sha256: str
    settings: str
    versions: dict[str, str]
    why: str = ""
    sample: float = 1.0
    fakes: dict[str, int] | None = None


class KeepOptions(msgspec.Struct, frozen=True):
    """How to record. Raises InputError for a sample that is none."""

    sample: float = 1.0
    fake_pii: bool = False
    why: str = ""

    def __post_init__(self) -> None:
        if not 0 < self.sample <= 1:
            raise InputError("--sample is a share of the sessions: more than 0 and at most 1")


def keep(
    source: Path, target: Path, settings: Settings, options: KeepOptions, *, now: datetime | None = None
) -> list[Path]:
    """Make recordings of a recording: one at `target`, or one a session in it if it is a folder. Returns them.

    A folder is what is one, or has no suffix of a recording. Raises InputError where a session cannot be disguised, or
    nothing be written.
    """
    with editing.writing(target):
        return _keep_all(source, target, settings, options, now)


def check_target(target: Path) -> None:
    """Raise InputError where no recording could be written: before a run, not after it."""
    folder = target if _is_folder(target) else target.parent
    with editing.writing(target):
        folder.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=folder):
            pass


def _keep_all(source: Path, target: Path, settings: Settings, options: KeepOptions, now: datetime | None) -> list[Path]:
    recorded = (now or datetime.now(UTC)).isoformat(timespec="seconds").replace("+00:00", "Z")
    if _is_folder(target):
        with TemporaryDirectory() as folder:
            made = []
            for part in editing.split(source, Path(folder), from_zero=False):
                made += _keep(part, target / part.name, settings, options, recorded)
            return made
    return _keep(source, target, settings, options, recorded)


def keep_job(source: LiveSource, target: Path, settings: Settings, options: KeepOptions) -> list[Path]:
    """The same of what a job that has ended saw. Raises InputError."""
    with TemporaryDirectory() as folder:
        whole = Path(folder) / "job.jsonl"
        with editing.writing(Path(folder)):
            source.record(whole)
        return keep(whole, target, settings, options)


def _is_folder(target: Path) -> bool:
    return not target.name.endswith(editing.SUFFIXES) or target.is_dir()


def is_sampled(session: str, share: float) -> bool:
    """Whether a session is in a sample of this share; a smaller sample is part of every larger one."""
    return int.from_bytes(hashlib.sha256(session.encode()).digest()[:8]) < share * 2**64


def settings_hash(settings: Settings) -> str:
    """Of what decides what a stream comes to: windows, moderation, fallbacks, tenants' policies."""
    tenants = {name: tenant.moderation for name, tenant in sorted(settings.tenants.items())}
    parts = msgspec.to_builtins((settings.window, settings.moderation, settings.fallback, tenants))
    return hashlib.sha256(msgspec.json.encode(parts, order="sorted")).hexdigest()


def _keep(source: Path, target: Path, settings: Settings, options: KeepOptions, recorded: str) -> list[Path]:
    reader = LogReader(source)
    records: Iterable[Record] = (
        record for record, _ in reader.read() if not record.s or is_sampled(record.s, options.sample)
    )
    fakes = Fakes(target.name) if options.fake_pii else None
    if fakes is not None:
        records = disguise(records, vendor_of(source), Policies(settings, lists_beside(source)), fakes)
    kept = list(records)
    turns = {(record.s, record.n) for record in kept if record.s}
    if not turns:
        return []
    target.parent.mkdir(parents=True, exist_ok=True)
    editing.copy_lists(source, target)
    note = reader.header.note + (" Personal data replaced by fakes." if options.fake_pii else "")
    write_recording(target, msgspec.structs.replace(reader.header, note=note.strip()), kept)
    manifest = Manifest(
        vendor=reader.header.vendor,
        recorded=recorded,
        sessions=len({session for session, _ in turns}),
        turns=len(turns),
        records=len(kept),
        sha256=hashlib.sha256(target.read_bytes()).hexdigest(),
        settings=settings_hash(settings),
        versions={**_installed(), "python": platform.python_version()},
        why=options.why,
        sample=options.sample,
        fakes=fakes.counts if fakes is not None else None,
    )
    beside = target.with_name(target.name.removesuffix(".zst").removesuffix(".jsonl") + MANIFEST)
    write_whole(beside, msgspec.json.format(msgspec.json.encode(manifest)) + b"\n")
    return [target]


def _installed() -> dict[str, str]:
    """The versions of `PACKAGES`, without those that are not here: reading needs no Bytewax."""
    found: dict[str, str] = {}
    for name in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
