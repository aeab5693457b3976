"""Everything that can be made to go wrong with a stream, as a client that is not ours sees it."""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import re
import time
from collections.abc import Callable

import httpx
import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.simulator.draws import draw_faults
from connectors.vendors.cxone.simulator import STREAM_PATH, SimulatedCXone
from tests.plain_client import ABC, BUILTIN, Client, Reply, joined, messages, raw_answer, read_events, with_gateway


def test_a_continuation_goes_on_behind_the_id_whatever_else_was_sent() -> None:
    async def test(gateway: SimulatedCXone, client: Client) -> None:
        broken = await client.ask()
        assert (broken.tokens, broken.broken) == (list("abcde"), True)
        assert (await client.ask("hello", broken.events[2].id)).tokens == [*"defghij", ""]
        assert (await client.ask("hello", broken.events[4].id)).tokens == [*"fghij", ""]

    with_gateway(test, ABC, faults="drop=fin@5")


@pytest.mark.parametrize("ids", ["same", "new"])
def test_a_continuation_may_repeat_tokens_with_the_same_or_with_new_ids(ids: str) -> None:
    async def test(gateway: SimulatedCXone, client: Client) -> None:
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
    async def test(gateway: SimulatedCXone, client: Client) -> None:
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
    async def test(gateway: SimulatedCXone, client: Client) -> None:
        broken = await client.ask()
        assert (await client.ask("hello", broken.events[0].id)).tokens == [*"efghij", ""]

    with_gateway(test, ABC, faults="drop=fin@5,ids=stream,repeat=1")


@pytest.mark.parametrize(
    ("faults", "different", "rest"),
    [
        ("ids=event:named=unique,repeat=2", 11, "defghij"),
        ("ids=event:named=shared,repeat=2", 4, "defghij"),
        ("ids=event:named=shared:size=5", 3, "fghij"),
        ("ids=event:named=shared:again", 4, "defghij"),
        ("ids=data:odd", 11, "fghij"),
    ],
)
def test_ids_look_as_told_and_a_continuation_knows_them(faults: str, different: int, rest: str) -> None:
    async def test(gateway: SimulatedCXone, client: Client) -> None:
        def ids(reply: Reply) -> list[str]:
            return [event.id or messages(event.data)[0]["context_id"] for event in reply.events]

        broken = await client.ask()
        again = await client.ask("hello", ids(broken)[-1])
        assert again.tokens == [*rest, ""]
        assert len({*ids(broken), *ids(again)}) == different

    with_gateway(test, ABC, faults=f"drop=fin@5,{faults}")


def test_byte_tokens_may_go_out_as_their_bytes() -> None:
    async def test(gateway: SimulatedCXone, client: Client) -> None:
        body = (await client.ask("stream bytes")).body
        assert re.search(rb'"token":"[\x80-\xff]"', body)
        assert b"<0x" not in body

    with_gateway(test, faults="raw")


def test_ids_may_be_missing_from_events() -> None:
    async def test(gateway: SimulatedCXone, client: Client) -> None:
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
    async def test(gateway: SimulatedCXone, client: Client) -> None:
        reply = await client.ask()
        assert reply.tokens == list("abcde")
        assert not reply.finished
        assert (reply.broken, reply.events[-1].name) == (broken, last)
        assert gateway.counts[f"drop_{how}"] == 1
        assert (await client.ask("hello", reply.events[4].id)).finished

    with_gateway(test, ABC, faults=f"drop={how}@5", loop=loop)


def test_drops_come_in_order_and_as_often_as_told() -> None:
    async def test(gateway: SimulatedCXone, client: Client) -> None:
        got, last = [], None
        for _ in range(5):
            reply = await client.ask("hello", last)
            got.append("".join(reply.tokens))
            last = reply.events[-1].id
        assert got == ["abc", "de", "fg", "hij", ""]  # the last one: every token, but not `finished`
        assert gateway.counts["finished"] == 1

    with_gateway(test, ABC, faults="drop=fin@3,drop=end@+2:times=2,drop=fin@last")


def test_a_drop_may_lie_at_any_byte() -> None:
    async def test(gateway: SimulatedCXone, client: Client) -> None:
        whole, _ = await raw_answer(gateway, client, "stream yes")
        for at in range(len(whole)):
            received, reset = await raw_answer(gateway, client, f"stream yes with drop=fin@{at}b")
            assert (len(received), reset) == (at, False)
        for at in range(0, len(whole), 97):
            received, reset = await raw_answer(gateway, client, f"stream yes with drop=rst@{at}b")
            assert (len(received), reset) == (at, True)

    with_gateway(test)


def test_a_clean_end_may_lie_at_any_byte_of_the_body() -> None:
    async def test(gateway: SimulatedCXone, client: Client) -> None:
        whole = (await client.ask("stream yes")).body
        for at in range(1, len(whole), 5):
            reply = await client.ask(f"stream yes with drop=end@{at}b")
            assert (len(reply.body), reply.broken) == (at, False)

    with_gateway(test)


def test_what_was_sent_is_known_after_a_cut_at_any_byte() -> None:
    async def test(gateway: SimulatedCXone, client: Client) -> None:
        for at in range(0, 620, 13):
            received, _ = await raw_answer(gateway, client, f"stream abc with drop=fin@{at}b")
            assert gateway.requests[-1].tokens == len(re.findall(rb'"finished":false}\n\n', received))

    with_gateway(test, ABC)


def test_a_refusal_is_counted_down_and_says_when_to_come_again() -> None:
    async def test(gateway: SimulatedCXone, client: Client) -> None:
        replies = [await client.ask("one prompt") for _ in range(4)]
        assert [reply.status for reply in replies] == [429, 429, 503, 200]
        assert replies[0].headers["retry-after"] == "7"
        date = email.utils.parsedate_to_datetime(replies[2].headers["retry-after"])
        assert 50 < date.timestamp() - time.time() <= 60
        assert replies[3].tokens == [*"abcdefghij", ""]
        assert {asked.turn for asked in list(gateway.requests)[1:]} == {0}

    with_gateway(test, ABC, faults="429=2:retry-after=7,503=1:retry-date=60")


def test_refusals_may_wait_for_the_continuation() -> None:
    async def test(gateway: SimulatedCXone, client: Client) -> None:
        broken = await client.ask()
        last = broken.events[-1].id
        assert [(await client.ask("hello", last)).status for _ in range(3)] == [500, 404, 200]

    with_gateway(test, ABC, faults="drop=fin@5,500=1:on=continue,404=1:on=continue")


def test_a_401_revokes_the_token_that_was_used() -> None:
    async def test(gateway: SimulatedCXone, client: Client) -> None:
        broken = await client.ask()
        assert [(await client.ask("hello", broken.events[-1].id)).status for _ in range(2)] == [401, 401]
        await client.login()
        assert (await client.ask("hello", broken.events[-1].id)).finished

    with_gateway(test, ABC, faults="drop=fin@5,401=1:on=continue")


def test_a_token_may_be_revoked_in_the_middle_of_a_stream() -> None:
    async def test(gateway: SimulatedCXone, client: Client) -> None:
        broken = await client.ask()
        assert (await client.ask("hello", broken.events[-1].id)).status == 401
        await client.login()
        assert (await client.ask("hello", broken.events[-1].id)).tokens == [*"fghij", ""]

    with_gateway(test, ABC, faults="drop=end@5:revoke")


def test_the_token_endpoint_fails_as_told() -> None:
    async def test(gateway: SimulatedCXone, client: Client) -> None:
        answers = [await client.login() for _ in range(3)]
        assert [answer.status_code for answer in answers] == [503, 403, 200]
        assert answers[0].headers["retry-after"] == "1"

    # The first login is the fixture's.
    with_gateway(test, ABC, faults="500=1:on=token,503=1:on=token:retry-after=1,403=1:on=token")


def test_a_page_of_html_may_come_where_a_stream_should_be() -> None:
    async def test(gateway: SimulatedCXone, client: Client) -> None:
        page = await client.ask()
        assert (page.status, page.headers["content-type"]) == (200, "text/html")
        assert (await client.ask()).finished

    with_gateway(test, ABC, faults="200")


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_connections_are_refused_for_a_while_and_the_port_is_kept(
    loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def test(gateway: SimulatedCXone, client: Client) -> None:
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
    async def test(gateway: SimulatedCXone, client: Client) -> None:
        reply = await client.ask(f"stream {name}")
        assert joined(reply.tokens) == BUILTIN.text(name)
        assert reply.finished

    with_gateway(test, faults=faults)


def test_the_liberties_are_taken() -> None:
    async def test(gateway: SimulatedCXone, client: Client) -> None:
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
    async def test(gateway: SimulatedCXone, client: Client) -> None:
        whole = (await client.ask("stream abc")).body.replace(b"ctx-0", b"ctx-1")
        odd = (await client.ask(f"stream abc with malformed={kind}@5")).body
        at = whole.index(b"id: ctx-1-6")
        extra = len(odd) - len(whole)
        assert extra > 0
        assert odd[:at] + odd[at + extra :] == whole
        assert odd[at : at + extra].startswith(b"data: ")

    with_gateway(test, ABC)


def test_a_stall_lasts_until_the_client_goes_and_its_comments_keep_it_alive() -> None:
    async def test(gateway: SimulatedCXone, client: Client) -> None:
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

    async def test(gateway: SimulatedCXone, client: Client) -> None:
        assert await client.whole_text(stream.prompt or "") == BUILTIN.text(stream.name)

    with_gateway(test, faults=lambda asked: draw_faults(seed, len(asked.tokens)))
