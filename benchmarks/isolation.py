"""A stalled desktop beside a hundred healthy ones: how long their messages take, without it and with it.

python -m benchmarks.isolation [--rounds 3]

One process runs everything, simulated vendor and desktops included. A message's time is from its release in the flow
to the desktop's acknowledgement, as the metrics tables have both. The stalled desktop reads one message and no more;
in the rounds without it a healthy one has its sessions, so that both kinds of round do the same work. The first two
messages of a turn are left out: all desktops are connected to at once then.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from connectors.metrics import open_metrics
from connectors.reactor import Reactor
from connectors.sessions import SessionRequest
from connectors.simulator import AgentDesktop, Corpus, CXoneGateway, TokenStream
from connectors.simulator.vendor import CLIENT_ID, CLIENT_SECRET
from flows import cxone
from flows.settings import parse

HEALTHY = 100
STALLED_SESSIONS = 20
SENTENCES = 12
PACE = 0.05

TIMES = """
SELECT epoch_us(d.confirmed_at) - epoch_us(m.released_at) AS took
FROM deliveries d JOIN messages m USING (session_id, turn, seq)
WHERE d.how = 'ack' AND d.desktop <> 'odd-one' AND m.seq >= 2
"""


def run(folder: Path, desktops: dict[str, str], url: str) -> list[int]:
    """One job, a session to every desktop; microseconds that each message to a healthy one took."""
    settings = parse(
        {
            "job": {"data_dir": str(folder)},
            "cxone": {"base_url": url, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET},
            "desktops": {
                name: {"url": each, "confirm": "ack", "drain_timeout": 1.0} for name, each in desktops.items()
            },
        }
    )
    requests = [
        SessionRequest(session_id=f"{name}-{number}", prompt="stream s", desktop=name)
        for name in desktops
        for number in range(STALLED_SESSIONS if name == "odd-one" else 1)
    ]
    cxone.job(settings, requests=requests).run()
    with open_metrics(folder) as database:
        return sorted(int(took) for (took,) in database.sql(TIMES).fetchall())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    tokens = [f"{word} " for n in range(SENTENCES) for word in f"Sentence {n} is one of several.".split()]
    reactor = Reactor()
    gateway = CXoneGateway(Corpus([TokenStream("s", tuple(tokens))]), token_interval=PACE)
    healthy = {f"d{number}": AgentDesktop() for number in range(HEALTHY)}
    stalled = AgentDesktop(behaviour="stop=1,pong=false,buffer=4096")
    spare = AgentDesktop()
    servers = [gateway, stalled, spare, *healthy.values()]
    for server in servers:
        reactor.run(server.start())
    times: dict[str, list[int]] = {"without": [], "with": []}
    with tempfile.TemporaryDirectory(prefix="tokenweir-isolation-") as folder:
        for number in range(2 * rounds):
            kind = "with" if number % 2 else "without"
            odd_one = stalled if kind == "with" else spare
            urls = {name: each.url for name, each in healthy.items()} | {"odd-one": odd_one.url}
            times[kind] += run(Path(folder) / str(number), urls, gateway.url)
    for server in servers:
        reactor.run(server.close())
    reactor.close()
    worst = {}
    for kind, took in times.items():
        took.sort()
        worst[kind] = took[len(took) * 99 // 100]
        print(
            f"{kind:8} {len(took)} messages, p50 {took[len(took) // 2] / 1000:.2f} ms, p99 {worst[kind] / 1000:.2f} ms"
        )
    print(f"p99 with the stalled desktop / without it: {worst['with'] / worst['without']:.2f} (at most 1.5)")


if __name__ == "__main__":
    main()
