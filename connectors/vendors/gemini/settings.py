"""[gemini] of the settings."""

from __future__ import annotations

from connectors.vendors.model_settings import ModelSettings


class GeminiSettings(ModelSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How to reach Google's Gemini API.

    base_url  GEMINI_BASE_URL; with its version, /v1beta
    api_key   GEMINI_API_KEY
    system    what the model is to keep to, where a request has no `system` of its own
    extra     fields of the request beside: { generationConfig = { temperature = 0.2 } }
    """

    ASKED = frozenset(("contents", "systemInstruction"))

    base_url: str = "https://generativelanguage.googleapis.com/v1beta"
    model: str = "gemini-2.5-flash"
