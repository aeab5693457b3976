"""Anthropic's Messages as a vendor."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from connectors.vendors.anthropic import contract
from connectors.vendors.anthropic.settings import AnthropicSettings
from connectors.vendors.base import Account, Gateway, Vendor
from connectors.vendors.conversation import FIELDS


class Anthropic(Vendor):
    """See connectors.vendors.base.Vendor."""

    name = "anthropic"
    title = "Anthropic Messages"
    about = "Claude's answers to the agent desktop."
    takes = FIELDS
    sections = {"anthropic": AnthropicSettings}
    environment = {
        "ANTHROPIC_BASE_URL": ("anthropic", "base_url"),
        "ANTHROPIC_API_KEY": ("anthropic", "api_key"),
    }
    paths = ("/messages",)

    def decoder(self) -> contract.Decoder:
        return contract.Decoder()

    def claims(self, message: dict[str, Any]) -> bool:
        return contract.claims(message)

    def frame(self, token: str, finished: bool) -> str:
        if finished:
            return json.dumps({"type": "message_delta", "delta": {"stop_reason": "end_turn", "text": token}})
        delta = {"type": "text_delta", "text": token}
        return json.dumps({"type": "content_block_delta", "index": 0, "delta": delta})

    def account(self, sections: Mapping[str, Any]) -> Account:
        return _Account(sections["anthropic"])

    def simulator(self, corpus: Any = None, **options: Any) -> Any:
        from connectors.vendors.anthropic.simulator import SimulatedAnthropic

        return SimulatedAnthropic(corpus, **options)

    def simulated(self, url: str) -> Mapping[str, str]:
        from connectors.simulator.vendor import CLIENT_SECRET

        return {"ANTHROPIC_BASE_URL": url, "ANTHROPIC_API_KEY": CLIENT_SECRET}


class _Account(Account):
    def __init__(self, settings: AnthropicSettings) -> None:
        self._settings = settings

    def gateway(self) -> Gateway:
        from connectors.vendors.anthropic.gateway import AnthropicGateway

        return AnthropicGateway(self._settings)


VENDOR: Final = Anthropic()
