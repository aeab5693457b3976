"""The client of Anthropic's Messages: what they are asked. All else: connectors/vendors/sse.py."""

from __future__ import annotations

from typing import Any

from connectors.log.turns import Turn
from connectors.vendors.anthropic.contract import Decoder
from connectors.vendors.anthropic.settings import AnthropicSettings
from connectors.vendors.conversation import Conversation
from connectors.vendors.sse import SSEGateway, StreamRequest


class AnthropicGateway(SSEGateway):
    """One account's client. No answer can be continued: one that breaks off is asked for again until text has come."""

    url_setting = "ANTHROPIC_BASE_URL"

    def __init__(self, settings: AnthropicSettings) -> None:
        super().__init__(settings, "anthropic")
        self._settings = settings
        self._url = f"{settings.base_url.rstrip('/')}/v1/messages"
        key = settings.api_key.reveal()
        sent = f"Bearer {key}" if settings.auth_header == "Authorization" else key
        self._headers = {"anthropic-version": settings.version} | ({settings.auth_header: sent} if key else {})

    def decoder(self) -> Decoder:
        return Decoder()

    def request(self, turn: Turn) -> StreamRequest:
        settings = self._settings
        asked = Conversation.of(turn.request, settings.system)
        body: dict[str, Any] = {
            **settings.extra,
            "model": turn.request.get("model") or self.model,
            "max_tokens": settings.max_tokens,
            "messages": [message._asdict() for message in asked.messages],
            "stream": True,
        }
        if asked.system:
            body["system"] = asked.system
        return StreamRequest(self._url, body, self._headers)

    def remedy(self, status: int) -> str:
        return "check ANTHROPIC_API_KEY, and that it may use this model"
