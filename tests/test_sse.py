from __future__ import annotations

import base64
import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connectors.errors import UpstreamError
from connectors.sse import MAX_RETRY, Event, EventTooLargeError, SSEDecoder, encode


def decode(*chunks: bytes) -> list[Event]:
    decoder = SSEDecoder()
    return [event for chunk in chunks for event in decoder.feed(chunk)]


def reference(stream: bytes) -> tuple[list[Event], int | None, str]:
    """The standard's text, said as plainly as can be, over a stream that is all there."""
    text = stream.decode("utf-8", "replace").removeprefix("\ufeff")
    lines = re.split("\r\n|\r|\n", text)[:-1]
    events, data, kind, buffer, last, retry = [], "", "", "", "", None
    for line in lines:
        field, colon, value = line.partition(":")
        if not line:
            last = buffer
            if data:
                events.append(Event(kind or "message", data[:-1], last))
            data = kind = ""
        elif colon and not field:
            continue
        else:
            value = value.removeprefix(" ")
            if field == "data":
                data += value + "\n"
            elif field == "event":
                kind = value
            elif field == "id" and "\0" not in value:
                buffer = value
            elif field == "retry" and re.fullmatch("[0-9]+", value):
                retry = int(value)
    return events, retry, last


def pieces(stream: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(min(c, len(stream)) for c in cuts), len(stream)]
    return [stream[a:b] for a, b in itertools.pairwise(edges)]


LINES = st.sampled_from(
    [
        *("data: a", "data:b", "data:  c", "data", "data:", ": note", "id: 7", "id:", "id", "id: \0", "event: ping"),
        *("event:", "retry: 30", "retry:x", "retry: ٣", "retry", "Data: no", "other: x", "", "", "", "data: ✔ 😀 ü"),
        *("data: a\x85b\u2028c\x1cd", "\ufeffdata: bom", " data: no", "id: ü", "data\0: x", "data: x:y"),
    ]
).map(str.encode) | st.sampled_from([b"data: \xff\xfe", b"data: \xe2\x82", b"\xef\xbb", b"id: \xf0\x9f", b"\x80"])
STREAMS = st.lists(st.tuples(LINES, st.sampled_from([b"\n", b"\r", b"\r\n"])), max_size=25).map(
    lambda lines: b"".join(line + end for line, end in lines)
)
CUTS = st.lists(st.integers(0, 400), max_size=12)


@given(STREAMS, CUTS, st.sampled_from([b"", b"\xef\xbb\xbf", b"\xef\xbb\xbf\xef\xbb\xbf"]))
def test_any_chunking_gives_the_standards_events(stream: bytes, cuts: list[int], bom: bytes) -> None:
    stream = bom + stream
    decoder = SSEDecoder()
    events = [event for piece in pieces(stream, cuts) for event in decoder.feed(piece)]
    assert (events, decoder.retry, decoder.last_event_id) == reference(stream)


@given(st.binary(max_size=60))
@example(b"data:\xc3\n\n\xa9")
def test_any_bytes_give_the_standards_events_byte_by_byte(stream: bytes) -> None:
    decoder = SSEDecoder()
    events = [event for byte in stream for event in decoder.feed(bytes([byte]))]
    assert (events, decoder.retry, decoder.last_event_id) == reference(stream)


TEXT = st.text(st.characters(exclude_categories=["Cs"]))
NAMES = TEXT.filter(lambda name: not re.search("[\r\n\0]", name))
EVENTS = st.builds(Event, NAMES.map(lambda name: name or "message"), TEXT, NAMES.filter(bool))


@given(st.lists(EVENTS), CUTS)
def test_what_is_encoded_is_decoded(events: list[Event], cuts: list[int]) -> None:
    stream = b"".join(map(encode, events))
    assert decode(*pieces(stream, cuts)) == [
        Event(event.event, re.sub("\r\n|\r", "\n", event.data), event.id) for event in events
    ]


@given(st.text(), st.text(), st.text())
def test_no_text_forges_an_event_or_a_field(event: str, data: str, name: str) -> None:
    try:
        stream = encode(Event(event, data, name))
    except ValueError:
        assert re.search("[\r\n]", event) or re.search("[\r\n\0]", name)
        return
    decoder = SSEDecoder()
    (decoded,) = decoder.feed(stream)
    assert decoder.retry is None
    assert decoded.id == repaired(name)
    assert decoded.event == (repaired(event) or "message")
    assert decoded.data == re.sub("\r\n|\r", "\n", repaired(data))


def repaired(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def test_surrogates_are_paired_or_replaced() -> None:
    assert decode(encode(Event(data="\ud83d\ude00 \ud83d"))) == [Event(data="😀 \ufffd")]


@pytest.mark.parametrize(
    ("event", "field"),
    [
        (Event(event="a\nb"), "type"),
        (Event(event="a\rb"), "type"),
        (Event(id="1\ndata: x"), "id"),
        (Event(id="1\r"), "id"),
        (Event(id="\0"), "id"),
    ],
)
def test_a_line_end_in_a_name_is_refused_without_quoting_it(event: Event, field: str) -> None:
    with pytest.raises(ValueError, match=rf"an event's {field} is one line") as caught:
        encode(event)
    assert "data: x" not in str(caught.value)


def test_an_event_reads_as_the_standard_writes_it() -> None:
    assert encode(Event("done", "a\nb", "7"), retry=50) == b"event: done\nid: 7\nretry: 50\ndata: a\ndata: b\n\n"
    assert encode(Event()) == b"data: \n\n"


def test_an_event_that_a_cr_ends_does_not_wait_for_the_next_byte() -> None:
    decoder = SSEDecoder()
    assert decoder.feed(b"data: a\r\n\r") == [Event(data="a")]
    assert decoder.feed(b"") == []
    assert decoder.feed(b"\ndata: b\n\n") == [Event(data="b")]


def test_the_id_to_reconnect_with_is_that_of_the_last_blank_line() -> None:
    decoder = SSEDecoder()
    decoder.feed(b"id: 1\n\nid: 2\ndata: lost\n")
    assert decoder.last_event_id == "1"


@pytest.mark.parametrize(
    ("value", "retry"),
    [(b"0", 0), (b"007", 7), (b"9" * 5000, MAX_RETRY), (b"1.5", None), (b"+1", None), (b"", None), (b"1 ", None)],
)
def test_retry_takes_ascii_digits_only_and_any_number_of_them(value: bytes, retry: int | None) -> None:
    decoder = SSEDecoder()
    decoder.feed(b"retry: " + value + b"\n")
    assert decoder.retry == retry


# -- the bound ---------------------------------------------------------------------------------------


def test_an_event_as_large_as_the_bound_passes_and_one_byte_more_does_not() -> None:
    event = b"data: " + b"x" * 92 + b"\n\n"
    assert len(SSEDecoder(max_event_bytes=100).feed(event)) == 1
    with pytest.raises(EventTooLargeError, match="larger than 99 bytes: raise max_event_bytes"):
        SSEDecoder(max_event_bytes=99).feed(event)


def test_a_line_that_never_ends_is_refused_and_let_go() -> None:
    decoder = SSEDecoder(max_event_bytes=1000)
    for _ in range(10):
        assert decoder.feed(b"x" * 100) == []
    with pytest.raises(UpstreamError):
        decoder.feed(b"x")
    assert not decoder._line
    with pytest.raises(EventTooLargeError):
        decoder.feed(b"\n\ndata: a\n\n")


def test_events_before_the_large_one_are_given_first() -> None:
    decoder = SSEDecoder(max_event_bytes=20)
    assert decoder.feed(b"data: a\n\ndata: " + b"x" * 30) == [Event(data="a")]
    with pytest.raises(EventTooLargeError):
        decoder.feed(b"")


def test_comments_between_events_do_not_add_up() -> None:
    decoder = SSEDecoder(max_event_bytes=20)
    for _ in range(10):
        assert decoder.feed(b": still here\n\n") == []


@given(STREAMS, CUTS, st.integers(1, 60))
def test_the_bound_holds_alike_under_every_chunking(stream: bytes, cuts: list[int], bound: int) -> None:
    def run(*chunks: bytes) -> tuple[list[Event], bool]:
        decoder = SSEDecoder(max_event_bytes=bound)
        events = []
        try:
            for chunk in (*chunks, b""):
                events += decoder.feed(chunk)
        except EventTooLargeError:
            return events, True
        return events, False

    assert run(*pieces(stream, cuts)) == run(stream)


# -- cases that others wrote ----------------------------------------------------------------------------

OURS = Path(__file__).parent / "conformance" / "sse.jsonl"
THEIRS = Path(__file__).parents[2] / "shared" / "evaluation" / "sse.jsonl"


def rows(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


@pytest.mark.parametrize("case", rows(OURS), ids=lambda case: case["name"])
def test_our_conformance_cases(case: dict[str, Any]) -> None:
    stream = case["stream"].encode("latin-1")
    want = [Event(*event) for event in case["events"]]
    for size in (1, 2, 3, 7, 10_000):
        decoder = SSEDecoder()
        got = [e for i in range(0, len(stream), size) for e in decoder.feed(stream[i : i + size])]
        assert got == want
        assert decoder.retry == case.get("retry")


@pytest.mark.skipif(not THEIRS.exists(), reason="the evaluation data is not here")
def test_the_evaluations_cases() -> None:
    for row in rows(THEIRS):
        stream = base64.b64decode(str(row["bytes_b64"]))
        want = [Event(**event) for event in row["expected"]]
        for cut in range(len(stream)):
            assert decode(stream[:cut], stream[cut:]) == want, row["id"]
