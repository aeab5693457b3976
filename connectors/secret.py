"""A value that never prints.

Rules
- `repr`, `str`, f-strings and encoders show a mask; only `reveal()` gives the value.
- It is not pickled: a snapshot or a recovery store must never hold one.
"""

from __future__ import annotations

import hmac
from typing import Any, NoReturn

_MASK = "********"


class Secret:
    """A password or key. Empty counts as absent: `if not secret`.

    As the field of a msgspec Struct: decode with `dec_hook=decode_secret`, encode with `enc_hook=str`.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __str__(self) -> str:
        return _MASK

    def __repr__(self) -> str:
        return f"Secret({_MASK!r})"

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled")


def decode_secret(kind: type, value: Any) -> Any:
    """A msgspec `dec_hook` for structs with `Secret` fields."""
    if kind is not Secret:
        raise NotImplementedError(f"no decoder for {kind.__name__}")
    if not isinstance(value, str):
        raise ValueError("expected text")
    return Secret(value)
