"""Anthropic's Messages as a vendor: read from recordings, not run live."""

from __future__ import annotations

import json
from typing import Any, Final

from connectors.vendors.anthropic import contract
from connectors.vendors.base import Vendor


class Anthropic(Vendor):
    """See connectors.vendors.base.Vendor."""

    name = "anthropic"
    title = "Anthropic Messages"
    about = "Recordings of Anthropic's Messages."
    live = False

    def decoder(self) -> contract.Decoder:
        return contract.Decoder()

    def claims(self, message: dict[str, Any]) -> bool:
        return contract.claims(message)

    def frame(self, token: str, finished: bool) -> str:
        if finished:
            return json.dumps({"type": "message_delta", "delta": {"stop_reason": "end_turn", "text": token}})
        delta = {"type": "text_delta", "text": token}
        return json.dumps({"type": "content_block_delta", "index": 0, "delta": delta})


VENDOR: Final = Anthropic()
