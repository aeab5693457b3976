"""What vendors over WebSockets share: how a turn's socket closes, and what it means that one does not open, or ends.

Rules
- Words hold nothing from outside, and no address but its host.
- A slow goodbye holds nobody up: where even that is cancelled, the connection is aborted.
"""

from __future__ import annotations

import contextlib
import os
import ssl
from collections.abc import AsyncIterator
from typing import Final

from websockets.exceptions import ConnectionClosed, InvalidHandshake, WebSocketException

from connectors.errors import UpstreamError
from connectors.vendors.attempts import AttemptError
from connectors.websocket import ClientConnection

CLOSE_TIMEOUT: Final = 0.5


@contextlib.asynccontextmanager
async def closing(socket: ClientConnection) -> AsyncIterator[ClientConnection]:
    """The socket, closed afterwards."""
    try:
        yield socket
    finally:
        try:
            await socket.close()
        finally:
            socket.transport.abort()  # where even the goodbye is cancelled


def unopened(problem: Exception, host: str, within: float, setting: str) -> Exception:
    """Why no socket opened; what is no fault of the vendor's comes back as it is.

    setting  what to check where the address seems wrong
    """
    match problem:
        case TimeoutError():
            return AttemptError("timeout", UpstreamError(f"{host} opened no stream within {within:g} s"))
        case ssl.SSLError():
            fault = UpstreamError(f"{host}: TLS failed ({problem.reason or 'certificate'}); check {setting}")
            return AttemptError("tls", fault, reason="refused")
        case OSError():
            why = os.strerror(problem.errno) if problem.errno else type(problem).__name__
            return AttemptError("connect", UpstreamError(f"cannot connect to {host}: {why}"))
        case EOFError() | InvalidHandshake() | WebSocketException():
            return AttemptError("connect", UpstreamError(f"{host} does not answer as a WebSocket should"))
    return problem


def ended(end: ConnectionClosed, name: str, section: str) -> AttemptError:
    """What a close means that comes before the answer is whole: RFC 6455, section 7.4."""
    if end.rcvd is None and end.sent is not None:  # the library found fault with what came
        if end.sent.code == 1009:
            fault = UpstreamError(f"{name}: a message was too large ({section}.max_message_bytes)")
            return AttemptError("too_large", fault, status=end.sent.code, reason="malformed")
        if end.sent.code in (1002, 1007):
            fault = UpstreamError(f"{name}: the gateway broke the WebSocket protocol")
            return AttemptError("protocol", fault, status=end.sent.code, reason="malformed")
    code = end.rcvd.code if end.rcvd is not None else 1006
    kind = {1000: "ended", 1001: "ended", 1005: "ended", 1006: "disconnected"}.get(code, "closed")
    fault = UpstreamError(f"{name}: the stream was closed (code {code}) before the answer was whole")
    return AttemptError(kind, fault, status=code)
