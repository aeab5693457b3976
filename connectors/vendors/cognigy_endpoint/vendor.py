"""Cognigy.AI's Socket endpoint as a vendor: read from recordings, not run live."""

from __future__ import annotations

import json
from typing import Any, Final

from connectors.vendors.base import Vendor
from connectors.vendors.cognigy_endpoint import contract


class CognigyEndpoint(Vendor):
    """See connectors.vendors.base.Vendor."""

    name = "cognigy_endpoint"
    title = "Cognigy.AI Socket endpoint"
    about = "Recordings of Cognigy.AI's Socket endpoint."
    live = False
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


VENDOR: Final = CognigyEndpoint()
