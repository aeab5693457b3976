"""What Ollama's chat and generate send, a JSON object a line, decoded: a core.

Rules (Ollama's reference of its API)
- A message is {"message": {"content", "thinking"?}, "done"} of chat, {"response", "thinking"?, "done"} of generate.
- `done` ends the turn, with `done_reason` (older servers leave it out) and the counts.
- {"error": "…"} in a line is a failure.
- How messages and frames belong together: connectors/vendors/decoding.py.
"""

from __future__ import annotations

from typing import Any

from connectors.vendors import answers
from connectors.vendors.answers import Said, at, failed, objects, stop_of
from connectors.vendors.decoding import Stop


class Decoder(answers.Decoder):
    """One turn's frames to deltas. Nothing can be continued."""

    def _gather(self, message: dict[str, Any], said: Said) -> None:
        said.error = failed(message.get("error"))
        chat = message.get("message")
        for part in (message, chat if isinstance(chat, dict) else {}):
            said.say("reasoning", part.get("thinking") or part.get("reasoning_content") or part.get("reasoning"))
        said.say("text", message.get("response"))
        said.say("text", at(chat, "content"))
        for call in objects(at(chat, "tool_calls")):
            said.say("tool", at(call, "function", "name"))
        if message.get("done") is True:
            said.finished = True
            said.stop = stop_of(message.get("done_reason")) or Stop("stop")
            said.usage = (message.get("prompt_eval_count"), message.get("eval_count"), None)


def claims(message: dict[str, Any]) -> bool:
    """Whether it is a message of this API."""
    if type(message.get("done")) is bool and ("message" in message or isinstance(message.get("response"), str)):
        return True
    return set(message) == {"error"} and isinstance(message["error"], str)
