"""One answer's body as frames, in whatever way they are put on the wire: a core.

Rules
- What a body is, its first bytes say rather than its content type, which gateways get wrong: Server-Sent Events; JSON
  objects, one, one a line, or in an array, each a frame as it stands there; Amazon's binary event stream, whose
  payloads are the frames.
- A frame has the time of the piece in which it came to its end.
- What curl writes beside the body (its progress meter, the lines of -v) is taken out; the head that `-i` puts before it
  says the status.
- What has no end is a frame all the same: whoever reads it says that it is half a message.
"""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from connectors import text
from connectors.eventstream import EventStreamDecoder, EventStreamError, Message
from connectors.sse import SSEDecoder
from connectors.vendors.answers import lenient

Chunk = tuple[int | None, bytes]
"""A piece of a body, and the microsecond at which it came, where that is known."""

SSE: Final = "events"
JSON: Final = "json"
BINARY: Final = "event stream"
NOTHING: Final = ""

_SSE: Final = re.compile(rb"(?:data|event|id|retry)? ?:|(?:data|event|id|retry)[\r\n]")
_LATER: Final = re.compile(rb"^data: ?[{\[]", re.MULTILINE)
"""An event further on: what begins in the middle of one is a stream all the same."""
_TIME: Final = rb" +(?:--:--:--|\d+:\d\d:\d\d|\d+d \d+h|\d+[hms]\S*)"
_SIZE: Final = rb" +[\d.]+[kMGTP]?"
_LAST: Final = (
    rb" (?=[ \d.kMGTP]{5}) {0,4}(?:(?<= {5})\d|(?<= {4})[\d.]\w|(?<= {3})[\d.]{2}\w|(?<= {2})[\d.]{3}\w|[\d.]{4}\w)"
)
"""The meter's last field is five wide: a digit behind it is the body's."""
_METER: Final = re.compile(
    rb"(?:\r|^|(?<=\n)) *\d+%b(?: +\d+%b){2}(?:%b){2}(?:%b){3}%b" % (_SIZE, _SIZE, _SIZE, _TIME, _LAST)
)
_METER_HEAD: Final = re.compile(rb" *% Total +% Received[^\n]*\n *Dload +Upload[^\n]*\n?")
_VERBOSE: Final = re.compile(rb"^(?:\* .*|[<>] ?.*|[{}] \[\d+ bytes data\])\r?\n", re.MULTILINE)
_HEAD: Final = re.compile(rb"(?:HTTP/[\d.]+ (\d{3})[^\n]*\n(?:[\w-]+:[^\n]*\n)*\r?\n)+")
_STRING_END: Final = re.compile(rb'["\\]')
_BRACKET: Final = re.compile(rb'["{}\[\]]')


class Frame(NamedTuple):
    """One message of a vendor, as it came."""

    t: int | None
    text: str
    id: str = ""
    event: str = "message"
    raw: bool = False


class Body(NamedTuple):
    """What a body holds.

    kind    how its frames were put on the wire; "" for what is none of these
    status  of the head before it, where it has one
    damage  what made the rest unreadable, in words
    """

    kind: str
    frames: list[Frame]
    status: int | None = None
    damage: str = ""


def read(chunks: Sequence[Chunk]) -> Body:
    """The frames of a body in pieces."""
    chunks, status = _cleaned(chunks)
    start = b"".join(chunk for _, chunk in chunks[:64])[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()
    if len(start) >= 12 and zlib.crc32(start[:8]) == int.from_bytes(start[8:12]):
        frames, damage = _binary(chunks)
        return Body(BINARY, frames, status, damage)
    if start[:1] in (b"{", b"["):
        return Body(JSON, list(objects_in(chunks)), status)
    if _SSE.match(start) or _LATER.search(start):
        return Body(SSE, _events(chunks), status)
    return Body(NOTHING, [], status)


def message_of(frame: Frame) -> Any:
    """A frame's JSON; None where it is none."""
    try:
        return msgspec.json.decode(frame.text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return lenient(frame.text)


def _events(chunks: Iterable[Chunk]) -> list[Frame]:
    sse, frames, last = SSEDecoder(keep_bytes=True), list[Frame](), None
    for t, chunk in chunks:
        frames += [Frame(t, event.data, event.id, event.event, event.raw) for event in sse.feed(chunk)]
        last = t
    rest = sse.feed(b"\n\n")  # curl keeps no blank line that the server did not send
    return frames + [Frame(last, event.data, event.id, event.event, event.raw) for event in rest]


def _binary(chunks: Iterable[Chunk]) -> tuple[list[Frame], str]:
    stream, frames = EventStreamDecoder(), list[Frame]()
    try:
        for t, chunk in chunks:
            frames += [_payload(t, message) for message in stream.feed(chunk)]
        stream.feed(b"")
    except EventStreamError as error:
        return frames, str(error)
    waiting = stream.waiting
    return frames, f"the last message of the event stream lacks its end ({waiting} bytes are there)" if waiting else ""


def _payload(t: int | None, message: Message) -> Frame:
    """A message's payload; what InvokeModel wraps is taken out of its wrapping."""
    headers, data = message.headers, message.payload
    event = headers.get(":event-type") or headers.get(":exception-type") or headers.get(":error-code") or ""
    if headers.get(":message-type") == "error":  # it has no payload
        data = msgspec.json.encode({"message": headers.get(":error-message", "")})
    if event == "chunk":
        event, wrapped = "message", lenient(data.decode(errors="replace"))
        if isinstance(wrapped, dict) and isinstance(wrapped.get("bytes"), str):
            data = base64.b64decode(wrapped["bytes"])
    decoded, raw = text.from_bytes(data)
    return Frame(t, decoded, "", event or "message", raw)


def objects_in(chunks: Iterable[Chunk]) -> Iterable[Frame]:
    """The outermost JSON objects, one after the other, with anything between them but text."""
    data, begin, at, depth, is_string, last = bytearray(), -1, 0, 0, False, None
    for t, chunk in chunks:
        data += chunk
        last = t
        while found := (_STRING_END if is_string else _BRACKET).search(data, at):
            sign, at = found[0], found.end()
            if sign == b"\\":
                at += 1
            elif sign == b'"':
                is_string = not is_string
            elif sign in b"{[":
                if sign == b"{" and begin < 0:
                    begin, depth = found.start(), 0
                depth += begin >= 0
            elif begin >= 0:
                depth -= 1
                if depth == 0:
                    yield _object(t, bytes(data[begin:at]))
                    del data[:at]
                    begin, at = -1, 0
        at = max(at, len(data))
    if begin >= 0:
        yield _object(last, bytes(data[begin:]))


def _object(t: int | None, data: bytes) -> Frame:
    decoded, raw = text.from_bytes(data)
    return Frame(t, decoded, raw=raw)


def _cleaned(chunks: Sequence[Chunk]) -> tuple[list[Chunk], int | None]:
    """The body without what curl wrote into it, and the status of its head."""
    start = b"".join(chunk for _, chunk in chunks[:16])[: 64 << 10]
    out = list(chunks)
    if b"% Total" in start or b"--:--" in start:
        out = [(t, _METER.sub(b"", _METER_HEAD.sub(b"", chunk))) for t, chunk in out]
    status = None
    if said := re.search(rb"^< HTTP/[\d.]+ (\d{3})", start, re.MULTILINE):
        status = int(said[1])
        out = [(t, _VERBOSE.sub(b"", chunk)) for t, chunk in out]
    elif start.startswith(b"HTTP/"):
        whole = b"".join(chunk for _, chunk in out[:16])
        if head := _HEAD.match(whole):
            status = int(head[1])
            out = [(out[min(15, len(out) - 1)][0], whole[head.end() :]), *out[16:]]
    return out, status
