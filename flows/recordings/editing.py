"""What a recording holds, and others made of it: trimmed, split, merged.

Rules
- A turn is kept whole or not at all, with its times as they are. `created` moves with what is left at the front, so
  that every record keeps its date.
- Of the marks the last is kept: it says how long a turn that stays open was silent.
- A policy (a block list that came into force) is kept with whatever comes after it, and the lists' files are copied:
  those that are named as lists are, and no links.
- A recording may be anybody's. A file is named after a session only if its id is one that a request could have.
"""

from __future__ import annotations

import contextlib
import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path

import msgspec

from connectors.disk.durable import write_whole
from connectors.errors import InputError
from connectors.job.blocklists import DIGEST
from connectors.log.files import LogReader, lists_beside, parse_created
from connectors.log.records import CLOSE, ERROR, FRAME, MARK, OPEN, POLICY, SECOND, SESSION_ID, Header, Record
from connectors.log.writer import write_recording
from flows.recordings.vendor import vendor_of
from flows.steps.events import Text
from flows.steps.reassembly import Reassembly

SUFFIXES = (".jsonl", ".jsonl.zst")


class TurnSummary(msgspec.Struct):
    """One turn of a recording, at a glance.

    ended  why it closed; empty while it is open
    """

    session: str
    turn: int
    begun: float
    seconds: float = 0.0
    frames: int = 0
    tokens: int = 0
    chars: int = 0
    breaks: int = 0
    ended: str = ""
    model: str = ""
    tenant: str = ""


class Summary(msgspec.Struct):
    """A recording at a glance."""

    path: Path
    header: Header
    turns: list[TurnSummary]
    seconds: float
    size: int


def recordings_in(paths: Iterable[Path]) -> list[Path]:
    """The recordings that are named, and those in folders that are. A lane's folder is one.

    Raises InputError where there is none.
    """
    found: list[Path] = []
    for path in paths:
        if not path.is_dir() or any(each.stem.isdecimal() for each in path.glob("*.jsonl")):
            found.append(path)
            continue
        inside = sorted(each for each in path.iterdir() if each.name.endswith(SUFFIXES))
        if not inside:
            raise InputError(f"{path} holds no recordings (*.jsonl, *.jsonl.zst); give a file, or a folder of them")
        found += inside
    return found


@contextlib.contextmanager
def writing(target: Path) -> Iterator[None]:
    """Raise InputError where the disk refuses what is written to `target`."""
    try:
        yield
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise InputError(f"no recording can be written to {target}: {why}; name another place") from None


def summarise(path: Path) -> Summary:
    """Read a recording through. Raises InputError where it is none."""
    reader, vendor = LogReader(path), vendor_of(path)
    turns: dict[tuple[str, int], tuple[TurnSummary, Reassembly]] = {}
    last = 0
    for record, _ in reader.read():
        last = record.t
        key = (record.s, record.n)
        if record.k == OPEN and key not in turns:
            request = record.fields
            turn = TurnSummary(*key, record.t / SECOND)
            turn.model, turn.tenant = request.get("model") or "", request.get("tenant") or ""
            turns[key] = turn, Reassembly(vendor.decoder())
        if key not in turns:
            continue
        turn, core = turns[key]
        turn.frames += record.k == FRAME
        turn.breaks += record.k == ERROR
        turn.seconds = record.t / SECOND - turn.begun
        if record.k == CLOSE:
            turn.ended = record.reason
        for event in core.feed(record):
            if isinstance(event, Text):
                turn.tokens += event.tokens
                turn.chars += len(event.text)
    size = sum(each.stat().st_size for _, each in reader.files)
    return Summary(path, reader.header, [turn for turn, _ in turns.values()], last / SECOND, size)


def trim(
    source: Path,
    target: Path,
    *,
    sessions: Sequence[str] = (),
    begin: float | None = None,
    end: float | None = None,
) -> int:
    """Keep turns: of these sessions, begun from `begin` to before `end` (seconds). Returns how many records.

    Raises InputError where nothing would be left.
    """
    begun: dict[tuple[str, int], int] = {}
    for record, _ in LogReader(source).read():
        if record.k == OPEN:
            begun.setdefault((record.s, record.n), record.t)
    low, high = (begin or 0.0) * SECOND, float("inf") if end is None else end * SECOND
    kept = {key for key, t in begun.items() if low <= t < high and (not sessions or key[0] in sessions)}
    if not kept:
        there = ", ".join(sorted({session for session, _ in begun})[:10])
        raise InputError(f"{source}: no turn would be left; its sessions are {there}")
    return _write(source, target, lambda record: (record.s, record.n) in kept)


def split(source: Path, folder: Path, *, from_zero: bool = True) -> list[Path]:
    """One recording a session, in a folder; returns them. An existing one of that name is replaced.

    Without `from_zero` times stay as they are, so that each replays to the bytes of the whole. Raises InputError.
    """
    sessions = dict.fromkeys(record.s for record, _ in LogReader(source).read() if record.s)
    made = []
    for session in sessions:
        target = folder / file_of(session)
        _write(source, target, partial(_is_of, session), from_zero=from_zero)
        made.append(target)
    return made


def merge(sources: Sequence[Path], target: Path, *, rename: bool = False, together: bool = False) -> int:
    """Several recordings as one, by their dates; returns how many records.

    rename    sessions get their recording's name in front: needed where two have the same
    together  all begin at the same moment, whatever their dates

    Raises InputError for recordings of different vendors, and for a session that is in two of them.
    """
    readers = [LogReader(source) for source in sources]
    vendors = {reader.header.vendor for reader in readers}
    if len(vendors) != 1:
        raise InputError(f"recordings of {len(vendors)} vendors cannot be one: {', '.join(sorted(vendors))}")
    first = min(readers, key=lambda reader: reader.created)
    owners: dict[str, Path] = {}
    for reader in readers:
        for session in {_renamed(record, reader, rename).s for record, _ in reader.read()} - {""}:
            if session in owners:
                raise InputError(
                    f"session {session} is in {owners[session]} and in {reader.path}; --rename puts the "
                    "recordings' names before their sessions'"
                )
            owners[session] = reader.path
    streams = []
    for reader in readers:
        shift = 0 if together else (reader.created - first.created) // timedelta(microseconds=1)
        streams.append(_shifted(reader, shift, rename))
    records = _last_mark_only(heapq.merge(*streams, key=lambda record: record.t))
    names = ", ".join(source.name for source in sources)
    with writing(target):
        for reader in readers:
            copy_lists(reader.path, target)
        return write_recording(target, msgspec.structs.replace(first.header, note=f"Merged from {names}."), records)


def file_of(session: str) -> str:
    """The name of a session's own recording. Raises InputError for an id that is none: it would be a path."""
    if SESSION_ID.fullmatch(session) is None:
        raise InputError(f"{session[:40]!r} is no session id, so no file is named after it; `trim` the session off")
    return f"s={session}.jsonl" if session.isdecimal() else f"{session}.jsonl"  # files of a log are named by numbers


def copy_lists(source: Path, target: Path) -> None:
    """Put the block lists that lie beside a recording beside another one too."""
    lists, beside = lists_beside(source), lists_beside(target)
    if not lists.is_dir() or lists.resolve() == beside.resolve():
        return
    for path in lists.glob("*.txt"):
        if DIGEST.fullmatch(path.stem) and path.is_file() and not path.is_symlink():
            beside.mkdir(parents=True, exist_ok=True)
            write_whole(beside / path.name, path.read_bytes())


def _is_of(session: str, record: Record) -> bool:
    return record.s == session


def _write(source: Path, target: Path, keep: Callable[[Record], bool], *, from_zero: bool = True) -> int:
    """Write what is kept, with the time before it cut off and `created` moved on by as much."""
    reader = LogReader(source)
    front = next((record.t for record, _ in reader.read() if record.s and keep(record)), 0) if from_zero else 0
    created = (parse_created(reader.header) + timedelta(microseconds=front)).isoformat(timespec="microseconds")
    header = msgspec.structs.replace(reader.header, created=created.replace("+00:00", "Z"))
    chosen = (record for record, _ in reader.read() if record.k in (MARK, POLICY) or (record.s and keep(record)))
    moved = (msgspec.structs.replace(record, t=max(record.t - front, 0)) for record in chosen)
    with writing(target):
        copy_lists(source, target)
        return write_recording(target, header, _last_mark_only(moved))


def _last_mark_only(records: Iterable[Record]) -> Iterator[Record]:
    last = None
    for record in records:
        if record.k != MARK:
            yield record
        last = record
    if last is not None:
        yield Record(last.t, k=MARK)


def _shifted(reader: LogReader, shift: int, rename: bool) -> Iterator[Record]:
    for record, _ in reader.read():
        yield msgspec.structs.replace(_renamed(record, reader, rename), t=record.t + shift)


def _renamed(record: Record, reader: LogReader, rename: bool) -> Record:
    if not rename or not record.s:
        return record
    name = reader.path.name.removesuffix(".zst").removesuffix(".jsonl")
    session = f"{name}.{record.s}"
    if not SESSION_ID.fullmatch(session):
        raise InputError(f"{session[:40]!r} cannot be a session's id; rename the file {reader.path.name}")
    return msgspec.structs.replace(record, s=session)
