"""access.py and guard.py: who may call the front end, and what for; over real sockets, and the rules by themselves."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from connectors.frontend.access import Hosts
from connectors.frontend.settings import FrontendSettings
from connectors.secret import Secret
from tests.callers import Service, listen, serving
from tests.conftest import OtherSide, corpus_of
from tests.test_frontend import TEXT, WORDS, connected, error_of

Start = Callable[..., OtherSide]
BODY = {"session_id": "s-1", "prompt": "stream s"}
SHOP, BANK, ALL = ({"Authorization": f"Bearer {token}"} for token in ("t0ken-shop", "t0ken-bank", "t0ken-all"))
TOKENS = {"token": "t0ken-all", "tokens": {"shop": "t0ken-shop", "bank": "t0ken-bank"}}


def hosts(**settings: object) -> Hosts:
    return Hosts(FrontendSettings(**{"token": Secret("t"), **settings}))  # type: ignore[arg-type]  # of many kinds


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LocalHost:8080",
        "localhost.",
        "127.0.0.1",
        "127.0.0.1:1",
        "127.9.9.9",
        "[::1]",
        "[0:0:0:0:0:0:0:1]:80",
    ],
)
def test_a_loopback_name_is_always_ours(host: str) -> None:
    assert hosts().has(host)
    assert hosts(host="10.0.0.7").has(host)


FOREIGN = [
    "",
    "evil.example",
    "evil.example:8080",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "evil.example#localhost",
    "evil@localhost",
    "localhost:80:80",
    "localhost:x",
    "localhost\n",
    " localhost",
    "[::1",
    "::1",
    "10.0.0.7",
    "[fe80::1]",
    "0.0.0.0",
    "2130706433",
    "localhost, evil.example",
]


@pytest.mark.parametrize("host", FOREIGN)
def test_any_other_is_not(host: str) -> None:
    assert not hosts().has(host)


def test_what_we_listen_on_and_what_the_settings_name_is_ours() -> None:
    assert hosts(host="10.0.0.7").has("10.0.0.7:8080")
    assert not hosts(host="10.0.0.7").has("10.0.0.8:8080")
    assert hosts(host="fe80::1").has("[FE80:0::1]:8080")
    assert hosts(host="box.example").has("BOX.example")
    assert hosts(public_url="https://llm.example.org/in").has("llm.example.org")
    assert hosts(hosts=("a.example", "10.0.0.9")).has("A.example.:1")
    assert hosts(hosts=("a.example", "10.0.0.9")).has("10.0.0.9")
    assert not hosts(hosts=("a.example",)).has("b.a.example")
    assert hosts(hosts=("*",)).has("anything.example")
    assert not hosts(hosts=("*",)).has("no host")


@pytest.mark.parametrize("every", ["0.0.0.0", "::"])
def test_on_every_address_any_address_is_ours_and_any_name_unless_the_settings_say_which(every: str) -> None:
    assert hosts(host=every).has("10.0.0.7:8080")
    assert hosts(host=every).has("[fe80::1]")
    assert hosts(host=every).has("tokenweir")
    listed = hosts(host=every, hosts=("tokenweir",))
    assert listed.has("tokenweir:8080")
    assert listed.has("10.0.0.7")
    assert not listed.has("evil.example")


def test_a_page_that_rebinds_its_name_drives_nothing(other_side: Start, tmp_path: Path) -> None:
    """To its browser our answers are of its own origin; the Host header is all that tells."""
    side = other_side(corpus_of(WORDS))
    with serving(side, tmp_path) as service:
        port = urlsplit(service.address).port
        evil = {"Host": f"evil.example:{port}", "Origin": f"http://evil.example:{port}"}
        assert service.ask("POST", "/sessions", json=BODY).status_code == 202
        url = service.ask("GET", "/sessions/s-1").json()["stream_url"]
        for method, path in (
            ("POST", "/sessions"),
            ("GET", "/sessions/s-1"),
            ("DELETE", "/sessions/s-1"),
            ("GET", service.stream_url("s-2")),
            ("GET", url),
            ("GET", "/health"),
            ("GET", "/nowhere"),
            ("OPTIONS", "/sessions"),
        ):
            answer = service.ask(method, path, headers=evil, json=BODY if method == "POST" else None)
            assert answer.status_code == 421, path
            assert "frontend.hosts" in error_of(answer)
            assert "evil" not in answer.text
        assert service.ask("GET", "/sessions/s-2").status_code == 404
        assert service.frontend.counts["misdirected"] == 8


def test_a_name_of_the_settings_is_answered(other_side: Start, tmp_path: Path) -> None:
    with serving(other_side(corpus_of(WORDS)), tmp_path, {"hosts": ["llm.example.org"]}) as service:
        named = {"Host": "llm.example.org"}
        answer = service.ask("POST", "/sessions", json=BODY, headers={**named, "Origin": "https://llm.example.org"})
        assert answer.json()["stream_url"].startswith("http://llm.example.org/stream?")
        assert service.ask("GET", "/health", headers={"Host": "other.example.org"}).status_code == 421


def test_a_page_beside_ours_begins_nothing_without_saying_where_it_is_from(other_side: Start, tmp_path: Path) -> None:
    """An <img> of a page on another port sends no Origin."""
    with serving(other_side(corpus_of(WORDS)), tmp_path) as service:
        for site in ("same-site", "cross-site"):
            answer = service.ask("GET", service.stream_url("s-1"), headers={"Sec-Fetch-Site": site})
            assert answer.status_code == 403
            assert "frontend.allowed_origins" in error_of(answer)
        assert service.ask("GET", "/sessions/s-1").status_code == 404
        for site in ("same-origin", "none"):
            answer = service.ask("GET", "/sessions/s-1", headers={"Sec-Fetch-Site": site})
            assert answer.status_code == 404


def test_our_page_behind_a_proxy_is_of_our_own_origin(other_side: Start, tmp_path: Path) -> None:
    with serving(other_side(corpus_of(WORDS)), tmp_path, {"public_url": "https://llm.example.org/in"}) as service:
        own, other = {"Origin": "https://llm.example.org"}, {"Origin": "http://llm.example.org"}
        assert service.ask("POST", "/sessions", json=BODY, headers=other).status_code == 403
        assert service.ask("POST", "/sessions", json=BODY, headers=own).status_code == 202


def test_a_token_of_a_name_opens_its_own_sessions_and_no_others(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(WORDS))
    with serving(side, tmp_path, TOKENS) as service:
        url = service.stream_url("shop:1")
        heard = listen(url, headers=SHOP)
        assert heard[-1].data == TEXT
        for path, headers in (
            (url, {**BANK, "Last-Event-ID": "shop:1/0/-1"}),
            (url, {**BANK, "Last-Event-ID": heard[0].id}),
            (url, BANK),
            (service.stream_url("bank:1"), {**BANK, "Last-Event-ID": "shop:1/0/-1"}),
            ("/sessions/shop:1", BANK),
            ("/sessions/shop:2", BANK),
            ("/sessions/shop", SHOP),
            ("/sessions/shopping:1", SHOP),
        ):
            answer = service.ask("GET", path, headers=headers)
            assert answer.status_code in (400, 403), (path, headers)
            assert "session" in error_of(answer)
            assert TEXT not in answer.text
        foreign = service.ask("POST", "/sessions", json={**BODY, "session_id": "shop:1"}, headers=BANK)
        assert foreign.status_code == 403
        assert error_of(foreign).endswith("begin with bank: (frontend.tokens)")
        assert service.ask("DELETE", "/sessions/shop:1", headers=BANK).status_code == 403
        assert service.ask("GET", "/sessions/shop:1", headers=SHOP).json()["state"] == "done"
        assert listen(url, "shop:1/0/-1", headers=ALL) == heard
        assert listen(service.ask("GET", "/sessions/shop:1", headers=SHOP).json()["stream_url"]) == heard
        for headers in ({}, {"Authorization": "Bearer t0ken"}, {"Authorization": "Bearer"}):
            assert service.ask("GET", "/sessions/shop:1", headers=headers).status_code == 401
        assert side.gateway.counts["starts"] == 1


def test_tokens_of_names_are_enough_to_need_one(other_side: Start, tmp_path: Path) -> None:
    with serving(other_side(corpus_of(WORDS)), tmp_path, {"tokens": {"shop": "t0ken-shop"}}) as service:
        assert service.ask("GET", "/sessions/shop:1").status_code == 401
        assert service.ask("GET", "/sessions/shop:1", headers={"Authorization": "Bearer"}).status_code == 401
        assert service.ask("GET", "/sessions/shop:1", headers=SHOP).status_code == 404


def answer_to(service: Service, request: bytes) -> bytes:
    """All that comes until the connection is closed."""
    with connected(service) as connection:
        connection.sendall(request)
        heard = b""
        while data := connection.recv(65_536):
            heard += data
    return heard


LINE = b"POST /sessions HTTP/1.1\r\nHost: localhost\r\n"
SMUGGLED = b"DELETE /sessions/s-1 HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.mark.parametrize(
    "request_bytes",
    [
        LINE + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
        LINE + b"Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n" + SMUGGLED,
        LINE + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}" + SMUGGLED,
        LINE + b"Content-Length: 2, 3\r\n\r\n{}" + SMUGGLED,
        LINE + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
        LINE + b"Transfer-Encoding: identity\r\n\r\n" + SMUGGLED,
        LINE.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
        LINE + b"Host: localhost\r\n\r\n" + SMUGGLED,
        b"GET /health HTTP/1.1\r\n\r\n" + SMUGGLED,
        LINE + b"Origin: http://localhost\r\nOrigin: http://evil.example\r\n\r\n" + SMUGGLED,
        LINE + b"Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n" + SMUGGLED,
        b"GET /health%0A HTTP/1.1\r\nHost: localhost\r\n\r\n" + SMUGGLED,
    ],
)
def test_what_can_be_read_in_two_ways_is_refused_and_nothing_after_it_is_read(
    request_bytes: bytes, other_side: Start, tmp_path: Path
) -> None:
    with serving(other_side(corpus_of(WORDS), "stall=inf@4"), tmp_path) as service:
        assert service.ask("POST", "/sessions", json=BODY).status_code == 202
        heard = answer_to(service, request_bytes)
        assert heard.startswith(b"HTTP/1.1 400 "), heard
        assert heard.count(b"HTTP/1.1") == 1
        assert service.job.running == 1


def test_a_field_that_is_given_twice_is_refused(other_side: Start, tmp_path: Path) -> None:
    with serving(other_side(corpus_of(WORDS)), tmp_path) as service:
        answer = service.ask("GET", service.stream_url("s-1") + "&session_id=s-2")
        assert answer.status_code == 400
        assert "twice" in error_of(answer)
        assert service.job.outcomes == {}


def test_a_request_without_a_host_is_no_browsers(other_side: Start, tmp_path: Path) -> None:
    with serving(other_side(corpus_of(WORDS)), tmp_path) as service:
        assert b" 200 OK" in answer_to(service, b"GET /health HTTP/1.0\r\n\r\n")


def test_a_body_that_is_cut_off_begins_nothing(other_side: Start, tmp_path: Path) -> None:
    """What came of it is a whole request by itself."""
    with serving(other_side(corpus_of(WORDS)), tmp_path) as service:
        with connected(service) as connection:
            connection.sendall(LINE + b'Content-Length: 99\r\n\r\n{"session_id": "s-1", "prompt": "stream s"}')
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(4_096):
                pass
        assert service.ask("GET", "/sessions/s-1").status_code == 404


def test_a_line_end_in_an_id_goes_nowhere(other_side: Start, tmp_path: Path) -> None:
    with serving(other_side(corpus_of(WORDS)), tmp_path) as service:
        for path in ("/sessions/s-1%0A", "/sessions/s-1%0D%0Ax-y:%20z", "/stream?session_id=s%0A&dialog_id=d"):
            answer = service.ask("GET", path)
            assert answer.status_code == 400
            assert "x-y" not in answer.headers
        good = {"session_id": "s-1", "dialog_id": "d-1", "language": "en", "tenant": "acme", "model": "gpt-4"}
        for field, value in good.items():
            answer = service.ask("GET", "/stream", params=good | {field: value + "\n"})
            assert answer.status_code == 400, field
            assert error_of(answer).startswith(f"{field}:")
        assert service.ask("GET", "/sessions/s-1").status_code == 404
