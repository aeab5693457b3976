"""[openai] of the settings."""

from __future__ import annotations

from connectors.secret import Secret
from connectors.vendors.sse_settings import SSESettings


class OpenAISettings(SSESettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How to reach a server of chat completions.

    base_url  OPENAI_BASE_URL; with its /v1, as OpenAI's own clients have it
    api_key   OPENAI_API_KEY; empty where the server wants none
    """

    base_url: str = "https://api.openai.com/v1"
    api_key: Secret = Secret("")
    model: str = "gpt-4o-mini"
