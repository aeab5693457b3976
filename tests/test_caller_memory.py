"""memory.py and Hub.restore: callers read on after a restart what they would have read without it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.delivery.journal import Journal
from connectors.errors import DataDirError
from connectors.frontend.hub import Hub, HubSettings, UnknownTurnError
from connectors.frontend.ids import Key
from connectors.frontend.memory import CallerMemory, url_key
from connectors.frontend.shown import Ended, Shown
from connectors.log.records import Message
from connectors.sse import Event
from tests.test_hub import join, message, pieces, publish, read, told
from tests.test_job import no_room

KEY = ("s", 0)
SIZE = 400
"""Bytes of a segment: a few messages."""


class Process:
    """A hub over its memory, as the front end has them, until it is killed."""

    def __init__(
        self,
        directory: Path,
        unfinished: Iterable[Key] = (KEY,),
        *,
        now: float = 0.0,
        wall: float = 1e9,
        **settings: Any,
    ) -> None:
        self._memory: CallerMemory | None = None
        self.hub = Hub(HubSettings(**settings), self._note, self)
        memory = CallerMemory(Journal(directory, "w00", segment_bytes=SIZE), lambda: wall)
        self.hub.restore(memory.read(), dict.fromkeys(unfinished), now, wall)
        self._memory = memory

    def _note(self, shown: Shown) -> None:
        if self._memory is not None:
            self._memory.note(shown)

    def has(self, key: Key, first: int, end: int) -> bool:
        return first >= end or (self._memory is not None and self._memory.has(key, first, end))

    def recall(self, key: Key, seq: int) -> Message | None:
        return self.memory.recall(key, seq)

    def say(self, *messages: Message, now: float = 0.0) -> None:
        for each in messages:
            self.hub.publish(each, now)
        self.save()

    def save(self) -> None:
        assert self._memory is not None
        self._memory.save(self.hub.turns)

    @property
    def memory(self) -> CallerMemory:
        assert self._memory is not None
        return self._memory

    def die(self) -> None:
        self.memory.close()


def heard(hub: Hub, after: int = -1) -> list[Event]:
    return read(join(hub, after))


def whole_turn(texts: Iterable[str]) -> list[Message]:
    texts = list(texts)
    last = len(texts) - 1
    return [
        message(seq, text, final=seq == last, closed_by="end" if seq == last else "sentence")
        for seq, text in enumerate(texts)
    ]


encodable = pieces.filter(lambda text: "\ud83d" not in text)


@given(
    st.lists(encodable, min_size=1, max_size=12),
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=4),
    st.integers(0, 12),
)
def test_whatever_the_kills_a_caller_reads_on_as_if_there_were_none(
    texts: list[str], lives: list[tuple[int, int]], resumed_at: int
) -> None:
    """A life says messages up to some place; the flow of the next one says some of them again, then more."""
    messages = whole_turn(texts)
    undisturbed = Hub(HubSettings())
    publish(undisturbed, texts)
    got: list[Event] = []
    with TemporaryDirectory() as folder:
        said = 0
        for upto, again in [*lives, (len(texts), 0)]:
            process = Process(Path(folder))
            process.say(*messages[max(0, said - again) : upto])
            said = max(said, upto)
            place = int(got[-1].id.rpartition("/")[2]) if got else -1
            if process.hub.state(KEY):
                got += heard(process.hub, place)
            process.die()
        process = Process(Path(folder))
        assert heard(process.hub, resumed_at) == heard(undisturbed, resumed_at)
        process.die()
    assert got == heard(undisturbed)


@given(
    st.lists(encodable, min_size=1, max_size=16),
    st.lists(st.integers(0, 16), max_size=4),
    st.integers(1, 700),
)
def test_whatever_memory_may_have_a_caller_reads_the_same(texts: list[str], kills: list[int], most: int) -> None:
    """Another turn is under way in the same journal, whose segments are few messages long, and merged."""
    messages = whole_turn(texts)
    undisturbed = Hub(HubSettings())
    publish(undisturbed, texts)
    other = ("t", 0)
    with TemporaryDirectory() as folder:
        process = Process(Path(folder), [KEY, other], max_turn_chars=most)
        got: list[Event] = []
        for seq, each in enumerate(messages):
            process.say(each, message(seq, "x" * 30, key=other))
            assert process.hub.in_memory <= 2 * most
            got += heard(process.hub, int(got[-1].id.rpartition("/")[2]) if got else -1)
            if seq in kills:
                process.die()
                process = Process(Path(folder), [KEY, other], max_turn_chars=most)
        assert got == heard(undisturbed)
        assert heard(process.hub) == got
        assert [event.data for event in read(join(process.hub, key=other))] == ["x" * 30] * len(messages)
        process.die()


def test_what_was_never_written_is_not_read_back(tmp_path: Path) -> None:
    process = Process(tmp_path, max_turn_chars=100)
    process.say(message(0, "half \ud83d"), *[message(seq, "x" * 40) for seq in range(1, 9)])
    assert process.memory.recall(KEY, 0) is None
    assert process.memory.recall(KEY, 1) == message(1, "x" * 40)
    assert not process.memory.has(KEY, 0, 9)
    assert process.memory.has(KEY, 1, 9)
    assert not process.memory.has(KEY, 1, 10)
    with pytest.raises(UnknownTurnError, match="max_turn_chars"):
        join(process.hub)
    assert len(heard(process.hub, 0)) == 8
    process.die()
    assert not process.memory.has(KEY, 1, 9)
    assert process.memory.recall(KEY, 1) is None


def test_an_end_that_the_hub_made_stands(tmp_path: Path) -> None:
    process = Process(tmp_path, idle_timeout=20, timeout_text="slow")
    process.say(message(0, "One. "))
    join(process.hub)
    process.hub.sweep(20)
    process.save()
    process.die()
    process = Process(tmp_path)
    process.say(message(0, "One. "), message(1, "Two.", final=True, closed_by="end"))
    assert told(join(process.hub)) == [("token", "One. ", "s/0/0"), ("error", "slow", "s/0/1")]
    assert join(process.hub, 1).over
    process.die()


def test_an_end_speaks_the_language_that_the_log_knows(tmp_path: Path) -> None:
    hub = Hub(HubSettings(idle_timeout=20), say=lambda what, language: f"{what} {language}")
    hub.restore([message(0, "One. ")], {KEY: "de", ("t", 0): None}, 0.0, 1e9)
    readers = [join(hub), join(hub, key=("t", 0))]
    hub.sweep(20)
    assert [read(reader)[-1].data for reader in readers] == ["timeout de", "timeout None"]


def test_time_goes_on_between_two_processes(tmp_path: Path) -> None:
    process = Process(tmp_path, wall=1_000.0, replay_for=900)
    process.say(*whole_turn(["One."]))
    process.die()
    process = Process(tmp_path, wall=1_600.0, now=50.0, replay_for=900)
    assert read(join(process.hub, now=349.9))
    with pytest.raises(UnknownTurnError):
        join(process.hub, now=350.0)
    process.die()
    process = Process(tmp_path, wall=1_900.0, replay_for=900)
    assert process.hub.kept == (0, 0)
    process.die()


def test_a_clock_that_was_set_back_keeps_nothing_longer_than_said(tmp_path: Path) -> None:
    process = Process(tmp_path, wall=1_000.0)
    process.say(*whole_turn(["One."]))
    process.die()
    process = Process(tmp_path, wall=10.0, replay_for=900)
    process.hub.sweep(900)
    assert process.hub.kept == (0, 0)
    process.die()


def test_what_is_forgotten_leaves_the_disk(tmp_path: Path) -> None:
    process = Process(tmp_path, max_kept_turns=3)
    for turn in range(200):
        process.say(message(0, "x" * 40, key=("s", turn), final=True, closed_by="end"))
    kept = sum(path.stat().st_size for path in tmp_path.glob("*.jsonl"))
    assert kept < 10 * SIZE
    process.die()
    process = Process(tmp_path, max_kept_turns=3)
    assert process.hub.kept[0] == 3
    assert told(join(process.hub, key=("s", 199)))[-1] == ("done", "x" * 40, "s/199/1")
    process.die()


@given(st.lists(st.tuples(st.integers(0, 3), encodable), max_size=60), st.integers(1, 3))
def test_what_is_kept_is_kept_whole_whatever_leaves(said: list[tuple[int, str]], most: int) -> None:
    with TemporaryDirectory() as folder:
        process = Process(Path(folder), max_kept_turns=most + 4)
        turns = dict.fromkeys(range(4), 0)
        for session, text in said:
            seq = turns[session] % 3
            key = (f"s-{session}", turns[session] // 3)
            process.say(message(seq, text, key=key, final=seq == 2, closed_by="end"))
            turns[session] += 1
        expected = {key: heard_of(process.hub, key) for key in process.hub.turns()}
        process.die()
        process = Process(Path(folder), max_kept_turns=most + 4)
        assert {key: heard_of(process.hub, key) for key in process.hub.turns()} == expected
        process.die()


def heard_of(hub: Hub, key: tuple[str, int]) -> list[Event]:
    return read(join(hub, key=key))


def test_a_turn_with_a_gap_is_left_out(tmp_path: Path) -> None:
    process = Process(tmp_path)
    process.say(message(0, "One. "))
    process.say(message(1, "Two. "))
    process.say(message(2, "Three.", final=True, closed_by="end"))
    process.say(message(0, "Whole.", key=("t", 0), final=True, closed_by="end"))
    process.die()
    for path in tmp_path.glob("*.jsonl"):
        path.write_bytes(b"".join(line for line in path.read_bytes().splitlines(keepends=True) if b"Two" not in line))
    process = Process(tmp_path)
    assert process.hub.state(KEY) is None
    assert process.hub.counts["lost"] == 1
    assert told(join(process.hub, key=("t", 0)))[-1][1] == "Whole."
    process.die()


def test_turns_that_the_flow_will_say_nothing_of_are_given_up(tmp_path: Path) -> None:
    process = Process(tmp_path)
    process.say(message(0, "One. "), message(0, "Uno. ", key=("t", 0)))
    process.die()
    process = Process(tmp_path, [KEY, ("new", 0)], resume_grace=10)
    assert [each.key for each in process.hub.sweep(10)] == [("t", 0)]
    assert process.hub.state(KEY) == ("running", 1, 5, 0)
    assert process.hub.state(("new", 0)) == ("running", 0, 0, 0)
    process.die()


def test_what_cannot_be_written_is_shown_and_counted(tmp_path: Path) -> None:
    process = Process(tmp_path)
    process.say(message(0, "One. "))
    process.say(message(1, "half \ud83d"))
    process.say(message(2, "Three.", final=True, closed_by="end"))
    assert heard(process.hub)[-1].data == "One. half \ud83dThree."
    assert process.memory.unsaved == 1
    process.die()
    process = Process(tmp_path)
    assert process.hub.state(KEY) is None
    process.die()


def test_on_a_full_disk_callers_are_served_and_other_turns_are_kept(tmp_path: Path) -> None:
    process = Process(tmp_path)
    process.say(*whole_turn(["Before."]))
    with no_room(tmp_path):
        process.say(*[message(seq, "x" * 40, key=("full", 0)) for seq in range(3)])
    process.say(*[message(seq, "x", key=("full", 0), final=seq == 4, closed_by="end") for seq in (3, 4)])
    process.say(message(0, "After.", key=("after", 0), final=True, closed_by="end"))
    assert process.memory.unsaved == 3
    assert told(join(process.hub, key=("full", 0)))[-1][1] == "x" * 122
    process.die()
    process = Process(tmp_path)
    assert [each[1] for each in told(join(process.hub))] == ["Before.", "Before."]
    assert told(join(process.hub, key=("after", 0)))[-1][1] == "After."
    assert process.hub.state(("full", 0)) is None
    process.die()


def test_what_is_no_line_of_ours_is_an_error_that_says_where_it_is_not(tmp_path: Path) -> None:
    process = Process(tmp_path)
    process.say(message(0, "One. "))
    process.die()
    path = next(iter(tmp_path.glob("*.jsonl")))
    path.write_bytes(path.read_bytes().replace(b'"sentence"', b'"sentense"'))
    with pytest.raises(DataDirError, match="callers' journal"):
        Process(tmp_path)


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    process = Process(tmp_path / "callers")
    process.say(message(0, "One. "))
    process.die()
    url_key(tmp_path / "callers" / "url_key")
    assert {path.stat().st_mode & 0o077 for path in tmp_path.rglob("*")} == {0}


def test_the_key_of_urls_is_drawn_once(tmp_path: Path) -> None:
    path = tmp_path / "callers" / "url_key"
    key = url_key(path)
    assert len(key) >= 16
    assert url_key(path) == key
    assert os.listdir(path.parent) == ["url_key"]
    path.write_bytes(b"short")
    with pytest.raises(DataDirError, match="remove it"):
        url_key(path)


def test_an_end_is_stamped_when_it_is_written(tmp_path: Path) -> None:
    process = Process(tmp_path, wall=77.0)
    process.say(*whole_turn(["One."]))
    process.die()
    journal = Journal(tmp_path, "w00")
    ends = [each for each in CallerMemory(journal).read() if isinstance(each, Ended)]
    journal.close()
    assert ends == [Ended("s", 0, 1, "", 77.0)]
