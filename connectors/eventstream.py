"""Amazon's binary event stream (application/vnd.amazon.eventstream): bytes to messages. A core.

Rules (AWS's specification of the encoding)
- A message is its length, its headers' length and a CRC of both, each 4 bytes; then headers, payload, and a CRC of all.
- Both CRCs are checked. A message that fails is an error for good: where the next one begins is not known any more.
- Messages that were whole before it are not lost: they are returned, and the next call raises.
- What is held is bounded: a message is at most `max_bytes`.
"""

from __future__ import annotations

import zlib
from typing import Final, NamedTuple

from connectors.errors import UpstreamError

MAX_BYTES: Final = 25 << 20
"""AWS's own bound is 24 MiB and the headers."""

_PRELUDE: Final = 12
_AROUND: Final = _PRELUDE + 4
_SIZES: Final = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""Bytes of a header's value, by its type."""
_SIZED: Final = (6, 7)
"""Bytes and text: their length goes before them."""


class EventStreamError(UpstreamError):
    """What came is no event stream, or was damaged on the way."""


class Message(NamedTuple):
    """One message: its headers that are text, and its payload."""

    headers: dict[str, str]
    payload: bytes


class EventStreamDecoder:
    """Decodes one stream.

    waiting  bytes of a message that has not come to its end
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._data = bytearray()
        self._taken = 0
        self._error: EventStreamError | None = None

    @property
    def waiting(self) -> int:
        return len(self._data)

    def feed(self, chunk: bytes) -> list[Message]:
        """The messages that `chunk` completes. Raises EventStreamError, and from then on at every call."""
        messages: list[Message] = []
        if self._error is None:
            self._data += chunk
            try:
                while (message := self._next()) is not None:
                    messages.append(message)
            except EventStreamError as error:
                self._error = error
                self._data.clear()
        if self._error is not None and not messages:
            raise self._error
        return messages

    def _next(self) -> Message | None:
        data = self._data
        if len(data) < _PRELUDE:
            return None
        total, headers = int.from_bytes(data[:4]), int.from_bytes(data[4:8])
        if zlib.crc32(data[:8]) != int.from_bytes(data[8:12]):
            raise self._damaged("the CRC of a message's begin is wrong")
        if not _AROUND + headers <= total <= self._max_bytes:
            raise self._damaged(f"a message says that it has {total} bytes")
        if len(data) < total:
            return None
        if zlib.crc32(data[: total - 4]) != int.from_bytes(data[total - 4 : total]):
            raise self._damaged("a message's CRC is wrong")
        end = _PRELUDE + headers
        message = Message(self._headers(bytes(data[_PRELUDE:end])), bytes(data[end : total - 4]))
        del data[:total]
        self._taken += total
        return message

    def _headers(self, data: bytes) -> dict[str, str]:
        found, at = {}, 0
        try:
            while at < len(data):
                at, name = _sized(data, at + 1, data[at])
                kind, at = data[at], at + 1
                if kind in _SIZED:
                    at, value = _sized(data, at + 2, int.from_bytes(data[at : at + 2]))
                    if kind == 7:
                        found[name.decode()] = value.decode()
                else:
                    at, _ = _sized(data, at, _SIZES[kind])
        except (IndexError, KeyError, UnicodeDecodeError):
            raise self._damaged("a message's headers cannot be read") from None
        return found

    def _damaged(self, what: str) -> EventStreamError:
        return EventStreamError(f"{what}, at byte {self._taken} of the event stream")


def encode(headers: dict[str, str], payload: bytes) -> bytes:
    """A message's bytes; `EventStreamDecoder` gives it back."""
    packed = b"".join(
        bytes((len(name.encode()),)) + name.encode() + b"\x07" + len(value.encode()).to_bytes(2) + value.encode()
        for name, value in headers.items()
    )
    prelude = (_AROUND + len(packed) + len(payload)).to_bytes(4) + len(packed).to_bytes(4)
    message = prelude + zlib.crc32(prelude).to_bytes(4) + packed + payload
    return message + zlib.crc32(message).to_bytes(4)


def _sized(data: bytes, at: int, size: int) -> tuple[int, bytes]:
    """Where the next begins, and so many bytes from here. Raises IndexError where there are fewer."""
    if at + size > len(data):
        raise IndexError
    return at + size, data[at : at + size]
