"""What outlives the kills: both vendors' gateways, and the desktops."""

from __future__ import annotations

import time

from connectors.reactor import Reactor
from connectors.simulator import AgentDesktop, Corpus
from connectors.vendors.cognigy.simulator import SimulatedCognigy
from connectors.vendors.cxone.simulator import SimulatedCXone
from tests.system.harness.desktops import DESKTOPS
from tests.system.harness.plan import Session


class World:
    """Gateways and desktops on one reactor. Use it as a context manager.

    made  when, by the monotonic clock: the desktops' times count from then
    """

    def __init__(self, corpus: Corpus, pace: float, *, general: str = "") -> None:
        self.cxone = SimulatedCXone(corpus, faults=general, token_interval=pace, max_requests=100)
        self.cognigy = SimulatedCognigy(corpus, token_interval=pace, first_message=True, max_requests=100)
        self.made = time.monotonic()
        self.desktops = {name: AgentDesktop(behaviour=each.behaviour) for name, each in DESKTOPS.items()}
        self.reactor = Reactor()

    def __enter__(self) -> World:
        for server in (self.cxone, self.cognigy, *self.desktops.values()):
            self.reactor.run(server.start())
        return self

    def __exit__(self, *_: object) -> None:
        for server in (self.cxone, self.cognigy, *self.desktops.values()):
            self.reactor.run(server.close())
        self.reactor.close()

    def is_whole(self, session: Session) -> bool:
        """Whether its desktop has all of it; never of a desktop that gets texts without names."""
        return self.desktops[session.desktop].is_whole(session.name)
