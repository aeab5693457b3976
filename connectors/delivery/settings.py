"""[desktops.NAME] of the settings."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

import msgspec
from websockets.exceptions import InvalidURI
from websockets.uri import parse_uri

from connectors.delivery.outbox import Confirm, Outbox
from connectors.fields import FieldError, check_range
from connectors.secret import Secret


class DesktopSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One agent desktop.

    url                ws:// or wss://
    format             "json": the message as JSON; "text": its text alone, and empty texts are skipped
    confirm            "ack": the desktop acknowledges; "pong": a WebSocket pong sent after it counts, one
                       message of a session at a time (of a text desktop, one in all); "none": sent is sent.
                       "auto": pong, and ack from the desktop's first acknowledgement on, after restarts too
                       (a text desktop cannot acknowledge); one message in all until it shows which it does
    authorization      the Authorization header of the handshake; empty for none
    queue              messages held in memory; the rest waits on disk
    in_flight          messages sent and not yet confirmed, at most; `queue` is a bound of theirs too
    backlog            waiting messages from which on the desktop is "pressed", until half of them are left: its
                       sessions' sockets are not read …
    max_pause          … for this many seconds at most, each time; 0: for as long as it is pressed
    keep               waiting messages from which on new ones are dropped, and counted
    connect_timeout    seconds for the handshake; while one hangs, another is tried every `reconnect_max`
    confirm_timeout    seconds without progress while something is under way; then the connection is made again
    hello_timeout      seconds to wait for the answer to `hello`; 0: never say hello. One that did not answer
                       is still asked on each connection, and not waited for until it does
    reconnect_min      the first attempt comes after 0 to this many seconds; the bound doubles each time …
    reconnect_max      … up to this many. With `hello_timeout` it is how late a message may be once the desktop is back
    ping_interval      seconds between keep-alive pings; 0 for none
    ping_timeout       seconds to wait for their pongs
    drain_timeout      seconds that an orderly end waits for what is not confirmed yet

    Raises FieldError for a value out of range.
    """

    url: str
    format: Literal["json", "text"] = "json"
    confirm: Literal["auto", "ack", "pong", "none"] = "auto"
    authorization: Secret = Secret("")
    queue: int = 512
    in_flight: int = 128
    backlog: int = 10_000
    max_pause: float = 30.0
    keep: int = 1_000_000
    connect_timeout: float = 10.0
    confirm_timeout: float = 30.0
    hello_timeout: float = 0.5
    reconnect_min: float = 0.25
    reconnect_max: float = 0.5
    ping_interval: float = 20.0
    ping_timeout: float = 20.0
    drain_timeout: float = 3.0

    def __post_init__(self) -> None:
        try:
            parse_uri(self.url)
        except (InvalidURI, ValueError):
            raise FieldError("url", "should be a WebSocket address, such as ws://host:port/path") from None
        if self.format == "text" and self.confirm == "ack":
            raise FieldError("confirm", 'should be "pong" or "none": a text desktop cannot acknowledge', "format")
        check_range(self, "queue", "in_flight", "backlog", "keep", least=1)
        waits = ("connect_timeout", "confirm_timeout", "reconnect_min", "reconnect_max", "ping_timeout")
        check_range(self, *waits, above=0, unit="seconds")
        check_range(self, "hello_timeout", "max_pause", "ping_interval", "drain_timeout", least=0, unit="seconds")

    def __repr__(self) -> str:
        return f"DesktopSettings({self.address}, format={self.format!r}, confirm={self.confirm!r})"

    @property
    def address(self) -> str:
        """Where it is, without what might be a secret."""
        parts = urlsplit(self.url)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        return f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}{parts.path}"

    def outbox(self) -> Outbox:
        """An empty outbox for this desktop."""
        confirm: Confirm = "pong" if self.confirm == "auto" else self.confirm
        alone = self.confirm == "auto" or self.format == "text"
        return Outbox(
            confirm, alone=alone, in_flight=self.in_flight, queue=self.queue, backlog=self.backlog, keep=self.keep
        )
