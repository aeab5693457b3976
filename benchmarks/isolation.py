"""A stalled desktop beside a hundred healthy ones: how long their messages take, without it and with it.

python -m benchmarks.isolation [--rounds 3]

The vendor and the desktops are simulated in a process of their own. A message's time is from its release in the flow
to the desktop's acknowledgement, as the metrics tables have both. The stalled desktop reads one message and no more;
in the rounds without it a healthy one has its sessions, so that both kinds of round do the same work. Rounds of both
kinds take turns. Sessions begin spread over two seconds; the first two messages of a turn are left out, since all
desktops are connected to then.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from connectors.job.requests import SessionRequest
from connectors.metrics import open_metrics
from connectors.reactor import Reactor
from connectors.simulator import AgentDesktop, Corpus, TokenStream
from connectors.simulator.vendor import CLIENT_ID, CLIENT_SECRET
from connectors.vendors.cxone.simulator import SimulatedCXone
from flows import cxone
from flows.settings import parse

HEALTHY = 100
STALLED_SESSIONS = 20
SENTENCES = 30
PACE = 0.05
SPREAD = 2.0

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
    names = [name for name in desktops for _ in range(STALLED_SESSIONS if name == "odd-one" else 1)]
    requests = [
        SessionRequest(
            session_id=f"{name}-{number}",
            prompt=f"stream s with stall={SPREAD * number / len(names):.3f}@1",
            desktop=name,
        )
        for number, name in enumerate(names)
    ]
    cxone.job(settings, requests=requests).run()
    with open_metrics(folder) as database:
        return sorted(int(took) for (took,) in database.sql(TIMES).fetchall())


def serve() -> None:
    """The other side: print the URLs as one line of JSON, and serve until standard input ends."""
    tokens = [f"{word} " for n in range(SENTENCES) for word in f"Sentence {n} is one of several.".split()]
    reactor = Reactor()
    gateway = SimulatedCXone(Corpus([TokenStream("s", tuple(tokens))]), token_interval=PACE)
    healthy = {f"d{number}": AgentDesktop() for number in range(HEALTHY)}
    stalled, spare = AgentDesktop(behaviour="stop=1,pong=false,buffer=4096"), AgentDesktop()
    servers = [gateway, stalled, spare, *healthy.values()]
    for server in servers:
        reactor.run(server.start())
    urls = {name: each.url for name, each in healthy.items()}
    sys.stdout.write(json.dumps({"gateway": gateway.url, "with": stalled.url, "without": spare.url, "healthy": urls}))
    sys.stdout.write("\n")
    sys.stdout.flush()
    sys.stdin.read()
    for server in servers:
        reactor.run(server.close())
    reactor.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve()
        return
    times: dict[str, list[int]] = {"without": [], "with": []}
    with (
        subprocess.Popen(
            [sys.executable, "-m", "benchmarks.isolation", "--serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as other,
        tempfile.TemporaryDirectory(prefix="tokenweir-isolation-") as folder,
    ):
        assert other.stdout is not None
        urls = json.loads(other.stdout.readline())
        for number in range(2 * given.rounds):
            kind = "with" if number % 2 else "without"
            times[kind] += run(Path(folder) / str(number), urls["healthy"] | {"odd-one": urls[kind]}, urls["gateway"])
        assert other.stdin is not None
        other.stdin.close()
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
