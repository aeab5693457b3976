"""A lane's recovery store: whether this version of tokenweir can go on from it.

Rules
- Beside the store, DIR/recovery/LANE, lies LANE.versions: what the cores' snapshots in it look like. It is written when
  the store is made. A store without one is of version 1 throughout.
- A core may read older versions of its own (flows/steps/base.py); the lane's next start writes down the new one.
- It is read before the flow starts: an error that a step raises while it restores comes with a panic of Bytewax's.
- Of the snapshots only plain data is read: what is in a store is not trusted.
"""

from __future__ import annotations

import contextlib
import io
import pickle
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from connectors.delivery import journal
from connectors.disk.durable import write_whole
from connectors.errors import DataDirError
from connectors.log import resume
from connectors.metrics import segments
from connectors.vendors.registry import journals
from flows.engine import shard
from flows.moderation import moderator
from flows.sentences import splitter
from flows.steps.base import Core
from flows.steps.reassembly import Reassembly
from flows.steps.release import Release
from flows.steps.totals import Totals
from flows.steps.windows import Windows

REMEDY = "nothing is lost: the whole log is read again"

CORES: dict[str, type[Core]] = {
    "reassembly": Reassembly,
    "windows": Windows,
    "release": Release,
    "session": Totals,
}

VERSIONS = {
    "log": resume.SNAPSHOT_VERSION,
    "delivery": journal.SNAPSHOT_VERSION,
    "metrics": segments.SNAPSHOT_VERSION,
    "shard": shard.VERSION,
    "sentences": splitter.VERSION,
    "moderation": moderator.VERSION,
    **{name: core.version for name, core in CORES.items()},
    **dict.fromkeys(journals().values(), journal.SNAPSHOT_VERSION),
}
"""By what is in a snapshot, the version that this tokenweir writes and reads. A new name begins at 1."""

READS = {name: core.reads for name, core in CORES.items()} | {"moderation": moderator.READS}
"""Older versions that are read too."""
STEPS = {"read_log": "log", "deliver": "delivery", **journals(), "land_metrics": "metrics"}
"""Those whose snapshots are positions in files of ours, with their names in `VERSIONS`."""

FILE = "part-0.sqlite3"
"""flows.engine.runner makes a store of one part."""

State: TypeAlias = dict[str, int]
"""The numbers in the snapshot of a source or a sink, by name."""

_decode = msgspec.json.Decoder(dict[str, int]).decode


def folder_of(data_dir: Path, lane: str) -> Path:
    return data_dir / "recovery" / lane


def differences(folder: Path) -> str:
    """How the store's snapshots differ from what we read, such as `windows 1 (here 2)`; empty where they do not.

    Raises DataDirError where LANE.versions cannot be read.
    """
    if not _is_made(folder):
        return ""
    return _others({**dict.fromkeys(VERSIONS, 1), **_written(folder)})


def differences_of(states: Mapping[str, State]) -> str:
    """The same of these snapshots themselves, whatever LANE.versions says."""
    return _others({STEPS[step]: state.get("version", 1) for step, state in states.items()})


def _others(written: Mapping[str, int]) -> str:
    others = [
        f"{name} {theirs} (here {VERSIONS.get(name, 1)})"
        for name, theirs in sorted(written.items())
        if theirs != VERSIONS.get(name, 1) and theirs not in READS.get(name, ())
    ]
    return ", ".join(others)


def _written(folder: Path) -> dict[str, int]:
    path = _versions(folder)
    try:
        return _decode(path.read_bytes()) if path.exists() else {}
    except (OSError, msgspec.DecodeError):
        raise DataDirError(
            f"{path} cannot be read; restore it, or remove it together with {folder} ({REMEDY})"
        ) from None


def states(folder: Path, *, thorough: bool = False) -> dict[str, State] | None:
    """The newest snapshots of source and sinks, by step; None where there is no store.

    thorough  check the whole file

    Raises DataDirError for a store that cannot be read.
    """
    if not _is_made(folder):
        return None
    path = folder / FILE
    if not path.exists():
        raise DataDirError(f"{FILE} is missing; restore it, or move the folder {folder} away ({REMEDY})")
    found: dict[str, State] = {}
    try:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            if thorough and database.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
                raise sqlite3.DatabaseError("damaged")
            for name in STEPS:
                query = "SELECT ser_change FROM snaps WHERE step_id LIKE ? ORDER BY snap_epoch DESC LIMIT 1"
                row = database.execute(query, [f"%.{name}"]).fetchone()
                if row and row[0] and (state := _state(row[0])) is not None:
                    found[name] = state
    except sqlite3.Error as error:
        raise DataDirError(
            f"{FILE} cannot be read ({error}); restore it, or move the folder {folder} away ({REMEDY})"
        ) from None
    return found


def _state(snapshot: bytes) -> State | None:
    try:
        state = _Plain(io.BytesIO(snapshot)).load()
    except (pickle.UnpicklingError, EOFError, ValueError, IndexError, KeyError, TypeError, AttributeError):
        return None
    return {name: each for name, each in state.items() if isinstance(each, int)} if isinstance(state, dict) else None


class _Plain(pickle.Unpickler):
    """Loads no class."""

    def find_class(self, module_name: str, global_name: str) -> Any:
        raise pickle.UnpicklingError("not plain data")


def stamp(data_dir: Path, lane: str) -> None:
    """Write down what the store will hold, which `check` has passed. Raises DataDirError."""
    folder = folder_of(data_dir, lane)
    if _is_made(folder) and _written(folder) == VERSIONS:
        return
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(_versions(folder), msgspec.json.encode(VERSIONS))
    except OSError as error:
        raise DataDirError(
            f"the recovery store {folder} cannot be made: {error.strerror}; use another --data-dir"
        ) from None


def refusal(folder: Path, found: str) -> str:
    """What to say where `differences` found any."""
    return (
        f"the recovery store {folder} is of another version of tokenweir: {found}; "
        f"finish what is open with that one, or remove the folder ({REMEDY})"
    )


def _is_made(folder: Path) -> bool:
    """As flows.engine.runner asks: it makes one where there is none."""
    return folder.is_dir() and any(folder.iterdir())


def _versions(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.versions")
