"""Landing: what is landed and when, beside readers and crashes, and what the file is like."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import polars as pl
import pytest
from bytewax.testing import run_main
from hypothesis import given
from hypothesis import strategies as st
from metrics_job import Numbers, flow_of, recovery_of, rows_of

from connectors.errors import DataDirError, InputError, SettingsError
from connectors.metrics import MessageRow, Row, RunRow, open_metrics
from connectors.metrics.lander import Lander, LanderSettings, plan
from connectors.metrics.landing import Landing
from connectors.metrics.segments import PROVISIONAL, SegmentWriter
from connectors.metrics.spool import Run, SegmentFile, Spool
from connectors.metrics.tables import SCHEMA_VERSION

ROOT = Path(__file__).resolve().parents[1]
IMPATIENT = LanderSettings(patience=0)


def segments(directory: Path, lane: str, count: int) -> SegmentWriter:
    """A writer that has written so many segments of ten messages and a turn each."""
    writer = SegmentWriter(directory, lane)
    for segment in range(count):
        for item in range(segment * 10, segment * 10 + 10):
            writer.add(rows_of(item, lane))
        writer.flush()
    return writer


def query(directory: Path, sql: str) -> list[tuple[Any, ...]]:
    with open_metrics(directory) as database:
        return database.sql(sql).fetchall()


def counts(directory: Path) -> tuple[int, int]:
    """Messages that the view shows, and those of them that are landed."""
    ((shown, landed),) = query(
        directory, "SELECT (SELECT count(*) FROM messages), (SELECT count(*) FROM landed.messages)"
    )
    return shown, landed


@contextlib.contextmanager
def reader_elsewhere(directory: Path) -> Iterator[None]:
    """Another process that holds the database open, as a notebook does."""
    code = "import sys, duckdb\nwith duckdb.connect(sys.argv[1], read_only=True): print('open', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code, directory / "metrics.duckdb"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "open\n"
        yield
        reader.communicate("\n")


# ---- what is landed


def test_the_newest_segments_stay_while_their_writer_runs_and_the_views_show_them(tmp_path: Path) -> None:
    with Lander(tmp_path) as lander:
        lander.land()
        writer = segments(tmp_path, "w00", 20)
        assert counts(tmp_path) == (200, 0)
        assert lander.land() == (20 - PROVISIONAL) * 11 + 1
        assert counts(tmp_path) == (200, (20 - PROVISIONAL) * 10)
        assert lander.land() == 0
        writer.close()
        lander.land()
        assert counts(tmp_path) == (200, 200)


def test_a_final_landing_takes_what_a_crashed_writer_left(tmp_path: Path) -> None:
    segments(tmp_path, "w00", 3)
    with Lander(tmp_path) as lander:
        assert lander.land() == 0
        lander.land(final=True)
    assert counts(tmp_path) == (30, 30)


def test_two_lanes_land_in_one_database(tmp_path: Path) -> None:
    for lane in ("w00", "w01"):
        segments(tmp_path, lane, 12).close()
    with Lander(tmp_path) as lander:
        lander.land()
    rows = query(tmp_path, "SELECT lane, count(*) FROM landed.messages GROUP BY lane ORDER BY lane")
    assert rows == [("w00", 120), ("w01", 120)]


def test_a_long_backlog_is_landed_in_several_passes(tmp_path: Path) -> None:
    segments(tmp_path, "w00", 12).close()
    with Lander(tmp_path, LanderSettings(max_files=5)) as lander:
        landed = [lander.land() for _ in range(10)]
    assert landed[0] > 0
    assert landed[1] > 0
    assert landed[-1] == 0
    assert counts(tmp_path) == (120, 120)


def test_landed_files_are_removed_and_an_idle_lander_leaves_the_database_alone(tmp_path: Path) -> None:
    segments(tmp_path, "w00", 12).close()
    with Lander(tmp_path, IMPATIENT) as lander:
        lander.land()
        assert len({file.segment for file in Spool(tmp_path).files()}) == 1
        with reader_elsewhere(tmp_path):
            assert lander.land() == 0
        assert lander.skipped == 0


def test_rows_that_were_landed_and_come_again_are_taken_out(tmp_path: Path) -> None:
    """A recovery store of long ago was put back: more is replayed than Bytewax ever does by itself."""
    writer = segments(tmp_path, "w00", 4)
    stands = writer.segment
    with Lander(tmp_path) as lander:
        segments(tmp_path, "w00", 20).close()
        lander.land()
        assert counts(tmp_path) == (240, 240)
        resumed = SegmentWriter(tmp_path, "w00", after=stands)
        resumed.add(rows_of(1000, "w00"))
        resumed.flush()
        lander.land()
        assert counts(tmp_path) == (41, 40)


lanes = st.sampled_from(["a", "b"])


@given(
    written=st.dictionaries(lanes, st.integers(1, 30), min_size=1),
    landed=st.dictionaries(lanes, st.integers(0, 30)),
    starts=st.lists(st.tuples(lanes, st.integers(1, 30), st.integers(0, 30))),
    final=st.booleans(),
    max_files=st.integers(1, 20),
)
def test_a_plan_lands_each_standing_segment_whole_and_in_order_and_removes_only_what_is_landed_or_void(
    written: dict[str, int],
    landed: dict[str, int],
    starts: list[tuple[str, int, int]],
    final: bool,
    max_files: int,
) -> None:
    files = sorted(
        SegmentFile(lane, number, table, Path(f"{table}.{lane}.{number}"))
        for lane, count in written.items()
        for number in range(1, count + 1)
        for table in ("messages", "turns")
    )
    runs = [
        Run(lane, at, RunRow("begun", 0, after, False))
        for lane, at, after in sorted(starts)
        if at in range(1, written.get(lane, 0) + 1)
    ]
    todo = plan(files, runs, landed, final=final, max_files=max_files)
    void = {f for f in files for r in runs if f.lane == r.lane and r.row.replays_after < f.segment < r.segment}
    assert not void & set(todo.land)
    for lane, count in written.items():
        mine = [f.segment for f in todo.land if f.lane == lane]
        standing = [f.segment for f in files if f.lane == lane and f not in void]
        waiting = [n for n in standing if n > landed.get(lane, 0)]
        assert mine == waiting[: len(mine)]  # in order, without a gap
        assert mine.count(max(mine, default=0)) in (0, 2)  # whole
        assert todo.ledger.get(lane, 0) == max([landed.get(lane, 0), *mine])
        if not final:
            assert all(n not in mine for n in sorted(set(standing))[-PROVISIONAL:])
        assert count in standing or (lane, count) in {(f.lane, f.segment) for f in void}
    for file in todo.remove:
        assert file in void or file.segment <= todo.ledger[file.lane]
    assert len(todo.land) <= max_files + 1


# ---- beside others


def test_one_lander_is_elected_and_another_takes_over(tmp_path: Path) -> None:
    segments(tmp_path, "w00", 12).close()
    code = (
        "import sys; from pathlib import Path; from connectors.metrics.lander import Lander\n"
        "with Lander(Path(sys.argv[1])) as lander: print(lander.land())"
    )

    def elsewhere() -> int:
        run = subprocess.run(
            [sys.executable, "-c", code, tmp_path], cwd=ROOT, capture_output=True, text=True, check=True
        )
        return int(run.stdout)

    lock = os.open(tmp_path / "lander.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)
    assert elsewhere() == 0
    os.close(lock)
    assert elsewhere() > 0


def test_a_reader_that_keeps_the_database_makes_the_lander_skip_and_still_sees_new_rows(
    tmp_path: Path,
) -> None:
    with Lander(tmp_path, IMPATIENT) as lander:
        lander.land()
        with reader_elsewhere(tmp_path), open_metrics(tmp_path) as database:
            for expected in (20, 40):
                segments(tmp_path, "w00", 2)
                assert lander.land(final=True) == 0
                assert database.sql("SELECT count(*) FROM messages").fetchall() == [(expected,)]
        assert lander.skipped == 2
        assert lander.land(final=True) > 0
    assert counts(tmp_path) == (40, 40)


READER = """
import sys
from pathlib import Path
from connectors.metrics import open_metrics
last = 0
for _ in range(int(sys.argv[2])):
    with open_metrics(Path(sys.argv[1])) as database:
        count, distinct, newest = database.sql(
            "SELECT count(*), count(DISTINCT (session_id, seq)),"
            " coalesce(max(epoch_us(released_at)) - 1790000000000000, -100000) // 100000 FROM messages"
        ).fetchall()[0]
    assert count == distinct == newest + 1, (count, distinct, newest)
    assert count >= last, (count, last)
    last = count
print(last)
"""


def test_readers_in_a_loop_never_fail_and_never_miss_or_double_a_row(tmp_path: Path) -> None:
    with Lander(tmp_path, LanderSettings(interval=0.02)) as lander:
        lander.land()
        readers = [
            subprocess.Popen(
                [sys.executable, "-c", READER, tmp_path, "20"], cwd=ROOT, stdout=subprocess.PIPE, text=True
            )
            for _ in range(2)
        ]
        stop = threading.Event()
        landing = threading.Thread(target=lander.run, args=(stop,))
        landing.start()
        writer = SegmentWriter(tmp_path, "w00")
        item = 0
        while any(reader.poll() is None for reader in readers):
            for _ in range(10):
                writer.add(rows_of(item, "w00"))
                item += 1
            writer.flush()
            stop.wait(0.005)
        stop.set()
        landing.join()
        writer.close()
        lander.land()
        assert lander.failures == 0
        assert lander.passes > 1
    for reader in readers:
        output, _ = reader.communicate()
        assert reader.returncode == 0
        assert int(output) > 0
    assert counts(tmp_path) == (item, item)


@pytest.mark.parametrize("kill_at", [2, 30, 61, 140])
def test_a_job_killed_anywhere_and_resumed_lands_each_row_once(tmp_path: Path, kill_at: int) -> None:
    """Killed at its n-th access to the spool, by the sink's thread or the lander's, then run to its end."""
    items = 400
    command = [sys.executable, "-m", "tests.metrics_job", str(tmp_path), "w00", str(items)]
    for arguments, code in (([str(kill_at)], -9), ([str(kill_at // 2 + 3)], -9), ([], 0)):
        run = subprocess.run([*command, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
        assert run.returncode == code, run.stderr
        if (tmp_path / "metrics.duckdb").exists():
            with contextlib.suppress(InputError), open_metrics(tmp_path) as database:
                ((count, distinct),) = database.sql(
                    "SELECT count(*), count(DISTINCT (session_id, seq)) FROM messages"
                ).fetchall()
                assert count == distinct
    ((count, distinct, turns),) = query(
        tmp_path,
        "SELECT count(*), count(DISTINCT (session_id, seq)), (SELECT count(*) FROM turns) FROM messages",
    )
    assert (count, distinct, turns) == (items, items, items // 10)


def test_files_that_a_killed_lander_left_are_hidden_by_the_ledger_and_then_removed(tmp_path: Path) -> None:
    segments(tmp_path, "w00", 12).close()
    kept = {path: path.read_bytes() for path in (tmp_path / "spool").glob("*.w00.*")}
    with Lander(tmp_path) as lander:
        lander.land()
    for path, content in kept.items():
        path.write_bytes(content)
    assert counts(tmp_path) == (120, 120)
    with Lander(tmp_path) as lander:
        assert lander.land() == 0
    assert len({file.segment for file in Spool(tmp_path).files()}) == 1


def test_an_unreadable_segment_is_set_aside_and_the_others_land(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    segments(tmp_path, "w00", 12).close()
    victim = next((tmp_path / "spool").glob("messages.w00.*"))
    victim.write_bytes(b"not Parquet")
    with Lander(tmp_path) as lander:
        lander.land()
    assert counts(tmp_path) == (110, 110)
    assert (tmp_path / "spool" / "unreadable" / victim.name).exists()
    assert victim.name in caplog.text


def test_a_failing_pass_is_logged_counted_and_tried_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    segments(tmp_path, "w00", 12).close()
    (tmp_path / "metrics.duckdb").write_bytes(b"not a database" * 1000)

    class Mended(threading.Event):
        """The file is fixed after the second pass; the third is the last."""

        turns = 0

        def wait(self, timeout: float | None = None) -> bool:
            self.turns += 1
            if self.turns == 2:
                (tmp_path / "metrics.duckdb").unlink()
            if self.turns == 3:
                self.set()
            return self.is_set()

    with Lander(tmp_path) as lander:
        lander.run(Mended())
        assert (lander.failures, lander.passes) == (2, 1)
    assert "landing" in caplog.text
    assert "\n" not in caplog.records[0].getMessage()
    assert counts(tmp_path) == (120, 120)


# ---- the file


def test_the_views_work_from_any_working_directory_with_plain_duckdb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    segments(Path("data"), "w00", 3)
    with Lander(Path("data")) as lander:
        lander.land()
    monkeypatch.chdir("/")
    with duckdb.connect(tmp_path / "data" / "metrics.duckdb", read_only=True) as database:
        assert database.sql("SELECT count(*) FROM messages").fetchall() == [(30,)]
        tags = database.sql("SELECT tags FROM duckdb_databases() WHERE NOT internal").fetchall()
    assert tags == [({"storage_version": "v1.0.0+"},)]


def test_a_moved_directory_says_so_until_a_job_renews_its_views(tmp_path: Path) -> None:
    segments(tmp_path / "old", "w00", 12)
    with Lander(tmp_path / "old") as lander:
        lander.land()
    (tmp_path / "old").rename(tmp_path / "new")
    with pytest.raises(DataDirError, match="moved"):
        open_metrics(tmp_path / "new")
    with Lander(tmp_path / "new") as lander:
        lander.land()
    assert counts(tmp_path / "new") == (120, (12 - PROVISIONAL) * 10)


def test_a_file_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    with Lander(tmp_path) as lander:
        lander.land()
    with duckdb.connect(tmp_path / "metrics.duckdb") as database:
        database.execute("UPDATE schema_version SET version = 99")
    with pytest.raises(DataDirError, match="update"):
        open_metrics(tmp_path)
    segments(tmp_path, "w00", 12)
    with Lander(tmp_path) as lander, pytest.raises(DataDirError, match="update"):
        lander.land()


def test_a_file_and_segments_of_an_earlier_version_are_brought_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Lander(tmp_path) as lander:
        segments(tmp_path, "w00", 12)
        lander.land()
    for path in (tmp_path / "spool").glob("messages.w00.*"):
        pl.read_parquet(path).drop("hold_ms").write_parquet(path)
    with duckdb.connect(tmp_path / "metrics.duckdb") as database:
        database.execute("ALTER TABLE landed.messages DROP COLUMN hold_ms")
    newer = SCHEMA_VERSION + 1
    monkeypatch.setattr("connectors.metrics.database.SCHEMA_VERSION", newer)
    monkeypatch.setattr(
        "connectors.metrics.database.MIGRATIONS", {newer: "UPDATE landed.messages SET tenant = upper(tenant)"}
    )
    with Lander(tmp_path) as lander:
        lander.land()
    rows = query(tmp_path, "SELECT tenant, hold_ms, count(*) FROM messages GROUP BY ALL ORDER BY tenant")
    assert [row[:2] for row in rows] == [("ACME", None), ("acme", None)]
    assert sum(row[2] for row in rows) == 120


def test_a_script_of_the_callers_views_is_run_and_run_again_when_it_changed(tmp_path: Path) -> None:
    for divisor in (10, 5):
        script = f"CREATE OR REPLACE VIEW tenth AS SELECT count(*) // {divisor} AS n FROM messages"
        with Lander(tmp_path, script=script) as lander:
            segments(tmp_path, f"w{divisor:02}", 2)
            lander.land()
            assert query(tmp_path, "SELECT n FROM tenth") == [(2 if divisor == 10 else 8,)]


def test_landed_rows_older_than_the_retention_are_deleted(tmp_path: Path) -> None:
    segments(tmp_path, "w00", 12).close()
    with Lander(tmp_path) as lander:
        lander.land()
    ((age,),) = query(tmp_path, "SELECT epoch(now() - max(hour)) / 86400 FROM messages")
    for days, left in ((age + 1, 120), (age - 1, 0)):
        with Lander(tmp_path, LanderSettings(retain_days=days)) as lander:
            lander.land()
        assert counts(tmp_path) == (left, left)


@pytest.mark.parametrize("wrong", [{"interval": 0}, {"max_files": 0}, {"retain_days": -1}, {"patience": -1}])
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        LanderSettings(**wrong)


def test_a_directory_that_duckdb_cannot_open_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"\?"):
        Lander(tmp_path / "what?")


def test_a_flow_and_its_lander_run_side_by_side(tmp_path: Path) -> None:
    stop = threading.Event()
    with Lander(tmp_path, LanderSettings(interval=0.001)) as lander:
        thread = threading.Thread(target=lander.run, args=(stop,))
        thread.start()
        flow = flow_of(tmp_path, "w00", Numbers(300, batch=5))
        run_main(flow, epoch_interval=timedelta(0), recovery_config=recovery_of(tmp_path, "w00"))
        stop.set()
        thread.join()
        assert lander.failures == 0
        lander.land()
    assert counts(tmp_path) == (300, 300)


def test_readers_wait_at_the_gate_while_a_landing_is_on(tmp_path: Path) -> None:
    with Lander(tmp_path) as lander:
        lander.land()
    gate = os.open(tmp_path / "metrics.gate", os.O_RDWR)
    fcntl.flock(gate, fcntl.LOCK_EX)
    opened = threading.Event()

    def read() -> None:
        with open_metrics(tmp_path):
            opened.set()

    reader = threading.Thread(target=read)
    reader.start()
    assert not opened.wait(0.1)
    os.close(gate)
    assert opened.wait(10)
    reader.join()


def test_a_reader_does_not_wait_at_the_gate_for_ever(tmp_path: Path) -> None:
    with Lander(tmp_path) as lander:
        lander.land()
    gate = os.open(tmp_path / "metrics.gate", os.O_RDWR)
    fcntl.flock(gate, fcntl.LOCK_EX)
    open_metrics(tmp_path, wait=0.05).close()
    os.close(gate)


def test_a_job_has_its_database_at_once(tmp_path: Path) -> None:
    landing = Landing(tmp_path, "w00", LanderSettings(interval=3600))
    landing.start()
    try:
        assert query(tmp_path, "SELECT count(*) FROM messages") == [(0,)]
    finally:
        landing.close()


def test_a_landing_that_cannot_begin_says_where(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("in the way")
    with pytest.raises(DataDirError, match=r"metrics cannot be kept in .*use another --data-dir"):
        Landing(tmp_path, "w00").start()


def test_a_directory_in_which_a_job_has_landed_nothing_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="run a job"):
        open_metrics(tmp_path, wait=0)
    segments(tmp_path, "w00", 1)
    with pytest.raises(InputError, match="has begun there"):
        open_metrics(tmp_path, wait=0)


def test_turns_become_rarer_while_readers_keep_the_database(tmp_path: Path) -> None:
    pauses: list[float | None] = []

    class Ticks(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            pauses.append(timeout)
            segments(tmp_path, "w00", 1).close()
            if len(pauses) == 8:
                self.set()
            return self.is_set()

    with Lander(tmp_path, IMPATIENT) as lander:
        lander.land()
        with reader_elsewhere(tmp_path):
            lander.run(Ticks(), interval=1)
        assert lander.skipped == 7
    assert pauses == [1, 2, 4, 8, 16, 16, 16, 16]


def test_old_rows_are_deleted_again_an_hour_later_and_not_at_every_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Lander(tmp_path, LanderSettings(retain_days=1)) as lander:
        for every, left in ((3600.0, 0), (3600.0, 10), (0.0, 0)):
            monkeypatch.setattr("connectors.metrics.lander._RETENTION_EVERY", every)
            writer = SegmentWriter(tmp_path, "w00")
            writer.add([message for item in range(10) for message in old_rows(item)])
            writer.close()
            lander.land()
            lander.land()
            assert counts(tmp_path)[1] == left


def old_rows(item: int) -> list[Row]:
    return [
        msgspec.structs.replace(row, released_at=1_600_000_000_000_000)
        for row in rows_of(item, "w00")
        if isinstance(row, MessageRow)
    ]
