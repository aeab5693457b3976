"""What a start looks at before it begins, and what `tokenweir doctor` prints of it: one list for both.

Rules
- A finding is of a level: `ok`, `note` (a start deals with it by itself) or `error` (a start is refused, or loses
  something; the finding says the remedy).
- What is `refused` ends a start with exactly these words, before anything is opened.
- It only reads, and quickly: a log and its journals are looked at by their ends. Where a finding names a file it never
  quotes what is in it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Container, Iterator
from pathlib import Path
from typing import Literal

import msgspec

from connectors.delivery.segment import measure, read_header
from connectors.disk import private
from connectors.disk.identity import Identity
from connectors.errors import DataDirError, InputError, SettingsError, TokenweirError
from connectors.fields import FieldError
from connectors.log.files import LogReader, Position, whole_length
from connectors.metrics.spool import SegmentFile, Spool
from connectors.vendors import registry
from flows.engine import store
from flows.moderation.plan import plan_of
from flows.sections import dotted
from flows.settings import Settings

Level = Literal["ok", "note", "error"]

SEGMENT = re.compile(r"(delivery-.+)-(\d{8,})\.jsonl")
JOURNALS = {"deliver": "delivery", **registry.journals()}
"""By step, the folder of the journal that its snapshot is a position in."""


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at. `where` is a path inside the data directory, or a setting's section."""

    level: Level
    where: str
    what: str
    refused: bool = False


def check(data_dir: Path, lane: str) -> None:
    """Raise DataDirError for the first thing that a start of this lane is refused for."""
    for each in of_lane(data_dir, lane):
        if each.refused:
            raise DataDirError(f"{data_dir}: {each.where}: {each.what}")


def of_settings(settings: Settings, detectors: Container[str] = ()) -> Iterator[Finding]:
    """What a start would refuse of settings that are well formed. `detectors` are those that the job has beside."""
    try:
        check_settings(settings, detectors)
    except SettingsError as error:
        yield Finding("error", "settings", str(error), refused=True)
    else:
        yield Finding("ok", "settings", "a start takes them")


def check_settings(settings: Settings, detectors: Container[str] = ()) -> None:
    """Raise SettingsError for what a start is refused for."""
    policies = {"moderation": settings.moderation}
    policies |= {f"tenants.{name}.moderation": tenant.moderation for name, tenant in settings.tenants.items()}
    for section, policy in policies.items():
        for name in policy.remote:
            if name not in settings.detectors and name not in detectors:
                raise SettingsError(
                    f"{section}.remote: nobody serves the detector {name!r}, and text would wait for it for ever; "
                    f"say where it is in [{dotted(('detectors', name))}], leave it out, or start the job from Python "
                    "with it in `detectors` (docs/moderation.md)"
                )
        try:
            plan_of(policy)  # what cannot be compiled is told now, not at the first turn
        except FieldError as error:
            raise SettingsError(f"{section}.{error}") from None


def of_lane(data_dir: Path, lane: str) -> Iterator[Finding]:
    """What a start of this lane would find."""
    yield from _rights(data_dir)
    folder = data_dir / "log" / lane
    log = str(folder.relative_to(data_dir))
    if (found := Identity(folder).refusal()) is not None:
        yield Finding("error", log, found, refused=True)
    reader: LogReader | None = None
    if any(path.stat().st_size for path in folder.glob("*.jsonl")):  # an only file that is empty was never used
        try:
            reader = LogReader(folder)
            numbers = [number for number, _ in reader.files]
            if numbers != list(range(numbers[0], numbers[0] + len(numbers))):
                what = "a file in the middle is missing; restore it, or move the files before it away"
                yield Finding("error", log, what, refused=True)
            if whole_length(reader.files[-1][1]):  # else it was begun by a process that was killed then
                LogReader(reader.files[-1][1])
        except InputError as error:
            yield Finding("error", log, str(error), refused=True)
    yield from _recovery(data_dir, lane, reader)


def _rights(data_dir: Path) -> Iterator[Finding]:
    for path in private.ours(data_dir, registry.journals().values()):
        if not os.access(path, os.R_OK | os.W_OK) and path.exists():
            what = "this user may not write it; give it to the job's user"
            yield Finding("error", str(path.relative_to(data_dir)), what, refused=True)


def _recovery(data_dir: Path, lane: str, reader: LogReader | None) -> Iterator[Finding]:
    """The store, and whether log, journals and spool have what it remembers."""
    folder = store.folder_of(data_dir, lane)
    where = str(folder.relative_to(data_dir))
    try:
        if found := store.differences(folder):
            yield Finding("error", where, store.refusal(folder, found), refused=True)
        states = store.states(folder)
        if not found and states and (found := store.differences_of(states)):
            yield Finding("error", where, store.refusal(folder, found), refused=True)
    except DataDirError as error:
        yield Finding("error", where, str(error), refused=True)
        return
    if states is None:
        yield Finding("note", where, "no recovery store: a start reads the whole log again")
        return
    yield from _log_has(states.get("read_log"), reader, where)
    for step, name in JOURNALS.items():
        if state := states.get(step):
            yield from _journal_has(data_dir / name, lane, state, f"{name}/delivery-{lane}")
    if state := states.get("land_metrics"):
        newest = max((file.segment for file in _segments(data_dir) if file.lane == lane), default=0)
        if newest < state.get("segment", 0):
            yield Finding(
                "error",
                "spool",
                f"segments of lane {lane} are missing, and what was not landed of them is in no table; move {where} "
                "away, and the whole log is measured again (each row counts once)",
            )


def _log_has(state: store.State | None, reader: LogReader | None, where: str) -> Iterator[Finding]:
    if state is None:
        yield Finding("note", where, "it holds no position: a start reads the whole log again")
        return
    position = Position(state["file"], state["offset"])
    end = reader.end() if reader else Position(0, 0)
    if position > end:
        yield Finding(
            "error",
            where,
            f"the log ends before the position that the recovery store remembers (file {position.file}, byte "
            f"{position.offset}), which is beyond the log's end: it was replaced or lost its end; restore it, or move "
            "the recovery folder away to read the whole log again",
            refused=True,
        )
    elif reader is not None and position < reader.begin():
        yield Finding(
            "error",
            where,
            f"the log begins after the position that the recovery store remembers (file {position.file}): it lost its "
            "beginning; restore it, or move the recovery folder away to read what is left again",
            refused=True,
        )
    else:
        yield Finding("ok", where, f"a start goes on at file {position.file}, byte {position.offset}")


def _journal_has(folder: Path, lane: str, state: store.State, where: str) -> Iterator[Finding]:
    """As connectors.delivery.journal would say it when the first message comes."""
    try:
        segments = journals(folder).get(f"delivery-{lane}", [])
        newest = (0, 0)
        for number, path in segments:
            read_header(path, lane, number)
            newest = number, measure(path)[1] if number == segments[-1][0] else 0
    except TokenweirError as error:
        yield Finding("error", where, str(error), refused=True)
        return
    if (state.get("segment", 0), state.get("offset", 0)) > newest:
        yield Finding(
            "error",
            where,
            "the delivery journal is shorter than the recovery store says; restore the journal, or move "
            f"recovery/{lane} away to deliver from the log",
            refused=True,
        )


def journals(folder: Path) -> dict[str, list[tuple[int, Path]]]:
    """The journals in a folder by name, each with its segments in order."""
    found: dict[str, list[tuple[int, Path]]] = {}
    for path in sorted(folder.glob("*.jsonl")):
        if match := SEGMENT.fullmatch(path.name):
            found.setdefault(match[1], []).append((int(match[2]), path))
    return {name: sorted(segments) for name, segments in found.items()}


def _segments(data_dir: Path) -> list[SegmentFile]:
    spool = Spool(data_dir)
    return spool.files() if spool.path.is_dir() else []
