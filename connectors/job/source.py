"""LiveSource: Bytewax's way into a job that runs now.

Rules
- Building it opens nothing. `build_part` opens the log (cutting a torn end), folds it, and has the runtime open a job
  on it (runtime.py); the flow then reads what disk holds and what arrives.
- One part: the process's own lane. Run more processes with other lanes for more cores.
- `stop` ends the flow in order, from any thread; a signal handler may call it. Where much of the log is still to be
  read, that is left to the next start: the position is that of what was emitted.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from connectors.disk.identity import Identity
from connectors.errors import DataDirError, TokenweirError
from connectors.job.job import Job
from connectors.job.runtime import Running, Runtime
from connectors.log.clock import Clock
from connectors.log.files import LogReader, Position, lists_beside
from connectors.log.lane import Cue, Lane, always
from connectors.log.pressure import Pressure
from connectors.log.records import OPEN, Record
from connectors.log.reserve import Reserve
from connectors.log.resume import State, fold, held_in, position_of
from connectors.log.settings import LogSettings
from connectors.log.shards import Item, Sharder
from connectors.log.source import LivePartition, StoppedPartition
from connectors.log.turns import Reader
from connectors.log.writer import LogWriter, write_recording

MAX_UNFINISHED = 1_000
"""Turns of the log's end that the flow may not have ended yet; without a recovery store it reads all there were."""


class _StoppedError(Exception):
    """`stop` was called while the log was read at the start."""


class LiveSource(FixedPartitionedSource[Item, State]):
    """A vendor's live job as a Bytewax source.

    folder    where the lane's log is kept
    runtime   opens the job that writes it
    reserve   disk space kept back for the log
    pressure  desktops that fall behind, for whose sake sockets are left unread
    reads     makes what reads one turn's frames: the vendor's decoder
    cue       which of a turn's texts the flow is to have at once
    """

    def __init__(
        self,
        vendor: str,
        folder: Path,
        lane: str,
        runtime: Runtime,
        reserve: Reserve,
        *,
        settings: LogSettings | None = None,
        pressure: Pressure | None = None,
        reads: Callable[[], Reader] | None = None,
        cue: Cue = always,
    ) -> None:
        self.lane = lane
        self.folder = folder
        self._vendor = vendor
        self._runtime = runtime
        self._reserve = reserve
        self._settings = settings or LogSettings()
        self._pressure = pressure
        self._reads = reads
        self._cue = cue
        self._identity = Identity(folder)
        self._writer: LogWriter | None = None
        self._begun = Position(0, 0)
        self._stopped = False
        self._partition: LivePartition | None = None
        self._running: Running | None = None

    def list_parts(self) -> list[str]:
        return [self.lane]

    def claim(self) -> LogWriter:
        """Open the lane for writing, which nobody else can do from then on.

        The flow's start does it; do it before, and a lane that is taken does not touch the recovery store. Raises
        DataDirError.
        """
        if self._writer is None:
            size, on_full = self._settings.rotate_bytes, self._reserve.release
            try:
                self._writer = LogWriter(self.folder, self._vendor, rotate_bytes=size, on_full=on_full)
            except OSError as error:
                raise DataDirError(
                    f"the log cannot be kept in {self.folder}: {error.strerror}; use another --data-dir"
                ) from None
            self._identity.note(in_use=True)
        return self._writer

    def release(self) -> None:
        """Say that nobody has the log open any more: when all that was opened with it is closed."""
        self._identity.note(in_use=False)

    def build_part(
        self, step_id: str, for_part: str, resume_state: State | None
    ) -> StatefulSourcePartition[Item, State]:
        settings = self._settings
        writer = self.claim()
        self._reserve.hold()
        reader = LogReader(self.folder)
        position, held = position_of(reader, resume_state), held_in(resume_state)
        try:
            turns = fold(reader, position, self._until_stopped, self._reads)
            sharder = Sharder(for_part, reader.created, turns.open, resumed=resume_state is not None, held=held)
            begun = {key: turn.request.get("language") for key, turn in turns.open.items()}
            for record, _ in self._until_stopped(reader.read(position)):
                turns.feed(record)
                if record.k == OPEN:
                    begun.setdefault((record.s, record.n), record.fields.get("language"))
        except _StoppedError:
            return StoppedPartition(position, held, writer.close)
        writer.fold = turns.snapshot
        self._begun = reader.end()
        clock = Clock(reader.created, turns.last)
        lane = Lane(writer, clock, turns, max_waiting=settings.max_waiting, pressure=self._pressure, cue=self._cue)
        last = set(list(begun)[-MAX_UNFINISHED:])
        unfinished = {key: language for key, language in begun.items() if key in last or key in turns.open}
        self._running = self._runtime.open(lane, unfinished)
        if self._stopped:
            self._running.stop()
        self._partition = LivePartition(
            lane,
            reader,
            sharder,
            position,
            settings.keep_bytes,
            self._reserve.guard,
            lambda: self._stopped,
            self._raise_fault,
        )
        return self._partition

    @property
    def job(self) -> Job | None:
        """The job, once the flow has started."""
        return self._running.job if self._running else None

    @property
    def cut_short(self) -> bool:
        """Whether it was stopped before the flow had read what the log held at the start."""
        return self._stopped and (self._partition is None or self._partition.cut_short)

    @property
    def caught_up(self) -> bool:
        """Whether the flow has been given all that the log held at the start, and is at what arrives."""
        return self._partition is not None and self._partition.caught_up

    def stop(self) -> None:
        """End in order: sockets closed, last watermark logged, then the flow sees its end."""
        self._stopped = True
        if self._running is not None:
            self._running.stop()

    def record(self, path: Path, note: str = "") -> int:
        """Keep the turns of this run, from their first open on, as a recording; returns its number of records.

        `note` goes into its header: what it holds and where it is from.
        """
        if lists_beside(self.folder).exists():
            shutil.copytree(lists_beside(self.folder), lists_beside(path), dirs_exist_ok=True)
        reader = LogReader(self.folder)
        ours = {(record.s, record.n) for record, _ in reader.read(self._begun) if record.s}
        kept = (
            record
            for record, after in reader.read()
            if ((record.s, record.n) in ours if record.s else after > self._begun)
        )
        return write_recording(path, msgspec.structs.replace(reader.header, note=note), kept)

    def check(self) -> None:
        """After the flow has ended: raise what ended the job, if it was not its end. OSError is a full disk's."""
        if self._running is not None and (fault := self._running.fault()) is not None:
            raise fault

    def _raise_fault(self) -> None:
        """At the lane's end, so that whoever runs the flow hears of it; what is none of ours is left to `check`."""
        if self._running is not None and isinstance(fault := self._running.fault(), TokenweirError):
            raise fault

    def _until_stopped(self, records: Iterator[tuple[Record, Position]]) -> Iterator[tuple[Record, Position]]:
        for each in records:
            if self._stopped:
                raise _StoppedError
            yield each
