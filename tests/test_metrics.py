"""Rows, segments, and the sink in real flows."""

from __future__ import annotations

import logging
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import bytewax.operators as op
import msgspec
import polars as pl
import pytest
from bytewax.dataflow import Dataflow
from bytewax.testing import run_main
from hypothesis import given, settings
from hypothesis import strategies as st
from metrics_job import STARTED, Numbers, flow_of, recovery_of, rows_of

from analytics.frames import frame
from connectors.errors import DataDirError, InputError, SettingsError
from connectors.metrics import DeadLetterRow, DeliveryRow, FindingRow, MessageRow, Row, open_metrics
from connectors.metrics.lander import Lander
from connectors.metrics.segments import SegmentWriter
from connectors.metrics.sink import MetricsSink
from connectors.metrics.spool import Spool
from connectors.metrics.tables import TABLES


def seen(directory: Path, query: str) -> list[tuple[Any, ...]]:
    """What an analyst sees, after one pass of the lander."""
    with Lander(directory) as lander:
        lander.land()
    with open_metrics(directory) as database:
        return database.sql(query).fetchall()


def message(seq: int, **changes: Any) -> MessageRow:
    (row, *_) = rows_of(seq, "w00")
    assert isinstance(row, MessageRow)
    return msgspec.structs.replace(row, session_id="s", seq=seq, **changes)


ITEMS_SEEN = "SELECT count(*), count(DISTINCT (session_id, seq)), (SELECT count(*) FROM turns) FROM messages"


# ---- what is declared


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_every_column_is_commented_and_the_row_is_dated_by_one_of_its_moments(table: Any) -> None:
    assert table.comment
    assert "\n" not in table.comment
    assert all(column.comment for column in table.columns)
    types = {c.name: c.type for c in table.declared}
    assert {types[name] for name in table.dated_by} == {"TIMESTAMPTZ"}
    assert len({c.name for c in table.columns}) == len(table.columns)


def test_comments_reach_tables_views_and_columns_of_the_database(tmp_path: Path) -> None:
    uncommented = seen(
        tmp_path,
        "SELECT table_name, column_name FROM duckdb_columns() WHERE NOT internal AND comment IS NULL"
        " UNION ALL SELECT table_name, '' FROM duckdb_tables() WHERE comment IS NULL"
        " UNION ALL SELECT view_name, '' FROM duckdb_views() WHERE NOT internal AND comment IS NULL",
    )
    assert uncommented == []


def test_no_column_needs_quoting_in_a_query(tmp_path: Path) -> None:
    for table in TABLES.values():
        columns = ", ".join(c.name for c in table.shown)
        assert seen(tmp_path, f"SELECT {columns} FROM {table.name} GROUP BY ALL") == []


# ---- the writer


def test_moments_land_as_utc_times_with_their_hour(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path, "w00")
    writer.add([message(0, released_at=1_763_689_199_999_999)])
    writer.flush()
    assert seen(tmp_path, "SELECT released_at::VARCHAR, hour::VARCHAR FROM messages") == [
        ("2025-11-21 01:39:59.999999+00", "2025-11-21 01:00:00+00")
    ]


def test_a_segment_without_rows_is_not_written(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path, "w00")
    before = writer.segment
    assert writer.flush() == before
    assert len(Spool(tmp_path).files()) == 1


def test_segments_are_numbered_upwards_even_when_the_clock_is_set_back(tmp_path: Path) -> None:
    now = [5_000_000_000_000_000_000]
    writer = SegmentWriter(tmp_path, "w00", clock=lambda: now[0])
    numbers = [writer.segment]
    for _ in range(3):
        now[0] -= 3_600_000_000_000
        writer.add([message(0)])
        numbers.append(writer.flush())
    assert numbers == sorted(set(numbers))
    assert SegmentWriter(tmp_path, "w00", clock=lambda: now[0]).segment > numbers[-1]


def test_rows_beyond_the_limit_are_written_without_waiting_for_a_flush(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path, "w00", max_rows=10)
    writer.add([message(seq) for seq in range(9)])
    assert len(Spool(tmp_path).files()) == 1
    writer.add([message(9)])
    assert len(Spool(tmp_path).files()) == 2
    assert seen(tmp_path, "SELECT count(*) FROM messages") == [(10,)]


def test_a_value_that_does_not_fit_becomes_null_and_is_not_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    writer = SegmentWriter(tmp_path, "w00")
    writer.add([message(0), message(1, chars=10**30, tenant="secret\ud800")])
    with caplog.at_level(logging.WARNING):
        writer.flush()
    assert seen(tmp_path, "SELECT chars, tenant FROM messages ORDER BY seq") == [
        (40, "acme"),
        (None, "secret?"),
    ]
    assert {record.args[0] for record in caplog.records if record.args} == {"chars", "tenant"}
    assert "secret" not in caplog.text


def test_half_written_files_of_a_killed_writer_are_removed_by_the_next(tmp_path: Path) -> None:
    SegmentWriter(tmp_path, "w00").close()
    torn = tmp_path / "spool" / "messages.w00.0000000000000001.0.parquet.tmp"
    torn.write_bytes(b"PAR1")
    SegmentWriter(tmp_path, "w00")
    assert not torn.exists()


@pytest.mark.parametrize("lane", ["", "a.b", "a/b", "schema", "ü", "x" * 65])
def test_a_lane_that_cannot_name_a_file_is_refused(tmp_path: Path, lane: str) -> None:
    with pytest.raises(SettingsError, match="lane"):
        MetricsSink(tmp_path, lane)


def test_an_odd_path_of_the_data_directory_does_no_harm(tmp_path: Path) -> None:
    directory = tmp_path / "it's [a] *"
    writer = SegmentWriter(directory, "w00")
    writer.add([message(0)])
    writer.flush()
    assert seen(directory, "SELECT count(*) FROM messages") == [(1,)]
    writer.close()
    assert seen(directory, "SELECT count(*) FROM landed.messages") == [(1,)]


def test_a_view_is_a_polars_frame_away(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path, "w00")
    writer.add([message(0), DeadLetterRow(None, None, STARTED, "reassembly", "no such vendor")])
    writer.close()
    with Lander(tmp_path) as lander:
        lander.land()
    with open_metrics(tmp_path) as database:
        shown = frame(database, "SELECT session_id, released_at FROM messages")
    assert shown.schema == {"session_id": pl.String, "released_at": pl.Datetime("us", "UTC")}


def test_metrics_that_are_not_there_are_an_error_with_its_remedy(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="run a job"):
        open_metrics(tmp_path)


# ---- the sink in a flow


@pytest.mark.parametrize("epoch", [timedelta(0), timedelta(milliseconds=3), timedelta(seconds=10)])
def test_a_flow_that_crashes_again_and_again_lands_each_row_once(tmp_path: Path, epoch: timedelta) -> None:
    source = Numbers(60, crashes=(1, 7, 30, 31, 55))
    flow = flow_of(tmp_path, "w00", source, max_rows=4)
    recovery = recovery_of(tmp_path, "w00")
    while source.crashes:
        run_main(flow, epoch_interval=epoch, recovery_config=recovery)
    run_main(flow, epoch_interval=epoch, recovery_config=recovery)
    assert seen(tmp_path, ITEMS_SEEN) == [(60, 60, 6)]


def test_an_error_in_a_step_is_no_orderly_end(tmp_path: Path) -> None:
    """Bytewax closes the sink all the same; its rows come again when the job is fixed."""
    recovery = recovery_of(tmp_path, "w00")
    flow = Dataflow("measured")
    numbers = op.input("numbers", flow, Numbers(10))
    broken = [True]

    def rows(item: int) -> tuple[str, list[Row]]:
        if item == 5 and broken[0]:
            raise ZeroDivisionError
        return "w00-03", rows_of(item, "w00")

    op.output("metrics", op.map("rows", numbers, rows), MetricsSink(tmp_path, "w00"))
    with pytest.raises(Exception, match="rows"):
        run_main(flow, epoch_interval=timedelta(seconds=60), recovery_config=recovery)
    broken.clear()
    broken.append(False)
    run_main(flow, epoch_interval=timedelta(seconds=60), recovery_config=recovery)
    assert seen(tmp_path, ITEMS_SEEN) == [(10, 10, 1)]


def test_a_flow_killed_before_its_first_snapshot_lands_each_row_once(tmp_path: Path) -> None:
    source = Numbers(10, crashes=(5,))
    flow = flow_of(tmp_path, "w00", source, max_rows=1)
    recovery = recovery_of(tmp_path, "w00")
    run_main(flow, epoch_interval=timedelta(seconds=60), recovery_config=recovery)
    assert seen(tmp_path, ITEMS_SEEN) == [(5, 5, 0)]
    run_main(flow, epoch_interval=timedelta(seconds=60), recovery_config=recovery)
    assert seen(tmp_path, ITEMS_SEEN) == [(10, 10, 1)]


def test_no_row_is_lost_or_doubled_with_the_recovery_store(tmp_path: Path) -> None:
    for lane in ("w00", "w00", "w01"):
        run_main(flow_of(tmp_path, lane, Numbers(10)), epoch_interval=timedelta(0))
    assert seen(tmp_path, ITEMS_SEEN) == [(20, 20, 2)]


def test_a_job_that_stopped_in_order_goes_on_where_it_was(tmp_path: Path) -> None:
    recovery = recovery_of(tmp_path, "w00")
    for end in (10, 20):
        flow = flow_of(tmp_path, "w00", Numbers(end))
        run_main(flow, epoch_interval=timedelta(0), recovery_config=recovery)
        assert seen(tmp_path, ITEMS_SEEN) == [(end, end, end // 10)]
    events = seen(tmp_path, "SELECT event FROM landed.runs ORDER BY happened_at")
    assert events == [("begun",), ("ended",)] * 2


def test_a_snapshot_of_a_later_version_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataDirError, match=r"measured\.metrics.*later"):
        MetricsSink(tmp_path, "w00").build_part("measured.metrics", "w00", {"version": 99})


def test_keys_find_their_lane_in_a_cluster(tmp_path: Path) -> None:
    sink = MetricsSink(tmp_path, "w03", lanes=["w00", "w03", "w12"])
    assert sink.list_parts() == ["w03"]
    assert [sink.part_fn(key) for key in ("w00-15", "w03-00", "w12-04")] == [0, 1, 2]


@settings(max_examples=12, deadline=None)
@given(st.data())
def test_however_rows_are_batched_and_wherever_it_crashes_the_views_show_each_once(
    data: st.DataObject,
) -> None:
    """Bytewax's contract played at random: batches, snapshots, crashes, resumes, landings."""
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        state: dict[str, Any] | None = None
        committed = written = 0
        sink = MetricsSink(directory, "w00", max_rows=data.draw(st.sampled_from([1, 3, 50_000])))
        part = sink.build_part("s", "w00", None)
        with Lander(directory) as lander:
            lander.land()
            for step in data.draw(st.lists(st.sampled_from("wwwsscl"), max_size=40)):
                if step == "w":
                    count = data.draw(st.integers(1, 3))
                    part.write_batch([_pair(i) for i in range(written, written + count)])
                    written += count
                elif step == "s":
                    state, committed = part.snapshot(), written
                elif step == "l":
                    lander.land()
                else:  # a crash: what came after the last snapshot comes again
                    part = sink.build_part("s", "w00", state)
                    written = committed
            part.snapshot()
            part.close()
            for land in (False, True):
                if land:
                    lander.land()
                with open_metrics(directory) as database:
                    shown = database.sql("SELECT seq FROM messages ORDER BY seq").fetchall()
                    findings = database.sql("SELECT count(*) FROM findings").fetchall()
                assert shown == [(seq,) for seq in range(written)]
                assert findings == [(written,)]


def _pair(seq: int) -> list[Row]:
    return [message(seq), FindingRow("s", 0, seq, STARTED, "email", "email", "redact", 3, 9)]


def test_a_disk_that_refuses_is_an_error_that_names_the_step_and_the_folder(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("a file where the folder should be")
    with pytest.raises(DataDirError, match=r"step measured\.metrics: cannot write to .*spool"):
        MetricsSink(tmp_path, "w00").build_part("measured.metrics", "w00", {"version": 1, "segment": 5})


def test_a_delivery_is_dated_by_its_confirmation_where_its_sending_is_not_known(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path, "w00_deliveries")
    hour = 3_600_000_000
    for sent, confirmed in ((hour, 9 * hour), (None, 3 * hour + 5), (None, None)):
        writer.add([DeliveryRow("s", 0, 0, "default", sent, confirmed, "ack")])
    writer.close()
    assert seen(tmp_path, "SELECT epoch_us(hour) FROM deliveries ORDER BY hour NULLS LAST") == [
        (hour,),
        (3 * hour,),
        (None,),
    ]
