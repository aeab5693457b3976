"""flows.recordings: captures into recordings and back, and the shapes they are read by."""

from __future__ import annotations

import base64
import json
import os
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import InputError
from connectors.log.files import LogReader
from connectors.log.records import CLOSE, FRAME, OPEN, Record
from connectors.sse import Event, encode
from flows.recordings.captures import About, from_lines, from_sse, import_file, session_of
from flows.recordings.export import export
from flows.recordings.outcome import outcome
from flows.recordings.shapes import read
from flows.settings import parse
from tests.conftest import EVALUATION

CHUNKS = EVALUATION / "http_chunks.jsonl"
ABOUT = About(session="s")


def body(*data: object, end: str = "data: [DONE]\n\n") -> bytes:
    return "".join(f"data: {json.dumps(each)}\n\n" for each in data).encode() + end.encode()


def openai(*tokens: str) -> list[object]:
    return [{"model": "gpt-x", "choices": [{"delta": {"content": token}}]} for token in tokens]


def records_of(path: Path) -> list[Record]:
    return [record for record, _ in LogReader(path).read()]


def shown(path: Path) -> str:
    result = outcome(path, parse({}))
    return "".join(result.text(*key) for key in result.keys)


@pytest.mark.parametrize(
    ("data", "path"),
    [
        ({"choices": [{"delta": {"content": "a"}}]}, "choices.0.delta.content"),
        ({"candidates": [{"content": {"parts": [{"text": "a"}]}}]}, "candidates.0.content.parts.*.text"),
        ({"token": "a", "finished": False}, "token"),
    ],
)
def test_a_common_shape_is_known_by_itself(data: object, path: str) -> None:
    reading = read([Event(data=json.dumps(data)), Event(data="[DONE]")])
    assert (reading.path, reading.tokens) == (path, [["a"], []])


def test_anthropics_text_is_taken_and_its_thoughts_only_where_there_is_none() -> None:
    thought = Event("content_block_delta", json.dumps({"delta": {"thinking": "hm"}}))
    said = Event("content_block_delta", json.dumps({"delta": {"text": "Hi"}}))
    assert read([thought, said]).tokens == [[], ["Hi"]]
    assert read([thought]).tokens == [["hm"]]


def test_where_no_text_is_found_the_error_names_paths_and_quotes_nothing() -> None:
    with pytest.raises(InputError, match=r"--token-path, perhaps one of: answer\.piece") as error:
        read([Event(data=json.dumps({"id": "x", "answer": {"piece": text}})) for text in ("secret", "words")])
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("path", ["", "a..b", ".a", "a b", "x" * 10 + "!"])
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(InputError, match="no token path"):
        read([Event(data="{}")], path=path)


def test_a_saved_body_becomes_a_recording_that_replays_to_its_text(tmp_path: Path) -> None:
    (tmp_path / "answer.sse").write_bytes(body(*openai("Hello", " there.", " Bye")))
    made = import_file(tmp_path / "answer.sse", tmp_path / "greeting.jsonl", About(prompt="Say hello"))
    records = records_of(tmp_path / "greeting.jsonl")
    assert made.tokens == 3
    assert records[0].d == {"prompt": "Say hello", "model": "gpt-x"}
    assert {record.s for record in records} == {"greeting", ""}
    assert [record.t for record in records if record.k == FRAME] == [30_000, 60_000, 90_000, 120_000]
    assert shown(tmp_path / "greeting.jsonl") == "Hello there. Bye"


def test_a_body_that_breaks_off_is_an_interrupted_turn() -> None:
    records = from_sse([(None, body(*openai("Hello"), end=""))], ABOUT).records
    assert next(record.d for record in records if record.k == CLOSE) == {"reason": "interrupted"}


def test_what_arrives_through_a_pipe_has_times_of_its_own(tmp_path: Path) -> None:
    read_end, write_end = os.pipe()
    os.write(write_end, body(*openai("Hello")))
    os.close(write_end)
    with os.fdopen(read_end, "rb") as stream:
        import_file(stream, tmp_path / "live.jsonl", About())
    frames = [record for record in records_of(tmp_path / "live.jsonl") if record.k == FRAME]
    assert frames[0].t < 30_000


def test_lines_of_tokens_keep_their_times() -> None:
    lines = [b'{"id":"a","tokens":["Hi"," you"],"t_ms":[5,12.5]}', b'{"id":"b","tokens":["Yes"]}']
    records = from_lines(lines, ABOUT).records
    assert [(record.t, record.s) for record in records if record.k == OPEN] == [(0, "a"), (0, "b")]
    assert [record.t for record in records if record.s == "a" and record.k == FRAME] == [5_000, 12_500, 12_500]
    single = from_lines([b'{"token":"Hi","t_ms":7}', b'{"token":"!","t_ms":9}'], ABOUT).records
    assert [record.t for record in single if record.k == FRAME] == [7_000, 9_000, 9_000]


@pytest.mark.parametrize(
    ("lines", "match"),
    [
        ([b'{"tokens":["a"],"t_ms":[1,2]}'], "line 1: t_ms has 2 times for 1 tokens"),
        ([b'{"tokens":"a"}'], "line 1 is no stream of tokens"),
        ([b'{"id":"a","tokens":["x"]}', b'{"id":"a","tokens":["y"]}'], "the same `id`"),
        ([b"{}"], "neither `tokens` nor `token`"),
    ],
)
def test_lines_that_cannot_be_read_are_named(lines: list[bytes], match: str) -> None:
    with pytest.raises(InputError, match=match):
        from_lines(lines, ABOUT)


tokens = st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8), min_size=1, max_size=12)


@given(texts=tokens, cuts=st.lists(st.integers(0, 400), max_size=8))
def test_import_is_the_same_however_the_body_was_cut(texts: list[str], cuts: list[int]) -> None:
    whole = body(*openai(*texts))
    places = sorted({0, len(whole), *(cut for cut in cuts if cut < len(whole))})
    pieces = [(None, whole[a:b]) for a, b in pairwise(places)]
    assert from_sse(pieces, ABOUT) == from_sse([(None, whole)], ABOUT)


def test_export_gives_the_body_back(tmp_path: Path) -> None:
    events = [Event(data=json.dumps({"token": token, "finished": False}), id=f"c-{token}") for token in "abc"]
    events.append(Event(data='{"token":"","finished":true,"data":{"x":1}}', id="c-c"))
    source = b"".join(map(encode, events))
    (tmp_path / "a.sse").write_bytes(source)
    import_file(tmp_path / "a.sse", tmp_path / "a.jsonl", About())
    assert b"".join(export(tmp_path / "a.jsonl")) == source


def test_a_turn_that_was_continued_is_exported_as_if_nothing_had_broken(tmp_path: Path) -> None:
    recording = Path("recordings/repeated-same-ids.jsonl")
    (tmp_path / "a.sse").write_bytes(b"".join(export(recording)))
    import_file(tmp_path / "a.sse", tmp_path / "a.jsonl", About())
    assert shown(tmp_path / "a.jsonl") == shown(recording)


def test_which_turn_must_be_said_where_there_are_several() -> None:
    with pytest.raises(InputError, match="2 turns; choose one with --session and --turn: broken/0, whole/0"):
        list(export(Path("recordings/pii.jsonl")))


def test_a_files_name_makes_a_session_id() -> None:
    assert [session_of(Path(name)) for name in ("a b.jsonl", "x.jsonl.zst", "ü.jsonl")] == ["a-b", "x", "-"]


@pytest.mark.skipif(not CHUNKS.exists(), reason="evaluation data is not here")
def test_every_sse_body_of_the_evaluation_imports_and_replays(tmp_path: Path) -> None:
    count = 0
    for number, line in enumerate(CHUNKS.read_text(encoding="utf-8").splitlines()):
        row = json.loads(line)
        if not row["content_type"].startswith("text/event-stream"):
            continue
        file = tmp_path / f"{number}.sse"
        file.write_bytes(b"".join(map(base64.b64decode, row["chunks_b64"])))
        made = import_file(file, tmp_path / f"{number}.jsonl", About())
        result = outcome(tmp_path / f"{number}.jsonl", parse({"moderation": {"pii": []}}))
        assert made.tokens > 0
        assert result.turns[str(number), 0].outcome == "finished"
        assert result.turns[str(number), 0].tokens_received == made.tokens
        count += 1
    assert count == 26
