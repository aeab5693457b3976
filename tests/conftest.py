"""What the tests share: the other side (a simulated vendor and desktop on loopback) and jobs against it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

from connectors.job.requests import SessionRequest
from connectors.reactor import Reactor
from connectors.simulator import AgentDesktop, Corpus, TokenStream
from connectors.simulator.vendor import CLIENT_ID, CLIENT_SECRET
from connectors.vendors.cxone.simulator import SimulatedCXone
from flows.settings import Settings, parse

if TYPE_CHECKING:
    from flows.live import LiveJob

# How long an example takes is the machine's doing: no property measures it, and a busy machine fails none.
settings.register_profile("tests", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")

EVALUATION = Path(__file__).parents[2] / "shared" / "evaluation"


class OtherSide:
    """A CXone gateway and an agent desktop, running."""

    def __init__(self, reactor: Reactor, gateway: SimulatedCXone, desktop: AgentDesktop) -> None:
        self.reactor = reactor
        self.gateway = gateway
        self.desktop = desktop

    def settings(self, data_dir: Path, **sections: dict[str, Any]) -> Settings:
        """Settings that lead here; `sections` are merged in."""
        tree: dict[str, Any] = {
            "job": {"data_dir": str(data_dir), "epoch": 0.1},
            "cxone": {
                "base_url": self.gateway.url,
                "client_id": CLIENT_ID,
                "client_secret": CLIENT_SECRET,
                "retry_base": 0.02,
            },
            "desktops": {"default": {"url": self.desktop.url}},
        }
        for name, section in sections.items():
            tree[name] = {**tree.get(name, {}), **section}
        return parse(tree)

    def run(self, data_dir: Path, *streams: str, **sections: dict[str, Any]) -> LiveJob:
        """Run a job of one session a stream, named after it, to its end."""
        from flows import cxone  # here, because the cores' tests run without Bytewax too

        requests = [SessionRequest(session_id=name, prompt=f"stream {name}") for name in streams]
        job = cxone.job(self.settings(data_dir, **sections), requests=requests)
        job.run()
        return job


def corpus_of(tokens: Iterable[str] | dict[str, Iterable[str]]) -> Corpus:
    """A corpus of one stream named `s`, or of several by name."""
    streams = tokens if isinstance(tokens, dict) else {"s": tokens}
    return Corpus(TokenStream(name, tuple(each)) for name, each in streams.items())


@pytest.fixture
def other_side() -> Iterator[Callable[..., OtherSide]]:
    """Starts other sides: `other_side(corpus, faults, behaviour=..., ...)`; the rest goes to the gateway."""
    reactor = Reactor()
    started: list[OtherSide] = []

    def start(corpus: Corpus | None = None, faults: Any = "", *, behaviour: Any = "", **options: Any) -> OtherSide:
        options.setdefault("speed", 0)
        side = OtherSide(reactor, SimulatedCXone(corpus, faults=faults, **options), AgentDesktop(behaviour=behaviour))
        reactor.run(side.gateway.start())
        reactor.run(side.desktop.start())
        started.append(side)
        return side

    yield start
    for side in started:
        reactor.run(side.gateway.close())
        reactor.run(side.desktop.close())
    reactor.close()
