"""landing.py and delivery.py: each delivery is one row, whatever is killed between message, segment and note."""

from __future__ import annotations

import tempfile
from collections import Counter
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.delivery.journal import Journal
from connectors.delivery.ledger import Delivered, DeliveryMemory
from connectors.delivery.outbox import Outbox
from connectors.log.records import Message
from connectors.metrics import DeadLetterRow, DeliveryRow, open_metrics
from connectors.metrics.landing import Landing
from connectors.metrics.spool import Spool


class KillError(Exception):
    pass


class Process:
    """A job's delivery and its table, over one data directory; `doomed` is killed before the memory is told."""

    def __init__(self, data_dir: Path) -> None:
        self.doomed = False
        self.landing = Landing(data_dir, "w00")
        journal = Journal(data_dir / "delivery", "w00", segment_bytes=600)
        self._memory = DeliveryMemory(journal, {"default": Outbox("ack")}, noting=True, on_delivered=self._note)
        after, lacking = self._memory.unnoted
        self.landing.follow(self, after, rows(lacking))

    def deliver(self, seq: int) -> None:
        self._memory.offer([("default", Message("s", 0, seq, "Good morning. ", "sentence", False, False, seq))])
        while self._memory.take("default"):
            pass
        self._memory.acknowledge("default", "s", 0, seq)

    def taken(self, take):  # type: ignore[no-untyped-def]  # the memory's own
        return self._memory.taken(take)

    def note(self, lines: int, segment: int) -> None:
        if self.doomed:
            raise KillError
        self._memory.note(lines, segment)

    def die(self) -> None:
        """Nothing more is written, and the locks go."""
        self._memory.close()

    def _note(self, delivered: list[Delivered]) -> None:
        self.landing.note(rows(delivered))


def rows(delivered: list[Delivered]) -> list[DeliveryRow]:
    return [DeliveryRow(**msgspec.structs.asdict(each)) for each in delivered]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(["deliver"] * 4 + ["flush", "kill", "kill before the note"]), max_size=40))
def test_each_delivery_is_one_row_whatever_is_killed(steps: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        data_dir, delivered = Path(folder), 0
        process = Process(data_dir)
        for step in steps:
            if step == "deliver":
                process.deliver(delivered)
                delivered += 1
            elif step == "flush":
                process.landing.flush()
            else:
                process.doomed = step != "kill"
                try:
                    if process.doomed:
                        process.landing.flush()
                except KillError:
                    pass
                process.die()
                process = Process(data_dir)
        process.landing.start()
        process.landing.close()
        process.die()
        with closing(open_metrics(data_dir)) as database:
            found = Counter(database.sql("SELECT seq FROM deliveries").fetchall())
    assert found == Counter((seq,) for seq in range(delivered))


def test_what_was_given_up_is_one_row_where_a_kill_comes_between_its_segment_and_the_note(tmp_path: Path) -> None:
    process = Process(tmp_path)
    process.deliver(0)
    process.landing.flush()
    process.deliver(1)
    process.landing.keep([DeadLetterRow("s", 0, 7, "set_variables", "status_404")])
    process.doomed = True
    with pytest.raises(KillError):
        process.landing.flush()
    process.die()
    process = Process(tmp_path)
    process.landing.start()
    process.landing.close()
    process.die()
    with closing(open_metrics(tmp_path)) as database:
        assert database.sql("SELECT session_id, reason FROM dead_letters").fetchall() == [("s", "status_404")]
        assert database.sql("SELECT seq FROM deliveries ORDER BY seq").fetchall() == [(0,), (1,)]


def test_rows_wait_where_the_table_cannot_be_begun(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    process = Process(data_dir / "job")
    process.landing = Landing(data_dir / "metrics", "w00")
    process.landing.follow(process, None, [])
    (data_dir / "metrics").touch()
    process.deliver(0)
    with pytest.raises(OSError, match="metrics"):
        process.landing.flush()
    (data_dir / "metrics").unlink()
    process.landing.flush()
    [file] = [each for each in Spool(data_dir / "metrics").files() if "deliver" in each.lane][-1:]
    assert process._memory.unnoted[1] == [], "they were noted, so they are written"
    assert file.segment == process._memory.unnoted[0]
    process.die()
