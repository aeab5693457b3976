from __future__ import annotations

import logging
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.delivery.entry import Entry
from connectors.delivery.journal import Journal
from connectors.delivery.ledger import Ledger
from connectors.delivery.outbox import Confirm, Outbox
from connectors.delivery.reader import JournalReader
from connectors.delivery.segment import Delivered
from connectors.errors import DataDirError
from connectors.log.records import Message, encode_message
from tests import disk


def message(session: str, seq: int, *, final: bool = False, text: str = "Good morning. ") -> Message:
    return Message(session, 0, seq, text, "sentence", final, False, seq)


def take(memory: Ledger, desktop: str = "default") -> Entry:
    entry = memory.take(desktop)
    assert entry is not None
    return entry


def memory_of(directory: Path, *desktops: str, confirm: Confirm = "ack", **options: Any) -> Ledger:
    outboxes = {name: Outbox(confirm) for name in desktops or ("default",)}
    return Ledger(Journal(directory, "w00"), outboxes, **options)


def test_what_was_not_confirmed_is_sent_after_a_restart_and_what_was_is_not(tmp_path: Path):
    with closing(memory_of(tmp_path)) as memory:
        memory.offer([("default", message("s-1", seq)) for seq in range(4)])
        for _ in range(3):
            take(memory)
        memory.acknowledge("default", "s-1", 0, 1)
    with closing(memory_of(tmp_path)) as memory:
        assert memory.offer([("default", message("s-1", seq)) for seq in range(4)]) == set()
        assert [take(memory).seq for _ in range(2)] == [2, 3]
        assert memory.take("default") is None
        assert memory.pending == {"default": 2}


@settings(deadline=None, max_examples=25)
@given(
    waiting=st.sets(st.integers(0, 39), max_size=8),
    queue=st.integers(1, 8),
    segment_bytes=st.sampled_from([400, 2_000, 100_000]),
    final=st.booleans(),
)
def test_a_start_keeps_and_reads_back_what_waits_alone_and_it_comes_at_once(
    tmp_path_factory: pytest.TempPathFactory, waiting: set[int], queue: int, segment_bytes: int, final: bool
):
    class Watched(Journal):
        def fetch(self, places: Iterable[int]) -> list[bytes]:
            read.extend(places)
            return super().fetch(read[-len(list(places)) :])

    def start() -> Ledger:
        return Ledger(Watched(directory, "w00", segment_bytes=segment_bytes), {"default": outbox})

    directory = tmp_path_factory.mktemp("delivery")
    read: list[int] = []
    outbox = Outbox(queue=1_000, in_flight=1_000)
    with closing(start()) as memory:
        for seq in range(40):
            memory.offer([("default", message(f"s-{seq % 3}", seq // 3, final=final and seq >= 37))])
            entry = take(memory)
            if seq not in waiting:
                memory.settle("default", entry, "pong")
    read.clear()
    before, outbox = outbox, Outbox(queue=queue)
    with closing(start()) as memory:
        assert sorted(outbox.cursors(), key=str) == sorted(before.cursors(), key=str)
        assert len(list(outbox.places())) == memory.waiting("default") == len(waiting)
        came = []
        while (entry := memory.take("default")) is not None:
            came.append((entry.session_id, entry.seq))
            memory.settle("default", entry, "pong")
        assert came == [(f"s-{seq % 3}", seq // 3) for seq in sorted(waiting)]
        assert len(read) == len(waiting)
        assert memory.offer([("default", message(f"s-{seq % 3}", seq // 3)) for seq in range(40)]) == set()


HEADER = b'{"format":"tokenweir-delivery","version":1,"lane":"w00","segment":1,"marks":{"default":[["s-0",0,1,0,[]]]}}'
LINES = [
    b'{"k":"message","to":"default","d":{"session_id":"s-1","turn":0,"seq":0,"text":"One. ","final":false}}',
    b'{"k":"settled","to":"default","s":"s-1","n":0,"first":0,"last":0,"at":1790000000000000,"how":"ack"}',
    b'{"k":"noted","segment":1790000000500000,"waiting":0}',
    b'{"k":"message","to":"default","d":{"session_id":"s-1","turn":0,"seq":1,"text":"Two. ","final":true}}',
]


def test_a_journal_of_before_goes_on_and_tells_that_its_desktop_acknowledged(tmp_path: Path):
    (tmp_path / "delivery-w00-00000001.jsonl").write_bytes(b"\n".join([HEADER, *LINES, b""]))
    with closing(memory_of(tmp_path, confirm="pong")) as memory:
        assert memory.acknowledges("default")
        assert take(memory).body == LINES[3][LINES[3].index(b"{", 1) : -1]
        assert memory.waiting("default") == 1
        assert not memory.offer([("default", message("s-0", 0)), ("default", message("s-1", 0))])


def test_how_was_not_kept_in_the_oldest_journals_so_they_tell_nothing_of_acknowledgements(tmp_path: Path):
    lines = [HEADER, LINES[0], LINES[1].replace(b',"at":1790000000000000,"how":"ack"', b""), *LINES[3:], b""]
    (tmp_path / "delivery-w00-00000001.jsonl").write_bytes(b"\n".join(lines))
    with closing(memory_of(tmp_path, confirm="pong")) as memory:
        assert not memory.acknowledges("default")
        assert take(memory).seq == 1


@pytest.mark.parametrize("acknowledged", [True, False])
def test_that_a_desktop_acknowledges_outlives_restarts_and_rotations(tmp_path: Path, acknowledged: bool):
    """Also where it is known from an acknowledgement of what a pong had settled before."""

    def start() -> Ledger:
        return Ledger(Journal(tmp_path, "w00", segment_bytes=1_000), {"default": Outbox("pong")})

    with closing(start()) as memory:
        memory.offer([("default", message("s-1", 0))])
        memory.settle("default", take(memory), "pong")
        if acknowledged:
            memory.let_acknowledge("default")
    for seq in range(1, 40):
        with closing(start()) as memory:
            assert memory.acknowledges("default") == acknowledged
            memory.offer([("default", message("s-1", seq))])
            memory.settle("default", take(memory), "pong")
    assert not (tmp_path / "delivery-w00-00000001.jsonl").exists()


def test_what_is_sent_is_the_messages_own_bytes(tmp_path: Path):
    strange = message("s-1", 0, text='"\\\u2028 🙂\x00\n</script>')
    with closing(memory_of(tmp_path)) as memory:
        memory.offer([("default", strange)])
        assert take(memory).body == encode_message(strange)
    with closing(memory_of(tmp_path)) as memory:
        assert take(memory).body == encode_message(strange)
        assert msgspec.json.decode(take_again(memory).body, type=Message) == strange


def take_again(memory: Ledger) -> Entry:
    memory.disconnect("default")
    return take(memory)


def test_the_same_message_goes_to_each_of_its_desktops(tmp_path: Path):
    with closing(memory_of(tmp_path, "a", "b")) as memory:
        assert memory.offer([("a", message("s-1", 0)), ("b", message("s-1", 0))]) == {"a", "b"}
        take(memory, "a")
        memory.acknowledge("a", "s-1", 0, 0)
        assert memory.pending == {"a": 0, "b": 1}


def test_a_message_twice_in_one_batch_is_sent_once(tmp_path: Path):
    with closing(memory_of(tmp_path)) as memory:
        memory.offer([("default", message("s-1", 0))] * 2)
        take(memory)
        assert memory.take("default") is None


def test_a_desktop_that_nobody_knows_is_counted(tmp_path: Path):
    with closing(memory_of(tmp_path)) as memory:
        assert memory.offer([("nobody", message("s-1", 0)), ("default", message("s-1", 0))]) == {"default"}
        assert memory.unknown_desktop == 1


def test_a_message_for_a_desktop_that_nobody_knows_is_told_once_and_not_again_after_a_restart(tmp_path: Path):
    facts: list[Delivered] = []
    for _ in range(3):
        with closing(memory_of(tmp_path, on_delivered=facts.extend)) as memory:
            memory.offer([("nobody", message("s-1", seq, final=seq == 2)) for seq in range(3)])
    assert [(fact.desktop, fact.seq, fact.sent_at, fact.how) for fact in facts] == [
        ("nobody", seq, None, "unknown") for seq in range(3)
    ]
    with closing(memory_of(tmp_path, "nobody")) as memory:
        assert memory.offer([("nobody", message("s-1", seq)) for seq in range(4)]) == {"nobody"}
        assert take(memory, "nobody").seq == 3


def test_a_message_with_half_a_character_is_left_out_and_the_others_go_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    with closing(memory_of(tmp_path)) as memory:
        broken = message("s-1", 0, text="card \ud83d 4111")
        assert memory.offer([("default", broken), ("default", message("s-2", 0))]) == {"default"}
        assert memory.unencodable == 1
        assert take(memory).session_id == "s-2"
    assert "s-1" in caplog.text
    assert "4111" not in caplog.text


def test_messages_for_a_desktop_that_left_the_settings_wait_until_it_is_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    with closing(memory_of(tmp_path, "old", "default")) as memory:
        memory.offer([("old", message("s-1", 0))])
    with caplog.at_level(logging.WARNING), closing(memory_of(tmp_path)) as memory:
        assert memory.pending == {"default": 0, "old": 1}
        assert memory.offer([("old", message("s-1", 1))]) == set()
        assert "1 messages are stored for the desktop 'old'" in caplog.text
    with closing(memory_of(tmp_path, "old", "default")) as memory:
        assert take(memory, "old").seq == 0


def test_facts_say_when_and_how_each_message_was_delivered(tmp_path: Path):
    facts: list[Delivered] = []
    ticks = iter(range(90, 1000, 10))  # the first is when they were stored
    with closing(memory_of(tmp_path, on_delivered=facts.extend, clock=lambda: next(ticks))) as memory:
        memory.offer([("default", message("s-1", seq)) for seq in range(4)])
        take(memory)
        take(memory)
        memory.acknowledge("default", "s-1", 0, 1)
        memory.settle("default", take(memory), "pong")
    assert facts == [
        Delivered("default", "s-1", 0, 0, 100, 120, "ack"),
        Delivered("default", "s-1", 0, 1, 110, 120, "ack"),
        Delivered("default", "s-1", 0, 2, 130, 140, "pong"),
    ]


def test_of_a_message_that_an_earlier_process_sent_the_time_is_not_known(tmp_path: Path):
    facts: list[Delivered] = []
    with closing(memory_of(tmp_path)) as memory:
        memory.offer([("default", message("s-1", 0))])
    with closing(memory_of(tmp_path, on_delivered=facts.extend)) as memory:
        memory.acknowledge("default", "s-1", 0, 0)
    assert [(fact.sent_at, fact.how) for fact in facts] == [(None, "ack")]


def test_a_callback_that_fails_does_not_stop_delivery(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    def broken(facts: list[Delivered]) -> None:
        raise RuntimeError

    with closing(memory_of(tmp_path, on_delivered=broken)) as memory:
        memory.offer([("default", message("s-1", 0))])
        take(memory)
        assert memory.acknowledge("default", "s-1", 0, 0) == 1
    assert "a callback of delivery failed" in caplog.text


def test_pressure_is_told_when_it_comes_and_when_it_goes(tmp_path: Path):
    told: list[frozenset[str]] = []
    outboxes = {"default": Outbox(backlog=4), "other": Outbox()}
    journal = Journal(tmp_path, "w00")
    with closing(Ledger(journal, outboxes, on_pressure=told.append)) as memory:
        memory.offer([("default", message("s-1", seq)) for seq in range(5)])
        assert memory.pressed == {"default"}
        for seq in range(5):
            take(memory)
            memory.acknowledge("default", "s-1", 0, seq)
        assert memory.pressed == set()
        memory.offer([("default", message("s-2", seq)) for seq in range(5)])
    assert told == [{"default"}, set(), {"default"}]
    with closing(Ledger(Journal(tmp_path, "w00"), {"default": Outbox(backlog=4)}, on_pressure=told.append)):
        assert told == [{"default"}, set(), {"default"}, {"default"}], "what an earlier process left presses at once"


def test_a_dropped_message_is_counted_told_and_not_taken_up_after_a_restart(tmp_path: Path):
    facts: list[Delivered] = []
    journal = Journal(tmp_path, "w00")
    with closing(Ledger(journal, {"default": Outbox(keep=1)}, on_delivered=facts.extend)) as memory:
        memory.offer([("default", message("s-1", 0))])
        memory.offer([("default", message("s-1", 1))])
        assert memory.counts("default").dropped == 1
    assert [(fact.seq, fact.how) for fact in facts] == [(1, "dropped")]
    with closing(memory_of(tmp_path)) as memory:
        memory.offer([("default", message("s-1", seq)) for seq in range(3)])
        assert [take(memory).seq, take(memory).seq] == [0, 2]
        assert memory.take("default") is None


def test_an_ended_turn_leaves_the_disk_after_a_while(tmp_path: Path):
    now = [0.0]
    journal, outbox = Journal(tmp_path, "w00", segment_bytes=2_000), Outbox()
    with closing(Ledger(journal, {"default": outbox}, ended_for=60.0, monotonic=lambda: now[0])) as memory:
        for turn in range(200):
            now[0] = float(turn)
            memory.offer([("default", message(f"s-{turn}", 0, final=True))])
            take(memory)
            memory.acknowledge("default", f"s-{turn}", 0, 0)
        assert 60 <= len(list(outbox.cursors())) <= 80
        assert journal.size < 10_000


def test_a_confirmation_that_cannot_be_stored_is_counted_and_delivery_goes_on(tmp_path: Path):
    with closing(memory_of(tmp_path)) as memory:
        memory.offer([("default", message("s-1", seq)) for seq in range(2)])
        take(memory)
        with disk.full_at(1):
            assert memory.acknowledge("default", "s-1", 0, 0) == 1
            with pytest.raises(DataDirError):
                memory.offer([("default", message("s-1", 2))])
        assert memory.unjournaled == 1
        assert memory.offer([("default", message("s-1", 2))]) == {"default"}
        assert [take(memory).seq, take(memory).seq] == [1, 2]


def test_a_confirmation_that_found_no_room_is_stored_when_there_is_some(tmp_path: Path):
    now = [0.0]
    with closing(memory_of(tmp_path, monotonic=lambda: now[0])) as memory:
        memory.offer([("default", message("s-1", seq)) for seq in range(4)])
        with disk.full_at(1):
            for seq in range(3):
                take(memory)
                memory.acknowledge("default", "s-1", 0, seq)
        assert memory.unjournaled == 3
        assert confirmed(tmp_path) == []
        memory.sync()
        assert confirmed(tmp_path) == [], "it is not tried all the time"
        now[0] += 1.0
        memory.sync()
        assert confirmed(tmp_path) == [0, 1, 2]
    with closing(memory_of(tmp_path)) as memory:
        assert take(memory).seq == 3


def confirmed(directory: Path) -> list[int]:
    return [each.seq for each in JournalReader(directory, "w00").read(None, 1_000).delivered]


SCRIPT = [
    (desktop, message(f"s-{session}", seq, final=seq == 4))
    for seq in range(5)
    for session in range(4)
    for desktop in (["a"], ["b"], ["a", "b"], ["a"])[session]
]
STEPS = st.lists(
    st.tuples(
        st.sampled_from([*["offer", "receive", "ack"] * 2, *["take"] * 3, "sync", "drop", "kill", "power"]),
        st.sampled_from(["a", "b"]),
        st.integers(0, 5),
    ),
    max_size=120,
)


@settings(deadline=None)
@given(steps=STEPS, segment_bytes=st.sampled_from([300, 1_000, 100_000]), queue=st.integers(1, 6))
def test_nothing_is_lost_or_shown_twice_whatever_happens_when(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[tuple[str, str, int]],
    segment_bytes: int,
    queue: int,
):
    """The flow goes back to its last snapshot, the process to its journal, the desktop to what it shows."""
    directory = tmp_path_factory.mktemp("delivery")

    def start() -> tuple[Journal, Ledger]:
        journal = Journal(directory, "w00", segment_bytes=segment_bytes)
        return journal, Ledger(journal, {name: Outbox(in_flight=3, queue=queue) for name in "ab"})

    journal, memory = start()
    said = snapshot = 0  # how far the flow is in SCRIPT, and where it begins again
    synced = journal.sync()
    wire: dict[str, list[Entry]] = {"a": [], "b": []}
    held: dict[str, list[Entry]] = {"a": [], "b": []}
    shown: dict[str, list[tuple[str, int]]] = {"a": [], "b": []}
    confirmed: set[tuple[str, str, int]] = set()

    def send(desktop: str) -> bool:
        entry = memory.take(desktop)
        if entry is not None:
            assert (desktop, entry.session_id, entry.seq) not in confirmed
            wire[desktop].append(entry)
        return entry is not None

    def receive(desktop: str) -> None:
        entry = wire[desktop].pop(0)
        if (entry.session_id, entry.seq) not in shown[desktop]:
            shown[desktop].append((entry.session_id, entry.seq))
        held[desktop].append(entry)

    def acknowledge(desktop: str) -> None:
        entry = held[desktop].pop(0)
        memory.acknowledge(desktop, entry.session_id, 0, entry.seq)
        confirmed.update((desktop, entry.session_id, seq) for seq in range(entry.seq + 1))

    for step, desktop, number in steps:
        if step == "offer":
            memory.offer(SCRIPT[said : said + number])
            said = min(len(SCRIPT), said + number)
        elif step == "take":
            send(desktop)
        elif step == "receive" and wire[desktop]:
            receive(desktop)
        elif step == "ack" and held[desktop]:
            acknowledge(desktop)
        elif step == "sync":
            synced, snapshot = memory.sync(), said
        elif step == "drop":
            memory.disconnect(desktop)
            wire[desktop].clear()
            held[desktop].clear()
        elif step in ("kill", "power"):
            end = journal.sync()
            memory.close()
            if step == "power":
                path = max(directory.glob("*.jsonl"))
                with path.open("rb") as file:
                    safe = synced.offset if synced.segment == end.segment else len(file.readline())
                with path.open("r+b") as file:
                    file.truncate(max(safe, end.offset - 100 * number))
                confirmed.clear()
            said = snapshot
            for name in "ab":
                wire[name].clear()
                held[name].clear()
            journal, memory = start()
            synced = journal.sync()

    memory.offer(SCRIPT[said:])
    for desktop in "ab":
        memory.disconnect(desktop)
        wire[desktop].clear()
        held[desktop].clear()
        while send(desktop):
            receive(desktop)
            acknowledge(desktop)
        for session in range(4):
            seqs = [seq for name, seq in shown[desktop] if name == f"s-{session}"]
            assert seqs == [m.seq for to, m in SCRIPT if to == desktop and m.session_id == f"s-{session}"]
    assert memory.pending == {"a": 0, "b": 0}
    memory.close()
