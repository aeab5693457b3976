"""Whether a desktop is there: what its log lines and its status say.

Rules
- That it is away is logged once, and once that it is back, however often it is tried in between.
- It is there once it has confirmed something, or has been connected for a while with nothing to confirm: one that takes
  connections and drops them, or takes messages and confirms none, is away.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from connectors.delivery.ledger import wall_clock

log = logging.getLogger(__name__)


class Presence:
    """One desktop, at `address`; `waiting` tells how many messages wait for it.

    connected    whether there is a connection
    connections  how many there were
    since        when it was made, or else lost: wall clock, microseconds
    error        why there is none, in words that hold nothing from outside
    is_there     what was proved on this connection, or on the last
    """

    def __init__(
        self,
        name: str,
        address: str,
        waiting: Callable[[], int],
        clock: Callable[[], int] = wall_clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.connected = False
        self.connections = 0
        self.since = clock()
        self.error = "not connected yet"
        self.is_there = False
        self._name = name
        self._address = address
        self._waiting = waiting
        self._clock = clock
        self._monotonic = monotonic
        self._away_since: float | None = None

    def begin(self) -> None:
        """A connection is tried."""
        self.is_there = False

    def connect(self) -> None:
        """It was made."""
        self.connected, self.since, self.error = True, self._clock(), ""
        self.connections += 1

    def prove(self) -> None:
        """It is there."""
        self.is_there = True
        if self._away_since is not None:
            away, self._away_since = self._monotonic() - self._away_since, None
            log.warning(  # as loud as the line that it answers
                "desktop %r at %s is back after %.1f s; %d messages wait",
                *(self._name, self._address, away, self._waiting()),
            )

    def stand(self) -> None:
        """It has been connected for a while."""
        if not self._waiting():
            self.prove()

    def doubt(self) -> None:
        """It confirms nothing."""
        self.is_there = False

    def fail(self, error: str) -> None:
        """The attempt, or the connection, has ended with an error."""
        self.error = error
        log.info("desktop %r at %s: %s", self._name, self._address, error)
        if not self.is_there and self._away_since is None:
            self._away_since = self._monotonic()
            log.warning(
                "desktop %r at %s is away: %s; it is tried until it is there, and %d messages wait",
                *(self._name, self._address, error, self._waiting()),
            )

    def disconnect(self) -> None:
        """There is no connection."""
        if self.connected:
            self.connected, self.since = False, self._clock()
