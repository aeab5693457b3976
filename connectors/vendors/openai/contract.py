"""What OpenAI's chat completions send as a stream, decoded: a core, used by the gateway client and by the flow.

Rules (OpenAI's reference of the chat completion chunk, and how servers of others deviate from it)
- A chunk is {"choices": [{"index", "delta": {"content"?, …}, "finish_reason"?}], "usage"?}. Text is the `content` of
  choice 0. A chunk may have no choices, no delta, no content, or say the role alone.
- The answer is whole once a chunk had a `finish_reason` that is not empty; `usage` may come after that. `[DONE]`, which
  some servers leave out, ends the stream: before a `finish_reason` it ends an answer that is not whole.
- {"error": …}, in place of a chunk or beside it, is the server's failure.
- How messages and frames belong together: connectors/vendors/decoding.py.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from connectors.vendors import decoding
from connectors.vendors.decoding import MALFORMED, Delta

DONE: Final = "[DONE]"


class _Content(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    index: int = 0
    delta: _Content | None = None
    finish_reason: str | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0


class _Chunk(msgspec.Struct):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    error: Any = None


_decode = msgspec.json.Decoder(_Chunk).decode


class Decoder(decoding.Decoder):
    """One turn's frames to deltas: `tokens` holds one at most. No id says how to continue: the protocol has none."""

    def feed(self, text: str, frame_id: str | None) -> list[Delta]:
        if text.strip() == DONE and not self.pending:
            return [Delta(finished=self.complete)]
        return super().feed(text, frame_id)

    def _read(self, text: str, frame_id: str | None) -> Delta:
        return self._delta(_decode(text))

    def _convert(self, message: dict[str, Any], frame_id: str | None) -> Delta:
        try:
            return self._delta(msgspec.convert(message, _Chunk))
        except msgspec.ValidationError:
            return MALFORMED

    def _delta(self, chunk: _Chunk) -> Delta:
        tokens = ""
        for choice in chunk.choices or ():
            if choice.index == 0:
                tokens += (choice.delta.content if choice.delta else None) or ""
                self.complete = self.complete or bool(choice.finish_reason)
        usage = chunk.usage
        return Delta(
            (tokens,) if tokens else (),
            usage=(usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) if usage else None,
            error=chunk.error is not None,
        )
