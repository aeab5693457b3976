"""What NICE CXone sends, decoded (docs/vendors.md): a core, used by the gateway client and by the flow.

Rules
- A frame's data is JSON: {"token", "finished", "context_id"?, "data"?}. Fields we do not know are carried in the
  log and not shown. The SSE `id:` wins over `context_id`; one that is no id is none, and its token is shown.
- How messages and frames belong together: connectors/vendors/decoding.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from connectors.vendors import decoding as deltas
from connectors.vendors.decoding import MALFORMED, Delta, read_lines, usable_id

__all__ = ["Decoder", "Delta"]


class _Message(msgspec.Struct):
    token: str | None = None
    finished: bool = False
    context_id: str | None = None


_decode = msgspec.json.Decoder(_Message).decode
_decode_lines = msgspec.json.Decoder(_Message).decode_lines


class Decoder(deltas.Decoder):
    """One turn's frames to deltas: `tokens` holds one at most, `id` is how to continue from there."""

    def tokens_of(self, texts: Sequence[str]) -> Sequence[tuple[str, str | None] | None] | None:
        messages = read_lines(_decode_lines, texts)
        if messages is None:
            return None
        return [
            (each.token, usable_id(each.context_id)) if each.token and not each.finished else None for each in messages
        ]

    def _read(self, text: str, frame_id: str | None) -> Delta:
        message = _decode(text)
        return _delta(message.token, message.finished, frame_id, message.context_id)

    def _convert(self, message: dict[str, Any], frame_id: str | None) -> Delta:
        token = message.get("token")
        if not isinstance(token, str | None):
            return MALFORMED
        return _delta(token, message.get("finished") is True, frame_id, message.get("context_id"))


def _delta(token: str | None, finished: bool, frame_id: str | None, context_id: object) -> Delta:
    return Delta((token,) if token else (), finished, usable_id(frame_id) or usable_id(context_id))
