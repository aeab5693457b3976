from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connectors.delivery.entry import Entry
from connectors.delivery.outbox import Confirm, Outbox
from connectors.delivery.progress import Cursor, Run


class Desk:
    """An outbox with the disk under it, and a desktop that ignores what it has."""

    def __init__(self, confirm: Confirm = "ack", **limits: int) -> None:
        self.outbox = Outbox(confirm, **limits)
        self.disk: dict[int, Entry] = {}
        self.wire: list[Entry] = []
        self.shown: dict[tuple[str, int], list[int]] = defaultdict(list)

    def offer(self, session: str, seq: int, *, final: bool = False, turn: int = 0, now: float = 0.0) -> bool:
        entry = Entry(session, turn, seq, final, len(self.disk), f"{session}/{turn}/{seq}".encode())
        self.disk[entry.place] = entry
        return self.outbox.offer(entry, now)

    def take(self) -> Entry | None:
        entry = self.outbox.take(1, self.read)
        if entry is not None:
            assert entry.body == f"{entry.session_id}/{entry.turn}/{entry.seq}".encode()
            self.wire.append(entry)
        return entry

    def read(self, places: list[int]) -> list[Entry]:
        return [self.disk[place] for place in places]

    def receive(self) -> Entry:
        entry = self.wire.pop(0)
        seen = self.shown[entry.session_id, entry.turn]
        if entry.seq not in seen:
            seen.append(entry.seq)
        return entry


def drained(desk: Desk) -> list[str]:
    """Everything sent when all is acknowledged at once."""
    sent = []
    while (entry := desk.take()) is not None:
        sent.append(f"{entry.session_id}:{entry.seq}")
        desk.outbox.acknowledge(entry.session_id, entry.turn, entry.seq, 0.0)
    return sent


def test_messages_leave_in_the_order_they_came():
    desk = Desk()
    for name in ("a", 0), ("b", 0), ("a", 1):
        assert desk.offer(*name)
    assert drained(desk) == ["a:0", "b:0", "a:1"]


def test_a_message_offered_again_is_ignored_before_and_after_its_confirmation():
    desk = Desk()
    assert desk.offer("a", 0)
    assert not desk.offer("a", 0)
    assert drained(desk) == ["a:0"]
    assert not desk.offer("a", 0)
    assert drained(desk) == []
    assert desk.outbox.counts.repeated == 2


def test_a_message_of_an_ended_turn_offered_again_is_ignored():
    desk = Desk()
    desk.offer("a", 0, final=True)
    assert drained(desk) == ["a:0"]
    assert not desk.offer("a", 0, final=True)


def test_an_acknowledgement_confirms_everything_up_to_it_in_its_turn_alone():
    desk = Desk()
    for seq in range(3):
        desk.offer("a", seq)
        desk.offer("a", seq, turn=1)
    while desk.take():
        pass
    assert [c.seq for c in desk.outbox.acknowledge("a", 0, 1, 0.0)] == [0, 1]
    assert desk.outbox.pending == 4
    assert desk.outbox.acknowledge("a", 0, 1, 0.0) == []


def test_an_acknowledgement_of_what_was_never_sent_is_not_believed():
    desk = Desk(in_flight=2)
    for seq in range(5):
        desk.offer("a", seq)
    desk.take()
    assert [c.seq for c in desk.outbox.acknowledge("a", 0, 10**18, 0.0)] == [0]
    assert desk.outbox.counts.acks_beyond == 1
    assert drained(desk) == ["a:1", "a:2", "a:3", "a:4"]


def test_an_acknowledgement_of_an_unknown_turn_is_counted():
    desk = Desk()
    assert desk.outbox.acknowledge("nobody", 7, 3, 0.0) == []
    assert desk.outbox.counts.acks_unknown == 1


@pytest.mark.parametrize("seq", [-1, -(10**18)])
def test_a_negative_acknowledgement_confirms_nothing(seq: int):
    desk = Desk()
    desk.offer("a", 0)
    desk.take()
    assert desk.outbox.acknowledge("a", 0, seq, 0.0) == []
    assert desk.outbox.pending == 1


def test_a_rebuilt_message_may_have_been_sent_so_its_acknowledgement_is_believed():
    desk = Desk()
    desk.disk[0] = Entry("a", 0, 0, False, 0, b"a/0/0")
    desk.outbox.stored(desk.disk[0], 0.0)
    assert desk.outbox.doubts(10) == [("a", 0)]
    assert [c.seq for c in desk.outbox.acknowledge("a", 0, 0, 0.0)] == [0]
    assert desk.take() is None


def test_no_more_than_the_window_is_under_way():
    desk = Desk(in_flight=3)
    for seq in range(5):
        desk.offer("a", seq)
    assert [entry.seq for entry in iter(desk.take, None)] == [0, 1, 2]
    desk.outbox.acknowledge("a", 0, 0, 0.0)
    assert [entry.seq for entry in iter(desk.take, None)] == [3]


def test_with_pongs_one_message_of_a_session_is_under_way_and_other_sessions_pass_it():
    desk = Desk("pong")
    for session, seq in (("a", 0), ("a", 1), ("b", 0), ("a", 2), ("b", 1)):
        desk.offer(session, seq)
    first, second = desk.take(), desk.take()
    assert first is not None
    assert second is not None
    assert [(e.session_id, e.seq) for e in (first, second)] == [("a", 0), ("b", 0)]
    assert desk.take() is None
    desk.outbox.settle(second, "confirmed", 0.0)
    following = desk.take()
    assert following is not None
    assert (following.session_id, following.seq) == ("b", 1)
    assert desk.outbox.disconnect() == 2
    again = [(e.session_id, e.seq) for e in iter(desk.take, None)]
    assert again == [("a", 0), ("b", 1)]


def test_with_pongs_a_session_has_one_message_under_way_at_a_time():
    desk = Desk("pong")
    desk.offer("a", 0)
    desk.offer("a", 1)
    first = desk.take()
    assert first is not None
    assert desk.take() is None
    assert desk.outbox.settle(first, "confirmed", 0.0) is not None
    assert desk.outbox.settle(first, "confirmed", 0.0) is None
    second = desk.take()
    assert second is not None
    assert second.seq == 1


def test_what_was_under_way_at_a_disconnect_is_sent_again_first_and_in_order():
    desk = Desk()
    for seq in range(3):
        desk.offer("a", seq)
    desk.take()
    desk.take()
    assert desk.outbox.disconnect() == 2
    assert drained(desk) == ["a:0", "a:1", "a:2"]
    assert desk.outbox.counts.resent == 2
    assert desk.outbox.counts.sent == 3


def test_without_confirmation_a_sent_message_is_counted_as_unconfirmed_and_not_repeated():
    desk = Desk("none")
    desk.offer("a", 0)
    entry = desk.take()
    assert entry is not None
    desk.outbox.settle(entry, "unconfirmed", 0.0)
    desk.outbox.disconnect()
    assert desk.take() is None
    assert desk.outbox.counts.unconfirmed == 1


def test_a_gap_stops_the_mark_but_not_the_messages():
    desk = Desk()
    for seq in (0, 2, 3):
        desk.offer("a", seq)
    assert drained(desk) == ["a:0", "a:2", "a:3"]
    assert list(desk.outbox.cursors()) == [Cursor("a", 0, 1, -1, (2, 3))]
    assert desk.offer("a", 1)
    assert not desk.offer("a", 2)
    assert drained(desk) == ["a:1"]
    assert list(desk.outbox.cursors()) == [Cursor("a", 0, 4)]
    assert desk.outbox.counts.gaps == 2


def test_an_acknowledgement_over_a_gap_does_not_confirm_what_fills_it_later():
    desk = Desk()
    desk.offer("a", 0)
    desk.offer("a", 2)
    while desk.take():
        pass
    assert [c.seq for c in desk.outbox.acknowledge("a", 0, 2, 0.0)] == [0, 2]
    desk.offer("a", 1)
    assert desk.outbox.acknowledge("a", 0, 2, 0.0) == []
    assert drained(desk) == ["a:1"]


def test_beyond_the_queue_messages_are_read_back_by_place_in_order():
    desk = Desk(queue=4, in_flight=100)
    for seq in range(50):
        desk.offer("a", seq)
    assert desk.outbox.counts.spilled == 46
    assert drained(desk) == [f"a:{seq}" for seq in range(50)]
    assert desk.outbox.pending == 0


def test_a_full_outbox_drops_and_says_so_once_for_each():
    desk = Desk(keep=1)
    desk.offer("a", 0)
    assert desk.outbox.full
    refused = Entry("a", 0, 1, False, 0, b"")
    assert desk.outbox.drop(refused, 0.0) is not None
    assert desk.outbox.drop(refused, 0.0) is None
    assert desk.outbox.counts.dropped == 1
    assert drained(desk) == ["a:0"]


def test_pressure_comes_at_the_bound_and_goes_at_half_of_it():
    desk = Desk(backlog=4)
    pressed = []
    for seq in range(5):
        desk.offer("a", seq)
        pressed.append(desk.outbox.pressed)
    for seq in range(5):
        desk.take()
        desk.outbox.acknowledge("a", 0, seq, 0.0)
        pressed.append(desk.outbox.pressed)
    assert pressed == [False, False, False, True, True, True, True, False, False, False]


def test_an_ended_turn_is_forgotten_after_a_while_and_not_before():
    desk = Desk()
    desk.offer("a", 0, final=True)
    drained(desk)
    assert desk.outbox.forget(59.0, ended_for=60.0, idle_for=1e9) == 0
    assert desk.outbox.forget(60.0, ended_for=60.0, idle_for=1e9) == 1
    assert list(desk.outbox.cursors()) == []


def test_a_turn_with_something_pending_is_never_forgotten():
    desk = Desk()
    desk.offer("a", 0)
    desk.offer("a", 1, final=True)
    desk.take()
    desk.outbox.acknowledge("a", 0, 0, 0.0)
    assert desk.outbox.forget(1e12, ended_for=0.0, idle_for=0.0) == 0


def test_a_turn_that_never_ends_is_forgotten_once_idle():
    desk = Desk()
    desk.offer("a", 0, now=5.0)
    drained(desk)
    assert desk.outbox.forget(100.0, ended_for=0.0, idle_for=101.0) == 0
    assert desk.outbox.forget(200.0, ended_for=0.0, idle_for=101.0) == 1


@given(st.permutations(range(8)), st.integers(0, 8))
def test_a_run_knows_exactly_what_was_added_in_any_order(order: list[int], count: int):
    run = Run()
    for number in order[:count]:
        run.add(number)
    assert [n for n in range(9) if n in run] == sorted(order[:count])
    assert all(n in order[:count] for n in range(run.next))
    assert run.next not in order[:count]


def test_what_an_earlier_process_left_comes_at_once_however_much_of_it_is_settled_meanwhile():
    desk = Desk(queue=4)
    for seq in range(100):
        desk.disk[seq] = Entry("a", 0, seq, False, seq, f"a/0/{seq}".encode())
        desk.outbox.stored(desk.disk[seq], 0.0)
    desk.outbox.acknowledge("a", 0, 98, 0.0)  # the answer to `hello`
    assert drained(desk) == ["a:99"]


def test_a_window_wider_than_the_memory_is_as_wide_as_that_and_no_message_waits_for_room():
    desk = Desk(queue=4, in_flight=100)
    for seq in range(10):
        desk.offer("a", seq)
    assert [entry.seq for entry in iter(desk.take, None)] == [0, 1, 2, 3]
    desk.outbox.acknowledge("a", 0, 0, 0.0)
    assert [entry.seq for entry in iter(desk.take, None)] == [4]


TURNS = [("a", 0), ("a", 1), ("b", 0)]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["offer", "replay", "take", "take", "receive", "receive", "confirm", "drop", "lie"]),
        st.integers(0, 2),
        st.integers(0, 3),
    ),
    max_size=80,
)


@given(st.sampled_from(["ack", "pong"]), STEPS, st.integers(1, 3), st.integers(1, 4), st.sampled_from(TURNS))
def test_any_interleaving_is_shown_once_and_in_order(
    confirm: Confirm, steps: list[tuple[str, int, int]], in_flight: int, queue: int, last: tuple[str, int]
):
    desk = Desk(confirm, in_flight=in_flight, queue=queue)
    offered = dict.fromkeys(TURNS, 0)
    held: list[Entry] = []

    def confirm_one(entry: Entry) -> None:
        if confirm == "pong":
            desk.outbox.settle(entry, "confirmed", 0.0)
        else:
            desk.outbox.acknowledge(entry.session_id, entry.turn, entry.seq, 0.0)

    for step, which, number in steps:
        session, turn = TURNS[which]
        if step == "offer":
            assert desk.offer(session, offered[session, turn], turn=turn)
            offered[session, turn] += 1
        elif step == "replay":  # the flow was restarted from an earlier snapshot
            for seq in range(max(0, offered[session, turn] - number), offered[session, turn]):
                assert not desk.offer(session, seq, turn=turn)
        elif step == "take":
            desk.take()
        elif step == "receive" and desk.wire:
            held.append(desk.receive())
        elif step == "confirm" and held:
            confirm_one(held.pop(0))
        elif step == "drop":  # what is on the wire is lost, and so are confirmations on their way
            desk.outbox.disconnect()
            desk.wire.clear()
            held.clear()
        elif step == "lie" and confirm == "ack":
            # Only what may have been sent is believed; model the desktop as having what it claims of that.
            entry = desk.wire[-1] if desk.wire else None
            if entry is not None:
                while desk.wire:
                    held.append(desk.receive())
                desk.outbox.acknowledge(entry.session_id, entry.turn, entry.seq + number, 0.0)
        for key, seqs in desk.shown.items():
            assert seqs == list(range(len(seqs))), key
        assert desk.outbox.under_way <= in_flight
        if confirm == "pong":
            assert desk.outbox.under_way <= len({session for session, _ in TURNS})

    desk.outbox.disconnect()
    desk.wire.clear()
    while desk.take():
        confirm_one(desk.receive())
    assert desk.outbox.pending == 0
    assert {key: len(desk.shown[key]) for key in TURNS} == offered
    assert sum(offered.values()) == desk.outbox.counts.confirmed
    assert last in TURNS


@given(
    st.sampled_from(["ack", "pong"]),
    st.lists(
        st.tuples(st.sampled_from(["offer", "take", "ack", "drop", "restart"]), st.integers(0, 2), st.integers(0, 9)),
        max_size=60,
    ),
    st.integers(1, 12),
    st.integers(1, 6),
)
@example("ack", [("offer", 0, 1), ("offer", 2, 1), ("restart", 0, 0), ("ack", 2, 0), ("restart", 0, 0)], 1, 1)
def test_a_message_comes_whenever_one_waits_and_the_window_has_room(
    confirm: Confirm, steps: list[tuple[str, int, int]], in_flight: int, queue: int
):
    desk = Desk(confirm, in_flight=in_flight, queue=queue)
    offered = dict.fromkeys(TURNS, 0)

    def take() -> bool:
        outbox = desk.outbox
        is_due = outbox.pending > outbox.under_way and not outbox.has_no_room
        busy = confirm == "pong" and outbox.under_way > 0
        came = desk.take() is not None
        assert came <= is_due if busy else came == is_due
        return came

    for step, which, number in steps:
        session, turn = TURNS[which]
        if step == "offer":
            for _ in range(number):
                desk.offer(session, offered[session, turn], turn=turn)
                offered[session, turn] += 1
        elif step == "ack":  # also of what an earlier process may have sent, as the answer to `hello` is
            desk.outbox.acknowledge(session, turn, number, 0.0)
        elif step == "drop":
            desk.outbox.disconnect()
        elif step == "restart":
            cursors, places = list(desk.outbox.cursors()), sorted(desk.outbox.places())
            desk.outbox = Outbox(confirm, in_flight=in_flight, queue=queue)
            for cursor in cursors:
                desk.outbox.restore(cursor, 0.0)
            # One that was acknowledged while only the disk held it is among the places, and passed over.
            assert sum(desk.outbox.stored(desk.disk[place], 0.0) for place in places) == desk.outbox.pending
        take()
    while take():
        assert desk.outbox.under_way <= min(in_flight, queue)


@given(STEPS)
def test_marks_and_pending_messages_are_all_of_the_state(steps: list[tuple[str, int, int]]):
    desk = Desk()
    offered = dict.fromkeys(TURNS, 0)
    for step, which, number in steps:
        session, turn = TURNS[which]
        if step in ("offer", "replay"):
            desk.offer(session, offered[session, turn], turn=turn, final=number == 3)
            offered[session, turn] += 1
        elif step == "take":
            desk.take()
        elif step in ("confirm", "receive"):
            desk.outbox.acknowledge(session, turn, offered[session, turn] - number, 0.0)
    again = Desk()
    for cursor in desk.outbox.cursors():
        again.outbox.restore(cursor, 0.0)
    for place in sorted(desk.outbox.places()):
        assert again.outbox.stored(desk.disk[place], 0.0)
    again.disk = desk.disk
    desk.outbox.disconnect()
    assert again.outbox.pending == desk.outbox.pending
    assert sorted(again.outbox.cursors(), key=str) == sorted(desk.outbox.cursors(), key=str)
    assert drained(again) == drained(desk)
    for (session, turn), count in offered.items():
        assert not any(again.offer(session, seq, turn=turn) for seq in range(count))
