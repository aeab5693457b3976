"""A vendor that answers with Server-Sent Events: starts, continuations where it has them, and faults.

Rules
- A vendor's own simulator routes, reads the request, and calls `_serve`; its `Answer` says how tokens are written.
- A continuation begins behind the token that its id names. Which stream a start gets: turns.py.
- Faults come from faults.py; those with on=token hold for the gateway as a whole.
"""

from __future__ import annotations

import asyncio
import math
from bisect import bisect_right
from collections.abc import Callable
from typing import ClassVar, Final

import msgspec

from connectors.simulator.answers import Answer, Piece
from connectors.simulator.faults import On
from connectors.simulator.http import Dropped, Exchange, HTTPError
from connectors.simulator.names import read_id
from connectors.simulator.turns import SimulatedTurn
from connectors.simulator.vendor import Asked, SimulatedVendor

BATCH: Final = 64 * 1024
"""Bytes that are gathered into one write where a stream runs as fast as possible."""


class SimulatedSSE(SimulatedVendor):
    """See SimulatedVendor for what it takes.

    counts  token_requests, starts, continuations, finished, gone, tokens (repeated ones too), drop_fin …, status_429 …
    """

    ANSWER: ClassVar[type[Answer]]
    KIND: ClassVar[str] = "text/event-stream; charset=utf-8"
    """The content type of its answers."""

    async def _serve(self, exchange: Exchange, asked: Asked, prompt: str, continuation_id: str | None = None) -> None:
        """Answer a start, or a continuation from an id, with its stream."""
        if continuation_id is None:
            self.counts["starts"] += 1
            on: On = "start"
            turn, first = self._begin(prompt, asked), 0
        else:
            self.counts["continuations"] += 1
            asked.continuation_id = continuation_id[:100]
            on = "continue"
            turn, first = self._find(continuation_id)
            self._note(asked, turn)
        try:
            await self._fail(exchange, turn.progress, on)
            await self._answer(exchange, asked, turn, first)
        finally:
            if turn.sent == 0 and asked.ended != "finished":
                self._turns.again(prompt, turn)

    def _find(self, context_id: str) -> tuple[SimulatedTurn, int]:
        number, tokens = read_id(context_id) or (-1, None)
        turn = self._turns.find(number)
        if turn is None:
            raise HTTPError(404, "unknown_continuation_id", "no such context: start the prompt again")
        return turn, turn.sent if tokens is None else min(tokens, len(turn.stream.tokens))

    async def _answer(self, exchange: Exchange, asked: Asked, turn: SimulatedTurn, first: int) -> None:
        faults, drop = turn.progress.faults, turn.progress.drop
        answer = self.ANSWER(turn.stream, faults, self._pace, turn.number, first, turn.answers)
        turn.answers += 1
        exchange.pieces = faults.pieces
        if drop is not None and drop.at.of == "byte":
            exchange.cut(drop.ending, drop.at.at)
        elif drop is not None:
            stop = drop.at.token(answer.begin, len(turn.stream.tokens))
            answer = msgspec.structs.replace(answer, stop=stop)
        sender = _Sender(exchange, answer, self._count_tokens)
        try:
            await exchange.begin(200, self.KIND, (("Cache-Control", "no-cache"),))
            for piece in answer.pieces():
                await sender.put(piece)
            await sender.flush()
            if drop is not None and answer.stop is not None:
                if drop.how == "error":
                    await exchange.send(answer.error(drop))
                await exchange.drop(drop.ending)
            await exchange.end()
            asked.ended = "finished"
            self.counts["finished"] += 1
        except Dropped:
            assert drop is not None
            self._dropped(exchange, asked, turn, drop)
            if drop.ending != "end":
                raise
        finally:
            turn.sent = asked.tokens = max(turn.sent, sender.tokens)

    def _count_tokens(self, number: int) -> None:
        self.counts["tokens"] += number
        self._changes.notify()


class _Sender:
    """Sends the pieces of an answer when they are due, as many in a write as are."""

    def __init__(self, exchange: Exchange, answer: Answer, count_tokens: Callable[[int], None]) -> None:
        self.tokens = answer.begin
        self._exchange = exchange
        self._answer = answer
        self._count_tokens = count_tokens
        self._clock = asyncio.get_running_loop().time
        self._begun = self._clock()
        self._batch = bytearray()
        self._ends: list[tuple[int, int]] = []

    async def put(self, piece: Piece) -> None:
        if piece.due > 0 and self._begun + piece.due > self._clock():
            await self._wait(self._begun + piece.due)
        self._batch += piece.data
        self._ends.append((self._exchange.body_sent + len(self._batch), piece.tokens))
        if len(self._batch) >= BATCH:
            await self.flush()
            await asyncio.sleep(0)  # let the other streams in

    async def flush(self) -> None:
        data = bytes(self._batch)
        self._batch.clear()
        try:
            if data:
                await self._exchange.send(data)
        finally:
            # A token counts as sent if all of its event went out, wherever the answer was cut.
            whole = bisect_right(self._ends, (self._exchange.body_sent, math.inf))
            if whole:
                tokens = self._ends[whole - 1][1]
                self._count_tokens(tokens - self.tokens)
                self.tokens = tokens
            self._ends.clear()

    async def _wait(self, until: float) -> None:
        await self.flush()
        heartbeat = self._answer.faults.heartbeat
        while (left := until - self._clock()) > 0:
            await asyncio.sleep(min(left, heartbeat or _LONG))
            if heartbeat and left > heartbeat:
                await self._exchange.send(self._answer.comment())


_LONG: Final = 3600.0
