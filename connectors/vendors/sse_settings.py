"""The settings that every vendor over Server-Sent Events has."""

from __future__ import annotations

import msgspec

from connectors.fields import FieldError, check_range


class SSESettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a vendor's own section is made of, beside its own fields.

    base_url                 its address
    model                    of sessions that name none
    connect_timeout          seconds for a connection
    idle_timeout             seconds without a byte after which a stream counts as broken (0: never)
    max_restarts             continuations and fresh starts of one turn, in total; restarts of the job do not count
    max_retries              429 answers in a row to one turn before it is given up
    retry_base, retry_cap    seconds: the back-off's first and longest step
    retry_total              seconds of refusals in a row, Retry-After included, after which a turn is given up
    max_event_bytes          the largest event that is read
    max_connections          streams open at once
    """

    base_url: str
    model: str
    connect_timeout: float = 10.0
    idle_timeout: float = 120.0
    max_restarts: int = 5
    max_retries: int = 3
    retry_base: float = 1.0
    retry_cap: float = 30.0
    retry_total: float = 300.0
    max_event_bytes: int = 16 << 20
    max_connections: int = 1_000

    def __post_init__(self) -> None:
        if not self.base_url.startswith(("http://", "https://")):
            raise FieldError("base_url", "should begin with https:// or http://")
        check_range(self, "connect_timeout", "retry_base", "retry_cap", "retry_total", above=0, unit="seconds")
        check_range(self, "idle_timeout", least=0, unit="seconds")
        check_range(self, "max_restarts", "max_retries", least=0)
        check_range(self, "max_event_bytes", "max_connections", least=1)
