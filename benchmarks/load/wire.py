"""The little of HTTP and WebSocket that the other side needs, as functions over bytes: no library is this cheap.

Only for peers that are known to behave: a request has its length, a frame is whole and short.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from typing import Final, NamedTuple

TEXT: Final = 1
BINARY: Final = 2
CLOSE: Final = 8
PING: Final = 9
PONG: Final = 10

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Request(NamedTuple):
    method: bytes
    target: bytes
    head: bytes
    body: bytes

    def header(self, name: bytes) -> bytes:
        """Its value; empty where it is not there. `name` is in small letters."""
        return _header(self.head, name)


def requests(buffer: bytearray) -> Iterator[Request]:
    """Those that are whole; they leave the buffer."""
    while (end := buffer.find(b"\r\n\r\n")) >= 0:
        head = bytes(buffer[:end])
        size = end + 4 + int(_header(head, b"content-length") or 0)
        if len(buffer) < size:
            return
        body = bytes(buffer[end + 4 : size])
        del buffer[:size]
        method, target, _ = head.partition(b"\r\n")[0].split(b" ", 2)
        yield Request(method, target, head, body)


def answer(status: int, body: bytes) -> bytes:
    return b"HTTP/1.1 %d OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
        status,
        len(body),
        body,
    )


def upgrade(request: Request) -> bytes:
    """What answers a WebSocket's opening handshake."""
    key = base64.b64encode(hashlib.sha1(request.header(b"sec-websocket-key") + _GUID).digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: %b\r\n\r\n" % key
    )


def frame(opcode: int, payload: bytes) -> bytes:
    """A frame from a server: not masked."""
    size = len(payload)
    if size < 126:
        return bytes((0x80 | opcode, size)) + payload
    return bytes((0x80 | opcode, 126)) + size.to_bytes(2) + payload


def text_frame(payload: bytes) -> bytes:
    return frame(TEXT, payload)


def frames(buffer: bytearray) -> Iterator[tuple[int, bytes]]:
    """(opcode, payload) of a client's frames that are whole; they leave the buffer."""
    at = 0
    while len(buffer) - at >= 6:
        size, start = buffer[at + 1] & 0x7F, at + 2
        if size == 126:
            size, start = int.from_bytes(buffer[at + 2 : at + 4]), at + 4
        elif size == 127:
            size, start = int.from_bytes(buffer[at + 2 : at + 10]), at + 10
        masked = buffer[at + 1] & 0x80
        end = start + (4 if masked else 0) + size
        if len(buffer) < end:
            break
        payload = bytes(buffer[end - size : end])
        if masked:
            payload = _unmask(payload, bytes(buffer[start : start + 4]))
        yield buffer[at] & 0x0F, payload
        at = end
    del buffer[:at]


def _unmask(payload: bytes, mask: bytes) -> bytes:
    size = len(payload)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload) ^ int.from_bytes(key)).to_bytes(size)


def _header(head: bytes, name: bytes) -> bytes:
    at = head.lower().find(b"\r\n" + name + b":")
    if at < 0:
        return b""
    return head[at + len(name) + 3 :].partition(b"\r\n")[0].strip()
