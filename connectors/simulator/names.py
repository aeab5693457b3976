"""Context ids: what they look like, and what a continuation makes of one. No I/O.

Rules
- `ctx-0-17` counts: turn 0, behind token 17. A unique one says the same, and looks like a hash.
- `ctx-0` is a whole stream's, and `ctx-0-g5` that of a group of tokens: a continuation goes on where the gateway
  stopped. `ctx-0-g5.15` is a group's too, and a continuation begins behind token 15, with the group's first.
- A `~2` behind an id makes it another, of the same meaning.
"""

from __future__ import annotations

import re
from typing import Final

from connectors.simulator.faults import Ids

ODD: Final = "\ud83d\0\n"
"""What an id in JSON may hold."""

_COUNTING = re.compile(r"ctx-(\d{1,15})(?:-(\d{1,9}))?(?:~\d{1,9})?")
_GROUP = re.compile(r"ctx-(\d{1,15})-g\d{1,9}(?:\.(\d{1,9}))?(?:~\d{1,9})?")
_UNIQUE = re.compile(r"[0-9a-f]{16}")

_ODD_NUMBER: Final = 0x9E3779B97F4A7C15
_INVERSE: Final = pow(_ODD_NUMBER, -1, 1 << 64)


def name_of(ids: Ids, turn: int, number: int, attempt: int = 0) -> str:
    """The id of the event that ends with a turn's token `number`; `attempt`, where not 0, makes it a new one."""
    again = f"~{attempt}" if attempt else ""
    if ids.style == "stream":
        return f"ctx-{turn}"
    if ids.named == "unique":
        return f"{((turn << 40 | number << 16 | attempt & 0xFFFF) * _ODD_NUMBER) % (1 << 64):016x}"
    if ids.named == "shared":
        group = max(0, number - 1) // ids.size
        return f"ctx-{turn}-g{group}" + f".{group * ids.size}" * ids.again + again
    return f"ctx-{turn}-{number}{again}"


def read_id(context_id: str) -> tuple[int, int | None] | None:
    """The turn of a context id and the tokens that end with it (None: where the gateway stopped).

    None where it is no id of ours.
    """
    context_id = context_id.removesuffix(ODD)
    if found := _COUNTING.fullmatch(context_id) or _GROUP.fullmatch(context_id):
        return int(found[1]), int(found[2]) if found[2] else None
    if _UNIQUE.fullmatch(context_id):
        value = int(context_id, 16) * _INVERSE % (1 << 64)
        return value >> 40, value >> 16 & 0xFFFFFF
    return None
