"""The client of an Ollama server: what its chat is asked. All else: connectors/vendors/sse.py."""

from __future__ import annotations

from connectors.log.turns import Turn
from connectors.ndjson import LineDecoder
from connectors.vendors.conversation import Conversation, Message
from connectors.vendors.ollama.contract import Decoder
from connectors.vendors.ollama.settings import OllamaSettings
from connectors.vendors.sse import SSEGateway, StreamRequest


class OllamaGateway(SSEGateway):
    """One server's client. No answer can be continued: one that breaks off is asked for again until text has come."""

    url_setting = "OLLAMA_BASE_URL"
    kind = "application/x-ndjson"

    def __init__(self, settings: OllamaSettings) -> None:
        super().__init__(settings, "ollama")
        self._settings = settings
        self._url = f"{settings.base_url.rstrip('/')}/api/chat"
        self._headers = {"Authorization": f"Bearer {settings.api_key.reveal()}"} if settings.api_key else {}

    def decoder(self) -> Decoder:
        return Decoder()

    def framing(self) -> LineDecoder:
        return LineDecoder(self.settings.max_event_bytes)

    def request(self, turn: Turn) -> StreamRequest:
        asked = Conversation.of(turn.request, self._settings.system)
        messages = [Message("system", asked.system)] if asked.system else []
        body = {
            **self._settings.extra,
            "model": turn.request.get("model") or self.model,
            "messages": [message._asdict() for message in [*messages, *asked.messages]],
            "stream": True,
        }
        return StreamRequest(self._url, body, self._headers)

    def remedy(self, status: int) -> str:
        return "check OLLAMA_API_KEY"
