"""connectors.vendors.cognigy.gateway: the real client against the simulated vendor, with every fault it may have."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from connectors.errors import CredentialsError, InputError, SettingsError, UpstreamError
from connectors.job.job import Outcome
from connectors.log.clock import Clock
from connectors.log.files import LogReader
from connectors.log.lane import Lane
from connectors.log.records import Record, frame, opened
from connectors.log.turns import Turns
from connectors.log.writer import LogWriter
from connectors.secret import Secret
from connectors.simulator import Corpus, TokenStream
from connectors.simulator.vendor import CLIENT_ID, CLIENT_SECRET
from connectors.vendors.cognigy.account import CognigyAccount
from connectors.vendors.cognigy.contract import Decoder
from connectors.vendors.cognigy.gateway import CognigyGateway, _refuses_streaming
from connectors.vendors.cognigy.settings import CognigySettings
from connectors.vendors.cognigy.simulator import SimulatedCognigy
from flows.steps.events import Text
from flows.steps.reassembly import Reassembly
from tests.conftest import EVALUATION

TOKENS = ("Hello", " there", ",", " how", " can", " I", " help", "?")
CORPUS = Corpus([TokenStream("s", TOKENS)])


def settings_for(vendor: SimulatedCognigy, **changed: Any) -> CognigySettings:
    given: dict[str, Any] = {
        "base_url": vendor.url,
        "client_id": CLIENT_ID,
        "client_secret": Secret(CLIENT_SECRET),
        "retry_base": 0.02,
        "connect_timeout": 5.0,
    }
    return CognigySettings(**given | changed)


class Side:
    """A vendor, a client of it, and a lane that logs."""

    def __init__(self, vendor: SimulatedCognigy, folder: Path, settings: CognigySettings) -> None:
        self.vendor = vendor
        self.gateway = CognigyGateway(settings)
        self.folder = folder
        writer = LogWriter(folder, "cognigy")
        self.lane = Lane(writer, Clock(LogReader(folder).created, None), Turns(), max_waiting=1_000_000)

    async def converse(self, session: str = "s", **request: Any) -> Outcome:
        number = self.lane.turns.next_turn(session)
        self.lane.append(opened(session, number, {"dialog_id": session, **request}))
        return await self.gateway.converse(self.lane.turns.open[session, number], self.lane)

    def records(self, session: str = "s") -> list[Record]:
        return [record for record, _ in LogReader(self.folder).read() if record.s == session]

    def text(self, session: str = "s") -> str:
        decoder = Decoder()
        frames = (record.d for record in self.records(session) if record.k == "frame")
        return "".join(token for d in frames for delta in decoder.feed(str(d), None) for token in delta.tokens)

    def kinds(self, session: str = "s") -> list[str]:
        """The problems of a session, and the reason of its close."""
        said = []
        for record in self.records(session):
            if record.k in ("error", "close"):
                assert isinstance(record.d, dict)
                said.append(record.d["kind"] if record.k == "error" else record.d["reason"])
        return said


Against = Callable[..., None]


@pytest.fixture
def against(tmp_path: Path) -> Callable[..., None]:
    """Runs a test against a vendor with faults: `against(test, faults, vendor={...}, **settings)`."""

    def run(
        test: Callable[[Side], Coroutine[Any, Any, None]],
        faults: Any = "",
        corpus: Corpus = CORPUS,
        vendor: dict[str, Any] | None = None,
        **settings: Any,
    ) -> None:
        async def main() -> None:
            async with SimulatedCognigy(corpus, faults=faults, **{"speed": 0, **(vendor or {})}) as simulated:
                side = Side(simulated, tmp_path, settings_for(simulated, **settings))
                try:
                    async with asyncio.timeout(30):
                        await test(side)
                finally:
                    await side.gateway.aclose()
                    side.lane.close()

        asyncio.run(main())

    return run


def test_a_turn_comes_whole_and_finished(against: Against) -> None:
    async def test(side: Side) -> None:
        assert await side.converse() == Outcome("finished")
        assert side.text() == "".join(TOKENS)
        assert side.kinds() == ["finished"]
        assert [request.path for request in side.vendor.requests] == [
            "/api/v2/oauth/token",
            "/api/v2/llm/gateway/config",
            "/api/v2/llm/stream",
        ]
        assert side.vendor.configurations == {
            "s": {
                "streaming": True,
                "model": "gpt-4-turbo",
                "temperature": 0.7,
                "max_tokens": 1024,
                "dialog_id": "s",
            }
        }

    against(test)


WHOLE = [
    "pack=3",
    "pack=100",
    "split=3",
    "pieces=1",
    "finish=last",
    "usage=each",
    "usage=none",
    "malformed=garbage@3",
    "malformed=type@3",
    "malformed=truncated@3",
    "malformed=utf8@3",
    "big=1500000@3",
    "slow=0.001,heartbeat=0.01",
    "latency=0.05",
    "latency=0.05:on=config",
]
"""Faults that are none to a careful client: one attempt is enough."""


@pytest.mark.parametrize("faults", WHOLE)
def test_a_turn_comes_whole_at_once_in_spite_of(faults: str, against: Against) -> None:
    async def test(side: Side) -> None:
        assert await side.converse() == Outcome("finished")
        assert side.text() == "".join(TOKENS)
        assert side.kinds() == ["finished"]
        assert side.vendor.counts["starts"] == 1

    against(test, faults)


AGAIN = [
    ("429=1", ["rate_limited"]),
    ("429=2:retry-after=0", ["rate_limited"] * 2),
    ("429=1:retry-date=0", ["rate_limited"]),
    ("429=1:on=config", ["rate_limited"]),
    ("503=2", ["status"] * 2),
    ("500=1:on=config", ["status"]),
    ("drop=fin@0", ["disconnected"]),
    ("drop=rst@0", ["disconnected"]),
    ("drop=1000@0", ["ended"]),
    ("drop=1001@0", ["ended"]),
    ("drop=1006@0", ["disconnected"]),
    ("drop=1011@0", ["closed"]),
    ("drop=1011@0:times=3", ["closed"] * 3),
    ("drop=fin@20b", ["connect"]),
    ("drop=rst@20b", ["connect"]),
    ("drop=fin@130b", ["disconnected"]),
    ("drop=fin@0:revoke", ["disconnected"]),
]


@pytest.mark.parametrize(("faults", "problems"), AGAIN)
def test_before_any_token_a_turn_is_tried_again_after(faults: str, problems: list[str], against: Against) -> None:
    async def test(side: Side) -> None:
        assert await side.converse() == Outcome("finished")
        assert side.text() == "".join(TOKENS)
        assert side.kinds() == [*problems, "finished"]
        opens = [record.d for record in side.records() if record.k == "open"]
        assert opens == [{"dialog_id": "s"}] + [{}] * len(problems)

    against(test, faults)


@pytest.mark.parametrize(("status", "problem"), [(429, "rate_limited"), (503, "status")])
def test_a_turn_outlives_a_token_endpoint_that_answers(status: int, problem: str, against: Against) -> None:
    async def test(side: Side) -> None:
        assert await side.converse() == Outcome("finished")
        assert set(side.kinds()) == {problem, "finished"}
        assert side.vendor.counts["token_requests"] == 2

    against(test, f"{status}=1:on=token", max_reconnects=1_000, max_retries=1_000, retry_base=0.3)


LOST = [
    ("drop=fin@3", "disconnected", "interrupted", 1006),
    ("drop=rst@3", "disconnected", "interrupted", 1006),
    ("drop=1000@3", "ended", "interrupted", 1000),
    ("drop=1001@3", "ended", "interrupted", 1001),
    ("drop=1006@3", "disconnected", "interrupted", 1006),
    ("drop=1011@3", "closed", "interrupted", 1011),
    ("drop=1000@last", "ended", "interrupted", 1000),
    ("drop=fin@230b", "disconnected", "interrupted", 1006),
    ("drop=error@3", "vendor_error", "vendor_error", None),
    ("big=3000@4", "too_large", "malformed", 1009),
    ("stall=inf@3", "idle_timeout", "timeout", None),
    ("slow=0.1", "overall_timeout", "timeout", None),
]


@pytest.mark.parametrize(("faults", "problem", "reason", "status"), LOST)
def test_once_a_token_came_the_turn_ends_and_what_came_stays_after(
    faults: str, problem: str, reason: str, status: int | None, against: Against
) -> None:
    async def test(side: Side) -> None:
        outcome = await side.converse()
        assert outcome.reason == reason
        assert isinstance(outcome.fault, UpstreamError)
        assert "\n" not in str(outcome.fault)
        assert side.kinds() == [problem, reason]
        assert side.vendor.counts["starts"] == 1
        text = side.text()
        assert text
        assert "".join(TOKENS).startswith(text)
        [noted] = [record.d for record in side.records() if record.k == "error"]
        assert noted == {"kind": problem, "status": status, "retry": 1}

    against(test, faults, idle_timeout=0.25, overall_timeout=0.5, max_message_bytes=2_000)


GIVEN_UP = [
    ("429=9:retry-after=0", "rate_limited", 2),
    ("429=9:retry-after=100", "rate_limited", 1),
    ("429=9:retry-after=0:on=config", "rate_limited", 2),
    ("403=9", "refused", 1),
    ("403=9:on=config", "refused", 1),
    ("403=9:on=token", "refused", 1),
    ("404=9", "refused", 1),
    ("400=9:on=config", "refused", 1),
    ("200=9", "refused", 1),
    ("302=9", "refused", 1),
    ("401=9", "refused", 1),
    ("401=9:on=config", "refused", 1),
    ("drop=error@0", "vendor_error", 1),
    ("drop=1011@0:times=9", "interrupted", 3),
    ("503=9", "interrupted", 3),
    ("latency=9", "timeout", 3),
    ("latency=9:on=config", "timeout", 3),
    ("latency=9:on=token", "timeout", 3),
    ("slow=9", "timeout", 3),
]


@pytest.mark.parametrize(("faults", "reason", "problems"), GIVEN_UP)
def test_without_a_token_a_turn_is_given_up_after(faults: str, reason: str, problems: int, against: Against) -> None:
    async def test(side: Side) -> None:
        outcome = await side.converse()
        assert outcome.reason == reason
        assert side.text() == ""
        assert len(side.kinds()) == problems + 1
        assert side.kinds()[-1] == reason

    against(
        test, faults, max_reconnects=2, max_retries=1, connect_timeout=0.15, idle_timeout=0.15, overall_timeout=20.0
    )


@pytest.mark.parametrize("place", ["token", "config", "start"])
def test_a_scope_that_is_not_granted_is_named(place: str, against: Against) -> None:
    async def test(side: Side) -> None:
        outcome = await side.converse()
        assert isinstance(outcome.fault, CredentialsError)
        assert "llm:stream bot:dialog:write api:access" in str(outcome.fault)

    against(test, f"403=9:on={place}")


@pytest.mark.parametrize("place", ["start", "config"])
def test_a_redirect_is_not_followed_and_says_what_to_set(place: str, against: Against) -> None:
    async def test(side: Side) -> None:
        outcome = await side.converse()
        assert outcome.reason == "refused"
        assert "was answered with a redirect (status 302), and none is followed" in str(outcome.fault)
        assert "set COGNIGY_BASE_URL" in str(outcome.fault)

    against(test, f"302=9:on={place}")


@pytest.mark.parametrize("place", ["start", "config"])
def test_401_refreshes_the_token_and_tries_once_more(place: str, against: Against) -> None:
    async def test(side: Side) -> None:
        assert await side.converse() == Outcome("finished")
        assert side.kinds() == ["finished"]
        assert side.vendor.counts["token_requests"] == 2

    against(test, f"401=1:on={place}")


def test_429_waits_at_least_as_long_as_it_was_told(against: Against) -> None:
    async def test(side: Side) -> None:
        began = time.monotonic()
        assert await side.converse() == Outcome("finished")
        assert time.monotonic() - began >= 1

    against(test, "429=1:retry-after=1")


def test_a_turn_that_429_keeps_waiting_past_its_time_ends_as_rate_limited(against: Against) -> None:
    async def test(side: Side) -> None:
        outcome = await side.converse()
        assert outcome.reason == "rate_limited"
        assert side.text() == ""

    against(test, "429=99", overall_timeout=0.5, max_retries=99)


def test_429_slows_the_whole_account_down(against: Against) -> None:
    async def test(side: Side) -> None:
        await side.converse("a")
        assert side.gateway.gate.limiter.counts["throttled"] == 1
        assert side.gateway.gate.limiter.state.rate is not None

    against(test, {"s": "429=1:retry-after=0"})


def test_a_goodbye_that_takes_too_long_does_not_change_how_the_turn_ended(tmp_path: Path) -> None:
    """A gateway of its own, because the simulated one answers a close at once."""

    async def main() -> None:
        over = asyncio.Event()

        async def serve_stream(socket: ServerConnection) -> None:
            socket.transport.pause_reading()  # the client's close is never seen
            await socket.send('{"tokens":["hi"],"done":true}')
            await over.wait()
            socket.transport.abort()

        async with (
            SimulatedCognigy(CORPUS, speed=0) as vendor,
            serve(serve_stream, "127.0.0.1", 0, ping_interval=None, close_timeout=0) as deaf,
        ):
            side = Side(vendor, tmp_path, settings_for(vendor, overall_timeout=0.3))
            port = next(iter(deaf.sockets)).getsockname()[1]
            side.gateway.account = account = _Elsewhere(side.gateway.settings, f"ws://127.0.0.1:{port}/")
            account.hold()
            try:
                assert await side.converse() == Outcome("finished")
                assert side.kinds() == ["finished"]
            finally:
                over.set()
                await side.gateway.aclose()
                side.lane.close()

    asyncio.run(main())


class _Elsewhere(CognigyAccount):
    """An account whose streams come from another place."""

    def __init__(self, settings: CognigySettings, stream_url: str) -> None:
        super().__init__(settings)
        self._stream_url = stream_url

    @property
    def stream_url(self) -> str:
        return self._stream_url


def test_a_configuration_that_does_not_stream_is_refused(against: Against) -> None:
    async def test(side: Side) -> None:
        outcome = await side.converse()
        assert outcome.reason == "refused"
        assert "streaming" in str(outcome.fault)
        assert side.kinds() == ["no_stream", "refused"]

    against(test, vendor={"streaming": False})


def test_an_answer_to_the_configuration_need_not_speak_of_streaming(against: Against) -> None:
    async def test(side: Side) -> None:
        assert await side.converse() == Outcome("finished")

    against(test, vendor={"streaming": None})


@pytest.mark.parametrize(
    ("body", "refuses"),
    [
        (b'{"streaming":false}', True),
        (b'{"note":"\\ud83d","streaming":false}', True),
        (b'{"streaming":true}', False),
        (b'{"streaming":null}', False),
        (b'{"streaming":"yes"}', False),
        (b"{}", False),
        (b"", False),
        (b"OK", False),
        (b"[false]", False),
        (b'"\xff"', False),
        (b"[" * 5_000, False),
    ],
)
def test_only_a_false_says_that_streaming_was_refused(body: bytes, refuses: bool) -> None:
    assert _refuses_streaming(body) is refuses


@pytest.mark.parametrize("faults", ["raw", "raw,pack=3", "raw,split=3", "raw,split=50"])
def test_bytes_of_a_character_in_several_messages_come_out_as_the_character(against: Against, faults: str) -> None:
    async def test(side: Side) -> None:
        assert await side.converse("bytes") == Outcome("finished")
        records = side.records("bytes")
        assert any(record.b for record in records)
        core = Reassembly(Decoder())
        events = [event for record in records for event in core.feed(record)]
        assert "".join(event.text for event in events if isinstance(event, Text)) == corpus.text("bytes")

    corpus = Corpus.builtin()
    against(test, faults, corpus=corpus)


def test_a_turn_without_a_dialog_is_refused_and_says_what_is_missing(against: Against) -> None:
    async def test(side: Side) -> None:
        outcome = await side.converse(dialog_id=None)
        assert outcome.reason == "refused"
        assert isinstance(outcome.fault, InputError)
        assert "dialog_id" in str(outcome.fault)
        assert side.kinds() == ["no_dialog", "refused"]
        assert not side.vendor.requests

    against(test)


def test_a_hundred_cold_starts_make_one_oauth_call(against: Against) -> None:
    async def test(side: Side) -> None:
        outcomes = await asyncio.gather(*(side.converse(f"s-{number}") for number in range(100)))
        assert outcomes == [Outcome("finished")] * 100
        assert side.vendor.counts["token_requests"] == 1
        assert side.vendor.counts["configurations"] == 100

    against(test, "latency=0.2:on=token")


def test_a_token_that_lives_a_minute_is_not_asked_for_with_every_request(against: Against) -> None:
    async def test(side: Side) -> None:
        for _ in range(5):
            assert await side.converse() == Outcome("finished")
        assert side.vendor.counts["token_requests"] == 1

    against(test, vendor={"declared_ttl": 60})


# Configurations and their order


def paths(vendor: SimulatedCognigy) -> list[str]:
    return [request.path.rpartition("/")[2] for request in vendor.requests if request.path.startswith("/api/v2/llm")]


def test_a_dialog_is_configured_once_for_its_settings(against: Against) -> None:
    async def test(side: Side) -> None:
        for model in (None, None, "gpt-5", "gpt-5", None):
            assert await side.converse(model=model) == Outcome("finished")
        assert side.vendor.counts["configurations"] == 3
        assert side.vendor.configurations["s"]["model"] == "gpt-4-turbo"

    against(test)


def test_two_sessions_of_one_dialog_do_not_race(against: Against) -> None:
    async def test(side: Side) -> None:
        sessions = [side.converse(f"s-{n}", dialog_id="d", model=f"m-{n % 2}") for n in range(20)]
        assert await asyncio.gather(*sessions) == [Outcome("finished")] * 20
        assert paths(side.vendor) == ["config", "stream"] * 20

    against(test, "latency=0.002")


def test_different_dialogs_start_side_by_side(against: Against) -> None:
    async def test(side: Side) -> None:
        sessions = [asyncio.create_task(side.converse(f"s-{n}")) for n in range(5)]
        await side.vendor.until(lambda vendor: paths(vendor).count("config") == 5)
        assert paths(side.vendor).count("stream") == 0
        assert await asyncio.gather(*sessions) == [Outcome("finished")] * 5

    against(test, "latency=0.2:on=config")


def test_one_at_a_time_gives_every_dialog_its_own_stream(against: Against) -> None:
    corpus = Corpus(TokenStream(f"d-{n}", (f"answer {n}", ".")) for n in range(30))

    async def test(side: Side) -> None:
        names = [stream.name for stream in corpus] * 2
        sessions = [side.converse(f"{place}-{name}", dialog_id=name) for place, name in enumerate(names)]
        assert await asyncio.gather(*sessions) == [Outcome("finished")] * 60
        for place, name in enumerate(names):
            assert side.text(f"{place}-{name}") == corpus.text(name)

    against(test, corpus=corpus, one_at_a_time=True)


def test_no_more_dialogs_than_the_bound_are_remembered(against: Against) -> None:
    async def test(side: Side) -> None:
        for name in ("a", "b", "c", "c", "a"):
            assert await side.converse(dialog_id=name) == Outcome("finished")
        assert side.vendor.counts["configurations"] == 4

    against(test, max_dialogs=2)


def test_a_dialog_whose_stream_was_refused_is_configured_again(against: Against) -> None:
    async def test(side: Side) -> None:
        await side.converse()
        await side.converse()
        assert side.vendor.counts["configurations"] == 2

    against(test, {"s": "404=1"})


# Many at once


def test_two_hundred_streams_at_once_are_each_complete_and_in_order(against: Against) -> None:
    corpus = Corpus(TokenStream(f"d-{n}", tuple(f"{n}.{place} " for place in range(50))) for n in range(200))

    async def test(side: Side) -> None:
        sessions = [side.converse(f"s-{n}", prompt=f"stream d-{n}") for n in range(200)]
        assert await asyncio.gather(*sessions) == [Outcome("finished")] * 200
        texts: dict[str, str] = {}
        for record, _ in LogReader(side.folder).read():
            if record.k == "frame":
                [delta] = Decoder().feed(str(record.d), None)
                texts[record.s] = texts.get(record.s, "") + "".join(delta.tokens)
        assert texts == {f"s-{n}": corpus.text(f"d-{n}") for n in range(200)}

    against(test, "pack=3", corpus, vendor={"first_message": True}, template={"prompt": "{prompt}"})


def test_a_turn_that_is_cancelled_while_it_says_goodbye_leaves_no_socket(against: Against) -> None:
    async def test(side: Side) -> None:
        turns = [asyncio.create_task(side.converse(f"s-{n}")) for n in range(5)]
        await side.vendor.until(lambda vendor: vendor.counts["tokens"] == 15)
        for _ in range(2):
            for turn in turns:
                turn.cancel()
            await asyncio.sleep(0)
        await asyncio.gather(*turns, return_exceptions=True)
        await side.vendor.until(lambda vendor: vendor.counts["gone"] == 5, within=1)

    against(test, "stall=inf@3")


def test_fifty_cancelled_turns_leave_no_upstream_socket_behind(against: Against) -> None:
    async def test(side: Side) -> None:
        turns = [asyncio.create_task(side.converse(f"s-{n}")) for n in range(50)]
        await side.vendor.until(lambda vendor: vendor.counts["tokens"] == 150)
        for turn in turns:
            turn.cancel()
        await side.vendor.until(lambda vendor: vendor.counts["gone"] == 50, within=1)
        await asyncio.gather(*turns, return_exceptions=True)

    against(test, "stall=inf@3")


@pytest.mark.skipif(not (EVALUATION / "streams.jsonl").exists(), reason="the evaluation's data is not here")
def test_every_text_stream_of_the_evaluation_passes_to_the_character(against: Against) -> None:
    corpus = Corpus.read(EVALUATION / "streams.jsonl")

    async def test(side: Side) -> None:
        places = asyncio.Semaphore(100)

        async def converse(number: int, name: str) -> Outcome:
            async with places:
                return await side.converse(f"s-{number}", prompt=f"stream {name}")

        outcomes = await asyncio.gather(*(converse(number, name) for number, name in enumerate(corpus.names)))
        assert set(outcomes) == {Outcome("finished")}
        cores: dict[str, Reassembly] = {}
        texts: dict[str, str] = {}
        for record, _ in LogReader(side.folder).read():
            if record.s:
                core = cores.setdefault(record.s, Reassembly(Decoder()))
                pieces = (event.text for event in core.feed(record) if isinstance(event, Text))
                texts[record.s] = texts.get(record.s, "") + "".join(pieces)
        assert not [name for n, name in enumerate(corpus.names) if texts[f"s-{n}"] != corpus.text(name)]

    against(test, "pack=3", corpus, vendor={"first_message": True}, template={"prompt": "{prompt}"})


# The template


def test_nothing_is_sent_without_a_template(against: Against) -> None:
    async def test(side: Side) -> None:
        assert (await side.converse(prompt="hello")).reason == "timeout"
        assert not side.vendor.first_messages

    against(test, vendor={"first_message": True}, idle_timeout=0.1, max_reconnects=0)


def test_a_template_carries_what_the_session_has(against: Against) -> None:
    async def test(side: Side) -> None:
        assert await side.converse(prompt="stream s", language="de") == Outcome("finished")
        assert list(side.vendor.first_messages) == [
            {"prompt": "stream s", "meta": ["s", "0", {"at": "s/de/gpt-4-turbo", "stream": True, "tenant": ""}]}
        ]
        assert side.text() == "".join(TOKENS)

    template = {
        "prompt": "{prompt}",
        "meta": [
            "{session_id}",
            "{turn}",
            {"at": "{dialog_id}/{language}/{model}", "stream": True, "tenant": "{tenant}"},
        ],
    }
    against(test, vendor={"first_message": True}, template=template)


def test_what_a_session_says_is_no_template(against: Against) -> None:
    async def test(side: Side) -> None:
        await side.converse(prompt='{session_id} "}{')
        assert list(side.vendor.first_messages) == [{"prompt": '{session_id} "}{'}]

    against(test, vendor={"first_message": True}, template={"prompt": "{prompt}"})


# The job's part


def test_a_turn_with_tokens_that_a_restarted_job_finds_open_is_interrupted(against: Against) -> None:
    async def test(side: Side) -> None:
        side.lane.append(opened("s", 0, {"dialog_id": "s"}))
        side.lane.append(frame("s", 0, json.dumps({"tokens": ["Hel"], "done": False})))
        assert (await side.gateway.converse(side.lane.turns.open["s", 0], side.lane)).reason == "interrupted"
        assert side.kinds() == ["restarted", "interrupted"]
        assert not side.vendor.requests

    against(test)


def test_a_turn_without_frames_that_a_restarted_job_finds_open_begins_anew(against: Against) -> None:
    async def test(side: Side) -> None:
        side.lane.append(opened("s", 0, {"dialog_id": "s"}))
        assert await side.gateway.converse(side.lane.turns.open["s", 0], side.lane) == Outcome("finished")

    against(test)


def test_the_finishing_message_and_the_close_are_one_write(against: Against) -> None:
    async def test(side: Side) -> None:
        await side.converse()
        assert [record.k for record in side.records()] == ["open", *["frame"] * (len(TOKENS) + 1), "close"]
        assert side.records()[-1].t == side.records()[-2].t

    against(test)


def test_a_cancelled_turn_closes_its_socket_at_once_and_leaves_the_turn_open(against: Against) -> None:
    async def test(side: Side) -> None:
        turn = asyncio.create_task(side.converse())
        await side.vendor.until(lambda vendor: vendor.counts["tokens"] == 3)
        turn.cancel()
        await side.vendor.until(lambda vendor: vendor.requests[-1].ended == "gone", within=1)
        with pytest.raises(asyncio.CancelledError):
            await turn
        assert side.kinds() == []
        assert side.lane.turns.is_open("s")

    against(test, "stall=inf@3")


def test_a_flow_that_falls_behind_pauses_the_socket(tmp_path: Path) -> None:
    corpus = Corpus([TokenStream("s", ("x" * 20_000,) * 2_000)])

    async def main() -> None:
        async with SimulatedCognigy(corpus, speed=0) as vendor:
            side = Side(vendor, tmp_path, settings_for(vendor, idle_timeout=1.0))
            side.lane._max_waiting = 100
            turn = asyncio.create_task(side.converse())
            while not side.lane.pauses:
                await asyncio.sleep(0.01)
            paused = -1
            while paused != (paused := vendor.counts["tokens"]):  # until the sockets' buffers are full
                await asyncio.sleep(0.2)
            assert side.lane.waiting <= 103
            assert paused < 2_000
            while not turn.done():
                side.lane.take(0)
                await asyncio.sleep(0)
            assert turn.result() == Outcome("finished")
            await side.gateway.aclose()
            side.lane.close()

    asyncio.run(main())


def test_a_desktop_that_falls_behind_pauses_the_socket_and_that_is_not_counted_against_the_vendor(
    against: Against,
) -> None:
    async def test(side: Side) -> None:
        side.lane._pressure.update({"default"})
        asyncio.get_running_loop().call_later(1.0, side.lane._pressure.update, ())
        began = time.monotonic()
        assert await side.converse() == Outcome("finished")
        assert time.monotonic() - began >= 1.0
        assert side.lane.pauses == 1
        assert side.text() == "".join(TOKENS)

    against(test, idle_timeout=0.4, overall_timeout=0.8)


def test_what_customers_read_and_the_secrets_are_in_no_log(against: Against, caplog: pytest.LogCaptureFixture) -> None:
    async def test(side: Side) -> None:
        await side.converse(prompt="stream s")
        await side.converse("t", prompt="stream s with drop=1011@3")
        assert side.text("t") == "".join(TOKENS[:3])

    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.INFO, logger="websockets.server")  # the simulator's own
    against(test, vendor={"first_message": True}, template={"prompt": "{prompt}"})
    assert not [word for word in ("Hello", "stream s", "Bearer", CLIENT_SECRET) if word in caplog.text]


# Settings


def test_a_vendor_that_is_not_there_is_named(against: Against) -> None:
    async def test(side: Side) -> None:
        side.vendor.refuse()
        outcome = await side.converse()
        assert outcome.reason == "interrupted"
        assert side.vendor.url.removeprefix("http://") in str(outcome.fault)

    against(test, max_reconnects=1)


def test_check_says_at_once_what_no_turn_could_mend(against: Against) -> None:
    async def test(side: Side) -> None:
        with pytest.raises(CredentialsError, match="COGNIGY_CLIENT_ID"):
            await side.gateway.check()

    against(test, client_secret=Secret("wrong"))


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({}, "COGNIGY_CLIENT_ID"),
        ({"client_id": "i", "client_secret": Secret("s")}, "environment"),
        ({"client_id": "i", "client_secret": Secret("s"), "base_url": "https://u:p@a"}, "cognigy.base_url"),
    ],
)
def test_settings_that_lead_nowhere_are_refused_at_the_start(changed: dict[str, Any], named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        CognigyGateway(CognigySettings(**changed))


def test_the_address_is_made_of_the_environment() -> None:
    account = CognigyAccount(CognigySettings(environment="acme-trial"))
    assert account.stream_url == "wss://acme-trial.cognigy.ai/api/v2/llm/stream"
    assert account.variables_url("a/b c?#%é") == (
        "https://acme-trial.cognigy.ai/api/v2/bot/dialog/a%2Fb%20c%3F%23%25%C3%A9/variables"
    )
    assert CognigyAccount(CognigySettings(base_url="http://127.0.0.1:9/")).stream_url == (
        "ws://127.0.0.1:9/api/v2/llm/stream"
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"base_url": "ws://here"},
        {"environment": "a/b"},
        {"temperature": 3},
        {"temperature": float("nan")},
        {"max_tokens": 0},
        {"idle_timeout": -1},
        {"overall_timeout": float("nan")},
        {"max_message_bytes": 0},
        {"template": {"prompt": "{promt}"}},
        {"template": {"a": [{"b": "{secret}"}]}},
    ],
)
def test_settings_out_of_range_are_named(changed: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(changed))):
        CognigySettings(**changed)
