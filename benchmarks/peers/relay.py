"""A relay that decodes nothing: what Python and the sockets alone cost, and so the floor of a live service.

    python -m benchmarks.peers.relay cxone|cognigy --gateway URL --desktop ws://…

It asks the vendor as a service would, and hands each read on in one write, whatever is in it: on the desktop's
WebSocket as one frame, behind the session's id in 16 bytes; to a caller as it is. No token, no sentence, no
acknowledgement, no library. For one client that behaves: benchmarks/load.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import sys
from typing import cast
from urllib.parse import parse_qs

import uvloop

SESSION_BYTES = 16
CXONE_END = b'"finished":true'
COGNIGY_END = b'"done":true'
ACCEPTED = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
EVENT_STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
SOCKET = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {}\r\n"


class Relay:
    """What connections share."""

    def __init__(self, shape: str, gateway: str) -> None:
        self.shape = shape
        self.gateway = gateway
        self.desktop: asyncio.Transport | None = None
        self._running: set[asyncio.Task[None]] = set()

    def begin(self, session_id: str, caller: asyncio.Transport | None) -> None:
        task = asyncio.create_task(self._begin(session_id, caller))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _begin(self, session_id: str, caller: asyncio.Transport | None) -> None:
        host, port = address(self.gateway)
        if caller is None:
            body = json.dumps({"prompt": "p", "model": "gpt-4", "stream": True}).encode()
            head = f"POST /api/v2/ai/llm/chat/stream HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n\r\n"
            asked = head.encode() + body
        else:
            asked = f"GET /api/v2/llm/stream HTTP/1.1\r\nHost: {host}\r\n{SOCKET.format(key())}\r\n".encode()
        upstream = Upstream(self, session_id, caller, asked)
        await asyncio.get_running_loop().create_connection(lambda: upstream, host, port)

    async def connect_desktop(self, url: str) -> None:
        host, port = address(url)
        await asyncio.get_running_loop().create_connection(lambda: Desktop(self, host), host, port)


class Upstream(asyncio.Protocol):
    """One vendor's stream, from which bytes come."""

    def __init__(self, relay: Relay, session_id: str, caller: asyncio.Transport | None, asked: bytes) -> None:
        self._relay = relay
        self._prefix = session_id.ljust(SESSION_BYTES).encode()
        self._caller = caller
        self._asked = asked
        self._in_head = True
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._asked)

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            self._in_head = False
            data = data.partition(b"\r\n\r\n")[2]
            if not data:
                return
        if self._caller is not None:
            self._caller.write(data)
            if COGNIGY_END in data:
                self._caller.close()
                self._close()
            return
        if self._relay.desktop is not None:
            self._relay.desktop.write(frame(self._prefix + data))
        if CXONE_END in data:
            self._close()

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class Desktop(asyncio.Protocol):
    """The desktop's connection; whatever it says is passed over."""

    def __init__(self, relay: Relay, host: str) -> None:
        self._relay = relay
        self._host = host

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._relay.desktop = cast(asyncio.Transport, transport)
        self._relay.desktop.write(f"GET / HTTP/1.1\r\nHost: {self._host}\r\n{SOCKET.format(key())}\r\n".encode())


class Front(asyncio.Protocol):
    """A connection of who begins sessions."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        if data.startswith(b"POST"):
            self._transport.write(ACCEPTED)
            self._relay.begin(json.loads(data.partition(b"\r\n\r\n")[2])["session_id"], None)
        elif data.startswith(b"GET"):
            self._transport.write(EVENT_STREAM)
            query = parse_qs(data.split(b" ", 2)[1].partition(b"?")[2].decode())
            self._relay.begin(query["session_id"][0], self._transport)


def frame(payload: bytes) -> bytes:
    """A client's binary frame; its mask is zero, which leaves the bytes as they are."""
    size = len(payload)
    if size < 126:
        return bytes((0x82, 0x80 | size, 0, 0, 0, 0)) + payload
    if size < 1 << 16:
        return b"\x82\xfe" + size.to_bytes(2) + bytes(4) + payload
    return b"\x82\xff" + size.to_bytes(8) + bytes(4) + payload


def key() -> str:
    return base64.b64encode(os.urandom(16)).decode()


def address(url: str) -> tuple[str, int]:
    host, port = url.partition("://")[2].rstrip("/").split(":")
    return host, int(port)


async def serve(shape: str, gateway: str, desktop: str) -> None:
    relay = Relay(shape, gateway)
    if shape == "cxone":
        await relay.connect_desktop(desktop)
    server = await asyncio.get_running_loop().create_server(lambda: Front(relay), "127.0.0.1", 0, backlog=1024)
    print(f"listening on http://127.0.0.1:{server.sockets[0].getsockname()[1]}", file=sys.stderr, flush=True)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shape", choices=["cxone", "cognigy"])
    parser.add_argument("--gateway", required=True)
    parser.add_argument("--desktop", default="")
    given = parser.parse_args()
    uvloop.run(serve(given.shape, given.gateway, given.desktop))


if __name__ == "__main__":
    main()
