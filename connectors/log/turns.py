"""What the log says about its turns: which are open, and how each could be continued.

Rules
- A fold: `feed` every record of a lane in order, and it knows; nothing else is its input.
- Which frames had text, and whether the answer is whole though its turn is open, the vendor's decoder tells (`reads`).
  Where there is none, every frame counts as text. It is asked no more than it takes: most vendors' answers are whole
  with their turn, and text is text once it came.
- An ended turn leaves only its number behind, so that the session's next turn gets the next one: a turn's name is never
  given twice. `max_ended` sessions are remembered by their ids. Of more, the longest-ended first, a trace is kept
  (`forgotten` counts them). Where even the traces are too many, every session that is not known begins at a number
  above all turns of those without a trace (`lost` counts them).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec

from connectors.log.records import CLOSE, ERROR, FRAME, OPEN, RESTARTED, Record
from connectors.log.traces import Traces

VERSION = 4
READABLE = (1, 2, 3, VERSION)
"""Version 1 had no `resumed`, 2 no `traces`, 3 no `said` and `whole`."""


class Reader(Protocol):
    """A vendor's decoder of one turn's frames (connectors/vendors/decoding.py), as far as it is asked here."""

    outlasted: bool

    @property
    def ending(self) -> str: ...

    def feed(self, text: str, frame_id: str | None) -> Sequence[Any]: ...

    def restart(self) -> None: ...


class Turn(msgspec.Struct):
    """An open turn, as far as the log goes.

    request          `d` of its first open: prompt, model, desktop, …
    frames           frames logged
    continuation_id  the vendor's last id, None before any
    restarts         continuations and fresh starts after the first open, those after restarts of the job apart
    resumed          restarts of the job since the last frame
    said             text came
    whole            the answer is whole, though the vendor had not ended the stream
    """

    session_id: str
    number: int
    request: dict[str, Any]
    frames: int = 0
    continuation_id: str | None = None
    restarts: int = 0
    resumed: int = 0
    said: bool = False
    whole: bool = False


class Turns:
    """The fold over a lane's records. `last` is the `t` of the newest, None before any.

    reads  makes what reads one turn's frames
    """

    def __init__(
        self, max_ended: int = 1_000_000, max_traces: int = 2_000_000, reads: Callable[[], Reader] | None = None
    ) -> None:
        self.open: dict[tuple[str, int], Turn] = {}
        self.forgotten = 0
        self.last: int | None = None
        self._max_ended = max_ended
        self._newest: dict[str, int] = {}
        self._ended: dict[str, int] = {}
        self._traces = Traces(max_traces)
        self._reads = reads
        self._readers: dict[tuple[str, int], Reader] = {}

    @property
    def lost(self) -> int:
        """Sessions of which nothing is left: whether an id that is not known was ever used cannot be said any more."""
        return self._traces.lost

    def feed(self, record: Record) -> None:
        self.last = record.t
        kind = record.k
        if kind == FRAME:
            turn = self.open.get((record.s, record.n))
            if turn is not None:
                turn.frames += 1
                turn.resumed = 0
                if record.id:
                    turn.continuation_id = record.id
                self._read(turn, record)
        elif kind == OPEN:
            self._open(record)
        elif kind == CLOSE:
            self._close(record)
        elif kind == ERROR:
            turn = self.open.get((record.s, record.n))
            if turn is not None:
                turn.restarts = record.fields.get("retry", turn.restarts)
                turn.resumed += record.fields.get("kind") == RESTARTED

    def snapshot(self) -> dict[str, Any]:
        """Plain data; the last `t` and everything that `restore` needs."""
        return {
            "version": VERSION,
            "last": self.last,
            "open": [msgspec.structs.astuple(turn) for turn in self.open.values()],
            "ended": self._ended,
            "forgotten": self.forgotten,
            "traces": self._traces.snapshot(),
        }

    def restore(self, data: dict[str, Any]) -> None:
        """Go on from a snapshot; called once, on a new fold."""
        self.last, self.forgotten = data["last"], data["forgotten"]
        for each in data["open"]:
            turn = Turn(*each)
            if len(each) < len(Turn.__struct_fields__):
                turn.said = turn.frames > 0
            self.open[turn.session_id, turn.number] = turn
            self._newest[turn.session_id] = turn.number
        self._ended = dict(data["ended"])
        if "traces" in data:
            self._traces.restore(data["traces"])

    def next_turn(self, session_id: str) -> int:
        """The number that the session's next turn gets."""
        for known in (self._newest, self._ended, self._traces):
            if (newest := known.get(session_id)) is not None:
                return newest + 1
        return self._traces.floor

    def is_open(self, session_id: str) -> bool:
        """Whether the session's newest turn is still under way."""
        return session_id in self._newest

    def _read(self, turn: Turn, record: Record) -> None:
        if self._reads is None:
            turn.said = True
            return
        key = (record.s, record.n)
        reader = self._readers.get(key)
        if reader is None:
            reader = self._readers[key] = self._reads()
        if (turn.said and not reader.outlasted) or record.e == "error" or not isinstance(record.d, str):
            return
        try:
            turn.said = any(delta.tokens for delta in reader.feed(record.d, record.id)) or turn.said
            turn.whole = reader.ending == "finished"
        except Exception:  # of a package's decoder: no start may fail by it
            turn.said = True

    def _open(self, record: Record) -> None:
        key = (record.s, record.n)
        if reader := self._readers.get(key):
            reader.restart()
        if key not in self.open:
            self.open[key] = Turn(record.s, record.n, record.fields)
            self._newest[record.s] = record.n
            self._ended.pop(record.s, None)

    def _close(self, record: Record) -> None:
        self._readers.pop((record.s, record.n), None)
        if self.open.pop((record.s, record.n), None) is None or self._newest.get(record.s) != record.n:
            return
        del self._newest[record.s]
        self._ended[record.s] = record.n
        if len(self._ended) > self._max_ended:
            oldest = next(iter(self._ended))
            self._traces.add(oldest, self._ended.pop(oldest))
            self.forgotten += 1
