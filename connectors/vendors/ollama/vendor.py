"""Ollama as a vendor."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from connectors.vendors.base import Account, Gateway, Vendor
from connectors.vendors.conversation import FIELDS
from connectors.vendors.ollama import contract
from connectors.vendors.ollama.settings import OllamaSettings


class Ollama(Vendor):
    """See connectors.vendors.base.Vendor."""

    name = "ollama"
    title = "Ollama"
    about = "A local model's answers to the agent desktop."
    takes = FIELDS
    sections = {"ollama": OllamaSettings}
    environment = {
        "OLLAMA_BASE_URL": ("ollama", "base_url"),
        "OLLAMA_API_KEY": ("ollama", "api_key"),
    }
    paths = ("/api/chat", "/api/generate")

    def decoder(self) -> contract.Decoder:
        return contract.Decoder()

    def claims(self, message: dict[str, Any]) -> bool:
        return contract.claims(message)

    def frame(self, token: str, finished: bool) -> str:
        message = {"message": {"role": "assistant", "content": token}, "done": finished}
        return json.dumps({**message, "done_reason": "stop"} if finished else message)

    def account(self, sections: Mapping[str, Any]) -> Account:
        return _Account(sections["ollama"])

    def simulator(self, corpus: Any = None, **options: Any) -> Any:
        from connectors.vendors.ollama.simulator import SimulatedOllama

        return SimulatedOllama(corpus, **options)

    def simulated(self, url: str) -> Mapping[str, str]:
        from connectors.simulator.vendor import CLIENT_SECRET

        return {"OLLAMA_BASE_URL": url, "OLLAMA_API_KEY": CLIENT_SECRET}


class _Account(Account):
    def __init__(self, settings: OllamaSettings) -> None:
        self._settings = settings

    def gateway(self) -> Gateway:
        from connectors.vendors.ollama.gateway import OllamaGateway

        return OllamaGateway(self._settings)


VENDOR: Final = Ollama()
