"""NICE Cognigy.AI as a vendor: streams over WebSocket, and a dialog's variables at the end of each turn."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from connectors.vendors.base import Account, Gateway, Place, Scene, Vendor
from connectors.vendors.cognigy.contract import Decoder
from connectors.vendors.cognigy.settings import JOURNAL, SET_VARIABLES, CognigySettings, DialogSettings


class Cognigy(Vendor):
    """See connectors.vendors.base.Vendor."""

    name = "cognigy"
    title = "NICE Cognigy.AI"
    about = "Cognigy.AI's streams to callers, the agent desktop and dialog variables."
    service = (
        "browsers read GET /stream?session_id=&dialog_id=, callers begin sessions at POST /sessions, until SIGTERM or "
        "SIGINT."
    )
    transport = "WebSocket"
    sections = {"cognigy": CognigySettings, "dialog": DialogSettings}
    environment = {
        "COGNIGY_BASE_URL": ("cognigy", "base_url"),
        "COGNIGY_CLIENT_ID": ("cognigy", "client_id"),
        "COGNIGY_CLIENT_SECRET": ("cognigy", "client_secret"),
    }
    preset = {"moderation": {"marks": {"BLOCKED": "[FILTERED]"}, "markdown": "strip", "whitespace": "normalise"}}
    fallback = True
    journals = {SET_VARIABLES: JOURNAL}
    needs = ("dialog_id",)
    desktop = False
    asking = "its name as the dialog id"

    def decoder(self) -> Decoder:
        return Decoder()

    def claims(self, message: dict[str, Any]) -> bool:
        return isinstance(message.get("tokens"), list) and type(message.get("done")) is bool

    def frame(self, token: str, finished: bool) -> str:
        tokens = f"[{json.dumps(token)}]" if token else "[]"
        return f'{{"tokens":{tokens},"done":{"true" if finished else "false"}}}'

    def account(self, sections: Mapping[str, Any]) -> Account:
        return _Account(sections["cognigy"], sections["dialog"])

    def shown_chars(self, sections: Mapping[str, Any]) -> int:
        chars: int = sections["dialog"].response_chars
        return chars

    def simulator(self, corpus: Any = None, **options: Any) -> Any:
        from connectors.vendors.cognigy.simulator import SimulatedCognigy

        return SimulatedCognigy(corpus, **options)

    def scene(self) -> Scene:
        from connectors.vendors.cognigy.scene import SCENE

        return SCENE

    def simulated(self, url: str) -> Mapping[str, str]:
        from connectors.simulator.vendor import CLIENT_ID, CLIENT_SECRET

        return {
            "COGNIGY_BASE_URL": url,
            "COGNIGY_CLIENT_ID": CLIENT_ID,
            "COGNIGY_CLIENT_SECRET": CLIENT_SECRET,
            "TOKENWEIR__COGNIGY__ONE_AT_A_TIME": "true",
        }


class _Account(Account):
    """Streams and dialog updates share one account, and so one access token."""

    def __init__(self, settings: CognigySettings, dialog: DialogSettings) -> None:
        from connectors.vendors.cognigy.account import CognigyAccount

        self._account = CognigyAccount(settings)
        self._dialog = dialog

    def gateway(self) -> Gateway:
        from connectors.vendors.cognigy.gateway import CognigyGateway

        return CognigyGateway(self._account)

    def sinks(self, place: Place) -> Mapping[str, Any]:
        from connectors.vendors.cognigy.sink import DialogSink

        sink = DialogSink(
            self._account,
            self._dialog,
            place.data_dir / JOURNAL,
            place.lane,
            place.reactor,
            on_dead_letter=place.on_dead_letter,
            on_full=place.on_full,
        )
        return {SET_VARIABLES: sink}


VENDOR: Final = Cognigy()
