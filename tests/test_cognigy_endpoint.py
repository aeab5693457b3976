"""connectors.vendors.cognigy_endpoint: the client against the simulated endpoint, in both versions, with faults."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.server import ServerConnection, serve

from connectors.errors import SettingsError
from connectors.log.clock import Clock
from connectors.log.files import LogReader
from connectors.log.lane import Lane
from connectors.log.pressure import Pressure
from connectors.log.records import Record, opened
from connectors.log.turns import Turn, Turns
from connectors.log.writer import LogWriter
from connectors.reactor import Reactor
from connectors.secret import Secret
from connectors.simulator import AgentDesktop, Corpus, TokenStream
from connectors.simulator.vendor import CLIENT_SECRET
from connectors.vendors.base import Outcome
from connectors.vendors.cognigy_endpoint.contract import Decoder
from connectors.vendors.cognigy_endpoint.gateway import CognigyEndpointGateway
from connectors.vendors.cognigy_endpoint.settings import CognigyEndpointSettings
from connectors.vendors.cognigy_endpoint.simulator import SimulatedCognigyEndpoint
from flows.steps.events import Text
from flows.steps.reassembly import Reassembly
from tests.test_decoders import CASES

TOKENS = ("Thanks for waiting. ", "Your order 4711 ", "is on its way, Dr. Smith! ", "Anything else? ", "Bye.")
TEXT = "".join(TOKENS)
CORPUS = Corpus([TokenStream("s", TOKENS)])
READY = '42["endpoint-ready"]'
WITHIN = 30


def settings_for(url: str, **changed: Any) -> CognigyEndpointSettings:
    given: dict[str, Any] = {
        "url": url,
        "token": Secret(CLIENT_SECRET),
        "retry_base": 0.01,
        "retry_cap": 0.05,
        "resume_timeout": 0.3,
        "settle": 0.1,
    }
    return CognigyEndpointSettings(**given | changed)


class Side:
    """An endpoint, a client of it, and a lane that logs."""

    def __init__(self, vendor: Any, folder: Path, settings: CognigyEndpointSettings, lane: Lane | None = None) -> None:
        self.vendor = vendor
        self.gateway = CognigyEndpointGateway(settings)
        self.folder = folder
        self.lane = lane or lane_of(folder)

    async def converse(self, session: str = "s", prompt: str = "stream s") -> Outcome:
        number = self.lane.turns.next_turn(session)
        self.lane.append(opened(session, number, {"prompt": prompt}))
        return await self.gateway.converse(self.lane.turns.open[session, number], self.lane)

    def records(self, session: str = "s", turn: int = 0) -> list[Record]:
        return [record for record, _ in LogReader(self.folder).read() if (record.s, record.n) == (session, turn)]

    def text(self, session: str = "s", turn: int = 0) -> str:
        """What a person sees."""
        core = Reassembly(Decoder())
        events = [event for record in self.records(session, turn) for event in core.feed(record)]
        return "".join(event.text for event in events if isinstance(event, Text))

    def kinds(self, session: str = "s", turn: int = 0) -> list[str]:
        """The problems of a turn, and the reason of its close."""
        found = [record for record in self.records(session, turn) if record.k in ("error", "close")]
        return [record.fields["kind"] if record.k == "error" else record.reason for record in found]


def lane_of(folder: Path, **more: Any) -> Lane:
    writer = LogWriter(folder, "cognigy_endpoint")
    return Lane(writer, Clock(LogReader(folder).created, None), Turns(reads=Decoder), max_waiting=1_000_000, **more)


Against = Callable[..., None]
Test = Callable[[Side], Coroutine[Any, Any, None]]


@pytest.fixture
def against(tmp_path: Path) -> Against:
    """Runs a test against an endpoint with faults: `against(test, faults, vendor={...}, **settings)`."""

    def run(test: Test, faults: Any = "", vendor: dict[str, Any] | None = None, **settings: Any) -> None:
        async def main() -> None:
            async with SimulatedCognigyEndpoint(CORPUS, faults=faults, **{"speed": 0, **(vendor or {})}) as simulated:
                side = Side(simulated, tmp_path, settings_for(simulated.url, **settings))
                try:
                    async with asyncio.timeout(WITHIN):
                        await test(side)
                finally:
                    await side.gateway.aclose()
                    side.lane.close()

        asyncio.run(main())

    return run


VERSIONS = [(4, "both"), (4, "4"), (3, "both"), (3, "3"), (4, "3")]
"""What the client asks for, and what the server speaks; of the last, an endpoint that is ready twice."""


@pytest.mark.parametrize(("asked", "spoken"), VERSIONS)
@pytest.mark.parametrize("inner", [False, True])
def test_a_turn_comes_whole_in_every_version_and_is_asked_once(
    asked: int, spoken: str, inner: bool, against: Against
) -> None:
    async def test(side: Side) -> None:
        assert await side.converse("s-1:@x") == Outcome("finished")
        assert side.text("s-1:@x") == TEXT
        assert side.vendor.counts["starts"] == 1
        assert side.vendor.users == {"s-1:@x": "user/1@x"}
        assert side.vendor.counts["acknowledged"] == len(TOKENS) + 2  # the finish, and finalPing

    against(test, vendor={"protocol": spoken}, protocol=asked, inner_handshake=inner, user_id="user/1@x")


WHOLE = [
    "pack=3", "pieces=1", "finish=last", "malformed=garbage@3", "malformed=type@3", "malformed=truncated@3",
    "malformed=utf8@3", "big=1500000@3", "latency=0.05", "429=2:retry-after=0", "503=2", "drop=fin@0", "drop=1000@3",
    "drop=1001@3", "drop=1011@3", "drop=1006@3", "drop=rst@3", "drop=fin@last", "drop=fin@3,repeat=3",
    "drop=fin@2:repeat=2,drop=rst@4:repeat=3",
]  # fmt: skip
"""Faults after which nothing is lost, as the endpoint keeps what was not heard."""


@pytest.mark.parametrize("faults", WHOLE)
@pytest.mark.parametrize("version", [3, 4])
def test_a_turn_comes_whole_and_nothing_twice_in_spite_of(faults: str, version: int, against: Against) -> None:
    async def test(side: Side) -> None:
        assert await side.converse() == Outcome("finished")
        assert side.text() == TEXT
        assert side.vendor.counts["starts"] == 1

    against(test, faults, protocol=version)


def test_a_connection_cut_at_any_byte_of_an_answer_loses_nothing_and_shows_nothing_twice(against: Against) -> None:
    async def test(side: Side) -> None:
        counts = side.vendor.counts
        for number, at in enumerate(range(0, 1_300, 59), 1):
            name, how = f"s{number}", "rst" if at % 2 else "fin"
            outcome = await side.converse(name, f"stream s with drop={how}@{at}b")
            assert (at, outcome, side.text(name)) == (at, Outcome("finished"), TEXT)
        assert (counts["starts"], counts["connections"]) == (number, 2 * number)

    against(test)


LOST = [
    ("drop=fin@3", {"buffers": False}, {}, ["disconnected", "idle_timeout", "interrupted"], "".join(TOKENS[:3])),
    ("drop=error@3", {}, {}, ["vendor_error", "vendor_error"], "".join(TOKENS[:3])),
    ("stall=inf@3", {}, {"idle_timeout": 0.2}, ["idle_timeout", "interrupted"], "".join(TOKENS[:3])),
    ("stall=inf@0", {}, {"idle_timeout": 0.2}, ["idle_timeout", "timeout"], ""),
    ("slow=0.2", {}, {"overall_timeout": 0.3}, ["overall_timeout", "timeout"], TOKENS[0]),
    ("big=3000@4", {}, {"max_message_bytes": 2_000}, ["too_large", "malformed"], "".join(TOKENS[:3])),
    ("403=1", {}, {}, ["status", "refused"], ""),
    ("404=1", {}, {}, ["status", "refused"], ""),
    ("302=1", {}, {}, ["status", "refused"], ""),
    ("429=9:retry-after=0", {}, {"max_retries": 1}, ["rate_limited"] * 3, ""),
    ("", {}, {"token": Secret("wrong")}, ["credentials", "refused"], ""),
    ("", {"ready": False}, {"ready_timeout": 0.1, "max_reconnects": 1}, ["timeout"] * 3, ""),
    ("", {"protocol": "4"}, {"protocol": 3}, ["status", "refused"], ""),
]


@pytest.mark.parametrize(("faults", "vendor", "settings", "kinds", "text"), LOST)
def test_what_cannot_come_whole_ends_clearly_and_what_came_stays(
    faults: str, vendor: dict[str, Any], settings: dict[str, Any], kinds: list[str], text: str, against: Against
) -> None:
    async def test(side: Side) -> None:
        outcome = await side.converse()
        assert side.kinds() == kinds
        assert outcome.reason == kinds[-1]
        assert side.text() == text
        assert side.vendor.counts["starts"] <= 1
        assert not any(word in str(outcome.fault) for word in (CLIENT_SECRET, "wrong", "urlToken"))

    against(test, faults, vendor, **settings)


def test_older_platforms_pieces_are_joined_with_a_blank(against: Against) -> None:
    async def test(side: Side) -> None:
        assert await side.converse() == Outcome("finished")
        assert side.text() == TEXT

    against(test, vendor={"trimmed": True})


def test_no_event_is_acknowledged_before_it_is_logged(against: Against) -> None:
    async def test(side: Side) -> None:
        logged: list[int] = []
        known = side.vendor.count

        def count(what: str) -> None:
            known(what)
            if what == "acknowledged":
                logged.append(
                    sum("output" in str(record.d) or "finalPing" in str(record.d) for record in side.records())
                )

        side.vendor.count = count
        await side.converse()
        await side.vendor.until(lambda _: len(logged) == len(TOKENS) + 2)
        assert all(before >= number for number, before in enumerate(logged, 1))

    against(test)


def test_a_turn_that_a_job_left_is_not_asked_again_and_gets_what_was_kept(tmp_path: Path) -> None:
    """A kill while the answer comes: the next job's connection hears the rest."""

    async def main() -> None:
        async with SimulatedCognigyEndpoint(CORPUS, faults="stall=0.2@2", speed=0) as vendor:
            side = Side(vendor, tmp_path, settings_for(vendor.url, resume_timeout=5.0))
            under_way = asyncio.ensure_future(side.converse())
            await vendor.until(lambda each: each.counts["tokens"] >= 2)
            under_way.cancel()
            await asyncio.gather(under_way, return_exceptions=True)
            turn = side.lane.turns.open["s", 0]
            assert await CognigyEndpointGateway(side.gateway.settings).converse(turn, side.lane) == Outcome("finished")
            assert side.kinds() == ["restarted", "finished"]
            assert side.text() == TEXT
            assert vendor.counts["starts"] == 1
            side.lane.close()

    asyncio.run(main())


def test_what_an_earlier_turn_is_owed_comes_before_the_question_and_ends_nothing(against: Against) -> None:
    async def test(side: Side) -> None:
        outcome = await side.converse(prompt="stream s with stall=1@2")
        assert outcome.reason == "interrupted"
        await side.vendor.until(lambda vendor: vendor.counts["finished"] == 1)
        assert await side.converse() == Outcome("finished")
        assert (side.text(), side.text(turn=1)) == ("".join(TOKENS[:2]), "".join(TOKENS[2:]) + " " + TEXT)
        assert await side.converse() == Outcome("finished")
        assert side.text(turn=2) == TEXT

    against(test, idle_timeout=0.2)


def test_a_turn_whose_desktop_falls_behind_keeps_its_connection(tmp_path: Path) -> None:
    """Unread, its pings go unanswered; our heartbeats go on."""

    class Held(Pressure):
        held = True

        def holds(self, turn: Turn) -> bool:
            return self.held

        async def passed(self, turn: Turn) -> None:
            await vendors[0].until(lambda vendor: vendor.counts["pings"] >= 5)
            self.held = False

    vendors: list[SimulatedCognigyEndpoint] = []

    async def main(version: int) -> None:
        folder = tmp_path / str(version)
        async with SimulatedCognigyEndpoint(CORPUS, speed=0, ping_interval=0.05, ping_timeout=0.1) as vendor:
            vendors[:] = [vendor]
            settings = settings_for(vendor.url, protocol=version, idle_timeout=0.1)
            side = Side(vendor, folder, settings, lane_of(folder, pressure=Held()))
            assert await side.converse() == Outcome("finished")
            assert (side.text(), vendor.counts["connections"]) == (TEXT, 1)
            side.lane.close()

    for version in (3, 4):
        asyncio.run(main(version))


# An endpoint of the test's own, packet by packet.


@asynccontextmanager
async def playing(
    folder: Path, script: Callable[[ServerConnection], Coroutine[Any, Any, None]], **settings: Any
) -> AsyncIterator[Side]:
    async with serve(script, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        side = Side(server, folder, settings_for(f"http://127.0.0.1:{port}", **settings))
        yield side
        side.lane.close()


async def greet(socket: ServerConnection, times: str = "{}") -> str:
    """Up to the question."""
    await socket.send(f"0{times}")
    assert await socket.recv() == "40"
    await socket.send('40{"sid":"x"}')
    await socket.send(READY)
    return str(await socket.recv())


def output(text: str, **more: Any) -> str:
    return "42" + json.dumps(["output", {"type": "output", "data": {"text": text, "data": None, **more}}])


BUTTONS = {"_cognigy": {"_default": {"_buttons": {"text": "Which?"}}}}
ENDINGS: list[tuple[list[str | bytes], str, list[str]]] = [
    ([output("Hi."), '42["finalPing",{}]'], "Hi.", ["finished"]),
    ([output("Hi."), '42["output",{"type":"finalPing"}]'], "Hi.", ["finished"]),
    ([output("Hi.", data={"_cognigy": {"_finishReason": "stop"}})], "Hi.", ["finished"]),
    ([output("Hi.", data={"_cognigy": {"_finishReason": "tool_calls"}})], "Hi.", ["idle_timeout", "interrupted"]),
    ([output("Hi.")], "Hi.", ["idle_timeout", "interrupted"]),
    (['42["finalPing",{}]'], "", ["empty", "vendor_error"]),
    (['42["exception",{"message":"boom"}]'], "", ["vendor_error", "vendor_error"]),
    ([output("", data=BUTTONS), '42["finalPing"]'], "Which?", ["finished"]),
    ([output("Hi."), '42["typingStatus",{}]', '42/other,["finalPing"]', "6", '42["finalPing"]'], "Hi.", ["finished"]),
    ([READY, output("Hi."), READY, '42["finalPing"]'], "Hi.", ["finished"]),
    ([output("Hi."), "41"], "Hi.", ["ended", "interrupted"]),
    ([output("Hi."), '451-["output",{"_placeholder":true,"num":0}]'], "Hi.", ["protocol", "interrupted"]),
    ([output("Hi."), b"\x00\x01"], "Hi.", ["protocol", "interrupted"]),
    ([output("Hi."), "<html>"], "Hi.", ["protocol", "interrupted"]),
    (['44{"message":"secret words"}'], "", ["credentials", "refused"]),
]  # fmt: skip


@pytest.mark.parametrize(("packets", "text", "kinds"), ENDINGS)
def test_how_each_turn_ends(packets: list[str | bytes], text: str, kinds: list[str], tmp_path: Path) -> None:
    async def script(socket: ServerConnection) -> None:
        await greet(socket)
        for packet in packets:
            await socket.send(packet)
        await socket.wait_closed()

    async def main() -> None:
        limits = {"idle_timeout": 0.2, "final_timeout": 0.2, "max_reconnects": 0}
        async with playing(tmp_path, script, **limits) as side, asyncio.timeout(WITHIN):
            outcome = await side.converse()
        assert (side.text(), side.kinds(), outcome.reason) == (text, kinds, kinds[-1])
        assert "secret words" not in str(outcome.fault)

    asyncio.run(main())


RECORDED = [case for case in CASES if case["vendor"] == "cognigy_endpoint"]


@pytest.mark.parametrize("case", RECORDED, ids=lambda case: case["id"])
def test_every_answer_comes_to_the_same_live_as_imported(case: dict[str, Any], tmp_path: Path) -> None:
    async def script(socket: ServerConnection) -> None:
        await greet(socket)
        for packet in case["frames"]:
            if not packet.startswith(("0", "40")):
                await socket.send(packet)

    async def main() -> None:
        async with playing(tmp_path, script, max_reconnects=0) as side, asyncio.timeout(WITHIN):
            outcome = await side.converse()
        assert (side.text(), outcome.reason) == (case["text"], case["ending"])

    asyncio.run(main())


def test_a_connection_without_even_a_ping_is_made_again(tmp_path: Path) -> None:
    connections = 0

    async def script(socket: ServerConnection) -> None:
        nonlocal connections
        connections += 1
        if connections == 1:
            await greet(socket, '{"pingInterval":50,"pingTimeout":50}')
            await socket.send(output("Hi. "))
            await socket.wait_closed()
            return
        await socket.send("0{}")
        await socket.recv()
        for packet in ('40{"sid":"x"}', READY, output("There."), '42["finalPing"]'):
            await socket.send(packet)
        await socket.wait_closed()

    async def main() -> None:
        async with playing(tmp_path, script) as side, asyncio.timeout(WITHIN):
            assert await side.converse() == Outcome("finished")
        assert (side.text(), side.kinds()) == ("Hi. There.", ["disconnected", "finished"])

    asyncio.run(main())


HANDSHAKE = ("0{}", '40{"sid":"x"}', READY, output("Hi."), '42["finalPing"]')


@pytest.mark.parametrize("broken", range(len(HANDSHAKE)))
def test_wherever_a_connection_breaks_a_question_that_may_have_come_is_not_sent_again(
    broken: int, tmp_path: Path
) -> None:
    """The first connection ends before that packet; the second has them all."""
    connections, questions, asks = 0, 0, HANDSHAKE.index(READY) + 1

    async def script(socket: ServerConnection) -> None:
        nonlocal connections, questions
        connections += 1
        for number, packet in enumerate(HANDSHAKE):
            if connections == 1 and number == broken:
                return
            if number == 1:
                assert await socket.recv() == "40"
            if number == asks and (connections == 1 or broken < asks):
                questions += 1
                assert "processInput" in str(await socket.recv())
            await socket.send(packet)
        if connections == 2:
            async for said in socket:
                questions += "processInput" in str(said)

    async def main() -> None:
        async with playing(tmp_path, script) as side, asyncio.timeout(WITHIN):
            assert await side.converse() == Outcome("finished")
        assert side.text() == "Hi."
        assert questions == (0 if broken == asks else 1)

    asyncio.run(main())


# Pieces that come again.


def read(packets: list[str], *, kept: bool = False) -> str:
    """What the decoder says; with `kept`, over a snapshot at every packet."""
    decoder, said = Decoder(), ""
    for packet in packets:
        said += "".join(token for delta in decoder.feed(packet, None) for token in delta.tokens)
        if kept:
            state, decoder = msgspec.msgpack.decode(msgspec.msgpack.encode(decoder.state)), Decoder()
            decoder.state = state
    return said


@given(st.data(), st.booleans(), st.booleans())
def test_wherever_it_breaks_and_whatever_comes_again_no_piece_is_lost_or_said_twice(
    data: st.DataObject, named: bool, kept: bool
) -> None:
    """Of pieces that differ: which of the same are meant, nobody can know."""
    texts = data.draw(st.lists(st.text(min_size=1), min_size=1, max_size=8, unique=True))
    pieces = [output(text, data={"_cognigy": {"_messageId": "m"}} if named else None) for text in texts]
    packets, heard = [READY], 0
    while heard < len(pieces):
        upto = data.draw(st.integers(heard, len(pieces)))
        packets += pieces[heard:upto]
        heard = upto
        packets += [READY, *pieces[data.draw(st.integers(0, heard)) : heard]]
        if not data.draw(st.booleans()):
            packets += pieces[heard:]
            heard = len(pieces)
    end = '42["finalPing",{}]'
    assert read([*packets, end], kept=kept) == read([READY, *pieces, end])


REPEATED = [
    ("AB|AB|C", "A B C"),
    ("AB|B|C", "A B C"),
    ("AA|A|B", "A A B"),
    ("AA|AA|B", "A A B"),
    ("AB||C", "A B C"),
    ("ABC|A|D", "A B C A D"),
    ("ABC|AB|AB", "A B C A B"),
    ("ABCBC|BC|D", "A B C B C D"),
    ("ABC|A", "A B C A"),
]
"""Pieces, with a new connection at each bar: what of them is no end of what came is new."""


@pytest.mark.parametrize(("sent", "said"), REPEATED)
def test_what_comes_again_reaches_the_end_of_what_came(sent: str, said: str) -> None:
    packets = [READY if piece == "|" else output(piece) for piece in sent]
    assert read([READY, *packets, '42["finalPing",{}]']) == said


def test_a_state_from_before_pieces_were_told_is_read() -> None:
    decoder = Decoder()
    decoder.state = [True, None, False, None, "."]
    assert [delta.tokens for delta in decoder.feed(output("B"), None)] == [(" ", "B")]


def test_ids_and_token_are_encoded_as_the_vendors_own_clients_do_it() -> None:
    settings = settings_for("https://endpoint.example.org/path/", token=Secret("0e/7b 9"), user_id="user@cognigy.com")
    address = CognigyEndpointGateway(settings).address("session-1/a b")
    assert address == (
        "wss://endpoint.example.org/path/socket.io/?sessionId=session-1%252Fa%2520b&urlToken=0e%252F7b%25209"
        "&userId=user%2540cognigy.com&testMode=false&emitWithAck=true&EIO=4&transport=websocket"
    )
    assert unquote(parse_qs(urlsplit(address).query)["sessionId"][0]) == "session-1/a b"
    inner = CognigyEndpointGateway(settings_for("http://h", inner_handshake=True, protocol=3)).address("s")
    assert inner == "ws://h/socket.io/?handshake=true&EIO=3&transport=websocket"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"url": ""}, "COGNIGY_ENDPOINT_URL"),
        ({"token": Secret("")}, "COGNIGY_ENDPOINT_TOKEN"),
        ({"url": "wss://host"}, "should begin with https://"),
        ({"url": f"https://host/{'0e77b9a1' * 8}"}, "COGNIGY_ENDPOINT_TOKEN"),
        ({"url": "https://user@host"}, "cognigy_endpoint.url"),
        ({"ready_timeout": 0.0}, "ready_timeout"),
        ({"max_sessions": 0}, "max_sessions"),
    ],
)
def test_settings_that_cannot_be_are_refused_with_their_remedy(given: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(words)) as refused:
        CognigyEndpointGateway(
            settings_for("https://host") if not given else settings_for(**{"url": "https://h"} | given)
        )
    assert "0e77b9a1" not in str(refused.value)


def test_neither_token_nor_text_is_in_a_log_line(against: Against, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def test(side: Side) -> None:
        await side.converse()
        assert not any(word in caplog.text for word in ("urlToken", CLIENT_SECRET, "Thanks"))
        assert not any("URLToken" in str(record.d) or CLIENT_SECRET in str(record.d) for record in side.records())

    against(test, "drop=fin@3")


def test_the_command_shows_a_flows_answers_on_the_desktop(tmp_path: Path) -> None:
    reactor, desktop = Reactor(), AgentDesktop()
    vendor = SimulatedCognigyEndpoint(CORPUS, faults="drop=rst@3,repeat=2", speed=0)
    reactor.run(vendor.start())
    reactor.run(desktop.start())
    try:
        (tmp_path / "tokenweir.toml").write_text(
            f'[desktops.default]\nurl = "{desktop.url}"\n[cognigy_endpoint]\nretry_base = 0.01\n', encoding="utf-8"
        )
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TOKENWEIR")}
        own = {"COGNIGY_ENDPOINT_URL": vendor.url, "COGNIGY_ENDPOINT_TOKEN": CLIENT_SECRET}
        command = [sys.executable, "-m", "tokenweir", "run", "cognigy_endpoint", "--prompt", "Where is my order?"]
        done = subprocess.run(
            [*command, "--session-id", "s-1", "--data-dir", "data"],
            cwd=tmp_path, env={**kept, **own}, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        assert reactor.run(_transcript(desktop)) == TEXT
        assert CLIENT_SECRET not in done.stdout + done.stderr
    finally:
        reactor.run(vendor.close())
        reactor.run(desktop.close())
        reactor.close()


async def _transcript(desktop: AgentDesktop) -> str:
    return desktop.transcript("s-1")
