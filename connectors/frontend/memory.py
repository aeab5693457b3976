"""What callers were shown, on disk: they read on after a restart, and read there what memory has no room for.

Rules
- A journal of the delivery journal's form (connectors/delivery/journal.py): the messages of the turns that the hub
  keeps, and how they ended. What the hub forgets leaves the disk with the segments that held it.
- It is written on the reactor, in one piece, before any caller gets what is in it; the sink syncs it before each
  snapshot of the flow, so nothing is missing that the flow will not say again.
- A message is found by its turn and number: `_places` has where each lies. It is the hub's archive (turn.py).
- What cannot be written, on a full disk, is shown all the same and counted (`unsaved`): its turn cannot be read on
  after a restart, nor once the message has left memory.
- The key that signs stream URLs is kept beside it: a URL that was given out outlives the process too.
"""

from __future__ import annotations

import logging
import os
import secrets
import threading
import time
from array import array
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Final

import msgspec

from connectors.delivery.journal import Journal, Stored
from connectors.delivery.progress import Cursor
from connectors.disk.durable import write_whole
from connectors.errors import DataDirError
from connectors.frontend.ids import Key
from connectors.frontend.shown import Ended, Shown, decode_shown, encode_shown
from connectors.frontend.tickets import MIN_KEY_BYTES
from connectors.log.records import Message

TO: Final = "callers"
"""The name that the journal knows them by."""

SEGMENT_BYTES: Final = 4 << 20
"""Small, for a segment is begun on the reactor."""

ROTATE_AGAIN_AFTER: Final = 10.0

KEY_BYTES: Final = 32

_NOWHERE: Final = array("Q")

log = logging.getLogger(__name__)


class CallerMemory:
    """All that was shown, over a journal that nobody has read yet. Belongs to the reactor, but `read` and `sync`."""

    def __init__(self, journal: Journal, clock: Callable[[], float] = time.time) -> None:
        self.unsaved = 0
        self._journal = journal
        self._clock = clock
        self._noted: list[Shown] = []
        self._places: dict[Key, array[int]] = {}
        self._rotate_not_before = 0.0
        self._rotating = threading.Lock()
        self._closed = False

    def read(self) -> Iterator[Shown]:
        """What earlier processes showed, in its order; some of it may come twice. Read it all, and before `note`.

        Raises DataDirError that names what cannot be read.
        """
        for place, entry in self._journal.read():
            if isinstance(entry, Stored):
                try:
                    shown = decode_shown(entry.d)
                except msgspec.DecodeError:
                    raise DataDirError(
                        "the callers' journal holds a line that is none of its own; restore it"
                    ) from None
                if shown.seq <= len(self._places.get((shown.session_id, shown.turn), _NOWHERE)):
                    self._put(shown, place)  # what has a gap before it, the hub does not keep
                yield shown

    def note(self, shown: Shown) -> None:
        """Have it written with the next `save`."""
        self._noted.append(shown)

    def save(self, kept: Callable[[], Iterable[Key]]) -> None:
        """Write what was noted. `kept` are the turns that still count, asked when old ones may leave."""
        noted, self._noted = self._noted, []
        if not noted or self._closed:
            return
        lines = [(each, line) for each in noted if (line := self._encode(each)) is not None]
        try:
            places = self._journal.append([Stored(TO, msgspec.Raw(line)) for _, line in lines])
        except DataDirError as error:
            self._miss(len(lines), str(error))
            return
        for (each, _), place in zip(lines, places, strict=True):
            self._put(each, place)
        if self._journal.full and time.monotonic() >= self._rotate_not_before:
            self._rotate(set(kept()))

    def has(self, key: Key, first: int, end: int) -> bool:
        """See connectors.frontend.turn.Archive."""
        if first >= end:
            return True
        places = self._places.get(key, _NOWHERE)
        return not self._closed and len(places) >= end and all(places[first:end])

    def recall(self, key: Key, seq: int) -> Message | None:
        """See connectors.frontend.turn.Archive."""
        if not self.has(key, seq, seq + 1):
            return None
        try:
            [data] = self._journal.fetch([self._places[key][seq]])
            shown = decode_shown(data)
        except (DataDirError, msgspec.DecodeError) as error:
            log.warning("session %s turn %d: message %d: %s", *key, seq, error)
            return None
        return shown if isinstance(shown, Message) and (shown.turn, shown.seq) == (key[1], seq) else None

    def sync(self) -> None:
        """Make what was saved survive the machine. Safe from any thread."""
        with self._rotating:
            try:
                self._journal.sync()
            except DataDirError as error:
                log.warning("%s", error)

    def close(self) -> None:
        """Idempotent."""
        with self._rotating:
            self._closed = True
            self._journal.close()

    def _put(self, shown: Shown, place: int) -> None:
        """Note where the turn's message `seq`, or its end, lies; what is missing before it lies nowhere."""
        places = self._places.setdefault((shown.session_id, shown.turn), array("Q"))
        places.extend([0] * (shown.seq + 1 - len(places)))
        places[shown.seq] = place

    def _encode(self, shown: Shown) -> bytes | None:
        try:
            return encode_shown(msgspec.structs.replace(shown, at=self._clock()) if isinstance(shown, Ended) else shown)
        except (ValueError, OverflowError):  # half a character, a number beyond 64 bits
            self._miss(1, "a message cannot be written as JSON")
            return None

    def _miss(self, count: int, why: str) -> None:
        if not self.unsaved:
            log.warning("%s; callers are served on, but may not read on after a restart", why)
        self.unsaved += count

    def _rotate(self, kept: set[Key]) -> None:
        for key in self._places.keys() - kept:
            del self._places[key]
        cursors = {TO: [Cursor(session_id, turn, 0) for session_id, turn in self._places]}
        try:
            with self._rotating:
                moved = self._journal.rotate(cursors, filter(None, chain.from_iterable(self._places.values())))
        except DataDirError as error:
            log.warning("%s; the journal grows until that works", error)
            self._rotate_not_before = time.monotonic() + ROTATE_AGAIN_AFTER
            return
        if moved:
            self._places = {
                key: array("Q", [moved.get(place, place) for place in places]) for key, places in self._places.items()
            }


def url_key(path: Path) -> bytes:
    """The key kept in this file, made (0600) where there is none. Raises DataDirError."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            drawn = path.with_name(f".{path.name}.{os.getpid()}")
            write_whole(drawn, secrets.token_bytes(KEY_BYTES))
            try:
                path.hardlink_to(drawn)  # not where another lane's process was faster
            except FileExistsError:
                pass
            finally:
                drawn.unlink()
        key = path.read_bytes()
    except OSError as error:
        raise DataDirError(f"{path}: the key of stream URLs cannot be kept: {error.strerror}") from None
    if len(key) < MIN_KEY_BYTES:
        raise DataDirError(f"{path} is too short for a key; remove it, and another is made")
    return key
