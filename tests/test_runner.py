"""flows.engine.runner: a dataflow run as a process should."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bytewax.operators as op
import pytest
from bytewax.dataflow import Dataflow
from bytewax.testing import TestingSink

from connectors.errors import DataDirError
from connectors.log.records import Header, Record
from connectors.log.source import LogSource
from connectors.log.writer import write_recording
from flows.engine import runner

HEADER = Header("tokenweir", 1, "cxone", "2026-11-20T12:00:00Z")


def run(tmp_path: Path, recovery: Path) -> list[Any]:
    recording = tmp_path / "r.jsonl"
    write_recording(recording, HEADER, [Record(1, "s", 0, "open", d={})])
    out: list[Any] = []

    def build(source: runner.Source) -> Dataflow:
        flow = Dataflow("test")
        op.output("out", op.input("in", flow, source), TestingSink(out))
        return flow

    runner.run(build, LogSource(recording), recovery=recovery)
    return out


def test_a_recovery_store_whose_making_was_killed_is_made_anew(tmp_path: Path) -> None:
    half = tmp_path / "recovery" / ".w00.partial"
    half.mkdir(parents=True)
    (half / "part-0.sqlite3").touch()
    assert run(tmp_path, tmp_path / "recovery" / "w00")
    assert not half.exists()


def test_a_place_where_no_recovery_store_can_be_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataDirError, match="--data-dir"):
        run(tmp_path, tmp_path / "file" / "w00")
