"""connectors.ndjson: lines of JSON, however they are cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import text
from connectors.ndjson import LineDecoder
from connectors.sse import Event, EventTooLargeError


@given(st.lists(st.binary(max_size=8), max_size=6), st.lists(st.integers(0, 80), max_size=6), st.booleans())
def test_lines_come_out_however_they_were_cut(lines: list[bytes], cuts: list[int], crlf: bool) -> None:
    lines = [line.replace(b"\n", b"").replace(b"\r", b"") for line in lines]
    whole = b"".join(line + (b"\r\n" if crlf else b"\n") for line in lines)
    places = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    decoder = LineDecoder()
    events = [event for a, b in pairwise(places) for event in decoder.feed(whole[a:b])]
    assert [text.to_bytes(event.data, event.raw) for event in events] == [line for line in lines if line]


def test_a_line_that_has_no_end_waits_for_it() -> None:
    decoder = LineDecoder()
    assert decoder.feed(b'{"a":') == []
    assert decoder.feed(b"1}\n") == [Event(data='{"a":1}')]


def test_a_line_that_is_too_large_is_refused_after_what_was_whole() -> None:
    decoder = LineDecoder(max_bytes=4)
    assert decoder.feed(b"ab\nabcde\nab\n") == [Event(data="ab")]
    for _ in range(2):
        with pytest.raises(EventTooLargeError, match="larger than 4 bytes: raise max_event_bytes"):
            decoder.feed(b"ab\n")
