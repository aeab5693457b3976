"""connectors.vendors.cognigy.variables: the real sink in a real dataflow, against the simulated dialog API."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import bytewax.operators as op
import pytest
from bytewax.dataflow import Dataflow
from bytewax.errors import BytewaxRuntimeError
from bytewax.testing import TestingSource, run_main

from connectors.errors import DataDirError
from connectors.log.records import Summary
from connectors.reactor import Reactor
from connectors.secret import Secret
from connectors.simulator.vendor import CLIENT_ID, CLIENT_SECRET
from connectors.vendors.base import DeadLetter
from connectors.vendors.cognigy.account import CognigyAccount
from connectors.vendors.cognigy.settings import CognigySettings, DialogSettings
from connectors.vendors.cognigy.simulator import SimulatedCognigy
from connectors.vendors.cognigy.sink import DialogSink

WAIT = 20.0
Vendors = Callable[..., SimulatedCognigy]


@pytest.fixture
def reactor() -> Iterator[Reactor]:
    reactor = Reactor()
    yield reactor
    reactor.close()


@pytest.fixture
def vendors() -> Iterator[Vendors]:
    """Starts dialog APIs on a reactor of their own: `vendors(faults)`."""
    theirs = Reactor()
    started: list[SimulatedCognigy] = []

    def start(faults: str = "", **options: Any) -> SimulatedCognigy:
        started.append(SimulatedCognigy(faults=faults, **options))
        theirs.run(started[-1].start())
        return started[-1]

    yield start
    for vendor in started:
        theirs.run(vendor.close())
    theirs.close()


def account(vendor: SimulatedCognigy, **changed: Any) -> CognigyAccount:
    given = {"base_url": vendor.url, "client_id": CLIENT_ID, "client_secret": Secret(CLIENT_SECRET)}
    return CognigyAccount(CognigySettings(**{**given, **changed}))


def quick(**changed: Any) -> DialogSettings:
    return DialogSettings(**{"retry_base": 0.01, **changed})


def update(number: int, turn: int = 0, dialog: str | None = None, response: str | None = None) -> Summary:
    text = f"Answer {number}, turn {turn}. " if response is None else response
    return Summary(0, f"s-{number}", turn, dialog or f"d-{number}", text, 12, turn, 12 + turn)


def run(sink: DialogSink, updates: Sequence[Summary], batch: int = 7) -> None:
    flow = Dataflow("variables")
    items = [("w00-03", updates[start : start + batch]) for start in range(0, len(updates), batch)]
    op.output("dialog", op.input("in", flow, TestingSource(items)), sink)
    run_main(flow)


def sink_for(
    vendor: SimulatedCognigy,
    directory: Path,
    reactor: Reactor,
    told: list[DeadLetter] | None = None,
    **changed: Any,
) -> DialogSink:
    tell = None if told is None else told.append
    return DialogSink(account(vendor), quick(**changed), directory, "w00", reactor, on_dead_letter=tell)


def values(number: int, turn: int = 0) -> dict[str, Any]:
    return {
        "llm_response": f"Answer {number}, turn {turn}. ",
        "llm_prompt_tokens": 12,
        "llm_completion_tokens": turn,
        "llm_total_tokens": 12 + turn,
    }


def test_every_dialog_gets_its_four_variables_once(tmp_path: Path, reactor: Reactor, vendors: Vendors) -> None:
    vendor = vendors()
    sink = sink_for(vendor, tmp_path, reactor)
    run(sink, [update(number) for number in range(100)])
    assert vendor.variables == {f"d-{number}": [values(number)] for number in range(100)}
    assert vendor.counts["token_requests"] == 1
    assert vendor.counts["status_201"] == 100
    assert sink.undelivered == 0
    assert sink.failure() is None
    assert sink.counts == {"posted": 100, "delivered": 100}


def test_an_update_that_is_offered_again_is_posted_once(tmp_path: Path, reactor: Reactor, vendors: Vendors) -> None:
    vendor = vendors()
    run(sink_for(vendor, tmp_path, reactor), [update(0), update(0), update(1), update(0)])
    run(sink_for(vendor, tmp_path, reactor), [update(0), update(1)])
    assert vendor.variables == {"d-0": [values(0)], "d-1": [values(1)]}


def test_turns_of_one_dialog_are_set_in_their_order_whatever_happens(
    tmp_path: Path, reactor: Reactor, vendors: Vendors
) -> None:
    vendor = vendors("503=4:on=dialog,latency=0.001:on=dialog")
    run(sink_for(vendor, tmp_path, reactor, max_retries=20), [update(0, turn) for turn in range(30)])
    assert vendor.variables == {"d-0": [values(0, turn) for turn in range(30)]}


@pytest.mark.parametrize("dialog", ["a/b", "a b", "../../oauth", "a?b#c", "%2e%2e", "é日", "a" * 300, "...x"])
def test_a_dialog_id_reaches_the_vendor_as_it_is(
    dialog: str, tmp_path: Path, reactor: Reactor, vendors: Vendors
) -> None:
    vendor = vendors()
    run(sink_for(vendor, tmp_path, reactor), [update(0, dialog=dialog)])
    assert vendor.variables == {dialog: [values(0)]}


@pytest.mark.parametrize("dialog", [".", "..", "..."])
def test_a_dialog_id_that_would_lead_elsewhere_is_a_dead_letter(
    dialog: str, tmp_path: Path, reactor: Reactor, vendors: Vendors
) -> None:
    vendor = vendors()
    told: list[DeadLetter] = []
    run(sink_for(vendor, tmp_path, reactor, told), [update(0, dialog=dialog)])
    assert [letter.reason for letter in told] == ["dialog_id"]
    assert not vendor.requests


def test_any_text_is_a_response(tmp_path: Path, reactor: Reactor, vendors: Vendors) -> None:
    vendor = vendors()
    text = 'say "no"\n\x00\u2028🙂' + "x" * 1_000_000
    run(sink_for(vendor, tmp_path, reactor), [update(0, response=text)])
    assert vendor.variables["d-0"][0]["llm_response"] == text


# When things go wrong


@pytest.mark.parametrize(
    "faults",
    [
        "429=2:on=dialog",
        "429=1:on=dialog:retry-after=0",
        "429=1:on=dialog:retry-date=0",
        "500=2:on=dialog",
        "503=2:on=dialog:retry-after=0",
        "408=1:on=dialog",
        "401=1:on=dialog",
        "429=1:on=token",
        "503=1:on=token",
    ],
)
def test_an_update_is_tried_again_after(faults: str, tmp_path: Path, reactor: Reactor, vendors: Vendors) -> None:
    vendor = vendors(faults)
    told: list[DeadLetter] = []
    sink = sink_for(vendor, tmp_path, reactor, told, max_retries=100, retry_base=0.2)
    run(sink, [update(0)])
    assert vendor.variables == {"d-0": [values(0)]}
    assert told == []
    assert sink.undelivered == 0


@pytest.mark.parametrize(
    ("faults", "reason", "posted"),
    [
        ("400=9:on=dialog", "status_400", 1),
        ("403=9:on=dialog", "status_403", 1),
        ("404=9:on=dialog", "status_404", 1),
        ("401=9:on=dialog", "status_401", 1),
        ("302=9:on=dialog", "status_302", 1),
        ("500=9:on=dialog", "status_500", 3),
        ("429=9:on=dialog:retry-after=0", "rate_limited", 3),
        ("429=9:on=dialog:retry-after=1000", "rate_limited", 1),
        ("403=9:on=token", "credentials", 3),
        ("latency=9:on=dialog", "timeout", 3),
    ],
)
def test_an_update_that_cannot_be_delivered_is_told_once_and_never_tried_again(
    faults: str, reason: str, posted: int, tmp_path: Path, reactor: Reactor, vendors: Vendors
) -> None:
    vendor = vendors(faults)
    told: list[DeadLetter] = []
    began = time.time_ns() // 1_000
    sink = sink_for(vendor, tmp_path, reactor, told, max_retries=2, timeout=0.1)
    run(sink, [update(0)])
    [letter] = told
    assert (letter.session_id, letter.turn, letter.reason) == ("s-0", 0, reason)
    assert began <= letter.at <= time.time_ns() // 1_000
    assert sink.counts["posted"] == posted
    assert sink.counts["dead_letters"] == 1
    assert sink.undelivered == 0
    sink = sink_for(vendor, tmp_path, reactor, told)
    run(sink, [update(0)])
    assert sink.counts == {}
    assert len(told) == 1


def test_updates_for_a_vendor_that_is_away_are_stored_said_so_and_set_by_the_next_run(
    tmp_path: Path, reactor: Reactor, vendors: Vendors
) -> None:
    vendor = vendors("503=10000:on=dialog")
    sink = sink_for(vendor, tmp_path, reactor, retry_base=30.0, drain_timeout=0.2)
    run(sink, [update(number) for number in range(5)])
    assert sink.undelivered == 5
    assert f"variables of 5 dialog turns were not set; they are stored in {tmp_path}" in str(sink.failure())
    healthy = vendors()
    sink = sink_for(healthy, tmp_path, reactor)
    run(sink, [update(0)])
    assert healthy.variables == {f"d-{number}": [values(number)] for number in range(5)}
    assert sink.failure() is None


def test_after_a_restart_an_update_that_waits_is_set_at_once_however_many_are_done(
    tmp_path: Path, reactor: Reactor, vendors: Vendors
) -> None:
    run(sink_for(vendors(), tmp_path, reactor), [update(number) for number in range(50)])
    away = vendors("503=10000:on=dialog")
    run(sink_for(away, tmp_path, reactor, retry_base=30.0, drain_timeout=0.0), [update(50)])
    back = vendors()
    part = sink_for(back, tmp_path, reactor, queue=4, parallel=2).build_part("s", "w00", None)
    wait_for(lambda: back.counts["variables"] == 1)
    part.close()
    assert back.variables == {"d-50": [values(50)]}


def test_too_many_waiting_updates_are_dead_letters(tmp_path: Path, reactor: Reactor, vendors: Vendors) -> None:
    vendor = vendors("503=10000:on=dialog")
    told: list[DeadLetter] = []
    sink = sink_for(vendor, tmp_path, reactor, told, keep=10, retry_base=30.0, drain_timeout=0.0)
    run(sink, [update(number) for number in range(15)], batch=1)
    assert [letter.reason for letter in told] == ["queue_full"] * 5
    assert sink.undelivered == 10


def test_a_vendor_that_hangs_never_holds_the_flow_up(tmp_path: Path, reactor: Reactor, vendors: Vendors) -> None:
    vendor = vendors("latency=60:on=dialog")
    sink = sink_for(vendor, tmp_path, reactor, drain_timeout=0.0)
    part = sink.build_part("s", "w00", None)
    begun = threading.Event()

    def write() -> None:
        for number in range(1_000):
            part.write_batch([[update(number)]])
        begun.set()

    writing = threading.Thread(target=write, daemon=True)
    writing.start()
    assert begun.wait(WAIT)
    part.close()
    assert sink.undelivered == 1_000


def test_a_callback_that_fails_stops_nothing(tmp_path: Path, reactor: Reactor, vendors: Vendors) -> None:
    def fail(letter: DeadLetter) -> None:
        raise RuntimeError

    vendor = vendors("404=1:on=dialog")
    sink = DialogSink(account(vendor), quick(parallel=1), tmp_path, "w00", reactor, on_dead_letter=fail)
    run(sink, [update(0), update(1)])
    assert vendor.variables == {"d-1": [values(1)]}
    assert sink.undelivered == 0


def test_what_customers_read_is_in_no_log(
    tmp_path: Path, reactor: Reactor, vendors: Vendors, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    vendor = vendors("404=1:on=dialog")
    run(sink_for(vendor, tmp_path, reactor), [update(0), update(1)])
    assert "could not be set (status_404)" in caplog.text
    assert "Answer" not in caplog.text
    assert CLIENT_SECRET not in caplog.text


# The sink as Bytewax sees it


def test_building_the_sink_opens_nothing_and_needs_no_credentials(tmp_path: Path) -> None:
    def no_reactor() -> Reactor:
        raise AssertionError

    account = CognigyAccount(CognigySettings())
    sink = DialogSink(account, DialogSettings(), tmp_path / "data", "w00", no_reactor)
    assert sink.list_parts() == ["w00"]
    assert sink.undelivered == 0
    assert sink.counts == {}
    assert sink.failure() is None
    assert not (tmp_path / "data").exists()


def test_keys_go_to_their_own_lane() -> None:
    account = CognigyAccount(CognigySettings())
    sink = DialogSink(account, DialogSettings(), Path("unused"), "w01", Reactor, lanes=["w02", "w00", "w01"])
    assert [sink.part_fn(f"{lane}-15") for lane in ("w00", "w01", "w02")] == [0, 1, 2]


def test_an_error_names_the_step(tmp_path: Path, reactor: Reactor, vendors: Vendors) -> None:
    (tmp_path / "delivery-w00-00000001.jsonl").write_bytes(b"not a journal\n")
    with pytest.raises(BytewaxRuntimeError) as raised:
        run(sink_for(vendors(), tmp_path, reactor), [update(0)])
    assert isinstance(raised.value.__cause__, DataDirError)
    assert str(raised.value.__cause__).startswith("step variables.dialog: ")


def test_a_recovery_store_that_knows_more_than_the_journal_is_refused(
    tmp_path: Path, reactor: Reactor, vendors: Vendors
) -> None:
    sink = sink_for(vendors(), tmp_path, reactor)
    with pytest.raises(DataDirError, match=r"step s: .* shorter than the recovery store says"):
        sink.build_part("s", "w00", {"version": 1, "segment": 3, "offset": 0})
    part = sink.build_part("s", "w00", None)
    state = part.snapshot()
    part.close()
    sink.build_part("s", "w00", state).close()


@pytest.mark.parametrize(
    "changed",
    [{"timeout": 0}, {"retry_base": -1}, {"retry_total": float("nan")}, {"max_retries": -1}, {"parallel": 0}],
)
def test_settings_out_of_range_are_named(changed: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(changed))):
        DialogSettings(**changed)


# kill -9

CHILD = """
import sys, time
from datetime import timedelta
from pathlib import Path
import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig
from bytewax.testing import TestingSource, cluster_main
from connectors.vendors.cognigy.account import CognigyAccount
from connectors.vendors.cognigy.settings import CognigySettings
from connectors.vendors.cognigy.settings import DialogSettings
from connectors.vendors.cognigy.sink import DialogSink
from connectors.log.records import Summary
from connectors.reactor import Reactor
from connectors.secret import Secret

url, client, secret, directory = sys.argv[1:]
account = CognigyAccount(CognigySettings(base_url=url, client_id=client, client_secret=Secret(secret)))
updates = [
    Summary(0, f"s-{number}", turn, f"d-{number}", f"Answer {number}, turn {turn}. ", 12, turn, 12 + turn)
    for turn in range(4) for number in range(50)
]
settings = DialogSettings(retry_base=0.01, parallel=4)
sink = DialogSink(account, settings, Path(directory) / "dialog", "w00", Reactor, segment_bytes=5_000)
flow = Dataflow("variables")
items = op.input("in", flow, TestingSource([("w00-03", updates[i:i + 5]) for i in range(0, 200, 5)]))
paced = op.map("pace", items, lambda item: time.sleep(0.01) or item)
op.output("dialog", paced, sink)
cluster_main(flow, [], 0, recovery_config=RecoveryConfig(Path(directory) / "recovery"),
             epoch_interval=timedelta(milliseconds=20))
sys.exit(sink.undelivered)
"""


def test_killed_and_started_again_it_loses_nothing_and_repeats_only_what_was_under_way(
    tmp_path: Path, vendors: Vendors
) -> None:
    from bytewax.recovery import init_db_dir

    (tmp_path / "recovery").mkdir()
    init_db_dir(tmp_path / "recovery", 1)
    vendor = vendors("latency=0.002:on=dialog")

    def start() -> subprocess.Popen[bytes]:
        arguments = [vendor.url, CLIENT_ID, CLIENT_SECRET, str(tmp_path)]
        return subprocess.Popen([sys.executable, "-c", CHILD, *arguments], cwd=Path(__file__).parent.parent)

    kills = 0
    for count in (10, 60, 61, 120):
        child = start()
        try:
            wait_for(lambda count=count: vendor.counts["variables"] >= count)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child.pid, signal.SIGKILL)
            kills += child.wait(WAIT) == -signal.SIGKILL
    child = start()
    assert child.wait(WAIT) == 0
    assert kills == 4
    repeated = 0
    for number in range(50):
        sets = vendor.variables[f"d-{number}"]
        once = [each for place, each in enumerate(sets) if place == 0 or each != sets[place - 1]]
        assert once == [values(number, turn) for turn in range(4)]
        repeated += len(sets) - 4
    assert repeated <= 4 * kills  # parallel = 4


def wait_for(happened: Callable[[], bool]) -> None:
    """A state in another process: it can only be asked for."""
    until = time.monotonic() + WAIT
    while not happened():
        assert time.monotonic() < until
        time.sleep(0.002)
