"""[detectors.NAME] of the settings, where the detector speaks HTTP."""

from __future__ import annotations

import re
from typing import Final, Literal
from urllib.parse import urlsplit

from connectors.detectors.base import Detector, DetectorSettings
from connectors.fields import FieldError, check_range
from connectors.secret import Secret

_HEADER: Final = re.compile(r"(?:[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)?")
_URL: Final = re.compile(r"[\x21-\x7e]+")


class HttpDetectorSettings(DetectorSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A remote detector, under the name that `remote` of [moderation] lists; docs/moderation.md says what it is asked.

    kind              "http"; installed packages may bring others
    url               where questions are sent to by POST: https://, or http:// where nobody listens in between
    authorization     the Authorization header of each, such as "Bearer …"; empty for none
    timeout           seconds for an answer, from the question on: a wait for its turn included
    max_concurrency   questions under way at once, each on a connection
    max_waiting       questions without an answer; more are not asked
    max_answer_bytes  the longest answer that is read
    """

    kind: Literal["http"] = "http"
    url: str
    authorization: Secret = Secret("")
    max_answer_bytes: int = 1 << 20

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(self, "max_answer_bytes", least=1)
        try:
            parts = urlsplit(self.url)
            good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and not parts.fragment
        except ValueError:
            good = False
        if not good or _URL.fullmatch(self.url) is None:
            raise FieldError("url", "should be an address, such as https://host:port/path")
        if "@" in parts.netloc:
            raise FieldError("url", "should have no password in it: that is what authorization is for")
        if _HEADER.fullmatch(self.authorization.reveal()) is None:
            raise FieldError("authorization", "should be the text of a header: printable ASCII, no blanks around it")

    def __repr__(self) -> str:
        """Without the path and query, which may hold what is secret."""
        return f"HttpDetectorSettings({urlsplit(self.url).netloc})"

    def detector(self, name: str) -> Detector:
        from connectors.detectors.http import HttpDetector  # a replay needs no HTTP client

        return HttpDetector(name, self.url, self.authorization, self.limits, self.max_answer_bytes)
