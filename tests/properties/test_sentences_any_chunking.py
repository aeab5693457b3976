"""Sentences are a function of the text alone, whatever the pieces it came in."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from flows.sentences import SentenceSplitter
from flows.sentences.languages import LANGUAGES

WORDS = """
    Dr Mr U.S U.K a.m p.m Inc etc No Fig e.g z B St I A b it It The Senate Monday word Word was 1 2 12 3.5 Yahoo Who
    Weekly https://a.b/c?d=E x@y.z v1.2 ``` ~~~ ` ` ** _ # ## | - • > 1. 2) a. ii. [1] [ ] ( ) { } < <3 :) :-) :- : ;
    , . . . ! ? .. ... … 。 ！ ？ । ؟ ። ։ ． 「 」 《 》 “ ” „ « » " ' '' — – - 😀 👍🏽 ✓ é ß İ 走 と नमस्ते سلام ﬁ
    und nicht für Ihre que para merci это что не Std Sig EE UU 3. 7.10. Okt XX ᠃ ꧉ ﹒ monatl Mo.–Fr
"""
SPACES = [" ", " ", " ", "  ", "\n", "\n\n", "\t", "\r\n", "\u00a0", "    ", ". ", ". A", ".\n", '."', ".) "]
LONG = [" " * 300, " " * 511, "\t" * 600, "\n" + " " * 600, "```\nx\n" + "`" * 600]
LONG += ["x" * 300, "A b. " * 60, "." * 80, "(" * 20, "😀" * 40]
SHORT = st.lists(st.sampled_from([*WORDS.split(), *SPACES]), max_size=30).map("".join) | st.text(max_size=40)
TEXTS = st.tuples(SHORT, st.sampled_from(["", "", "", *LONG]), SHORT).map("".join)
CODES = st.sampled_from([*LANGUAGES, "xx", None])


def pieces_after(text: str, language: str | None) -> list[str]:
    return SentenceSplitter(language).feed(text)


@st.composite
def cut_texts(draw: st.DrawFn) -> list[str]:
    text = draw(TEXTS)
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=12)))
    return [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]


@settings(deadline=None)  # no test measures speed
@given(cut_texts(), CODES)
def test_the_pieces_are_the_text_and_the_same_under_every_chunking(parts: list[str], language: str | None) -> None:
    text = "".join(parts)
    whole, cut = SentenceSplitter(language), SentenceSplitter(language)
    pieces = whole.feed(text) + whole.flush()
    assert "".join(pieces) == text
    assert all(pieces)
    assert [piece for part in parts for piece in cut.feed(part)] + cut.flush() == pieces


@settings(deadline=None)  # no test measures speed
@given(TEXTS, CODES)
def test_what_is_out_after_a_prefix_depends_on_that_prefix_alone(text: str, language: str | None) -> None:
    splitter = SentenceSplitter(language)
    out: list[str] = []
    for end, character in enumerate(text, 1):
        out += splitter.feed(character)
        assert out == pieces_after(text[:end], language)


@settings(deadline=None)  # no test measures speed
@given(cut_texts(), CODES)
def test_a_restored_splitter_goes_on_as_if_nothing_had_been(parts: list[str], language: str | None) -> None:
    through, resumed = SentenceSplitter(language), SentenceSplitter(language)
    for part in parts:
        snapshot = json.loads(json.dumps(resumed.snapshot()))
        resumed = SentenceSplitter(language)
        resumed.restore(snapshot)
        assert resumed.feed(part) == through.feed(part)
    assert resumed.flush() == through.flush()


@settings(deadline=None)  # no test measures speed
@given(cut_texts(), CODES, st.sampled_from([1, 10, 700]))
def test_the_measures_are_those_of_the_pieces(parts: list[str], language: str | None, times: int) -> None:
    fed, measured = SentenceSplitter(language), SentenceSplitter(language)
    for count, part in enumerate(parts * (1 + times // len(parts))):
        if count % 300 == 1:
            snapshot = json.loads(json.dumps(measured.snapshot()))
            measured = SentenceSplitter(language)
            measured.restore(snapshot)
        assert measured.measure(part) == [len(piece) for piece in fed.feed(part)]
    assert measured.measure("", final=True) == [len(piece) for piece in fed.flush()]


@settings(deadline=None)  # no test measures speed
@given(cut_texts())
def test_settings_of_the_user_change_nothing_of_that(parts: list[str]) -> None:
    settings = {"abbreviations": ["word"], "flush_overrides": [r"\d\.", "Word!"]}
    whole, cut = SentenceSplitter("en", **settings), SentenceSplitter("en", **settings)
    pieces = whole.feed("".join(parts)) + whole.flush()
    assert [piece for part in parts for piece in cut.feed(part)] + cut.flush() == pieces
