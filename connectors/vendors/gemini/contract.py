"""What Gemini's generateContent sends, as a stream or whole, decoded: a core.

Rules (Google's reference of GenerateContentResponse)
- A message is {"candidates": [{"content": {"parts": [{"text", "thought"?}]}, "finishReason"?}], "usageMetadata"?}. Text
  is that of candidate 0's parts that are no thoughts. A candidate without an index is at its place.
- The answer is whole with a `finishReason`; older models send one with every message, and nothing ends the stream.
- A prompt that was blocked has a `promptFeedback.blockReason` and no candidates.
- Counts are of the turn so far; thoughts count as answered.
- {"error": …} is a failure. Some gateways wrap all this in {"response": …}.
- How messages and frames belong together: connectors/vendors/decoding.py.
"""

from __future__ import annotations

from typing import Any

from connectors.vendors import answers
from connectors.vendors.answers import Said, added, at, failed, objects, stop_of
from connectors.vendors.decoding import Stop


class Decoder(answers.Decoder):
    """One turn's frames to deltas. Nothing can be continued."""

    def _gather(self, message: dict[str, Any], said: Said) -> None:
        said.error = failed(message.get("error"))
        message = _inner(message)
        for place, candidate in enumerate(objects(message.get("candidates"))):
            index = candidate.get("index")
            _candidate(candidate, index if type(index) is int else place, said)
        if blocked := at(message, "promptFeedback", "blockReason"):
            said.stop = Stop("filter", str(blocked))
        usage = message.get("usageMetadata")
        said.usage = (
            at(usage, "promptTokenCount"),
            added(at(usage, "candidatesTokenCount"), at(usage, "thoughtsTokenCount")),
            at(usage, "totalTokenCount"),
        )


def claims(message: dict[str, Any]) -> bool:
    """Whether it is a message of this API."""
    inner = _inner(message)
    if isinstance(inner.get("candidates"), list) or "promptFeedback" in inner or "usageMetadata" in inner:
        return True
    return isinstance(at(message, "error", "status"), str)


def _inner(message: dict[str, Any]) -> dict[str, Any]:
    wrapped = message.get("response")
    return wrapped if isinstance(wrapped, dict) and "candidates" not in message else message


def _candidate(candidate: dict[str, Any], index: int, said: Said) -> None:
    for part in objects(at(candidate, "content", "parts")):
        said.say("reasoning" if part.get("thought") else "text", part.get("text"), index)
        said.say("tool", at(part, "functionCall", "name"), index)
        said.say("tool", at(part, "executableCode", "code"), index)
        said.say("tool", at(part, "codeExecutionResult", "output"), index)
    if index == 0 and (stop := stop_of(candidate.get("finishReason"))):
        said.stop = stop
