"""The desktops of a run: how each behaves, how a service is told of it, and what docs/delivery.md promises its kind.

Rules
- A promise is what may come again or be lost *at a lost connection*; on one connection nothing is, ever.
- Nothing is said of whether they acknowledge: a service finds out (`confirm = "auto"`), and one that crashes
  acknowledges seldom, so that what was found out must outlive a restart.
- A desktop that goes away shows what its WebSocket library had taken, unless it `loses` that.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from tests.system.harness.plan import VENDORS


class Promise(msgspec.Struct, frozen=True):
    """What a kind of desktop may see after a lost connection, a kill or a restart.

    again   how many messages may come again then, the last ones; None where a desktop that ignores what it has is
            promised everything once, however often a message comes
    loses   whether messages may be lost then
    """

    again: int | None
    loses: bool = False


ACK: Final = Promise(again=None)
PONG: Final = Promise(again=1)
NONE: Final = Promise(again=0, loses=True)


class Desktop(msgspec.Struct, frozen=True):
    """One desktop.

    behaviour  the simulator's words
    weight     how many of the sessions it gets
    settings   what is said of it beside its url
    goes       how it goes away: "resets" its connections, "crashes" and loses what it had not shown, or "" for never
    needs      the feature without which it gets no session
    vendors    whose sessions it gets
    """

    behaviour: str
    promise: Promise
    weight: int
    settings: dict[str, Any] = {}
    goes: str = ""
    needs: str | None = None
    vendors: tuple[str, ...] = VENDORS

    @property
    def text(self) -> bool:
        """Whether it gets the text alone."""
        return self.settings.get("format") == "text"


DESKTOPS: Final = {
    "acks": Desktop("ack=2", ACK, 10, goes="resets"),
    "crashes": Desktop("ack=5,slow=0.05", ACK, 1, goes="crashes", needs="away", vendors=("cxone",)),
    "pongs": Desktop("ack=0", PONG, 3, goes="resets"),
    "slow": Desktop("ack=0,slow=0.03", PONG, 1),
    "plain": Desktop("", PONG, 2, {"format": "text"}, goes="resets", needs="plain"),
    "unheard": Desktop("ack=0", NONE, 1, {"confirm": "none"}, goes="resets", needs="plain"),
}
