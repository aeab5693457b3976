"""An answer's messages on an open WebSocket, each when it is due, and how they break off."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from connectors.simulator.answers import Answer
from connectors.simulator.faults import Drop
from connectors.simulator.http import Dropped, Exchange
from connectors.simulator.websocket import WebSocket

BATCH: Final = 32
"""Messages in a row after which other streams are let in, where one runs as fast as possible."""

_LONG: Final = 3600.0


async def play(socket: WebSocket, answer: Answer, count: Callable[[int], None]) -> None:
    """Send the messages, and tell after each how many tokens have gone out whole.

    Raises Dropped where the answer was to be cut, ConnectionError where the client has gone.
    """
    faults, clock = answer.faults, asyncio.get_running_loop().time
    begun = clock()
    for number, piece in enumerate(answer.pieces(), 1):
        while (left := begun + piece.due - clock()) > 0:
            await asyncio.sleep(min(left, faults.heartbeat or left, _LONG))
            if faults.heartbeat and left > faults.heartbeat:
                await socket.ping()
        try:
            for part in _parts(piece.data, faults.split):
                await socket.send(part, pieces=faults.pieces)
        except Dropped as dropped:
            if dropped.whole and faults.split == 1 and not faults.pieces:
                count(piece.tokens)  # cut between two messages
            raise
        count(piece.tokens)
        if number % BATCH == 0:
            await asyncio.sleep(0)


async def break_off(exchange: Exchange, socket: WebSocket, answer: Answer, drop: Drop) -> None:
    """End the stream as the fault says. Raises Dropped where the connection itself is broken."""
    if drop.how == "error":
        await socket.send(answer.error(drop))
    if drop.close_code is None:
        await exchange.drop(drop.ending)
    else:
        await socket.close(drop.close_code)


def _parts(data: bytes, number: int) -> list[bytes]:
    """Cut between characters: a message is UTF-8 by itself."""
    if number == 1 or not data:
        return [data] if data else []
    text = data.decode("utf-8", "surrogateescape")
    step = -(-len(text) // number)
    return [text[at : at + step].encode("utf-8", "surrogateescape") for at in range(0, len(text), step)]
