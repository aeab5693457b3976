"""A CXone gateway on loopback: OAuth client credentials, chat streams over SSE, continuations, and faults.

Rules
- It speaks the vendor's contract (DESIGN.md, section 7) and refuses what the contract does not allow, with a
  status and a line of JSON that says why.
- A continuation begins behind the token that its id names. Which stream a start gets: turns.py.
- Faults come from faults.py; those with on=token hold for the gateway as a whole.
- What was asked is remembered without secrets and without prompts, in a list that is bounded.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from bisect import bisect_right
from collections.abc import Callable
from email.utils import formatdate
from typing import Final, Literal
from urllib.parse import parse_qs

import msgspec

from connectors.errors import SettingsError
from connectors.simulator.faults import On, Progress, Refusal
from connectors.simulator.http import Dropped, Exchange, HTTPError
from connectors.simulator.names import read_id
from connectors.simulator.turns import Turn
from connectors.simulator.vendor import Asked, SimulatedVendor
from connectors.text import from_json
from connectors.vendors.cxone.simulated_answer import Answer, Piece

TOKEN_PATH: Final = "/oauth/token"
STREAM_PATH: Final = "/api/v2/ai/llm/chat/stream"
SCOPE: Final = "ai:llm:stream"

BATCH: Final = 64 * 1024
"""Bytes that are gathered into one write where a stream runs as fast as possible."""


class CXoneGateway(SimulatedVendor):
    """The simulated CXone; see SimulatedVendor for what it takes.

    counts  token_requests, starts, continuations, finished, gone, tokens (repeated ones too), drop_fin …, status_429 …
    """

    SCOPES = (SCOPE,)

    async def _route(self, exchange: Exchange, asked: Asked) -> None:
        if exchange.request.path == TOKEN_PATH:
            await self._grant(exchange)
        elif exchange.request.path == STREAM_PATH:
            await self._stream(exchange, asked)
        else:
            raise HTTPError(404, "not_found", f"this gateway has {TOKEN_PATH} and {STREAM_PATH}")

    async def _grant(self, exchange: Exchange) -> None:
        """POST /oauth/token, form-encoded."""
        self.counts["token_requests"] += 1
        await self._fail(exchange, self._general, "token")
        exchange.require("POST", "application/x-www-form-urlencoded")
        try:
            form = parse_qs(exchange.request.body.decode(), strict_parsing=True, max_num_fields=20)
        except ValueError:
            raise HTTPError(400, "invalid_request", "the body is not a form") from None
        granted = self._access.grant({name: values[0] for name, values in form.items() if len(values) == 1})
        await exchange.answer(200, json.dumps(granted).encode(), headers=(("Cache-Control", "no-store"),))

    async def _stream(self, exchange: Exchange, asked: Asked) -> None:
        """POST /api/v2/ai/llm/chat/stream: a start or a continuation."""
        self._access.check(exchange.request)
        exchange.require("POST", "application/json", accept="text/event-stream")
        body = _Body.read(exchange.request.body)
        if body.continuation_id is None:
            self.counts["starts"] += 1
            on: On = "start"
            turn, first = self._start(body.prompt), 0
        else:
            self.counts["continuations"] += 1
            asked.continuation_id = body.continuation_id[:100]
            on = "continue"
            turn, first = self._continue(body.continuation_id)
        asked.stream, asked.turn, asked.attempt = turn.stream.name, turn.number, turn.requests
        turn.requests += 1
        try:
            await self._fail(exchange, turn.progress, on)
            await self._answer(exchange, asked, turn, first)
        finally:
            if turn.sent == 0 and asked.ended != "finished":
                self._turns.again(body.prompt, turn)

    def _start(self, prompt: str) -> Turn:
        try:
            return self._turns.start(prompt)
        except SettingsError as error:
            raise HTTPError(400, "unknown_stream", str(error)) from None

    def _continue(self, context_id: str) -> tuple[Turn, int]:
        number, tokens = read_id(context_id) or (-1, None)
        turn = self._turns.find(number)
        if turn is None:
            raise HTTPError(404, "unknown_continuation_id", "no such context: start the prompt anew")
        return turn, turn.sent if tokens is None else min(tokens, len(turn.stream.tokens))

    async def _fail(self, exchange: Exchange, progress: Progress, on: On) -> None:
        """Wait as long as the faults say. Raises HTTPError where they refuse this request."""
        if latency := progress.latency(on):
            await asyncio.sleep(latency)
        refusal = progress.refuse(on)
        if refusal is None:
            return
        if refusal.status == 401:
            self._access.revoke(exchange.request)
        raise HTTPError(
            refusal.status,
            f"status_{refusal.status}",
            "the simulator was told to refuse this",
            headers=retry_after(refusal),
        )

    async def _answer(self, exchange: Exchange, asked: Asked, turn: Turn, first: int) -> None:
        faults, drop = turn.progress.faults, turn.progress.drop
        answer = Answer(turn.stream, faults, self._pace, turn.number, first, turn.answers)
        turn.answers += 1
        exchange.pieces = faults.pieces
        if drop is not None and drop.at.of == "byte":
            exchange.cut(drop.ending, drop.at.at)
        elif drop is not None:
            stop = drop.at.token(answer.begin, len(turn.stream.tokens))
            answer = msgspec.structs.replace(answer, stop=stop)
        sender = _Sender(exchange, answer, self._count_tokens)
        try:
            await exchange.begin(200, "text/event-stream; charset=utf-8", (("Cache-Control", "no-cache"),))
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
            asked.ended = drop.how
            self.counts[f"drop_{drop.how}"] += 1
            turn.progress.dropped()
            if drop.revoke:
                self._access.revoke(exchange.request)
            if drop.refuse:
                self.refuse(drop.refuse)
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


class _Body(msgspec.Struct):
    """The body of a request for a stream."""

    prompt: str
    stream: Literal[True]
    model: str | None = None
    continuation_id: str | None = None

    @classmethod
    def read(cls, data: bytes) -> _Body:
        try:
            body = from_json(data, cls)
        except msgspec.DecodeError as error:  # it says what and where, and quotes nothing
            raise HTTPError(400, "bad_request", f"{error}; send prompt, model, stream: true") from None
        if not body.prompt:
            raise HTTPError(400, "bad_request", "prompt is empty")
        if body.continuation_id is None and not body.model:
            raise HTTPError(400, "bad_request", "model is missing; only a continuation may leave it out")
        return body


def retry_after(refusal: Refusal) -> list[tuple[str, str]]:
    """The header, in the form that the fault says."""
    headers = []
    if refusal.retry_after is not None:
        headers.append(("Retry-After", f"{refusal.retry_after:g}"))
    if refusal.retry_date is not None:
        headers.append(("Retry-After", formatdate(time.time() + refusal.retry_date, usegmt=True)))
    return headers
