"""A CXone gateway on loopback: OAuth client credentials, chat streams over SSE, continuations, and faults.

Rules
- It speaks the vendor's contract (docs/vendors.md) and refuses what the contract does not allow.
- An event is `id:` (the context id) and `data:` {"token","finished","context_id"?,"data"?}; the last one has an empty
  token and is `finished`.
"""

from __future__ import annotations

from typing import Final, Literal
from urllib.parse import parse_qs

import msgspec

from connectors.simulator.answers import Answer, json_bytes
from connectors.simulator.http import Exchange, HTTPError
from connectors.simulator.names import ODD
from connectors.simulator.sse import SimulatedSSE
from connectors.simulator.vendor import Asked, read_json

TOKEN_PATH: Final = "/oauth/token"
STREAM_PATH: Final = "/api/v2/ai/llm/chat/stream"
SCOPE: Final = "ai:llm:stream"


class CXoneAnswer(Answer, frozen=True):
    """See Answer."""

    def _message(self, token: str, number: int, *, finished: bool, filler: int = 0) -> list[bytes]:
        """The JSON of one token, in the parts between which white space may stand."""
        style = self.faults.ids.style
        parts = [b'{"token":%b,' % self._json(token), b'"finished":true' if finished else b'"finished":false']
        if style in ("data", "both", "clash"):
            wrong, odd = "not-" * (style == "clash"), ODD * self.faults.ids.odd
            parts.append(b',"context_id":%b' % json_bytes(f"{wrong}{self._id(number)}{odd}"))
        if filler:
            parts.append(b',"data":{"filler":"%b"}' % (b"x" * filler))
        parts.append(b"}")
        return parts


class SimulatedCXone(SimulatedSSE):
    """The simulated CXone; see SimulatedVendor for what it takes."""

    SCOPES = (SCOPE,)
    ANSWER = CXoneAnswer

    async def _route(self, exchange: Exchange, asked: Asked) -> None:
        if exchange.request.path == TOKEN_PATH:
            await self._grant(exchange, "application/x-www-form-urlencoded", _read_form)
        elif exchange.request.path == STREAM_PATH:
            self._access.check(exchange.request)
            exchange.require("POST", "application/json", accept="text/event-stream")
            body = _Body.read(exchange.request.body)
            await self._serve(exchange, asked, body.prompt, body.continuation_id)
        else:
            raise HTTPError(404, "not_found", f"this gateway has {TOKEN_PATH} and {STREAM_PATH}")


class _Body(msgspec.Struct):
    """The body of a request for a stream."""

    prompt: str
    stream: Literal[True]
    model: str | None = None
    continuation_id: str | None = None

    @classmethod
    def read(cls, data: bytes) -> _Body:
        body: _Body = read_json(data, cls, "prompt, model, stream: true")
        if not body.prompt:
            raise HTTPError(400, "bad_request", "prompt is empty")
        if body.continuation_id is None and not body.model:
            raise HTTPError(400, "bad_request", "model is missing; only a continuation may leave it out")
        return body


def _read_form(body: bytes) -> dict[str, str]:
    try:
        form = parse_qs(body.decode(), strict_parsing=True, max_num_fields=20)
    except ValueError:
        raise HTTPError(400, "invalid_request", "the body is not a form") from None
    return {name: values[0] for name, values in form.items() if len(values) == 1}
