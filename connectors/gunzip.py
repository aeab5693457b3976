"""gzip from a stranger, decompressed piece by piece: what is small on the wire may be enormous.

Rules
- No more than `PIECE` bytes are decompressed at once, whatever comes in.
- Past `FREE` bytes it may not grow more than `MAX_RATIO`-fold (JSON of single tokens compresses 50-fold), and past
  `MAX_SIZE` not at all.
- Members that follow one another are one stream, as RFC 1952 has it.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final

PIECE: Final = 64 << 10
FREE: Final = 1 << 20
MAX_RATIO: Final = 200
MAX_SIZE: Final = 256 << 20

_GZIP: Final = zlib.MAX_WBITS | 16


class GunzipError(Exception):
    """What follows "an answer that": it is damaged, or beyond a bound."""


class Gunzip:
    """A decoder of one body.

    ended  it stands at the end of a member, or nothing has come yet
    """

    def __init__(self) -> None:
        self.ended = True
        self._member = zlib.decompressobj(_GZIP)
        self._taken = self._given = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What a chunk comes to, in pieces; iterate over all of them before the next. Raises GunzipError."""
        self._taken += len(data)
        more = bool(data)
        while more:
            piece, data = self._decompress(data)
            if piece:
                self._count(len(piece))
                yield piece
            more = bool(data) or (len(piece) == PIECE and not self.ended)

    def _decompress(self, data: bytes) -> tuple[bytes, bytes]:
        """At most a piece, and the input that is left."""
        if self._member.eof:
            self._member = zlib.decompressobj(_GZIP)
        try:
            piece = self._member.decompress(data, PIECE)
        except zlib.error:
            raise GunzipError("does not decompress") from None
        self.ended = self._member.eof
        return piece, self._member.unused_data if self.ended else self._member.unconsumed_tail

    def _count(self, size: int) -> None:
        self._given += size
        if self._given > MAX_SIZE:
            raise GunzipError(f"is larger than {MAX_SIZE >> 20} MiB when decompressed")
        if self._given > max(FREE, MAX_RATIO * self._taken):
            raise GunzipError(f"grows more than {MAX_RATIO}-fold when decompressed")
