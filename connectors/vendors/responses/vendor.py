"""OpenAI's Responses as a vendor: read from recordings, not run live."""

from __future__ import annotations

import json
from typing import Any, Final

from connectors.vendors.base import Vendor
from connectors.vendors.responses import contract


class Responses(Vendor):
    """See connectors.vendors.base.Vendor."""

    name = "responses"
    title = "OpenAI Responses"
    about = "Recordings of OpenAI's Responses."
    live = False
    paths = ("/v1/responses",)

    def decoder(self) -> contract.Decoder:
        return contract.Decoder()

    def claims(self, message: dict[str, Any]) -> bool:
        return contract.claims(message)

    def frame(self, token: str, finished: bool) -> str:
        said = json.dumps({"type": "response.output_text.delta", "delta": token}) if token else ""
        ended = {"type": "response.completed", "response": {"status": "completed"}}
        return said + (json.dumps(ended) if finished else "")


VENDOR: Final = Responses()
