"""[frontend] of the settings."""

from __future__ import annotations

import ipaddress
import re
from typing import Literal

import msgspec

from connectors.fields import FieldError, check_range
from connectors.frontend.bounds import HubSettings
from connectors.frontend.tickets import MIN_KEY_BYTES
from connectors.secret import Secret

ORIGIN = re.compile(r"\*|https?://[^/\s]+")
PUBLIC_URL = re.compile(r"https?://(?:\[[0-9A-Fa-f:.]+\]|[^/\s\[\]?#@:]+)(?::\d{1,5})?(?:/[^\s?#]*)?")
HOST = re.compile(r"\*|[A-Za-z0-9._-]{1,253}|[0-9A-Fa-f:.]{2,45}")
MODEL = re.compile(r"[A-Za-z0-9._:/@-]{1,128}")
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
    models             that chat completions (docs/openai.md) may ask for; empty: any, as the vendor takes it
    history            what becomes of a chat completion's earlier messages, where the vendor takes a prompt: `join`
                       makes one prompt of all; `last` leaves them out, as for a vendor that remembers; `refuse` is 400
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
    models: tuple[str, ...] = ()
    history: Literal["join", "last", "refuse"] = "join"
    max_request_bytes: int = 2 << 20
    max_connections: int = 2_000
    max_connections_per_address: int = 1_500

    def __post_init__(self) -> None:
        HubSettings.__post_init__(self)
        check_range(self, "port", least=0, most=65_535)
        for name in self.tokens:
            if not TOKEN_NAME.fullmatch(name):
                raise FieldError("tokens", "should have names of 1 to 64 letters, digits, _ and -")
        given = [token.reveal() for token in (self.token, *self.tokens.values()) if token]
        if not all(self.tokens.values()) or len(set(given)) < len(given):
            raise FieldError("tokens", "should each be a text of its own", "token")
        if not given and not is_loopback(self.host):
            raise FieldError("token", "is needed where host is not loopback: set TOKENWEIR__FRONTEND__TOKEN", "host")
        for at, host in enumerate(self.hosts):
            if not HOST.fullmatch(host):
                raise FieldError(
                    f"hosts[{at}]", "should be like llm.example.org or 10.0.0.7, without https:// and port, or *"
                )
        if self.url_key and len(self.url_key.reveal().encode()) < MIN_KEY_BYTES:
            raise FieldError("url_key", f"should be at least {MIN_KEY_BYTES} bytes")
        if self.public_url and not PUBLIC_URL.fullmatch(self.public_url):
            raise FieldError("public_url", "should begin with https:// or http:// and a host")
        for at, origin in enumerate(self.allowed_origins):
            if not ORIGIN.fullmatch(origin):
                raise FieldError(f"allowed_origins[{at}]", "should be like https://example.org, without a path, or *")
        for at, model in enumerate(self.models):
            if not MODEL.fullmatch(model):
                raise FieldError(f"models[{at}]", "should be 1 to 128 letters, digits and . _ : / @ -")
        check_range(self, "max_request_bytes", least=1_024)
        check_range(self, "max_connections", "max_connections_per_address", least=1)
        waits = ("heartbeat", "keep_alive", "request_timeout", "send_timeout", "stalled_after", "url_ttl")
        check_range(self, *waits, least=0.01, most=86_400, unit="seconds")
        check_range(self, "retry", least=0, most=3_600, unit="seconds")


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
