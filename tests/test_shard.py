"""flows.engine.shard: one core a turn, driven by the log's time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from connectors.errors import DataDirError
from connectors.log.records import Record
from flows.engine import shard as shard_module
from flows.engine.shard import Shard
from flows.steps.base import Core
from flows.steps.events import DeadLetter, Event, Text

WAIT = 10


class Alarm(Core):
    """Says `ring` when nothing came for WAIT; raises at the text `bad`."""

    def feed(self, event: Event) -> Iterable[Event]:
        if isinstance(event, Text):
            if event.text == "bad":
                raise RuntimeError("the text must not be in the dead letter")
            self.deadline = event.t + WAIT
        return (event,)

    def expire(self, t: int) -> Iterable[Event]:
        self.deadline = None
        return (Text(t, "s", 0, "ring", 0),)

    def snapshot(self) -> tuple[Any, ...]:
        return (self.deadline,)

    def restore(self, data: tuple[Any, ...]) -> None:
        (self.deadline,) = data


def shard() -> Shard:
    return Shard("step", lambda _: Alarm())


def opened(s: str = "s") -> Record:
    return Record(0, s, 0, "open", d={})


def closed(t: int, s: str = "s") -> Record:
    return Record(t, s, 0, "close", d={"reason": "finished"})


def text(t: int, what: str = "x", s: str = "s") -> Text:
    return Text(t, s, 0, what, 1)


def rings(events: Iterable[Event]) -> list[int]:
    return [event.t for event in events if isinstance(event, Text) and event.text == "ring"]


def test_a_deadline_fires_when_a_mark_is_strictly_later() -> None:
    step = shard()
    assert rings(step.feed([opened(), text(5)], 15)) == []
    assert rings(step.feed([], 16)) == [15]


def test_a_deadline_fires_before_a_record_that_is_strictly_later() -> None:
    step = shard()
    out = step.feed([opened(), text(5), text(15), text(26)], 26)
    assert [event.t for event in out] == [0, 5, 15, 25, 26]


def test_what_fires_carries_the_time_of_its_deadline_however_late_the_mark() -> None:
    assert rings(shard().feed([opened(), text(5)], 1_000_000)) == [15]


def test_deadlines_of_several_turns_fire_in_order_of_time() -> None:
    step = shard()
    out = step.feed([opened("a"), opened("b"), text(1, s="b"), text(2, s="a"), text(3, s="b")], 100)
    assert rings(out) == [12, 13]


def test_every_batching_gives_the_same() -> None:
    events = [opened(), text(1), text(9), text(30), text(31), closed(60)]
    whole = shard().feed(events, 60)
    step = shard()
    single = [out for event in events for out in step.feed([event], event.t)]
    assert single == whole


def test_a_core_that_raises_ends_its_own_turn_and_no_other() -> None:
    step = shard()
    out = step.feed([opened("a"), opened("b"), text(1, "bad", "a"), text(2, s="a"), text(2, s="b"), closed(3, "a")], 3)
    assert [(event.step, event.reason) for event in out if isinstance(event, DeadLetter)] == [("step", "RuntimeError")]
    assert [event.d for event in out if isinstance(event, Record) and event.k == "close"] == [{"reason": "failed"}]
    assert text(2, s="b") in out
    assert text(2, s="a") not in out


def test_a_turn_whose_core_cannot_be_made_fails_alone() -> None:
    def refuse(_: Record) -> Core:
        raise RuntimeError

    out = Shard("step", refuse).feed([opened(), text(1), closed(2)], 2)
    assert [event.k if isinstance(event, Record) else type(event) for event in out] == ["open", DeadLetter, "close"]


def test_text_without_an_open_turn_is_one_dead_letter() -> None:
    out = shard().feed([text(1), text(2), text(3)], 3)
    assert [type(event) for event in out] == [DeadLetter]


def test_a_restored_shard_goes_on_where_it_was() -> None:
    events = [opened(), text(1), text(9), text(30), closed(60)]
    whole = shard().feed(events, 60)
    step = shard()
    out: list[Event] = []
    for event in events:
        out += step.feed([event], event.t)
        restored = shard()
        restored.restore(step.snapshot())
        step = restored
    assert out == whole


def test_a_snapshot_encodes_anew_only_the_turns_that_were_touched() -> None:
    step = shard()
    step.feed([opened(s="a"), opened(s="b"), text(1, s="a"), text(2, s="b")], 2)
    step.snapshot()
    before = [turn.kept for turn in step._turns.values()]
    step.feed([text(3, s="b")], 3)
    step.snapshot()
    after = [turn.kept for turn in step._turns.values()]
    assert after[0] is before[0]
    assert after[1] != before[1]
    step.feed([], 99)  # the deadlines of both
    step.snapshot()
    assert after[0] not in [turn.kept for turn in step._turns.values()]


def test_of_many_touched_turns_the_first_are_encoded_before_the_epoch_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shard_module, "MAX_TOUCHED", 2)
    step = shard()
    step.feed([opened(s=name) for name in "abcd"], 0)
    assert [turn.kept is None for turn in step._turns.values()] == [False, False, True, True]
    step.feed([text(1, s="a")], 1)
    assert [turn.kept is None for turn in step._turns.values()] == [True, False, False, True]
    step.feed([closed(2, s="d"), text(2, s="b")], 2)
    assert [turn.kept is None for turn in step._turns.values()] == [True, True, False]
    assert step.snapshot() == step.snapshot()
    assert not step._touched


def test_a_snapshot_of_another_version_is_refused_with_the_remedy() -> None:
    class Newer(Alarm):
        version = 7

    step = shard()
    step.feed([opened()], 0)
    with pytest.raises(DataDirError, match="version 1, this tokenweir's of 7; finish with the one that wrote them"):
        Shard("step", lambda _: Newer()).restore(step.snapshot())


def test_a_deadline_that_moves_with_every_text_costs_one_entry() -> None:
    step = shard()
    step.feed([opened(), *(text(t) for t in range(1, 9))], 8)
    assert len(step._deadlines) == 1


def test_of_the_turns_to_ignore_the_oldest_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shard_module, "MAX_IGNORED", 2)
    ignoring = shard()
    for t, name in enumerate("abc"):
        assert len(ignoring.feed([text(t, s=name)], t)) == 1
    assert ignoring.snapshot()["ignored"] == [("b", 0), ("c", 0)]


def test_a_turn_that_fails_at_its_close_is_not_remembered() -> None:
    class Last(Alarm):
        def feed(self, event: Event) -> Iterable[Event]:
            if isinstance(event, Record) and event.k == "close":
                raise RuntimeError
            return (event,)

    failing = Shard("step", lambda _: Last())
    out = failing.feed([opened(), closed(1)], 1)
    assert isinstance(out[1], DeadLetter)
    assert failing.snapshot()["ignored"] == []
