"""A lane's recovery store: whether this version of tokenweir can go on from it.

Rules
- Beside the store, DIR/recovery/LANE, lies LANE.versions: what the cores' snapshots in it look like. It is written when
  the store is made. A store without one is of version 1 throughout.
- A core may read older versions of its own (flows/shard.py); the lane's next start writes down the new one.
- It is read before the flow starts: an error that a step raises while it restores comes with a panic of Bytewax's.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from connectors import desktop, dialog, source
from connectors.errors import DataDirError
from connectors.log import write_whole
from flows import shard
from flows.moderation import moderator
from flows.reassembly import Reassembly
from flows.release import Release
from flows.sentences import splitter
from flows.session import Session
from flows.windows import Windows

REMEDY = "nothing is lost: the whole log is read again"

VERSIONS = {
    "log": source.SNAPSHOT_VERSION,
    "delivery": desktop.SNAPSHOT_VERSION,
    "dialog": dialog.SNAPSHOT_VERSION,
    "shard": shard.VERSION,
    "reassembly": Reassembly.version,
    "windows": Windows.version,
    "sentences": splitter.VERSION,
    "release": Release.version,
    "moderation": moderator.VERSION,
    "session": Session.version,
}
"""By what is in a snapshot, the version that this tokenweir writes and reads. A new name begins at 1."""

READS = {"reassembly": Reassembly.reads, "session": Session.reads}
"""Older versions that are read too."""

_decode = msgspec.json.Decoder(dict[str, int]).decode


def folder_of(data_dir: Path, lane: str) -> Path:
    return data_dir / "recovery" / lane


def differences(folder: Path) -> str:
    """How the store's snapshots differ from what we read, such as `windows 1 (here 2)`; empty where they do not.

    Raises DataDirError where LANE.versions cannot be read.
    """
    if not _is_made(folder):
        return ""
    written = _written(folder)
    names = sorted(VERSIONS.keys() | written.keys())
    pairs = [(name, written.get(name, 1), VERSIONS.get(name, 1)) for name in names]
    others = [each for each in pairs if each[1] != each[2] and each[1] not in READS.get(each[0], ())]
    return ", ".join(f"{name} {theirs} (here {ours})" for name, theirs, ours in others)


def _written(folder: Path) -> dict[str, int]:
    path = _versions(folder)
    try:
        return _decode(path.read_bytes()) if path.exists() else {}
    except (OSError, msgspec.DecodeError):
        raise DataDirError(
            f"{path} cannot be read; restore it, or remove it together with {folder} ({REMEDY})"
        ) from None


def check(data_dir: Path, lane: str) -> None:
    """Raises DataDirError where a lane's store is of another version."""
    folder = folder_of(data_dir, lane)
    if found := differences(folder):
        raise DataDirError(f"{data_dir}: {refusal(folder, found)}")


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
    """As flows.runner asks: it makes one where there is none."""
    return folder.is_dir() and any(folder.iterdir())


def _versions(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.versions")
