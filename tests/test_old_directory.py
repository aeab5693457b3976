"""A data directory that an earlier version's killed jobs left (tests/directories) goes on under this one."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpx
import pytest
import zstandard
from websockets.sync.client import connect

from connectors.job.requests import SessionRequest
from connectors.metrics import open_metrics
from connectors.reactor import Reactor
from connectors.simulator import AgentDesktop
from connectors.simulator.vendor import CLIENT_ID, CLIENT_SECRET
from connectors.vendors.base import Vendor
from connectors.vendors.registry import named
from flows.live import LiveJob
from flows.settings import parse
from tests.conftest import corpus_of

ARCHIVE = Path(__file__).parent / "directories" / "bd86b48.tar.zst"
WHOLE = ["The ", "parcel ", "left. ", "It ", "arrives ", "at ", "noon."]
HALF = ["It ", "left ", "on ", "Monday. ", "Mail ", "jane@", "example.com ", "or ", "wait. ", "It ", "comes ", "soon."]
STREAMS = {"whole": WHOLE, "half": HALF, "waits": WHOLE}
SAID = {"whole": "The parcel left. It arrives at noon.", "half": "It left on Monday. "}
"""What desktops had received by then."""
REST = "Mail [REDACTED] or wait. It comes soon."
CUT = "Mail [REDACTED] An unexpected error occurred. Please contact support."
COUNTS = (
    "SELECT session_id, count(*) = count(DISTINCT seq), max(seq) + 1 = count(*) FROM messages WHERE {} GROUP BY ALL"
)
TURNS = "SELECT session_id, count(*), any_value(outcome) FROM turns WHERE {} GROUP BY ALL ORDER BY ALL"
DELIVERED = "SELECT count(*) - (SELECT count(*) FROM messages WHERE {0}), count(*) - count(DISTINCT (session_id, seq))"
REQUESTS = [
    SessionRequest(
        session_id=name, prompt=f"stream {name}", dialog_id=name, desktop="away" if name == "waits" else None
    )
    for name in STREAMS
]


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    data = zstandard.ZstdDecompressor().decompress(ARCHIVE.read_bytes(), max_output_size=64 << 20)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / "data"


class Other:
    """A vendor's simulator and two desktops, all new."""

    def __init__(self, vendor: Vendor) -> None:
        self.vendor = vendor
        self.gateway: Any = vendor.simulator(corpus_of(STREAMS), speed=0)
        self.desktops = {"default": AgentDesktop(), "away": AgentDesktop()}
        self.reactor = Reactor()

    def __enter__(self) -> Other:
        for server in (self.gateway, *self.desktops.values()):
            self.reactor.run(server.start())
        return self

    def __exit__(self, *_: object) -> None:
        for server in (self.gateway, *self.desktops.values()):
            self.reactor.run(server.close())
        self.reactor.close()

    def remember(self, messages: list[str]) -> None:
        """Give the default desktop what it had before: it is the same one, and confirms only what has no gap."""
        with connect(self.desktops["default"].url) as connection:
            for raw in messages:
                connection.send(raw)
            self.reactor.run(self.desktops["default"].until(lambda desktop: len(desktop.received) == len(messages)))

    def run(self, data_dir: Path, lane: str) -> LiveJob:
        tree = {
            "job": {"data_dir": str(data_dir), "lane": lane, "epoch": 0.1},
            "desktops": {name: {"url": desktop.url} for name, desktop in self.desktops.items()},
        }
        settings = parse(tree, self.vendor.simulated(self.gateway.url), vendor=self.vendor.name)
        job = LiveJob(self.vendor, settings, requests=REQUESTS, once=True)
        job.run()
        return job

    def received(self, name: str) -> dict[str, str]:
        return texts(each.raw for each in self.desktops[name].received)


def texts(messages: Iterable[str]) -> dict[str, str]:
    """What was said, by session, every repetition included."""
    said: dict[str, str] = {}
    for raw in messages:
        message = json.loads(raw)
        if message["type"] == "sentence":  # and no question of what is had
            said[message["session_id"]] = said.get(message["session_id"], "") + message["text"]
    return said


def before(data_dir: Path, vendor: str) -> list[str]:
    """What the default desktop had of the earlier version."""
    messages: list[str] = json.loads((data_dir / "received.json").read_text())[vendor]
    assert texts(messages) == SAID
    return messages


def ask_as_before(url: str) -> None:
    """Have a new simulator know the turns that the log's ids are of, by asking for the same in the same order."""
    with httpx.Client(base_url=url, trust_env=False) as client:
        form = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
        token = client.post("/oauth/token", data={**form, "scope": "ai:llm:stream"}).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}", "Accept": "text/event-stream"}
        for name in STREAMS:
            body = {"prompt": f"stream {name}", "model": "gpt-4", "stream": True}
            assert client.post("/api/v2/ai/llm/chat/stream", json=body, headers=headers).status_code == 200


def check_rows(data_dir: Path, lane: str, half: str) -> None:
    """Every message, turn and delivery of the lane has one row, whichever version wrote it."""
    with open_metrics(data_dir) as connection:

        def rows(sql: str) -> list[tuple[Any, ...]]:
            return connection.execute(sql.format(f"lane = '{lane}'")).fetchall()

        assert sorted(rows(COUNTS)) == [(name, True, True) for name in sorted(STREAMS)]
        assert rows(TURNS) == [("half", 1, half), ("waits", 1, "finished"), ("whole", 1, "finished")]
        assert rows(f"{DELIVERED} FROM deliveries WHERE lane LIKE '{lane}%'") == [(0, 0)]


def test_sessions_of_cxone_go_on_where_they_were(data_dir: Path) -> None:
    with Other(named("cxone")) as other:
        other.remember(before(data_dir, "cxone"))
        ask_as_before(other.gateway.url)
        assert other.run(data_dir, "w00").outcomes == {"finished": 1}
        assert other.gateway.counts["continuations"] == 1
        assert other.received("default") == {**SAID, "half": SAID["half"] + REST}
        assert other.received("away") == {"waits": SAID["whole"]}
    check_rows(data_dir, "w00", "finished")


def test_sessions_of_cognigy_end_as_they_must_and_each_dialog_is_told_once(data_dir: Path) -> None:
    with Other(named("cognigy")) as other:
        other.remember(before(data_dir, "cognigy"))
        assert other.run(data_dir, "w01").outcomes == {"interrupted": 1}
        assert other.received("default") == {**SAID, "half": SAID["half"] + CUT}
        assert other.received("away") == {"waits": SAID["whole"]}
        told = {name: [each["llm_response"] for each in values] for name, values in other.gateway.variables.items()}
        assert told == {"half": [SAID["half"] + CUT]}  # the others' were set before the kill
    check_rows(data_dir, "w01", "interrupted")


def test_started_once_more_it_says_and_measures_nothing_again(data_dir: Path) -> None:
    with Other(named("cognigy")) as other:
        other.remember(before(data_dir, "cognigy"))
        for _ in range(2):
            other.run(data_dir, "w01")
        assert other.received("default") == {**SAID, "half": SAID["half"] + CUT}
    check_rows(data_dir, "w01", "interrupted")
