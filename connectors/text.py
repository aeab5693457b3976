"""Text from outside that is no proper Unicode: bytes that are no UTF-8, and halves of surrogate pairs. A core.

Rules
- Bytes that are no UTF-8 are kept in a text, one character each: U+10FF80 to U+10FFFF for 0x80 to 0xFF. Such a text is
  `raw`, and says so beside it: what it had of these characters itself is kept as bytes too, so that
  `to_bytes(*from_bytes(data))` is `data`. Any other text means these characters as they are.
- JSON writes half of a surrogate pair as its escape, and reads it back. No other JSON library does both.
"""

from __future__ import annotations

import codecs
import json
import re
from typing import Any, Final, TypeVar

import msgspec

T = TypeVar("T")

_BASE: Final = 0x10FF00
_BYTE: Final = re.compile("([\U0010ff80-\U0010ffff])")
_ITSELF: Final = re.compile(rb"(\xf4\x8f[\xbe\xbf][\x80-\xbf])")


def _kept(data: bytes) -> str:
    return "".join(chr(_BASE + byte) for byte in data)


def _keep(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return _kept(error.object[error.start : error.end]), error.end


codecs.register_error("tokenweir.keep", _keep)


def from_bytes(data: bytes) -> tuple[str, bool]:
    """The text of these bytes, and whether it is raw."""
    try:
        return data.decode(), False
    except UnicodeDecodeError:
        parts = enumerate(_ITSELF.split(data))
        return "".join(_kept(part) if at % 2 else part.decode(errors="tokenweir.keep") for at, part in parts), True


def as_raw(text: str) -> str:
    """A text that is not raw, as a part of one that is."""
    return _BYTE.sub(lambda found: _kept(found[0].encode()), text)


def to_bytes(text: str, raw: bool) -> bytes:
    """The bytes of a text. Raises UnicodeEncodeError for a half of a surrogate pair."""
    if not raw:
        return text.encode()
    parts = _BYTE.split(text)
    return b"".join(bytes((ord(part) - _BASE,)) if place % 2 else part.encode() for place, part in enumerate(parts))


def byte_tokens(raw: str) -> list[str]:
    """A raw text in pieces, each kept byte one of them as models spell it: `<0xE2>`."""
    parts = _BYTE.split(raw)
    return [f"<0x{ord(part) - _BASE:02X}>" if place % 2 else part for place, part in enumerate(parts) if part]


def to_json(value: object) -> bytes:
    """JSON, even where a text holds half of a surrogate pair."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(value, order=None), separators=(",", ":")).encode()


def from_json(data: bytes, kind: type[T], *, strict: bool = True) -> T:
    """What `to_json` wrote. Raises msgspec.DecodeError, also for no UTF-8 and for what is nested too deep."""
    try:
        return msgspec.json.decode(data, type=kind, strict=strict)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        try:
            value: Any = json.loads(data)
        except (ValueError, RecursionError):
            raise msgspec.DecodeError("JSON is malformed") from None
        return msgspec.convert(value, type=kind, strict=strict)
