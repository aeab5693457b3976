"""[anthropic] of the settings."""

from __future__ import annotations

from typing import Literal

from connectors.fields import check_range
from connectors.vendors.model_settings import ModelSettings


class AnthropicSettings(ModelSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How to reach a server of Anthropic's Messages.

    base_url     ANTHROPIC_BASE_URL; without /v1, as Anthropic's own clients have it
    api_key      ANTHROPIC_API_KEY
    auth_header  where the key goes: x-api-key, or Authorization as a bearer's, as their newest clients send it
    version      of the API, in the header anthropic-version
    max_tokens   the longest answer, which the API wants to be told
    system       what the model is to keep to, where a request has no `system` of its own
    extra        fields of the request beside: { temperature = 0.2 }
    """

    ASKED = frozenset(("model", "messages", "stream", "system", "max_tokens"))

    base_url: str = "https://api.anthropic.com"
    model: str = "claude-sonnet-4-5"
    auth_header: Literal["x-api-key", "Authorization"] = "x-api-key"
    version: str = "2023-06-01"
    max_tokens: int = 4_096

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(self, "max_tokens", least=1)
