"""Cognigy.AI's Socket endpoint as a vendor."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from connectors.vendors.base import Account, Gateway, Vendor
from connectors.vendors.cognigy_endpoint import contract
from connectors.vendors.cognigy_endpoint.settings import CognigyEndpointSettings


class CognigyEndpoint(Vendor):
    """See connectors.vendors.base.Vendor."""

    name = "cognigy_endpoint"
    title = "Cognigy.AI Socket endpoint"
    about = "The answers of a Flow behind Cognigy.AI's Socket endpoint to the agent desktop."
    transport = "Socket.IO over WebSocket"
    sections = {"cognigy_endpoint": CognigyEndpointSettings}
    environment = {
        "COGNIGY_ENDPOINT_URL": ("cognigy_endpoint", "url"),
        "COGNIGY_ENDPOINT_TOKEN": ("cognigy_endpoint", "token"),
    }
    paths = ("/socket.io/", "/socket.io")

    def decoder(self) -> contract.Decoder:
        return contract.Decoder()

    def claims(self, message: dict[str, Any]) -> bool:
        return contract.claims(message)

    def frame(self, token: str, finished: bool) -> str:
        data: dict[str, Any] = {"_messageId": "m"}
        if finished:
            data["_finishReason"] = "stop"
        output = {"type": "output", "data": {"text": token, "data": {"_cognigy": data}, "source": "bot"}}
        return "42" + json.dumps(["output", output])

    def account(self, sections: Mapping[str, Any]) -> Account:
        return _Account(sections["cognigy_endpoint"])

    def simulator(self, corpus: Any = None, **options: Any) -> Any:
        from connectors.vendors.cognigy_endpoint.simulator import SimulatedCognigyEndpoint

        return SimulatedCognigyEndpoint(corpus, **options)

    def simulated(self, url: str) -> Mapping[str, str]:
        from connectors.simulator.vendor import CLIENT_SECRET

        return {"COGNIGY_ENDPOINT_URL": url, "COGNIGY_ENDPOINT_TOKEN": CLIENT_SECRET}


class _Account(Account):
    def __init__(self, settings: CognigyEndpointSettings) -> None:
        self._settings = settings

    def gateway(self) -> Gateway:
        from connectors.vendors.cognigy_endpoint.gateway import CognigyEndpointGateway

        return CognigyEndpointGateway(self._settings)


VENDOR: Final = CognigyEndpoint()
