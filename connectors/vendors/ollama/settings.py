"""[ollama] of the settings."""

from __future__ import annotations

from connectors.vendors.model_settings import ModelSettings


class OllamaSettings(ModelSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How to reach an Ollama server.

    base_url  OLLAMA_BASE_URL
    api_key   OLLAMA_API_KEY, for one behind a proxy that wants a bearer's; empty otherwise
    system    what the model is to keep to, where a request has no `system` of its own
    extra     fields of the request beside: { options = { temperature = 0.2 }, think = false }
    """

    ASKED = frozenset(("model", "messages", "stream"))

    base_url: str = "http://127.0.0.1:11434"
    model: str = "llama3.2"
