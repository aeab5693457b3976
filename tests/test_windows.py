"""flows.steps.windows: where the agent's next message ends."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connectors.log.records import Record
from flows.steps.cuts import best_cut, may_have_place
from flows.steps.events import Boundary, Event, Text
from flows.steps.windows import OVERFULL, Windows, WindowSettings

OPEN = Record(0, "s", 0, "open", d={})


def windows(chosen: WindowSettings | None = None) -> Windows:
    core = Windows(chosen or WindowSettings(), OPEN)
    core.feed(OPEN)
    return core


def text(what: str, t: int = 0) -> Text:
    return Text(t, "s", 0, what, 1)


def closed(reason: str = "finished") -> Record:
    return Record(9, "s", 0, "close", d={"reason": reason})


def cuts(events: Iterable[Event]) -> list[tuple[int, str]]:
    return [(event.at, event.closed_by) for event in events if isinstance(event, Boundary)]


def test_the_text_passes_before_the_boundary_that_it_proves() -> None:
    out = list(windows().feed(text("One. Two")))
    assert out[0] == text("One. Two")
    assert cuts(out) == [(5, "sentence")]


def test_silence_closes_a_window_at_the_deadline() -> None:
    core = windows(WindowSettings(timeout=5))
    core.feed(text("Please wait", 1_000_000))
    assert core.deadline == 6_000_000
    assert list(core.expire(6_000_000)) == [Boundary(6_000_000, "s", 0, 11, "timeout")]
    assert core.deadline is None


def test_after_a_time_out_the_sentence_goes_on_in_the_next_window() -> None:
    core = windows()
    core.feed(text("Please wait"))
    core.expire(5_000_000)
    assert cuts(core.feed(text(" a moment. Thanks"))) == [(22, "sentence")]


def test_white_space_alone_has_no_deadline_and_is_no_window() -> None:
    core = windows()
    core.feed(text("One. Two. "))
    core.expire(5_000_000)
    core.feed(text("\n\n"))
    assert core.deadline is None


def test_a_timeout_of_zero_is_never() -> None:
    core = windows(WindowSettings(timeout=0))
    core.feed(text("Please wait"))
    assert core.deadline is None


def test_a_full_window_is_cut_after_its_last_word() -> None:
    assert cuts(windows(WindowSettings(max_chars=10)).feed(text("one two three four"))) == [
        (8, "max_chars"),
        (14, "max_chars"),
    ]


def test_a_full_window_is_cut_after_a_clause_where_that_is_not_in_its_first_half() -> None:
    assert cuts(windows(WindowSettings(max_chars=20)).feed(text("one two three, four five six"))) == [(15, "max_chars")]


@pytest.mark.parametrize(
    "whole", ["https://example.com/a/long/path?q=1 next", "1234567890123456789 next", "x" * 19 + " next"]
)
def test_a_url_a_number_or_a_word_is_never_cut_though_the_window_is_full(whole: str) -> None:
    [(first, _), *_] = cuts(windows(WindowSettings(max_chars=12)).feed(text(whole)))
    assert first == whole.index(" ") + 1


def test_a_number_written_with_spaces_is_not_cut() -> None:
    assert cuts(windows(WindowSettings(max_chars=14)).feed(text("it costs 1 000 000 euros")))[0] == (9, "max_chars")


def test_a_window_without_any_place_ends_at_its_last_limit() -> None:
    assert cuts(windows(WindowSettings(max_chars=4)).feed(text("x" * 40)))[0] == (4 * OVERFULL, "max_chars")


def test_a_full_window_of_a_script_without_spaces_is_cut_between_characters_as_readers_see_them() -> None:
    [(first, _), *_] = cuts(windows(WindowSettings(max_chars=4)).feed(text("これはか\u3099ながい")))
    assert first == 3


def test_a_window_of_white_space_cannot_hang() -> None:
    assert cuts(windows(WindowSettings(max_chars=4)).feed(text(" " * 9)))[0] == (4, "max_chars")


def test_crumbs_are_joined_until_min_chars() -> None:
    core = windows(WindowSettings(min_chars=10))
    assert cuts(core.feed(text("Yes. No. Perhaps so. Then"))) == [(21, "sentence")]


def test_the_first_window_may_have_a_limit_of_its_own() -> None:
    core = windows(WindowSettings(min_chars=100, first_min_chars=0))
    assert cuts(core.feed(text("Yes. No. Perhaps so. Then"))) == [(5, "sentence")]
    core = windows(WindowSettings(timeout=5, first_timeout=1))
    core.feed(text("a"))
    assert core.deadline == 1_000_000
    core.expire(1_000_000)
    core.feed(text("b", 2_000_000))
    assert core.deadline == 7_000_000


def test_a_clause_ends_a_window_where_that_is_wanted() -> None:
    core = windows(WindowSettings(mode="clause"))
    assert cuts(core.feed(text("First, open it (slowly, please); then `a, b` wait. Done now"))) == [
        (7, "clause"),
        (33, "clause"),
        (51, "sentence"),
    ]


def test_a_clause_of_full_width_marks_needs_no_space() -> None:
    core = Windows(WindowSettings(mode="clause", language="zh"), OPEN)
    assert cuts(core.feed(text("您好，包裹到了。请查收"))) == [(3, "clause"), (8, "sentence")]


@pytest.mark.parametrize(
    "number",
    [
        "3：30",
        "10，000元",
        "1：2",
        "３：３０",
        "1、5",
        "10,\u00a0000",
        "18: 30",
        "2019 – 2023",
        "٣، ٥",
        "5；6",
        "1﹐000",
    ],
)
@pytest.mark.parametrize("size", [1, 2, 100])
def test_no_clause_ends_inside_a_number(number: str, size: int) -> None:
    whole = f"时间是{number}左右吧，再见"
    core = Windows(WindowSettings(mode="clause", language="zh"), OPEN)
    found = [cut for i in range(0, len(whole), size) for cut in cuts(core.feed(text(whole[i : i + size])))]
    assert found == [(whole.index("再"), "clause")]


@pytest.mark.parametrize(
    "number", ["10，000", "三十五", "3：30", "五千两百", "12万", "１０，０００", "3点半", "２０２６"]
)
@pytest.mark.parametrize("most", range(2, 9))
def test_a_full_window_is_never_cut_inside_a_number(number: str, most: int) -> None:
    whole = f"我们一共付了{number}元，谢谢您的来电"
    core = Windows(WindowSettings(mode="clause", max_chars=most, language="zh"), OPEN)
    begin = whole.index(number)
    ends = [at for character in whole for at, _ in cuts(core.feed(text(character)))]
    assert ends
    assert [at for at in ends if begin < at < begin + len(number)] == []


def test_a_language_that_nobody_gave_is_found_by_the_first_words_and_kept_in_the_snapshot() -> None:
    hello, rest = "Guten Tag, vielen Dank für Ihre Anfrage. Wir sitzen im 3.", " Stock links. Gut"
    for chosen, at in ((WindowSettings(), 71), (WindowSettings(language="en"), 58)):
        core, resumed = windows(chosen), windows(chosen)
        assert cuts(core.feed(text(hello))) == [(41, "sentence")]
        resumed.restore(core.snapshot())
        assert cuts(resumed.feed(text(rest)))[0] == (at, "sentence")


def test_only_paragraphs_end_a_window_where_that_is_wanted() -> None:
    core = windows(WindowSettings(mode="paragraph"))
    assert cuts(core.feed(text("One. Two.\nThree.\n\nFour. Five"))) == [(18, "paragraph")]


def test_a_blank_line_in_a_code_fence_is_no_paragraph() -> None:
    core = windows(WindowSettings(mode="paragraph"))
    assert cuts(core.feed(text("```\na\n\nb\n```\n\nText"))) == [(14, "paragraph")]


def test_without_windows_every_token_goes() -> None:
    core = windows(WindowSettings(mode="none"))
    assert [cut for part in ("Hel", "lo ", "you") for cut in cuts(core.feed(text(part)))] == [
        (3, "token"),
        (6, "token"),
        (9, "token"),
    ]


def test_a_turn_may_ask_for_a_window_of_its_own() -> None:
    core = Windows(WindowSettings(), Record(0, "s", 0, "open", d={"window": "none"}))
    assert cuts(core.feed(text("Hel"))) == [(3, "token")]


@pytest.mark.parametrize(
    "wrong",
    [{"timeout": -1}, {"max_chars": 0}, {"min_chars": 3000}, {"first_timeout": -1}, {"flush_overrides": ("(",)}],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        WindowSettings(**wrong)


def test_the_end_closes_what_the_splitter_had_open() -> None:
    core = windows()
    core.feed(text("One. Two"))
    out = list(core.feed(closed()))
    assert out[-1] == closed()


@settings(max_examples=400)
@example("; 、1", 1, 4, 0, "clause")
@given(
    st.text(alphabet=".!? \n\t\r\x0b\x85\u2003\u2028\u3000,;abcAB12`*-(、。：一十–", max_size=200),
    st.integers(1, 20),
    st.integers(1, 30),
    st.integers(0, 30),
    st.sampled_from(["sentence", "clause", "paragraph"]),
)
def test_the_cuts_are_the_same_under_every_chunking(
    whole: str, size: int, max_chars: int, min_chars: int, mode: Any
) -> None:
    chosen = WindowSettings(max_chars=max_chars, min_chars=min(min_chars, max_chars), mode=mode)
    once = windows(chosen)
    expected = [*cuts(once.feed(text(whole))), *cuts(once.feed(closed()))]
    core = windows(chosen)
    got = [cut for i in range(0, len(whole), size) for cut in cuts(core.feed(text(whole[i : i + size])))]
    got += cuts(core.feed(closed()))
    assert got == expected


@given(st.text(min_size=1))
def test_a_cut_leaves_something_on_its_left(window: str) -> None:
    cut = best_cut(window)
    assert cut is None or 1 <= cut <= len(window)


@given(
    st.text(alphabet="ab12 \n,、，：”)。漢一十é‍\u0301", min_size=1, max_size=12),
    st.sampled_from("ab12 \n,、，：”)漢一十\u0301"),
)
def test_where_no_place_can_have_come_none_has(window: str, char: str) -> None:
    if best_cut(window) is None and not may_have_place(window + char):
        assert best_cut(window + char) is None
