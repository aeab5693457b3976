"""An Ollama server on loopback, with faults: its chat.

Rules
- A line is an object; the last one says `done`, the reason and the counts. With `finish=last` the last token's does.
- There are no ids, and no continuations: a request for a prompt that had been answered is a new turn.
- Whoever sends a key has to send the simulator's client secret.
"""

from __future__ import annotations

import hmac
from typing import Any, Final

import msgspec

from connectors.simulator.answers import Answer, json_bytes
from connectors.simulator.faults import Drop
from connectors.simulator.http import Exchange, HTTPError
from connectors.simulator.sse import SimulatedSSE
from connectors.simulator.vendor import CLIENT_SECRET, Asked

PATH: Final = "/api/chat"
PROMPT_TOKENS: Final = 12
"""What every prompt is said to have cost."""


class OllamaAnswer(Answer, frozen=True):
    """See Answer. Lines know neither comments nor ids."""

    NAMED = False

    def error(self, drop: Drop) -> bytes:
        return json_bytes({"error": f"told to fail: {drop.code}"}) + b"\n"

    def comment(self) -> bytes:
        return b"\n"

    def _preamble(self) -> bytes:
        return b""

    def _message(self, token: str, number: int, *, finished: bool, filler: int = 0) -> list[bytes]:
        said: dict[str, Any] = {"message": {"role": "assistant", "content": token}, "done": finished}
        if finished:
            said["done_reason"] = "stop"
            if self.faults.usage != "none":
                said |= {"prompt_eval_count": PROMPT_TOKENS, "eval_count": len(self.stream.tokens)}
        return [self._json({**said, "padding": "x" * filler} if filler else said)]

    def _framed(self, messages: list[list[bytes]], number: int) -> bytes:
        return b"".join(part + b"\n" for message in messages for part in message)


class _Message(msgspec.Struct):
    role: str
    content: str


class _Body(msgspec.Struct):
    model: str
    messages: list[_Message]
    stream: bool = True


class SimulatedOllama(SimulatedSSE):
    """The simulated server; see SimulatedVendor for what it takes."""

    SCOPES = ()
    ANSWER = OllamaAnswer
    KIND = "application/x-ndjson"

    async def _route(self, exchange: Exchange, asked: Asked) -> None:
        if exchange.request.path != PATH:
            raise HTTPError(404, "not_found", f"this server has {PATH}")
        given = exchange.request.headers.get("authorization", f"Bearer {CLIENT_SECRET}")
        if not hmac.compare_digest(given.encode(), f"Bearer {CLIENT_SECRET}".encode()):
            raise HTTPError(401, "unauthorized", "the key is wrong")
        exchange.require("POST", "application/json")
        try:
            body = msgspec.json.decode(exchange.request.body, type=_Body)
        except msgspec.DecodeError as error:  # it says what and where, and quotes nothing
            raise HTTPError(400, "bad_request", str(error)) from None
        if not body.stream or not body.messages:
            raise HTTPError(400, "bad_request", "send messages, and not stream: false")
        await self._serve(exchange, asked, body.messages[-1].content)
