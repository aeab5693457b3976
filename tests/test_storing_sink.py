"""connectors.delivery.base: a sink of one's own over the journal, with no more than it must say of itself."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

import bytewax.operators as op
import msgspec
import pytest
from bytewax.dataflow import Dataflow
from bytewax.testing import TestingSource, run_main

from connectors.delivery.base import StoringSink
from connectors.delivery.journal import Journal
from connectors.delivery.ledger import Ledger
from connectors.delivery.outbox import Outbox
from connectors.errors import DataDirError, DeliveryError
from connectors.reactor import Reactor

TO = "archive"


class Note(msgspec.Struct, frozen=True):
    session_id: str
    seq: int
    turn: int = 0
    final: bool = False


class Filing:
    """Files what is stored, as long as the archive is open."""

    def __init__(self, filed: list[Note], calls: list[str], is_open: bool) -> None:
        self._filed, self._calls, self._is_open = filed, calls, is_open

    async def start(self, memory: Ledger) -> None:
        self._calls.append("start")
        self._memory = memory
        self._news, self._done = asyncio.Event(), asyncio.Event()
        self._task = asyncio.create_task(self._file()) if self._is_open else None

    def wake(self, receivers: set[str]) -> None:
        self._calls.append(f"wake {', '.join(receivers)}")
        self._news.set()

    async def stop(self) -> None:
        self._calls.append("stop")
        while self._task and self._memory.waiting(TO):
            self._done.clear()
            await self._done.wait()
        if self._task:
            self._task.cancel()

    async def _file(self) -> None:
        while True:
            self._news.clear()
            if (entry := self._memory.take(TO)) is None:
                await self._news.wait()
            else:
                self._filed.append(msgspec.json.decode(entry.body, type=Note))
                self._memory.acknowledge(TO, *entry.name)
                self._done.set()


class ArchiveSink(StoringSink[Note, Filing]):
    def __init__(
        self,
        directory: Path,
        reactor: Reactor,
        *,
        is_open: bool = True,
        lanes: Sequence[str] = (),
        sender: type[Filing] = Filing,
    ) -> None:
        super().__init__(directory, "w00", reactor, lanes=lanes)
        self.filed: list[Note] = []
        self.calls: list[str] = []
        self._is_open = is_open
        self._sending = sender

    def open(self, journal: Journal) -> tuple[Ledger, Filing]:
        self.calls.append("open")
        return Ledger(journal, {TO: Outbox("ack")}), self._sending(self.filed, self.calls, self._is_open)

    def named(self, item: Note) -> tuple[str, Note]:
        if item.seq < 0:
            raise ValueError(item.session_id)
        return TO, item

    def closing(self) -> None:
        self.calls.append("closing")

    def failure(self) -> DeliveryError | None:
        return DeliveryError(f"{self.undelivered} notes were not filed") if self.undelivered else None


@pytest.fixture
def reactor() -> Iterator[Reactor]:
    reactor = Reactor()
    yield reactor
    reactor.close()


NOTES = [Note("s-1", seq) for seq in range(20)]


def run(sink: ArchiveSink, notes: list[Note]) -> None:
    flow = Dataflow("archive")
    op.output("file", op.input("in", flow, TestingSource([("w00-03", notes[:7]), ("w00-03", notes[7:])])), sink)
    run_main(flow)


def test_a_sink_of_ones_own_delivers_in_a_dataflow(tmp_path: Path, reactor: Reactor) -> None:
    sink = ArchiveSink(tmp_path, reactor)
    run(sink, NOTES)
    assert sink.filed == NOTES
    assert sink.undelivered == 0
    assert sink.failure() is None


def test_it_is_called_in_the_order_that_the_base_tells(tmp_path: Path, reactor: Reactor) -> None:
    sink = ArchiveSink(tmp_path, reactor)
    assert sink.calls == []
    run(sink, NOTES)
    wakes = [call for call in sink.calls if call == "wake archive"]
    assert sink.calls == ["open", "start", *wakes, "stop"]
    assert wakes


def test_what_was_not_delivered_is_told_and_delivered_by_the_next_run(tmp_path: Path, reactor: Reactor) -> None:
    closed = ArchiveSink(tmp_path, reactor, is_open=False)
    run(closed, NOTES[:9])
    assert closed.undelivered == 9
    assert str(closed.failure()) == "9 notes were not filed"
    sink = ArchiveSink(tmp_path, reactor)
    run(sink, NOTES[5:])
    assert sink.filed == NOTES


def test_what_comes_again_after_a_resume_is_passed_over(tmp_path: Path, reactor: Reactor) -> None:
    part = ArchiveSink(tmp_path, reactor).build_part("file", "w00", None)
    part.write_batch([NOTES[:5]])
    state = part.snapshot()
    part.write_batch([NOTES[5:10]])  # of an epoch that was never committed
    part.close()
    assert state.keys() == {"version", "segment", "offset"}
    sink = ArchiveSink(tmp_path, reactor)
    part = sink.build_part("file", "w00", state)
    part.write_batch([NOTES[5:]])
    part.close()
    assert sink.filed == NOTES[10:]


def test_a_journal_that_lacks_what_the_snapshot_knows_is_refused_with_the_steps_name(
    tmp_path: Path, reactor: Reactor
) -> None:
    part = ArchiveSink(tmp_path / "one", reactor).build_part("file", "w00", None)
    part.write_batch([NOTES])
    state = part.snapshot()
    part.close()
    other = ArchiveSink(tmp_path / "other", reactor)
    with pytest.raises(DataDirError, match=r"^step file: .*shorter than the recovery store"):
        other.build_part("file", "w00", state)
    other.build_part("file", "w00", None).close()  # the refusal let the journal go


def test_an_error_of_the_sinks_own_names_the_step_and_quotes_nothing(tmp_path: Path, reactor: Reactor) -> None:
    part = ArchiveSink(tmp_path, reactor).build_part("file", "w00", None)
    with pytest.raises(DeliveryError, match=r"^step file: unexpected ValueError; please report it$"):
        part.write_batch([[Note("secret", -1)]])
    part.close()


class NeverStarts(Filing):
    async def start(self, memory: Ledger) -> None:
        raise RuntimeError("in the sender")


class NeverStops(Filing):
    async def stop(self) -> None:
        raise RuntimeError("in the sender")


@pytest.mark.parametrize("sender", [NeverStarts, NeverStops])
def test_the_journal_is_let_go_where_the_sender_fails(tmp_path: Path, reactor: Reactor, sender: type[Filing]) -> None:
    with pytest.raises(DeliveryError, match=r"^step file: unexpected RuntimeError; please report it$"):
        ArchiveSink(tmp_path, reactor, sender=sender).build_part("file", "w00", None).close()
    sink = ArchiveSink(tmp_path, reactor)
    run(sink, NOTES)
    assert sink.filed == NOTES


@pytest.mark.parametrize(("key", "part"), [("a-05", 0), ("eu_1-w2-07", 1), ("w00-15", 2)])
def test_keys_come_home_to_the_lane_that_they_begin_with(tmp_path: Path, reactor: Reactor, key: str, part: int) -> None:
    assert ArchiveSink(tmp_path, reactor, lanes=["eu_1-w2", "w00", "a"]).part_fn(key) == part
