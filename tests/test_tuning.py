"""analytics.tuning: the walk's figures are those of the operators, whatever the streams and the settings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as example_settings
from hypothesis import strategies as st

from analytics.tuning import plain
from analytics.tuning.count import Count
from analytics.tuning.figures import BINS, MIDDLES, bin_of
from analytics.tuning.grid import grid
from analytics.tuning.hold import Hold, holding
from analytics.tuning.splitters import Splitters
from analytics.tuning.streams import Stream, read, stream_of
from analytics.tuning.tables import Batch
from flows.moderation import Policy
from flows.moderation.detectors.base import open_word
from flows.moderation.policy import OPT_IN_TYPES, PII_TYPES
from flows.sentences import SentenceSplitter
from flows.steps.events import Released
from flows.steps.windows import WindowSettings

RECORDINGS = Path(__file__).parents[1] / "recordings"
EXAMPLES = int(os.environ.get("TOKENWEIR_EXAMPLES", "100"))
OFF = Policy(pii=(), blocklist=())
SECOND = 1_000_000
WAITS = (0, 1, 1_000, 40_000, 300_000, 499_999, 500_000, 500_001, SECOND - 1, SECOND, SECOND + 1, 2_000_001, 5_000_001)
BLOCKS = (
    "Yes. ", "No! ", " is", " it", "? ", "e.g. this, ", "v2.4.1 ", "Dr. J. Okafor ", " and so on … ", "\n\n", "word ",
    "One", "(in brackets, and more) ", "`code, here` ", "1 000 ", "12 ", "3.5", "https://example.com/a/b?q=1 ",
    "\n", "\n \t\n", "  ", "\u3000",
    "- item\n", "# Head\n", "これはながい", "ながか\u3099い", "नमस्ते। ", "a" * 30, "a" * 70, "555-0100 ", " ", "x",
    "4111 1111 1111 1111 ", "bob@example.org ", "frobnicate ", '"Quote." ', ":", "; ", "— ", "+(12", "word",
    "```\nx, y\n```\n", "\0", "您好，包裹到了。请查收。", "3：30", "10，000", "三十五", "5, 6; ", "﹐", "+(字", "（+４",
    "字 ", "地址:名字", "et vous est dans le ", "Bonjour, ", "ist nicht der und ", "z. B. ",
    "https://x.example/cb?access_token=" + "aB3dE5gH7jK9" * 6, "https://bob:hunter2@host.example.",
)  # fmt: skip

POLICIES = (
    OFF,
    Policy(pii=(), blocklist=(), max_hold_seconds=0.4),
    Policy(pii=(), blocklist=(), max_hold_chars=12),
    Policy(blocklist=("frobnicate", "is it")),
    Policy(blocklist=("frobnicate", "is it"), max_hold_seconds=0.3),
    Policy(blocklist=("frobnicate",), max_hold_chars=12, on_max_hold="release"),
    Policy(actions={"PHONE_NUMBER": "flag"}, max_hold_seconds=1.0),
    Policy(pii=PII_TYPES + OPT_IN_TYPES, max_hold_seconds=2.0),
    Policy(pii=PII_TYPES + OPT_IN_TYPES, actions={"URL_CREDENTIALS": "flag"}, max_hold_chars=60),
)


@st.composite
def streams(draw: st.DrawFn) -> Stream:
    text = "".join(draw(st.lists(st.sampled_from(BLOCKS), min_size=1, max_size=25)))
    longest = draw(st.sampled_from((1, 4, 12, 60)))
    waits = st.sampled_from(WAITS[: draw(st.sampled_from((4, len(WAITS))))])
    texts: list[tuple[int, str]] = []
    at, t = 0, draw(st.integers(0, SECOND))
    while at < len(text):
        size = draw(st.integers(1, longest))
        texts.append((t, text[at : at + size]))
        at, t = at + size, t + draw(waits)
    language = draw(st.sampled_from((None, "en", "de", "zh")))
    stream = stream_of("s", texts, t, len(texts), language=language)
    assert isinstance(stream, Stream)
    return stream


@st.composite
def window_settings(draw: st.DrawFn, *modes: str) -> WindowSettings:
    max_chars = draw(st.sampled_from((1, 3, 7, 12, 20, 33, 60, 200, 2_000)))
    mode: Any = draw(st.sampled_from(modes))
    return WindowSettings(
        mode=mode,
        timeout=draw(st.sampled_from((0, 0.04, 0.5, 1.0, 2.0))),
        first_timeout=draw(st.sampled_from((None, 0.0, 0.3, 0.5))),
        min_chars=min(max_chars, draw(st.sampled_from((0, 5, 20, 60)))),
        first_min_chars=draw(st.sampled_from((None, 0, min(max_chars, 10)))),
        max_chars=max_chars,
    )


def assert_same(batch: list[Stream], settings: list[WindowSettings], policy: Policy) -> None:
    batch = [msgspec.structs.replace(stream, session=f"s-{i}") for i, stream in enumerate(batch)]
    held = holding(policy)
    batches = [batch[:1], batch[1:]] if len(batch) > 1 else [batch]
    for members, got in zip(batches, Count(batches, settings, held).run(), strict=True):
        for name, value in vars(plain.tally(members, settings, held)).items():
            np.testing.assert_array_equal(getattr(got, name), value, err_msg=name)


def lists_of(*modes: str) -> st.SearchStrategy[list[WindowSettings]]:
    return st.lists(window_settings(*modes), min_size=1, max_size=6)


@example_settings(max_examples=EXAMPLES)
@given(st.lists(streams(), min_size=1, max_size=5), lists_of("sentence", "clause", "none"))
def test_the_figures_are_the_operators(batch: list[Stream], settings: list[WindowSettings]) -> None:
    assert_same(batch, settings, OFF)


@example_settings(max_examples=EXAMPLES)
@given(st.lists(streams(), min_size=1, max_size=5), lists_of("paragraph", "sentence"))
def test_the_figures_are_the_operators_by_paragraph(batch: list[Stream], settings: list[WindowSettings]) -> None:
    assert_same(batch, settings, OFF)


@example_settings(max_examples=EXAMPLES)
@given(
    st.lists(streams(), min_size=1, max_size=4),
    lists_of("clause", "paragraph", "sentence", "none"),
    st.sampled_from(POLICIES),
)
def test_what_moderation_holds_back_is_added(
    batch: list[Stream], settings: list[WindowSettings], policy: Policy
) -> None:
    assert_same(batch, settings, policy)


@pytest.mark.parametrize("policy", [OFF, Policy(blocklist=("frobnicate",))])
def test_the_figures_of_the_recordings_are_the_operators(policy: Policy) -> None:
    assert_same(read([RECORDINGS]).streams, grid(WindowSettings())[::11], policy)


def test_a_sentence_is_proved_under_the_users_own_rules_too() -> None:
    settings = WindowSettings(language="zh", flush_overrides=("。",), abbreviations=("Abt.",))
    text = "您好。Abt. 4 is here.It is. 包裹到了。\n# Head\n"
    splitter, at, expected = settings.splitter("zh"), 0, []
    for upto, character in enumerate(text, 1):
        for piece in splitter.feed(character):
            at += len(piece)
            expected.append((at, upto))
    assert expected
    assert Splitters(settings).cuts(text, None)[: len(expected)] == expected


@example_settings(max_examples=EXAMPLES)
@given(st.lists(streams(), min_size=1, max_size=3))
def test_the_open_words_are_those_that_moderation_sees(batch: list[Stream]) -> None:
    laid = Batch([msgspec.structs.replace(stream, times=stream.times * 0, closed=0) for stream in batch])
    let_go = Hold(laid, OFF).let_go
    for number, stream in enumerate(batch):
        begin, token, cut = int(laid.begin[number]), int(laid.first[number]), 0
        for end in stream.ends.tolist():
            cut = max(cut, open_word(stream.text[:end]))
            assert let_go[token] - begin == cut
            token += 1


@example_settings(max_examples=EXAMPLES)
@given(streams(), st.sampled_from((None, "en", "de", "fr", "hy", "ja", "ru", "zh")))
def test_where_a_sentence_is_proved_is_known_to_the_character(stream: Stream, language: str | None) -> None:
    splitter, at, expected = SentenceSplitter(language), 0, []
    for upto, character in enumerate(stream.text, 1):
        for piece in splitter.feed(character):
            at += len(piece)
            expected.append((at, upto))
    for piece in splitter.flush()[:-1]:
        at += len(piece)
        expected.append((at, len(stream.text) + 1))
    assert Splitters(WindowSettings()).cuts(stream.text, language) == expected


@given(st.integers(0, 2**31 - 2_000))
def test_a_bin_stands_for_its_delays_within_a_hundredth(delay: int) -> None:
    [place] = bin_of(np.array([delay], np.int32)).tolist()
    assert 0 <= place < BINS
    assert abs(MIDDLES[place] - delay) <= 0.01 * delay + 16
    assert bin_of(np.array([delay], np.int64)).tolist() == [place]


def test_a_window_that_silence_let_go_is_late_by_the_time_out() -> None:
    stream = stream_of("s", [(0, "Please "), (100_000, "wait "), (3 * SECOND, "now.")], 3 * SECOND, 3)
    assert isinstance(stream, Stream)
    settings = WindowSettings(timeout=1.0)
    released = [event for event in plain.replay(stream, settings, OFF) if isinstance(event, Released)]
    assert [(event.t, event.message.text) for event in released] == [(1_100_000, "Please wait "), (3 * SECOND, "now.")]
    [tally] = Count([[stream]], [settings], holding(OFF)).run()
    assert tally.messages.tolist() == [2]
    assert tally.broken.tolist() == [1]
    assert np.repeat(MIDDLES, tally.delays[0]) == pytest.approx([0, 1_000_000, 1_100_000], rel=0.01)


def test_the_language_of_the_windows_is_that_of_moderation_too() -> None:
    pieces = ["Heute ", "ist es schwül", " und", " heiß."]
    stream = stream_of("s", [(SECOND * i, piece) for i, piece in enumerate(pieces)], 4 * SECOND, 4)
    assert isinstance(stream, Stream)
    policy, german = Policy(pii=(), blocklist=("schwul und",)), WindowSettings(mode="none", language="de")
    assert_same([stream], [german], policy)
    assert_same([stream], [WindowSettings(mode="none")], policy)
    shown = [event.message.text for event in plain.replay(stream, german, policy) if isinstance(event, Released)]
    assert "".join(shown) == "".join(pieces)


@pytest.mark.parametrize(
    "text", ["a" * 25 + "2﹐wordhttps://", "三十五" * 9 + "人", "5，" * 8 + " 1 000 items, 2 more"]
)
@pytest.mark.parametrize("mode", ["sentence", "clause", "paragraph"])
def test_a_full_window_that_waits_for_a_place_is_cut_at_the_same_one(text: str, mode: Any) -> None:
    stream = stream_of("s", [(0, text)], SECOND, 1)
    assert isinstance(stream, Stream)
    assert_same([stream], [WindowSettings(mode=mode, max_chars=most) for most in (3, 4, 7, 12)], OFF)


def test_turns_of_hours_are_walked_too() -> None:
    stream = stream_of("s", [(0, "One. "), (4_000 * SECOND, "Two. "), (9_000 * SECOND, "Three.")], 9_000 * SECOND, 3)
    assert isinstance(stream, Stream)
    assert_same([stream], [WindowSettings(timeout=0), WindowSettings(timeout=5, min_chars=40)], OFF)
