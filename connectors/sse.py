"""Server-Sent Events: bytes to events, and events to bytes.

Rules
- Decoding is the WHATWG standard's ("Server-sent events", parsing and interpreting an event
  stream), to the letter, and the events are the same however the bytes were cut.
- Only LF, CR and CRLF end a line. A CR that ends a chunk ends its line at once: no event waits
  for the byte after it.
- Bytes are decoded only once their line is whole, so a character split over chunks stays whole
  and invalid UTF-8 becomes U+FFFD as the Encoding standard says; where `keep_bytes` is asked for, data that holds any
  is kept byte by byte (connectors/text.py), since a model's character may be split over two events.
- What is held is bounded: an event, all its lines with their ends, is at most `max_event_bytes`.
- Nothing that is put into an `Event` can add a field, a line or an event to what `encode` writes.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from connectors import text
from connectors.errors import UpstreamError

MAX_EVENT_BYTES: Final = 16 << 20
MAX_RETRY: Final = (1 << 53) - 1
"""A larger `retry` is read as this many ms, the largest whole number of a browser."""

_BOM: Final = b"\xef\xbb\xbf"
_LINE_END: Final = re.compile("\r\n|\r|\n")


class Event(msgspec.Struct, frozen=True, gc=False):
    """One event.

    event  its type; "message" where the stream names none
    data   its data lines, joined by LF
    id     the last event id in force: the event's own, else the one before it; "" where there was none
    raw    `data` holds bytes that are no UTF-8
    """

    event: str = "message"
    data: str = ""
    id: str = ""
    raw: bool = False


class EventTooLargeError(UpstreamError):
    """A stream sent an event of more than `max_event_bytes`."""


class SSEDecoder:
    """Decodes one stream. Make a new one for every connection.

    retry          the reconnection time that the stream asked for, in ms; None if it asked for none
    last_event_id  the id to reconnect with: the one in force at the last blank line
    """

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES, *, keep_bytes: bool = False) -> None:
        """`max_event_bytes` counts an event's lines as received, comments too, with one byte an end."""
        self.max_event_bytes = max_event_bytes
        self._keep_bytes = keep_bytes
        self.retry: int | None = None
        self.last_event_id = ""
        self._line = bytearray()  # the line being read, as far as it has come
        self._event = ""
        self._data: list[str] = []
        self._id = ""
        self._size = 0  # bytes of the event's whole lines
        self._first_line = True
        self._after_cr = False
        self._too_large = False
        self._odd = False  # what was no UTF-8 is in the lines, as surrogateescape keeps it

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that `chunk` completes. One that the stream never ends is never given.

        Raises EventTooLargeError, and from then on at every call. Events that were whole before the large
        one are not lost: they are returned, and the next call raises.
        """
        if self._too_large:
            raise self._refusal()
        if self._after_cr and chunk:
            self._after_cr = False
            if chunk[0] == 10:  # the LF of a CRLF
                chunk = chunk[1:]
        if chunk.find(b"\r") >= 0:  # half the time of `in`
            self._after_cr = chunk[-1] == 13
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        end = chunk.rfind(b"\n") + 1
        events = []
        if end:
            lines: bytes | bytearray = chunk[:end]
            if self._line:
                self._line += lines
                lines, self._line = self._line, bytearray()
            if self._size + len(lines) > self.max_event_bytes:
                lines = self._bounded(lines)
            events = self._read(lines)
            self._size = self._size_after(lines)
        if end < len(chunk):
            self._line += chunk[end:]
            if self._size + len(self._line) > self.max_event_bytes:
                self._too_large = True
        if self._too_large:
            self._line.clear()
            self._data.clear()
            if not events:
                raise self._refusal()
        return events

    def _read(self, lines: bytes | bytearray) -> list[Event]:
        """Interpret whole lines, each ended by LF, as the standard says."""
        if self._first_line:
            self._first_line = False
            if lines.startswith(_BOM):
                lines = lines[len(_BOM) :]
        events: list[Event] = []
        data = self._data
        for line in self._decode(lines).split("\n")[:-1]:
            if not line:
                self.last_event_id = self._id
                if data:
                    joined = data[0] if len(data) == 1 else "\n".join(data)
                    raw = False
                    if self._odd:
                        joined, raw = text.from_bytes(joined.encode("utf-8", "surrogateescape"))
                    events.append(Event(self._event or "message", joined, self._id, raw))
                    data.clear()
                self._event = ""
                continue
            name, _, value = line.partition(": ")
            if ":" in name:  # no space after the first colon
                name, _, value = line.partition(":")
            if name == "data":
                data.append(value)
            elif name == "id":
                if "\0" not in value:
                    self._id = self._replaced(value)
            elif name == "event":
                self._event = self._replaced(value)
            elif name == "retry" and value.isascii() and value.isdigit():
                self.retry = min(int(value.lstrip("0")[:19] or "0"), MAX_RETRY)
        return events

    def _decode(self, lines: bytes | bytearray) -> str:
        if not self._keep_bytes:
            return lines.decode("utf-8", "replace")
        try:
            return lines.decode()
        except UnicodeDecodeError:
            self._odd = True
            return lines.decode("utf-8", "surrogateescape")

    def _replaced(self, value: str) -> str:
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace") if self._odd else value

    def _size_after(self, lines: bytes | bytearray) -> int:
        """What follows the last blank line belongs to an event to come."""
        blank = lines.rfind(b"\n\n")
        if blank >= 0:
            return len(lines) - blank - 2
        if lines[:1] == b"\n":
            return len(lines) - 1
        return self._size + len(lines)

    def _bounded(self, lines: bytes | bytearray) -> bytes | bytearray:
        """`lines` up to the one with which an event grows too large, if one does."""
        size, kept = self._size, 0
        for line in lines.split(b"\n")[:-1]:
            size += len(line) + 1
            if size > self.max_event_bytes:
                self._too_large = True
                return lines[:kept]
            kept += len(line) + 1
            if not line:
                size = 0
        return lines

    def _refusal(self) -> EventTooLargeError:
        return EventTooLargeError(
            f"an event of the stream is larger than {self.max_event_bytes} bytes: raise max_event_bytes"
        )


def encode(event: Event, *, retry: int | None = None) -> bytes:
    """An event's bytes, with its blank line; `decode` of them gives the event back.

    A CR or CRLF in `data` comes out as LF, and a lone surrogate as U+FFFD: the format has no other way.
    "message" and an empty id are not written: they leave the receiver as it is. `retry` is in ms.

    Raises ValueError for a line end in `event` or `id`, or a NUL in `id`, which receivers ignore.
    """
    if "\n" in event.event or "\r" in event.event:
        raise ValueError("an event's type is one line: it may not hold CR or LF")
    if "\n" in event.id or "\r" in event.id or "\0" in event.id:
        raise ValueError("an event's id is one line: it may not hold CR, LF or NUL")
    lines = []
    if event.event not in ("", "message"):
        lines.append(f"event: {event.event}")
    if event.id:
        lines.append(f"id: {event.id}")
    if retry is not None:
        lines.append(f"retry: {retry:d}")
    lines += [f"data: {line}" for line in _LINE_END.split(event.data)]
    written = "\n".join(lines) + "\n\n"
    try:
        return text.to_bytes(written, event.raw)
    except UnicodeEncodeError:  # surrogates: pair them or replace them, as browsers do
        return written.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()
