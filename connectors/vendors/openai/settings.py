"""[openai] of the settings."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from connectors.fields import FieldError
from connectors.vendors.model_settings import ModelSettings

OPTIONS: Final = (
    *("temperature", "top_p", "max_tokens", "max_completion_tokens", "stop", "seed", "presence_penalty"),
    *("frequency_penalty", "logit_bias", "response_format", "reasoning_effort", "verbosity", "service_tier"),
)
"""What a request may say of how the answer is made: it goes into the body as it stands, over `extra`."""

_HEADER: Final = re.compile(r"[A-Za-z0-9-]{1,64}")


class OpenAISettings(ModelSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How to reach a server of chat completions.

    base_url       OPENAI_BASE_URL; with its /v1, as OpenAI's own clients have it; Azure's with /openai/deployments/NAME
    path           what is added to it
    query          what its address ends with, by name: Azure's { "api-version" = "2024-10-21" }
    api_key        OPENAI_API_KEY; empty where the server wants none
    auth_header    where the key goes: a bearer's in Authorization, as it is in any other, such as Azure's api-key
    system         what the model is to keep to, where a request has no `system` of its own
    include_usage  ask for the counts of tokens, which a few servers refuse
    extra          fields of the request beside: { temperature = 0.2 }
    """

    ASKED = frozenset(("model", "messages", "stream", "stream_options"))

    base_url: str = "https://api.openai.com/v1"
    path: str = "/chat/completions"
    query: dict[str, str] = msgspec.field(default_factory=dict)
    auth_header: str = "Authorization"
    model: str = "gpt-4o-mini"
    include_usage: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if _HEADER.fullmatch(self.auth_header) is None:
            raise FieldError("auth_header", "should be a header's name: letters, digits and -")
        if not self.path.startswith("/"):
            raise FieldError("path", "should begin with /")
