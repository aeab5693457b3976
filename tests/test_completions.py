"""Chat completions over real sockets, before a live job and a simulated vendor, as any HTTP client sees them."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from connectors.reactor import Reactor
from connectors.simulator import AgentDesktop
from connectors.sse import SSEDecoder
from connectors.vendors.openai.simulator import SimulatedOpenAI
from connectors.vendors.registry import named
from flows.live import LiveJob
from flows.settings import load
from tests.callers import WITHIN, Service, listen, serving, until
from tests.conftest import OtherSide, corpus_of

Start = Callable[..., OtherSide]
WORDS = ["The ", "parcel ", "left. ", "Mail ", "a@", "example", ".org.\r\n", "Bye."]
TEXT = "The parcel left. Mail [REDACTED].\r\nBye."
SHORT = ["One. ", "Two. ", "Three. ", "Four. ", "Five. ", "Six. ", "Seven. ", "Eight."]
PATH = "/v1/chat/completions"


def asked(name: str = "s", /, **more: Any) -> dict[str, Any]:
    return {"model": "m-1", "messages": [{"role": "user", "content": f"stream {name}"}], **more}


def complete(service: Service, headers: dict[str, str] | None = None, **more: Any) -> httpx.Response:
    return service.ask("POST", PATH, json=asked(**more), headers=headers)


def chunks_of(body: bytes) -> list[Any]:
    found = [event.data for event in SSEDecoder().feed(body)]
    return [json.loads(each) if each != "[DONE]" else each for each in found]


def text_of(chunks: list[Any]) -> str:
    choices = [choice for each in chunks if isinstance(each, dict) for choice in each.get("choices", ())]
    return "".join(choice["delta"].get("content", "") for choice in choices)


def error_of(answer: httpx.Response) -> dict[str, Any]:
    """The error, in the shape that clients read."""
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert isinstance(error["message"], str)
    assert isinstance(error["type"], str)
    assert isinstance(error["code"], str)
    return dict(error)


@contextmanager
def reading(service: Service, headers: dict[str, str] | None = None, **more: Any) -> Iterator[Iterator[bytes]]:
    """A stream that its caller leaves at the end of the block."""
    body = {**asked(), **more, "stream": True}
    with (
        httpx.Client(trust_env=False, timeout=WITHIN) as client,
        client.stream("POST", service.address + PATH, json=body, headers=headers) as answer,
    ):
        assert answer.status_code == 200, answer.read()
        yield answer.iter_raw()


def read_until(pieces: Iterator[bytes], count: int) -> bytes:
    """So much of a stream that it has so many deltas with a text."""
    body = b""
    while body.count(b'"content":"') - body.count(b'"content":""') < count:
        body += next(pieces)
    return body


def test_both_forms_hold_what_the_desktop_shows(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(WORDS))
    with serving(side, tmp_path) as service:
        whole = complete(service, {"X-Session-Id": "s-1"})
        side.reactor.run(side.desktop.until(lambda desktop: desktop.is_whole("s-1")), WITHIN)
        streamed = service.ask("POST", PATH, json=asked() | {"stream": True}, headers={"X-Session-Id": "s-1"})
        heard = listen(service.stream_url("s-2"))
    assert side.desktop.transcript("s-1") == TEXT
    body = whole.json()
    assert body["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": TEXT, "refusal": None},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ]
    assert (body["object"], body["model"], body["usage"]["estimated"]) == ("chat.completion", "m-1", True)
    assert (whole.headers["x-session-id"], whole.headers["x-request-id"]) == ("s-1", "s-1/0")
    assert streamed.headers["content-type"].startswith("text/event-stream")
    assert streamed.headers["x-request-id"] == "s-1/1"
    chunks = chunks_of(streamed.content)
    assert text_of(chunks) == TEXT
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert [each["choices"][0]["finish_reason"] for each in chunks[:-1]] == [None] * (len(chunks) - 2) + ["stop"]
    assert chunks[-1] == "[DONE]"
    assert heard[-1].data == TEXT.replace("\r\n", "\n"), "an event has no other line end"


def test_window_none_lets_text_go_as_fast_as_moderation_does(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(["One ", "two ", "three ", "four."]), "slow=0.05")
    with serving(side, tmp_path) as service:
        answer = service.ask("POST", PATH, json={**asked(), "stream": True, "metadata": {"window": "none"}})
    deltas = [each["choices"][0]["delta"].get("content") for each in chunks_of(answer.content)[:-1]]
    assert len([each for each in deltas if each]) > 1
    assert "".join(filter(None, deltas)) == "One two three four."


def test_models_are_the_jobs_own_or_those_of_the_list(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(WORDS))
    with serving(side, tmp_path / "a") as service:
        [model] = service.ask("GET", "/v1/models").json()["data"]
        assert (model["id"], model["object"], type(model["created"])) == (service.job.model, "model", int)
        assert service.ask("GET", f"/v1/models/{service.job.model}").json() == model
        assert error_of(service.ask("GET", "/v1/models/other"))["code"] == "model_not_found"
        unnamed = service.ask("POST", PATH, json={"messages": asked()["messages"]})
        assert unnamed.json()["model"] == service.job.model
    with serving(side, tmp_path / "b", {"models": ["a/b", "c"]}) as service:
        assert [each["id"] for each in service.ask("GET", "/v1/models").json()["data"]] == ["a/b", "c"]
        assert service.ask("GET", "/v1/models/a/b").status_code == 200
        refused = complete(service)
        assert (refused.status_code, error_of(refused)["param"]) == (404, "model")
        assert service.job.running == 0


def test_every_error_has_the_shape_that_clients_read(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of({"s": SHORT, "t": SHORT}), "stall=inf@4")
    frontend = {"token": "all-of-them", "tokens": {"shop": "of-the-shop"}, "max_request_bytes": 4096}
    shop = {"Authorization": "Bearer of-the-shop"}
    with serving(side, tmp_path, frontend, job={"max_sessions": 2}) as service:

        def refused(status: int, code: str, method: str = "POST", path: str = PATH, **options: Any) -> httpx.Response:
            answer = service.ask(method, path, **options)
            error = error_of(answer)
            assert (answer.status_code, error["code"]) == (status, code)
            assert "of-the-shop" not in answer.text
            return answer

        for key in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic of-the-shop"}):
            refused(401, "invalid_api_key", json=asked(), headers=key)
            refused(401, "invalid_api_key", "GET", "/v1/models", headers=key)
        refused(400, "invalid_request", content=b"{", headers=shop)
        refused(400, "unsupported_parameter", json=asked(n=2), headers=shop)
        refused(413, "request_too_large", json=asked(user="x" * 5000), headers=shop)
        refused(404, "not_found", "GET", "/v1/nothing", headers=shop)
        refused(405, "method_not_allowed", "GET", PATH, headers=shop)
        refused(403, "forbidden", json=asked(), headers={**shop, "Origin": "https://elsewhere.example"})
        refused(421, "misdirected", json=asked(), headers={**shop, "Host": "elsewhere.example"})
        with reading(service, {**shop, "X-Session-Id": "shop:s"}) as pieces:
            read_until(pieces, 1)
            busy = refused(409, "session_busy", json=asked("t"), headers={**shop, "X-Session-Id": "s"})
            assert "shop:s" in busy.text, "the token's own sessions begin with its name"
            with reading(service, shop, messages=asked("t")["messages"]) as others:
                read_until(others, 1)
                full = refused(429, "rate_limit_exceeded", json=asked("t"), headers=shop)
            assert full.headers["retry-after"] == "1"
            assert error_of(full)["type"] == "rate_limit_error"
        assert service.ask("GET", "/nothing", headers=shop).json() == {"error": "Not Found"}, "elsewhere as it was"


def test_half_a_request_and_one_connection_too_many_are_refused_alike(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(SHORT), "stall=inf@4")
    with serving(side, tmp_path, {"max_connections": 1, "request_timeout": 0.3}) as service:
        where = urlsplit(service.address)
        with socket.create_connection((where.hostname, where.port), timeout=WITHIN) as half:
            half.sendall(f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{{".encode())
            late = b"".join(iter(lambda: half.recv(65536), b""))
        assert late.startswith(b"HTTP/1.1 408")
        assert json.loads(late[late.index(b"{") : late.rindex(b"}") + 1])["error"]["code"] == "request_timeout"
        with reading(service) as pieces:
            read_until(pieces, 1)
            crowded = complete(service)
    assert (crowded.status_code, error_of(crowded)["code"]) == (503, "unavailable")


def test_a_client_that_hangs_up_has_its_upstream_closed_at_once(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(SHORT), "stall=inf@4")
    with serving(side, tmp_path, {"resume_grace": 3600.0, "idle_timeout": 0}) as service:
        with reading(service, {"X-Session-Id": "s-1"}) as pieces:
            read_until(pieces, 1)
        side.reactor.run(side.gateway.until(lambda gateway: gateway.counts["gone"] == 1), WITHIN)
        until(lambda: service.outcome("s-1") == ("cancelled", None))
        with pytest.raises(httpx.ReadTimeout):
            service.ask("POST", PATH, json=asked(), headers={"X-Session-Id": "s-2"}, timeout=0.5)
        side.reactor.run(side.gateway.until(lambda gateway: gateway.counts["gone"] == 2), WITHIN)
        until(lambda: service.outcome("s-2") == ("cancelled", None) and service.frontend.hub.callers == 0)


def test_who_asks_the_same_again_reads_the_turn_under_way_and_holds_it(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(SHORT), "slow=0.02")
    with serving(side, tmp_path) as service, ThreadPoolExecutor(1) as pool:
        with reading(service, {"X-Session-Id": "s-1"}) as pieces:
            read_until(pieces, 1)
            again = pool.submit(complete, service, {"X-Session-Id": "s-1"})
            until(lambda: service.frontend.hub.callers == 2)
        answer = again.result(WITHIN)
    assert answer.json()["choices"][0]["message"]["content"] == "".join(SHORT)
    assert answer.headers["x-request-id"] == "s-1/0"
    assert side.gateway.counts["starts"] == 1


def test_a_turn_that_was_posted_goes_on_when_its_reader_hangs_up(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(SHORT), "slow=0.02")
    with serving(side, tmp_path) as service:
        body = {"session_id": "s-1", "prompt": "stream s", "model": "m-1"}
        assert service.ask("POST", "/sessions", json=body).status_code == 202
        with reading(service, {"X-Session-Id": "s-1"}) as pieces:
            read_until(pieces, 1)
        until(lambda: service.outcome("s-1") == ("finished", None))


def test_one_person_may_have_several_conversations_at_once(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of({"s": SHORT, "t": WORDS}), "stall=inf@4")
    with serving(side, tmp_path) as service, reading(service, user="jane") as pieces:
        read_until(pieces, 1)
        with reading(service, user="jane", messages=asked("t")["messages"]) as others:
            assert b"parcel" in read_until(others, 1)
        assert service.job.newest("jane") == 0


FAILURES: list[tuple[str, int, str, str | None]] = [
    ("403=9", 502, "refused", "false"),
    ("429=9:retry-after=0", 429, "rate_limited", None),
    ("503=99", 502, "interrupted", None),
    ("drop=error@0", 502, "vendor_error", None),
]
QUICK = {"retry_base": 0.01, "retry_cap": 0.02, "max_restarts": 1, "max_retries": 1, "idle_timeout": 0.5}


@pytest.mark.parametrize(("faults", "status", "code", "retry"), FAILURES)
def test_a_failure_before_any_text_has_a_status_streamed_or_not(
    faults: str, status: int, code: str, retry: str | None, other_side: Start, tmp_path: Path
) -> None:
    side = other_side(corpus_of({"s": WORDS, "t": WORDS}), faults)
    with serving(side, tmp_path, cxone=QUICK) as service:
        for stream, name in ((False, "s"), (True, "t")):
            answer = service.ask("POST", PATH, json={**asked(name), "stream": stream})
            assert (answer.status_code, error_of(answer)["code"]) == (status, code)
            assert answer.headers.get("x-should-retry") == retry
            assert "x-request-id" in answer.headers


def test_a_failure_in_the_middle_is_said_in_the_stream_and_is_no_end(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of({"s": SHORT, "t": SHORT}), "drop=error@4")
    with serving(side, tmp_path, cxone=QUICK) as service:
        streamed = service.ask("POST", PATH, json={**asked("t"), "stream": True})
        whole = complete(service)
    *chunks, last = chunks_of(streamed.content)
    assert text_of(chunks).startswith("One. Two. ")
    assert last["error"]["code"] == "vendor_error"
    assert [each for each in chunks if each == "[DONE]" or each["choices"][0]["finish_reason"]] == []
    assert (whole.status_code, error_of(whole)["code"]) == (502, "vendor_error"), "half an answer is none"


def test_silence_is_broken_by_comments_and_ended_by_the_time_limit(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of({"s": SHORT, "t": SHORT}), "stall=inf@0")
    with serving(side, tmp_path, {"heartbeat": 0.05, "idle_timeout": 1.0}) as service:
        streamed = service.ask("POST", PATH, json={**asked("t"), "stream": True})
        whole = complete(service)
    assert streamed.status_code == 200
    assert streamed.content.count(b":\n\n") > 2
    assert chunks_of(streamed.content)[-1]["error"]["code"] == "timeout"
    assert (whole.status_code, error_of(whole)["code"]) == (504, "timeout")


def test_a_turn_that_somebody_stops_is_said_to_be_and_not_asked_for_again(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(SHORT), "stall=inf@0")
    with serving(side, tmp_path) as service, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(complete, service, {"X-Session-Id": "s-1"})
        until(lambda: service.frontend.hub.callers == 1)
        assert service.ask("DELETE", "/sessions/s-1").status_code == 204
        answer = waiting.result(WITHIN)
    assert (answer.status_code, error_of(answer)["code"]) == (499, "cancelled")
    assert answer.headers["x-should-retry"] == "false"


def test_when_the_server_stops_clients_are_told_and_the_turn_goes_on_later(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(SHORT), "stall=inf@4")
    with serving(side, tmp_path) as service, ThreadPoolExecutor(2) as pool:
        headers = {"X-Session-Id": "s-1"}
        streamed = pool.submit(service.ask, "POST", PATH, json={**asked(), "stream": True}, headers=headers)
        until(lambda: service.frontend.hub.counts["shown"] >= 1)
        whole = pool.submit(complete, service, headers)
        until(lambda: service.frontend.hub.callers == 2)
        service.live.source.stop()
        last = chunks_of(streamed.result(WITHIN).content)[-1]
        answer = whole.result(WITHIN)
    assert last["error"]["code"] == "stopping"
    assert (answer.status_code, error_of(answer)["code"]) == (503, "stopping")
    assert service.outcome("s-1") is None


def test_a_policys_end_is_a_content_filter_and_a_long_answer_is_whole(other_side: Start, tmp_path: Path) -> None:
    side = other_side(
        corpus_of({"s": ["One. ", "A frobnicate. ", "Three."], "t": [f"Line {n}. " for n in range(9000)]})
    )
    moderation = {"blocklist": ["frobnicate"], "actions": {"BLOCKED": "end"}, "replacement": "[ended]"}
    with serving(side, tmp_path, {"max_turn_chars": 4096}, moderation=moderation) as service:
        ended = complete(service).json()["choices"][0]
        streamed = chunks_of(service.ask("POST", PATH, json={**asked(), "stream": True}).content)
        long = [service.ask("POST", PATH, json={**asked("t"), "stream": stream}) for stream in (False, True)]
    assert (ended["message"]["content"], ended["finish_reason"]) == ("One. [ended]", "content_filter")
    assert (text_of(streamed), streamed[-2]["choices"][0]["finish_reason"]) == ("One. [ended]", "content_filter")
    expected = "".join(f"Line {n}. " for n in range(9000))
    assert long[0].json()["choices"][0]["message"]["content"] == expected
    assert text_of(chunks_of(long[1].content)) == expected


def test_pages_on_the_list_may_send_what_such_clients_send(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(WORDS))
    asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,x-stainless-os"}
    with serving(side, tmp_path, {"allowed_origins": ["https://ui.example"]}) as service:
        for origin, status in {"https://ui.example": 200, "https://other.example": 400}.items():
            answer = service.ask("OPTIONS", PATH, headers={"Origin": origin, **asks})
            assert answer.status_code == status
        answer = complete(service, {"Origin": "https://ui.example"})
    assert "X-Session-Id" in answer.headers["access-control-expose-headers"]


# A vendor that takes messages, reports usage, and says why it stopped.


class Asked(SimulatedOpenAI):
    """Remembers what it was asked."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.bodies: list[dict[str, Any]] = []

    async def _route(self, exchange: Any, asked: Any) -> None:
        self.bodies.append(json.loads(exchange.request.body))
        await super()._route(exchange, asked)


def test_a_conversation_goes_along_and_the_vendors_own_usage_comes_back(tmp_path: Path) -> None:
    reactor, vendor = Reactor(), named("openai")
    server, desktop = Asked(corpus_of(WORDS), speed=0), AgentDesktop()
    for each in (server, desktop):
        reactor.run(each.start())
    environment = {**vendor.simulated(server.url), "AGENT_WS_URL": desktop.url, "TOKENWEIR_DATA_DIR": str(tmp_path)}
    live = LiveJob(vendor, load(None, {**environment, "FRONTEND_PORT": "0"}, vendor=vendor.name), serve=True)
    thread = threading.Thread(target=live.run)
    thread.start()
    talk = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b"},
        *asked()["messages"],
    ]
    try:
        assert live.frontend is not None
        until(lambda: bool(live.frontend and live.frontend.address))
        body = {**asked(), "messages": talk, "temperature": 0.5, "max_tokens": 99}
        with httpx.Client(trust_env=False, timeout=WITHIN) as client:
            answer = client.post(live.frontend.address + PATH, json=body)
    finally:
        live.source.stop()
        thread.join(WITHIN)
        for each in (server, desktop):
            reactor.run(each.close())
        reactor.close()
    assert answer.json()["choices"][0]["message"]["content"] == TEXT
    assert answer.json()["usage"] == {"prompt_tokens": 12, "completion_tokens": 8, "total_tokens": 20}
    [sent] = server.bodies
    assert sent.items() >= {"messages": talk, "temperature": 0.5, "max_tokens": 99, "model": "m-1"}.items()
