"""connections.py and protocol.py: callers that take places and ask for nothing."""

from __future__ import annotations

import resource
import socket
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.frontend.connections import Connections
from connectors.frontend.protocol import affordable
from tests.callers import Service, serving, until
from tests.conftest import OtherSide, corpus_of
from tests.test_frontend import WORDS, connected, error_of, read_until, send

Start = Callable[..., OtherSide]
HEALTH = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
HALF = b"GET /health HTTP/1.1\r\nHost: loc"


class Line:
    """A connection of the core's."""

    def __init__(self) -> None:
        self.closed = False

    def give_way(self) -> None:
        self.closed = True


def test_what_waits_longest_gives_way() -> None:
    connections = Connections(2, 2, counts := Counter())
    first, second, third = Line(), Line(), Line()
    assert connections.admit(first, "a")
    assert connections.admit(second, "a")
    connections.asks(first)
    connections.waits(first)  # answered, and idle since
    assert connections.admit(third, "b")
    assert [line.closed for line in (first, second, third)] == [False, True, False]
    assert counts == {"displaced": 1, "crowded": 0}


def test_what_is_being_answered_stays_and_one_more_is_refused() -> None:
    connections = Connections(1, 1, counts := Counter())
    busy, refused, again = Line(), Line(), Line()
    assert connections.admit(busy, "a")
    connections.asks(busy)
    assert not connections.admit(refused, "b")
    assert not connections.admit(again, "c")
    assert (busy.closed, refused.closed) == (False, True), "a refused one gives way to the next"
    connections.leave(busy)
    connections.leave(again)
    assert connections.admit(Line(), "a")
    assert counts["crowded"] == 2


def test_one_address_takes_only_its_own_places() -> None:
    connections = Connections(10, 3, Counter())
    mine = [Line() for _ in range(3)]
    assert all(connections.admit(line, "mine") for line in mine)
    greedy = [Line() for _ in range(50)]
    assert all(connections.admit(line, "greedy") for line in greedy)
    assert sum(not line.closed for line in greedy) == 3
    assert not any(line.closed for line in mine)
    for line in greedy[-3:]:
        connections.asks(line)
    assert not connections.admit(Line(), "greedy")
    assert connections.admit(Line(), "yet another")


@given(st.lists(st.tuples(st.sampled_from(["admit", "asks", "waits", "leave"]), st.integers(0, 7)), max_size=60))
def test_whatever_comes_no_bound_is_passed_by_more_than_the_one_that_is_refused(steps: list[tuple[str, int]]) -> None:
    connections = Connections(4, 2, Counter())
    lines = [Line() for _ in range(8)]
    opened: set[int] = set()
    refused: set[int] = set()
    for what, number in steps:
        line = lines[number]
        if what == "admit" and number not in opened:
            lines[number] = line = Line()
            opened.add(number)
            if not connections.admit(line, "ab"[number % 2]):
                refused.add(number)
        elif what == "leave":
            connections.leave(line)
        elif number in opened and not line.closed and what != "admit":
            getattr(connections, what)(line)
        opened -= {each for each in opened if lines[each].closed} | ({number} if what == "leave" else set())
        refused &= opened
        assert len(connections) == len(opened)
        assert len(opened - refused) <= 4
        assert all(len([each for each in opened - refused if each % 2 == odd]) <= 2 for odd in (0, 1))


def test_as_many_as_the_processes_descriptors_allow(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = [(1_024, 3_000)]
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _, pair: limits.append(pair))
    assert affordable(500) == 500
    assert len(limits) == 1
    assert affordable(2_000) == 1_500
    assert limits[-1] == (3_000, 3_000)
    limits.append((1_024, resource.RLIM_INFINITY))
    assert affordable(2_000) == 2_000
    assert limits[-1] == (4_000, resource.RLIM_INFINITY)


def closes(connection: socket.socket) -> bytes:
    """What comes until it is closed."""
    heard = b""
    while data := connection.recv(4_096):
        heard += data
    return heard


def test_half_requests_lock_nobody_out(other_side: Start, tmp_path: Path) -> None:
    limits = {"max_connections": 20, "max_connections_per_address": 15, "request_timeout": 60}
    with serving(other_side(corpus_of(WORDS), "stall=inf@4"), tmp_path, limits) as service, ExitStack() as held:
        stream = held.enter_context(connected(service))
        send(stream, service.stream_url("s-1"))
        read_until(stream, b"data: The parcel")
        for _ in range(60):
            connection = held.enter_context(connected(service))
            connection.sendall(HALF)
        assert service.ask("GET", "/health").status_code == 200
        assert service.ask("POST", "/sessions", json={"session_id": "s-2", "prompt": "stream s"}).status_code == 202
        assert service.frontend.counts["displaced"] >= 60 - 14
        assert service.frontend.counts["crowded"] == 0
        assert service.frontend.hub.callers == 1


def test_where_all_are_being_answered_one_more_is_told_so(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(WORDS), "stall=inf@4")
    settings = {"max_connections": 1, "allowed_origins": ["http://a"]}
    with serving(side, tmp_path, settings) as service, connected(service) as stream:
        send(stream, service.stream_url("s-1"))
        read_until(stream, b"data: The parcel")
        answer = service.ask("GET", "/health")
        assert answer.status_code == 503
        assert "frontend.max_connections" in error_of(answer)
        assert answer.headers["retry-after"] == "1"
        again = service.ask(
            "GET", service.stream_url("s-1"), headers={"Last-Event-ID": "s-1/0/0", "Origin": "http://a"}
        )
        assert (again.status_code, again.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
        assert again.headers["access-control-allow-origin"] == "http://a"  # without it the page would not read it
        assert again.content.endswith(b"(frontend.max_connections, max_connections_per_address)\nretry: 50\n\n")
        assert service.frontend.hub.callers == 1


@pytest.mark.parametrize("half", [HALF, b"POST /sessions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{"])
def test_the_second_request_of_a_connection_has_its_time_too(half: bytes, other_side: Start, tmp_path: Path) -> None:
    with serving(other_side(corpus_of(WORDS)), tmp_path, {"request_timeout": 0.3}) as service:
        with connected(service) as connection:
            connection.sendall(HEALTH)
            read_until(connection, b"OK")
            connection.sendall(half)
            assert closes(connection)[:13] == (b"" if half == HALF else b"HTTP/1.1 408 ")
        until(lambda: service.frontend.counts["late"] == 1)


def test_a_trickle_does_not_win_time(other_side: Start, tmp_path: Path) -> None:
    """A byte now and then, of a head, of a body, and of a body whose request is answered already."""
    heads = (
        b"GET /health HTTP/1.1\r\nX-Slow: ",
        b"POST /sessions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999\r\n\r\n",
    )
    with serving(other_side(corpus_of(WORDS)), tmp_path, {"request_timeout": 0.3, "keep_alive": 0.3}) as service:
        for head in heads:
            with connected(service) as connection:
                connection.sendall(head)
                assert trickled(connection) < 200
        assert service.frontend.counts["late"] == len(heads)


def trickled(connection: socket.socket) -> int:
    """Send a byte whenever nothing comes for a moment, until the connection is closed; how many they were."""
    connection.settimeout(0.02)
    for sent in range(1_000):
        try:
            if not connection.recv(4_096):
                return sent
        except TimeoutError:
            pass
        except ConnectionError:
            return sent
        try:
            connection.sendall(b"x")
        except ConnectionError:
            return sent
    raise AssertionError("it was never closed")


@pytest.mark.parametrize("asked", [HEALTH, HEALTH.replace(b"\r\n\r\n", b"\r\nContent-Length: 2\r\n\r\n")])
def test_an_idle_connection_is_closed(asked: bytes, other_side: Start, tmp_path: Path) -> None:
    with serving(other_side(corpus_of(WORDS)), tmp_path, {"keep_alive": 0.2}) as service:
        with connected(service) as connection:
            connection.sendall(asked)
            read_until(connection, b"OK")
            if asked != HEALTH:
                connection.sendall(b"{}")  # a body that comes after its answer begins no other time
            assert closes(connection) == b""
        until(lambda: service.frontend.counts["idle"] == 1)
        assert service.frontend.counts["late"] == 0


def test_a_connection_goes_on_from_request_to_request(other_side: Start, tmp_path: Path) -> None:
    with serving(other_side(corpus_of(WORDS)), tmp_path) as service, connected(service) as connection:
        for _ in range(3):
            connection.sendall(HEALTH)
            read_until(connection, b"OK")
        connection.sendall(HEALTH * 3)  # pipelined
        heard = b""
        while heard.count(b"OK\r\n") + heard.endswith(b"\r\n\r\nOK") < 3 and heard.count(b"HTTP/1.1 200 OK") < 3:
            heard += read_until(connection, b"OK")
        assert service.frontend.counts.total() == 0


def test_nothing_stays_of_connections_that_are_closed(other_side: Start, tmp_path: Path) -> None:
    with serving(other_side(corpus_of(WORDS)), tmp_path, {"max_connections": 3}) as service:
        for _ in range(10):
            with connected(service) as connection:
                connection.sendall(HEALTH)
                read_until(connection, b"OK")
        assert everything_answers(service)


def everything_answers(service: Service) -> bool:
    return all(service.ask("GET", "/health").status_code == 200 for _ in range(5))
