"""What goes over the wire to an agent's desktop beside the messages: the connection, as a real desktop sees it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve

from connectors.delivery.settings import DesktopSettings
from connectors.delivery.sink import DesktopSink
from connectors.log.records import Message
from connectors.reactor import Reactor
from connectors.simulator import AgentDesktop, Behaviour
from tests.conftest import OtherSide, corpus_of

WITHIN = 20.0
WORDS = [f"Sentence {number} of several. " for number in range(6)]


def message(seq: int) -> Message:
    return Message("s", 0, seq, f"{seq}. ", "sentence", final=False, fallback=False, t=seq)


@contextmanager
def delivering(reactor: Reactor, folder: Path, url: str, count: int, **settings: Any) -> Iterator[DesktopSink]:
    """A sink that was given so many messages, and is closed in the end."""
    sink = DesktopSink({"default": DesktopSettings(url=url, **settings)}, folder, "w00", reactor)
    part = sink.build_part("desktops", "w00", None)
    part.write_batch([[("default", message(seq)) for seq in range(count)]])
    try:
        yield sink
    finally:
        part.close()


def test_the_connection_outlives_the_vendors_drops_and_is_not_compressed(
    other_side: Callable[..., OtherSide], tmp_path: Path
) -> None:
    offered: list[str] = []
    side = other_side(corpus_of(WORDS), "drop=rst@1,drop=fin@3,drop=end@4")
    process = side.desktop._process_request

    def note(connection: ServerConnection, request: Any) -> Any:
        offered.append(request.headers.get("Sec-WebSocket-Extensions", ""))
        return process(connection, request)

    side.desktop._process_request = note  # type: ignore[method-assign] # the simulator is asked for what it was offered
    side.reactor.run(_renewed(side.desktop))
    side.run(tmp_path, "s", cxone={"retry_cap": 0.05})
    assert side.gateway.counts["continuations"] == 3
    assert side.desktop.transcript("s") == "".join(WORDS)
    assert offered == [""]


def test_pings_are_answered_and_sent(tmp_path: Path) -> None:
    reactor = Reactor()
    answered: list[float] = []

    async def ask(socket: ServerConnection) -> None:
        answered.append(await (await socket.ping()))
        await socket.wait_closed()

    async def start() -> Server:
        return await serve(ask, "127.0.0.1", 0, ping_interval=None)

    server = reactor.run(start())
    url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
    with delivering(reactor, tmp_path / "answered", url, 0):
        reactor.run(_until(lambda: bool(answered)))
    reactor.run(_closed(server))
    desktop = AgentDesktop()
    reactor.run(desktop.start())
    with delivering(reactor, tmp_path / "sent", desktop.url, 0, ping_interval=0.05):
        reactor.run(desktop.until(lambda desktop: desktop.counts["pings"] >= 3, WITHIN))
    assert desktop.counts["connections"] == 1
    reactor.run(desktop.close())
    reactor.close()


def test_a_desktop_that_does_not_answer_hello_is_waited_for_once(tmp_path: Path) -> None:
    """It takes messages and acknowledges none, so that each new connection finds it in doubt, and asks.

    Were it waited for each time, the confirmations that are missing would end the connections before any message went.
    """
    reactor, desktop = Reactor(), AgentDesktop(behaviour="ack=0,hello=false,drop=2,drops=4")
    reactor.run(desktop.start())
    quick = {
        "confirm": "ack",
        "hello_timeout": 0.05,
        "reconnect_min": 0.01,
        "reconnect_max": 0.02,
        "drain_timeout": 0.0,
    }
    with delivering(reactor, tmp_path, desktop.url, 3, **quick):
        reactor.run(desktop.until(lambda desktop: desktop.counts["connections"] >= 5, WITHIN))
        reactor.run(desktop.until(lambda desktop: desktop.counts["shown"] == 3, WITHIN))
    assert 1 < desktop.counts["hellos"] <= desktop.counts["connections"]
    reactor.run(desktop.close())
    reactor.close()


def test_a_connection_on_which_nothing_is_confirmed_is_made_anew(tmp_path: Path) -> None:
    """It reads and acknowledges nothing, until it is told to."""
    reactor, desktop = Reactor(), AgentDesktop(behaviour="ack=0,hello=false")
    reactor.run(desktop.start())
    quick = {
        "confirm": "ack",
        "confirm_timeout": 0.1,
        "reconnect_min": 0.01,
        "reconnect_max": 0.02,
        "drain_timeout": 5.0,
    }
    with delivering(reactor, tmp_path, desktop.url, 2, **quick) as sink:
        reactor.run(desktop.until(lambda desktop: desktop.counts["connections"] >= 3, WITHIN))
        assert sink.undelivered == 2
        desktop.behaviour = Behaviour(ack=1)
    assert sink.undelivered == 0
    names = [json.loads(each.raw)["seq"] for each in desktop.received if '"sentence"' in each.raw]
    assert names[:4] == [0, 1, 0, 1], "the same messages again, in their order"
    reactor.run(desktop.close())
    reactor.close()


async def _renewed(desktop: AgentDesktop) -> None:
    """It begins to listen again."""
    desktop.die()
    await desktop.revive()


async def _closed(server: Server) -> None:
    server.close()
    await server.wait_closed()


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WITHIN):
        while not condition():
            await asyncio.sleep(0.01)
