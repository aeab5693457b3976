"""flows.steps.cue: which texts the flow is to have at once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from connectors.log.records import Record
from flows.steps.cue import Cue
from flows.steps.events import Boundary, Text
from flows.steps.windows import Windows, WindowSettings

TOKENS = (
    *(
        "Yes",
        " we",
        " do",
        ".",
        "!",
        "?",
        " ",
        " It",
        " is",
        " 3",
        ".5",
        ",",
        "\n",
        "。",
        "そう",
        "…",
        '."',
        " no",
        ":",
    ),
    *(";", "नमस्ते", "।"),
)


def test_a_token_between_sentences_waits_and_what_may_end_one_does_not() -> None:
    cue = Cue(WindowSettings(), {})
    urgent = [token for token in ("We", " do", ".", " ", "It", " is", ", or", " not", "!\n", "No") if cue(token)]
    assert urgent == [".", " ", "It", " is", "!\n", "No"]


def test_without_windows_every_token_is_urgent() -> None:
    assert Cue(WindowSettings(mode="none"), {})("word")
    assert Cue(WindowSettings(), {"window": "none"})("word")


@given(st.lists(st.sampled_from(TOKENS), max_size=40), st.sampled_from(["sentence", "clause", "paragraph"]))
def test_whatever_token_ends_a_window_was_urgent(tokens: list[str], mode: str) -> None:
    settings = WindowSettings(mode=mode, timeout=0)  # type: ignore[arg-type]  # one of its modes
    opened = Record(0, "s", 0, "open", d={})
    windows, cue = Windows(settings, opened), Cue(settings, {})
    for t, token in enumerate(tokens):
        urgent = cue(token)
        out = list(windows.feed(Text(t, "s", 0, token, 1)))
        assert urgent or not any(isinstance(each, Boundary) for each in out), (tokens[: t + 1], token)
