"""OAuth 2.0 client credentials (RFC 6749, section 4.4), as the vendors' gateways want them.

Rules
- One token for all requests of an account, fetched by one call however many wait for it; a caller
  that gives up does not take the call from the others.
- It is refreshed `early` seconds before it expires. If that fails while it is still good, it is used.
- After a 401 the token is refreshed and the request sent again, once. Many requests that were
  refused with the same token cause one refresh.
- A refusal that no retry can fix is CredentialsError and says what to change; the rest is HttpError.
- A failed call is not repeated within `pause` seconds: all who ask meanwhile get its error.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncGenerator, Callable
from typing import Any, Final, Literal
from urllib.parse import urlencode

import msgspec

from connectors.errors import CredentialsError, TokenweirError
from connectors.http import Auth, Client, HttpError, RawResponse, Request, Response, StatusError, base_url
from connectors.secret import Secret
from connectors.text import from_json

DEFAULT_LIFE: Final = 300.0
"""Seconds that a token without `expires_in` is taken to live."""

_PRINTABLE: Final = re.compile(r"[\x21-\x7e]+")


class Grant(msgspec.Struct, frozen=True):
    """What to ask for, and where.

    url            of the token endpoint
    url_setting    names of the settings that errors tell the user to check
    id_setting
    secret_setting
    body           how the vendor takes it: "form" (the standard's) or "json"
    early          seconds before expiry at which the token is refreshed
    timeout        seconds for a call
    pause          seconds after a failed call before the next one
    """

    url: str
    client_id: str
    client_secret: Secret
    scope: str
    url_setting: str
    id_setting: str
    secret_setting: str
    body: Literal["form", "json"] = "form"
    early: float = 30.0
    timeout: float = 10.0
    pause: float = 1.0


class ClientCredentials(Auth):
    """Signs requests with the account's token: pass it as `auth` to `Client.stream` or `.request`.

    Belongs to one event loop. What it raises, it raises from the request it signs:
    CredentialsError for a wrong id, secret or scope, HttpError (UpstreamError) for everything else.
    The constructor raises SettingsError for a `grant.url` that is no URL.
    """

    def __init__(self, client: Client, grant: Grant, clock: Callable[[], float] = time.monotonic) -> None:
        base_url(grant.url, grant.url_setting)
        self._client = client
        self._grant = grant
        self._clock = clock
        self._token = ""
        self._refresh_at = 0.0
        self._expires_at = 0.0
        self._call: asyncio.Task[str] | None = None
        self._error: TokenweirError | None = None
        self._error_until = 0.0

    async def token(self) -> str:
        """A token that is good now. For handshakes that are not HTTP requests of `Client`."""
        if self._token and self._clock() < self._refresh_at:
            return self._token
        try:
            return await self._fetch()
        except HttpError:
            if self._token and self._clock() < self._expires_at:
                return self._token
            raise

    async def renew(self, refused: str) -> str:
        """A token other than `refused`, with which a request was answered 401."""
        if self._token == refused:
            self._token = ""
        return await self.token()

    async def async_auth_flow(self, request: Request) -> AsyncGenerator[Request, RawResponse]:
        token = await self.token()
        request.headers["Authorization"] = f"Bearer {token}"
        response = yield request
        if response.status_code == 401:
            request.headers["Authorization"] = f"Bearer {await self.renew(token)}"
            yield request

    async def _fetch(self) -> str:
        """Wait for the call under way, or start one."""
        if self._call is None:
            if self._error is not None and self._clock() < self._error_until:
                raise self._error.with_traceback(None)
            self._call = asyncio.create_task(self._ask())
            self._call.add_done_callback(self._asked)
        return await asyncio.shield(self._call)

    def _asked(self, call: asyncio.Task[str]) -> None:
        self._call = None
        self._error = None
        if not call.cancelled() and isinstance(error := call.exception(), TokenweirError):
            self._error = error
            self._error_until = self._clock() + self._grant.pause

    async def _ask(self) -> str:
        grant = self._grant
        asked_at = self._clock()
        fields = {
            "grant_type": "client_credentials",
            "client_id": grant.client_id,
            "client_secret": grant.client_secret.reveal(),
            "scope": grant.scope,
        }
        if grant.body == "json":
            kind, content = "application/json", msgspec.json.encode(fields)
        else:
            kind, content = "application/x-www-form-urlencoded", urlencode(fields).encode()
        headers = {"Content-Type": kind, "Accept": "application/json"}
        try:
            response = await self._client.request(
                "POST", grant.url, headers=headers, content=content, within=grant.timeout
            )
        except HttpError as error:
            raise type(error)(f"{error} (check {grant.url_setting})") from None
        if response.status != 200:
            raise _refusal(grant, response)
        token, life = _read(grant, response.body)
        self._token = token
        self._refresh_at = asked_at + max(life - grant.early, life / 2)
        self._expires_at = asked_at + life
        return token


class _Answer(msgspec.Struct):
    access_token: str
    expires_in: float | None = None


class _Refusal(msgspec.Struct):
    error: Any = ""


def _read(grant: Grant, body: bytes) -> tuple[str, float]:
    try:
        answer = from_json(body, _Answer, strict=False)
    except msgspec.DecodeError:
        answer = _Answer("")
    if not _PRINTABLE.fullmatch(answer.access_token):
        raise HttpError(f"the token endpoint gave no usable access_token: check {grant.url_setting}")
    life = DEFAULT_LIFE if answer.expires_in is None else answer.expires_in
    return answer.access_token, life if life > 0 else 0.0


def _refusal(grant: Grant, response: Response) -> TokenweirError:
    """What a status means: RFC 6749, section 5.2, and the vendors' 403 for a scope that is not granted."""
    status = response.status
    try:
        code = from_json(response.body, _Refusal).error
    except msgspec.DecodeError:
        code = ""
    if status == 403 or (status == 400 and code == "invalid_scope"):
        return CredentialsError(
            f"the vendor does not grant {grant.id_setting} the scope {grant.scope!r} (status {status}):"
            " have it granted to this client"
        )
    if status in (400, 401):
        return CredentialsError(
            f"the vendor refused the client id or secret (status {status}):"
            f" check {grant.id_setting} and {grant.secret_setting}"
        )
    if status in (404, 405, 410) or 300 <= status < 400:
        return StatusError(f"no token endpoint there (status {status}): check {grant.url_setting}", status)
    return StatusError(f"the token endpoint answered with status {status}", status, response.headers.get("retry-after"))
