"""What NICE Cognigy.AI sends, decoded (docs/vendors.md): a core, used by the gateway client and by the flow.

Rules
- A message is JSON: {"tokens": [...], "done", "usage": {"prompt_tokens", "completion_tokens", "total_tokens"}?,
  "error"?}. Fields we do not know are carried in the log and not shown.
- `tokens` count even in a message that is `done` or an `error`. An `error` that is null, false or empty is none.
- A usage that is no usage is left out, and its message stands: a wrong count shall cost no customer a word.
- Messages have no ids: nothing can be continued.
- How messages and frames belong together: connectors/vendors/decoding.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from connectors.vendors import decoding as deltas
from connectors.vendors.decoding import MALFORMED, Delta, read_lines

__all__ = ["MAX_COUNT", "Decoder", "Delta"]

MAX_COUNT: Final = 1_000_000_000
"""More tokens than this in a turn are no count."""

_Count = Annotated[int, Meta(ge=0, le=MAX_COUNT)]


class _Usage(msgspec.Struct):
    prompt_tokens: _Count
    completion_tokens: _Count
    total_tokens: _Count | None = None


class _Message(msgspec.Struct):
    tokens: tuple[str, ...] | None = None
    done: bool = False
    usage: _Usage | None = None
    error: str | None = None


_decode = msgspec.json.Decoder(_Message).decode
_decode_lines = msgspec.json.Decoder(_Message).decode_lines


class Decoder(deltas.Decoder):
    """One turn's frames to deltas."""

    def tokens_of(self, texts: Sequence[str]) -> Sequence[tuple[str, str | None] | None] | None:
        messages = read_lines(_decode_lines, texts)
        if messages is None:
            return None
        return [
            (each.tokens[0], None)
            if each.tokens and len(each.tokens) == 1 and each.tokens[0] and not (each.done or each.error or each.usage)
            else None
            for each in messages
        ]

    def _read(self, text: str, frame_id: str | None) -> Delta:
        message = _decode(text)
        usage = None if message.usage is None else _counts(message.usage)
        return Delta(tuple(filter(None, message.tokens or ())), message.done, None, usage, bool(message.error))

    def _convert(self, message: dict[str, Any], frame_id: str | None) -> Delta:
        tokens = message.get("tokens") or []
        if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
            return MALFORMED
        usage = _usage(message.get("usage"))
        return Delta(tuple(filter(None, tokens)), message.get("done") is True, None, usage, bool(message.get("error")))


def _usage(value: object) -> tuple[int, int, int] | None:
    try:
        return _counts(msgspec.convert(value, _Usage))
    except msgspec.ValidationError:
        return None


def _counts(usage: _Usage) -> tuple[int, int, int]:
    prompt, completion, total = usage.prompt_tokens, usage.completion_tokens, usage.total_tokens
    return prompt, completion, prompt + completion if total is None else total
