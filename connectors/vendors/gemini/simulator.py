"""Google's Gemini API on loopback, with faults: streamGenerateContent as Server-Sent Events.

Rules
- Lines end with CRLF, as theirs do. The last event has the reason and the counts, and nothing ends the stream. With
  `finish=last` the last token's event has them.
- There are no ids, and no continuations: a request for a prompt that had been answered is a new turn.
- The API key is the simulator's client secret; a wrong one is 403.
"""

from __future__ import annotations

import hmac
import re
from typing import Any, Final

import msgspec

from connectors.simulator.answers import Answer, json_bytes
from connectors.simulator.faults import Drop
from connectors.simulator.http import Exchange, HTTPError
from connectors.simulator.sse import SimulatedSSE
from connectors.simulator.vendor import CLIENT_SECRET, Asked

PATH: Final = re.compile(r"/v1beta/models/[^/]+:streamGenerateContent")
PROMPT_TOKENS: Final = 12
"""What every prompt is said to have cost."""


class GeminiAnswer(Answer, frozen=True):
    """See Answer."""

    NAMED = False

    def error(self, drop: Drop) -> bytes:
        said = {"error": {"code": 503, "status": "UNAVAILABLE", "message": f"told to fail: {drop.code}"}}
        return self._with_eol(b"data: %b\n\n" % json_bytes(said))

    def _with_eol(self, data: bytes) -> bytes:
        return super()._with_eol(data) if self.faults.eol != "lf" else data.replace(b"\n", b"\r\n")

    def _message(self, token: str, number: int, *, finished: bool, filler: int = 0) -> list[bytes]:
        candidate: dict[str, Any] = {"content": {"role": "model", "parts": [{"text": token}]}, "index": 0}
        said: dict[str, Any] = {"candidates": [candidate], "modelVersion": "simulated"}
        if filler:
            said["padding"] = "x" * filler
        if finished:
            candidate["finishReason"] = "STOP"
            if self.faults.usage != "none":
                count = len(self.stream.tokens)
                said["usageMetadata"] = {"promptTokenCount": PROMPT_TOKENS, "candidatesTokenCount": count}
        return [self._json(said)]


class _Part(msgspec.Struct):
    text: str


class _Content(msgspec.Struct):
    parts: list[_Part]
    role: str = "user"


class _Body(msgspec.Struct):
    contents: list[_Content]


class SimulatedGemini(SimulatedSSE):
    """The simulated server; see SimulatedVendor for what it takes."""

    SCOPES = ()
    ANSWER = GeminiAnswer

    async def _route(self, exchange: Exchange, asked: Asked) -> None:
        if PATH.fullmatch(exchange.request.path) is None:
            raise HTTPError(404, "NOT_FOUND", "this server has /v1beta/models/MODEL:streamGenerateContent")
        given = exchange.request.headers.get("x-goog-api-key", "")
        if not hmac.compare_digest(given.encode(), CLIENT_SECRET.encode()):
            raise HTTPError(403, "PERMISSION_DENIED", "the API key is wrong")
        exchange.require("POST", "application/json")
        if exchange.request.query != "alt=sse":
            raise HTTPError(400, "INVALID_ARGUMENT", "this server sends events only: ask for alt=sse")
        try:
            body = msgspec.json.decode(exchange.request.body, type=_Body)
        except msgspec.DecodeError as error:  # it says what and where, and quotes nothing
            raise HTTPError(400, "INVALID_ARGUMENT", str(error)) from None
        if not body.contents or not body.contents[-1].parts:
            raise HTTPError(400, "INVALID_ARGUMENT", "send contents with parts")
        await self._serve(exchange, asked, body.contents[-1].parts[-1].text)
