"""connectors.log.keys: each lane's rows and messages stay with the process that has the lane, whatever it is called."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from pathlib import Path

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from connectors.delivery.sink import DesktopSink
from connectors.frontend.sink import CallerSink
from connectors.log.keys import key_of, lane_of
from connectors.log.shards import SHARDS
from connectors.metrics.sink import MetricsSink
from connectors.metrics.spool import Spool
from connectors.metrics.tables import TABLES, MessageRow
from connectors.reactor import Reactor
from connectors.vendors.cognigy.account import CognigyAccount
from connectors.vendors.cognigy.settings import CognigySettings, DialogSettings
from connectors.vendors.cognigy.sink import DialogSink

LANES = ["cxone", "eu_1", "05"]

JOB = """
import sys
from datetime import datetime, UTC
from pathlib import Path

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from bytewax.testing import cluster_main

from connectors.log.keys import key_of
from connectors.log.shards import SHARDS
from connectors.metrics.sink import MetricsSink
from tests.metrics_job import rows_of

directory, number = Path(sys.argv[1]), int(sys.argv[2])
addresses, lanes = sys.argv[3].split(","), sys.argv[4].split(",")
lane = lanes[number]


class Part(StatefulSourcePartition):
    done = False

    def next_batch(self):
        if self.done:
            raise StopIteration
        self.done = True
        return [(key_of(lane, shard), rows_of(shard, lane)) for shard in range(SHARDS)]

    def snapshot(self):
        return None


class Source(FixedPartitionedSource):
    def list_parts(self):
        return [lane]

    def build_part(self, step_id, for_part, resume_state):
        return Part()


flow = Dataflow("measured")
op.output("metrics", op.input("rows", flow, Source()), MetricsSink(directory, lane, lanes=lanes))
cluster_main(flow, addresses, number)
"""


@given(st.from_regex(re.compile(r"[a-z0-9_]{1,16}"), fullmatch=True), st.integers(0, SHARDS - 1))
def test_a_key_says_its_lane(lane: str, shard: int) -> None:
    assert lane_of(key_of(lane, shard)) == lane


@given(st.lists(st.from_regex(re.compile(r"[a-z0-9_]{1,16}"), fullmatch=True), min_size=1, max_size=9, unique=True))
def test_every_sink_sends_a_lanes_keys_to_the_lanes_own_partition(lanes: list[str]) -> None:
    account, folder = CognigyAccount(CognigySettings()), Path("unused")
    for lane in lanes:
        for sink in (
            DesktopSink({}, folder, lane, Reactor, lanes=lanes),
            DialogSink(account, DialogSettings(), folder, lane, Reactor, lanes=lanes),
            MetricsSink(folder, lane, lanes=lanes),
            CallerSink(None, lane, None, lanes=lanes),  # type: ignore[arg-type]  # nobody is called
        ):
            for each in lanes:
                assert {sink.part_fn(key_of(each, shard)) for shard in range(SHARDS)} == {sorted(lanes).index(each)}


def test_in_a_cluster_each_lanes_rows_are_written_by_its_own_process(tmp_path: Path) -> None:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in LANES]
    addresses = ",".join(f"127.0.0.1:{each.getsockname()[1]}" for each in held)
    for each in held:
        each.close()
    jobs = [
        subprocess.Popen([sys.executable, "-c", JOB, str(tmp_path / lane), str(number), addresses, ",".join(LANES)])
        for number, lane in enumerate(LANES)
    ]
    assert [job.wait(120) for job in jobs] == [0] * len(LANES)
    for lane in LANES:
        files = Spool(tmp_path / lane).files()
        assert {file.lane for file in files} == {lane}
        rows = pl.concat([pl.read_parquet(each.path) for each in files if each.table == TABLES[MessageRow].name])
        assert len(rows) == SHARDS
        assert {session.rpartition("-")[0] for session in rows["session_id"]} == {lane}
