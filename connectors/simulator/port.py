"""A port that stays ours while nobody listens on it.

Rules
- A server that "refuses connections for a while" must come back on the same port, so a chosen port
  (0) is held by a socket that is bound and never listens: nobody else is given it meanwhile.
- A port that the user named is bound plainly, so that a second server on it is an error.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import struct

from connectors.errors import SettingsError

BACKLOG = 1024
"""Connections the kernel may keep waiting; a thousand clients may come at once."""


def reset(transport: asyncio.WriteTransport) -> None:
    """End a connection now by RST (SO_LINGER 0). Nothing happens to one that has ended."""
    connection = transport.get_extra_info("socket")
    if connection is not None:
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


class Port:
    """A TCP port on `host` (an IPv4 address); port 0 lets the kernel choose one, and keeps it.

    Raises SettingsError where the port cannot be bound.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self.host = host
        self.number = port
        self._holder: socket.socket | None = None
        if port == 0 and hasattr(socket, "SO_REUSEPORT"):
            self._holder = self._bound()
            self.number = self._holder.getsockname()[1]

    def listener(self, *, receive_buffer: int = 0) -> socket.socket:
        """A new listening socket on the port; its owner closes it, and then connections are refused.

        `receive_buffer` (bytes, 0 = the system's) is inherited by the connections it accepts.
        """
        listener = self._bound()
        self.number = listener.getsockname()[1]
        if receive_buffer:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        listener.listen(BACKLOG)
        listener.setblocking(False)
        return listener

    def close(self) -> None:
        if self._holder is not None:
            self._holder.close()
            self._holder = None

    def _bound(self) -> socket.socket:
        # Named TCP, because asyncio turns Nagle's algorithm off only where the protocol is named.
        bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if self._holder is not None or self.number == 0:
                bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            bound.bind((self.host, self.number))
        except OSError as error:
            bound.close()
            why = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be bound ({error.strerror})"
            raise SettingsError(
                f"port {self.number} on {self.host} {why}: choose another, or 0 for any free one"
            ) from None
        except BaseException:
            bound.close()
            raise
        return bound
