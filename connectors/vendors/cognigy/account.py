"""What everything that speaks to one Cognigy.AI account shares: addresses, HTTP client and access token.

Rules
- Building it opens nothing and needs no credentials. Who uses it says so (`hold`) and lets go (`release`); the last to
  let go closes it, and the next use would open it again.
- One token, and so one OAuth call, however many streams and dialog updates start at once.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from connectors.errors import SettingsError
from connectors.http import Client, HttpSettings, base_url
from connectors.vendors.cognigy.settings import CognigySettings
from connectors.vendors.oauth import ClientCredentials, Grant

TOKEN_PATH: Final = "/api/v2/oauth/token"
CONFIG_PATH: Final = "/api/v2/llm/gateway/config"
STREAM_PATH: Final = "/api/v2/llm/stream"
SCOPE: Final = "llm:stream bot:dialog:write api:access"
REFRESH_EARLY: Final = 60.0
KEEP_ALIVE: Final = 2.0
"""Seconds that an idle connection stays open. Streams have sockets of their own, so calls come in bursts."""


class CognigyAccount:
    """One account. Build it anywhere; all else belongs to the reactor, but `hold`, which any thread may call once."""

    def __init__(self, settings: CognigySettings) -> None:
        self.settings = settings
        self._holders = 0
        self._client: Client | None = None
        self._auth: ClientCredentials | None = None

    def check(self) -> None:
        """Raise SettingsError where address or credentials are missing."""
        for name in ("client_id", "client_secret"):
            if not getattr(self.settings, name):
                raise SettingsError(f"cognigy.{name} is not set; set COGNIGY_CLIENT_ID and COGNIGY_CLIENT_SECRET")
        _ = self.base_url

    @property
    def base_url(self) -> str:
        """Without a slash at its end. Raises SettingsError."""
        settings = self.settings
        if "{environment}" in settings.base_url and not settings.environment:
            raise SettingsError(
                "cognigy.base_url lacks the environment; "
                "set COGNIGY_BASE_URL to https://<environment>.cognigy.ai, or cognigy.environment"
            )
        return base_url(settings.base_url.replace("{environment}", settings.environment), "cognigy.base_url")

    @property
    def stream_url(self) -> str:
        """ws:// where the base is http://, else wss://."""
        return "ws" + self.base_url.removeprefix("http") + STREAM_PATH

    def variables_url(self, dialog_id: str) -> str:
        return f"{self.base_url}/api/v2/bot/dialog/{quote(dialog_id, safe='')}/variables"

    @property
    def http(self) -> Client:
        if self._client is None:
            self._client = Client(HttpSettings(connect_timeout=self.settings.connect_timeout, keepalive=KEEP_ALIVE))
        return self._client

    @property
    def auth(self) -> ClientCredentials:
        """Raises SettingsError as `check` does."""
        if self._auth is None:
            self.check()
            settings = self.settings
            grant = Grant(
                url=self.base_url + TOKEN_PATH,
                client_id=settings.client_id,
                client_secret=settings.client_secret,
                scope=SCOPE,
                url_setting="COGNIGY_BASE_URL",
                id_setting="COGNIGY_CLIENT_ID",
                secret_setting="COGNIGY_CLIENT_SECRET",
                body="json",
                early=REFRESH_EARLY,
                timeout=settings.connect_timeout,
            )
            self._auth = ClientCredentials(self.http, grant)
        return self._auth

    def hold(self) -> None:
        """Keep it open until `release`."""
        self._holders += 1

    async def release(self) -> None:
        """Let go; whoever is the last closes it."""
        self._holders -= 1
        if self._holders <= 0 and self._client is not None:
            client, self._client, self._auth = self._client, None, None
            await client.aclose()
