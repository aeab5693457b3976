"""Gemini's generateContent as a vendor: read from recordings, not run live."""

from __future__ import annotations

import json
from typing import Any, Final

from connectors.vendors.base import Vendor
from connectors.vendors.gemini import contract


class Gemini(Vendor):
    """See connectors.vendors.base.Vendor."""

    name = "gemini"
    title = "Gemini"
    about = "Recordings of Gemini's generateContent."
    live = False

    def decoder(self) -> contract.Decoder:
        return contract.Decoder()

    def claims(self, message: dict[str, Any]) -> bool:
        return contract.claims(message)

    def frame(self, token: str, finished: bool) -> str:
        candidate: dict[str, Any] = {"index": 0, "content": {"parts": [{"text": token}] if token else []}}
        if finished:
            candidate["finishReason"] = "STOP"
        return json.dumps({"candidates": [candidate]})


VENDOR: Final = Gemini()
