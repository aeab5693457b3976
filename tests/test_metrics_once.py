"""Metrics: each row is there once, whatever of recovery store, spool and database is lost or put back."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metrics_job import STARTED, turn_row

from connectors.metrics import ErrorRow, FindingRow, MessageRow, Row, open_metrics
from connectors.metrics.lander import Lander
from connectors.metrics.segments import SegmentWriter
from connectors.metrics.sink import AGAIN_FOR, MetricsSink
from connectors.metrics.spool import Spool
from tests.conftest import OtherSide, corpus_of

TABLES = ("messages", "turns", "findings", "errors")


def rows_of(item: int) -> list[Row]:
    """What the flow says of an item of the log: a row of each kind."""
    at = STARTED + item * 1_000_000
    session = f"s-{item}"
    message = MessageRow(session, 0, 0, "cxone", None, None, at, "end", 9, 2, 1, True, False, None, None)
    finding = FindingRow(session, 0, None, at, "EMAIL_ADDRESS", "address", "redact", 3, 9)
    return [message, turn_row(session, at), finding, ErrorRow(session, 0, "cxone", None, at, "ended", None, 1)]


class Job:
    """A flow over a log, and its landing. It says again what lies after its snapshot, as Bytewax has it."""

    def __init__(self, directory: Path, batch: int) -> None:
        self.logged = self.flushed = 0
        self.directory = directory
        self._batch = batch
        self._states: list[tuple[dict[str, Any], int]] = []
        self.start(None)

    def start(self, snapshot: int | None) -> None:
        """Begin from the n-th newest snapshot, or without any; read what the log has; be caught up."""
        caught_up = False
        self._states = self._states[: len(self._states) - snapshot] if snapshot is not None else []
        state, position = self._states[-1] if self._states else (None, 0)
        self._lander = Lander(self.directory)
        sink = MetricsSink(self.directory, "w00", max_rows=7, caught_up=lambda: caught_up)
        self._part = sink.build_part("s", "w00", state)
        for begin in range(position, self.logged, self._batch):
            end = min(begin + self._batch, self.logged)
            self._part.write_batch([rows_of(item) for item in range(begin, end)])
            self._snapshot(end)
        caught_up = True
        for _ in range(AGAIN_FOR):
            self._snapshot(self.logged)

    def log(self, count: int) -> None:
        begin, self.logged = self.logged, self.logged + count
        self._part.write_batch([rows_of(item) for item in range(begin, self.logged)])

    def snapshot(self) -> None:
        self._snapshot(self.logged)

    def land(self) -> None:
        self._lander.land()

    def die(self) -> None:
        self._lander.close()

    def _snapshot(self, position: int) -> None:
        self._states.append((self._part.snapshot(), position))
        self.flushed = position

    def seen(self) -> list[Counter[str]]:
        """How often each session is in each table, for an analyst."""
        with contextlib.closing(open_metrics(self.directory)) as database:
            return [
                Counter(session for (session,) in database.sql(f"SELECT session_id FROM {table}").fetchall())
                for table in TABLES
            ]


STEPS = ["log", "log", "log", "snapshot", "snapshot", "land", "land", "crash", "old store", "no store"]
LOSSES = ["no spool", "no database", "keep database", "old database"]


@settings(max_examples=int(os.environ.get("TOKENWEIR_EXAMPLES", "120")) // 20, deadline=None)
@given(st.data())
def test_each_row_is_there_once_whatever_is_lost_or_put_back(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "data"
        database, kept = directory / "metrics.duckdb", Path(folder) / "kept"
        job = Job(directory, data.draw(st.integers(1, 4)))
        job.land()
        lost = False  # rows that nobody says again, until a start without a store
        for step in data.draw(st.lists(st.sampled_from(STEPS + LOSSES), max_size=20)):
            if step == "log":
                job.log(data.draw(st.integers(1, 3)))
            elif step == "snapshot":
                job.snapshot()
            elif step == "land":
                job.land()
            elif step == "keep database":
                shutil.copyfile(database, kept)
            else:
                job.die()
                if step == "no spool":
                    shutil.rmtree(directory / "spool")
                elif step == "no database":
                    database.unlink()
                elif step == "old database" and kept.exists():
                    shutil.copyfile(kept, database)
                lost = step != "no store" and (lost or step in LOSSES)
                job.start({"no store": None, "old store": 3}.get(step, 0))
                if lost:
                    job.land()
            for counts in job.seen() if step not in ("log", "keep database") else ():
                assert max(counts.values(), default=1) == 1
                assert lost or len(counts) >= job.flushed
        job.die()
        job.start(None)
        for land in (False, True, True):
            if land:
                job.land()
            assert job.seen() == [Counter(f"s-{item}" for item in range(job.logged))] * len(TABLES)
        job.die()


def test_new_rows_go_straight_in_and_only_what_may_be_of_before_is_looked_up(tmp_path: Path) -> None:
    job = Job(tmp_path, 5)
    job.log(5)
    job.snapshot()
    assert not any(file.again for file in Spool(tmp_path).files()), "nothing was there before"
    job.die()
    job.start(None)
    assert len({file.segment for file in Spool(tmp_path).files() if file.again}) == 1
    job.log(5)
    job.snapshot()
    assert len({file.segment for file in Spool(tmp_path).files() if file.again}) == 1
    job.die()


def test_the_spool_may_go_while_the_job_runs(tmp_path: Path) -> None:
    job = Job(tmp_path, 5)
    job.land()
    job.log(2)
    job.snapshot()
    shutil.rmtree(tmp_path / "spool")
    job.log(2)
    job.snapshot()
    job.land()
    assert [len(counts) for counts in job.seen()] == [2] * len(TABLES), "what was not landed is lost"
    job.die()
    job.start(None)
    assert [counts.total() for counts in job.seen()] == [4] * len(TABLES), "and comes back with the log"
    job.die()


def test_a_lanes_numbers_rise_though_spool_and_store_went_and_the_clock_was_set_back(tmp_path: Path) -> None:
    """Else the ledger would take the new rows for landed ones."""
    job = Job(tmp_path, 5)
    job.log(3)
    job.land()
    with contextlib.closing(open_metrics(tmp_path)) as database:
        assert database.sql("SELECT count(*) FROM landed.turns").fetchall() == [(0,)]
    with Lander(tmp_path) as lander:
        job.die()
        job.snapshot()
        lander.land(final=True)
        newest = max(file.segment for file in Spool(tmp_path).files())
    shutil.rmtree(tmp_path / "spool")
    assert SegmentWriter(tmp_path, "w00", clock=lambda: 1_000).segment > newest


@pytest.mark.parametrize("moved", ["recovery", "recovery and spool", "recovery and metrics.duckdb"])
def test_the_prescribed_remedy_doubles_nothing(other_side: Any, tmp_path: Path, moved: str) -> None:
    """A whole job: stopped, its recovery store moved away, started again."""
    side: OtherSide = other_side(
        corpus_of({"a": ["Good ", "morning. ", "Mail ", "a@b.org."], "b": ["Good ", "night."]})
    )
    side.run(tmp_path, "a")
    for part in moved.split(" and "):
        (tmp_path / part).rename(tmp_path / f"moved-{part}")
    side.run(tmp_path, "b")
    with contextlib.closing(open_metrics(tmp_path)) as database:
        for table in ("messages", "turns", "findings"):
            query = f"SELECT count(*), count(DISTINCT (session_id, turn, {'0' if table == 'turns' else 'seq'})) FROM "
            shown, landed = (database.sql(query + name).fetchall() for name in (table, f"landed.{table}"))
            assert shown == landed
            assert shown[0][0] == shown[0][1] > 0
