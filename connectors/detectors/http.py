"""A remote detector that is asked over HTTP.

Rules (docs/moderation.md has the contract)
- A question is a POST of {"detector", "session_id", "turn", "start", "language", "text"}; its answer is 200 and
  {"findings": [{"start", "end", "rule"?}]}. Offsets count characters of that text (code points), as Python does. Other
  fields are passed over.
- Every other status is no answer. A redirect is not followed: text and header go nowhere that the settings do not name.
- An answer that breaks off is asked for once more, as a server may close a kept connection just when it is used.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

import msgspec

from connectors.detectors.base import Detector, DetectorError, Found, Limits
from connectors.http import Client, DisconnectedError, HttpError, HttpSettings, base_url
from connectors.log.records import Question
from connectors.secret import Secret


class _Found(msgspec.Struct):
    start: int
    end: int
    rule: str = ""


class _Answer(msgspec.Struct):
    findings: list[_Found]


_decode: Final = msgspec.json.Decoder(_Answer).decode


class HttpDetector(Detector):
    """One section's; what each of these is say its settings. Raises SettingsError for a URL that is none."""

    def __init__(self, name: str, url: str, authorization: Secret, limits: Limits, max_answer_bytes: int) -> None:
        base_url(urlsplit(url)._replace(query="").geturl(), f"detectors.{name}.url")
        self.limits = limits
        self._name = name
        self._url = url
        self._max_answer_bytes = max_answer_bytes
        self._headers = {"Accept": "application/json"}
        if authorization:
            self._headers["Authorization"] = authorization.reveal()
        self._client: Client | None = None

    async def open(self) -> None:
        limits = self.limits
        self._client = Client(HttpSettings(connect_timeout=limits.timeout, max_connections=limits.max_concurrency))

    async def find(self, question: Question) -> list[Found]:
        asked = {
            "detector": self._name,
            "session_id": question.s,
            "turn": question.n,
            "start": question.start,
            "language": question.language,
            "text": question.text,
        }
        try:
            try:
                body = await self._ask(asked)
            except DisconnectedError:
                body = await self._ask(asked)
        except HttpError as error:
            raise DetectorError(error.kind) from None
        try:
            answer = _decode(body)
        except (ValueError, RecursionError):  # msgspec's errors are ValueErrors, and may quote the answer
            raise DetectorError("answer") from None
        return [Found(each.start, each.end, each.rule or self._name) for each in answer.findings]

    async def aclose(self) -> None:
        if self._client is not None:
            await self._client.aclose()

    async def _ask(self, asked: dict[str, object]) -> bytes:
        assert self._client is not None, "the flow's start opens it"
        async with self._client.stream("POST", self._url, headers=self._headers, json=asked) as answer:
            if answer.status != 200:
                raise DetectorError(f"status_{answer.status}")
            return await answer.body(self._max_answer_bytes)
