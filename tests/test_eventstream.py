"""connectors.eventstream: Amazon's binary frames, however they are cut, and what is damaged."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.eventstream import EventStreamDecoder, EventStreamError, Message, encode

headers = st.dictionaries(st.text(min_size=1, max_size=5), st.text(max_size=5), max_size=3)


@given(
    st.lists(st.builds(Message, headers, st.binary(max_size=20)), max_size=4),
    st.lists(st.integers(0, 300), max_size=6),
)
def test_messages_come_out_however_they_were_cut(messages: list[Message], cuts: list[int]) -> None:
    whole = b"".join(encode(*message) for message in messages)
    places = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    decoder = EventStreamDecoder()
    assert [each for a, b in pairwise(places) for each in decoder.feed(whole[a:b])] == messages
    assert decoder.waiting == 0


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_no_byte_can_be_changed_without_a_word(place: int, by: int) -> None:
    first, second = encode({":event-type": "x"}, b"one"), bytearray(encode({":event-type": "y"}, b"two"))
    second[place % len(second)] ^= by
    decoder = EventStreamDecoder()
    assert decoder.feed(first + bytes(second) + first) == [Message({":event-type": "x"}, b"one")]
    for _ in range(2):
        with pytest.raises(EventStreamError, match=f"at byte {len(first)} of the event stream"):
            decoder.feed(first)


def test_values_of_all_types_are_passed_over() -> None:
    """The specification's ten types; only text is kept."""
    values = b"\x01a\x00" + b"\x01b\x01" + b"\x01c\x02\x00" + b"\x01d\x03\x00\x00" + b"\x01e\x04" + bytes(4)
    values += b"\x01f\x05" + bytes(8) + b"\x01g\x06\x00\x02xy" + b"\x01h\x07\x00\x02hi" + b"\x01i\x08" + bytes(8)
    values += b"\x01j\x09" + bytes(16)
    message = bytearray(encode({}, b"data"))
    import zlib

    prelude = (len(message) + len(values)).to_bytes(4) + len(values).to_bytes(4)
    body = prelude + zlib.crc32(prelude).to_bytes(4) + values + b"data"
    assert EventStreamDecoder().feed(body + zlib.crc32(body).to_bytes(4)) == [Message({"h": "hi"}, b"data")]


def test_a_message_that_says_it_is_enormous_is_refused_at_once() -> None:
    with pytest.raises(EventStreamError, match="says that it has"):
        EventStreamDecoder(max_bytes=40).feed(encode({}, bytes(100)))
