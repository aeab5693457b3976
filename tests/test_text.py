"""connectors.text: bytes that are no UTF-8, and halves of surrogate pairs, kept and given back."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.log.files import LogReader
from connectors.log.records import Record, frame, opened
from connectors.log.turns import Turns
from connectors.log.writer import LogWriter
from connectors.sse import SSEDecoder
from connectors.text import byte_tokens, from_bytes, from_json, to_bytes, to_json
from connectors.vendors.cxone.contract import Decoder as CXoneDecoder
from connectors.vendors.cxone.contract import Delta
from connectors.vendors.decoding import MAX_ID
from flows.steps.events import Event, Text
from flows.steps.reassembly import Reassembly

any_text = st.text(st.characters(codec=None, exclude_categories=()))
odd_bytes = st.lists(
    st.binary(max_size=4)
    | st.sampled_from(["é", "€", "😀", "\U0010ff80", "\U0010ffff"]).map(str.encode)
    | st.sampled_from([b"\xed\xa0\xbd", b"\xf4\x8f\xbe", b"\xc0\x80"]),
    max_size=8,
).map(b"".join)


@given(odd_bytes)
def test_bytes_come_back_and_are_raw_where_they_are_no_utf8(data: bytes) -> None:
    text, raw = from_bytes(data)
    assert to_bytes(text, raw) == data
    assert raw == (data.decode(errors="surrogateescape").encode(errors="replace") != data)


@given(any_text, any_text)
def test_json_of_any_text_comes_back(name: str, text: str) -> None:
    assert from_json(to_json({name: [text, 1, None]}), dict[str, Any]) == {name: [text, 1, None]}
    record = frame("s", 0, "x", id=text)
    assert from_json(to_json(record), Record) == record


@pytest.mark.parametrize("data", [b"", b"{", b"[" * 100_000, b'"\xff"', b'{"t":"1"}', b'"\\ud83d'])
def test_what_is_no_such_json_is_a_decode_error(data: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        from_json(data, Record)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(min(place, len(data)) for place in places), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


@given(st.text(st.sampled_from("ab é€😀\U0010ff80"), max_size=12), st.lists(st.integers(0, 40), max_size=8))
def test_text_cut_between_any_two_bytes_over_messages_comes_out_whole(text: str, places: list[int]) -> None:
    core = Reassembly(CXoneDecoder())
    out: list[Event] = list(core.feed(opened("s", 0, {})))
    for piece in cut(text.encode(), places):
        out += core.feed(raw_frame(b'{"token":"%b","finished":false}' % piece))
    out += core.feed(Record(0, "s", 0, "close", d={"reason": "finished"}))
    assert "".join(event.text for event in out if isinstance(event, Text)) == text


@given(st.text(st.sampled_from("ab é€😀\U0010ff80"), max_size=12), st.lists(st.integers(0, 60), max_size=8))
def test_a_message_cut_between_any_two_bytes_over_frames_comes_out_whole(text: str, places: list[int]) -> None:
    core = Reassembly(CXoneDecoder())
    out: list[Event] = list(core.feed(opened("s", 0, {})))
    for piece in cut(b'{"token":"%b","finished":false}' % text.encode(), places):
        restored = Reassembly(CXoneDecoder())
        restored.restore(core.snapshot())
        core = restored
        out += core.feed(raw_frame(piece))
    out += core.feed(raw_frame('{"token":"\U0010ff80","finished":true}'.encode()))
    out += core.feed(Record(0, "s", 0, "close", d={"reason": "finished"}))
    assert "".join(event.text for event in out if isinstance(event, Text)) == f"{text}\U0010ff80"


def raw_frame(data: bytes) -> Record:
    text, raw = from_bytes(data)
    return frame("s", 0, text, raw=raw)


def test_bytes_are_tokens_of_their_own() -> None:
    assert byte_tokens(from_bytes(b"a\xe2\x82b")[0]) == ["a", "<0xE2>", "<0x82>", "b"]


@given(odd_bytes.filter(lambda data: not {10, 13} & set(data)), st.integers(1, 9))
def test_an_event_stream_keeps_the_bytes_of_its_data_where_it_is_asked_to(data: bytes, size: int) -> None:
    stream = b"id: \xff1\nevent: m\xff\ndata: %b\ndata:x\n\n" % data
    decoder = SSEDecoder(keep_bytes=True)
    [event] = [event for at in range(0, len(stream), size) for event in decoder.feed(stream[at : at + size])]
    assert (event.event, event.id) == ("m\ufffd", "\ufffd1")
    assert to_bytes(event.data, event.raw) == data + b"\nx"
    [plain] = SSEDecoder().feed(stream)
    assert (plain.event, plain.id, plain.raw) == ("m\ufffd", "\ufffd1", False)


@given(any_text)
def test_an_id_of_any_text_is_kept_in_the_log_its_fold_and_its_snapshots(text: str) -> None:
    delta = CXoneDecoder().feed(to_json({"token": "a", "finished": False, "context_id": text}).decode(), None)
    assert delta == [Delta(("a",), id=text or None)]


@pytest.mark.parametrize("value", ["half \ud83d", "a\0b", "a\nb\r", "x" * MAX_ID])
def test_a_log_with_an_odd_id_is_read_and_gone_on_with(value: str, tmp_path: Path) -> None:
    records = [opened("s", 0, {"prompt": "p"}), frame("s", 0, "{}", id=value), frame("s", 0, "{}")]
    turns = Turns()
    writer = LogWriter(tmp_path / "w00", "cxone", rotate_bytes=1, fold=turns.snapshot)
    for record in records:
        writer.append([record])
        turns.feed(record)
    writer.close()
    LogWriter(tmp_path / "w00", "cxone").close()
    reader = LogReader(tmp_path / "w00")
    assert [record for record, _ in reader.read()] == records
    kept, _ = reader.fold(reader.end())
    again = Turns()
    again.restore(kept)
    assert again.open["s", 0].continuation_id == value


@pytest.mark.parametrize("value", [17, 1.5, True, [], {"a": 1}, "", "x" * (MAX_ID + 1)])
def test_what_is_no_id_costs_no_token(value: object) -> None:
    message = to_json({"token": "a", "finished": False, "context_id": value}).decode()
    assert CXoneDecoder().feed(message, None) == [Delta(("a",))]
    assert CXoneDecoder().feed(message, "from-the-event") == [Delta(("a",), id="from-the-event")]
    assert CXoneDecoder().feed(message, "x" * (MAX_ID + 1)) == [Delta(("a",))]
