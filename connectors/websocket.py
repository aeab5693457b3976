"""How our WebSockets are opened: to the address in the settings, and to no other.

Rules
- Every client of ours opens its sockets here (a test holds that). What a server answers cannot send customers' text, or
  a token, to another place: a redirect is an answer like any other that is no handshake, and ends the attempt.
- While one attempt hangs another may be made beside it; of those that succeed one is kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as following_connect

__all__ = ["ClientConnection", "connect", "is_redirect", "open_soon"]


class connect(following_connect):  # noqa: N801  # it is used as the library's own
    """websockets' `connect`, but a redirect is raised (InvalidStatus) and not followed."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


def is_redirect(status: int) -> bool:
    return 300 <= status < 400


async def open_soon(attempt: Callable[[], connect], every: float) -> ClientConnection:
    """The socket of the first attempt that gets one; the first that fails is raised.

    every  seconds after which an attempt that hangs has another one beside it: what it waits for may be lost, as a
           packet is that was sent to a machine which was off. The attempts' own timeout bounds their number.
    """
    attempts: set[asyncio.Future[ClientConnection]] = set()
    opened: ClientConnection | None = None
    try:
        while True:
            attempts.add(asyncio.ensure_future(attempt()))
            done, _ = await asyncio.wait(attempts, timeout=every, return_when=asyncio.FIRST_COMPLETED)
            if done:
                opened = done.pop().result()
                return opened
    finally:
        for each in attempts:
            each.cancel()
        for left in await asyncio.gather(*attempts, return_exceptions=True):
            if isinstance(left, ClientConnection) and left is not opened:
                left.transport.abort()
