"""What Anthropic's Messages send as a stream, decoded: a core.

Rules (Anthropic's reference of streaming, and what gateways make of it)
- A message says its `type`, whatever its event is called; one that does not is read by its fields all the same. Text is
  that of `text` blocks, in their start and in their deltas. Thoughts, signatures and tools' input are not shown.
- `stop_reason` comes in `message_delta`; `message_stop` ends the stream. `pause_turn` does not end the turn.
- Counts: the prompt's come with `message_start`, those of the answer, so far, with `message_delta`.
- {"type": "error"} is a failure, though the status was 200.
- An answer that is no stream is {"type": "message", "content": [blocks]}. Bedrock's InvokeModel sends the same.
- How messages and frames belong together: connectors/vendors/decoding.py.
"""

from __future__ import annotations

from typing import Any, Final

from connectors.vendors import answers
from connectors.vendors.answers import Said, added, at, failed, objects, stop_of, word
from connectors.vendors.decoding import Stop

TYPES: Final = frozenset(
    "message_start content_block_start content_block_delta content_block_stop message_delta message_stop ping".split()  # noqa: SIM905  # one line to read
)


class Decoder(answers.Decoder):
    """One turn's frames to deltas. Nothing can be continued."""

    def _gather(self, message: dict[str, Any], said: Said) -> None:
        kind = word(message, "type")
        said.error = kind == "error" or failed(message.get("error"))
        block = message.get("content_block")
        if isinstance(block, dict):
            _block(block, said)
        delta = message.get("delta")
        while isinstance(at(delta, "delta"), dict):  # a gateway's event inside another
            delta = at(delta, "delta")
        if isinstance(delta, dict):
            _block(delta, said)
            said.stop = stop_of(delta.get("stop_reason"))
        whole = message if kind == "message" else message.get("message")
        if isinstance(whole, dict):
            for block in objects(whole.get("content")):
                _block(block, said)
            said.stop = stop_of(whole.get("stop_reason")) or said.stop
        if kind == "message_stop" and self._state.reason is None:
            said.stop = Stop("stop")
        said.finished = kind in ("message_stop", "message")
        said.usage = _usage(message.get("usage") or at(whole, "usage"))


def claims(message: dict[str, Any]) -> bool:
    """Whether it is a message of this API."""
    kind = word(message, "type")
    if kind == "message":
        return isinstance(message.get("content"), list) and "stop_reason" in message
    return kind in TYPES or (kind == "error" and isinstance(message.get("error"), dict))


def _block(block: dict[str, Any], said: Said) -> None:
    """A block, or what is added to one."""
    said.say("text", block.get("text"))
    said.say("reasoning", block.get("thinking"))
    said.say("tool", block.get("partial_json"))
    if block.get("type") in ("tool_use", "server_tool_use", "mcp_tool_use"):
        said.say("tool", block.get("name"))
    said.say("citation", at(block, "citation", "cited_text"))


def _usage(usage: object) -> tuple[object, object, object]:
    cached = (at(usage, "cache_creation_input_tokens"), at(usage, "cache_read_input_tokens"))
    prompt = at(usage, "input_tokens")
    return (None if prompt is None else added(prompt, *cached), at(usage, "output_tokens"), None)
