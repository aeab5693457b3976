"""The client of Google's Gemini API: what it is asked. All else: connectors/vendors/sse.py."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

from connectors.log.turns import Turn
from connectors.vendors.conversation import Conversation
from connectors.vendors.gemini.contract import Decoder
from connectors.vendors.gemini.settings import GeminiSettings
from connectors.vendors.sse import SSEGateway, StreamRequest

ROLES: Final = {"assistant": "model"}


class GeminiGateway(SSEGateway):
    """One account's client. No answer can be continued: one that breaks off is asked for again until text has come."""

    url_setting = "GEMINI_BASE_URL"

    def __init__(self, settings: GeminiSettings) -> None:
        super().__init__(settings, "gemini")
        self._settings = settings
        self._headers = {"x-goog-api-key": settings.api_key.reveal()} if settings.api_key else {}

    def decoder(self) -> Decoder:
        return Decoder()

    def request(self, turn: Turn) -> StreamRequest:
        settings = self._settings
        asked = Conversation.of(turn.request, settings.system)
        body: dict[str, Any] = {
            **settings.extra,
            "contents": [
                {"role": ROLES.get(said.role, said.role), "parts": [{"text": said.content}]} for said in asked.messages
            ],
        }
        if asked.system:
            body["systemInstruction"] = {"parts": [{"text": asked.system}]}
        model = quote(turn.request.get("model") or self.model, safe="")
        url = f"{settings.base_url.rstrip('/')}/models/{model}:streamGenerateContent?alt=sse"
        return StreamRequest(url, body, self._headers)

    def remedy(self, status: int) -> str:
        return "check GEMINI_API_KEY, and that it may use this model"
