"""The front end, over real sockets, before a live job and a simulated vendor."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from connectors.console.sink import ConsoleSink
from connectors.errors import SettingsError
from connectors.frontend.settings import FrontendSettings
from connectors.job.requests import SessionRequest
from connectors.log.records import Message
from connectors.secret import Secret
from connectors.sse import SSEDecoder
from flows import cxone
from flows.settings import parse
from tests.callers import Service, listen, serving, shown, until
from tests.conftest import OtherSide, corpus_of

Start = Callable[..., OtherSide]
WORDS = ["The ", "parcel ", "left. ", "It ", "arrives ", "at ", "noon."]
TEXT = "".join(WORDS)
SHORT = ["One. ", "Two. ", "Three. ", "Four. ", "Five. ", "Six. ", "Seven. ", "Eight."]
AUTHORIZED = {"Authorization": "Bearer t0ken-of-the-test"}
GONE = 5.0


def gone(side: OtherSide, count: int = 1) -> None:
    """Wait until the vendor sees that its stream was closed."""
    side.reactor.run(side.gateway.until(lambda gateway: gateway.counts["gone"] >= count, GONE))


def error_of(answer: Any) -> str:
    assert answer.headers["content-type"] == "application/json"
    return str(answer.json()["error"])


def test_a_stream_is_tokens_and_then_the_whole_text(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(WORDS))
    with serving(side, tmp_path) as service:
        heard = listen(service.stream_url("s-1"))
        assert [(event.event, event.data, event.id) for event in heard] == [
            ("token", "The parcel left. ", "s-1/0/0"),
            ("token", "It arrives at noon.", "s-1/0/1"),
            ("done", TEXT, "s-1/0/2"),
        ]


def test_the_desktop_gets_the_same_text(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(WORDS))
    with serving(side, tmp_path) as service:
        listen(service.stream_url("s-1"))
        side.reactor.run(side.desktop.until(lambda desktop: desktop.is_whole("s-1")), GONE)
    assert side.desktop.transcript("s-1") == TEXT


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_receives_a_whole_stream(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(WORDS))
    with serving(side, tmp_path) as service:
        command = ["curl", "--silent", "--no-buffer", "--include", "--max-time", "20", service.stream_url("s-1")]
        answer = subprocess.run(command, capture_output=True, check=True).stdout
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode().lower().splitlines()
    assert lines[0] == "http/1.1 200 ok"
    assert {"cache-control: no-cache", "connection: keep-alive"} <= set(lines)
    heard = SSEDecoder().feed(body)
    assert shown(heard) == heard[-1].data == TEXT


def test_moderated_text_is_what_callers_get(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(["Mail ", "a@", "example", ".org ", "now. ", "Bye."]))
    with serving(side, tmp_path) as service:
        heard = listen(service.stream_url("s-1"))
    assert shown(heard) == heard[-1].data == "Mail [REDACTED] now. Bye."


def test_text_cannot_forge_events(other_side: Start, tmp_path: Path) -> None:
    forged = ["Hello.\n\n", "event: done\n", "data: forged\n\n", "id: s-1/9/9\r\n\r", "\n:\0\x1b[2J\x85\u2028 end."]
    side = other_side(corpus_of(forged))
    with serving(side, tmp_path) as service:
        heard = listen(service.stream_url("s-1"))
    assert [event.event for event in heard].count("done") == 1
    assert all(event.id.startswith("s-1/0/") for event in heard)
    assert shown(heard) == heard[-1].data == "".join(forged).replace("\r\n", "\n").replace("\r", "\n")


def test_a_stream_is_resumed_strictly_after_what_was_heard(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(SHORT), "stall=inf@6")
    with serving(side, tmp_path) as service:
        url = service.stream_url("s-1")
        first = listen(url, count=2)
        again = listen(url, first[-1].id, count=2)
    assert shown(first + again) == "One. Two. Three. Four. "
    assert side.gateway.counts["starts"] == 1


def test_an_ended_turn_is_replayed_and_its_end_stops_a_browser(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(SHORT))
    with serving(side, tmp_path) as service:
        url = service.stream_url("s-1")
        heard = listen(url)
        for place in range(len(heard) - 1):
            assert listen(url, heard[place].id) == heard[place + 1 :]
        assert listen(url, "s-1/0/-1") == heard
        stopped = service.ask("GET", url, headers={"Last-Event-ID": heard[-1].id})
        assert (stopped.status_code, stopped.content) == (204, b"")
    assert side.gateway.counts["starts"] == 1


def test_without_an_id_the_next_turn_begins(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(WORDS))
    with serving(side, tmp_path) as service:
        for turn in range(3):
            assert listen(service.stream_url("s-1"))[-1].id == f"s-1/{turn}/2"


def test_a_page_that_asks_the_same_again_reads_the_turn_under_way(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(SHORT), "stall=inf@4")
    with serving(side, tmp_path) as service:
        first = listen(service.stream_url("s-1"), count=2)
        assert listen(service.stream_url("s-1"), count=2) == first
        other = service.ask("GET", service.stream_url("s-1", prompt="something else"))
        assert other.status_code == 409
        assert "under way" in error_of(other)
    assert side.gateway.counts["starts"] == 1


def test_a_turn_that_is_not_kept_any_more_is_gone(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(WORDS))
    with serving(side, tmp_path, {"replay_for": 0}) as service:
        heard = listen(service.stream_url("s-1"))
        answer = service.ask("GET", service.stream_url("s-1"), headers={"Last-Event-ID": heard[0].id})
    assert answer.status_code == 410
    assert "frontend.replay_for" in error_of(answer)


BAD_REQUESTS: list[tuple[str, dict[str, str], str]] = [
    ("", {}, "session_id and dialog_id: missing"),
    ("session_id=s-1", {}, "dialog_id: missing"),
    ("session_id=&dialog_id=d", {}, "session_id: missing"),
    ("session_id=s%0Adata:x&dialog_id=d", {}, "session_id:"),
    ("session_id=s/1&dialog_id=d", {}, "session_id:"),
    ("session_id=s-1&dialog_id=a%20b", {}, "dialog_id:"),
    ("session_id=s-1&dialog_id=d&promt=x", {}, "promt"),
    ("session_id=s-1&dialog_id=d&desktop=nowhere", {}, "desktop:"),
    ("session_id=s-1&dialog_id=d", {"Last-Event-ID": "s-1/0"}, "Last-Event-ID:"),
    ("session_id=s-1&dialog_id=d", {"Last-Event-ID": "s-2/0/0"}, "Last-Event-ID:"),
]


def test_a_bad_request_is_told_which_field(other_side: Start, tmp_path: Path) -> None:
    with serving(other_side(corpus_of(WORDS)), tmp_path) as service:
        for query, headers, says in BAD_REQUESTS:
            answer = service.ask("GET", f"/stream?{query}", headers=headers)
            assert answer.status_code == 400, query
            assert says in error_of(answer)
        assert service.ask("GET", "/stream").json()["missing"] == ["session_id", "dialog_id"]
        assert service.job.running == 0
        assert service.job.outcomes == {}


def test_a_tenant_that_the_settings_lack_is_refused(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(WORDS))
    with serving(side, tmp_path, tenants={"acme": {}}) as service:
        body = {"session_id": "s-1", "prompt": "stream s"}
        for answer in (
            service.ask("POST", "/sessions", json={**body, "tenant": "amce"}),
            service.ask("GET", service.stream_url("s-1", tenant="amce")),
        ):
            assert answer.status_code == 400
            assert "tenant:" in error_of(answer)
        assert service.ask("POST", "/sessions", json={**body, "tenant": "acme"}).status_code == 202


def test_head_begins_nothing(other_side: Start, tmp_path: Path) -> None:
    with serving(other_side(corpus_of(WORDS)), tmp_path) as service:
        assert service.ask("HEAD", service.stream_url("s-1")).status_code == 405
        assert service.ask("GET", "/sessions/s-1").status_code == 404


def test_a_session_is_begun_asked_after_and_read(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(WORDS))
    with serving(side, tmp_path) as service:
        begun = service.ask("POST", "/sessions", json={"session_id": "s-1", "dialog_id": "d", "prompt": "stream s"})
        assert begun.status_code == 202
        assert (begun.json()["session_id"], begun.json()["turn"]) == ("s-1", 0)
        heard = listen(begun.json()["stream_url"])
        assert heard[-1].data == TEXT
        told = service.ask("GET", "/sessions/s-1").json()
        assert listen(told.pop("stream_url")) == heard
        known = {"session_id": "s-1", "turn": 0, "state": "done", "messages": 2, "chars": len(TEXT), "callers": 0}
        assert told == known
        assert service.ask("GET", "/sessions/s-2").status_code == 404
        assert service.ask("GET", "/sessions/s%20").status_code == 400
    assert side.gateway.counts["starts"] == 1


def test_a_session_that_nobody_reads_runs_to_its_end(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(SHORT), "slow=0.05")
    with serving(side, tmp_path, {"resume_grace": 0, "idle_timeout": 0.01, "overall_timeout": 0.1}) as service:
        service.ask("POST", "/sessions", json={"session_id": "s-1", "prompt": "stream s"})
        side.reactor.run(side.desktop.until(lambda desktop: desktop.is_whole("s-1")), GONE)
    assert side.desktop.transcript("s-1") == "".join(SHORT)


def test_deleting_a_session_closes_its_upstream_at_once(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(SHORT), "stall=inf@4")
    with serving(side, tmp_path) as service:
        url = service.ask("POST", "/sessions", json={"session_id": "s-1", "prompt": "stream s"}).json()["stream_url"]
        heard = listen(url, count=2)
        assert service.ask("DELETE", "/sessions/s-1").status_code == 204
        assert service.job.running == 0
        assert service.outcome("s-1") == ("cancelled", None)
        gone(side)
        rest = listen(url, heard[-1].id)
        assert [event.event for event in rest][-1] == "error"
        assert rest[-1].data == FrontendSettings().cancelled_text
        assert service.ask("DELETE", "/sessions/s-1").status_code == 204
        assert service.ask("DELETE", "/sessions/s-2").status_code == 404
        assert service.job.outcomes == {"cancelled": 1}


def test_a_turn_that_is_cancelled_before_its_first_request_is_closed_all_the_same(
    other_side: Start, tmp_path: Path
) -> None:
    side = other_side(corpus_of(WORDS))
    with serving(side, tmp_path) as service:

        async def begin_and_cancel() -> list[bool]:
            turn = service.job.begin(SessionRequest(session_id="s-1", prompt="stream s"))
            return [await service.job.cancel("s-1", turn.number) for _ in range(2)]

        assert service.live.reactor.run(begin_and_cancel()) == [True, False]
        assert service.outcome("s-1") == ("cancelled", None)
        assert listen(service.stream_url("s-1"))[-1].data == TEXT
    assert side.gateway.counts["starts"] == 1


def test_a_caller_that_hangs_up_has_its_upstream_closed(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(SHORT), "stall=inf@4")
    with serving(side, tmp_path, {"resume_grace": 0.1}) as service:
        listen(service.stream_url("s-1"), count=1)
        gone(side)
        until(lambda: service.outcome("s-1") == ("cancelled", None))
        assert service.frontend.hub.counts["abandoned"] == 1
        assert service.frontend.hub.callers == 0


def test_a_caller_that_comes_back_in_time_keeps_its_upstream(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(SHORT), "slow=0.1")
    with serving(side, tmp_path, {"resume_grace": 5}) as service:
        first = listen(service.stream_url("s-1"), count=1)
        rest = listen(service.stream_url("s-1"), first[-1].id)
    assert shown(first + rest) == rest[-1].data == "".join(SHORT)


@pytest.mark.parametrize(
    ("frontend", "faults", "kind"),
    [
        ({"idle_timeout": 0.4, "overall_timeout": 0}, "stall=inf@4", "idle_timeout"),
        ({"idle_timeout": 5, "overall_timeout": 0.4}, "slow=0.1", "overall_timeout"),
    ],
)
def test_a_time_out_ends_the_stream_and_the_upstream(
    frontend: dict[str, float], faults: str, kind: str, other_side: Start, tmp_path: Path
) -> None:
    side = other_side(corpus_of(SHORT), faults)
    with serving(side, tmp_path, {**frontend, "timeout_text": "Too slow."}) as service:
        heard = listen(service.stream_url("s-1"))
        assert (heard[-1].event, heard[-1].data) == ("error", "Too slow.")
        assert "".join(SHORT).startswith(shown(heard))
        gone(side)
        until(lambda: service.outcome("s-1") == ("timeout", kind))
        assert service.frontend.hub.counts[kind] == 1


def test_a_turn_that_the_vendor_fails_ends_with_an_error(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(WORDS), "drop=error@4")
    with serving(side, tmp_path) as service:
        heard = listen(service.stream_url("s-1"))
    assert heard[-1].event == "error"
    assert heard[-1].data
    assert TEXT.startswith(shown(heard))


GERMAN = {"timeout": "Einen Moment bitte.", "other": "Leider ging etwas schief.", "cancelled": "Abgebrochen."}


@pytest.mark.parametrize(
    ("faults", "language", "said"),
    [
        ("stall=inf@4", "de-AT", GERMAN["timeout"]),
        ("drop=error@4", "de", GERMAN["other"]),
        ("stall=inf@4", "en", "Too slow."),
        ("stall=inf@4", "", GERMAN["timeout"]),  # as window.language says
        ("drop=error@4", "fr", "An unexpected error occurred. Please contact support."),
    ],
)
def test_an_error_speaks_the_language_of_its_turn(
    faults: str, language: str, said: str, other_side: Start, tmp_path: Path
) -> None:
    side = other_side(corpus_of(SHORT), faults)
    frontend = {"idle_timeout": 0.4, "timeout_text": "Too slow."}
    with serving(side, tmp_path, frontend, fallback={"texts": {"de": GERMAN}}, window={"language": "de"}) as service:
        heard = listen(service.stream_url("s-1", **({"language": language} if language else {})))
        assert (heard[-1].event, heard[-1].data) == ("error", said)


def test_a_turn_that_is_stopped_says_so_in_its_language(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(WORDS), "stall=inf@4")
    with serving(side, tmp_path, fallback={"texts": {"de": GERMAN}}) as service:
        first = listen(service.stream_url("s-1", language="de"), count=1)
        assert service.ask("DELETE", "/sessions/s-1").status_code == 204
        assert listen(service.stream_url("s-1"), first[-1].id)[-1].data == GERMAN["cancelled"]


def test_a_silent_stream_is_kept_open_by_comments(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(WORDS), "stall=inf@4")
    with serving(side, tmp_path, {"heartbeat": 0.05}) as service, connected(service) as connection:
        send(connection, service.stream_url("s-1"))
        read_until(connection, b":\n\n\r\n3\r\n:\n\n")


def test_a_caller_that_takes_nothing_is_let_go(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(WORDS))
    with (
        serving(side, tmp_path, {"send_timeout": 0.3, "max_turn_chars": 32 << 20}) as service,
        socket.socket() as connection,
    ):
        pieces = [Message("fat", 0, seq, "x" * 500_000, "sentence", False, False, 0) for seq in range(40)]
        service.live.reactor.call(service.frontend.show, pieces)
        url = urlsplit(service.address)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.connect((url.hostname, url.port))
        send(connection, service.stream_url("fat"), "Last-Event-ID: fat/0/-1\r\n")
        until(lambda: service.frontend.hub.callers == 1)
        until(lambda: service.frontend.hub.callers == 0)


def test_the_first_bytes_name_the_turn(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(WORDS), "stall=inf@0")
    with serving(side, tmp_path) as service, connected(service) as connection:
        send(connection, service.stream_url("s-1"))
        read_until(connection, b"retry: 50\nid: s-1/0/-1\n\n")


def test_as_many_sessions_as_may_run_and_no_more(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(WORDS), "stall=inf@4")
    with serving(side, tmp_path, job={"max_sessions": 1}) as service:
        assert service.ask("POST", "/sessions", json={"session_id": "a", "prompt": "stream s"}).status_code == 202
        busy = [
            service.ask("POST", "/sessions", json={"session_id": "b", "prompt": "stream s"}),
            service.ask("GET", service.stream_url("c")),
        ]
        for answer in busy:
            assert answer.status_code == 429
            assert int(answer.headers["retry-after"]) > 0
            assert "max_sessions" in error_of(answer)
        assert service.ask("DELETE", "/sessions/a").status_code == 204
        assert service.ask("POST", "/sessions", json={"session_id": "b", "prompt": "stream s"}).status_code == 202


def test_as_many_streams_as_may_be_open_and_no_more(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(WORDS), "stall=inf@4")
    with serving(side, tmp_path, {"max_callers": 1}) as service, connected(service) as connection:
        send(connection, service.stream_url("a"))
        read_until(connection, b"id: a/0/-1")
        answer = service.ask("GET", service.stream_url("b"))
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
        assert b"frontend.max_callers" in answer.content
        assert answer.content.endswith(b"\nretry: 50\n\n")
        assert SSEDecoder().feed(answer.content) == []  # a browser comes again, with the id that it had
        assert service.job.running == 1


def test_in_a_full_house_a_caller_reads_on_in_place_of_its_half_open_connection(
    other_side: Start, tmp_path: Path
) -> None:
    side = other_side(corpus_of(WORDS), "stall=inf@4")
    with serving(side, tmp_path, {"max_callers": 1}) as service, contextlib.ExitStack() as held:
        half_open = held.enter_context(connected(service))
        send(half_open, service.stream_url("a"))
        read_until(half_open, b"id: a/0/-1")
        for place in (-1, 0):  # from the start, and after what it has: the one that came before is in the way again
            back = held.enter_context(connected(service))
            send(back, service.stream_url("a"), headers=f"Last-Event-ID: a/0/{place}\r\n")
            read_until(back, b"data: The parcel left. " if place < 0 else b"id: a/0/0\n\n")
            while half_open.recv(65_536):  # to its end
                pass
            assert service.frontend.hub.callers == 1
            half_open = back
        assert service.frontend.hub.counts["replaced"] == 2
        assert service.job.running == 1


def test_a_body_that_is_too_large_is_refused(other_side: Start, tmp_path: Path) -> None:
    with serving(other_side(corpus_of(WORDS)), tmp_path, {"max_request_bytes": 2_000}) as service:
        answer = service.ask("POST", "/sessions", json={"session_id": "s-1", "prompt": "x" * 2_000})
        assert answer.status_code == 413
        assert "frontend.max_request_bytes" in error_of(answer)


def test_a_caller_that_does_not_say_what_it_wants_is_sent_away(other_side: Start, tmp_path: Path) -> None:
    with serving(other_side(corpus_of(WORDS)), tmp_path, {"request_timeout": 0.2}) as service:
        for said in (b"", b"GET /health HTTP/1.1\r\n"):
            with connected(service) as connection:
                connection.sendall(said)
                assert connection.recv(100) == b""
        with connected(service) as connection:
            connection.sendall(b"POST /sessions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{")
            assert connection.recv(100).startswith(b"HTTP/1.1 408 ")


def test_a_body_that_makes_no_sense_is_refused(other_side: Start, tmp_path: Path) -> None:
    with serving(other_side(corpus_of(WORDS)), tmp_path) as service:
        for body in (b"", b"{", b"[]", b'{"session_id": "a b"}', b'{"session_id": "a", "url": "ws://x"}', b"\xff"):
            answer = service.ask("POST", "/sessions", content=body)
            assert answer.status_code == 400
            assert error_of(answer)
        assert service.ask("PUT", "/sessions").status_code == 405
        assert service.ask("GET", "/nowhere").status_code == 404


def test_a_token_is_needed_where_one_is_set(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(WORDS))
    with serving(side, tmp_path, {"token": "t0ken-of-the-test"}) as service:
        wrong = {"Authorization": "Bearer t0ken-of-the-tes"}
        for method, path in (
            ("POST", "/sessions"),
            ("GET", "/sessions/a"),
            ("DELETE", "/sessions/a"),
            ("GET", "/stream"),
        ):
            for headers in ({}, wrong, {"Authorization": "Bearer"}, {"Authorization": "Basic t0ken-of-the-test"}):
                answer = service.ask(method, path, headers=headers)
                assert answer.status_code == 401
                assert answer.headers["www-authenticate"] == "Bearer"
        assert service.ask("GET", "/health").text == "OK"
        assert listen(service.stream_url("s-1"), headers=AUTHORIZED)[-1].data == TEXT


def test_a_stream_url_stands_for_the_token_until_it_expires(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(WORDS))
    with serving(side, tmp_path, {"token": "t0ken-of-the-test"}) as service:
        body = {"session_id": "s-1", "prompt": "stream s"}
        url = service.ask("POST", "/sessions", json=body, headers=AUTHORIZED).json()["stream_url"]
        assert listen(url)[-1].data == TEXT
        assert service.ask("GET", url.replace("s-1", "s-2")).status_code == 403
        assert service.ask("GET", url.replace("turn=0", "turn=1")).status_code == 403
        assert service.ask("GET", url, headers={"Last-Event-ID": "s-1/1/0"}).status_code == 400
    with serving(side, tmp_path, {"token": "t0ken-of-the-test", "url_ttl": 0.01}) as service:
        url = service.ask("POST", "/sessions", json=body, headers=AUTHORIZED).json()["stream_url"]
        late = service.ask("GET", url)
        assert late.status_code == 403
        assert "expires" in error_of(late)


def test_a_stream_url_leads_where_callers_are_told_to_go(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(WORDS))
    with serving(side, tmp_path, {"public_url": "https://llm.example.org/in/"}) as service:
        url = service.ask("POST", "/sessions", json={"session_id": "s-1", "prompt": "stream s"}).json()["stream_url"]
        assert url.startswith("https://llm.example.org/in/stream?session_id=s-1&")
        assert listen(f"{service.address}/stream?{urlsplit(url).query}")[-1].data == TEXT


def test_pages_of_other_origins_are_let_in_by_list(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(WORDS))
    with serving(side, tmp_path, {"allowed_origins": ["https://shop.example"]}) as service:
        friend, stranger = {"Origin": "https://shop.example"}, {"Origin": "https://evil.example"}
        answer = service.ask("GET", "/sessions/s-1", headers=friend)
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (404, "https://shop.example")
        asked = {**friend, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
        assert service.ask("OPTIONS", "/sessions", headers=asked).status_code == 200
        for headers in (stranger, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
            refused = service.ask("GET", service.stream_url("s-1"), headers=headers)
            assert refused.status_code == 403
            assert "frontend.allowed_origins" in error_of(refused)
            assert "access-control-allow-origin" not in refused.headers
        own = service.ask("GET", "/sessions/s-1", headers={"Origin": service.address})
        assert own.status_code == 404
        assert service.job.running == 0


def test_health_is_that_of_the_flow(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(WORDS))
    free = threading.Event()

    def block(_: Message) -> None:
        free.wait(30)

    with serving(side, tmp_path, {"stalled_after": 0.3}, extra={"block": ConsoleSink(block)}) as service:
        healthy = service.ask("GET", "/health")
        assert (healthy.status_code, healthy.text) == (200, "OK")
        service.ask("POST", "/sessions", json={"session_id": "s-1", "prompt": "stream s"})
        try:
            until(lambda: service.ask("GET", "/health").status_code == 503)
            assert service.ask("GET", "/health").json()["status"] == "stalled"
        finally:
            free.set()
        until(lambda: service.ask("GET", "/health").status_code == 200)


def test_a_stop_sends_callers_away_and_leaves_their_turns_open(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(SHORT), "stall=inf@4")
    with serving(side, tmp_path) as service, connected(service) as connection:
        send(connection, service.stream_url("s-1"))
        read_until(connection, b"data: One.")
        service.live.source.stop()
        rest = read_until(connection, b"0\r\n\r\n")
        assert b"\n: the server stops; the turn goes on when it is back: reconnect\nretry: 50\n\n" in rest
        assert b"event: done" not in rest
        assert b"event: error" not in rest
    assert service.outcome("s-1") is None
    assert service.live.open_turns == 1


def test_an_address_that_is_taken_is_said_so(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(WORDS))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = side.settings(tmp_path, frontend={"port": taken.getsockname()[1]})
        with pytest.raises(SettingsError, match="FRONTEND_PORT"):
            cxone.job(settings, serve=True).run()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"host": "0.0.0.0"}, "token is needed"),
        ({"port": 65_536}, "port"),
        ({"url_key": Secret("short")}, "url_key"),
        ({"public_url": "example.org"}, "public_url"),
        ({"allowed_origins": ("https://a.example/path",)}, "allowed_origins"),
        ({"heartbeat": 0}, "heartbeat"),
        ({"retry": -1}, "retry"),
        ({"max_request_bytes": 1}, "max_request_bytes"),
        ({"max_connections": 0}, "max_connections"),
        ({"max_connections_per_address": 0}, "max_connections_per_address"),
        ({"keep_alive": 0}, "keep_alive"),
        ({"public_url": "https://"}, "public_url"),
        ({"public_url": "https://[x/"}, "public_url"),
        ({"hosts": ("https://a.example",)}, "hosts"),
        ({"hosts": ("a.example:8080",)}, "hosts"),
        ({"hosts": ("a.example\n",)}, "hosts"),
        ({"tokens": {"a:b": Secret("t")}}, "tokens should have names"),
        ({"tokens": {"a": Secret("")}}, "tokens should each"),
        ({"tokens": {"a": Secret("t"), "b": Secret("t")}}, "tokens should each"),
        ({"tokens": {"a": Secret("t")}, "token": Secret("t")}, "tokens should each"),
        ({"overall_timeout": -1}, "overall_timeout"),
    ],
)
def test_settings_that_cannot_be_are_refused(change: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        FrontendSettings(**change)


def test_settings_are_read_from_a_tree() -> None:
    section = {"host": "0.0.0.0", "token": "t", "idle_timeout": 5, "allowed_origins": ["*"], "error_text": "Sorry."}
    settings = parse({"frontend": section}).frontend
    assert (settings.idle_timeout, settings.error_text, settings.allowed_origins) == (5.0, "Sorry.", ("*",))


def connected(service: Service) -> socket.socket:
    url = urlsplit(service.address)
    return socket.create_connection((url.hostname, url.port), timeout=20)


def send(connection: socket.socket, url: str, headers: str = "") -> None:
    parts = urlsplit(url)
    connection.sendall(f"GET {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\n{headers}\r\n".encode())


def read_until(connection: socket.socket, end: bytes) -> bytes:
    """What arrives, up to and with `end`. Fails where it does not come."""
    heard = b""
    while end not in heard:
        data = connection.recv(4096)
        assert data, heard
        heard += data
    return heard
