"""What a message's `closed_by` may be: one list, which the flow gives all of, and every page and comment says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.log.records import CLOSED_BY, Record
from connectors.metrics.tables import TABLES, MessageRow
from flows.moderation import Policy
from flows.steps.events import Event, Released, Text
from flows.steps.release import Release
from flows.steps.windows import Windows, WindowSettings

ROOT = Path(__file__).parents[1]
ANSWER = "Your parcel, which left on Monday, is at the depot. It comes today.\n\nThank you for asking. Good"


def reasons(mode: str, pieces: list[str], *, reason: str = "finished", silence: bool = False) -> set[str]:
    """The `closed_by` of all messages of an answer that came in these pieces."""
    opened = Record(0, "s", 0, "open", d={"window": mode})
    windows = Windows(WindowSettings(max_chars=60), opened)
    release = Release(Policy(pii=()), opened, lambda reason: "" if reason == "finished" else "Sorry.")
    events: list[Event] = [opened, *(Text(t, "s", 0, piece, 1) for t, piece in enumerate(pieces))]
    out: list[Event] = [each for event in events for each in windows.feed(event)]
    if silence and windows.deadline is not None:
        out += windows.expire(windows.deadline)
    out += windows.feed(Record(10**9, "s", 0, "close", d={"reason": reason}))
    return {each.message.closed_by for event in out for each in release.feed(event) if isinstance(each, Released)}


@given(
    st.sampled_from(["sentence", "clause", "paragraph", "none"]),
    st.lists(st.sampled_from(["Wait", ", then ", "go. ", "\n\n", "x" * 61, " "]), max_size=9),
    st.sampled_from(["finished", "timeout", "interrupted"]),
    st.booleans(),
)
def test_whatever_comes_closed_by_is_one_of_the_list(mode: str, pieces: list[str], reason: str, silence: bool) -> None:
    assert reasons(mode, pieces, reason=reason, silence=silence) <= set(CLOSED_BY)


def test_each_of_the_list_is_given() -> None:
    given = set().union(
        *(reasons(mode, [ANSWER], silence=True) for mode in ("sentence", "clause", "paragraph", "none")),
        reasons("none", ["One ", "word. ", "More "]),
        reasons("sentence", ["One"]),
        reasons("paragraph", [ANSWER, "x" * 99]),
        reasons("sentence", ["One"], reason="interrupted"),
    )
    assert given == set(CLOSED_BY)


def test_the_page_of_delivery_lists_them() -> None:
    page = (ROOT / "docs" / "delivery.md").read_text(encoding="utf-8")
    table = page.partition("| `closed_by` |")[2].partition("\n\n")[0]
    assert tuple(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == CLOSED_BY
    assert set(re.findall(r'"closed_by":"(\w+)"', page)) <= set(CLOSED_BY)


@pytest.mark.parametrize("where", ["messages.closed_by", "windows_daily.closed_by"])
def test_the_columns_comments_list_them(where: str) -> None:
    if where == "messages.closed_by":
        [comment] = [column.comment for column in TABLES[MessageRow].declared if column.name == "closed_by"]
    else:
        script = (ROOT / "connectors" / "metrics" / "queries" / "latency.sql").read_text(encoding="utf-8")
        [comment] = re.findall(r"p\.closed_by, +-- (.*)", script)
    assert comment == f"what ended the window: {', '.join(CLOSED_BY)}"
