"""[frontend] of the settings."""

from __future__ import annotations

import ipaddress
import re

from connectors.frontend.hub import HubSettings
from connectors.frontend.tickets import MIN_KEY_BYTES
from connectors.secret import Secret

ORIGIN = re.compile(r"\*|https?://[^/\s]+")


class FrontendSettings(HubSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where callers come in, and what they may. Times are in seconds; HubSettings has the rest of the fields.

    host, port         FRONTEND_HOST, FRONTEND_PORT; port 0 takes any free one
    token              bearer token; needed to listen on anything but loopback
    allowed_origins    origins (`https://example.org`) of pages that may call; `*` is any
    public_url         how callers reach it, where that is not how it is asked: `https://example.org/llm`
    url_key            signs stream URLs; at least 16 bytes, the same for processes that share callers; else one is kept
    url_ttl            for which a stream URL may be used
    heartbeat          between comments that keep a silent stream open
    retry              after which a browser that lost its stream should come back
    send_timeout       after which a caller that takes nothing, and says nothing, counts as gone
    request_timeout    for a caller to say what it wants
    stalled_after      without the flow coming for records, after which /health says 503
    max_request_bytes  of a request's body
    max_connections    open at once; one more is answered 503
    """

    host: str = "127.0.0.1"
    port: int = 8080
    token: Secret = Secret("")
    allowed_origins: tuple[str, ...] = ()
    public_url: str = ""
    url_key: Secret = Secret("")
    url_ttl: float = 300.0
    heartbeat: float = 10.0
    retry: float = 1.0
    send_timeout: float = 30.0
    request_timeout: float = 10.0
    stalled_after: float = 5.0
    max_request_bytes: int = 2 << 20
    max_connections: int = 2_000

    def __post_init__(self) -> None:
        HubSettings.__post_init__(self)
        if not 0 <= self.port <= 65_535:
            raise ValueError("port should be between 0 and 65535")
        if not self.token and not is_loopback(self.host):
            raise ValueError("token is needed where host is not loopback: set TOKENWEIR__FRONTEND__TOKEN")
        if self.url_key and len(self.url_key.reveal().encode()) < MIN_KEY_BYTES:
            raise ValueError(f"url_key should be at least {MIN_KEY_BYTES} bytes")
        if self.public_url and not self.public_url.startswith(("http://", "https://")):
            raise ValueError("public_url should begin with https:// or http://")
        if not all(ORIGIN.fullmatch(origin) for origin in self.allowed_origins):
            raise ValueError("allowed_origins should be like https://example.org, without a path, or *")
        if self.max_request_bytes < 1_024:
            raise ValueError("max_request_bytes should be at least 1024")
        if self.max_connections < 1:
            raise ValueError("max_connections should be at least 1")
        for name in ("heartbeat", "request_timeout", "send_timeout", "stalled_after", "url_ttl"):
            if not 0.01 <= getattr(self, name) <= 86_400:
                raise ValueError(f"{name} should be between 0.01 and 86400 seconds")
        if not 0 <= self.retry <= 3_600:
            raise ValueError("retry should be between 0 and 3600 seconds")


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
