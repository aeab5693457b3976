"""Who holds a turn and who ends it, and answers of any length: the front end over real sockets."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from connectors.frontend.hub import HubSettings
from connectors.frontend.protocol import PatientProtocol
from connectors.frontend.stream import CHUNK
from connectors.log.records import Message
from tests.callers import Service, listen, serving, shown, until
from tests.conftest import OtherSide, corpus_of
from tests.test_frontend import SHORT, connected, error_of, gone, read_until, send

Start = Callable[..., OtherSide]
WHOLE = "".join(SHORT)
SLOW = "slow=0.1"
AT_ONCE = {"resume_grace": 0.0, "idle_timeout": 0.2, "overall_timeout": 0.3}
"""Settings under which a turn that a reader could end, by coming or by leaving, is over long before `SLOW`."""


def reading(service: Service, url: str, headers: str = "") -> socket.socket:
    """A connection that has the stream's first event."""
    connection = connected(service)
    send(connection, url, headers)
    read_until(connection, b"event: token")
    return connection


def posted(service: Service, session_id: str = "s-1") -> str:
    """The signed URL of a turn that POST begins."""
    answer = service.ask("POST", "/sessions", json={"session_id": session_id, "prompt": "stream s"})
    return str(answer.json()["stream_url"])


def signed(service: Service, session_id: str = "s-1") -> str:
    return str(service.ask("GET", f"/sessions/{session_id}").json()["stream_url"])


@pytest.mark.parametrize("order", ["first", "last", "both", "resumed", "plain"])
def test_a_turn_that_was_posted_goes_on_whoever_leaves(order: str, other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(SHORT), SLOW)
    with serving(side, tmp_path, AT_ONCE) as service, ExitStack() as stack:
        url = posted(service)
        first, second = (stack.enter_context(reading(service, url)) for _ in range(2))
        if order == "resumed":
            first.close()
            stack.enter_context(reading(service, url, "Last-Event-ID: s-1/0/0\r\n")).close()
        elif order == "plain":  # it may read the turn, and did not begin it
            stack.enter_context(reading(service, service.stream_url("s-1"), "Last-Event-ID: s-1/0/-1\r\n")).close()
        if order in ("first", "both", "plain"):
            first.close()
        if order in ("last", "both", "plain", "resumed"):
            second.close()
        until(lambda: service.outcome("s-1") is not None)
        assert service.outcome("s-1") == ("finished", None)
        side.reactor.run(side.desktop.until(lambda desktop: desktop.is_whole("s-1")), 5)
        assert side.desktop.transcript("s-1") == WHOLE
        assert listen(url)[-1].data == WHOLE


def test_one_who_looks_on_at_a_callers_turn_does_not_end_it(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(SHORT), SLOW)
    with serving(side, tmp_path, {"resume_grace": 0.0}) as service:
        with reading(service, service.stream_url("s-1")) as caller, reading(service, signed(service)) as viewer:
            viewer.close()
            assert b"event: done\n" in read_until(caller, b"0\r\n\r\n")
        assert service.outcome("s-1") == ("finished", None)


def test_one_who_looks_on_does_not_hold_a_turn_that_its_caller_left(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(SHORT), "stall=inf@4")
    with serving(side, tmp_path, {"resume_grace": 0.1}) as service:
        caller = reading(service, service.stream_url("s-1"))
        with reading(service, signed(service)) as viewer:
            caller.close()
            gone(side)
            read_until(viewer, b"event: error")
        until(lambda: service.outcome("s-1") == ("cancelled", None))


def test_a_caller_whose_page_was_loaded_again_holds_its_turn(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(SHORT), SLOW)
    with serving(side, tmp_path, {"resume_grace": 0.0}) as service:
        first = reading(service, service.stream_url("s-1"))
        with reading(service, service.stream_url("s-1")):
            first.close()
            until(lambda: service.outcome("s-1") is not None)
        assert service.outcome("s-1") == ("finished", None)


def test_who_began_a_turn_is_known_to_the_next_process(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(SHORT), "stall=inf@4,stall=inf@6")
    with serving(side, tmp_path) as service:
        reading(service, service.stream_url("begun")).close()
        reading(service, posted(service, "posted")).close()
    with serving(side, tmp_path, {"resume_grace": 0.1}) as service:
        reading(service, signed(service, "posted")).close()
        reading(service, service.stream_url("posted"), "Last-Event-ID: posted/0/-1\r\n").close()
        reading(service, service.stream_url("begun"), "Last-Event-ID: begun/0/-1\r\n").close()
        until(lambda: service.job.outcomes["cancelled"])
        assert service.outcome("begun") == ("cancelled", "restarted")
        assert service.outcome("posted") is None
        assert service.frontend.hub.counts["abandoned"] == 1


def test_fifty_thousand_short_messages_are_one_answer(other_side: Start, tmp_path: Path) -> None:
    words = [f"w{number} " for number in range(50_000)]
    side = other_side(corpus_of(words))
    with serving(side, tmp_path, {"overall_timeout": 0}, window={"mode": "none"}) as service:
        heard = listen(service.stream_url("s-1"))
        assert [event.id for event in heard] == [f"s-1/0/{seq}" for seq in range(len(heard))]
        assert len(heard) > 50_000
        assert shown(heard) == heard[-1].data == "".join(words)
        assert heard[-1].event == "done"
        assert service.frontend.hub.in_memory <= HubSettings().max_turn_chars
        assert listen(service.stream_url("s-1"), heard[9].id, count=100) == heard[10:110]


def test_two_megabytes_are_one_answer(other_side: Start, tmp_path: Path) -> None:
    sentences = [f"Sentence {number} " + "goes on and on " * 100 + "to its end. " for number in range(1_400)]
    side = other_side(corpus_of(sentences))
    with serving(side, tmp_path, {"overall_timeout": 0}) as service:
        heard = listen(service.stream_url("s-1"))
        assert len(heard[-1].data) > 2_000_000
        assert heard[-1].event == "done"
        assert shown(heard) == heard[-1].data == "".join(sentences)
        assert service.frontend.hub.in_memory <= HubSettings().max_turn_chars


def test_what_left_memory_is_read_on_in_the_next_process(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(SHORT * 20))
    small = {"max_turn_chars": 500}
    with serving(side, tmp_path, small) as service:
        heard = listen(service.stream_url("s-1"))
        assert heard[-1].data == WHOLE * 20 or heard[-1].data.rstrip() == (WHOLE * 20).rstrip()
        assert service.frontend.hub.in_memory <= 500
    with serving(side, tmp_path, small) as service:
        assert listen(service.stream_url("s-1"), "s-1/0/-1") == heard
        assert service.frontend.hub.in_memory <= 500


def test_readers_that_take_nothing_hold_no_copies_of_a_long_end(other_side: Start, tmp_path: Path) -> None:
    with serving(other_side(corpus_of(SHORT)), tmp_path, {"send_timeout": 60}) as service, ExitStack() as stack:
        pieces = [
            Message("fat", 0, seq, "x" * 500_000, "end" if seq == 40 else "sentence", seq == 40, False, 0)
            for seq in range(41)
        ]
        service.live.reactor.call(service.frontend.show, pieces)
        until(lambda: service.frontend.hub.state(("fat", 0)))
        url = urlsplit(service.address)
        for _ in range(8):
            connection = stack.enter_context(socket.socket())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            connection.connect((url.hostname, url.port))
            send(connection, service.stream_url("fat"), "Last-Event-ID: fat/0/40\r\n")
        until(lambda: service.frontend.hub.callers == 8 and all(pauses(each) for each in service.frontend.connections))
        for each in service.frontend.connections:
            assert 0 < waiting(each) <= 3 * CHUNK
        assert service.frontend.hub.in_memory <= HubSettings().max_turn_chars


def pauses(connection: object) -> bool:
    """Whether it has as much to send as it may."""
    assert isinstance(connection, PatientProtocol)
    return connection.flow.write_paused


def waiting(connection: object) -> int:
    """Bytes that it has still to send."""
    assert isinstance(connection, PatientProtocol)
    return connection.transport.get_write_buffer_size()


def test_a_turn_cannot_be_begun_once_the_server_stops(other_side: Start, tmp_path: Path) -> None:
    with serving(other_side(corpus_of(SHORT)), tmp_path) as service:
        service.live.reactor.call(service.frontend.hub.close)
        until(lambda: service.frontend.hub.closed)
        refused = service.ask("POST", "/sessions", json={"session_id": "s-1", "prompt": "stream s"})
        assert refused.status_code == 503
        assert "stops" in error_of(refused)
        stream = service.ask("GET", service.stream_url("s-1"))
        assert (stream.status_code, stream.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
        assert b"retry: 50\n\n" in stream.content
        assert service.job.running == 0
