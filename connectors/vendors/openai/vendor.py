"""OpenAI, and every server that speaks its chat completions, as a vendor."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from connectors.vendors.base import Account, Gateway, Scene, Vendor
from connectors.vendors.conversation import FIELDS
from connectors.vendors.openai import contract
from connectors.vendors.openai.contract import Decoder
from connectors.vendors.openai.settings import OPTIONS, OpenAISettings


class OpenAI(Vendor):
    """See connectors.vendors.base.Vendor."""

    name = "openai"
    title = "OpenAI-compatible chat completions"
    about = "A model server's chat completions to the agent desktop."
    takes = frozenset({*FIELDS, *OPTIONS})
    sections = {"openai": OpenAISettings}
    environment = {"OPENAI_BASE_URL": ("openai", "base_url"), "OPENAI_API_KEY": ("openai", "api_key")}
    paths = ("/completions", "/completion")

    def decoder(self) -> Decoder:
        return Decoder()

    def claims(self, message: dict[str, Any]) -> bool:
        return contract.claims(message)

    def frame(self, token: str, finished: bool) -> str:
        delta = {"content": token} if token else {}
        choice = {"index": 0, "delta": delta, "finish_reason": "stop" if finished else None}
        return json.dumps({"object": "chat.completion.chunk", "choices": [choice]}, separators=(",", ":"))

    def account(self, sections: Mapping[str, Any]) -> Account:
        return _Account(sections["openai"])

    def simulator(self, corpus: Any = None, **options: Any) -> Any:
        from connectors.vendors.openai.simulator import SimulatedOpenAI

        return SimulatedOpenAI(corpus, **options)

    def scene(self) -> Scene:
        from connectors.vendors.openai.scene import SCENE

        return SCENE

    def simulated(self, url: str) -> Mapping[str, str]:
        from connectors.simulator.vendor import CLIENT_SECRET

        return {"OPENAI_BASE_URL": f"{url}/v1", "OPENAI_API_KEY": CLIENT_SECRET}


class _Account(Account):
    def __init__(self, settings: OpenAISettings) -> None:
        self._settings = settings

    def gateway(self) -> Gateway:
        from connectors.vendors.openai.gateway import OpenAIGateway

        return OpenAIGateway(self._settings)


VENDOR: Final = OpenAI()
