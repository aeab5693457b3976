"""flows.recordings: captures into recordings and back, and the shapes they are read by."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import os
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import eventstream
from connectors.errors import InputError
from connectors.log.files import LogReader
from connectors.log.records import CLOSE, FRAME, OPEN, Record
from connectors.sse import Event, encode
from connectors.vendors.registry import named
from flows.recordings.captures import Imported, from_chunks, from_lines, import_file, session_of
from flows.recordings.export import export
from flows.recordings.imports import About
from flows.recordings.outcome import outcome
from flows.settings import parse
from flows.steps.events import Text
from flows.steps.reassembly import Reassembly
from tests.conftest import EVALUATION
from tests.test_decoders import CASES

CHUNKS = EVALUATION / "http_chunks.jsonl"
ABOUT = About(session="s")


def body(*data: object, end: str = "data: [DONE]\n\n") -> bytes:
    return "".join(f"data: {json.dumps(each)}\n\n" for each in data).encode() + end.encode()


def openai(*tokens: str) -> list[object]:
    said: list[object] = [{"model": "gpt-x", "choices": [{"delta": {"content": token}}]} for token in tokens]
    return [*said, {"choices": [{"delta": {}, "finish_reason": "stop"}]}]


def from_body(data: bytes, **asked: Any) -> Imported:
    return from_chunks([(None, data)], ABOUT, **asked)


def told(made: Imported) -> list[tuple[str, str, str]]:
    """Of each turn its session, what a person would have seen, and how it ended."""
    cores: dict[tuple[str, int], tuple[Reassembly, list[str]]] = {}
    ended = []
    for record in made.records:
        if not record.s:
            continue
        core, texts = cores.setdefault((record.s, record.n), (Reassembly(named(made.vendor).decoder()), []))
        texts += [event.text for event in core.feed(record) if isinstance(event, Text)]
        if record.k == CLOSE:
            assert isinstance(record.d, dict)
            ended.append((record.s, "".join(texts), str(record.d["reason"])))
    return sorted(ended)


def records_of(path: Path) -> list[Record]:
    return [record for record, _ in LogReader(path).read()]


def shown(path: Path) -> str:
    result = outcome(path, parse({}))
    return "".join(result.text(*key) for key in result.keys)


def test_where_no_text_is_found_the_error_names_paths_and_quotes_nothing() -> None:
    with pytest.raises(InputError, match=r"--token-path, perhaps one of: answer\.piece") as error:
        from_body(body(*({"id": "x", "answer": {"piece": text}} for text in ("secret", "words"))))
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("path", ["", "a..b", ".a", "a b", "x" * 10 + "!"])
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(InputError, match="no token path"):
        from_body(body({}), path=path)


def test_a_path_of_ones_own_makes_the_plainest_frames() -> None:
    data = body(*({"id": "x", "answer": [{"piece": text}]} for text in ("Hel", "lo")))
    made = from_body(data, path="answer.*.piece")
    assert (made.vendor, made.tokens, made.path) == ("cxone", 2, "answer.*.piece")
    assert next(record.d for record in made.records if record.k == FRAME) == '{"token":"Hel","finished":false}'
    with pytest.raises(InputError, match=r"no text by 'message:answer\.piece' in 3 events"):
        from_body(data, path="message:answer.piece")


def test_a_saved_body_becomes_a_recording_that_replays_to_its_text(tmp_path: Path) -> None:
    (tmp_path / "answer.sse").write_bytes(body(*openai("Hello", " there.", " Bye")))
    made = import_file(tmp_path / "answer.sse", tmp_path / "greeting.jsonl", About(prompt="Say hello"))
    records = records_of(tmp_path / "greeting.jsonl")
    assert made.tokens == 3
    assert records[0].d == {"prompt": "Say hello", "model": "gpt-x"}
    assert {record.s for record in records} == {"greeting", ""}
    assert [record.t for record in records if record.k == FRAME] == [30_000, 60_000, 90_000, 120_000, 150_000]
    assert shown(tmp_path / "greeting.jsonl") == "Hello there. Bye"


def test_a_body_that_breaks_off_is_an_interrupted_turn() -> None:
    assert told(from_body(body(*openai("Hello")[:1], end=""))) == [("s", "Hello", "interrupted")]


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
    assert from_chunks(pieces, ABOUT) == from_body(whole)


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
def test_every_body_of_the_evaluation_imports_and_replays(tmp_path: Path) -> None:
    count = silent = 0
    for number, line in enumerate(CHUNKS.read_text(encoding="utf-8").splitlines()):
        row = json.loads(line)
        file = tmp_path / f"{number}.sse"
        file.write_bytes(b"".join(map(base64.b64decode, row["chunks_b64"])))
        made = import_file(file, tmp_path / f"{number}.jsonl", About())
        result = outcome(tmp_path / f"{number}.jsonl", parse({"moderation": {"pii": []}}))
        assert result.turns[str(number), 0].outcome == "finished"
        assert result.turns[str(number), 0].tokens_received == made.tokens
        assert not result.dead
        silent += made.tokens == 0
        count += 1
    assert (count, silent) == (28, 6), "those that only call a tool"


# Every answer that the decoders are tested by, in every way that it may come


def closing(ending: str) -> set[str]:
    return {"vendor_error"} if ending == "vendor_error" else {ending}


def as_events(frames: list[str]) -> bytes:
    return b"".join(encode(Event(data=frame)) for frame in frames)


def as_lines(frames: list[str]) -> bytes:
    return "\r\n".join(frames).encode()


def as_array(frames: list[str]) -> bytes:
    return ("\ufeff[" + ",\n".join(frames) + "]\n").encode()


def as_binary(frames: list[str]) -> bytes:
    return b"".join(eventstream.encode({":event-type": "x"}, frame.encode()) for frame in frames)


def as_payloads(frames: list[str]) -> bytes:
    wrapped = [{"bytes": base64.b64encode(frame.encode()).decode(), "p": "abc"} for frame in frames]
    return b"".join(eventstream.encode({":event-type": "chunk"}, json.dumps(each).encode()) for each in wrapped)


def as_pieces(frames: list[str]) -> bytes:
    lines = [{"req": "POST /x", "headers": ["Authorization: Bearer sk"], "body": {}}, {"status": "HTTP/1.1 200 OK"}]
    pieces = [{"t_ms": 5.5, "chunk": as_events([frame]).decode()} for frame in frames]
    return "\n".join(map(json.dumps, [*lines, *pieces])).encode()


def as_har(frames: list[str]) -> bytes:
    content = {"mimeType": "text/event-stream", "text": base64.b64encode(as_events(frames)).decode()}
    response = {"status": 200, "content": {**content, "encoding": "base64"}}
    return json.dumps({"log": {"entries": [{"request": {}, "response": response}]}}, indent=1).encode()


WAYS = (as_events, as_lines, as_array, as_binary, as_payloads, as_pieces, as_har)
AS_IT_IS = [case for case in CASES if case["vendor"] != "cognigy_endpoint" and "[DONE]" not in case["frames"]]


@pytest.mark.parametrize("way", WAYS)
def test_every_answer_is_the_same_in_every_way_that_it_comes(way: Any) -> None:
    for case in CASES if way in (as_events, as_pieces, as_har) else AS_IT_IS:
        if case["vendor"] == "cognigy_endpoint":
            continue
        made = from_body(way(case["frames"]), shape=case["vendor"])
        assert told(made) == [("s", case["text"], case["ending"])], case["id"]


def test_every_answer_is_known_by_itself() -> None:
    found = {}
    for case in CASES:
        way = as_socket if case["vendor"] == "cognigy_endpoint" else as_events
        try:
            found[case["id"]] = from_body(way(case["frames"])).vendor
        except InputError:
            found[case["id"]] = ""
    different = {case["id"]: found[case["id"]] for case in CASES if found[case["id"]] != case["vendor"]}
    assert different == {
        "Messages: no type": "",  # the event's name would say it
        "Cohere: refused": "",  # so says many a server
    }


@given(case=st.sampled_from(AS_IT_IS), way=st.sampled_from(WAYS[:5]), cuts=st.lists(st.integers(0, 2_000), max_size=6))
def test_every_answer_is_the_same_however_its_bytes_were_cut(case: dict[str, Any], way: Any, cuts: list[int]) -> None:
    whole = way(case["frames"])
    places = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    made = from_chunks([(7, whole[a:b]) for a, b in pairwise(places)], ABOUT, shape=case["vendor"])
    assert told(made) == [("s", case["text"], case["ending"])]
    assert made.timed


@pytest.mark.parametrize("way", WAYS[:5])
def test_a_body_cut_at_any_byte_loses_no_text_before_the_cut(way: Any) -> None:
    case = next(case for case in CASES if case["id"] == "Bedrock")
    whole = way(case["frames"])
    for cut in range(1, len(whole)):
        try:
            [(_, text, reason)] = told(from_body(whole[:cut], shape="bedrock"))
        except InputError:
            continue
        assert text == ("Hey" if cut >= len(way(case["frames"][:2])) else text or "")
        assert reason == ("finished" if cut >= len(way(case["frames"][:3])) else reason)
        assert (text in ("", "Hey"), reason in ("finished", "interrupted", "malformed")) == (True, True)


# Files of requests and answers

CHAT = as_events([json.dumps(each) for each in openai("Hello", " there.")])
ASKED = json.dumps({"model": "m-1", "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi?"}]}]})


def har(*entries: dict[str, Any]) -> bytes:
    return json.dumps({"log": {"version": "1.2", "entries": list(entries)}}).encode()


def entry(text: str, status: int = 200, asked: str = ASKED, **more: Any) -> dict[str, Any]:
    headers = [{"name": "Authorization", "value": "Bearer sk-secret"}]
    request = {"method": "POST", "url": "https://x/v1", "headers": headers, "postData": {"text": asked}}
    return {"request": request, "response": {"status": status, "content": {"text": text}}, **more}


def test_a_har_file_is_a_session_an_answer_and_says_what_it_left_out() -> None:
    made = from_body(har(entry("<html>", asked=""), entry(CHAT.decode()), entry("", 404, ""), entry("{}", 429)))
    assert told(made) == [("s-1", "Hello there.", "finished"), ("s-2", "", "rate_limited")]
    assert (made.left_out, made.failed) == (2, {"rate_limited": 1})
    opened = [record.d for record in made.records if record.k == OPEN]
    assert opened[0] == {"prompt": "Hi?", "model": "gpt-x"}
    assert "sk-secret" not in repr(made)


def test_a_har_files_events_have_times() -> None:
    events = [
        {"time": 1_700_000_000.5 + place, "eventName": "message", "eventId": "", "data": json.dumps(each)}
        for place, each in enumerate(openai("Hi"))
    ]
    made = from_body(har(entry("", startedDateTime="2023-11-14T22:13:20Z", _eventSourceMessages=events)))
    assert [record.t for record in made.records if record.k == FRAME] == [500_000, 1_500_000]
    assert made.timed


def test_a_har_file_of_two_vendors_asks_whose_to_take() -> None:
    messages = as_events(next(case["frames"] for case in CASES if case["id"] == "Messages"))
    both = har(entry(CHAT.decode()), entry(messages.decode()))
    with pytest.raises(InputError, match="answers of openai, anthropic in it; say with --preset"):
        from_body(both)
    made = from_body(both, shape="anthropic")
    assert (told(made), made.left_out) == ([("s", "Hello", "finished")], 1)


CASSETTE = """interactions:
- request:
    body: '{"model": "m-1", "messages": [{"role": "user", "content": "Hi?"}]}'
    headers: {authorization: [Bearer sk-secret]}
    method: POST
    uri: https://x/v1/chat/completions
  response:
    body:
      string: %s
    headers: {content-type: [text/event-stream]}
    status: {code: 200, message: OK}
version: 1
"""


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(CHAT.decode()),
        "!!binary |\n        " + base64.b64encode(CHAT).decode(),
        "!!binary |\n        " + base64.b64encode(gzip.compress(CHAT)).decode(),
    ],
    ids=["text", "bytes", "compressed"],
)
def test_a_cassette_in_yaml_is_a_session_an_answer(text: str) -> None:
    pytest.importorskip("yaml")
    made = from_body((CASSETTE % text).encode())
    assert told(made) == [("s", "Hello there.", "finished")]
    assert next(record.d for record in made.records if record.k == OPEN) == {"prompt": "Hi?", "model": "gpt-x"}
    assert "sk-secret" not in repr(made)


def test_a_cassette_in_json_is_one_too() -> None:
    answer = {"status": {"code": 200}, "body": {"base64_string": base64.b64encode(CHAT).decode()}}
    asked = {"body": {"string": ASKED}}
    made = from_body(json.dumps({"http_interactions": [{"request": asked, "response": answer}] * 2}).encode())
    assert told(made) == [("s-1", "Hello there.", "finished"), ("s-2", "Hello there.", "finished")]


def as_socket(frames: list[str], **end: Any) -> bytes:
    asked = {"t": 10, "dir": ">", "frame": '42["processInput",{"text":"Hi?","URLToken":"secret"}]'}
    lines = [{"t": 1, "dir": ">", "upgrade": "/socket.io/?urlToken=secret"}, asked]
    lines += [{"t": 20 + place, "dir": "<", "frame": frame} for place, frame in enumerate(frames)]
    return "\n".join(map(json.dumps, [*lines, {"t": 90, "dir": "<", "close": 1006, **end}])).encode()


def as_polled(frames: list[str]) -> bytes:
    lines = [
        {"t": 1, "dir": ">", "http": "POST /socket.io/", "body": '42["processInput",{"text":"Hi?"}]'},
        {"t": 2, "dir": "<", "http": 200, "body": "ok"},
        {"t": 3, "dir": "<", "http": 200, "body": "\x1e".join(frames)},
    ]
    return "\n".join(map(json.dumps, lines)).encode()


def as_polled_by_length(frames: list[str]) -> bytes:
    return as_polled(["".join(f"{len(frame)}:{frame}" for frame in frames)])


@pytest.mark.parametrize("way", [as_socket, as_polled, as_polled_by_length])
def test_every_answer_of_a_socket_is_the_same_in_every_way_that_it_comes(way: Any) -> None:
    for case in CASES:
        if case["vendor"] == "cognigy_endpoint":
            made = from_body(way(case["frames"]))
            assert told(made) == [("s", case["text"], case["ending"])], case["id"]
            assert next(record.d for record in made.records if record.k == OPEN) == {"prompt": "Hi?"}
            assert "secret" not in repr(made)


def test_a_sockets_turns_begin_with_what_was_asked() -> None:
    frames = next(case["frames"] for case in CASES if case["id"] == "endpoint")
    first, second = as_socket(frames).splitlines(), as_socket(frames).splitlines()[1:]
    assert told(from_body(b"\n".join([*first[:-1], *second]))) == [("s", "One. Two.", "finished")] * 2
    answers = first[2:-1]
    together = [first[0], first[1], first[1], *answers, *answers, first[-1]]
    assert told(from_body(b"\n".join(together))) == [("s", "One. Two. One. Two.", "finished")]


def test_a_socket_that_nothing_came_over_is_an_interrupted_turn() -> None:
    assert told(from_body(as_socket([]))) == [("s", "", "interrupted")]


# What tools write around a body

METER = (
    b"  % Total    % Received % Xferd  Average Speed   Time    Time     Time  Current\n"
    b"                                 Dload  Upload   Total   Spent    Left  Speed\n"
)
TICK = b"\r  0     0    0     0    0     0      0      0 --:--:--  0:00:01 --:--:--     0"
DONE_TICK = b"\r100 12.3k    0 1256k  100    62    900k     41k  0:00:01  0:00:01 --:--:-- 1022k\n"


@given(st.lists(st.integers(0, len(CHAT)), max_size=4))
def test_curls_progress_meter_swallows_no_token(places: list[int]) -> None:
    cuts = [0, *sorted(places), len(CHAT)]
    mixed = METER + TICK + TICK.join(CHAT[a:b] for a, b in pairwise(cuts)) + DONE_TICK
    assert told(from_body(mixed)) == [("s", "Hello there.", "finished")]


def test_a_head_says_the_status() -> None:
    head = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/2 200 \r\ncontent-type: text/event-stream\r\n\r\n"
    assert told(from_body(head + CHAT)) == [("s", "Hello there.", "finished")]
    verbose = b"* Connected to x\n> POST / HTTP/1.1\n>\n< HTTP/1.1 200 OK\n< \n{ [5 bytes data]\n" + CHAT
    assert told(from_body(verbose)) == [("s", "Hello there.", "finished")]
    assert told(from_body(b"HTTP/1.1 503 No\r\n\r\nupstream connect error")) == [("s", "", "interrupted")]


def test_a_compressed_body_is_read() -> None:
    assert told(from_body(gzip.compress(CHAT))) == [("s", "Hello there.", "finished")]
    with pytest.raises(InputError, match="compressed by gzip, and does not decompress"):
        from_body(b"\x1f\x8b" + bytes(20))


@pytest.mark.parametrize(
    ("status", "reason"),
    [(400, "refused"), (401, "refused"), (408, "interrupted"), (429, "rate_limited"), (500, "interrupted")],
)
def test_an_answer_with_a_status_ends_as_it_would_live(status: int, reason: str) -> None:
    lines = [{"status": f"HTTP/1.1 {status} No", "head": []}, {"t_ms": 3, "chunk": '{"error":{"message":"no"}}'}]
    made = from_body("\n".join(map(json.dumps, lines)).encode())
    assert told(made) == [("s", "", reason)]
    assert [record.d for record in made.records if record.k == "error"] == [
        {"kind": "rate_limited" if status == 429 else "status", "status": status, "retry": 1}
    ]


@pytest.mark.parametrize(
    ("said", "vendor"),
    [
        ('{"error":{"message":"no","type":"x","code":null}}', "openai"),
        ('{"type":"error","error":{"type":"overloaded_error"}}', "anthropic"),
        ('[{"error":{"code":429,"status":"RESOURCE_EXHAUSTED"}}]', "gemini"),
        ('{"error":"model not found"}', "ollama"),
        ('{"detail":"Not Found"}', "openai"),
    ],
)
def test_an_errors_body_is_a_turn_that_failed(said: str, vendor: str) -> None:
    made = from_body(said.encode())
    assert (made.vendor, told(made)) == (vendor, [("s", "", "vendor_error")])


@pytest.mark.parametrize(
    "said", [b"", b"<!doctype html><html>", b"Internal Server Error", b"\x00\x01\x02", b"[]", b"3"]
)
def test_what_is_no_answer_is_refused(said: bytes) -> None:
    with pytest.raises(InputError, match="give the body"):
        from_body(said)


def test_damage_in_a_binary_stream_ends_the_turn_and_keeps_what_came() -> None:
    case = next(case for case in CASES if case["id"] == "Bedrock")
    whole = bytearray(as_binary(case["frames"]))
    whole[-30] ^= 1
    assert told(from_body(bytes(whole)))[0][1:] == ("Hey", "finished"), "the counts alone are lost"
    whole[len(as_binary(case["frames"][:2])) + 20] ^= 1
    assert told(from_body(bytes(whole)))[0][1:] == ("Hey", "malformed")


def test_text_of_a_channel_that_is_not_shown_is_in_the_log() -> None:
    thought = {"choices": [{"delta": {"reasoning_content": "hm"}}]}
    made = from_body(body(thought, *openai("Hi")))
    assert told(made) == [("s", "Hi", "finished")]
    assert json.dumps(thought) in [record.d for record in made.records]


def pieces(*lines: dict[str, Any]) -> Imported:
    return from_body("\n".join(map(json.dumps, lines)).encode())


def test_answers_in_pieces_are_an_exchange_a_request() -> None:
    first = [{"req": "POST /v1/chat/completions", "body": {}}, {"t_ms": 1, "chunk": CHAT.decode()}]
    second = [{"req": "POST /v1/chat/completions", "body": json.loads(ASKED)}, {"status": "HTTP/1.1 429 X", "head": []}]
    made = pieces(*first, *second)
    assert told(made) == [("s-1", "Hello there.", "finished"), ("s-2", "", "rate_limited")]


@given(st.integers(1, len(CHAT) - 1), st.integers(0, 40))
def test_an_answer_that_was_gone_on_with_from_a_byte_is_one(cut: int, more: int) -> None:
    """As llama.cpp's server does it; what came beyond that byte comes again."""
    begun = base64.b64encode(CHAT[: cut + more]).decode()
    rest = base64.b64encode(CHAT[cut:]).decode()
    made = pieces(
        {"req": "POST /v1/chat/completions", "headers": [], "body": {}},
        {"t_ms": 1, "b64": begun},
        {"end": "abrupt: dropped"},
        {"req": f"GET /v1/stream?conv_id=c-1&from={cut}"},
        {"t_ms": 2, "b64": rest},
        {"end": "last-chunk"},
    )
    assert told(made) == [("s", "Hello there.", "finished")]


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_a_stream_that_begins_in_the_middle_of_an_event_goes_on_with_the_next(cut: int) -> None:
    assert told(from_body(CHAT[cut:])) == [("s", " there.", "finished")]


def test_one_line_end_between_events_loses_nothing() -> None:
    made = from_body(CHAT.replace(b"\n\n", b"\n"))
    assert told(made) == [("s", "Hello there.", "finished")]
    assert made.tokens == 2


def test_an_error_that_is_all_header_is_one() -> None:
    case = next(case for case in CASES if case["id"] == "Bedrock: broken off")
    headers = {":message-type": "error", ":error-code": "InternalFailure", ":error-message": "An internal error"}
    made = from_body(as_binary(case["frames"]) + eventstream.encode(headers, b""))
    assert told(made) == [("s", "Hey", "vendor_error")]


@pytest.mark.parametrize(
    ("asked", "vendor"),
    [
        ("POST /v1/messages?beta=true", "anthropic"),
        ("POST /v1/responses", "responses"),
        ("POST /openai/deployments/x/chat/completions?api-version=1", "openai"),
        ("POST /v1beta/models/m:streamGenerateContent?alt=sse", "gemini"),
        ("POST /api/chat", "ollama"),
        ("POST /model/m/converse-stream", "bedrock"),
        ("POST /somewhere", "cxone"),
    ],
)
def test_whose_a_failure_is_says_where_it_was_asked(asked: str, vendor: str) -> None:
    made = pieces({"req": asked, "body": {}}, {"status": "HTTP/1.1 503 X", "head": []}, {"t_ms": 1, "chunk": "no"})
    assert (made.vendor, told(made)) == (vendor, [("s", "", "interrupted")])


@pytest.mark.parametrize("session", ["split", "packed"])
def test_messages_that_share_events_or_are_spread_over_them_are_known(session: str, tmp_path: Path) -> None:
    recording = Path("recordings/split-json.jsonl")
    (tmp_path / "a.sse").write_bytes(b"".join(export(recording, session)))
    made = import_file(tmp_path / "a.sse", tmp_path / "a.jsonl", About())
    assert (made.vendor, shown(tmp_path / "a.jsonl")) == ("cxone", outcome(recording, parse({})).text(session))


ODD = (None, True, 3, -1.5, 1e300, "x", "\ud800", [], {}, [None], {"a": 1})
FILES = {
    "har": [
        json.loads(
            har(
                entry(CHAT.decode(), startedDateTime="2023-11-14T22:13:20Z"),
                entry("", _eventSourceMessages=[{"time": 1.5, "eventName": "message", "eventId": "1", "data": "{}"}]),
                entry("", 101, _webSocketMessages=[{"type": "receive", "time": 1.5, "data": '42["output",{}]'}]),
            )
        )
    ],
    "cassette": [{"interactions": [{"request": {"body": ASKED, "uri": "https://x/v1"}, "response": {"body": "x"}}]}],
    "pieces": [json.loads(line) for line in as_pieces(["{}"]).splitlines()],
    "socket": [
        json.loads(line) for line in as_socket(['42["output",{"type":"output","data":{"text":"x"}}]']).splitlines()
    ],
    "tokens": [{"id": "a", "tokens": ["x"], "t_ms": [1]}],
}


def oddly(value: Any) -> Iterator[Any]:
    """The value with one odd thing somewhere in it."""
    yield from ODD
    places = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for place, inner in list(places):
        for odd in oddly(inner):
            changed = value.copy()
            changed[place] = odd
            yield changed


@pytest.mark.parametrize("kind", FILES)
def test_whatever_is_odd_in_a_file_it_becomes_a_recording_or_is_refused_in_words(kind: str) -> None:
    for documents in oddly(FILES[kind]):
        data = "\n".join(map(json.dumps, documents if isinstance(documents, list) else [documents])).encode()
        with contextlib.suppress(InputError):
            assert told(from_body(data))


parts = st.one_of(
    st.sampled_from([CHAT[:90], CHAT, TICK, b"\n", b"data: ", b"[", b"interactions:\n- ", b"HTTP/1.1 200 OK\r\n\r\n"]),
    st.sampled_from([b"\x1f\x8b", as_binary(["{}"]), as_socket(["2"]), as_pieces(["{}"]), ASKED.encode(), METER]),
    st.binary(max_size=12),
)


@given(
    st.lists(parts, max_size=6),
    st.sampled_from(["auto", "openai", "cognigy_endpoint"]),
    st.sampled_from([None, "data"]),
)
def test_whatever_bytes_are_in_a_file_they_become_a_recording_or_are_refused(
    data: list[bytes], preset: str, path: str | None
) -> None:
    with contextlib.suppress(InputError):
        assert told(from_chunks(list(enumerate(data)), ABOUT, shape=preset, path=path))
