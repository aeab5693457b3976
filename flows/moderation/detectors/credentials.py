"""URLs with credentials, of every scheme: `scheme://user:password@host`, without a user or without a password too.

Rules
- What stands between `://` and an `@` before the path are credentials if a colon is in it. A password may hold slashes,
  question marks and hashes that were not encoded; but what looks like a port is one.
- A user alone counts where it is a token: in the schemes of the web every one but those that all share (`git@`), in
  others one of `_TOKEN` characters with a digit. `ssh://git@host` and `sftp://joe@host` say nothing.
- Parameters that carry credentials count for themselves: `?access_token=...`, `;password=...`, `&sig=...`.
- What is longer than a host may be is a credential before its `@` comes. What was found goes on to its end.

Bound: a scheme, and the longest host behind it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from flows.moderation.detectors.base import NOTHING, Scan
from flows.moderation.findings import Match

_HOST_MOST = 260  # a name of 253 characters, and a port
_TOKEN = 16
_VALUE = 6
_BEFORE = 32  # characters of a parameter's name before its value

_BEGIN = re.compile(
    r":(?:/(?:/|\Z)|\Z)|[?&;](?:access_?token|auth_?token|refresh_?token|id_?token|private_?token|api_?key|app_?key"
    r"|client_?secret|secret|password|passwd|pwd|sig|x-amz-signature|x-goog-signature|x-amz-security-token)=",
    re.IGNORECASE,
)
_SCHEME = re.compile(r"(?<![0-9A-Za-z+.-])[A-Za-z][0-9A-Za-z+.-]{1,31}\Z")
_USER = re.compile(r"[^\s:/@?#\"'<>`{}\[\]\\|^(),]*")
_PASSWORD = re.compile(r"[^\s@\"'<>`{}]*")
_PORT = re.compile(r"[0-9]{1,5}(?:[/?#]|[^\x00-\x7f])")
_IN_PATH = re.compile(r"[/?#]")
_IN_HOST = re.compile(r"[0-9A-Za-z\[\u0080-\U0010ffff]")
_SHARED = ("git", "anonymous", "www")
_PLACEHOLDER = re.compile(r"your|xxx|my[-_]|[$%*.]|token|passw|secret|api|enter", re.IGNORECASE)

_MORE = {
    "parameter": re.compile(r"[^\s&;#\"'<>`]*"),
    "url": re.compile(r"(?:[0-9A-Za-z_\-%~!$&*+=]|[.:@](?=[0-9A-Za-z_\-%~]))*"),
}
_OPEN = re.compile(r"[.:@]?\Z")


class CredentialsDetector:
    """Finds URLs with credentials."""

    category = "URL_CREDENTIALS"
    trigger = None
    bound = 32 + 3 + _HOST_MOST

    def scan(self, text: str, start: int, open_word: int, final: bool) -> Scan:
        for begin, rule, behind in _candidates(text, start):
            find = _value if rule == "parameter" else _authority
            end = find(text, begin, behind, final)
            if end < 0:
                return NOTHING, min(begin, max(start, open_word))
            if end:
                return [Match(begin, end, rule, goes_on=True)], end
        return NOTHING, max(start, open_word)

    def go_on(self, text: str, start: int, rule: str, final: bool) -> tuple[int, bool]:
        end = _MORE[rule].match(text, start).end()  # type: ignore[union-attr]  # it always matches
        return end, not final and (end == len(text) or (rule == "url" and _OPEN.match(text, end) is not None))


def _candidates(text: str, start: int) -> Iterator[tuple[int, str, int]]:
    """Where something may begin, what, and where that stands which decides it."""
    for match in _BEGIN.finditer(text, max(0, start - _BEFORE)):
        if match.group()[0] != ":":
            if match.end() >= start:
                yield match.end(), "parameter", match.end()
            continue
        before = max(0, match.start() - 33)
        scheme = _SCHEME.search(text[before : match.start()])
        if scheme and before + scheme.start() >= start:
            yield before + scheme.start(), "url", match.end()


def _value(text: str, begin: int, behind: int, final: bool) -> int:
    """The end of as much of a parameter's value as is certain; 0 if it is none, -1 if that is undecided."""
    end = _MORE["parameter"].match(text, begin, begin + _VALUE).end()  # type: ignore[union-attr]  # it always matches
    if end - begin < _VALUE and end == len(text) and not final:
        return -1
    return 0 if end - begin < _VALUE or _PLACEHOLDER.match(text, begin) else end


def _authority(text: str, begin: int, behind: int, final: bool) -> int:
    """The end of as much as is certain of a URL with credentials; 0 if it has none, -1 if that is undecided."""
    size, most = len(text), behind + _HOST_MOST
    if text[behind - 2 : behind] != "//":
        return 0 if final else -1
    user = _USER.match(text, behind, most).end()  # type: ignore[union-attr]  # it always matches
    end = user
    if text[user : user + 1] == ":" and user < most:
        if _PORT.match(text, user + 1):
            return 0
        end = _PASSWORD.match(text, user + 1, most).end()  # type: ignore[union-attr]  # it always matches
    if end == most:
        return 0 if _IN_PATH.search(text, behind, most) else end
    if end == size:
        return 0 if final else -1
    if text[end] != "@" or (end == user and not _is_token(text[begin : behind - 3], text[behind:user])):
        return 0
    if end + 1 == size:
        return 0 if final else -1
    return end + 2 if _IN_HOST.match(text, end + 1) else 0


def _is_token(scheme: str, user: str) -> bool:
    """Whether a user without a password is one that is secret."""
    if scheme.lower().endswith(("http", "https", "ws", "wss")):
        return user != "" and user.lower() not in _SHARED
    return len(user) >= _TOKEN and any(char.isdigit() for char in user)
