"""What the decoders of model APIs share: objects of many forms, and how their answers end. A core.

Rules
- A message is read by its fields. One that is odd, or of a kind that nobody here knows, costs no more than itself; a
  text that is no text makes the message malformed.
- An answer is whole with a reason to stop, in whatever word (`REASONS`). A `pause` is none: the turn is to go on. Nor
  is the stream's own end, `[DONE]` or the connection's: before a reason came, they end an answer that broke off.
- An answer that stopped, or was stopped by a filter, and neither said a word nor asked for a tool, is a failure: a
  gateway in between swallowed it. A failure stays one, whatever is said after it.
- Counts of tokens are of the turn so far. What comes in parts (the prompt's first, the answer's with its end) is put
  together; what is no count is left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from connectors.vendors import decoding
from connectors.vendors.decoding import MALFORMED, Aside, Channel, Delta, Ending, Reason, Stop

DONE: Final = "[DONE]"
MAX_COUNT: Final = 1_000_000_000
"""More tokens than this in a turn are no count."""

_WORDS: Final[dict[Reason, str]] = {
    "stop": "stop end_turn stop_sequence eos eos_token complete completed finish finished end word stop_word",
    "length": "length max_tokens max_output_tokens max_length model_length model_context_window_exceeded limit",
    "tool": "tool_calls tool_call tool_use function_call function_calls",
    "filter": "content_filter content_filtered filter safety recitation spii blocklist prohibited_content image_safety"
    " guardrail_intervened refusal sensitive blocked_reason model_armor",
    "pause": "pause_turn",
    "error": "error error_toxic error_limit timeout network_error abort aborted cancelled canceled user_cancel failed"
    " malformed_function_call unexpected_tool_call insufficient_system_resource malformed_model_output",
}
REASONS: Final[Mapping[str, Reason]] = {word: reason for reason, words in _WORDS.items() for word in words.split()}
"""What the vendors' own words mean, in small letters (their API references; VENDORS in docs/vendors.md)."""

_parse = msgspec.json.Decoder().decode


def stop_of(raw: object) -> Stop | None:
    """The end of a message in the vendor's word for it; None where there is none yet."""
    if not isinstance(raw, str) or not raw or raw == "FINISH_REASON_UNSPECIFIED":
        return None
    return Stop(REASONS.get(raw.lower(), "other"), raw)


def at(value: Any, *keys: str | int) -> Any:
    """What lies there in parsed JSON; None where the way ends before."""
    for key in keys:
        if isinstance(value, dict) and isinstance(key, str):
            value = value.get(key)
        elif isinstance(value, list) and isinstance(key, int) and key < len(value):
            value = value[key]
        else:
            return None
    return value


def word(message: dict[str, Any], name: str) -> str:
    """A field that is text; "" where it is none."""
    value = message.get(name)
    return value if isinstance(value, str) else ""


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """The objects in a list."""
    return (each for each in value if isinstance(each, dict)) if isinstance(value, list) else iter(())


def lenient(text: str) -> Any:
    """JSON as decoding.py reads it; None where it is none even so."""
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return None


def failed(value: object) -> bool:
    """Whether an `error` field says that there was one."""
    return value not in (None, False, "", 0) and value != {} and value != []


def is_error(message: dict[str, Any]) -> bool:
    """Whether a message says that there was one, in any of the ways that servers have."""
    if message.get("object") == "error" or failed(message.get("error")):
        return True
    return "detail" in message and "choices" not in message


class Said:
    """What one message says, as it is gathered."""

    def __init__(self) -> None:
        self.tokens: list[str] = []
        self.asides: list[Aside] = []
        self.channel: Channel = "text"
        self.stop: Stop | None = None
        self.finished = self.error = self.odd = False
        self.usage: tuple[object, object, object] = (None, None, None)

    def say(self, channel: Channel, text: object, choice: int = 0) -> None:
        """Text of a channel; that of choice 0 is shown where people are meant to read it."""
        if not isinstance(text, str) or not text:
            self.odd = self.odd or (channel == "text" and not isinstance(text, str | list | None))
            return
        if choice == 0 and channel in ("text", "refusal"):
            self.tokens.append(text)
            self.channel = channel
        else:
            self.asides.append(Aside(channel, text, choice))


class _State(msgspec.Struct):
    """What a turn's messages have said so far."""

    spoke: bool = False
    reason: Reason | None = None
    failed: bool = False
    usage: tuple[int, int, int] | None = None
    kept: str = ""


class Decoder(decoding.Decoder):
    """One turn's frames to deltas; an API's own says in `_gather` what one message says.

    kept  a text that an API's decoder needs to remember
    """

    outlasted = True

    def __init__(self, pending: str = "", fragments: int = 0) -> None:
        super().__init__(pending, fragments)
        self._state = _State()

    @property
    def complete(self) -> bool:  # type: ignore[override]  # what others set, this one knows
        reason = self._state.reason
        return reason is not None and reason not in ("pause", "error") and not self._state.failed

    @property
    def ending(self) -> Ending:
        state = self._state
        is_empty = not state.spoke and state.reason in ("stop", "filter", "other")
        if state.failed or is_empty:
            return "vendor_error"
        return "finished" if self.complete else "interrupted"

    @property
    def state(self) -> Any:
        return list(msgspec.structs.astuple(self._state))

    @state.setter
    def state(self, data: Any) -> None:
        if data is not None:
            self._state = msgspec.convert(dict(zip(_State.__struct_fields__, data, strict=False)), _State)

    @property
    def kept(self) -> str:
        return self._state.kept

    @kept.setter
    def kept(self, text: str) -> None:
        self._state.kept = text

    @property
    def spoke(self) -> bool:
        """Whether text was shown, or a tool called."""
        return self._state.spoke

    def feed(self, text: str, frame_id: str | None) -> list[Delta]:
        if text.endswith(("]", "] ")) and text.rstrip().endswith(DONE) and not self.pending:
            before = text.rstrip().removesuffix(DONE).rstrip()  # one line end between events leaves them in one
            deltas = super().feed(before, frame_id) if before else []
            return [*deltas, Delta(finished=self.complete)]
        return super().feed(text, frame_id)

    def _read(self, text: str, frame_id: str | None) -> Delta:
        message = _parse(text)
        return self._convert(message, frame_id) if isinstance(message, dict) else MALFORMED

    def _convert(self, message: dict[str, Any], frame_id: str | None) -> Delta:
        said, state = Said(), self._state
        self._gather(message, said)
        if said.odd and not said.tokens:
            return MALFORMED
        if said.tokens or any(aside.channel == "tool" for aside in said.asides):
            state.spoke = True
        if said.stop is not None:
            state.reason = said.stop.reason
            said.error = said.error or said.stop.reason == "error"
        state.failed = state.failed or said.error
        return Delta(
            tuple(said.tokens),
            finished=said.finished and self.complete,
            usage=self._usage(*said.usage),
            error=said.error,
            channel=said.channel,
            asides=tuple(said.asides),
            stop=said.stop,
        )

    def _gather(self, message: dict[str, Any], said: Said) -> None:
        """What a message says."""
        raise NotImplementedError

    def _usage(self, *given: object) -> tuple[int, int, int] | None:
        """The turn's counts with these; None where none is given."""
        prompt, completion, total = map(_count, given)
        if prompt is completion is total is None:
            return None
        before = self._state.usage or (0, 0, 0)
        prompt = before[0] if prompt is None else prompt
        completion = before[1] if completion is None else completion
        self._state.usage = (prompt, completion, prompt + completion if total is None else total)
        return self._state.usage


def added(*counts: object) -> int | None:
    """The sum of those that are counts; None where none is."""
    known = [count for count in map(_count, counts) if count is not None]
    return sum(known) if known else None


def _count(value: object) -> int | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if type(value) is int and 0 <= value <= MAX_COUNT else None
