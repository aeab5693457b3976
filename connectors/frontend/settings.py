"""[frontend] of the settings."""

from __future__ import annotations

import ipaddress
import re

import msgspec

from connectors.frontend.hub import HubSettings
from connectors.frontend.tickets import MIN_KEY_BYTES
from connectors.secret import Secret

ORIGIN = re.compile(r"\*|https?://[^/\s]+")
PUBLIC_URL = re.compile(r"https?://(?:\[[0-9A-Fa-f:.]+\]|[^/\s\[\]?#@:]+)(?::\d{1,5})?(?:/[^\s?#]*)?")
HOST = re.compile(r"\*|[A-Za-z0-9._-]{1,253}|[0-9A-Fa-f:.]{2,45}")
TOKEN_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


class FrontendSettings(HubSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where callers come in, and what they may. Times are in seconds; HubSettings has the rest of the fields.

    host, port         FRONTEND_HOST, FRONTEND_PORT; port 0 takes any free one
    token              bearer token that opens every session
    tokens             further ones by name: `shop` opens the sessions whose ids begin with `shop:`, and no others.
                       One token at least is needed to listen on anything but loopback
    hosts              names in a request's Host header, beside loopback names, `host` and that of `public_url`, that
                       are ours (`llm.example.org`, without a port); `*` is any. A request for another is answered 421.
                       Where `host` is every address (0.0.0.0, ::), empty is any, and addresses always are ours
    allowed_origins    origins (`https://example.org`) of pages that may call; `*` is any
    public_url         how callers reach it, where that is not how it is asked: `https://example.org/llm`
    url_key            signs stream URLs; at least 16 bytes, the same for processes that share callers; else one is kept
    url_ttl            for which a stream URL may be used
    heartbeat          between comments that keep a silent stream open
    retry              after which a browser that lost its stream should come back
    send_timeout       after which a caller that takes nothing, and says nothing, counts as gone
    request_timeout    for a request to arrive whole, head and body, from its first byte on; of the first one on a
                       connection, from when that opens
    keep_alive         for which a connection may be idle between two requests
    stalled_after      without the flow coming for records, after which /health says 503
    max_request_bytes  of a request's body
    max_connections    open at once. For one more, that which has waited longest for a request to be whole is closed;
                       where all are being answered, it is answered 503. At most every second descriptor of the process
    max_connections_per_address   the same of one caller's address; behind a proxy all have one
    """

    host: str = "127.0.0.1"
    port: int = 8080
    token: Secret = Secret("")
    tokens: dict[str, Secret] = msgspec.field(default_factory=dict)
    hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    public_url: str = ""
    url_key: Secret = Secret("")
    url_ttl: float = 300.0
    heartbeat: float = 10.0
    retry: float = 1.0
    send_timeout: float = 30.0
    request_timeout: float = 10.0
    keep_alive: float = 5.0
    stalled_after: float = 5.0
    max_request_bytes: int = 2 << 20
    max_connections: int = 2_000
    max_connections_per_address: int = 1_500

    def __post_init__(self) -> None:
        HubSettings.__post_init__(self)
        if not 0 <= self.port <= 65_535:
            raise ValueError("port should be between 0 and 65535")
        if not all(TOKEN_NAME.fullmatch(name) for name in self.tokens):
            raise ValueError("tokens: a name is 1 to 64 letters, digits, _ and -")
        given = [token.reveal() for token in (self.token, *self.tokens.values()) if token]
        if not all(self.tokens.values()) or len(set(given)) < len(given):
            raise ValueError("tokens: each should be a text of its own")
        if not all(HOST.fullmatch(host) for host in self.hosts):
            raise ValueError("hosts should be like llm.example.org or 10.0.0.7, without https:// and port, or *")
        if not given and not is_loopback(self.host):
            raise ValueError("token is needed where host is not loopback: set TOKENWEIR__FRONTEND__TOKEN")
        if self.url_key and len(self.url_key.reveal().encode()) < MIN_KEY_BYTES:
            raise ValueError(f"url_key should be at least {MIN_KEY_BYTES} bytes")
        if self.public_url and not PUBLIC_URL.fullmatch(self.public_url):
            raise ValueError("public_url should begin with https:// or http:// and a host")
        if not all(ORIGIN.fullmatch(origin) for origin in self.allowed_origins):
            raise ValueError("allowed_origins should be like https://example.org, without a path, or *")
        if self.max_request_bytes < 1_024:
            raise ValueError("max_request_bytes should be at least 1024")
        for name in ("max_connections", "max_connections_per_address"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} should be at least 1")
        for name in ("heartbeat", "keep_alive", "request_timeout", "send_timeout", "stalled_after", "url_ttl"):
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
