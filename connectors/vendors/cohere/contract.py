"""What Cohere's chat sends as a stream, decoded: a core.

Rules (Cohere's reference of streaming; version 2, and version 1 where it differs)
- A message says its `type` (version 1: `event_type`). Text is `content-start`'s and `content-delta`'s; plans, thoughts,
  tools and citations are not shown.
- `message-end` ends the turn, with its reason and counts; ERROR and TIMEOUT are failures. Version 1's `stream-end`
  repeats the whole text, which is taken only where none came before.
- An answer that is no stream has `message.content` and `finish_reason`. {"message": "…"} alone is a refusal.
- How messages and frames belong together: connectors/vendors/decoding.py.
"""

from __future__ import annotations

from typing import Any, Final

from connectors.vendors import answers
from connectors.vendors.answers import Said, added, at, failed, objects, stop_of, word
from connectors.vendors.decoding import Stop

TYPES: Final = frozenset(
    (
        *("message-start", "content-start", "content-delta", "content-end", "tool-plan-delta", "tool-call-start"),
        *("tool-call-delta", "tool-call-end", "citation-start", "citation-end", "message-end"),
    )
)
FORMER_TYPES: Final = frozenset(("stream-start", "text-generation", "stream-end"))


class Decoder(answers.Decoder):
    """One turn's frames to deltas. Nothing can be continued."""

    def _gather(self, message: dict[str, Any], said: Said) -> None:
        kind, former = word(message, "type"), word(message, "event_type")
        refused = set(message) <= {"message", "id"} and isinstance(message.get("message"), str)
        said.error = refused or failed(at(message, "delta", "error"))
        whole = message.get("delta") if kind or former else message
        content = at(whole, "message", "content")
        for part in [content, *objects(content)]:
            said.say("text", at(part, "text"))
            said.say("reasoning", at(part, "thinking"))
        said.say("reasoning", at(whole, "message", "tool_plan"))
        said.say("tool", at(whole, "message", "tool_calls", "function", "arguments"))
        said.say("citation", at(whole, "message", "citations", "text"))
        if former == "text-generation":
            said.say("text", message.get("text"))
        elif former == "stream-end":
            whole = {"finish_reason": message.get("finish_reason") or "COMPLETE"}
            if not self.spoke:
                said.say("text", at(message, "response", "text"))
        said.stop = stop_of(at(whole, "finish_reason"))
        if kind == "message-end":
            said.stop = said.stop or Stop("stop")
        said.finished = said.stop is not None
        usage = at(whole, "usage") or at(message, "response", "meta")
        counts = at(usage, "tokens") or at(usage, "billed_units")
        said.usage = (added(at(counts, "input_tokens")), added(at(counts, "output_tokens")), None)


def claims(message: dict[str, Any]) -> bool:
    """Whether it is a message of this API."""
    if word(message, "type") in TYPES or word(message, "event_type") in FORMER_TYPES:
        return True
    return isinstance(at(message, "message", "content"), list) and "finish_reason" in message
