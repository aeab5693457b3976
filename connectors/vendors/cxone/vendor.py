"""NICE CXone as a vendor."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from connectors.vendors.base import Account, Gateway, Scene, Vendor
from connectors.vendors.cxone.contract import Decoder
from connectors.vendors.cxone.settings import CXoneSettings


class CXone(Vendor):
    """See connectors.vendors.base.Vendor."""

    name = "cxone"
    title = "NICE CXone"
    about = "CXone's streams to the agent desktop."
    continues = True
    sections = {"cxone": CXoneSettings}
    environment = {
        "CXONE_BASE_URL": ("cxone", "base_url"),
        "CXONE_CLIENT_ID": ("cxone", "client_id"),
        "CXONE_CLIENT_SECRET": ("cxone", "client_secret"),
    }

    def decoder(self) -> Decoder:
        return Decoder()

    def claims(self, message: dict[str, Any]) -> bool:
        return isinstance(message.get("token"), str) or type(message.get("finished")) is bool

    def frame(self, token: str, finished: bool) -> str:
        return f'{{"token":{json.dumps(token)},"finished":{"true" if finished else "false"}}}'

    def account(self, sections: Mapping[str, Any]) -> Account:
        return _Account(sections["cxone"])

    def simulator(self, corpus: Any = None, **options: Any) -> Any:
        from connectors.vendors.cxone.simulator import SimulatedCXone

        return SimulatedCXone(corpus, **options)

    def scene(self) -> Scene:
        from connectors.vendors.cxone.scene import SCENE

        return SCENE

    def simulated(self, url: str) -> Mapping[str, str]:
        from connectors.simulator.vendor import CLIENT_ID, CLIENT_SECRET

        return {"CXONE_BASE_URL": url, "CXONE_CLIENT_ID": CLIENT_ID, "CXONE_CLIENT_SECRET": CLIENT_SECRET}


class _Account(Account):
    def __init__(self, settings: CXoneSettings) -> None:
        self._settings = settings

    def gateway(self) -> Gateway:
        from connectors.vendors.cxone.gateway import CXoneGateway

        return CXoneGateway(self._settings)


VENDOR: Final = CXone()
