"""The table of deliveries: a projection of a lane's delivery journal, read from a cursor of its own.

Rules
- What happened is in the journal, which knows nothing of the table. It is read there (connectors/delivery/reader.py)
  and written as segments of a lane of its own. What finds no room waits in the journal.
- The cursor is a file in the spool. It is written after the rows, so no row is lost with a process. What a start reads
  before it is at what is new may have been read before: those rows are looked up by their keys (tables.py). So each
  delivery is one row, whatever of cursor, spool and database was moved away, and whatever was killed.
- The journal keeps what was not read (`unread`), up to a bound.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from connectors.delivery.reader import Cursor, JournalReader
from connectors.disk.durable import write_whole
from connectors.metrics.segments import SegmentWriter
from connectors.metrics.spool import Spool
from connectors.metrics.tables import DeliveryRow

PIECE: Final = 10_000
"""Rows that are written at once."""

_decode = msgspec.json.Decoder(Cursor).decode


class Deliveries:
    """One lane's. One thread at a time, but for `unread`.

    directory  the data directory
    journal    the folder of the lane's delivery journal
    """

    def __init__(self, directory: Path, lane: str, journal: Path) -> None:
        self._directory = directory
        self._lane = f"{lane}_deliveries"
        self._spool = Spool(directory)
        self._path = self._spool.path / f"{self._lane}.cursor"
        self._journal = JournalReader(journal, lane)
        self._writer: SegmentWriter | None = None
        self._is_open = False
        self._again = True
        self._taken: Cursor | None = None
        self._stored: Cursor | None = None
        self._to_store = False

    def unread(self) -> int:
        """The oldest segment of the journal that rows may still be wanted of. Safe from any thread."""
        stored = self._stored
        return stored.segment if stored else 0

    def flush(self) -> None:
        """Write rows of all that was confirmed by now. Raises OSError where the disk refuses: then they wait."""
        if not self._is_open:
            self._taken = self._read_cursor()
            self._is_open = True
        if not self._written():
            return
        if not self._stands():
            self._taken = self._stored = None
            self._again = True
        at_end = False
        while not at_end:
            writer = self._writer
            delivered, cursor, at_end = self._journal.read(self._taken, PIECE)
            if delivered:
                writer = self._writer = writer or SegmentWriter(self._directory, self._lane)
                writer.again = self._again
                writer.add(DeliveryRow(**msgspec.structs.asdict(each)) for each in dict.fromkeys(delivered))
            self._to_store |= bool(delivered) or (cursor is not None and cursor.segment != self.unread())
            self._taken = cursor
            if not self._written():
                return
        self._again = False

    def close(self) -> None:
        """Write what is left, and that this was an orderly end."""
        self.flush()
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _written(self) -> bool:
        """Whether all rows are in a segment, and the cursor behind them in its file; False where there is no room."""
        if self._writer is not None:
            self._writer.flush()
            if self._writer.waits:
                return False
        if self._to_store and self._taken is not None:
            self._spool.create()
            write_whole(self._path, msgspec.json.encode(self._taken))
            self._stored, self._to_store = self._taken, False
        return True

    def _stands(self) -> bool:
        """Whether the journal is the one that was read, and the spool the one that was written to."""
        if self._stored is not None and not self._path.exists():
            return False
        return self._taken is None or self._journal.stands(self._taken)

    def _read_cursor(self) -> Cursor | None:
        """The cursor that an earlier process wrote; None where it cannot be had."""
        try:
            return _decode(self._path.read_bytes())
        except (FileNotFoundError, msgspec.DecodeError):
            return None
