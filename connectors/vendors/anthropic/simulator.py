"""A server of Anthropic's Messages on loopback, with faults.

Rules
- Events have names, as theirs do. The answer is one block of text; its start, a `ping` and the prompt's count come
  before it, its end, the reason and the counts after. With `finish=last` the reason comes with the last token.
- There are no ids, and no continuations: a request for a prompt that had been answered is a new turn.
- The API key is the simulator's client secret, in either header; a wrong one is 401.
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

PATH: Final = "/v1/messages"
PROMPT_TOKENS: Final = 12
"""What every prompt is said to have cost."""


class AnthropicAnswer(Answer, frozen=True):
    """See Answer."""

    NAMED = False

    def error(self, drop: Drop) -> bytes:
        said = {"type": "error", "error": {"type": drop.code, "message": "told to fail"}}
        return self._with_eol(b"event: error\ndata: %b\n\n" % json_bytes(said))

    def _preamble(self) -> bytes:
        usage = {"input_tokens": PROMPT_TOKENS, "output_tokens": 1}
        message: dict[str, Any] = {
            "id": f"msg_{self.turn}",
            "role": "assistant",
            "content": [],
            "stop_reason": None,
            "usage": usage,
        }
        block = {"type": "text", "text": ""}
        begins: list[tuple[str, dict[str, Any]]] = [
            ("message_start", {"message": message}),
            ("content_block_start", {"index": 0, "content_block": block}),
            ("ping", {}),
        ]
        return super()._preamble() + b"".join(self._named(kind, more) for kind, more in begins)

    def _message(self, token: str, number: int, *, finished: bool, filler: int = 0) -> list[bytes]:
        more = {"padding": "x" * filler} if filler else {}
        delta = {"type": "text_delta", "text": token}
        said = self._json({"type": "content_block_delta", "index": 0, "delta": delta, **more})
        return [said + self._json(self._reason())] if finished else [said]

    def _finish(self) -> bytes:
        ends = [("content_block_stop", {"index": 0}), ("message_delta", self._reason()), ("message_stop", {})]
        return b"".join(self._named(kind, more) for kind, more in ends)

    def _framed(self, messages: list[list[bytes]], number: int) -> bytes:
        return b"event: content_block_delta\n" + super()._framed(messages, number)

    def _reason(self) -> dict[str, Any]:
        counts = {} if self.faults.usage == "none" else {"usage": {"output_tokens": len(self.stream.tokens)}}
        return {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, **counts}

    def _named(self, kind: str, more: dict[str, Any]) -> bytes:
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), self._json({"type": kind, **more}))


class _Message(msgspec.Struct):
    role: str
    content: str


class _Body(msgspec.Struct):
    model: str
    max_tokens: int
    messages: list[_Message]
    stream: bool = False


class SimulatedAnthropic(SimulatedSSE):
    """The simulated server; see SimulatedVendor for what it takes."""

    SCOPES = ()
    ANSWER = AnthropicAnswer

    async def _route(self, exchange: Exchange, asked: Asked) -> None:
        if exchange.request.path != PATH:
            raise HTTPError(404, "not_found_error", f"this server has {PATH}")
        headers = exchange.request.headers
        given = headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), CLIENT_SECRET.encode()):
            raise HTTPError(401, "authentication_error", "the API key is wrong")
        if "anthropic-version" not in headers:
            raise HTTPError(400, "invalid_request_error", "send anthropic-version")
        exchange.require("POST", "application/json", accept="text/event-stream")
        try:
            body = msgspec.json.decode(exchange.request.body, type=_Body)
        except msgspec.DecodeError as error:  # it says what and where, and quotes nothing
            raise HTTPError(400, "invalid_request_error", str(error)) from None
        if not body.stream or not body.messages:
            raise HTTPError(400, "invalid_request_error", "send messages, and stream: true")
        await self._serve(exchange, asked, body.messages[-1].content)
