"""Ollama's chat and generate as a vendor: read from recordings, not run live."""

from __future__ import annotations

import json
from typing import Any, Final

from connectors.vendors.base import Vendor
from connectors.vendors.ollama import contract


class Ollama(Vendor):
    """See connectors.vendors.base.Vendor."""

    name = "ollama"
    title = "Ollama"
    about = "Recordings of Ollama's chat and generate."
    live = False

    def decoder(self) -> contract.Decoder:
        return contract.Decoder()

    def claims(self, message: dict[str, Any]) -> bool:
        return contract.claims(message)

    def frame(self, token: str, finished: bool) -> str:
        message = {"message": {"role": "assistant", "content": token}, "done": finished}
        return json.dumps({**message, "done_reason": "stop"} if finished else message)


VENDOR: Final = Ollama()
