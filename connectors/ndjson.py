"""JSON lines as they arrive: bytes to one event a line. A core.

Rules
- Only LF ends a line; a CR before it is no part of it. Empty lines, which keep a connection open, are none.
- A line is decoded once it is whole; one that is no UTF-8 is kept byte by byte (connectors/text.py).
- A line is at most `max_bytes`. What was whole before a longer one is returned, and the next call raises.
"""

from __future__ import annotations

from connectors import text
from connectors.sse import MAX_EVENT_BYTES, Event, EventTooLargeError


class LineDecoder:
    """Decodes one stream. Make a new one for every connection."""

    def __init__(self, max_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max_bytes = max_bytes
        self._rest = bytearray()
        self._too_large = False

    def feed(self, chunk: bytes) -> list[Event]:
        """The lines that `chunk` completes. Raises EventTooLargeError, and from then on at every call."""
        events: list[Event] = []
        if not self._too_large:
            begin = 0
            while (end := chunk.find(b"\n", begin)) >= 0 and not self._too_large:
                self._take(chunk[begin:end])
                begin = end + 1
                if not self._too_large and (line := bytes(self._rest).strip(b"\r")):
                    data, raw = text.from_bytes(line)
                    events.append(Event(data=data, raw=raw))
                self._rest.clear()
            self._take(chunk[begin:])
        if self._too_large and not events:
            raise EventTooLargeError(
                f"a line of the stream is larger than {self._max_bytes} bytes: raise max_event_bytes"
            )
        return events

    def _take(self, part: bytes) -> None:
        self._rest += part
        self._too_large = self._too_large or len(self._rest) > self._max_bytes
