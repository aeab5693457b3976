"""Every fault by itself, and what the agent's desktop shows after it: the transcript, whatever went wrong."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connectors.errors import DeliveryError
from connectors.log.files import LogReader
from connectors.log.records import Record
from connectors.metrics import open_metrics
from connectors.simulator import AgentDesktop, Corpus, TokenStream
from connectors.simulator.http import Exchange, HTTPServer
from connectors.vendors.cxone.contract import Decoder
from flows.steps.events import Text
from flows.steps.reassembly import Reassembly
from tests.callers import serving
from tests.conftest import OtherSide, corpus_of
from tests.system.harness import Service, Session, World, until, write_settings
from tests.test_reserve import fill

Start = Callable[..., OtherSide]

SENTENCES = "The parcel left on Monday. It is in Hamburg now. It arrives at noon. Sign for it."
WORDS = re.findall(r"\S+ ?", SENTENCES)
TEXT = "".join(WORDS)
LONG = re.findall(r"\S+ ", "".join(f"Sentence {n} of an answer with {n * 7} words. " for n in range(12)))
OTHER = "An unexpected error occurred. Please contact support."
QUICK = {"retry_base": 0.01, "retry_cap": 0.05, "max_restarts": 50, "max_retries": 50, "idle_timeout": 0.5}


def holds(desktop: AgentDesktop, session_id: str, text: str) -> None:
    """The session is shown whole, each message once, and its text is this."""
    assert desktop.is_whole(session_id), desktop.transcript(session_id)
    assert desktop.transcript(session_id) == text
    assert desktop.counts["contradictions"] == 0


# What the vendor does.


@pytest.mark.parametrize(
    "faults",
    [
        "drop=fin@3,drop=fin@9",
        "drop=rst@3,drop=rst@9",
        "drop=end@4,drop=end@last",
        "drop=fin@200b",
        "stall=inf@5",
        "stall=inf@0",
        "drop=fin@7,repeat=5",
        "drop=rst@7,repeat=7:ids=new",
        "malformed=garbage@3,malformed=type@5",
        "401=2",
        "429=3:retry-after=0",
        "500=2,503=1",
        "408=2",
        "drop=fin@5:revoke:refuse=0.2",
        "big=1500000@3",
        "pieces=1,split=3",
    ],
)
def test_a_stream_that_goes_wrong_is_shown_whole(faults: str, other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(WORDS), faults)
    resumes = "repeats" if "ids=new" in faults else "auto"
    side.run(tmp_path, "s", cxone={**QUICK, "resumes": resumes})
    holds(side.desktop, "s", TEXT)


def test_tokens_that_the_vendor_never_sends_again_are_not_invented(other_side: Start, tmp_path: Path) -> None:
    """A continuation that begins two tokens too late."""

    async def vendor(exchange: Exchange) -> None:
        if exchange.request.path == "/oauth/token":
            granted = {"access_token": "t", "token_type": "Bearer", "expires_in": 60, "scope": "ai:llm:stream"}
            await exchange.answer(200, json.dumps(granted).encode())
            return
        again = b"continuation_id" in exchange.request.body
        await exchange.begin(200, "text/event-stream", ())
        for number in range(6, len(WORDS)) if again else range(4):
            event = {"token": WORDS[number], "finished": number == len(WORDS) - 1}
            await exchange.send(f"id: c-{number}\ndata: {json.dumps(event)}\n\n".encode())
        if again:
            await exchange.end()
        else:
            await exchange.drop("fin")

    side = other_side(corpus_of(WORDS))
    server = HTTPServer(vendor)
    side.reactor.run(server.listen())
    try:
        side.run(tmp_path, "s", cxone={**QUICK, "base_url": server.url})
    finally:
        side.reactor.run(server.close())
    holds(side.desktop, "s", "".join(WORDS[:4] + WORDS[6:]))


@pytest.mark.parametrize("faults", ["403=1", "drop=error@6", "401=50", "503=50"])
def test_a_stream_that_cannot_be_had_ends_honestly_with_what_came(
    faults: str, other_side: Start, tmp_path: Path
) -> None:
    side = other_side(corpus_of(WORDS), faults)
    side.run(tmp_path, "s", cxone={**QUICK, "max_restarts": 3})
    holds(side.desktop, "s", "".join(WORDS[:6]) if faults.startswith("drop") else "")


def test_a_vendor_whose_oauth_is_down_is_waited_for(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(WORDS), "503=4:on=token")
    with serving(side, tmp_path, cxone={"max_restarts": 50, "retry_base": 0.2, "retry_cap": 1.0}) as service:
        assert service.ask("POST", "/sessions", json={"session_id": "s", "prompt": "stream s"}).status_code == 202
        side.reactor.run(side.desktop.until(lambda desktop: desktop.is_whole("s"), 30))
    holds(side.desktop, "s", TEXT)


# What the desktop does.


@pytest.mark.parametrize(
    "behaviour",
    [
        "drop=2,drops=6,drop-how=rst",
        "drop=2,drops=6,drop-how=fin",
        "drop=2,drops=6,drop-how=close",
        "ack=4,ack-delay=0.05,drop=3,drops=3",
        "ack=0,slow=0.05",
        "hello=false,drop=2,drops=4",
    ],
)
def test_a_desktop_that_flaps_or_crawls_shows_everything(behaviour: str, other_side: Start, tmp_path: Path) -> None:
    """A pong says only that the desktop's library has a message: one that drops them needs to acknowledge."""
    side = other_side(corpus_of(LONG), behaviour=behaviour)
    confirm = "pong" if "ack=0" in behaviour else "ack"
    settings = {"reconnect_min": 0.01, "hello_timeout": 0.2, "drain_timeout": 20.0, "confirm_timeout": 2.0}
    desktops = {"default": {"url": side.desktop.url, "confirm": confirm, **settings}}
    side.run(tmp_path, "s", desktops=desktops)
    holds(side.desktop, "s", "".join(LONG))


# What the machine does: with a process that is killed.


class Scene:
    """One vendor's service over streams of the same tokens, which take their time."""

    def __init__(
        self, folder: Path, vendor: str = "cxone", *, names: int = 1, pace: float = 0.03, tokens: Sequence[str] = LONG
    ) -> None:
        self.vendor = vendor
        self.names = [f"s-{number}" for number in range(names)]
        self.world = World(Corpus(TokenStream(name, tuple(tokens)) for name in self.names), pace)
        self.data_dir = folder / "data"
        self.folder = folder

    def __enter__(self) -> Scene:
        self.world.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self.service.close()
        self.world.__exit__(*error)

    def start(self, **more: dict[str, Any]) -> Service:
        settings = write_settings(self.world, self.data_dir, self.vendor, **more)
        self.service = Service(self.vendor, settings, self.folder / "stderr")
        self.service.start()
        self.service.wait_until_it_listens()
        return self.service

    def begin(self, desktop: str = "acks") -> None:
        for name in self.names:
            until(lambda name=name: self.service.begin(Session(self.vendor, name, f"stream {name}", "", desktop)))

    def until_mid_stream(self) -> None:
        """Something of every stream was logged, and the first message was shown."""
        until(lambda: len(self.frames()) == len(self.names))

    def frames(self) -> set[str]:
        return {record.s for record, _ in LogReader(self.log).read() if record.k == "frame"}

    @property
    def log(self) -> Path:
        return self.data_dir / "log" / self.vendor

    def until_whole(self, desktop: str = "acks", within: float = 60.0) -> None:
        shown = self.world.desktops[desktop]
        until(lambda: all(shown.is_whole(name) for name in self.names), within)

    def holds(self, desktop: str = "acks") -> None:
        for name in self.names:
            holds(self.world.desktops[desktop], name, "".join(LONG))


@pytest.mark.parametrize("desktop", ["acks", "pongs", "slow"])
def test_a_kill_in_the_middle_loses_nothing_whatever_the_desktop_can_say(desktop: str, tmp_path: Path) -> None:
    with Scene(tmp_path) as scene:
        scene.start()
        scene.begin(desktop)
        for shown in (2, 4, 6):
            until(lambda shown=shown: scene.world.desktops[desktop].counts["shown"] >= shown)
            scene.service.kill()
            scene.start()
        scene.until_whole(desktop)
        scene.holds(desktop)


def test_kills_do_not_use_up_the_restarts_that_the_vendors_drops_have(tmp_path: Path) -> None:
    with Scene(tmp_path) as scene:
        scene.start(cxone={"max_restarts": 0})
        scene.begin()
        for shown in (1, 3, 5, 7):
            until(lambda shown=shown: scene.world.desktops["acks"].counts["shown"] >= shown)
            scene.service.kill()
            scene.start(cxone={"max_restarts": 0})
        scene.until_whole()
        scene.holds()


def test_torn_lines_of_log_and_journal_are_cut_off(tmp_path: Path) -> None:
    with Scene(tmp_path) as scene:
        scene.start()
        scene.begin()
        for torn in (
            b'{"t":17',
            b'{"t":99999999999,"s":"s-0","n":0,"k":"frame","d":"{\\"token\\":\\"never',
            b"\x00\xff",
        ):
            scene.until_mid_stream()
            scene.service.kill()
            for path in (sorted(scene.log.glob("*.jsonl"))[-1], *scene.data_dir.glob("delivery/*.jsonl")):
                with path.open("ab") as file:
                    file.write(torn)
            scene.start()
        scene.until_whole()
        scene.holds()


@pytest.mark.parametrize("jump", ["far ahead", "back"])
def test_a_clock_that_jumped_changes_no_text(jump: str, tmp_path: Path) -> None:
    """Ahead: the log has a `t` of thirty years. Back: the log was begun tomorrow."""
    with Scene(tmp_path) as scene:
        scene.start()
        scene.begin()
        scene.until_mid_stream()
        scene.service.kill()
        path = sorted(scene.log.glob("*.jsonl"))[-1]
        lines = path.read_bytes().splitlines(keepends=True)
        if jump == "back":
            created = json.loads(lines[0])["created"]
            path.write_bytes(b"".join([lines[0].replace(created[:4].encode(), b"2091"), *lines[1:]]))
        else:
            with path.open("ab") as file:
                file.write(b'{"t":946080000000000}\n')
        scene.start()
        scene.until_whole()
        scene.holds()
        assert scene.service.terminate() == 0
        times = [record.t for record, _ in LogReader(scene.log).read()]
        assert times == sorted(times)


def test_a_database_that_a_reader_holds_delays_no_text_and_costs_no_row(tmp_path: Path) -> None:
    with Scene(tmp_path) as scene:
        scene.start()
        scene.begin()
        scene.until_mid_stream()
        until((scene.data_dir / "metrics.duckdb").exists)
        with open_metrics(scene.data_dir) as held:
            scene.service.kill()
            scene.start()
            scene.until_whole()
            scene.holds()
            assert scene.service.terminate() == 0
            assert held.sql("SELECT count(*) FROM landed.turns").fetchall() == [(0,)]
        with open_metrics(scene.data_dir) as database:
            count = database.sql("SELECT count(*), count(DISTINCT seq) FROM messages").fetchall()
            turns = database.sql("SELECT session_id, outcome FROM turns").fetchall()
        shown = scene.world.desktops["acks"].counts["shown"]
        assert count == [(shown, shown)]
        assert turns == [("s-0", "finished")]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 megabytes."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("needs the right to mount a tmpfs")
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


def test_on_a_full_disk_what_runs_ends_whole_and_callers_are_told(small_disk: Path, tmp_path: Path) -> None:
    with Scene(tmp_path) as scene:
        scene.data_dir = small_disk / "data"
        scene.data_dir.mkdir()
        service = scene.start(log={"reserve_bytes": 8 << 20})
        scene.begin()
        scene.until_mid_stream()
        fill(small_disk)
        until(lambda: service.ask("POST", "/sessions", {"session_id": "probe", "prompt": "stream s-0"})[0] == 503)
        scene.until_whole()
        scene.holds()
        assert scene.world.desktops["acks"].transcript("late") == ""
        (small_disk / "ballast").unlink()
        late = {"session_id": "late", "prompt": "stream s-0", "desktop": "acks"}
        until(lambda: service.ask("POST", "/sessions", late)[0] == 202)
        until(lambda: scene.world.desktops["acks"].is_whole("late"))
        holds(scene.world.desktops["acks"], "late", "".join(LONG))
        assert service.terminate() == 0


# Repetitions.


def _frame(number: int, token: str) -> Record:
    return Record(0, "s", 0, "frame", id=f"c-{number}", d=json.dumps({"token": token, "finished": False}))


# Stops in order.


def test_text_that_says_again_what_came_before_a_kill_is_kept() -> None:
    """A card number is like that; ids say that all of it is new."""
    tokens = ["Card ", "555", "5", "-", "555", "5", "-", "444", "4", "."]
    core = Reassembly(Decoder())
    shown = ""
    for t, record in enumerate(
        [
            Record(0, "s", 0, "open", d={}),
            *(_frame(number, token) for number, token in enumerate(tokens[:4])),
            Record(0, "s", 0, "open", d={"continuation_id": "c-3"}),
            *(_frame(number, token) for number, token in enumerate(tokens) if number > 3),
            Record(0, "s", 0, "close", d={"reason": "finished"}),
        ]
    ):
        for event in core.feed(msgspec.structs.replace(record, t=t)):
            shown += event.text if type(event) is Text else ""
    assert shown == "".join(tokens)


def test_sigterm_during_a_hundred_streams_is_quick_and_the_next_start_finishes_all(tmp_path: Path) -> None:
    with Scene(tmp_path, names=100, pace=0.1) as scene:
        scene.start()
        scene.begin()
        scene.until_mid_stream()
        begun = time.monotonic()
        assert scene.service.terminate() in (0, DeliveryError.exit_code), "what is not confirmed is sent again"
        assert time.monotonic() - begun < 5
        assert not any(scene.world.desktops["acks"].is_whole(name) for name in scene.names)
        scene.start()
        scene.until_whole()
        scene.holds()


def test_turns_that_cannot_go_on_after_a_stop_end_as_marked_interruptions(tmp_path: Path) -> None:
    with Scene(tmp_path, "cognigy", names=20, pace=0.1) as scene:
        scene.start()
        scene.begin()
        scene.until_mid_stream()
        begun = time.monotonic()
        assert scene.service.terminate() in (0, DeliveryError.exit_code), "what is not confirmed is sent again"
        assert time.monotonic() - begun < 5
        scene.start()
        scene.until_whole()
        desktop = scene.world.desktops["acks"]
        for name in scene.names:
            shown = desktop.transcript(name)
            assert shown.endswith(OTHER)
            assert "".join(LONG).startswith(shown.removesuffix(OTHER))
            assert shown != OTHER, "what had come is shown"
            last = [json.loads(each.raw) for each in desktop.received if json.loads(each.raw)["session_id"] == name][-1]
            assert (last["final"], last["fallback"]) == (True, True)
