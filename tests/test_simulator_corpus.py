"""What the simulator serves, what it must come out as, and when each token is due."""

from __future__ import annotations

import json
import math
import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import InputError
from connectors.simulator import Corpus, Faults, TokenStream
from connectors.simulator.answers import Pace
from connectors.simulator.corpus import joined
from connectors.simulator.texts import TEXTS, Text, cut
from connectors.vendors.cxone.simulator import CXoneAnswer

EVALUATION = Path(os.environ.get("TOKENWEIR_EVALUATION", "../shared/evaluation")) / "streams.jsonl"


def written(path: Path, *lines: object) -> Path:
    file = path / "streams.jsonl"
    file.write_bytes(b"".join(_line(line) + b"\n" for line in lines))
    return file


def _line(line: object) -> bytes:
    return line if isinstance(line, bytes) else json.dumps(line).encode()


def test_our_texts_come_out_as_they_were_written() -> None:
    corpus = Corpus.builtin()
    assert [corpus.text(text.name) for text in TEXTS] == [text.text for text in TEXTS]
    for stream in corpus:
        assert stream.t_ms is not None
        assert len(stream.t_ms) == len(stream.tokens)
        assert list(stream.t_ms) == sorted(stream.t_ms)


def test_our_texts_hold_what_makes_streams_hard() -> None:
    corpus = Corpus.builtin()

    def lone(token: str) -> bool:
        return any("\ud800" <= char <= "\udfff" for char in token)

    assert any(map(lone, corpus["japanese"].tokens))
    assert "<0xE2>" in corpus["bytes"].tokens
    assert "frobnicate" in corpus.text("blocked")
    assert "frobnicate" not in "|".join(corpus["blocked"].tokens)
    cards = re.findall(r"(?:\d{4}[ -]){3}\d{4}", corpus.text("account"))
    assert [_luhn(card) for card in cards] == [True, True]
    gaps = [b - a for a, b in zip(corpus["slow"].t_ms or (), (corpus["slow"].t_ms or ())[1:], strict=False)]
    assert max(gaps) > 3000


def _luhn(card: str) -> bool:
    digits = [int(digit) for digit in card if digit.isdigit()][::-1]
    return (sum(digits[::2]) + sum(sum(divmod(2 * digit, 10)) for digit in digits[1::2])) % 10 == 0


@given(st.text(), st.sampled_from(["none", "surrogates", "bytes"]))
def test_whatever_is_cut_joins_to_the_same_text(text: str, how: str) -> None:
    tokens = list(cut(Text("x", "?", text, how)))  # type: ignore[arg-type] # one of the words
    assert all(tokens)
    assert joined(tokens) == text


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        ([], ""),
        (["a", "", "b"], "ab"),
        (["\ud83d", "\ude00"], "😀"),
        (["x\ud83d", "", "\ude00y"], "x😀y"),
        (["\ud83d", "x"], "\ufffdx"),
        (["\ude00"], "\ufffd"),
        (["<0xE2>", "<0x82>", "<0xAC>"], "€"),
        (["<0xe2>", "", "<0x82>", "<0xac>"], "€"),
        (["<0xE2>", "<0x82>", "x"], "\ufffdx"),
        (["<0xFF>", "<0x41>"], "\ufffdA"),
        (["a <0x41>"], "a <0x41>"),
    ],
)
def test_tokens_spell_a_text(tokens: list[str], text: str) -> None:
    assert joined(tokens) == text


def test_a_file_gives_its_streams_by_name_prompt_and_number(tmp_path: Path) -> None:
    corpus = Corpus.read(
        written(
            tmp_path,
            {"id": "one", "tokens": ["a", "b"], "t_ms": [0, 10.5], "prompt": "say ab", "kind": "text"},
            b"",
            {"tokens": ["\ud83d", "\ude00"], "t_ms": None, "faults": "drop=rst@1"},
            {"name": "none", "tokens": []},
        )
    )
    assert corpus.names == ("one", "line-3", "none")
    assert corpus["one"].t_ms == (0, 10.5)
    assert corpus.asked("say ab") is corpus.find("one") is corpus.find("0") is corpus.at(3)
    assert corpus.find("4") is None
    assert corpus.text("line-3") == "😀"
    assert corpus["line-3"].faults == Faults.parse("drop=rst@1")
    assert corpus.text("none") == ""
    assert len(corpus) == 3
    assert "one" in corpus


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"{", "not JSON at character"),
        (b'"text"', "not a JSON object"),
        (b"\xff", "not UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
        ({}, "tokens"),
        ({"tokens": "abc"}, r"\$\.tokens"),
        ({"tokens": ["a", 1]}, r"\$\.tokens\[1\]"),
        ({"tokens": ["a"], "t_ms": [1, 2]}, "2 times for 1 tokens"),
        ({"tokens": ["a", "b"], "t_ms": [2, 1]}, "runs backwards"),
        (b'{"tokens": ["a"], "t_ms": [NaN]}', "not a number of milliseconds"),
        ({"tokens": ["a"], "t_ms": [-1]}, "not a number of milliseconds"),
        ({"tokens": ["a"], "faults": "drop=up@1"}, "fin, rst, end, error"),
        ({"id": "good", "tokens": ["a"]}, "that of line 1"),
    ],
)
def test_a_bad_line_is_named_with_its_file_and_quotes_no_text(tmp_path: Path, line: object, said: str) -> None:
    path = written(tmp_path, {"id": "good", "tokens": ["a"]}, line)
    with pytest.raises(InputError, match=said) as error:
        Corpus.read(path)
    assert str(path) in str(error.value)
    assert "line 2" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_or_empty_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        Corpus.read(tmp_path / "nothing.jsonl")
    with pytest.raises(InputError, match="empty"):
        Corpus.read(written(tmp_path))


@pytest.mark.skipif(not EVALUATION.exists(), reason="the evaluation data is not there")
def test_the_recorded_streams_are_read() -> None:
    corpus = Corpus.read(EVALUATION)
    assert len(corpus) > 1000
    assert all(stream.text == "".join(stream.tokens) for stream in corpus)


# Pacing.


def dues(stream: TokenStream, pace: Pace, faults: str = "", **changed: int) -> list[float]:
    answer = CXoneAnswer(stream, Faults.parse(faults), pace, turn=0, **changed)
    return [round(piece.due, 6) for piece in answer.pieces() if b"data:" in piece.data]


TIMED = TokenStream("timed", tuple("abc"), (500.0, 600.0, 900.0))
UNTIMED = TokenStream("untimed", tuple("abc"))


def test_tokens_are_due_by_their_own_times_by_an_interval_or_at_once() -> None:
    assert dues(TIMED, Pace()) == [0.5, 0.6, 0.9, 0.9]
    assert dues(TIMED, Pace(speed=10)) == [0.05, 0.06, 0.09, 0.09]
    assert dues(TIMED, Pace(speed=0)) == [0, 0, 0, 0]
    assert dues(TIMED, Pace(interval=0.5)) == [0, 0.5, 1, 1]
    assert dues(TIMED, Pace(speed=2, interval=0.5)) == [0, 0.25, 0.5, 0.5]
    assert dues(UNTIMED, Pace()) == [0, 0.02, 0.04, 0.04]


def test_a_continuation_begins_at_once_and_keeps_the_gaps() -> None:
    assert dues(TIMED, Pace(), first=1, attempt=1) == [0, 0.3, 0.3]
    assert dues(TIMED, Pace(), "repeat=1", first=2, attempt=1) == [0, 0.3, 0.3]


def test_the_seconds_of_faults_are_real_and_a_stall_happens_once() -> None:
    assert dues(TIMED, Pace(speed=0), "slow=1") == [1, 2, 3, 3]
    assert dues(TIMED, Pace(speed=0), "stall=5@1,stall=1@1") == [0, 6, 6, 6]
    assert dues(TIMED, Pace(speed=10), "stall=5@last") == [0.05, 0.06, 0.09, 5.09]
    assert dues(TIMED, Pace(speed=0), "stall=inf@2")[2:] == [math.inf, math.inf]
    assert dues(TIMED, Pace(speed=0), "stall=5@2,repeat=1", first=2, attempt=1) == [0, 0, 0]
