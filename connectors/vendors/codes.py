"""Why a vendor refused, as far as it may be told: its own code for it, never its words, which may quote a customer.

Rules
- Of a JSON body only `code`, `type` and `error_code` count, at the top or inside `error`, and of them only what is an
  identifier of a machine: letters, digits and `_ . -`, with a separator or all of one case, at most 64.
- `error` at the top is free text with many vendors: it needs a separator, as in `invalid_request`.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

MAX_BODY: Final = 8 << 10
"""Bytes of an answer that are looked at."""

_CODE: Final = re.compile(r"[A-Za-z][A-Za-z0-9]*([_.-][A-Za-z0-9]+)+|[A-Z][A-Z0-9]+|[a-z][a-z0-9]+|\d{1,9}")
_JOINED: Final = re.compile(r"[a-z][a-z0-9]*([_.-][a-z0-9]+)+")
_LONGEST: Final = 64


def reason_of(body: bytes) -> str:
    """` (invalid_request)`, ready to follow a sentence; empty where the body says nothing that may be told."""
    try:
        said = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    if not isinstance(said, dict):
        return ""
    inner = said.get("error")
    found = _codes(inner) if isinstance(inner, dict) else []
    found += _codes({name: value for name, value in said.items() if name != "error"})
    if isinstance(inner, str) and len(inner) <= _LONGEST and _JOINED.fullmatch(inner):
        found.insert(0, inner)
    return f" ({', '.join(dict.fromkeys(found))})" if found else ""


def _codes(said: dict[str, Any]) -> list[str]:
    values = [str(said[name]) for name in ("code", "type", "error_code") if type(said.get(name)) in (str, int)]
    return [value for value in values if len(value) <= _LONGEST and _CODE.fullmatch(value)]
