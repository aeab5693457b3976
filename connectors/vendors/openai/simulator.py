"""A server of chat completions on loopback, with faults.

Rules
- The first chunk says the role alone; the last ones a `finish_reason`, the usage, and `[DONE]`. With `finish=last` the
  last token has the `finish_reason`, and nothing follows it.
- There are no ids, and no continuations: a request for a prompt that had been answered is a new turn.
- The API key is the simulator's client secret; a wrong one is 401.
"""

from __future__ import annotations

import hmac
from typing import Any, Final

import msgspec

from connectors.simulator.answers import Answer, json_bytes
from connectors.simulator.faults import Drop
from connectors.simulator.http import Exchange, HTTPError
from connectors.simulator.sse import SimulatedSSE
from connectors.simulator.vendor import CLIENT_SECRET, Asked, read_json

PATH: Final = "/v1/chat/completions"
PROMPT_TOKENS: Final = 12
"""What every prompt is said to have cost."""


class OpenAIAnswer(Answer, frozen=True):
    """See Answer."""

    NAMED = False

    def error(self, drop: Drop) -> bytes:
        return self._with_eol(b"data: %b\n\n" % json_bytes({"error": {"code": drop.code, "message": "told to fail"}}))

    def _preamble(self) -> bytes:
        return super()._preamble() + self._framed([self._chunk({"role": "assistant", "content": ""})], 0)

    def _message(self, token: str, number: int, *, finished: bool, filler: int = 0) -> list[bytes]:
        more = {"obfuscation": "x" * filler} if filler else {}
        return self._chunk({"content": token}, "stop" if finished else None, **more)

    def _finish(self) -> bytes:
        number = len(self.stream.tokens)
        usage = {
            "prompt_tokens": PROMPT_TOKENS,
            "completion_tokens": number,
            "total_tokens": PROMPT_TOKENS + number,
        }
        last = self._framed([self._chunk({}, "stop")], number + 1)
        counted = self._framed([[self._json({"choices": [], "usage": usage})]], number + 1)
        return last + (b"" if self.faults.usage == "none" else counted) + b"data: [DONE]\n\n"

    def _chunk(self, delta: dict[str, str], finish_reason: str | None = None, **more: object) -> list[bytes]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        return [self._json({"id": f"chatcmpl-{self.turn}", "choices": [choice], **more})]


class _Message(msgspec.Struct):
    role: str
    content: str


class _Body(msgspec.Struct):
    model: str
    messages: list[_Message]
    stream: bool = False
    stream_options: dict[str, Any] | None = None


class SimulatedOpenAI(SimulatedSSE):
    """The simulated server; see SimulatedVendor for what it takes."""

    SCOPES = ()
    ANSWER = OpenAIAnswer

    async def _route(self, exchange: Exchange, asked: Asked) -> None:
        if exchange.request.path != PATH:
            raise HTTPError(404, "not_found", f"this server has {PATH}")
        given = exchange.request.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {CLIENT_SECRET}".encode()):
            raise HTTPError(401, "invalid_api_key", "the API key is wrong")
        exchange.require("POST", "application/json", accept="text/event-stream")
        body: _Body = read_json(exchange.request.body, _Body)
        if not body.stream or not body.messages:
            raise HTTPError(400, "bad_request", "send messages, and stream: true")
        await self._serve(exchange, asked, body.messages[-1].content)
