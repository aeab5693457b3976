"""What OpenAI's Responses send as a stream, decoded: a core.

Rules (OpenAI's reference of streaming events, and what gateways make of it)
- A message says its `type`, whatever its event is called. Text is `response.output_text.delta`, and a refusal is shown
  like it; thoughts and tools' arguments are not.
- `….done` repeats a part, and `response.completed` all of them: text is taken from there only where none came before.
- `response.completed`, `.incomplete` (a limit, a filter) and `.failed` end the turn, with its usage; `error` is a
  failure.
- An answer that is no stream is the response itself, {"object": "response"}.
- How messages and frames belong together: connectors/vendors/decoding.py.
"""

from __future__ import annotations

from typing import Any, Final

from connectors.vendors import answers
from connectors.vendors.answers import Said, at, failed, objects, stop_of, word
from connectors.vendors.decoding import Channel, Stop

DELTAS: Final[dict[str, Channel]] = {
    "output_text": "text",
    "refusal": "refusal",
    "reasoning_text": "reasoning",
    "reasoning_summary_text": "reasoning",
    "reasoning_summary": "reasoning",
    "function_call_arguments": "tool",
    "custom_tool_call_input": "tool",
    "mcp_call_arguments": "tool",
    "code_interpreter_call_code": "tool",
}
"""Of `response.NAME.delta`, `delta` says this; of `response.NAME.done`, a field says all of it."""

ENDS: Final = frozenset(("completed", "incomplete", "failed", "cancelled"))


class Decoder(answers.Decoder):
    """One turn's frames to deltas. `kept` is the part of the answer whose text came last."""

    def _gather(self, message: dict[str, Any], said: Said) -> None:
        kind = message.get("type")
        if message.get("object") == "response":
            self._end(message, str(message.get("status")), said)
        elif kind == "error" or (kind is None and failed(message.get("error"))):
            said.error = True
        elif isinstance(kind, str) and kind.startswith("response."):
            name, _, event = kind.removeprefix("response.").rpartition(".")
            if not name and event in ENDS:
                response = message.get("response")
                self._end(response if isinstance(response, dict) else {}, event, said)
            elif name in DELTAS:
                self._part(message, name, event, said)
            elif name == "output_text.annotation":
                said.say("citation", at(message, "annotation", "title") or at(message, "annotation", "url"))

    def _part(self, message: dict[str, Any], name: str, event: str, said: Said) -> None:
        channel = DELTAS[name]
        part = f"{name} {message.get('output_index')} {message.get('content_index')}"
        if event == "delta":
            said.say(channel, message.get("delta"))
        elif channel in ("text", "refusal") and part != self.kept:
            said.say(channel, message.get("text") or message.get("refusal"))
        if said.tokens:
            self.kept = part

    def _end(self, response: dict[str, Any], status: str, said: Said) -> None:
        if not self.spoke:
            for item in objects(response.get("output")):
                for part in objects(item.get("content")):
                    said.say("text", part.get("text"))
                    said.say("refusal", part.get("refusal"))
                if str(item.get("type")).endswith("_call"):
                    said.say("tool", item.get("name") or item.get("type"))
        usage = response.get("usage")
        said.usage = (at(usage, "input_tokens"), at(usage, "output_tokens"), at(usage, "total_tokens"))
        said.finished = True
        said.error = status in ("failed", "cancelled") or failed(response.get("error"))
        if status == "incomplete":
            said.stop = stop_of(at(response, "incomplete_details", "reason")) or Stop("length", status)
        elif status == "completed":
            said.stop = Stop("stop", status)


def claims(message: dict[str, Any]) -> bool:
    """Whether it is a message of this API."""
    kind = word(message, "type")
    is_error = kind == "error" and "error" not in message and "message" in message
    return kind.startswith("response.") or message.get("object") == "response" or is_error
