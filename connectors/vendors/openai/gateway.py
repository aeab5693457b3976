"""The client of a chat completions server: what it is asked. All else: connectors/vendors/sse.py."""

from __future__ import annotations

from connectors.log.turns import Turn
from connectors.vendors.openai.contract import Decoder
from connectors.vendors.openai.settings import OpenAISettings
from connectors.vendors.sse import SSEGateway, StreamRequest


class OpenAIGateway(SSEGateway):
    """One account's client. No answer can be continued: one that breaks off is asked for again until text has come."""

    url_setting = "OPENAI_BASE_URL"

    def __init__(self, settings: OpenAISettings) -> None:
        super().__init__(settings, "openai")
        self._url = f"{settings.base_url.rstrip('/')}/chat/completions"
        key = settings.api_key
        self._headers = {"Authorization": f"Bearer {key.reveal()}"} if key else {}

    def decoder(self) -> Decoder:
        return Decoder()

    def request(self, turn: Turn) -> StreamRequest:
        body = {
            "model": turn.request.get("model") or self.model,
            "messages": [{"role": "user", "content": turn.request.get("prompt") or ""}],
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        return StreamRequest(self._url, body, self._headers)

    def remedy(self, status: int) -> str:
        return "check OPENAI_API_KEY, and that it may use this model"
