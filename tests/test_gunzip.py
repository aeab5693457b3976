"""connectors.gunzip: whatever the chunks, the same bytes in bounded pieces; and what is beyond a bound."""

from __future__ import annotations

import gzip
import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors import gunzip
from connectors.gunzip import PIECE, Gunzip, GunzipError


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    ends = sorted({0, len(data), *(at % (len(data) + 1) for at in cuts)})
    return [data[begin:end] for begin, end in pairwise(ends)]


@settings(max_examples=80, deadline=None)
@given(
    bodies=st.lists(
        st.binary(max_size=300) | st.integers(PIECE // 2 - 2, 2 * PIECE).map(lambda n: b"ab" * n), max_size=3
    ),
    cuts=st.lists(st.integers(0, 10_000), max_size=6),
)
def test_whatever_the_chunks_members_are_given_whole_in_bounded_pieces(bodies: list[bytes], cuts: list[int]) -> None:
    decoder = Gunzip()
    pieces = [piece for chunk in cut(b"".join(map(gzip.compress, bodies)), cuts) for piece in decoder.feed(chunk)]
    assert b"".join(pieces) == b"".join(bodies)
    assert all(0 < len(piece) <= PIECE for piece in pieces)
    assert decoder.ended


@settings(max_examples=40, deadline=None)
@given(body=st.binary(min_size=1, max_size=300), kept=st.integers(1, 10_000))
def test_what_is_cut_off_has_not_ended(body: bytes, kept: int) -> None:
    data = gzip.compress(body)
    decoder = Gunzip()
    assert body.startswith(b"".join(decoder.feed(data[: 1 + kept % (len(data) - 1)])))
    assert not decoder.ended


def test_tokens_as_json_are_far_within_the_ratio() -> None:
    """Even sent in one piece; a stream that is flushed event by event compresses much less."""
    words = random.Random(7).choices(["the", "a", "parcel", "is", "late", "and", "we", "know"], k=100_000)
    body = b"".join(b'data: {"token":"%s ","finished":false}\n\n' % word.encode() for word in words)
    data = gzip.compress(body)
    assert len(body) / len(data) < gunzip.MAX_RATIO / 2
    assert b"".join(Gunzip().feed(data)) == body


def test_a_size_beyond_the_bound_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gunzip, "MAX_SIZE", 3 << 20)
    body = random.Random(7).randbytes(4 << 20)
    with pytest.raises(GunzipError, match="larger than 3 MiB"):
        list(Gunzip().feed(gzip.compress(body)))
