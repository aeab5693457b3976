"""Cohere's chat as a vendor: read from recordings, not run live."""

from __future__ import annotations

import json
from typing import Any, Final

from connectors.vendors.base import Vendor
from connectors.vendors.cohere import contract


class Cohere(Vendor):
    """See connectors.vendors.base.Vendor."""

    name = "cohere"
    title = "Cohere"
    about = "Recordings of Cohere's chat."
    live = False
    paths = ("/v2/chat",)

    def decoder(self) -> contract.Decoder:
        return contract.Decoder()

    def claims(self, message: dict[str, Any]) -> bool:
        return contract.claims(message)

    def frame(self, token: str, finished: bool) -> str:
        delta: dict[str, Any] = {"message": {"content": {"text": token}}} if token else {}
        if finished:
            return json.dumps({"type": "message-end", "delta": {**delta, "finish_reason": "COMPLETE"}})
        return json.dumps({"type": "content-delta", "delta": delta})


VENDOR: Final = Cohere()
