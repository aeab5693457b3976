"""Runs a dataflow as a process should: recovery store, short epochs, signals, and errors a person can read.

Rules
- SIGTERM and SIGINT end the flow in order: the source stops, last snapshots are taken, everything closes. A second
  signal is the system's own.
- The recovery store is made where there is none.
- What lives as long as the process is kept out of the garbage collector, which then runs seldom: with thousands of
  sessions under way a full collection holds up all of them (0.1 s for 10,000).
- An error of the source ends the flow in order too, and is raised when the flow has ended: raised inside, it
  would come with Bytewax's own stack.
"""

from __future__ import annotations

import contextlib
import gc
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import Any, TypeAlias

from bytewax.dataflow import Dataflow
from bytewax.errors import BytewaxRuntimeError
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from bytewax.recovery import InconsistentPartitionsError, RecoveryConfig, init_db_dir
from bytewax.run import cli_main

from connectors.errors import DataDirError, TokenweirError

GC_THRESHOLDS = (10_000, 10, 50)
"""At most 5 million objects wait for a full collection: some 500 MB, if all were garbage. Sessions leave no cycles."""

Source: TypeAlias = FixedPartitionedSource[Any, Any]


class _Guard(FixedPartitionedSource[Any, Any]):
    """A source whose errors end the flow in order; `fault` has the first."""

    def __init__(self, source: Source) -> None:
        self.fault: TokenweirError | None = None
        self._source = source

    def list_parts(self) -> list[str]:
        return self._source.list_parts()

    def build_part(self, step_id: str, for_part: str, resume_state: Any) -> StatefulSourcePartition[Any, Any]:
        try:
            return _GuardedPart(self, self._source.build_part(step_id, for_part, resume_state))
        except TokenweirError as fault:
            self.fault = fault
            return _NoPart(resume_state)


class _GuardedPart(StatefulSourcePartition[Any, Any]):
    def __init__(self, guard: _Guard, part: StatefulSourcePartition[Any, Any]) -> None:
        self._guard = guard
        self._part = part

    def next_batch(self) -> Any:
        try:
            return self._part.next_batch()
        except TokenweirError as fault:
            self._guard.fault = fault
            raise StopIteration from None

    def next_awake(self) -> datetime | None:
        return self._part.next_awake()

    def snapshot(self) -> Any:
        return self._part.snapshot()

    def close(self) -> None:
        self._part.close()


class _NoPart(StatefulSourcePartition[Any, Any]):
    """Stands for a part that could not be built; leaves its snapshot as it was."""

    def __init__(self, state: Any) -> None:
        self._state = state

    def next_batch(self) -> Any:
        raise StopIteration

    def snapshot(self) -> Any:
        return self._state


def run(
    build: Callable[[Source], Dataflow],
    source: Source,
    *,
    recovery: Path | None = None,
    epoch: float = 0.5,
    stop: Callable[[], None] | None = None,
) -> None:
    """Run the flow that `build` makes over a source, to its end.

    recovery  folder of the recovery store; None for none
    epoch     seconds between snapshots
    stop      ends the source in order; called once, by the first SIGINT or SIGTERM

    Raises the source's error, or one of a step as TokenweirError where it is one.
    """
    guard = _Guard(source)
    with _seldom_collected(), _signals(stop) if stop else contextlib.nullcontext():
        try:
            cli_main(build(guard), epoch_interval=timedelta(seconds=epoch), recovery_config=_recovery(recovery))
        except BytewaxRuntimeError as error:
            raise _cause(error) from error
        except InconsistentPartitionsError as error:
            raise DataDirError(
                f"the recovery store {recovery} does not fit its last run; move it away, and the whole log is read "
                "again (what delivery still remembers is not sent again)"
            ) from error
    if guard.fault is not None:
        raise guard.fault


def _recovery(folder: Path | None) -> RecoveryConfig | None:
    if folder is None:
        return None
    try:
        if not folder.exists() or not any(folder.iterdir()):
            partial = folder.with_name(f".{folder.name}.partial")
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True, mode=0o700)
            init_db_dir(partial, 1)
            partial.replace(folder)  # whole or not at all: half a store could not be resumed from
    except OSError as error:
        raise DataDirError(
            f"the recovery store {folder} cannot be made: {error.strerror}; use another --data-dir"
        ) from None
    return RecoveryConfig(folder, timedelta(0))


@contextlib.contextmanager
def _seldom_collected() -> Iterator[None]:
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


@contextlib.contextmanager
def _signals(stop: Callable[[], None]) -> Iterator[None]:
    """Have the first SIGINT or SIGTERM call `stop`. Only the main thread may set handlers; elsewhere there are none."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def handle(number: int, frame: FrameType | None) -> None:
        for each, handler in before.items():
            signal.signal(each, handler)
        stop()

    for number in before:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _cause(error: BaseException) -> BaseException:
    """The TokenweirError behind what Bytewax raised, else that itself."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, TokenweirError):
        cause = cause.__cause__ or cause.__context__
    return cause or error
