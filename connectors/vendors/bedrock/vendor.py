"""Amazon Bedrock's ConverseStream as a vendor: read from recordings, not run live."""

from __future__ import annotations

import json
from typing import Any, Final

from connectors.vendors.base import Vendor
from connectors.vendors.bedrock import contract


class Bedrock(Vendor):
    """See connectors.vendors.base.Vendor."""

    name = "bedrock"
    title = "Amazon Bedrock ConverseStream"
    about = "Recordings of Amazon Bedrock's ConverseStream."
    live = False
    paths = ("/converse-stream", "/converse")

    def decoder(self) -> contract.Decoder:
        return contract.Decoder()

    def claims(self, message: dict[str, Any]) -> bool:
        return contract.claims(message)

    def frame(self, token: str, finished: bool) -> str:
        ended = {"stopReason": "end_turn"} if finished else {}
        return json.dumps({"contentBlockIndex": 0, "delta": {"text": token}, **ended})


VENDOR: Final = Bedrock()
