from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import bytewax.operators as op
import pytest
from bytewax.dataflow import Dataflow
from bytewax.errors import BytewaxRuntimeError
from bytewax.testing import TestingSource, run_main
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from connectors.delivery.reader import JournalReader
from connectors.delivery.segment import Delivered
from connectors.delivery.settings import DesktopSettings
from connectors.delivery.sink import DesktopSink
from connectors.errors import DataDirError, SettingsError
from connectors.log.records import Message, encode_message
from connectors.reactor import Reactor
from connectors.secret import Secret

WAIT = 20.0
Pair = tuple[str, Message]


class Agent:
    """A real WebSocket server with one agent before it: shows what it is sent, and ignores what it has."""

    def __init__(
        self, *, acks: bool = False, lose_after: int = 0, deaf: bool = False, leads_to: str = "", refusals: int = 0
    ) -> None:
        self.received: list[str] = []
        self.said_hello: list[dict[str, Any]] = []
        self.connections = 0
        self.authorizations: list[str | None] = []
        self.remembers_on_hello = False
        self._acks = acks
        self._lose_after = lose_after
        self._leads_to = leads_to
        self.refusals = refusals
        self._hears = asyncio.Event()
        if not deaf:
            self._hears.set()
        self._changed = threading.Condition()
        self._reactor = Reactor()
        self._server: Server | None = None
        self._port = 0
        self.open()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self._port}/agent"

    @property
    def sentences(self) -> list[dict[str, Any]]:
        return [json.loads(message) for message in self.received]

    @property
    def shown(self) -> dict[str, list[int]]:
        """The seqs of every session in the order of their first arrival."""
        shown: dict[str, list[int]] = {}
        for sentence in self.sentences:
            seqs = shown.setdefault(sentence["session_id"], [])
            if sentence["seq"] not in seqs:
                seqs.append(sentence["seq"])
        return shown

    def open(self) -> None:
        async def start() -> Server:
            # A queue of one frame: an agent that does not listen soon stops reading from the socket.
            return await serve(
                self._serve,
                "127.0.0.1",
                self._port,
                max_queue=1,
                ping_interval=None,
                process_request=self._answer,
            )

        self._server = self._reactor.run(start())
        self._port = next(iter(self._server.sockets)).getsockname()[1]

    def die(self) -> None:
        """No goodbye: the connections are aborted, and nobody listens any more."""

        async def stop() -> None:
            assert self._server is not None
            for connection in self._server.connections:
                connection.transport.abort()
            self._server.close()
            await self._server.wait_closed()

        self._reactor.run(stop())

    def listen(self, does: bool = True) -> None:
        self._reactor.call(self._hears.set if does else self._hears.clear)

    def close(self) -> None:
        self.listen()
        self.die()
        self._reactor.close()

    def wait_for(self, happened: Callable[[], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(happened, WAIT), f"only {len(self.received)} messages came"

    def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        if self.refusals:
            with self._changed:
                self.refusals -= 1
                self._changed.notify_all()
            return connection.respond(503, "")
        if not self._leads_to:
            return None
        response = connection.respond(302, "")
        response.headers["Location"] = self._leads_to
        return response

    async def _serve(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        self.authorizations.append(connection.request.headers.get("Authorization"))
        self._note(connections=1)
        with contextlib.suppress(ConnectionClosed):
            for _ in range(self._lose_after or sys.maxsize):
                await self._listening(connection)
                said = await connection.recv()
                assert isinstance(said, str)
                if said.startswith('{"type":"hello"'):
                    await self._answer_hello(connection, json.loads(said))
                    continue
                self._note(said)
                if self._acks:
                    await connection.send(ack(json.loads(said)))
            if self._acks:
                await asyncio.sleep(0.01)  # let the acknowledgements leave, or nobody could ever get on
            connection.transport.abort()
            while not self._acks:  # what its library had taken, and so confirmed, is shown
                said = await connection.recv()
                assert isinstance(said, str)
                self._note(said)

    async def _listening(self, connection: ServerConnection) -> None:
        """Until it listens, or nobody speaks any more."""
        waits = [asyncio.ensure_future(self._hears.wait()), asyncio.ensure_future(connection.wait_closed())]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for each in waits:
            each.cancel()

    async def _answer_hello(self, connection: ServerConnection, hello: dict[str, Any]) -> None:
        self.said_hello.append(hello)
        if self.remembers_on_hello:
            shown = self.shown
            last = [{**turn, "seq": shown[turn["session_id"]][-1]} for turn in hello["turns"]]
            await connection.send(json.dumps({"type": "hello", "last": last}))

    def _note(self, said: str | None = None, connections: int = 0) -> None:
        with self._changed:
            self.connections += connections
            if said is not None:
                self.received.append(said)
            self._changed.notify_all()


def ack(sentence: dict[str, Any]) -> str:
    return json.dumps({"type": "ack", **{key: sentence[key] for key in ("session_id", "turn", "seq")}})


@pytest.fixture
def reactor() -> Iterator[Reactor]:
    reactor = Reactor()
    yield reactor
    reactor.close()


@pytest.fixture
def agents() -> Iterator[Callable[..., Agent]]:
    opened: list[Agent] = []

    def open_agent(**behaviour: Any) -> Agent:
        opened.append(Agent(**behaviour))
        return opened[-1]

    yield open_agent
    for agent in opened:
        agent.close()


def quick(url: str, **changes: Any) -> DesktopSettings:
    return DesktopSettings(url=url, **{"reconnect_min": 0.01, "reconnect_max": 0.05, **changes})


def until(holds: Callable[[], bool]) -> None:
    """A state of the other thread: it can only be asked for."""
    end = time.monotonic() + WAIT
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.002)


def message(session: str, seq: int, *, text: str | None = None, final: bool = False) -> Message:
    text = f"Sentence {seq}. " if text is None else text
    return Message(session, 0, seq, text, "sentence", final, False, seq)


def script(sessions: int, sentences: int, to: str = "default") -> list[Pair]:
    return [
        (to, message(f"s-{session}", seq, final=seq == sentences - 1))
        for seq in range(sentences)
        for session in range(sessions)
    ]


def everything(sessions: int, sentences: int) -> dict[str, list[int]]:
    return {f"s-{session}": list(range(sentences)) for session in range(sessions)}


def run(sink: DesktopSink, pairs: Sequence[Pair], batch: int = 7) -> None:
    flow = Dataflow("deliver")
    items = [("w00-03", pairs[start : start + batch]) for start in range(0, len(pairs), batch)]
    op.output("desktop", op.input("in", flow, TestingSource(items)), sink)
    run_main(flow)


def facts(directory: Path) -> list[Delivered]:
    """What the journal says of deliveries."""
    return JournalReader(directory, "w00").read(None, 1_000_000).delivered


# What a desktop gets


def test_a_json_desktop_gets_the_messages_bytes_in_order(
    tmp_path: Path, reactor: Reactor, agents: Callable[..., Agent]
):
    agent = agents(acks=True)
    sink = DesktopSink({"default": quick(agent.url)}, tmp_path, "w00", reactor)
    pairs = script(3, 20)
    run(sink, pairs)
    assert [said.encode() for said in agent.received] == [encode_message(message) for _, message in pairs]
    assert sink.undelivered == 0
    assert sink.failure() is None
    assert agent.connections == 1


def test_a_text_desktop_gets_the_texts_alone_and_no_empty_ones(
    tmp_path: Path, reactor: Reactor, agents: Callable[..., Agent]
):
    agent = agents()
    sink = DesktopSink({"default": quick(agent.url, format="text")}, tmp_path, "w00", reactor)
    texts = ["Guten Tag. ", "", "日本語。", '"quoted" \u2028 🙂 ']
    run(sink, [("default", message("s-1", seq, text=text)) for seq, text in enumerate(texts)])
    assert agent.received == [text for text in texts if text]
    assert [fact.how for fact in facts(tmp_path)] == ["pong", "skipped", "pong", "pong"]
    assert sink.undelivered == 0


@pytest.mark.parametrize(
    ("confirm", "acks", "how"),
    [
        ("ack", True, {"ack"}),
        ("pong", True, {"pong"}),
        ("none", False, {"unconfirmed"}),
        ("auto", False, {"pong"}),
    ],
)
def test_what_counts_as_delivered_is_what_the_settings_say(
    tmp_path: Path,
    reactor: Reactor,
    agents: Callable[..., Agent],
    confirm: str,
    acks: bool,
    how: set[str],
):
    agent = agents(acks=acks)
    run(DesktopSink({"default": quick(agent.url, confirm=confirm)}, tmp_path, "w00", reactor), script(2, 10))
    agent.wait_for(lambda: len(agent.received) == 20)
    found = facts(tmp_path)
    assert {fact.how for fact in found} == how
    assert len({(fact.session_id, fact.seq) for fact in found}) == len(found) == 20
    assert all(fact.sent_at is not None and fact.sent_at <= fact.confirmed_at for fact in found)


def test_an_automatic_desktop_is_taken_at_its_acknowledgements_once_it_gives_one(
    tmp_path: Path, reactor: Reactor, agents: Callable[..., Agent]
):
    agent = agents(acks=True)
    run(DesktopSink({"default": quick(agent.url)}, tmp_path, "w00", reactor), script(1, 200))
    assert agent.shown == everything(1, 200)
    assert facts(tmp_path)[-1].how == "ack"


# When things go wrong


@pytest.mark.parametrize("confirm", ["ack", "pong", "auto"])
def test_a_desktop_that_keeps_dropping_the_connection_shows_everything_once_and_in_order(
    tmp_path: Path, reactor: Reactor, agents: Callable[..., Agent], confirm: str
):
    agent = agents(acks=confirm != "pong", lose_after=7)
    sink = DesktopSink({"default": quick(agent.url, confirm=confirm)}, tmp_path, "w00", reactor)
    run(sink, script(4, 25))
    assert agent.shown == everything(4, 25)
    assert agent.connections > 10
    assert sink.undelivered == 0


def test_messages_for_a_dead_desktop_are_stored_said_so_and_sent_by_the_next_run(
    tmp_path: Path, reactor: Reactor, agents: Callable[..., Agent]
):
    agent = agents(acks=True)
    agent.die()
    settings = quick(agent.url + "?key=hidden", drain_timeout=0.0)
    sink = DesktopSink({"default": settings}, tmp_path, "w00", reactor)
    run(sink, script(2, 5))
    assert sink.undelivered == 10
    failure = str(sink.failure())
    assert f"10 for 'default' ({agent.url}: " in failure
    assert "refused" in failure
    assert "hidden" not in failure
    agent.open()
    sink = DesktopSink({"default": quick(agent.url)}, tmp_path, "w00", reactor)
    run(sink, script(2, 5)[:4])
    assert agent.shown == everything(2, 5)
    assert len(agent.received) == 10
    assert sink.undelivered == 0


def test_a_desktop_that_dies_and_comes_back_in_the_middle_misses_nothing(
    tmp_path: Path, reactor: Reactor, agents: Callable[..., Agent]
):
    agent = agents(acks=True)

    def die_and_come_back() -> None:
        for count in (10, 40):
            agent.wait_for(lambda count=count: len(agent.received) >= count)
            agent.die()
            agent.open()

    fate = threading.Thread(target=die_and_come_back)
    fate.start()
    sink = DesktopSink({"default": quick(agent.url, in_flight=4)}, tmp_path, "w00", reactor)
    run(sink, script(2, 100))
    fate.join(WAIT)
    assert agent.shown == everything(2, 100)
    assert agent.connections >= 2  # on a busy machine the second death may come after the last message


def test_a_desktop_that_stops_reading_delays_only_itself_and_loses_nothing(
    tmp_path: Path, reactor: Reactor, agents: Callable[..., Agent]
):
    deaf, healthy = agents(acks=True, deaf=True), agents(acks=True)
    heavy = [("deaf", message("s-0", seq, text="x" * 50_000)) for seq in range(200)]
    desktops = {
        "deaf": quick(deaf.url, confirm="ack", confirm_timeout=0.3, in_flight=1000, queue=20),
        "healthy": quick(healthy.url),
    }

    def come_to() -> None:
        healthy.wait_for(lambda: healthy.shown == everything(5, 20))
        assert deaf.received == []
        deaf.wait_for(lambda: deaf.connections >= 2)
        deaf.listen()

    fate = threading.Thread(target=come_to)
    fate.start()
    sink = DesktopSink(desktops, tmp_path, "w00", reactor)
    run(sink, heavy + script(5, 20, to="healthy"))
    fate.join(WAIT)
    assert deaf.shown == {"s-0": list(range(200))}
    assert healthy.connections == 1
    assert sink.undelivered == 0


def test_a_desktop_that_answers_hello_is_sent_nothing_twice(
    tmp_path: Path, reactor: Reactor, agents: Callable[..., Agent]
):
    agent = agents()  # it never acknowledges, and so says only in `hello` what it has
    settings = quick(agent.url, confirm="ack", drain_timeout=0.3)
    run(DesktopSink({"default": settings}, tmp_path, "w00", reactor), script(2, 3))
    assert len(agent.received) == 6
    assert agent.said_hello == []
    agent.remembers_on_hello = True
    sink = DesktopSink({"default": settings}, tmp_path, "w00", reactor)
    run(sink, script(2, 4))
    turns = [{"session_id": "s-0", "turn": 0}, {"session_id": "s-1", "turn": 0}]
    assert agent.said_hello == [{"type": "hello", "turns": turns}]
    assert len(agent.received) == 8
    assert sink.undelivered == 2


@pytest.mark.parametrize("confirm", ["ack", "pong", "auto"])
def test_after_a_restart_an_unsettled_message_comes_at_once_however_many_are_settled(
    tmp_path: Path, reactor: Reactor, agents: Callable[..., Agent], confirm: str
):
    agent = agents(acks=confirm != "pong")
    settings = quick(agent.url, confirm=confirm, queue=8, drain_timeout=0.0)
    run(DesktopSink({"default": quick(agent.url, confirm=confirm)}, tmp_path, "w00", reactor), script(5, 20))
    agent.die()
    run(DesktopSink({"default": settings}, tmp_path, "w00", reactor), [("default", message("late", 0, final=True))])
    agent.open()
    part = DesktopSink({"default": settings}, tmp_path, "w00", reactor).build_part("deliver", "w00", None)
    agent.wait_for(lambda: agent.shown == {**everything(5, 20), "late": [0]})
    part.close()


def test_a_message_that_waited_comes_within_two_seconds_of_the_desktops_return(
    tmp_path: Path, reactor: Reactor, agents: Callable[..., Agent], monkeypatch: pytest.MonkeyPatch
):
    """The longest back-off there is by default, and a desktop that does not know `hello`."""
    monkeypatch.setattr("connectors.delivery.connection.random.uniform", lambda _, longest: longest)
    agent = agents(acks=True)
    settings = DesktopSettings(url=agent.url, confirm="ack", drain_timeout=0.0)
    agent.die()
    run(DesktopSink({"default": settings}, tmp_path, "w00", reactor), script(1, 1))
    agent.refusals = 5
    agent.open()
    part = DesktopSink({"default": settings}, tmp_path, "w00", reactor).build_part("deliver", "w00", None)
    agent.wait_for(lambda: agent.refusals == 0)
    began = time.monotonic()
    agent.wait_for(lambda: agent.shown == everything(1, 1))
    assert len(agent.said_hello) == 1
    assert time.monotonic() - began < 2
    part.close()


def test_a_desktop_that_has_acknowledged_is_taken_at_that_after_restarts_and_rotations(
    tmp_path: Path, reactor: Reactor, agents: Callable[..., Agent]
):
    """`auto`: by pongs the first message after each restart was lost by a desktop that died with it unread."""
    agent = agents(acks=True)
    settings = quick(agent.url, drain_timeout=0.0)
    run(DesktopSink({"default": quick(agent.url)}, tmp_path, "w00", reactor, segment_bytes=2_000), script(1, 100))
    sink = DesktopSink({"default": quick(agent.url)}, tmp_path, "w00", reactor, segment_bytes=2_000)
    run(sink, [("default", message("more", 0, final=True))])  # by now all of the first segment is settled
    assert not (tmp_path / "delivery-w00-00000001.jsonl").exists()
    for number in range(3):
        agent.listen(False)
        sink = DesktopSink({"default": settings}, tmp_path, "w00", reactor, segment_bytes=500)
        before = agent.connections
        part = sink.build_part("deliver", "w00", None)
        agent.wait_for(lambda before=before: agent.connections > before)
        part.write_batch([[("default", message(f"late-{number}", 0, final=True))]])
        until(lambda sink=sink: sink.status()["default"].under_way == 1)
        agent.die()  # what it was sent lies unread
        before = agent.connections  # a slow handshake has another beside it: there may be more than one
        agent.open()
        agent.wait_for(lambda before=before: agent.connections > before)
        agent.listen()
        agent.wait_for(lambda number=number: f"late-{number}" in agent.shown)
        until(lambda sink=sink: not sink.undelivered)
        part.close()
        assert [fact.how for fact in facts(tmp_path) if fact.session_id == f"late-{number}"] == ["ack"]
        assert agent.said_hello[-1] == {"type": "hello", "turns": [{"session_id": f"late-{number}", "turn": 0}]}


def test_a_redirect_is_not_followed_and_named_with_its_remedy(
    tmp_path: Path, reactor: Reactor, agents: Callable[..., Agent]
):
    other = agents(acks=True)
    agent = agents(leads_to=other.url)
    sink = DesktopSink({"default": quick(agent.url, drain_timeout=0.2)}, tmp_path, "w00", reactor)
    run(sink, script(1, 3))
    assert (other.connections, other.received) == (0, [])
    assert "redirect (HTTP 302), and none is followed; set desktops.default.url to where" in str(sink.failure())
    assert sink.undelivered == 3


def test_a_desktop_that_is_away_is_logged_once_and_once_that_it_is_back(
    tmp_path: Path, reactor: Reactor, agents: Callable[..., Agent], caplog: pytest.LogCaptureFixture
):
    agent = agents(acks=True, refusals=10)
    sink = DesktopSink({"default": quick(agent.url)}, tmp_path, "w00", reactor)
    run(sink, script(1, 3))
    assert sink.undelivered == 0
    away, back = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert re.fullmatch(r"desktop 'default' at ws://\S+ is away: refused with HTTP 503; .*, and \d messages wait", away)
    assert re.fullmatch(r"desktop 'default' at ws://\S+ is back after \d+\.\d s; \d messages wait", back)


def test_a_setting_alone_does_not_tell_that_a_desktop_acknowledges(
    tmp_path: Path, reactor: Reactor, agents: Callable[..., Agent]
):
    agent = agents()
    first = quick(agent.url, confirm="ack", drain_timeout=0.0)
    run(DesktopSink({"default": first}, tmp_path, "w00", reactor), script(1, 3))
    sink = DesktopSink({"default": quick(agent.url)}, tmp_path, "w00", reactor)
    run(sink, script(1, 4))
    assert sink.undelivered == 0, "by pongs"


def test_a_desktop_whose_connections_break_before_it_acknowledges_moves_on_by_what_it_answers(
    tmp_path: Path, reactor: Reactor
):
    """It did not answer once, and no connection of it ever lives to the end of what is sent ahead."""

    class Breaks(Agent):
        async def _answer_hello(self, connection: ServerConnection, hello: dict[str, Any]) -> None:
            if self.said_hello:
                await super()._answer_hello(connection, hello)
            else:
                self.said_hello.append(hello)

    agent = Breaks(lose_after=4)
    agent.remembers_on_hello = True
    try:
        settings = quick(agent.url, confirm="ack", in_flight=8, hello_timeout=0.05, confirm_timeout=0.5)
        sink = DesktopSink({"default": settings}, tmp_path, "w00", reactor)
        run(sink, script(1, 30))
        assert agent.shown == everything(1, 30)
        assert not sink.undelivered
    finally:
        agent.close()


def test_a_desktop_whose_answer_to_hello_came_late_is_asked_again(tmp_path: Path, reactor: Reactor):
    class Late(Agent):
        async def _answer_hello(self, connection: ServerConnection, hello: dict[str, Any]) -> None:
            self.heard = connection, hello

        async def answer(self) -> None:
            await super()._answer_hello(*self.heard)

    agent = Late()
    agent.remembers_on_hello = True
    settings = quick(agent.url, confirm="ack", hello_timeout=0.02, drain_timeout=0.0)
    run(DesktopSink({"default": settings}, tmp_path, "w00", reactor), script(1, 2))
    sink = DesktopSink({"default": settings}, tmp_path, "w00", reactor)
    part = sink.build_part("deliver", "w00", None)
    try:
        until(lambda: sink.status()["default"].under_way == 2)  # the answer was not waited for any longer
        for count in (1, 2):
            agent._reactor.run(agent.answer())
            until(lambda: not sink.undelivered)
            assert len(agent.said_hello) == count
            if count == 1:
                part.write_batch([[("default", message("s-1", 0))]])
                agent.wait_for(lambda: "s-1" in agent.shown)
                agent.die()
                del agent.heard
                agent.open()
                until(lambda: hasattr(agent, "heard"))
    finally:
        part.close()
        agent.close()


@pytest.mark.parametrize(
    "nonsense",
    [
        "hello",
        b"\xff\x00",
        "[]",
        '{"type":"ack"}',
        '{"type":"ack","session_id":5,"turn":"x","seq":null}',
        '{"type":"ack","session_id":"s-0","turn":0,"seq":1e400}',
        '{"type":"hello","last":7}',
        '{"type":"ack","session_id":"s-0","turn":0,"seq":9223372036854775807}',
        '{"type":"ack","session_id":"nobody","turn":-1,"seq":-1}',
        "[" * 10_000,
    ],
)
def test_nonsense_from_a_desktop_confirms_nothing_and_harms_nobody(
    tmp_path: Path, reactor: Reactor, agents: Callable[..., Agent], nonsense: str | bytes
):
    class Mad(Agent):
        async def _serve(self, connection: ServerConnection) -> None:
            with contextlib.suppress(ConnectionClosed):
                await connection.send(nonsense)
                await super()._serve(connection)

    agent = Mad(acks=True)
    try:
        sink = DesktopSink({"default": quick(agent.url, confirm="ack")}, tmp_path, "w00", reactor)
        run(sink, script(1, 10))
        assert agent.shown == everything(1, 10)
        assert sink.undelivered == 0
    finally:
        agent.close()


def test_a_desktop_that_is_not_a_websocket_is_named_in_the_failure(tmp_path: Path, reactor: Reactor):
    async def start() -> asyncio.Server:
        async def serve_page(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            writer.close()

        return await asyncio.start_server(serve_page, "127.0.0.1", 0)

    server = reactor.run(start())
    url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/agent"
    sink = DesktopSink({"default": quick(url, drain_timeout=0.2)}, tmp_path, "w00", reactor)
    run(sink, script(1, 1))
    assert f"1 for 'default' ({url}: refused with HTTP 404)" in str(sink.failure())
    reactor.call(server.close)


def test_a_message_for_an_unknown_desktop_is_counted_and_the_others_go_on(
    tmp_path: Path, reactor: Reactor, agents: Callable[..., Agent]
):
    agent = agents(acks=True)
    sink = DesktopSink({"default": quick(agent.url)}, tmp_path, "w00", reactor)
    run(sink, script(1, 3, to="nobody") + script(1, 3))
    assert sink.unknown_desktop == 3
    assert agent.shown == everything(1, 3)
    assert sink.failure() is None


def test_the_authorization_goes_into_the_handshake(tmp_path: Path, reactor: Reactor, agents: Callable[..., Agent]):
    agent = agents(acks=True)
    settings = quick(agent.url, authorization=Secret("Bearer x"))
    run(DesktopSink({"default": settings}, tmp_path, "w00", reactor), script(1, 1))
    assert agent.authorizations == ["Bearer x"]


def test_pressure_names_the_desktop_that_falls_behind(tmp_path: Path, reactor: Reactor, agents: Callable[..., Agent]):
    deaf, healthy = agents(deaf=True, acks=True), agents(acks=True)
    told: list[frozenset[str]] = []
    desktops = {
        "deaf": quick(deaf.url, confirm="ack", backlog=50, drain_timeout=0.1),
        "healthy": quick(healthy.url, backlog=1000),
    }
    sink = DesktopSink(desktops, tmp_path, "w00", reactor, on_pressure=told.append)
    assert sink.pressure == set()
    run(sink, script(1, 100, to="deaf") + script(1, 100, to="healthy"))
    assert told == [{"deaf"}]
    assert sink.pressure == {"deaf"}
    assert sink.status()["deaf"].pending == 100


# The sink as Bytewax sees it


def test_building_the_sink_opens_nothing(tmp_path: Path):
    def no_reactor() -> Reactor:
        raise AssertionError

    sink = DesktopSink({"default": quick("ws://127.0.0.1:1/")}, tmp_path / "data", "w00", no_reactor)
    assert sink.list_parts() == ["w00"]
    assert sink.status() == {}
    assert sink.undelivered == 0
    assert not (tmp_path / "data").exists()


def test_keys_go_to_their_own_lane():
    sink = DesktopSink({}, Path("unused"), "w01", Reactor, lanes=["w02", "w00", "w01"])
    assert [sink.part_fn(f"{lane}-15") for lane in ("w00", "w01", "w02")] == [0, 1, 2]
    assert DesktopSink({}, Path("unused"), "w01", Reactor).part_fn("w01-02") == 0


def test_an_error_names_the_step(tmp_path: Path, reactor: Reactor):
    (tmp_path / "delivery-w00-00000001.jsonl").write_bytes(b"not a journal\n")
    sink = DesktopSink({}, tmp_path, "w00", reactor)
    with pytest.raises(BytewaxRuntimeError) as raised:
        run(sink, script(1, 1))
    assert isinstance(raised.value.__cause__, DataDirError)
    assert re.search(r"^step deliver\.desktop: .*line 1 is not a delivery", str(raised.value.__cause__))


def test_a_recovery_store_that_knows_more_than_the_journal_is_refused(tmp_path: Path, reactor: Reactor):
    sink = DesktopSink({}, tmp_path, "w00", reactor)
    with pytest.raises(DataDirError, match=r"step s: .* shorter than the recovery store says"):
        sink.build_part("s", "w00", {"version": 1, "segment": 3, "offset": 0})
    part = sink.build_part("s", "w00", None)  # and the lane is free again
    state = part.snapshot()
    part.close()
    sink.build_part("s", "w00", state).close()


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"url": "http://desk/"}, "url"),
        ({"url": "ws:///path"}, "url"),
        ({"url": "ws://desk:port/"}, "url"),
        ({"url": ""}, "url"),
        ({"url": "ws://desk/#fragment"}, "url"),
        ({"url": "ws://user@desk/"}, "url"),
        ({"format": "text", "confirm": "ack"}, "cannot acknowledge"),
        ({"queue": 0}, "queue"),
        ({"confirm_timeout": 0.0}, "confirm_timeout"),
        ({"drain_timeout": -1.0}, "drain_timeout"),
        ({"reconnect_min": float("nan")}, "reconnect_min"),
    ],
)
def test_settings_out_of_range_are_named(changes: dict[str, Any], complaint: str):
    with pytest.raises(SettingsError, match=complaint):
        DesktopSettings(**{"url": "ws://desk:9000/agent", **changes})


def test_what_customers_read_is_in_no_log(
    tmp_path: Path, reactor: Reactor, agents: Callable[..., Agent], caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.INFO, logger="websockets.server")  # the test's own agent
    agent = agents(acks=True, lose_after=3)
    url = agent.url + "?token=hidden"
    sink = DesktopSink({"default": quick(url, authorization=Secret("hidden"))}, tmp_path, "w00", reactor)
    run(sink, script(1, 8))
    assert "connection lost" in caplog.text
    assert "Sentence" not in caplog.text
    assert "hidden" not in caplog.text


def test_settings_never_print_what_may_be_secret():
    settings = DesktopSettings(url="wss://me:pw@desk:9/a?token=secret", authorization=Secret("Bearer secret"))
    assert repr(settings) == "DesktopSettings(wss://desk:9/a, format='json', confirm='auto')"


# kill -9

CHILD = """
import sys, time
from datetime import timedelta
from pathlib import Path
import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig
from bytewax.errors import BytewaxRuntimeError
from bytewax.testing import TestingSource, cluster_main
from connectors.delivery.settings import DesktopSettings
from connectors.delivery.sink import DesktopSink
from connectors.reactor import Reactor
from connectors.log.records import Message

url, confirm, directory = sys.argv[1:]
pairs = [
    ("default", Message(f"s-{session}", 0, seq, f"Sentence {seq}. ", "sentence", seq == 39, False, seq))
    for seq in range(40) for session in range(10)
]
settings = DesktopSettings(url=url, confirm=confirm, reconnect_min=0.01, reconnect_max=0.05)
sink = DesktopSink({"default": settings}, Path(directory), "w00", Reactor, segment_bytes=20_000)
flow = Dataflow("deliver")
items = op.input("in", flow, TestingSource([("w00-03", pairs[i:i + 5]) for i in range(0, 400, 5)]))
paced = op.map("pace", items, lambda item: time.sleep(0.005) or item)
op.output("desktop", paced, sink)
cluster_main(flow, [], 0, recovery_config=RecoveryConfig(Path(directory) / "recovery"),
             epoch_interval=timedelta(milliseconds=20))
sys.exit(sink.undelivered)
"""


@pytest.mark.parametrize(("confirm", "acks"), [("ack", True), ("pong", False)])
def test_killed_and_started_again_it_loses_nothing_and_shows_nothing_twice(
    tmp_path: Path, agents: Callable[..., Agent], confirm: str, acks: bool
):
    from bytewax.recovery import init_db_dir

    (tmp_path / "recovery").mkdir()
    init_db_dir(tmp_path / "recovery", 1)
    agent = agents(acks=acks)
    kills = 0

    def start() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", CHILD, agent.url, confirm, str(tmp_path)]
        return subprocess.Popen(command, cwd=Path(__file__).parent.parent)

    for count in (20, 90, 91, 250):
        child = start()
        try:
            agent.wait_for(lambda count=count: len(agent.received) >= count)
        finally:
            os.kill(child.pid, signal.SIGKILL)
            kills += child.wait(WAIT) == -signal.SIGKILL
    child = start()
    assert child.wait(WAIT) == 0
    assert kills == 4
    agent.wait_for(lambda: agent.shown == everything(10, 40))
    assert len(set(agent.received)) == 400, "one name, two texts"
    if confirm == "pong":  # one message of a session is under way at a time, so a kill can repeat only that one
        came = Counter(json.loads(said)["session_id"] for said in agent.received)
        assert max(came.values()) <= 40 + kills
