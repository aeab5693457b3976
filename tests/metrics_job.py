"""A job that measures, to be killed: a Bytewax flow with a recovery store, the sink, and a lander beside it.

    python -m tests.metrics_job DIRECTORY LANE ITEMS [KILL_AT]

Item i gives one message and, every tenth time, a turn. With KILL_AT the process kills itself with
SIGKILL at the n-th time that it opens, renames or removes a file of the spool. Exits 0 at the end.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.inputs import AbortExecution, FixedPartitionedSource, StatefulSourcePartition
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.testing import run_main

from connectors.metrics import MessageRow, Row, TurnRow
from connectors.metrics.lander import Lander, LanderSettings
from connectors.metrics.script import script
from connectors.metrics.sink import MetricsSink

STARTED = 1_790_000_000_000_000
"""The moment of item 0, in microseconds; each item comes 0.1 s after the one before."""


class Numbers(FixedPartitionedSource[int, int]):
    """0, 1, … in batches, from where its snapshot says. It crashes once before each number in `crashes`."""

    def __init__(self, stop: int, *, batch: int = 1, crashes: tuple[int, ...] = ()) -> None:
        self.stop = stop
        self.batch = batch
        self.crashes = set(crashes)

    def list_parts(self) -> list[str]:
        return ["numbers"]

    def build_part(self, step_id: str, for_part: str, resume_state: int | None) -> _NumbersPart:
        return _NumbersPart(self, resume_state or 0)


class _NumbersPart(StatefulSourcePartition[int, int]):
    def __init__(self, source: Numbers, start: int) -> None:
        self._source = source
        self._next = start

    def next_batch(self) -> list[int]:
        if self._next in self._source.crashes:
            self._source.crashes.discard(self._next)
            raise AbortExecution
        first, self._next = self._next, min(self._next + self._source.batch, self._source.stop)
        if first == self._next:
            raise StopIteration
        return list(range(first, self._next))

    def snapshot(self) -> int:
        return self._next


def rows_of(item: int, lane: str) -> list[Row]:
    at = STARTED + item * 100_000
    session = f"{lane}-{item // 10}"
    rows: list[Row] = [
        MessageRow(
            session_id=session,
            turn=0,
            seq=item % 10,
            vendor="cxone",
            tenant="acme",
            model="gpt-4",
            released_at=at,
            closed_by="sentence",
            chars=40 + item % 7,
            tokens=9,
            findings=item % 2,
            final=item % 10 == 9,
            fallback=False,
            window_ms=250,
            hold_ms=None,
        )
    ]
    if item % 10 == 9:
        rows.append(turn_row(session, at))
    return rows


def turn_row(session: str, at: int) -> TurnRow:
    return TurnRow(
        session_id=session,
        turn=0,
        vendor="cxone",
        tenant="acme",
        model="gpt-4",
        language="en",
        desktop="default",
        started_at=at - 1_000_000,
        first_token_at=at - 800_000,
        first_message_at=at - 500_000,
        ended_at=at,
        time_to_first_token_ms=200,
        time_to_first_message_ms=500,
        duration_ms=1000,
        tokens_received=90,
        tokens_repeated=0,
        tokens_sent=90,
        messages=10,
        chars_received=430,
        chars_sent=430,
        moderation_blocks=0,
        prompt_tokens=None,
        completion_tokens=None,
        total_tokens=None,
        usage_estimated=True,
        interruptions=0,
        restarts=0,
        outcome="finished",
        error_kind=None,
    )


def flow_of(directory: Path, lane: str, source: Numbers, *, max_rows: int = 50_000) -> Dataflow:
    flow = Dataflow("measured")
    numbers = op.input("numbers", flow, source)
    rows = op.map("rows", numbers, lambda item: (f"{lane}-07", rows_of(item, lane)))
    op.output("metrics", rows, MetricsSink(directory, lane, max_rows=max_rows))
    return flow


def recovery_of(directory: Path, lane: str) -> RecoveryConfig:
    store = directory / f"recovery-{lane}"
    if not store.exists():
        store.mkdir(parents=True)
        init_db_dir(store, 1)
    return RecoveryConfig(store)


def _kill_at(count: int) -> None:
    left = count

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        if event in ("open", "os.rename", "os.remove") and "/spool/" in str(arguments[0]):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def main(directory: Path, lane: str, items: int, kill_at: int = 0) -> None:
    recovery = recovery_of(directory, lane)
    if kill_at:
        _kill_at(kill_at)
    stop = threading.Event()
    lander = Lander(directory, LanderSettings(interval=0.01), script=script())
    landing = threading.Thread(target=lander.run, args=(stop,))
    landing.start()
    flow = flow_of(directory, lane, Numbers(items, batch=5))
    run_main(flow, epoch_interval=timedelta(0), recovery_config=recovery)
    stop.set()
    landing.join()
    lander.land()
    lander.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), *map(int, sys.argv[4:]))
