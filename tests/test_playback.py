"""connectors.log.playback: records at full speed and in time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.errors import InputError
from connectors.log.playback import Playback
from connectors.log.records import Record, closed, frame, opened
from connectors.log.shards import shard_of

CREATED = datetime(2026, 11, 20, 12, tzinfo=UTC)


def at(t: int, record: Record) -> Record:
    return Record(t, record.s, record.n, record.k, record.id, record.e, record.d)


RECORDS = [
    at(1_000_000, opened("s", 0, {})),
    at(1_500_000, frame("s", 0, "a")),
    at(9_000_000, frame("s", 0, "b")),
    at(9_000_000, closed("s", 0, "finished")),
]


class Watch:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def part(watch: Watch, speed: float | None) -> Any:
    return Playback(lambda: RECORDS, CREATED, speed=speed, clock=watch).build_part("read", "w00", None)


def times(items: list[Any]) -> list[tuple[list[int], int]]:
    flat = [
        ([each for group in records for each in getattr(group, "records", [group])], mark)
        for _, (records, mark) in items
    ]
    return [([record.t for record in records], mark) for records, mark in flat]


def test_records_come_when_they_came_divided_by_the_speed() -> None:
    watch = Watch()
    played = part(watch, 2.0)
    assert times(played.next_batch()) == [([1_000_000], 1_000_000)]
    watch.now = 0.25
    assert times(played.next_batch()) == [([1_500_000], 1_500_000)]
    watch.now = 2.0
    assert times(played.next_batch()) == [([], 5_000_000)]
    watch.now = 10.0
    assert times(played.next_batch()) == [([9_000_000, 9_000_000], 9_000_000)]
    with pytest.raises(StopIteration):
        played.next_batch()


def test_no_mark_passes_a_record_that_is_still_to_come() -> None:
    watch = Watch()
    played = part(watch, 1.0)
    played.next_batch()
    watch.now = 7.999
    assert all(mark <= 9_000_000 for _, mark in times(played.next_batch()))


def test_at_full_speed_all_comes_at_once() -> None:
    items = part(Watch(), None).next_batch()
    assert [key for key, _ in items] == [f"w00-{shard_of('s'):02d}"]
    assert times(items) == [([1_000_000, 1_500_000, 9_000_000, 9_000_000], 9_000_000)]


@pytest.mark.parametrize("speed", [0, -1, float("nan"), 1e9])
def test_a_speed_that_is_none_is_refused(speed: float) -> None:
    with pytest.raises(InputError, match="a speed is more than 0"):
        Playback(list, CREATED, speed=speed)
