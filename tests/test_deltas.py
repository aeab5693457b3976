"""connectors.vendors.decoding: messages over frames, as if every piece were parsed from the first again."""

from __future__ import annotations

import itertools
import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connectors.vendors import decoding as deltas
from connectors.vendors.cognigy import contract as cognigy
from connectors.vendors.cxone import contract as cxone
from connectors.vendors.decoding import MALFORMED, MAX_FRAGMENTS, Delta


class Plain:
    """The rule in its plainest form: with each piece, parse everything that waits."""

    def __init__(self, decoder: deltas.Decoder, most: int) -> None:
        self.pending, self.fragments = "", 0
        self._decoder = decoder
        self._most = most

    def feed(self, text: str, frame_id: str | None) -> list[Delta]:
        if not self.pending:
            try:
                return [self._decoder._read(text, frame_id)]
            except (msgspec.DecodeError, UnicodeError, RecursionError):
                pass
        whole, fragments = self.pending + text, self.fragments + 1
        self.pending, self.fragments = "", 0
        out: list[Delta] = []
        at = len(whole) - len(whole.lstrip(" \t\r\n"))
        while at < len(whole):
            try:
                value, end = json.JSONDecoder(strict=False).raw_decode(whole, at)
            except (json.JSONDecodeError, RecursionError):
                rest = whole[at:]
                bounded = len(rest) <= self._most and fragments <= MAX_FRAGMENTS
                if rest.startswith("{") and bounded and not _is_whole(text):
                    self.pending, self.fragments = rest, fragments
                else:
                    out.append(MALFORMED)
                    if rest != text and _is_whole(text):
                        out += self.feed(text, frame_id)
                break
            out.append(self._decoder._convert(value, frame_id) if isinstance(value, dict) else MALFORMED)
            at = end + len(whole[end:]) - len(whole[end:].lstrip(" \t\r\n"))
        return out


def _is_whole(text: str) -> bool:
    try:
        return isinstance(json.loads(text, strict=False), dict)
    except (json.JSONDecodeError, RecursionError):
        return False


values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text('ab"\\{}[]\n\ud83d', max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('tokens"{}\\', max_size=4), inner, max_size=3),
    max_leaves=8,
)
messages = (
    st.fixed_dictionaries({"token": st.text('ab"\\{}é', max_size=8), "finished": st.booleans()}, optional={"x": values})
    | st.fixed_dictionaries({"tokens": st.lists(st.text('ab"\\{}é', max_size=4), max_size=3), "done": st.booleans()})
    | values
)
junk = st.text('{}[]":,\\ ab1\n', max_size=12)
streams = st.lists(st.builds(json.dumps, messages) | junk, max_size=6).map("".join)


@given(
    st.sampled_from([cxone.Decoder, cognigy.Decoder]),
    streams,
    st.lists(st.integers(0, 200), max_size=20),
    st.integers(5, 60),
    st.booleans(),
)
@example(cxone.Decoder, '{"token":"a\\', [5, 11, 12], 60, False)
@example(cxone.Decoder, '{"a"}}{{}{"token":"b"}', [4, 6, 8], 60, True)
def test_a_message_over_any_pieces_is_what_it_is_in_one(
    kind: type[deltas.Decoder], text: str, cuts: list[int], most: int, restored: bool
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deltas, "MAX_PENDING", most)
        edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
        decoder, plain = kind(), Plain(kind(), most)
        for begin, end in itertools.pairwise(edges):
            piece = text[begin:end]
            assert decoder.feed(piece, None) == plain.feed(piece, None)
            assert (decoder.pending, decoder.fragments) == (plain.pending, plain.fragments)
            if restored:
                decoder = kind(decoder.pending, decoder.fragments)


def test_pieces_are_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed = 0
    real = deltas._scan

    def counting(text: str, at: int) -> Any:
        nonlocal parsed
        parsed += len(text) - at
        return real(text, at)

    monkeypatch.setattr(deltas, "_scan", counting)
    whole = json.dumps({"token": 'x"{\\' * 100_000, "finished": False})
    size = len(whole) // (MAX_FRAGMENTS - 4) + 1
    decoder = cxone.Decoder()
    out = [each for at in range(0, len(whole), size) for each in decoder.feed(whole[at : at + size], None)]
    assert out == [Delta(('x"{\\' * 100_000,))]
    assert parsed <= len(whole) + size
