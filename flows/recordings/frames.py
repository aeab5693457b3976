"""A token as the frame in which its vendor would have sent it: for streams that we write ourselves."""

from __future__ import annotations

import json
from collections.abc import Callable

from connectors.errors import InputError


def _cxone(token: str, finished: bool) -> str:
    return f'{{"token":{json.dumps(token)},"finished":{"true" if finished else "false"}}}'


def _cognigy(token: str, finished: bool) -> str:
    tokens = f"[{json.dumps(token)}]" if token else "[]"
    return f'{{"tokens":{tokens},"done":{"true" if finished else "false"}}}'


_WRITERS: dict[str, Callable[[str, bool], str]] = {"cxone": _cxone, "cognigy": _cognigy}


def writer(vendor: str) -> Callable[[str, bool], str]:
    """Of a vendor's frames: `(token, finished) -> text`. Raises InputError for a vendor that has none."""
    if vendor not in _WRITERS:
        raise InputError(f"frames of the vendor {vendor!r} cannot be written; known are {', '.join(_WRITERS)}")
    return _WRITERS[vendor]
