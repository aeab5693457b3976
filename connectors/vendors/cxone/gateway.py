"""The client of CXone's LLM gateway: what it is asked, with which credentials. All else: connectors/vendors/sse.py."""

from __future__ import annotations

from typing import Final

from connectors.errors import SettingsError
from connectors.log.turns import Turn
from connectors.vendors.cxone.contract import Decoder
from connectors.vendors.cxone.settings import CXoneSettings
from connectors.vendors.oauth import ClientCredentials, Grant
from connectors.vendors.sse import SSEGateway, StreamRequest

TOKEN_PATH: Final = "/oauth/token"
STREAM_PATH: Final = "/api/v2/ai/llm/chat/stream"
SCOPE: Final = "ai:llm:stream"
REFRESH_EARLY: Final = 30.0


class CXoneGateway(SSEGateway):
    """One account's client. Raises SettingsError where the credentials are missing."""

    url_setting = "CXONE_BASE_URL"

    def __init__(self, settings: CXoneSettings) -> None:
        for name in ("client_id", "client_secret"):
            if not getattr(settings, name):
                raise SettingsError(f"cxone.{name} is not set; set CXONE_CLIENT_ID and CXONE_CLIENT_SECRET")
        super().__init__(settings, "cxone", resumes=settings.resumes)
        base_url = settings.base_url.rstrip("/")
        self._with_model = settings.continue_with_model
        self._url = base_url + STREAM_PATH
        self._credentials = self.auth = ClientCredentials(
            self.http,
            Grant(
                url=base_url + TOKEN_PATH,
                client_id=settings.client_id,
                client_secret=settings.client_secret,
                scope=SCOPE,
                url_setting=self.url_setting,
                id_setting="CXONE_CLIENT_ID",
                secret_setting="CXONE_CLIENT_SECRET",
                body="form",
                early=REFRESH_EARLY,
            ),
        )

    def decoder(self) -> Decoder:
        return Decoder()

    def request(self, turn: Turn) -> StreamRequest:
        model = turn.request.get("model") or self.model
        body: dict[str, object] = {"prompt": turn.request.get("prompt") or ""}
        if turn.continuation_id is None:
            body["model"] = model
        else:
            body["continuation_id"] = turn.continuation_id
            if self._with_model:
                body["model"] = model
        body["stream"] = True
        return StreamRequest(self._url, body)

    def remedy(self, status: int) -> str:
        if status == 403:
            return f"have the scope {SCOPE!r} granted to CXONE_CLIENT_ID"
        return super().remedy(status)

    async def check(self) -> None:
        """Get an access token: raises CredentialsError or UpstreamError where there is none to be had."""
        await self._credentials.token()
