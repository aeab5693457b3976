"""Which folder a lane's log is, so that a copy of it that was made while a job ran is told from it.

Rules
- `identity` in the lane's folder has the folder's inode, and whether a process has it open. A copy has another inode.
- A copy made while nobody had it open is as good as the original. One made while a job ran, by other means than
  `tokenweir backup`, has its parts of different moments: a start on it is refused, since nothing else would show it.
- `tokenweir backup` leaves it out, and a start on what it made writes a new one.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

import msgspec

from connectors.disk.durable import write_whole


class _Place(msgspec.Struct, frozen=True):
    inode: int
    open: bool


_decode = msgspec.json.Decoder(_Place).decode


class Identity:
    """That of one lane's folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / "identity"

    def refusal(self) -> str | None:
        """What is wrong with this copy; None where it may be used."""
        try:
            place = _decode(self._path.read_bytes())
            if place.inode == self._folder.stat().st_ino or not place.open:
                return None
        except (OSError, msgspec.DecodeError):  # none yet, or none that says anything
            return None
        return (
            "this is a copy, and not one of `tokenweir backup`, of a log that a job had open: its parts may be of "
            f"different moments. Restore a backup; or move recovery/{self._folder.name} away and remove {self._path}, "
            "and the whole log is read again (if no job ran when it was copied, removing that file is enough)"
        )

    def note(self, *, in_use: bool) -> None:
        """Write down whether a process has it open. Where the disk refuses, it stays as it was."""
        with contextlib.suppress(OSError):
            write_whole(self._path, msgspec.json.encode(_Place(self._folder.stat().st_ino, in_use)))
