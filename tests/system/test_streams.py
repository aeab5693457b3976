"""Real input: every text stream of the evaluation data through both vendors, live, joined text exact."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from connectors.job.requests import SessionRequest
from connectors.reactor import Reactor
from connectors.simulator import AgentDesktop, Corpus, TokenStream
from connectors.simulator.vendor import CLIENT_ID, CLIENT_SECRET
from connectors.vendors.cognigy.simulator import SimulatedCognigy
from connectors.vendors.cxone.simulator import SimulatedCXone
from flows import cognigy, cxone
from flows.live import LiveJob
from flows.settings import Settings, parse
from tests.conftest import EVALUATION

STREAMS = EVALUATION / "streams.jsonl"
NO_MODERATION = {"pii": [], "markdown": "keep", "whitespace": "keep"}

pytestmark = pytest.mark.skipif(not STREAMS.exists(), reason="needs the evaluation data beside the project")


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    rows = (json.loads(line) for line in STREAMS.read_text(encoding="utf-8").splitlines())
    return Corpus(
        TokenStream(f"s{number}", tuple(row["tokens"])) for number, row in enumerate(rows) if row["kind"] == "text"
    )


@pytest.fixture
def reactor() -> Iterator[Reactor]:
    reactor = Reactor()
    yield reactor
    reactor.close()


@pytest.mark.parametrize(
    ("vendor", "gateway_of", "job_of"),
    [
        ("cxone", lambda corpus: SimulatedCXone(corpus, speed=0), cxone.job),
        ("cognigy", lambda corpus: SimulatedCognigy(corpus, speed=0, first_message=True), cognigy.job),
    ],
)
def test_every_text_stream_arrives_exactly(
    vendor: str,
    gateway_of: Callable[[Corpus], SimulatedCXone | SimulatedCognigy],
    job_of: Callable[..., LiveJob],
    corpus: Corpus,
    reactor: Reactor,
    tmp_path: Path,
) -> None:
    gateway, desktop = gateway_of(corpus), AgentDesktop()
    reactor.run(gateway.start())
    reactor.run(desktop.start())
    try:
        requests = [SessionRequest(session_id=name, prompt=f"stream {name}", dialog_id=name) for name in corpus.names]
        job = job_of(settings(vendor, gateway.url, desktop.url, tmp_path), requests=requests)
        job.run()
    finally:
        reactor.run(gateway.close())
        reactor.run(desktop.close())
    assert job.outcomes == {"finished": len(corpus)}
    assert [name for name in corpus.names if desktop.transcript(name) != corpus.text(name)] == []


def settings(vendor: str, gateway: str, desktop: str, data_dir: Path) -> Settings:
    account = {"base_url": gateway, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    template = {"prompt": "{prompt}", "dialog_id": "{dialog_id}"} if vendor == "cognigy" else None
    return parse(
        {
            "job": {"data_dir": str(data_dir), "epoch": 0.25},
            vendor: account if template is None else {**account, "template": template},
            "desktops": {"default": {"url": desktop}},
            "moderation": NO_MODERATION,
        },
        vendor=vendor,
    )
