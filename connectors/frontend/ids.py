"""The ids of a stream's events: `session_id/turn/seq`, and back from what a browser sends as Last-Event-ID.

Rules
- A session id has no slash (connectors.log.records.SESSION_ID), so an id reads one way only.
- What comes back is a caller's: anything that is not one of our ids is refused, and never quoted.
"""

from __future__ import annotations

import re
from typing import NamedTuple, TypeAlias

from connectors.errors import InputError
from connectors.log.records import SESSION_ID

Key: TypeAlias = tuple[str, int]
"""session_id, turn"""

BEFORE_FIRST = -1

_ID = re.compile(rf"({SESSION_ID.pattern})/(\d{{1,9}})/(-1|\d{{1,9}})", re.ASCII)


class Place(NamedTuple):
    """A caller has everything up to event `seq` of the turn; -1 before the first."""

    key: Key
    seq: int


def event_id(key: Key, seq: int) -> str:
    return f"{key[0]}/{key[1]}/{seq}"


def parse_event_id(text: str) -> Place:
    """Raises InputError."""
    found = _ID.fullmatch(text)
    if found is None:
        raise InputError("Last-Event-ID: not an id of this server; leave it out to begin the session's next turn")
    return Place((found[1], int(found[2])), int(found[3]))
