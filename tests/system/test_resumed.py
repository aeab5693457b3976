"""Callers of a service that is killed: a browser comes back, and what it reads in all is the turn, once, in order."""

from __future__ import annotations

import hashlib
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest

from connectors.frontend.settings import FrontendSettings
from connectors.sse import Event, SSEDecoder
from tests.system.harness import Service, until
from tests.system.test_browser import CHROMIUM, Page, browsing
from tests.system.test_faults import LONG, OTHER, Scene

WHOLE = "".join(LONG).rstrip()
NEVER_TWICE = [
    "".join(chr(97 + byte % 26) for byte in hashlib.sha256(bytes([n])).digest()[: 3 + n % 6])
    + (". " if n % 7 == 6 else " ")
    for n in range(112)
]
"""What kills cut in many places: of text that repeats itself, a part can look as if the vendor had said it again."""
RETRY = 0.05


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


class Reader:
    """Reads one URL as EventSource does: again and again, from the last id on, until it is told to stop.

    events    all that came, over all connections
    statuses  of the answers
    """

    def __init__(self, url: str, last_id: str = "") -> None:
        self.events: list[Event] = []
        self.statuses: list[int] = []
        self.last_id = last_id
        self._url = url
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Reader:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join(60)
        assert not self._thread.is_alive(), "it was never told to stop"

    @property
    def text(self) -> str:
        return "".join([event.data for event in self.events if event.event == "token"])

    def until_it_has(self, count: int) -> None:
        until(lambda: len(self.events) >= count)

    def _run(self) -> None:
        with httpx.Client(trust_env=False, timeout=30) as client:
            while not self.statuses or self.statuses[-1] == 200:
                with suppress(httpx.TransportError):
                    self._read(client)
                time.sleep(RETRY)

    def _read(self, client: httpx.Client) -> None:
        headers = {"Last-Event-ID": self.last_id} if self.last_id else {}
        decoder = SSEDecoder()
        with client.stream("GET", self._url, headers=headers) as answer:
            self.statuses.append(answer.status_code)
            for chunk in answer.iter_raw():
                for event in decoder.feed(chunk):
                    self.events.append(event)
                self.last_id = decoder.last_event_id or self.last_id


def holds(reader: Reader, session_id: str, end: str, turn: int = 0) -> None:
    """Every event once and in order, the end last, and then 204."""
    places = [int(event.id.removeprefix(f"{session_id}/{turn}/")) for event in reader.events]
    assert places == sorted(set(places))
    assert [event.event for event in reader.events] == ["token"] * (len(places) - 1) + [end]
    assert reader.statuses[-1] == 204
    assert set(reader.statuses[:-1]) == {200}


@contextmanager
def scene(
    folder: Path, vendor: str, *, names: int = 1, tokens: Sequence[str] = LONG, **frontend: object
) -> Iterator[tuple[Scene, Service, Callable[[], None]]]:
    """A service on a port that it keeps, and what kills and restarts it."""
    with Scene(folder, vendor, names=names, tokens=tokens) as scene:
        settings = {"port": free_port(), "retry": RETRY, "overall_timeout": 300.0, **frontend}
        service = scene.start(frontend=settings)

        def restart() -> None:
            service.kill()
            service.start()
            service.wait_until_it_listens()

        yield scene, service, restart


def url_of(service: Service, session_id: str = "s-0") -> str:
    fields = {"session_id": session_id, "dialog_id": session_id, "prompt": f"stream {session_id}", "desktop": "acks"}
    return f"{service.address}/stream?{urlencode(fields)}"


def until_shown(scene: Scene, count: int) -> None:
    """So many messages came to the desktop."""
    until(lambda: len(scene.world.desktops["acks"].received) >= count)


def test_a_browser_reads_on_after_kills_in_the_middle(tmp_path: Path) -> None:
    with scene(tmp_path, "cxone") as (_, service, restart):
        with Reader(url_of(service)) as reader:
            for count in (1, 4, 7):
                reader.until_it_has(count)
                restart()
        holds(reader, "s-0", "done")
        assert reader.text.rstrip() == reader.events[-1].data.rstrip() == WHOLE
        assert len(reader.statuses) >= 5, "it was cut off three times, read to the end, and was sent away"
        assert service.terminate() == 0


def test_a_browser_reads_on_after_a_stop_in_order(tmp_path: Path) -> None:
    with scene(tmp_path, "cxone") as (_, service, _restart):
        with Reader(url_of(service)) as reader:
            reader.until_it_has(3)
            service.terminate()
            service.start()
            service.wait_until_it_listens()
        holds(reader, "s-0", "done")
        assert reader.text.rstrip() == WHOLE


def test_a_stop_in_order_says_when_to_come_back(tmp_path: Path) -> None:
    with scene(tmp_path, "cxone") as (_, service, _restart):
        with httpx.Client(trust_env=False, timeout=30) as client, client.stream("GET", url_of(service)) as answer:
            sent = answer.iter_raw()
            heard = next(sent)
            while b"event: token" not in heard:
                heard += next(sent)
            stopping = threading.Thread(target=service.terminate)
            stopping.start()
            heard += b"".join(sent)  # to an end that the protocol knows as one
            stopping.join(60)
        last = heard.removesuffix(b"\n\n").rpartition(b"\n\n")[2].split(b"\n")
        assert last[0].startswith(b": the server stops")
        assert last[1:] == [b"retry: 50"]
        decoder = SSEDecoder()
        events = decoder.feed(heard)
        assert {event.event for event in events} == {"token"}
        service.start()
        service.wait_until_it_listens()
        with Reader(url_of(service), decoder.last_event_id) as reader:
            pass
        reader.events[:0] = events
        holds(reader, "s-0", "done")
        assert reader.text.rstrip() == WHOLE


def test_an_answer_that_a_kill_cut_ends_with_the_fallback(tmp_path: Path) -> None:
    with scene(tmp_path, "cognigy") as (_, service, restart):
        with Reader(url_of(service)) as reader:
            reader.until_it_has(3)
            restart()
        holds(reader, "s-0", "error")
        assert reader.events[-1].data == OTHER
        assert WHOLE.startswith(reader.text)
        restart()
        with Reader(url_of(service), reader.events[-1].id) as again:
            pass
        assert (again.events, again.statuses) == ([], [204])


@pytest.mark.parametrize(("vendor", "kills"), [("cxone", 5), ("cognigy", 2)])
def test_many_browsers_read_on_whenever_the_kills_come(vendor: str, kills: int, tmp_path: Path) -> None:
    rng = random.Random(20261121)
    whole = "".join(NEVER_TWICE).rstrip()
    with scene(tmp_path, vendor, names=20, tokens=NEVER_TWICE) as (scene_, service, restart), ExitStack() as reading:
        readers = {name: reading.enter_context(Reader(url_of(service, name))) for name in scene_.names}
        heard = 0
        for _ in range(kills):
            heard += rng.randrange(5, 40)
            until(lambda heard=heard: sum(len(reader.events) for reader in readers.values()) >= heard)  # type: ignore[misc]  # mypy cannot see through a default
            restart()
        reading.close()
        for name, reader in readers.items():
            end = reader.events[-1]
            holds(reader, name, end.event)
            if end.event == "done":
                assert reader.text.rstrip() == end.data.rstrip() == whole
            else:
                assert (vendor, end.data) == ("cognigy", OTHER)
                assert whole.startswith(reader.text)


def test_an_answer_that_ended_before_the_kill_can_be_read_after_it(tmp_path: Path) -> None:
    with scene(tmp_path, "cxone") as (_, service, restart):
        with Reader(url_of(service)) as reader:
            pass
        restart()
        restart()
        with Reader(url_of(service), reader.events[2].id) as late:
            pass
        assert late.events == reader.events[3:]
        status, told = service.ask("GET", "/sessions/s-0")
        assert (status, told["state"]) == (200, "done")
        with Reader(told["stream_url"]) as again:
            pass
        assert again.events == reader.events


def test_a_signed_url_is_good_for_the_next_process_too(tmp_path: Path) -> None:
    with scene(tmp_path, "cxone", token="t0ken-of-the-test") as (_, service, restart):
        headers = {"Authorization": "Bearer t0ken-of-the-test"}
        body = {"session_id": "s-0", "prompt": "stream s-0", "desktop": "acks"}
        answer = httpx.post(f"{service.address}/sessions", json=body, headers=headers, trust_env=False)
        with Reader(answer.json()["stream_url"]) as reader:
            reader.until_it_has(2)
            restart()
        holds(reader, "s-0", "done")
        assert reader.text.rstrip() == WHOLE


def test_a_page_that_has_no_id_yet_joins_the_turn_under_way(tmp_path: Path) -> None:
    """It asked, and the process died; it asks the same again, and no second turn is begun."""
    with scene(tmp_path, "cxone") as (scene_, service, restart):
        with httpx.Client(trust_env=False) as client, client.stream("GET", url_of(service)) as answer:
            assert answer.status_code == 200
            until_shown(scene_, 2)
            restart()
        with Reader(url_of(service)) as reader:
            pass
        holds(reader, "s-0", "done")
        assert reader.text.rstrip() == WHOLE
        assert scene_.world.cxone.counts["starts"] == 1


def test_a_page_that_is_loaded_again_after_a_cut_answer_gets_a_new_one(tmp_path: Path) -> None:
    with scene(tmp_path, "cognigy") as (scene_, service, restart):
        with Reader(url_of(service)) as reader:
            reader.until_it_has(2)
            restart()
        scene_.until_whole()
        with Reader(url_of(service)) as again:
            pass
        holds(reader, "s-0", "error")
        holds(again, "s-0", "done", turn=1)
        assert again.text.rstrip() == WHOLE


def test_a_browser_whose_turn_had_said_nothing_yet_is_served(tmp_path: Path) -> None:
    with scene(tmp_path, "cxone") as (_, service, restart):
        with Reader(url_of(service)) as reader:
            until(lambda: reader.last_id == "s-0/0/-1")
            restart()
        holds(reader, "s-0", "done")
        assert reader.text.rstrip() == WHOLE


def test_what_is_over_for_long_is_gone_after_a_restart_too(tmp_path: Path) -> None:
    with scene(tmp_path, "cxone", replay_for=0.5) as (_, service, _restart):
        with Reader(url_of(service)):
            pass
        assert service.terminate() == 0
        time.sleep(0.6)  # time itself is what is tested
        service.start()
        service.wait_until_it_listens()
        assert httpx.get(url_of(service), headers={"Last-Event-ID": "s-0/0/1"}, trust_env=False).status_code == 410


def test_what_the_hub_ended_stays_ended(tmp_path: Path) -> None:
    with scene(tmp_path, "cxone", overall_timeout=0.5) as (_, service, restart):
        with Reader(url_of(service)) as reader:
            pass
        assert reader.events[-1].data == FrontendSettings().timeout_text
        restart()
        with Reader(url_of(service), "s-0/0/-1") as again:
            pass
        assert again.events == reader.events


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt-get install chromium")
def test_a_real_browser_reads_the_whole_text_once_though_the_service_is_killed(tmp_path: Path) -> None:
    with Page() as page, scene(tmp_path, "cxone", allowed_origins=[page.url]) as (scene_, service, restart):
        page.stream_url = url_of(service)
        with browsing(page.url, tmp_path / "profile"):
            for count in (2, 5):
                until_shown(scene_, count)
                restart()
            told = page.told.get(timeout=60)
    assert "".join(told["tokens"]).rstrip() == WHOLE
    assert [each.rstrip() for each in told["done"]] == [WHOLE]
    assert told["errors"] == []
    assert told["opens"] >= 3
