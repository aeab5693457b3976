"""landing.py, deliveries.py: each delivery is one row, whatever is killed, and whatever of the table is moved away."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.delivery.journal import MAX_UNREAD, Journal
from connectors.delivery.ledger import Ledger
from connectors.delivery.outbox import Outbox
from connectors.log.records import Message
from connectors.metrics import DeadLetterRow, open_metrics
from connectors.metrics import deliveries as deliveries_module
from connectors.metrics.deliveries import Deliveries
from connectors.metrics.lander import Lander
from connectors.metrics.landing import Landing
from connectors.metrics.spool import Spool
from tests import disk


class KillError(Exception):
    pass


class Process:
    """A job's delivery and its table, over one data directory."""

    def __init__(self, data_dir: Path, segment_bytes: int = 600) -> None:
        self.landing = Landing(data_dir, "w00", journal=data_dir / "delivery")
        self.journal = Journal(data_dir / "delivery", "w00", segment_bytes=segment_bytes, unread=self.landing.unread)
        self.memory = Ledger(self.journal, {"default": Outbox("ack")})

    def deliver(self, seq: int) -> None:
        self.memory.offer([("default", Message("s", 0, seq, "Good morning. ", "sentence", False, False, seq))])
        while self.memory.take("default"):
            pass
        self.memory.acknowledge("default", "s", 0, seq)

    def die(self) -> None:
        """Nothing more is written, and the locks go."""
        self.memory.close()


def rows(data_dir: Path, columns: str = "seq") -> list[tuple[Any, ...]]:
    """The table as analysts see it, when all that was confirmed is written."""
    landing = Landing(data_dir, "w00", journal=data_dir / "delivery")
    landing.start()
    landing.close()
    return seen(data_dir, columns)


def seen(data_dir: Path, columns: str = "seq") -> list[tuple[Any, ...]]:
    with closing(open_metrics(data_dir)) as database:
        return database.sql(f"SELECT {columns} FROM deliveries ORDER BY seq").fetchall()


def land(data_dir: Path, *, final: bool = False) -> None:
    with Lander(data_dir) as lander:
        lander.land(final=final)


KILLS = st.sampled_from(["deliver"] * 4 + ["flush", "land", "kill", "kill before the cursor"])
LOSSES = st.sampled_from(["no cursor", "no spool", "another journal", "the spool of before"])


@settings(max_examples=15, deadline=None)
@given(st.lists(KILLS, max_size=40))
def test_each_delivery_is_one_row_whatever_is_killed(steps: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        whatever_happens(Path(folder), steps, segment_bytes=600)


@settings(max_examples=15, deadline=None)
@given(st.lists(KILLS | LOSSES, max_size=40))
def test_each_delivery_is_one_row_whatever_of_the_table_is_moved_away(steps: list[str]) -> None:
    """As far as the journal reaches: here it is long enough."""
    with tempfile.TemporaryDirectory() as folder:
        whatever_happens(Path(folder), steps, segment_bytes=1_000_000)


def whatever_happens(data_dir: Path, steps: list[str], segment_bytes: int) -> None:
    delivered = 0
    process = Process(data_dir, segment_bytes)
    for step in steps:
        if step == "deliver":
            process.deliver(delivered)
            delivered += 1
        elif step == "flush":
            process.landing.flush()
        elif step == "land":
            land(data_dir, final=True)
        else:
            if step == "kill before the cursor":
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr(deliveries_module, "write_whole", kill)
                    process.deliver(delivered)
                    delivered += 1
                    with pytest.raises(KillError):
                        process.landing.flush()
            process.die()
            lose(data_dir, step)
            process = Process(data_dir, segment_bytes)
    process.die()
    assert Counter(rows(data_dir)) == Counter((seq,) for seq in range(delivered))


def kill(*_: object) -> None:
    raise KillError


def lose(data_dir: Path, step: str) -> None:
    """While no process runs."""
    spool, before = data_dir / "spool", data_dir / "before"
    if step == "no cursor":
        for path in spool.glob("*.cursor"):
            path.unlink()
    elif step == "no spool":
        shutil.rmtree(spool, ignore_errors=True)
    elif step == "the spool of before" and spool.exists():
        if before.exists():
            shutil.rmtree(spool)
            before.rename(spool)
        else:
            shutil.copytree(spool, before)
    elif step == "another journal":
        for path in (data_dir / "delivery").glob("*.jsonl"):  # the same confirmations at other places
            header, *lines = path.read_bytes().splitlines(keepends=True)
            path.write_bytes(header + b"".join(line.replace(b"Good morning", b"Hi") for line in lines))


def test_a_row_says_when_it_was_sent_also_where_the_process_that_sent_it_was_killed(tmp_path: Path) -> None:
    process = Process(tmp_path)
    process.deliver(0)
    process.die()
    [(sent_at, confirmed_at)] = rows(tmp_path, "epoch_us(sent_at), epoch_us(confirmed_at)")
    assert 0 < sent_at <= confirmed_at


def test_rows_are_written_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries_module, "PIECE", 7)
    process = Process(tmp_path, segment_bytes=3_000)
    for seq in range(40):
        process.deliver(seq)
    process.die()
    assert rows(tmp_path) == [(seq,) for seq in range(40)]
    numbers = {file.segment for file in Spool(tmp_path).files() if file.lane == "w00_deliveries"}
    assert len(numbers) <= 2 + 40 / 7


def test_what_was_given_up_is_one_row_whatever_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    process = Process(tmp_path)
    process.deliver(0)
    process.landing.flush()
    process.deliver(1)
    process.landing.keep([DeadLetterRow("s", 0, 7, "set_variables", "status_404")])
    with monkeypatch.context() as patch:
        patch.setattr(deliveries_module, "write_whole", kill)
        with pytest.raises(KillError):
            process.landing.flush()
    process.die()
    assert rows(tmp_path) == [(0,), (1,)]
    with closing(open_metrics(tmp_path)) as database:
        assert database.sql("SELECT session_id, reason FROM dead_letters").fetchall() == [("s", "status_404")]


def test_rows_wait_in_the_journal_where_the_table_cannot_be_begun(tmp_path: Path) -> None:
    process = Process(tmp_path)
    landing = Landing(tmp_path / "metrics", "w00", journal=tmp_path / "delivery")
    (tmp_path / "metrics").touch()
    process.deliver(0)
    with pytest.raises(OSError, match="metrics"):
        landing.flush()
    (tmp_path / "metrics").unlink()
    process.deliver(1)
    landing.flush()
    land(tmp_path / "metrics")
    assert seen(tmp_path / "metrics") == [(0,), (1,)]
    process.die()


def test_rows_that_find_no_room_are_written_when_there_is_some(tmp_path: Path) -> None:
    process = Process(tmp_path)
    process.deliver(0)
    process.landing.flush()
    process.deliver(1)
    with disk.full_at(1):
        process.landing.flush()
    for seq in range(2, 30):
        process.deliver(seq)
    with disk.full_at(1):
        process.landing.flush()
    process.landing.flush()
    land(tmp_path)
    assert seen(tmp_path) == [(seq,) for seq in range(30)]
    process.die()
    assert rows(tmp_path) == [(seq,) for seq in range(30)]


def test_the_journal_keeps_what_the_table_has_not_read_and_no_more_than_its_bound(tmp_path: Path) -> None:
    process = Process(tmp_path)
    seq = 0
    while len(list((tmp_path / "delivery").glob("*.jsonl"))) <= MAX_UNREAD:
        process.deliver(seq)
        seq += 1
    assert process.journal.lost == 0
    process.landing.flush()
    land(tmp_path)
    assert seen(tmp_path) == [(each,) for each in range(seq)]
    first = len(list((tmp_path / "delivery").glob("*.jsonl")))
    while (tmp_path / "delivery" / f"delivery-w00-{first - 1:08d}.jsonl").exists():  # the next rotation removes them
        process.deliver(seq)
        seq += 1
    assert len(list((tmp_path / "delivery").glob("*.jsonl"))) == 2
    assert process.journal.lost == 0
    while process.journal.lost < 3:
        process.deliver(seq)
        seq += 1
    assert len(list((tmp_path / "delivery").glob("*.jsonl"))) <= MAX_UNREAD + 2
    process.die()
    lacking = sorted(set(range(seq)) - {number for (number,) in rows(tmp_path)})
    assert lacking == list(range(lacking[0], lacking[-1] + 1)), "the oldest that were not read"
    assert 0 < len(lacking) < 10


OLD_HEADER = b'{"format":"tokenweir-delivery","version":1,"lane":"w00","segment":%d,"marks":{}}'
OLD_MESSAGE = b'{"k":"message","to":"default","d":{"session_id":"s","turn":0,"seq":%d,"text":"A.","final":false}}'
OLD_SETTLED = b'{"k":"settled","to":"default","s":"s","n":0,"first":%d,"last":%d,"at":%d,"how":"ack"}'
AT = 1_790_000_000_000_000


@pytest.mark.parametrize("written", ["spool", "landed", "landed and noted", "nothing"])
def test_an_older_journal_goes_on_without_a_row_twice_or_lost(tmp_path: Path, written: str) -> None:
    """Its table was told of by lines in it, which are passed over; and its lines said again after a rotation."""
    journal = tmp_path / "delivery"
    journal.mkdir()
    settled = [OLD_SETTLED % (0, 1, AT), OLD_SETTLED % (2, 2, AT + 1)]
    first = [OLD_HEADER % 1, *(OLD_MESSAGE % seq for seq in range(3)), *settled, b""]
    noted = b'{"k":"noted","segment":1790000000500000,"waiting":%d}' % (0 if written.endswith("noted") else 1)
    marks = (OLD_HEADER % 2).replace(b"{}", b'{"default":[["s",0,3,-1,[]]]}')
    second = [marks, settled[1], noted, OLD_MESSAGE % 3, OLD_SETTLED % (3, 3, AT + 2), b""]
    (journal / "delivery-w00-00000001.jsonl").write_bytes(b"\n".join(first))
    (journal / "delivery-w00-00000002.jsonl").write_bytes(b"\n".join(second))
    if written != "nothing":
        before = Deliveries(tmp_path, "w00", journal)
        before._again = False  # as the versions before wrote them
        before.flush()
        Spool(tmp_path).path.joinpath("w00_deliveries.cursor").unlink()
    if written.startswith("landed"):
        land(tmp_path, final=True)
    process = Process(tmp_path)
    process.landing.flush()
    land(tmp_path)
    assert seen(tmp_path, "seq, epoch_us(confirmed_at)") == [(0, AT), (1, AT), (2, AT + 1), (3, AT + 2)]
    process.deliver(4)
    process.die()
    assert rows(tmp_path) == [(seq,) for seq in range(5)]
    assert rows(tmp_path) == [(seq,) for seq in range(5)]
