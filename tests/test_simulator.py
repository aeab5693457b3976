"""The simulated CXone gateway keeps the vendor's contract, with curl, httpx and bare sockets."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from typing import Any

import httpx
import pytest

from connectors.errors import SettingsError
from connectors.reactor import Reactor
from connectors.simulator import Corpus, TokenStream
from connectors.simulator.vendor import CLIENT_ID, CLIENT_SECRET
from connectors.vendors.cxone.simulator import SCOPE, STREAM_PATH, TOKEN_PATH, SimulatedCXone
from tests.plain_client import ABC, BUILTIN, Client, joined, messages, raw_answer, read_events, with_gateway

# The contract.


def test_every_stream_of_ours_comes_whole_one_event_a_token() -> None:
    async def test(gateway: SimulatedCXone, client: Client) -> None:
        for stream in BUILTIN:
            reply = await client.ask(stream.prompt or "")
            assert reply.status == 200
            assert reply.headers["content-type"].startswith("text/event-stream")
            assert reply.tokens == [*stream.tokens, ""]
            assert reply.finished
            assert len({event.id for event in reply.events}) == len(reply.events)
            assert joined(reply.tokens) == BUILTIN.text(stream.name)
        assert gateway.counts["finished"] == len(BUILTIN)
        assert gateway.counts["tokens"] == sum(len(stream.tokens) for stream in BUILTIN)

    with_gateway(test)


def test_a_prompt_may_be_mapped_may_name_a_stream_and_else_the_corpus_goes_round() -> None:
    corpus = Corpus([TokenStream("one", ("1",)), TokenStream("two", ("2",)), TokenStream("three", ("3",))])

    async def test(gateway: SimulatedCXone, client: Client) -> None:
        for prompt, text in (
            ("mapped", "2"),
            ("stream three", "3"),
            ("stream 0", "1"),
            ("any", "1"),
            ("any", "2"),
            ("any", "3"),
            ("any", "1"),
        ):
            assert "".join((await client.ask(prompt)).tokens) == text

    with_gateway(test, corpus, prompts={"mapped": "two"})


def test_a_prompt_may_carry_its_faults() -> None:
    async def test(gateway: SimulatedCXone, client: Client) -> None:
        assert (await client.ask("stream abc with 503")).status == 503
        assert (await client.ask("stream abc with drop=end@2")).tokens == ["a", "b"]
        nonsense = await client.ask("stream abc with nonsense")
        assert nonsense.status == 400
        assert b"is not known" in nonsense.body
        assert (await client.ask("stream xyz")).status == 400

    with_gateway(test, ABC)


@pytest.mark.parametrize(
    ("changed", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_secret": "s&cret for=the simulator"}, 401, "invalid_client"),  # + read as a space
        ({"client_id": "someone else"}, 401, "invalid_client"),
        ({"scope": "ai:llm:stream admin"}, 403, "insufficient_scope"),
        ({"scope": ""}, 403, "insufficient_scope"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
    ],
)
def test_a_token_is_granted_to_the_right_client_for_its_scope_only(
    changed: dict[str, str], status: int, error: str
) -> None:
    async def test(gateway: SimulatedCXone, client: Client) -> None:
        answer = await client.login(**changed)
        assert (answer.status_code, answer.json()["error"]) == (status, error)

    with_gateway(test)


def test_a_token_says_how_long_it_holds_and_really_ends() -> None:
    async def test(gateway: SimulatedCXone, client: Client) -> None:
        answer = (await client.login()).json()
        assert answer["token_type"] == "Bearer"
        assert answer["expires_in"] == 3600
        assert answer["scope"] == SCOPE
        assert (await client.ask()).status == 200
        deadline = time.monotonic() + 10
        while (reply := await client.ask()).status == 200:
            assert time.monotonic() < deadline
        assert reply.status == 401
        assert "Bearer" in reply.headers["www-authenticate"]
        await client.login()
        assert (await client.ask()).status == 200
        gateway.revoke_all()
        assert (await client.ask()).status == 401

    with_gateway(test, ABC, token_ttl=0.2, declared_ttl=3600)


def test_a_client_without_the_scope_is_told_so() -> None:
    async def test(gateway: SimulatedCXone, client: Client) -> None:
        assert (await client.login()).status_code == 403
        assert (await client.login(scope="other")).status_code == 200
        assert (await client.ask()).status == 403

    with_gateway(test, ABC, scopes=["other"])


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ({"headers": {"Authorization": "Bearer nobody"}}, 401),
        ({"headers": {"Accept": "application/json"}}, 406),
        ({"headers": {"Content-Type": "text/plain"}}, 415),
        ({"content": b"{"}, 400),
        ({"content": b"[]"}, 400),
        ({"content": b'{"prompt":"x","stream":true}'}, 400),
        ({"content": b'{"prompt":"","model":"m","stream":true}'}, 400),
        ({"content": b'{"prompt":"x","model":"m","stream":false}'}, 400),
        ({"content": b'{"prompt":"x","continuation_id":"ctx-99-1","stream":true}'}, 404),
        ({"content": b'{"prompt":"x","continuation_id":"?","stream":true}'}, 404),
        ({"method": "GET"}, 405),
        ({"url": "/elsewhere"}, 404),
    ],
)
def test_what_the_contract_does_not_allow_is_refused_with_a_reason(request_: dict[str, Any], status: int) -> None:
    async def test(gateway: SimulatedCXone, client: Client) -> None:
        headers = client.headers | {"Content-Type": "application/json"} | request_.get("headers", {})
        answer = await client.http.request(
            request_.get("method", "POST"),
            request_.get("url", STREAM_PATH),
            headers=headers,
            content=request_.get("content", b'{"prompt":"x","model":"m","stream":true}'),
        )
        assert answer.status_code == status
        assert answer.json()["message"]
        assert gateway.counts[f"status_{status}"] == 1

    with_gateway(test, ABC)


def test_what_was_asked_is_remembered_to_a_bound_and_without_secrets() -> None:
    async def test(gateway: SimulatedCXone, client: Client) -> None:
        broken = await client.ask("a customer's words")
        await client.ask("a customer's words", broken.events[-1].id)
        asked = [(a.path, a.status, a.continuation_id, a.attempt, a.tokens, a.ended) for a in gateway.requests]
        assert asked == [
            (STREAM_PATH, 200, None, 0, 4, "end"),
            (STREAM_PATH, 200, broken.events[-1].id, 1, 10, "finished"),
        ]
        remembered = repr(gateway.requests)
        for secret in (CLIENT_SECRET, client.headers["Authorization"][7:], "customer"):
            assert secret not in remembered

    with_gateway(test, ABC, faults="drop=end@4", max_requests=2)


# Life.


def test_hundreds_of_paced_streams_run_at_once_and_mix_nothing_up() -> None:
    async def test(gateway: SimulatedCXone, client: Client) -> None:
        async def one(number: int) -> None:
            stream = BUILTIN.at(number)
            received, _ = await raw_answer(gateway, client, f"stream {stream.name}")
            assert received.count(b"\r\n") >= 2
            assert b'"finished":true' in received

        await asyncio.gather(*(one(number) for number in range(200)))
        assert gateway.counts["finished"] == 200

    with_gateway(test, speed=20)


def test_several_gateways_live_in_one_loop_and_from_other_threads() -> None:
    reactor = Reactor()
    try:
        first, second = SimulatedCXone(ABC, speed=0), SimulatedCXone(ABC, speed=0, client_secret="another")
        reactor.run(first.start(), 10)
        reactor.run(second.start(), 10)
        form = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "scope": SCOPE}
        with httpx.Client() as http:
            for gateway, secret, status in (
                (first, CLIENT_SECRET, 200),
                (second, CLIENT_SECRET, 401),
                (second, "another", 200),
            ):
                answer = http.post(gateway.url + TOKEN_PATH, data=form | {"client_secret": secret})
                assert answer.status_code == status
        assert first.url != second.url
        reactor.run(first.close(), 10)
        reactor.run(second.close(), 10)
    finally:
        reactor.close()


def test_wrong_arguments_are_named_at_once() -> None:
    for wrong, named in (
        ({"speed": -1}, "speed"),
        ({"speed": float("nan")}, "speed"),
        ({"token_interval": -1.0}, "token_interval"),
        ({"faults": "drop=sideways@1"}, "fin, rst, end, error"),
        ({"faults": {"nobody": ""}}, "nobody"),
        ({"prompts": {"x": "nobody"}}, "nobody"),
    ):
        with pytest.raises(SettingsError, match=named):
            SimulatedCXone(ABC, **wrong)  # type: ignore[arg-type] # wrong on purpose


def test_a_port_that_is_taken_is_said_so() -> None:
    async def test(gateway: SimulatedCXone, client: Client) -> None:
        port = int(gateway.url.rpartition(":")[2])
        with pytest.raises(SettingsError, match=f"port {port} .* is taken"):
            async with SimulatedCXone(ABC, port=port):
                pass

    with_gateway(test, ABC)


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 100_000 + b"\r\n\r\n", 431),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n" + b"x" * 5_000_000, 413),
    ],
)
def test_what_is_no_http_or_too_much_of_it_is_refused(raw: bytes, status: int) -> None:
    async def test(gateway: SimulatedCXone, client: Client) -> None:
        host, port = gateway.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(raw)
        assert (await reader.readline()).split()[1] == str(status).encode()
        writer.close()
        assert gateway.counts["bad_requests"] == 1

    with_gateway(test, ABC)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_logs_in_and_reads_the_stream() -> None:
    async def curl(*arguments: str) -> bytes:
        process = await asyncio.create_subprocess_exec(
            "curl", "--silent", "--show-error", "--no-buffer", "--max-time", "20", *arguments,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        output, errors = await process.communicate()
        return output + errors

    async def test(gateway: SimulatedCXone, client: Client) -> None:
        granted = await curl(
            gateway.url + TOKEN_PATH,
            *(
                "--data-urlencode",
                "grant_type=client_credentials",
                "--data-urlencode",
                f"client_id={CLIENT_ID}",
            ),
            *("--data-urlencode", f"client_secret={CLIENT_SECRET}", "--data-urlencode", f"scope={SCOPE}"),
        )
        ask = (
            gateway.url + STREAM_PATH,
            *("-H", "Content-Type: application/json", "-H", "Accept: text/event-stream"),
            *("-H", "Authorization: Bearer " + json.loads(granted)["access_token"], "-d"),
        )
        whole = await curl(*ask, '{"prompt":"stream japanese","model":"gpt-4","stream":true}')
        tokens = [message["token"] for event in read_events(whole) for message in messages(event.data)]
        assert joined(tokens) == BUILTIN.text("japanese")
        broken = await curl(*ask, '{"prompt":"stream yes with drop=fin@1","model":"gpt-4","stream":true}')
        assert b"curl: (18)" in broken
        reset = await curl(*ask, '{"prompt":"stream yes with drop=rst@1","model":"gpt-4","stream":true}')
        assert b"curl: (56)" in reset

    with_gateway(test)
