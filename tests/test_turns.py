"""connectors.log.turns: what the log says about its turns."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.log.records import Record, closed, error, frame, opened
from connectors.log.turns import Turns
from connectors.vendors.decoding import Decoder, Delta
from connectors.vendors.registry import named


def fold(*records: Record, max_ended: int = 1_000) -> Turns:
    turns = Turns(max_ended)
    for record in records:
        turns.feed(record)
    return turns


def test_an_opened_turn_is_open_until_its_close() -> None:
    turns = fold(opened("s", 0, {"prompt": "p"}))
    assert turns.is_open("s")
    assert turns.open["s", 0].request == {"prompt": "p"}
    turns.feed(closed("s", 0, "finished"))
    assert not turns.is_open("s")
    assert not turns.open


def test_a_sessions_turns_are_numbered_from_0_on() -> None:
    assert fold().next_turn("s") == 0
    turns = fold(opened("s", 0, {}), closed("s", 0, "finished"))
    assert turns.next_turn("s") == 1
    assert turns.next_turn("other") == 0


def test_an_open_turn_knows_how_it_could_be_continued() -> None:
    turn = fold(
        opened("s", 0, {"prompt": "p"}),
        frame("s", 0, "{}", id="c-1"),
        frame("s", 0, "{}", id="c-2"),
        frame("s", 0, "{}"),
        error("s", 0, "disconnected", None, 1),
        opened("s", 0, {"continuation_id": "c-2"}),
    ).open["s", 0]
    assert (turn.frames, turn.continuation_id, turn.restarts) == (3, "c-2", 1)
    assert turn.request == {"prompt": "p"}, "the first open's"


def chunk(content: str = "", finish: str | None = None) -> Record:
    choice = {"index": 0, "delta": {"content": content}, "finish_reason": finish}
    return frame("s", 0, json.dumps({"choices": [choice]}))


def test_the_vendors_decoder_tells_which_frames_had_text_and_whether_the_answer_is_whole() -> None:
    turns = Turns(reads=named("openai").decoder)
    told = []
    for record in (opened("s", 0, {}), chunk(), chunk("Hi"), chunk(finish="stop"), opened("s", 0, {})):
        turns.feed(record)
        told.append((turns.open["s", 0].said, turns.open["s", 0].whole))
    assert told == [(False, False), (False, False), (True, False), (True, True), (True, True)]
    again = Turns(reads=named("openai").decoder)
    again.restore(json.loads(json.dumps(turns.snapshot())))
    assert again.open == turns.open
    turns.feed(closed("s", 0, "finished"))
    assert not turns._readers


def test_without_a_decoder_any_frame_may_have_had_text() -> None:
    assert fold(opened("s", 0, {}), chunk()).open["s", 0].said
    kept = fold(opened("s", 0, {}), chunk(), opened("t", 0, {})).snapshot()
    kept["open"] = [each[:7] for each in kept["open"]]  # as version 3 kept it
    turns = Turns(reads=named("openai").decoder)
    turns.restore({**kept, "version": 3})
    assert [turn.said for turn in turns.open.values()] == [True, False]


def test_a_decoder_that_fails_stops_no_start() -> None:
    class Broken(Decoder):
        def feed(self, text: str, frame_id: str | None) -> list[Delta]:
            raise ZeroDivisionError

    turns = Turns(reads=Broken)
    for record in (opened("s", 0, {}), chunk()):
        turns.feed(record)
    assert turns.open["s", 0].said


def test_restarts_of_the_job_are_counted_apart_and_only_since_the_last_frame() -> None:
    turns = fold(
        opened("s", 0, {}),
        frame("s", 0, "{}", id="c-1"),
        error("s", 0, "disconnected", None, 1),
        error("s", 0, "restarted", None, 1),
        error("s", 0, "restarted", None, 1),
    )
    assert (turns.open["s", 0].restarts, turns.open["s", 0].resumed) == (1, 2)
    again = Turns()
    again.restore(turns.snapshot())
    assert again.open == turns.open
    turns.feed(frame("s", 0, "{}", id="c-2"))
    assert (turns.open["s", 0].restarts, turns.open["s", 0].resumed) == (1, 0)


def test_a_fold_of_version_1_is_read() -> None:
    turns = Turns()
    turns.restore({"version": 1, "last": 5, "forgotten": 0, "ended": {}, "open": [("s", 0, {}, 3, "c-1", 2)]})
    assert (turns.open["s", 0].restarts, turns.open["s", 0].resumed) == (2, 0)


def test_frames_of_no_open_turn_are_passed_over() -> None:
    assert not fold(frame("s", 0, "{}"), error("s", 0, "x", None, 1), closed("s", 0, "finished")).open


def test_the_longest_ended_sessions_are_forgotten_first_and_counted() -> None:
    turns = fold(max_ended=2)
    for name in "abc":
        turns.feed(opened(name, 0, {}))
        turns.feed(closed(name, 0, "finished"))
    assert turns.forgotten == 1
    assert [turns.next_turn(name) for name in "abcd"] == [1, 1, 1, 0]
    assert turns.lost == 0


@given(
    st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(1, 3)), max_size=60),
    st.integers(1, 4),
    st.integers(0, 4),
    st.integers(1, 20),
)
def test_no_turn_is_named_twice_however_much_is_forgotten(
    asked: list[tuple[str, int]], max_ended: int, max_traces: int, restart_every: int
) -> None:
    turns, used = Turns(max_ended, max_traces), dict.fromkeys("abcdefgh", 0)
    for step, (name, count) in enumerate(asked):
        for _ in range(count):
            number = turns.next_turn(name)
            assert number >= used[name] if turns.lost else number == used[name]
            used[name] = number + 1
            turns.feed(opened(name, number, {}))
            turns.feed(closed(name, number, "finished"))
        if step % restart_every == 0:
            fold = msgspec.json.decode(msgspec.json.encode(turns.snapshot()))
            turns = Turns(max_ended, max_traces)
            turns.restore(fold)


def test_a_trace_costs_twelve_bytes_and_no_pause() -> None:
    turns, count = Turns(max_ended=100), 20_000
    for number in range(count):
        turns.feed(opened(f"s-{number}", 0, {}))
        turns.feed(closed(f"s-{number}", 0, "finished"))
    traces = turns.snapshot()["traces"]
    assert len(traces["hashes"]) + len(traces["turns"]) == pytest.approx(12 * 4 / 3 * count, rel=0.02)
    assert all(turns.next_turn(f"s-{number}") == 1 for number in range(count))
    assert all(turns.next_turn(f"x-{number}") == 0 for number in range(count))


def test_an_open_session_is_never_forgotten() -> None:
    turns = fold(opened("old", 0, {}), max_ended=1)
    for name in "abc":
        turns.feed(opened(name, 0, {}))
        turns.feed(closed(name, 0, "finished"))
    assert turns.is_open("old")
    assert turns.next_turn("old") == 1
