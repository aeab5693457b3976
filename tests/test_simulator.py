"""The simulated CXone gateway, through curl, httpx and bare sockets: none of them ours."""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import json
import re
import shutil
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, NamedTuple

import httpx
import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import SettingsError
from connectors.reactor import Reactor
from connectors.simulator import Corpus, CXoneGateway, Faults, TokenStream
from connectors.simulator.gateway import CLIENT_ID, CLIENT_SECRET, SCOPE, STREAM_PATH, TOKEN_PATH

BUILTIN = Corpus.builtin()
ABC = Corpus([TokenStream("abc", tuple("abcdefghij"))])


class Event(NamedTuple):
    name: str
    id: str
    data: str


class Reply(NamedTuple):
    status: int
    headers: httpx.Headers
    body: bytes
    broken: bool

    @property
    def events(self) -> list[Event]:
        return list(read_events(self.body))

    @property
    def tokens(self) -> list[str]:
        return [m["token"] for event in self.events if event.name == "message" for m in messages(event.data)]

    @property
    def finished(self) -> bool:
        return any(m["finished"] for e in self.events if e.name == "message" for m in messages(e.data))


def read_events(body: bytes) -> Any:
    """A plain reading of the SSE standard, of a body that is there as a whole."""
    text = body.decode("utf-8", "replace").removeprefix("\ufeff")
    name, last_id, data = "", "", []
    for line in re.split("\r\n|\r|\n", text)[:-1]:
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data:
                yield Event(name or "message", last_id, "\n".join(data))
            name, data = "", []
        elif field == "data":
            data.append(value)
        elif field == "id":
            last_id = value
        elif field == "event":
            name = value


def messages(data: str) -> list[dict[str, Any]]:
    """The JSON messages one after another in a text."""
    found, at = [], 0
    while at < len(data):
        message, at = json.JSONDecoder().raw_decode(data, at)
        found.append(message)
        at += len(data[at:]) - len(data[at:].lstrip())
    return found


class Client:
    """What a customer might write with httpx."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http
        self.headers = {"Accept": "text/event-stream"}

    async def login(self, **changed: str) -> httpx.Response:
        form = {
            "grant_type": "client_credentials",
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "scope": SCOPE,
        }
        answer = await self.http.post(TOKEN_PATH, data=form | changed)
        if answer.status_code == 200:
            self.headers["Authorization"] = "Bearer " + answer.json()["access_token"]
        return answer

    async def ask(self, prompt: str = "hello", continuation_id: str | None = None) -> Reply:
        body: dict[str, object] = {"prompt": prompt, "model": "gpt-4", "stream": True}
        if continuation_id is not None:
            body = {"prompt": prompt, "continuation_id": continuation_id, "stream": True}
        received = bytearray()
        try:
            async with self.http.stream("POST", STREAM_PATH, json=body, headers=self.headers) as answer:
                async for chunk in answer.aiter_raw():
                    received += chunk
        except (httpx.ReadError, httpx.RemoteProtocolError):
            if "answer" not in locals():
                return Reply(0, httpx.Headers(), b"", True)
            return Reply(answer.status_code, answer.headers, bytes(received), True)
        return Reply(answer.status_code, answer.headers, bytes(received), False)

    async def whole_text(self, prompt: str) -> str:
        """Go on until it is finished, as a careful client does."""
        tokens: list[str] = []
        ids: list[str] = []
        for _ in range(20):
            reply = await self.ask(prompt, ids[-1] if ids else None)
            if reply.status == 401:
                await self.login()
            elif reply.status in (0, 200) and self._take(reply, tokens, ids):
                return joined(tokens)
        raise AssertionError("not finished after 20 requests")

    @staticmethod
    def _take(reply: Reply, tokens: list[str], ids: list[str]) -> bool:
        got: list[tuple[str, str]] = []
        held, finished = "", False
        for event in reply.events:
            if event.name != "message":
                continue
            held += event.data
            with contextlib.suppress(json.JSONDecodeError):
                found = messages(held)
                held = ""
                got += [(message.get("context_id") or event.id, message["token"]) for message in found]
                finished = finished or found[-1]["finished"]
        new = [(i, token) for i, token in got if i not in ids]
        overlap = max(k for k in range(len(new) + 1) if tokens[len(tokens) - k :] == [t for _, t in new[:k]])
        if not (new and "~" in new[0][0]):  # only ids that are new for old tokens call for a look at the text
            overlap = 0
        tokens += [token for _, token in new[overlap:]]
        ids += [i for i, _ in new]
        return finished


def joined(tokens: list[str]) -> str:
    """What tokens spell, found another way than the corpus': byte tokens by a regular expression."""
    text = "".join(tokens)
    text = re.sub(
        "(?:<0x[0-9A-F]{2}>)+",
        lambda run: bytes.fromhex(re.sub("<0x|>", "", run[0])).decode("utf-8", "replace"),
        text,
    )
    return text.encode("utf-16", "surrogatepass").decode("utf-16")


@contextlib.asynccontextmanager
async def running(*args: Any, **options: Any) -> AsyncIterator[tuple[CXoneGateway, Client]]:
    options.setdefault("speed", 0)
    async with (
        CXoneGateway(*args, **options) as gateway,
        httpx.AsyncClient(base_url=gateway.url, timeout=10) as http,
    ):
        client = Client(http)
        await client.login()
        yield gateway, client


def with_gateway(
    test: Callable[[CXoneGateway, Client], Coroutine[Any, Any, None]],
    *args: Any,
    loop: Callable[[], asyncio.AbstractEventLoop] | None = None,
    **options: Any,
) -> None:
    async def run() -> None:
        async with running(*args, **options) as (gateway, client):
            await test(gateway, client)

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(run())


# The contract.


def test_every_stream_of_ours_comes_whole_one_event_a_token() -> None:
    async def test(gateway: CXoneGateway, client: Client) -> None:
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

    async def test(gateway: CXoneGateway, client: Client) -> None:
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
    async def test(gateway: CXoneGateway, client: Client) -> None:
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
    async def test(gateway: CXoneGateway, client: Client) -> None:
        answer = await client.login(**changed)
        assert (answer.status_code, answer.json()["error"]) == (status, error)

    with_gateway(test)


def test_a_token_says_how_long_it_holds_and_really_ends() -> None:
    async def test(gateway: CXoneGateway, client: Client) -> None:
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
    async def test(gateway: CXoneGateway, client: Client) -> None:
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
    async def test(gateway: CXoneGateway, client: Client) -> None:
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
    async def test(gateway: CXoneGateway, client: Client) -> None:
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


# Faults.


def test_a_continuation_goes_on_behind_the_id_whatever_else_was_sent() -> None:
    async def test(gateway: CXoneGateway, client: Client) -> None:
        broken = await client.ask()
        assert (broken.tokens, broken.broken) == (list("abcde"), True)
        assert (await client.ask("hello", broken.events[2].id)).tokens == [*"defghij", ""]
        assert (await client.ask("hello", broken.events[4].id)).tokens == [*"fghij", ""]

    with_gateway(test, ABC, faults="drop=fin@5")


@pytest.mark.parametrize("ids", ["same", "new"])
def test_a_continuation_may_repeat_tokens_with_the_same_or_with_new_ids(ids: str) -> None:
    async def test(gateway: CXoneGateway, client: Client) -> None:
        broken = await client.ask()
        rest = await client.ask("hello", broken.events[-1].id)
        assert rest.tokens == [*"cdefghij", ""]
        repeated = {event.id for event in rest.events} & {event.id for event in broken.events}
        assert len(repeated) == (3 if ids == "same" else 0)
        assert len({event.id for event in broken.events + rest.events}) == (11 if ids == "same" else 14)

    with_gateway(test, ABC, faults=f"drop=fin@5,repeat=3:ids={ids}")


@pytest.mark.parametrize(
    ("ids", "event_ids", "context_ids"),
    [
        ("event", True, 0),
        ("stream", True, 0),
        ("none", False, 0),
        ("data", False, 11),
        ("both", True, 11),
        ("clash", True, 11),
    ],
)
def test_ids_come_in_the_event_in_the_data_in_both_or_not_at_all(ids: str, event_ids: bool, context_ids: int) -> None:
    async def test(gateway: CXoneGateway, client: Client) -> None:
        reply = await client.ask()
        in_data = [messages(event.data)[0].get("context_id") for event in reply.events]
        assert all(bool(event.id) == event_ids for event in reply.events)
        assert sum(context_id is not None for context_id in in_data) == context_ids
        if ids == "stream":
            assert len({event.id for event in reply.events}) == 1
        if ids == "both":
            assert in_data == [event.id for event in reply.events]
        if ids == "clash":
            assert (await client.ask("x", in_data[4])).status == 404
            assert (await client.ask("x", reply.events[4].id)).tokens == [*"fghij", ""]

    with_gateway(test, ABC, faults=f"ids={ids}")


def test_one_id_for_the_stream_goes_on_where_the_gateway_stopped() -> None:
    async def test(gateway: CXoneGateway, client: Client) -> None:
        broken = await client.ask()
        assert (await client.ask("hello", broken.events[0].id)).tokens == [*"efghij", ""]

    with_gateway(test, ABC, faults="drop=fin@5,ids=stream,repeat=1")


def test_ids_may_be_missing_from_events() -> None:
    async def test(gateway: CXoneGateway, client: Client) -> None:
        body = (await client.ask()).body
        assert [b"id:" in event for event in body.split(b"\n\n")[:10]] == [False, False, True] * 3 + [False]

    with_gateway(test, ABC, faults="ids=event:every=3")


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize(
    ("how", "broken", "last"),
    [
        ("fin", True, "message"),
        ("rst", True, "message"),
        ("end", False, "message"),
        ("error", False, "error"),
    ],
)
def test_a_drop_ends_the_answer_as_told_after_its_token(
    how: str, broken: bool, last: str, loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    async def test(gateway: CXoneGateway, client: Client) -> None:
        reply = await client.ask()
        assert reply.tokens == list("abcde")
        assert not reply.finished
        assert (reply.broken, reply.events[-1].name) == (broken, last)
        assert gateway.counts[f"drop_{how}"] == 1
        assert (await client.ask("hello", reply.events[4].id)).finished

    with_gateway(test, ABC, faults=f"drop={how}@5", loop=loop)


def test_drops_come_in_order_and_as_often_as_told() -> None:
    async def test(gateway: CXoneGateway, client: Client) -> None:
        got, last = [], None
        for _ in range(5):
            reply = await client.ask("hello", last)
            got.append("".join(reply.tokens))
            last = reply.events[-1].id
        assert got == ["abc", "de", "fg", "hij", ""]  # the last one: every token, but not `finished`
        assert gateway.counts["finished"] == 1

    with_gateway(test, ABC, faults="drop=fin@3,drop=end@+2:times=2,drop=fin@last")


async def raw_answer(gateway: CXoneGateway, client: Client, prompt: str) -> tuple[bytes, bool]:
    """The bytes of an answer off a bare socket, and whether an RST ended it."""
    host, port = gateway.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    body = json.dumps({"prompt": prompt, "model": "m", "stream": True})
    writer.write(
        f"POST {STREAM_PATH} HTTP/1.1\r\nHost: {host}\r\nAccept: text/event-stream\r\nConnection: close\r\n"
        f"Authorization: {client.headers['Authorization']}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
    )
    received = b""
    try:
        while data := await reader.read(65536):
            received += data
    except ConnectionResetError:
        return received, True
    finally:
        writer.close()
    return received, False


def test_a_drop_may_lie_at_any_byte() -> None:
    async def test(gateway: CXoneGateway, client: Client) -> None:
        whole, _ = await raw_answer(gateway, client, "stream yes")
        for at in range(len(whole)):
            received, reset = await raw_answer(gateway, client, f"stream yes with drop=fin@{at}b")
            assert (len(received), reset) == (at, False)
        for at in range(0, len(whole), 97):
            received, reset = await raw_answer(gateway, client, f"stream yes with drop=rst@{at}b")
            assert (len(received), reset) == (at, True)

    with_gateway(test)


def test_a_clean_end_may_lie_at_any_byte_of_the_body() -> None:
    async def test(gateway: CXoneGateway, client: Client) -> None:
        whole = (await client.ask("stream yes")).body
        for at in range(1, len(whole), 5):
            reply = await client.ask(f"stream yes with drop=end@{at}b")
            assert (len(reply.body), reply.broken) == (at, False)

    with_gateway(test)


def test_what_was_sent_is_known_after_a_cut_at_any_byte() -> None:
    async def test(gateway: CXoneGateway, client: Client) -> None:
        for at in range(0, 620, 13):
            received, _ = await raw_answer(gateway, client, f"stream abc with drop=fin@{at}b")
            assert gateway.requests[-1].tokens == len(re.findall(rb'"finished":false}\n\n', received))

    with_gateway(test, ABC)


def test_a_refusal_is_counted_down_and_says_when_to_come_again() -> None:
    async def test(gateway: CXoneGateway, client: Client) -> None:
        replies = [await client.ask("one prompt") for _ in range(4)]
        assert [reply.status for reply in replies] == [429, 429, 503, 200]
        assert replies[0].headers["retry-after"] == "7"
        date = email.utils.parsedate_to_datetime(replies[2].headers["retry-after"])
        assert 50 < date.timestamp() - time.time() <= 60
        assert replies[3].tokens == [*"abcdefghij", ""]
        assert {asked.turn for asked in list(gateway.requests)[1:]} == {0}

    with_gateway(test, ABC, faults="429=2:retry-after=7,503=1:retry-date=60")


def test_refusals_may_wait_for_the_continuation() -> None:
    async def test(gateway: CXoneGateway, client: Client) -> None:
        broken = await client.ask()
        last = broken.events[-1].id
        assert [(await client.ask("hello", last)).status for _ in range(3)] == [500, 404, 200]

    with_gateway(test, ABC, faults="drop=fin@5,500=1:on=continue,404=1:on=continue")


def test_a_401_revokes_the_token_that_was_used() -> None:
    async def test(gateway: CXoneGateway, client: Client) -> None:
        broken = await client.ask()
        assert [(await client.ask("hello", broken.events[-1].id)).status for _ in range(2)] == [401, 401]
        await client.login()
        assert (await client.ask("hello", broken.events[-1].id)).finished

    with_gateway(test, ABC, faults="drop=fin@5,401=1:on=continue")


def test_a_token_may_be_revoked_in_the_middle_of_a_stream() -> None:
    async def test(gateway: CXoneGateway, client: Client) -> None:
        broken = await client.ask()
        assert (await client.ask("hello", broken.events[-1].id)).status == 401
        await client.login()
        assert (await client.ask("hello", broken.events[-1].id)).tokens == [*"fghij", ""]

    with_gateway(test, ABC, faults="drop=end@5:revoke")


def test_the_token_endpoint_fails_as_told() -> None:
    async def test(gateway: CXoneGateway, client: Client) -> None:
        answers = [await client.login() for _ in range(3)]
        assert [answer.status_code for answer in answers] == [503, 403, 200]
        assert answers[0].headers["retry-after"] == "1"

    # The first login is the fixture's.
    with_gateway(test, ABC, faults="500=1:on=token,503=1:on=token:retry-after=1,403=1:on=token")


def test_a_page_of_html_may_come_where_a_stream_should_be() -> None:
    async def test(gateway: CXoneGateway, client: Client) -> None:
        page = await client.ask()
        assert (page.status, page.headers["content-type"]) == (200, "text/html")
        assert (await client.ask()).finished

    with_gateway(test, ABC, faults="200")


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_connections_are_refused_for_a_while_and_the_port_is_kept(
    loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def test(gateway: CXoneGateway, client: Client) -> None:
        url = gateway.url
        broken = await client.ask()
        with pytest.raises(httpx.ConnectError):
            await client.ask("hello", broken.events[-1].id)
        await gateway.start()
        assert gateway.url == url
        assert (await client.ask("hello", broken.events[-1].id)).finished
        gateway.refuse(0.05)
        again = None
        while again is None:
            async with httpx.AsyncClient(base_url=url) as http:
                with contextlib.suppress(httpx.ConnectError):
                    again = await Client(http).login()
        assert again.status_code == 200

    with_gateway(test, ABC, faults="drop=fin@5:refuse=60", loop=loop)


@pytest.mark.parametrize(
    "faults",
    [
        "eol=crlf",
        "eol=cr",
        "bom",
        "retry=3000,eol=crlf",
        "comments=1",
        "comments=3,eol=cr",
        "lines",
        "lines,eol=crlf",
        "pieces=1",
        "pieces=7,eol=crlf,bom,comments=2,lines",
        "finish=last",
        "pack=4",
        "pack=4,finish=last,lines",
        "big=1500000@3",
        "big=300000@last,pieces=1000",
        "slow=0.001",
    ],
)
@pytest.mark.parametrize("name", ["japanese", "bytes", "yes"])
def test_the_liberties_of_the_format_change_nothing_of_the_text(faults: str, name: str) -> None:
    async def test(gateway: CXoneGateway, client: Client) -> None:
        reply = await client.ask(f"stream {name}")
        assert joined(reply.tokens) == BUILTIN.text(name)
        assert reply.finished

    with_gateway(test, faults=faults)


def test_the_liberties_are_taken() -> None:
    async def test(gateway: CXoneGateway, client: Client) -> None:
        async def body(faults: str) -> bytes:
            return (await client.ask(f"stream abc with {faults}")).body

        assert b"\n" not in await body("eol=cr")
        assert (await body("eol=crlf")).count(b"\r\n") == (await body("eol=lf")).count(b"\n")
        assert (await body("bom,retry=3000")).startswith(b"\xef\xbb\xbfretry: 3000\n")
        assert (await body("comments=2")).count(b"\n: ") == 5
        assert b'data: {"token":"a",\ndata: "finished":false\ndata: }\n\n' in await body("lines")
        assert len(list(read_events(await body("pack=4")))) == 4
        assert b'{"token":"j","finished":true}' in await body("finish=last")
        assert len(list(read_events(await body("big=1500000@3")))[2].data) > 1_500_000
        split = list(read_events(await body("split=3")))
        assert len(split) == 33
        assert "".join(event.data for event in split[:3]) == '{"token":"a","finished":false}'

    with_gateway(test, ABC)


@pytest.mark.parametrize("kind", ["garbage", "truncated", "type", "utf8"])
def test_a_malformed_event_is_one_too_many(kind: str) -> None:
    async def test(gateway: CXoneGateway, client: Client) -> None:
        whole = (await client.ask("stream abc")).body.replace(b"ctx-0", b"ctx-1")
        odd = (await client.ask(f"stream abc with malformed={kind}@5")).body
        at = whole.index(b"id: ctx-1-6")
        extra = len(odd) - len(whole)
        assert extra > 0
        assert odd[:at] + odd[at + extra :] == whole
        assert odd[at : at + extra].startswith(b"data: ")

    with_gateway(test, ABC)


def test_a_stall_lasts_until_the_client_goes_and_its_comments_keep_it_alive() -> None:
    async def test(gateway: CXoneGateway, client: Client) -> None:
        received = b""
        body = {"prompt": "hello", "model": "m", "stream": True}
        async with client.http.stream("POST", STREAM_PATH, json=body, headers=client.headers) as answer:
            async for chunk in answer.aiter_raw():
                received += chunk
                if received.count(b": keep-alive\n") >= 3:
                    break
        assert received.count(b"data:") == 5
        await gateway.until(lambda gateway: bool(gateway.requests[-1].ended))
        assert gateway.requests[-1].ended == "gone"
        last = list(read_events(received))[-1].id
        assert (await client.ask("hello", last)).finished  # what stalled once does not stall again

    with_gateway(test, ABC, faults="stall=inf@5,heartbeat=0.02")


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), number=st.integers(0, len(BUILTIN) - 1))
def test_a_careful_client_gets_the_whole_text_whatever_is_drawn(seed: int, number: int) -> None:
    stream = BUILTIN.at(number)

    async def test(gateway: CXoneGateway, client: Client) -> None:
        assert await client.whole_text(stream.prompt or "") == BUILTIN.text(stream.name)

    with_gateway(test, faults=lambda asked: Faults.draw(seed, len(asked.tokens)))


# Life.


def test_hundreds_of_paced_streams_run_at_once_and_mix_nothing_up() -> None:
    async def test(gateway: CXoneGateway, client: Client) -> None:
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
        first, second = CXoneGateway(ABC, speed=0), CXoneGateway(ABC, speed=0, client_secret="another")
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
            CXoneGateway(ABC, **wrong)  # type: ignore[arg-type] # wrong on purpose


def test_a_port_that_is_taken_is_said_so() -> None:
    async def test(gateway: CXoneGateway, client: Client) -> None:
        port = int(gateway.url.rpartition(":")[2])
        with pytest.raises(SettingsError, match=f"port {port} .* is taken"):
            async with CXoneGateway(ABC, port=port):
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
    async def test(gateway: CXoneGateway, client: Client) -> None:
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

    async def test(gateway: CXoneGateway, client: Client) -> None:
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
