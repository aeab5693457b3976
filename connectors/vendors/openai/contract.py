"""What OpenAI's chat completions and completions send, decoded: a core, used by the gateway client and by the flow.

Rules (OpenAI's reference of the chat completion chunk, and how the servers of others deviate from it)
- A chunk is {"choices": [{"index", "delta": {"content"?, "refusal"?, …}, "finish_reason"?}], "usage"?}. Text is the
  content of choice 0; a choice without an index is at its place. A chunk may have no choices, no delta, no content, or
  say the role alone. Completions have `text` in place of a delta; an answer that is no stream has `message`.
- Content may be a list of parts (Mistral), of which `thinking` is not shown. What the model thinks is
  `reasoning_content`, `reasoning` or `reasoning_details`, of which one repeats another.
- The answer is whole once a chunk had a `finish_reason` that is not empty; `usage` may come after that. `[DONE]`, which
  some servers leave out, ends the stream.
- {"error": …}, in place of a chunk or beside it, is the server's failure; so is {"object": "error"} (vLLM), and
  {"detail"} of a server that took nothing.
- llama.cpp's own /completion is {"content", "stop": bool, "stop_type"?}.
- How messages and frames belong together: connectors/vendors/decoding.py.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from connectors.vendors import answers
from connectors.vendors.answers import Said, at, is_error, objects, stop_of, word
from connectors.vendors.decoding import Delta, Stop

LLAMA_STOPS: Final = {"stopped_eos": "eos", "stopped_word": "word", "stopped_limit": "limit"}


class _Content(msgspec.Struct, forbid_unknown_fields=True):
    content: str
    role: str | None = None
    refusal: None = None
    tool_calls: None = None
    function_call: None = None
    reasoning: None = None
    reasoning_content: None = None


class _Choice(msgspec.Struct):
    index: Literal[0]
    delta: _Content
    finish_reason: None = None
    message: None = None
    text: None = None


class _Chunk(msgspec.Struct):
    """A chunk with nothing in it but a piece of text, as nearly all are: read five times as fast as any other."""

    choices: list[_Choice]
    usage: None = None
    error: None = None
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"


_decode: Final = msgspec.json.Decoder(_Chunk).decode


class Decoder(answers.Decoder):
    """One turn's frames to deltas. No id says how to continue: the protocol has none."""

    def _read(self, text: str, frame_id: str | None) -> Delta:
        try:
            [choice] = _decode(text).choices
        except ValueError:  # msgspec.DecodeError is one, and so is another number of choices
            return super()._read(text, frame_id)
        if not choice.delta.content:
            return Delta()
        self._state.spoke = True
        return Delta((choice.delta.content,))

    def _gather(self, message: dict[str, Any], said: Said) -> None:
        said.error = is_error(message)
        for place, choice in enumerate(objects(message.get("choices"))):
            index = choice.get("index")
            _choice(choice, index if type(index) is int else place, said)
        if "choices" not in message and type(message.get("stop")) is bool:
            _completion(message, said)
        if usage := message.get("usage"):
            said.usage = (at(usage, "prompt_tokens"), at(usage, "completion_tokens"), at(usage, "total_tokens"))


def claims(message: dict[str, Any]) -> bool:
    """Whether it is a message of these APIs, or an error as most servers say it."""
    if isinstance(message.get("choices"), list) or word(message, "object").startswith("chat.completion"):
        return True
    if isinstance(message.get("content"), str) and type(message.get("stop")) is bool:
        return True
    return is_error(message)


def _choice(choice: dict[str, Any], index: int, said: Said) -> None:
    said.say("text", choice.get("text"), index)
    for delta in (choice.get("delta"), choice.get("message")):
        if isinstance(delta, dict):
            _delta(delta, index, said)
    if index == 0 and (stop := stop_of(choice.get("finish_reason"))):
        said.stop = stop


def _delta(delta: dict[str, Any], index: int, said: Said) -> None:
    thoughts = [delta[name] for name in ("reasoning_content", "reasoning", "thinking") if delta.get(name)]
    if thoughts:
        said.say("reasoning", thoughts[0], index)
    else:
        for detail in objects(delta.get("reasoning_details")):
            said.say("reasoning", detail.get("text") or detail.get("summary"), index)
    content = delta.get("content")
    said.say("text", content, index)
    for part in objects(content):
        said.say("text", part.get("text"), index)
        for thought in objects(part.get("thinking")):
            said.say("reasoning", thought.get("text"), index)
        said.say("reasoning", part.get("thinking"), index)
        said.say("refusal", part.get("refusal"), index)
    said.say("refusal", delta.get("refusal"), index)
    called = [at(call, "function") for call in objects(delta.get("tool_calls"))]
    for function in objects([*called, delta.get("function_call")]):
        said.say("tool", function.get("arguments") or function.get("name"), index)


def _completion(message: dict[str, Any], said: Said) -> None:
    said.say("text", message.get("content"))
    if message["stop"]:
        words = [word for name, word in LLAMA_STOPS.items() if message.get(name)]
        said.stop = stop_of(message.get("stop_type") or next(iter(words), "")) or Stop("stop")
        said.finished = True
        said.usage = (message.get("tokens_evaluated"), message.get("tokens_predicted"), None)
