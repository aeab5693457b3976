"""What callers were shown, as it is kept: a turn's messages, and that it ended.

Rules
- Both name their turn, and their place in it: a message its own number, the end that of the next message.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from connectors.log.records import Message


class Ended(msgspec.Struct, frozen=True, gc=False, tag="end", tag_field="type"):
    """A turn ended for its callers, after `seq` messages.

    text  what `error` said; empty where the last message was the end
    at    wall clock, seconds since 1970; stamped when it is written
    """

    session_id: str
    turn: int
    seq: int
    text: str
    at: float = 0.0


Shown: TypeAlias = Message | Ended

encode_shown = msgspec.json.Encoder().encode
decode_shown = msgspec.json.Decoder(Message | Ended).decode
