"""The simulated agent desktop, through websockets and aiohttp clients that are not ours."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import Callable, Coroutine
from typing import Any

import aiohttp
import pytest
import uvloop
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from connectors.errors import SettingsError
from connectors.reactor import Reactor
from connectors.simulator import AgentDesktop, Behaviour

Loop = Callable[[], asyncio.AbstractEventLoop]
LOOPS = pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])


def with_desktop(
    test: Callable[[AgentDesktop], Coroutine[Any, Any, None]],
    behaviour: str = "",
    loop: Loop | None = None,
    **options: Any,
) -> None:
    async def run() -> None:
        async with AgentDesktop(behaviour=behaviour, **options) as desktop:
            await test(desktop)

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(run())


def sentence(seq: int, text: str = "", session: str = "s", turn: int = 0, *, final: bool = False) -> str:
    return json.dumps(
        {
            "type": "sentence",
            "session_id": session,
            "turn": turn,
            "seq": seq,
            "text": text or f"{seq}. ",
            "closed_by": "sentence",
            "final": final,
            "fallback": False,
        }
    )


async def heard(socket: ClientConnection) -> Any:
    return json.loads(await socket.recv())


def ack(seq: int, session: str = "s", turn: int = 0) -> dict[str, object]:
    return {"type": "ack", "session_id": session, "turn": turn, "seq": seq}


@LOOPS
def test_it_shows_each_message_once_and_acknowledges_the_unbroken_run(loop: Loop) -> None:
    async def test(desktop: AgentDesktop) -> None:
        async with connect(desktop.url) as socket:
            for seq, said in ((0, 0), (2, 0), (1, 2), (1, 2)):
                await socket.send(sentence(seq))
                assert await heard(socket) == ack(said)
            await socket.send(sentence(3, "Bye.", final=True))
            assert await heard(socket) == ack(3)
        assert desktop.transcript("s") == "0. 1. 2. Bye."
        assert desktop.is_whole("s")
        assert desktop.turns() == [("s", 0)]
        assert desktop.counts["repeats"] == 1
        assert desktop.counts["shown"] == 4
        assert [r.connection for r in desktop.received] == [0] * 5
        assert desktop.received[0].raw == sentence(0)
        assert [r.at for r in desktop.received] == sorted(r.at for r in desktop.received)

    with_desktop(test, loop=loop)


def test_nothing_is_acknowledged_before_the_first_of_a_turn() -> None:
    async def test(desktop: AgentDesktop) -> None:
        async with connect(desktop.url) as socket:
            await socket.send(sentence(1))
            await socket.send(sentence(0))
            assert await heard(socket) == ack(1)
        assert not desktop.is_whole("s")

    with_desktop(test)


def test_a_message_that_comes_again_as_something_else_is_a_contradiction() -> None:
    async def test(desktop: AgentDesktop) -> None:
        async with connect(desktop.url) as socket:
            await socket.send(sentence(0, "this"))
            await socket.send(sentence(0, "that"))
            await desktop.until(lambda desktop: desktop.counts["contradictions"] == 1)
        assert desktop.transcript("s") == "this"

    with_desktop(test)


def test_sessions_and_turns_are_kept_apart() -> None:
    async def test(desktop: AgentDesktop) -> None:
        async with connect(desktop.url) as one, connect(desktop.url) as two:
            await one.send(sentence(0, "a", "s", 0))
            await two.send(sentence(0, "b", "s", 1))
            await two.send(sentence(0, "c", "t", 0))
            await desktop.until(lambda desktop: desktop.counts["shown"] == 3)
        assert [desktop.transcript(*turn) for turn in (("s", 0), ("s", 1), ("t", 0), ("u", 0))] == [
            "a",
            "b",
            "c",
            "",
        ]

    with_desktop(test)


def test_acknowledgements_may_be_rare_or_never_come() -> None:
    async def said(desktop: AgentDesktop) -> list[Any]:
        async with connect(desktop.url) as socket:
            for seq in range(5):
                await socket.send(sentence(seq, final=seq == 4))
            await desktop.until(lambda desktop: desktop.counts["shown"] == 5)
            await (await socket.ping())
            said = []
            with contextlib.suppress(TimeoutError):
                while True:
                    said.append(await asyncio.wait_for(heard(socket), 0.05))
            return said

    async def rare(desktop: AgentDesktop) -> None:
        assert await said(desktop) == [ack(1), ack(3), ack(4)]

    async def never(desktop: AgentDesktop) -> None:
        assert await said(desktop) == []

    with_desktop(rare, "ack=2")
    with_desktop(never, "ack=0")


def test_hello_is_answered_with_the_last_of_what_was_shown() -> None:
    async def test(desktop: AgentDesktop) -> None:
        async with connect(desktop.url) as socket:
            for message in (
                sentence(0),
                sentence(1),
                sentence(3),
                sentence(0, session="t"),
                sentence(5, turn=7),
            ):
                await socket.send(message)
            await desktop.until(lambda desktop: desktop.counts["shown"] == 5)
        async with connect(desktop.url) as socket:
            await socket.send('{"type":"hello"}')
            both = [{"session_id": "s", "turn": 0, "seq": 1}, {"session_id": "t", "turn": 0, "seq": 0}]
            assert await heard(socket) == {"type": "hello", "last": both}
            asked = [{"session_id": "t", "turn": 0}, {"session_id": "never", "turn": 0}]
            await socket.send(json.dumps({"type": "hello", "turns": asked}))
            assert await heard(socket) == {"type": "hello", "last": both[1:]}
        assert desktop.plain == []

    with_desktop(test)


def test_plain_text_is_shown_as_it_is() -> None:
    texts = ["Hello. ", "42", '{"type":"unheard of"}', "{", ""]

    async def test(desktop: AgentDesktop) -> None:
        async with aiohttp.ClientSession() as http, http.ws_connect(desktop.url) as socket:
            for text in texts:
                await socket.send_str(text)
            await desktop.until(lambda desktop: desktop.counts["plain"] == len(texts))
        assert desktop.plain == texts

    with_desktop(test)


def test_pings_are_answered_or_not_as_told() -> None:
    async def answered(desktop: AgentDesktop) -> None:
        async with connect(desktop.url) as socket:
            await (await socket.ping())
        assert desktop.counts["pings"] == 1

    async def silent(desktop: AgentDesktop) -> None:
        async with connect(desktop.url, ping_interval=0.02, ping_timeout=0.02) as socket:
            with pytest.raises(ConnectionClosed):
                await socket.recv()
        assert desktop.counts["pings"] >= 1

    with_desktop(answered)
    with_desktop(silent, "pong=false")


@LOOPS
@pytest.mark.parametrize(("how", "code"), [("close", 1011), ("fin", 1006), ("rst", 1006)])
def test_it_drops_its_connections_as_often_as_told(how: str, code: int, loop: Loop) -> None:
    async def test(desktop: AgentDesktop) -> None:
        for _ in range(2):
            async with connect(desktop.url) as socket:
                await socket.send(sentence(0))
                await socket.send(sentence(1))
                await socket.wait_closed()
                assert socket.close_code == code
        async with connect(desktop.url) as socket:
            for seq in range(3):
                await socket.send(sentence(seq))
            while await heard(socket) != ack(2):
                pass
        assert desktop.counts["dropped"] == 2
        assert desktop.counts["connections"] == 3

    with_desktop(test, f"drop=2,drop-how={how},drops=2", loop=loop)


@LOOPS
def test_it_dies_and_is_revived_on_the_same_port(loop: Loop) -> None:
    async def test(desktop: AgentDesktop) -> None:
        url = desktop.url
        with pytest.raises(ConnectionRefusedError):
            await connect(url)
        await desktop.revive()
        assert desktop.url == url
        async with connect(url) as socket:
            await socket.send(sentence(0))
            await heard(socket)
            desktop.die()
            await socket.wait_closed()
            assert socket.close_code == 1006
        with pytest.raises(ConnectionRefusedError):
            await connect(url)
        await desktop.revive()
        async with connect(url) as socket:
            await socket.send(sentence(0))
            assert await heard(socket) == ack(0)
        assert desktop.counts["repeats"] == 1

    with_desktop(test, "dead", loop=loop)


def test_what_a_crash_loses_is_what_was_taken_and_not_shown() -> None:
    async def test(desktop: AgentDesktop) -> None:
        async with connect(desktop.url + "cxone") as socket:
            await socket.send(sentence(0))
            await (await socket.ping())
            desktop.behaviour = Behaviour(ack=0)
            desktop.die(losing=True)
            await socket.wait_closed()
        await desktop.until(lambda desktop: not desktop._open)
        assert desktop.received == []
        await desktop.revive()
        async with connect(desktop.url) as socket:
            await socket.send(sentence(0))
            await desktop.until(lambda desktop: desktop.counts["shown"] == 1)
        assert desktop.paths == ["/cxone", "/"]
        first, second = desktop.listened
        assert first[0] <= first[1] <= second[0] <= desktop.received[0].at < second[1]

    with_desktop(test, "slow=30,ack=0")


def test_it_rejects_hand_shakes() -> None:
    async def test(desktop: AgentDesktop) -> None:
        with pytest.raises(InvalidStatus) as rejected:
            await connect(desktop.url)
        assert rejected.value.response.status_code == 503
        assert desktop.counts["rejected"] == 1

    with_desktop(test, "reject=503")


@LOOPS
@pytest.mark.parametrize("behaviour", ["stop=1,buffer=4096", "slow=3600,buffer=4096"])
def test_one_that_stops_reading_blocks_who_writes_and_can_still_be_closed(behaviour: str, loop: Loop) -> None:
    async def test(desktop: AgentDesktop) -> None:
        socket = await connect(desktop.url, ping_interval=None)

        async def flood() -> None:
            for seq in range(10_000):
                await socket.send(sentence(seq, "x" * 10_000))

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(flood(), 0.3)
        assert desktop.counts["messages"] == (1 if "stop" in behaviour else 0)
        await desktop.close()
        with contextlib.suppress(ConnectionClosed):
            await socket.close()

    with_desktop(test, behaviour, loop=loop)


def test_a_slow_one_shows_them_all_in_the_end() -> None:
    async def test(desktop: AgentDesktop) -> None:
        async with connect(desktop.url) as socket:
            for seq in range(20):
                await socket.send(sentence(seq, final=seq == 19))
            await desktop.until(lambda desktop: desktop.is_whole("s"))
        times = [received.at for received in desktop.received]
        assert all(later - sooner >= 0.004 for sooner, later in itertools.pairwise(times))

    with_desktop(test, "slow=0.005,ack=0")


def test_what_it_records_is_bounded_and_the_rest_neither_shown_nor_acknowledged() -> None:
    async def test(desktop: AgentDesktop) -> None:
        async with connect(desktop.url) as socket:
            for seq in range(3):
                await socket.send(sentence(seq))
            await desktop.until(lambda desktop: desktop.counts["messages"] == 3)
            assert [await heard(socket), await heard(socket)] == [ack(0), ack(1)]
        assert desktop.counts["unrecorded"] == 1
        assert desktop.transcript("s") == "0. 1. "

    with_desktop(test, max_received=2)


def test_it_runs_on_the_reactor() -> None:
    async def show(url: str) -> None:
        async with connect(url) as socket:
            await socket.send(sentence(0, "Hello.", final=True))
            await heard(socket)

    reactor = Reactor()
    try:
        one, two = AgentDesktop(), AgentDesktop()
        for desktop in (one, two):
            reactor.run(desktop.start(), 10)
        asyncio.run(show(one.url))
        assert (one.transcript("s"), two.transcript("s")) == ("Hello.", "")
        for desktop in (one, two):
            reactor.run(desktop.close(), 10)
    finally:
        reactor.close()


@pytest.mark.parametrize(
    ("text", "behaviour"),
    [
        ("", Behaviour()),
        ("ack=0, slow=0.5", Behaviour(ack=0, slow=0.5)),
        ("dead,pong=false", Behaviour(dead=True, pong=False)),
        ("drop=3,drop-how=rst,drops=2", Behaviour(drop=3, drop_how="rst", drops=2)),
    ],
)
def test_a_behaviour_may_be_written_as_text(text: str, behaviour: Behaviour) -> None:
    assert Behaviour.parse(text) == behaviour


@pytest.mark.parametrize(
    ("text", "named"), [("quick", "no behaviour 'quick'"), ("slow=-1", "slow"), ("drop-how=x", "drop_how")]
)
def test_a_wrong_behaviour_is_named(text: str, named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        Behaviour.parse(text)
