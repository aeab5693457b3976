"""What Amazon Bedrock's ConverseStream sends, decoded: a core. Its binary frames: connectors/eventstream.py.

Rules (AWS's reference of ConverseStreamOutput)
- A frame is the payload of one message of the event stream, as it came; its event's name is the log's. An event that a
  client library wrote down, {"contentBlockDelta": {…}}, is read as well.
- Text is that of content blocks' deltas; thoughts and tools' input are not shown.
- `messageStop` says the reason; `metadata`, which may lack, the counts.
- An exception's payload is {"message": "…"} and nothing else that a message has: a failure.
- How messages and frames belong together: connectors/vendors/decoding.py.
"""

from __future__ import annotations

from typing import Any, Final

from connectors.vendors import answers
from connectors.vendors.answers import Said, added, at, objects, stop_of

EVENTS: Final = frozenset(
    "messageStart contentBlockStart contentBlockDelta contentBlockStop messageStop metadata".split()  # noqa: SIM905  # one line to read
)


class Decoder(answers.Decoder):
    """One turn's frames to deltas. Nothing can be continued."""

    def _gather(self, message: dict[str, Any], said: Said) -> None:
        name, message = _event(message)
        said.error = name.endswith("Exception") or isinstance(message.get("message"), str)
        _content(message.get("delta"), said)
        said.say("tool", at(message, "start", "toolUse", "name"))
        for block in objects(at(message, "output", "message", "content")):
            _content(block, said)
        said.stop = stop_of(message.get("stopReason"))
        usage = message.get("usage")
        said.usage = (
            added(at(usage, "inputTokens"), at(usage, "cacheReadInputTokens"), at(usage, "cacheWriteInputTokens")),
            at(usage, "outputTokens"),
            at(usage, "totalTokens"),
        )
        said.finished = usage is not None


def claims(message: dict[str, Any]) -> bool:
    """Whether it is a message of this API."""
    name, inner = _event(message)
    if name or "contentBlockIndex" in inner or "stopReason" in inner:
        return True
    return isinstance(at(inner, "usage", "inputTokens"), int) or inner == {"role": "assistant"}


def _event(message: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The event's name, where the message tells it, and what is in it."""
    if len(message) == 1:
        [(name, inner)] = message.items()
        if isinstance(inner, dict) and (name in EVENTS or name.endswith("Exception")):
            return name, inner
    return "", message


def _content(block: object, said: Said) -> None:
    said.say("text", at(block, "text"))
    thoughts = at(block, "reasoningContent")
    said.say("reasoning", at(thoughts, "text") or at(thoughts, "reasoningText", "text"))
    said.say("tool", at(block, "toolUse", "input") or at(block, "toolUse", "name"))
    said.say("citation", at(block, "citation", "title"))
