"""Signed, short-lived URLs of one turn's stream: EventSource cannot send a bearer token.

Rules
- A ticket opens one turn for reading until it expires. It begins nothing, and opens no other turn.
- HMAC-SHA-256 over every field that it stands for, compared in constant time.
- A core: the clock is an argument (seconds since the Unix epoch).
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

from connectors.errors import TokenweirError
from connectors.frontend.ids import Key

FIELDS: Final = frozenset(("turn", "expires", "signature"))
"""The query fields of a ticket, beside session_id."""

MIN_KEY_BYTES: Final = 16


class TicketError(TokenweirError):
    """The URL was not signed by this server, was changed, or has expired."""


class Tickets:
    """Signs and checks. `key` is the server's alone; `lifetime` is in seconds."""

    def __init__(self, key: bytes, lifetime: float) -> None:
        self._key = key
        self._lifetime = lifetime

    def query(self, key: Key, now: float, dialog_id: str | None = None) -> str:
        """The query string that opens a turn. `dialog_id` rides along for the contract and is not checked."""
        session_id, turn = key
        expires = int(now + self._lifetime)
        fields = {"session_id": session_id, "dialog_id": dialog_id, "turn": turn, "expires": expires}
        fields["signature"] = self._sign(session_id, str(turn), str(expires))
        return urlencode({name: value for name, value in fields.items() if value is not None})

    def check(self, query: Mapping[str, str], now: float) -> Key:
        """The turn that a query opens. Raises TicketError."""
        session_id, turn, expires = (query.get(name, "") for name in ("session_id", "turn", "expires"))
        given = query.get("signature", "").encode()
        if not hmac.compare_digest(self._sign(session_id, turn, expires).encode(), given):
            raise TicketError("signature: not one of this server; ask POST /sessions for a stream_url")
        if now >= int(expires):
            raise TicketError("expires: this stream_url is over; ask GET /sessions/{id} for a new one")
        return session_id, int(turn)

    def _sign(self, *fields: str) -> str:
        digest = hmac.digest(self._key, "\n".join(fields).encode(), "sha256")
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
