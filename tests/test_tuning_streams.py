"""analytics.tuning.streams: what is tuned on, from recordings and from JSON lines of tokens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from analytics.tuning.count import Count
from analytics.tuning.hold import holding
from analytics.tuning.streams import NO_END, NO_TEXT, NO_TIMES, TOO_LONG, Streams, read
from connectors.errors import InputError
from connectors.log.records import Message
from flows.replay import replay
from flows.settings import load

RECORDINGS = Path(__file__).parents[1] / "recordings"
EVALUATION = Path(__file__).parents[2] / "shared" / "evaluation" / "streams.jsonl"
HEADER = {"format": "tokenweir", "version": 1, "vendor": "cxone", "created": "2026-11-20T12:00:00Z"}


def written(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def frame(t: int, token: str, **of: Any) -> dict[str, Any]:
    return {"t": t, "s": "s-1", "n": 0, "k": "frame", "d": json.dumps({"token": token, "finished": False}), **of}


OPEN = {"t": 0, "s": "s-1", "n": 0, "k": "open", "d": {"prompt": "?", "tenant": "acme", "model": "m", "language": "de"}}
CLOSE = {"t": 900, "s": "s-1", "n": 0, "k": "close", "d": {"reason": "finished"}}


def test_a_line_of_tokens_is_a_stream(tmp_path: Path) -> None:
    path = written(
        tmp_path / "a.jsonl", {"id": "a", "tokens": ["Hel", "lo", "!"], "t_ms": [5, 5.25, 36], "tenant": "t"}
    )
    [stream] = read([path]).streams
    assert (stream.session, stream.text, stream.tenant, stream.tokens) == ("a", "Hello!", "t", 3)
    assert (stream.ends.tolist(), stream.times.tolist(), stream.closed) == ([3, 5, 6], [0, 250, 31_000], 31_000)
    assert list(stream.pieces()) == ["Hel", "lo", "!"]


def test_characters_that_were_split_are_whole_and_halves_have_no_delay(tmp_path: Path) -> None:
    rows = [
        {"id": "pair", "tokens": ["Hi ", "\ud83d", "\ude00"], "t_ms": [0, 1, 2]},
        {"id": "bytes", "tokens": ["<0xE2>", "<0x82>", "<0xAC>"], "t_ms": [0, 1, 2]},
        {"id": "half", "tokens": ["", "a", "\ud83d"], "t_ms": [0, 1, 2]},
    ]
    pair, whole, half = read([written(tmp_path / "a.jsonl", *rows)]).streams
    assert (pair.text, pair.ends.tolist(), pair.times.tolist(), pair.tokens) == ("Hi 😀", [3, 4], [0, 2_000], 3)
    assert (whole.text, whole.times.tolist(), whole.closed, whole.tokens) == ("€", [0], 0, 3)
    assert (half.text, half.times.tolist(), half.tokens) == ("a\ufffd", [0, 1_000], 3)


def test_a_recording_goes_through_reassembly(tmp_path: Path) -> None:
    path = written(tmp_path / "r.jsonl", HEADER, OPEN, frame(100, "Hel"), frame(350, "lo"), CLOSE)
    [stream] = read([path]).streams
    assert (stream.session, stream.text, stream.times.tolist(), stream.closed) == ("s-1", "Hello", [0, 250], 800)
    assert (stream.tenant, stream.model, stream.language) == ("acme", "m", "de")


def test_what_cannot_be_tuned_on_is_counted(tmp_path: Path) -> None:
    written(
        tmp_path / "a.jsonl",
        {"tokens": ["a"], "t_ms": None},
        {"tokens": [], "t_ms": []},
        {"tokens": ["b"], "t_ms": [0]},
        {"tokens": ["b", "c"], "t_ms": [0, 90_000_000]},
    )
    written(tmp_path / "b.jsonl", HEADER, OPEN, frame(1, "a"))
    found = read([tmp_path])
    assert len(found.streams) == 1
    assert found.left_out == {NO_TIMES: 1, NO_TEXT: 1, NO_END: 1, TOO_LONG: 1}


@pytest.mark.parametrize(
    ("row", "wrong"),
    [
        ({"tokens": ["secret"], "t_ms": [0, 1]}, "2 times for 1 tokens"),
        ({"tokens": ["secret", "b"], "t_ms": [1, 0]}, "backwards"),
        ({"tokens": ["secret"], "t_ms": [-1]}, "backwards"),
        ({"tokens": "secret"}, "tokens"),
        ({"t_ms": [0]}, "tokens"),
        ([1], "Expected"),
    ],
)
def test_a_line_that_is_none_is_named_and_not_quoted(tmp_path: Path, row: Any, wrong: str) -> None:
    path = written(tmp_path / "a.jsonl", {"tokens": ["a"], "t_ms": [0]}, row)
    with pytest.raises(InputError, match=wrong) as raised:
        read([path])
    assert "line 2" in str(raised.value)
    assert "secret" not in str(raised.value)


def test_what_is_no_json_at_all_is_an_error_too(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\xff\xfe\n")
    with pytest.raises(InputError, match="line 1"):
        read([path])


@pytest.mark.parametrize("paths", [["missing.jsonl"], ["empty"]])
def test_a_path_without_recordings_is_an_error(tmp_path: Path, paths: list[str]) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError):
        read([tmp_path / path for path in paths])


def test_with_nothing_to_tune_on_it_says_why(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="2 without times"):
        read([written(tmp_path / "a.jsonl", *[{"tokens": ["a"]}] * 2)])


@pytest.mark.parametrize(
    "name", ["clean", "pii", "blocked-word", "markdown", "silence", "long", "languages", "continued"]
)
def test_a_recording_has_as_many_messages_as_its_replay(name: str) -> None:
    path, settings = RECORDINGS / f"{name}.jsonl", load(RECORDINGS / "settings.toml", {})
    shown: list[Message] = []
    replay(path, settings, shown.append)
    found = read([path])
    [tally] = Count([found.streams], [settings.window], holding(settings.moderation)).run()
    assert not found.left_out
    assert tally.messages.tolist() == [len(shown)]
    assert tally.windows.tolist() == [sum(message.text != "" for message in shown)]


@pytest.mark.skipif(not EVALUATION.exists(), reason="the evaluation data is not here")
def test_the_evaluation_rows_with_times_are_streams() -> None:
    found: Streams = read([EVALUATION])
    assert len(found.streams) == 32
    assert set(found.left_out) == {NO_TIMES}
