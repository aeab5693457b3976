"""flows.steps.frame_ids: which ids came, in little space."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.steps import frame_ids as ids_module
from flows.steps.frame_ids import Ids, follows

some_ids = st.one_of(
    st.builds("{}{}".format, st.sampled_from(["ctx-", "run2-", "", "a0", "1-"]), st.integers(0, 40)),
    st.text(max_size=5),
    st.sampled_from(["9" * 18, "9" * 19, "x" * 300, "x" * 199 + "1", "ctx-007", "ctx-07"]),
)


@given(st.lists(some_ids, max_size=60), some_ids)
def test_an_id_is_known_if_and_only_if_it_came(came: list[str], other: str) -> None:
    known = Ids()
    for number, each in enumerate(came):
        assert known.add(each) == (each not in came[:number])
        restored = Ids()
        restored.restore(pickle.loads(pickle.dumps(known.snapshot())))
        known = restored
    assert (other in known) == (other in came)
    known.clear()
    assert other not in known


def test_ids_that_count_on_take_no_more_room_however_many() -> None:
    known = Ids()
    for number in range(10_000):
        assert known.add(f"ctx-{number}")
    assert known.snapshot() == ([("ctx-", 0, 9_999)], b"")
    assert "ctx-0" in known


def test_only_the_latest_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ids_module, "MAX_SINGLE", 2)
    monkeypatch.setattr(ids_module, "MAX_RUNS", 2)
    known = Ids()
    for each in ("a", "b", "c", "x1", "x2", "y1", "y2", "z1", "z2"):
        known.add(each)
    assert [each in known for each in ("a", "b", "c")] == [False, True, True]
    assert [each in known for each in ("x2", "y1", "z2")] == [False, True, True]


@pytest.mark.parametrize(
    ("last", "frame_id", "counts_on"),
    [
        ("ctx-17", "ctx-18", True),
        ("ctx-9", "ctx-10", True),
        ("17", "18", True),
        ("ctx-17", "ctx-19", False),
        ("ctx-17", "ctx-17", False),
        ("ctx-17", "other-18", False),
        ("ctx-17", "ctx-18~2", False),
        ("ctx", "ctx", False),
        (None, "0", False),
        ("ctx-17", None, False),
        ("x" * 300 + "1", "x" * 300 + "2", False),
    ],
)
def test_an_id_counts_on_from_the_one_before(last: str | None, frame_id: str | None, counts_on: bool) -> None:
    assert follows(last, frame_id) is counts_on


def test_an_id_that_counts_on_is_known_where_it_came_before() -> None:
    ids = Ids()
    assert all(ids.add(each) for each in ("a-5", "a-3", "a-4"))
    assert not ids.add("a-5")
