"""Access tokens as a vendor grants them: client credentials in, a bearer token out, and its end.

Rules
- The grant is RFC 6749's client credentials; the caller has read the fields from a form or from JSON.
- A token really expires, and is really revoked. What `expires_in` says may be made a lie.
- Tokens are kept in a bounded list, the oldest forgotten first; secrets are never logged nor remembered.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Final

from connectors.simulator.http import HTTPError, Request

MAX_TOKENS: Final = 10_000


class Access:
    """Who may ask, for what, and for how long.

    scopes        what the client is granted; all of `required` is needed for a request
    ttl           seconds for which a token holds
    declared_ttl  what `expires_in` says, or None for the truth
    """

    def __init__(
        self,
        client_id: str,
        client_secret: str,
        scopes: Iterable[str],
        required: Iterable[str],
        ttl: float,
        declared_ttl: float | None = None,
    ) -> None:
        self._client = (client_id, client_secret)
        self._granted = frozenset(scopes)
        self._required = frozenset(required)
        self._ttl = ttl
        self._declared = ttl if declared_ttl is None else declared_ttl
        self._tokens: OrderedDict[str, tuple[float, frozenset[str]]] = OrderedDict()

    def grant(self, fields: Mapping[str, object]) -> dict[str, object]:
        """The answer to a request for a token. Raises HTTPError 400, 401 or 403."""
        if fields.get("grant_type") != "client_credentials":
            raise HTTPError(400, "unsupported_grant_type", "grant_type must be client_credentials")
        given = (fields.get("client_id"), fields.get("client_secret"))
        if not all(map(_same, self._client, given)):
            raise HTTPError(401, "invalid_client", "client_id or client_secret is wrong")
        scopes = frozenset(str(fields.get("scope", "")).split())
        if not scopes or not scopes <= self._granted:
            needed = " ".join(sorted(self._required))
            raise HTTPError(403, "insufficient_scope", f"ask for scope {needed}, granted to this client")
        token = secrets.token_urlsafe(24)
        self._tokens[token] = (time.monotonic() + self._ttl, scopes)
        while len(self._tokens) > MAX_TOKENS:
            self._tokens.popitem(last=False)
        return {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": int(self._declared) if self._declared % 1 == 0 else self._declared,
            "scope": " ".join(sorted(scopes)),
        }

    def check(self, request: Request) -> None:
        """Raises HTTPError 401 or 403 unless the request carries a token that holds."""
        expires, scopes = self._tokens.get(_bearer(request), (0.0, frozenset[str]()))
        if time.monotonic() >= expires:
            raise HTTPError(401, "invalid_token", "the access token is unknown, revoked or expired: ask again")
        if not self._required <= scopes:
            lacking = " ".join(sorted(self._required - scopes))
            raise HTTPError(403, "insufficient_scope", f"the access token lacks scope {lacking}")

    def revoke(self, request: Request) -> None:
        """Make the request's token invalid."""
        self._tokens.pop(_bearer(request), None)

    def revoke_all(self) -> None:
        self._tokens.clear()


def _same(mine: str, theirs: object) -> bool:
    return isinstance(theirs, str) and hmac.compare_digest(mine.encode(), theirs.encode("utf-8", "replace"))


def _bearer(request: Request) -> str:
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""
