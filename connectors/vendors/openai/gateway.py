"""The client of a chat completions server: what it is asked. All else: connectors/vendors/sse.py."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from connectors.log.turns import Turn
from connectors.vendors.conversation import Conversation
from connectors.vendors.openai.contract import Decoder
from connectors.vendors.openai.settings import OpenAISettings
from connectors.vendors.sse import SSEGateway, StreamRequest


class OpenAIGateway(SSEGateway):
    """One account's client. No answer can be continued: one that breaks off is asked for again until text has come."""

    url_setting = "OPENAI_BASE_URL"

    def __init__(self, settings: OpenAISettings) -> None:
        super().__init__(settings, "openai")
        query = f"?{urlencode(settings.query)}" if settings.query else ""
        self._settings = settings
        self._url = f"{settings.base_url.rstrip('/')}{settings.path}{query}"
        key = settings.api_key
        bearer = "Bearer " if settings.auth_header.lower() == "authorization" else ""
        self._headers = {settings.auth_header: f"{bearer}{key.reveal()}"} if key else {}

    def decoder(self) -> Decoder:
        return Decoder()

    def request(self, turn: Turn) -> StreamRequest:
        settings = self._settings
        asked = Conversation.of(turn.request, settings.system)
        messages = [{"role": "system", "content": asked.system}] if asked.system else []
        messages += [message._asdict() for message in asked.messages]
        body: dict[str, Any] = {
            **settings.extra,
            **(turn.request.get("options") or {}),
            "model": turn.request.get("model") or self.model,
            "messages": messages,
            "stream": True,
        }
        if settings.include_usage:
            body["stream_options"] = {"include_usage": True}
        return StreamRequest(self._url, body, self._headers)

    def remedy(self, status: int) -> str:
        return "check OPENAI_API_KEY, and that it may use this model"
