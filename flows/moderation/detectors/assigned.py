"""What is assigned to a name that says it is secret: `api_key = "..."`, `AccountKey=...`, `Authorization: Bearer ...`.

Rules
- The name ends right before the sign (`=`, `:`, `=>`), but for quotes and blanks; the value begins right behind it.
- A value counts if it looks drawn by lot: hexadecimal digits, a UUID, or capitals, small letters and digits at length.
  A password is shorter: three of the four kinds of signs are enough. Placeholders are none.
- A value is judged when it has ended, or by its first `LOOK` characters; then it goes on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from flows.moderation.tables.makers import LOOK

BEFORE = 32
"""Characters before a value in which the sign lies."""

VALUES = {
    "assigned": re.compile(r"[0-9A-Za-z_\-./+=~%]*"),
    "password": re.compile(r"[0-9A-Za-z_\-./+=~%!@#$^&*?]*"),
}
"""By rule, the signs of a value."""

_SIGN = re.compile(
    r"[:=]>?[ \t\u00a0]{0,3}(?:\\?[\"'`])?(?P<scheme>(?:bearer|basic|token|bot|apikey)[ \t]{1,3})?", re.IGNORECASE
)
_NAME_MOST = 40
_NAME = re.compile(
    r"(?:secret|token|passw(?:or)?d|passphrase|(?<![a-z])(?:pwd|pass|sig)|authorization|credentials?|(?-i:[A-Z0-9]_KEY)"
    r"|(?:api|access|account|admin|app|application|auth|bot|client|consumer|encryption|license|master|primary|private"
    r"|root|secondary|secret|service|session|shared|signing|storage|subscription|webhook)[ _-]?(?:access[ _-]?)?key)"
    r"(?:[ _-]?(?:value|string|base64|live|prod|test|dev))?[\\\"'`\])}*]{0,4}[ \t]{0,2}\Z",
    re.IGNORECASE,
)
_PASSWORD = re.compile(r"pass|pwd", re.IGNORECASE)
_DRAWN = re.compile(
    r"[0-9a-f]{32,}|[0-9A-F]{32,}|[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
    r"|(?=.*[a-z])(?=.*[A-Z])(?=.*[0-9].*[0-9])[0-9A-Za-z_\-./+=~%]{20,}"
    r"|(?=(?:.*[0-9]){4})(?=.*[a-z])[0-9a-z]{24,}"
)
_BASIC = re.compile(r"(?=.*[a-z])(?=.*[A-Z])(?:[0-9A-Za-z+/]{4}){2,}(?:[0-9A-Za-z+/]{2}==|[0-9A-Za-z+/]{3}=)?")
_KINDS = tuple(map(re.compile, ("[a-z]", "[A-Z]", "[0-9]", "[^0-9A-Za-z]")))
_PLACEHOLDER = re.compile(r"your|x{4}|\.{3}|example|placeholder|changeme|\*{3}|environ|process\.env", re.IGNORECASE)


def values(text: str, start: int) -> Iterator[tuple[int, str]]:
    """Where values begin at or behind `start`, with their names (and the scheme of an Authorization header)."""
    for sign in _SIGN.finditer(text, max(0, start - BEFORE)):
        if sign.end() >= start:
            name = _NAME.search(text[max(0, sign.start() - _NAME_MOST) : sign.start()])
            if name:
                yield sign.end(), name.group() + (sign["scheme"] or "")


def rule_of(name: str) -> str:
    """The rule of what is assigned to that name."""
    return "password" if _PASSWORD.search(name) else "assigned"


def value_at(text: str, begin: int, name: str, final: bool) -> int:
    """The end of the secret that begins there; 0 if none does, -1 if that is undecided."""
    password = rule_of(name) == "password"
    ends = VALUES[rule_of(name)].match(text, begin, begin + LOOK).end()  # type: ignore[union-attr]  # it always matches
    if ends == len(text) and ends - begin < LOOK and not final:
        return -1
    value = text[begin:ends]
    if ends - begin < LOOK:
        value = value.rstrip(".")
    if value.startswith(("=", "$", "%")) or _PLACEHOLDER.search(value):
        return 0
    if password and len(value) >= 8 and sum(kind.search(value) is not None for kind in _KINDS) >= 3:
        return begin + len(value)
    drawn = _BASIC if name.rstrip().lower().endswith("basic") else _DRAWN
    return begin + len(value) if drawn.fullmatch(value) else 0
