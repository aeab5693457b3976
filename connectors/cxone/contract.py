"""What NICE CXone sends, decoded (DESIGN.md section 7): a core, used by the gateway client and by the flow.

Rules
- A frame's data is JSON: {"token", "finished", "context_id"?, "data"?}. Fields we do not know are carried in the
  log and not shown. The SSE `id:` wins over `context_id`.
- How messages and frames belong together: connectors/deltas.py.
"""

from __future__ import annotations

from typing import Any

import msgspec

from connectors import deltas
from connectors.deltas import MALFORMED, Delta

__all__ = ["Decoder", "Delta"]


class _Message(msgspec.Struct):
    token: str | None = None
    finished: bool = False
    context_id: str | None = None


_decode = msgspec.json.Decoder(_Message).decode


class Decoder(deltas.Decoder):
    """One turn's frames to deltas: `tokens` holds one at most, `id` is how to continue from there."""

    def _read(self, text: str, frame_id: str | None) -> Delta:
        message = _decode(text)
        return _delta(message.token, message.finished, frame_id or message.context_id)

    def _convert(self, message: dict[str, Any], frame_id: str | None) -> Delta:
        token, context_id = message.get("token"), message.get("context_id")
        if not isinstance(token, str | None) or not isinstance(context_id, str | None):
            return MALFORMED
        return _delta(token, message.get("finished") is True, frame_id or context_id)


def _delta(token: str | None, finished: bool, id: str | None) -> Delta:  # noqa: A002  # as in Delta
    return Delta((token,) if token else (), finished, id or None)
