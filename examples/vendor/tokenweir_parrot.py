"""Parrot, a made-up vendor: what a package needs to bring for tokenweir to speak to one more service.

A message is {"say": "Hel"}; the last one says {"say": "", "over": true}. A bearer key; no continuation.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from connectors.log.turns import Turn
from connectors.secret import Secret
from connectors.vendors import decoding
from connectors.vendors.base import Account, Gateway, Vendor
from connectors.vendors.decoding import MALFORMED, Delta
from connectors.vendors.sse_settings import SSESettings


class ParrotSettings(SSESettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[parrot] of the settings.

    base_url  PARROT_URL
    key       PARROT_KEY
    """

    base_url: str = "https://parrot.example"
    key: Secret = Secret("")
    model: str = "grey"


class _Message(msgspec.Struct):
    say: str
    over: bool = False


class Decoder(decoding.Decoder):
    """One turn's frames to deltas: `_read` for what is well formed, `_convert` for an object that was parsed."""

    def _read(self, text: str, frame_id: str | None) -> Delta:
        return _delta(msgspec.json.decode(text, type=_Message))

    def _convert(self, message: dict[str, Any], frame_id: str | None) -> Delta:
        try:
            return _delta(msgspec.convert(message, _Message))
        except msgspec.ValidationError:
            return MALFORMED


def _delta(message: _Message) -> Delta:
    return Delta((message.say,) if message.say else (), message.over)


class Parrot(Vendor):
    name = "parrot"
    title = "Parrot"
    about = "Parrot's streams to the agent desktop."
    sections = {"parrot": ParrotSettings}
    environment = {"PARROT_URL": ("parrot", "base_url"), "PARROT_KEY": ("parrot", "key")}

    def decoder(self) -> Decoder:
        return Decoder()

    def claims(self, message: dict[str, Any]) -> bool:
        return isinstance(message.get("say"), str)

    def frame(self, token: str, finished: bool) -> str:
        return json.dumps({"say": token, "over": finished} if finished else {"say": token})

    def account(self, sections: Mapping[str, Any]) -> Account:
        return _Account(sections["parrot"])

    def simulator(self, corpus: Any = None, **options: Any) -> Any:
        from connectors.simulator.answers import Answer, json_bytes
        from connectors.simulator.http import HTTPError
        from connectors.simulator.sse import SimulatedSSE

        class ParrotAnswer(Answer, frozen=True):
            NAMED = False  # its events have no ids

            def _message(self, token: str, number: int, *, finished: bool, filler: int = 0) -> list[bytes]:
                return [json_bytes({"say": token, "over": finished})]

        class SimulatedParrot(SimulatedSSE):
            SCOPES = ()  # it gives out no access tokens
            ANSWER = ParrotAnswer

            async def _route(self, exchange: Any, asked: Any) -> None:
                # refuse what the contract does not allow, then answer with the stream that the prompt names
                if exchange.request.headers.get("authorization") != "Bearer cracker":
                    raise HTTPError(401, "no_cracker", "the key is wrong")
                exchange.require("POST", "application/json", accept="text/event-stream")
                await self._serve(exchange, asked, json.loads(exchange.request.body)["prompt"])

        return SimulatedParrot(corpus, **options)

    def simulated(self, url: str) -> Mapping[str, str]:
        return {"PARROT_URL": url, "PARROT_KEY": "cracker"}


class _Account(Account):
    def __init__(self, settings: ParrotSettings) -> None:
        self._settings = settings

    def gateway(self) -> Gateway:
        from connectors.vendors.sse import SSEGateway, StreamRequest

        class ParrotGateway(SSEGateway):
            url_setting = "PARROT_URL"

            def decoder(self) -> Decoder:
                return Decoder()

            def request(self, turn: Turn) -> StreamRequest:
                settings = self.settings
                assert isinstance(settings, ParrotSettings)
                body = {"prompt": turn.request.get("prompt"), "model": turn.request.get("model") or settings.model}
                return StreamRequest(
                    f"{settings.base_url}/talk", body, {"Authorization": f"Bearer {settings.key.reveal()}"}
                )

        return ParrotGateway(self._settings, "parrot")


VENDOR = Parrot()
