"""[cxone] of the settings."""

from __future__ import annotations

from connectors.secret import Secret
from connectors.vendors.resumption import Resumes
from connectors.vendors.sse_settings import SSESettings


class CXoneSettings(SSESettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How to reach CXone's LLM gateway.

    base_url                 CXONE_BASE_URL
    client_id, client_secret CXONE_CLIENT_ID, CXONE_CLIENT_SECRET
    continue_with_model      send `model` with a continuation too
    resumes                  where a continuation begins: "exact": just behind what came; "repeats": some of it may come
                             again, under new ids or none; "auto": as the vendor's ids show, and what they leave open is
                             kept and counted (docs/recovery.md)
    """

    base_url: str = "https://api.mynicecx.com"
    client_id: str = ""
    client_secret: Secret = Secret("")
    model: str = "gpt-4"
    continue_with_model: bool = False
    resumes: Resumes = "auto"
