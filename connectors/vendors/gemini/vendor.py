"""Google Gemini as a vendor."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from connectors.vendors.base import Account, Gateway, Vendor
from connectors.vendors.conversation import FIELDS
from connectors.vendors.gemini import contract
from connectors.vendors.gemini.settings import GeminiSettings


class Gemini(Vendor):
    """See connectors.vendors.base.Vendor."""

    name = "gemini"
    title = "Google Gemini"
    about = "Gemini's answers to the agent desktop."
    takes = FIELDS
    sections = {"gemini": GeminiSettings}
    environment = {
        "GEMINI_BASE_URL": ("gemini", "base_url"),
        "GEMINI_API_KEY": ("gemini", "api_key"),
    }
    paths = ("enerateContent",)

    def decoder(self) -> contract.Decoder:
        return contract.Decoder()

    def claims(self, message: dict[str, Any]) -> bool:
        return contract.claims(message)

    def frame(self, token: str, finished: bool) -> str:
        candidate: dict[str, Any] = {"index": 0, "content": {"parts": [{"text": token}] if token else []}}
        if finished:
            candidate["finishReason"] = "STOP"
        return json.dumps({"candidates": [candidate]})

    def account(self, sections: Mapping[str, Any]) -> Account:
        return _Account(sections["gemini"])

    def simulator(self, corpus: Any = None, **options: Any) -> Any:
        from connectors.vendors.gemini.simulator import SimulatedGemini

        return SimulatedGemini(corpus, **options)

    def simulated(self, url: str) -> Mapping[str, str]:
        from connectors.simulator.vendor import CLIENT_SECRET

        return {"GEMINI_BASE_URL": f"{url}/v1beta", "GEMINI_API_KEY": CLIENT_SECRET}


class _Account(Account):
    def __init__(self, settings: GeminiSettings) -> None:
        self._settings = settings

    def gateway(self) -> Gateway:
        from connectors.vendors.gemini.gateway import GeminiGateway

        return GeminiGateway(self._settings)


VENDOR: Final = Gemini()
