"""Everything that was shown, stored and counted, against the truth.

Rules
- A session's text is compared as its desktop showed it; where texts have no names, or may be lost, as it was stored.
- What came to each desktop is compared with what was stored for it, service by service, by the desktop's promise.
- Of each desktop that names what it got, a name has one text, for ever.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from connectors.log.files import LogReader, parse_created
from connectors.simulator.desktop import AgentDesktop, Received
from flows.settings import Settings, load
from tests.system.harness.delivered import read
from tests.system.harness.desktops import DESKTOPS
from tests.system.harness.driver import Driver
from tests.system.harness.lateness import LATE, Arrival, waits
from tests.system.harness.plan import Session
from tests.system.harness.report import Report
from tests.system.harness.rows import not_alike, rows_of
from tests.system.harness.stored import Message, Name, Stored
from tests.system.harness.truth import Logged, dialog_difference, difference, logged_of, truth_of
from tests.system.harness.world import World

SHOWN_LATE = 5
"""Late messages of a desktop that are named; the others are counted."""


class Times(NamedTuple):
    """How one lane's log time lies on the monotonic clock."""

    created: float

    @classmethod
    def of(cls, log: Path, offset: float) -> Times:
        """`offset`: the monotonic clock less the wall clock."""
        return cls(parse_created(LogReader(log).header).timestamp() + offset)

    def at(self, t: int) -> float:
        return self.created + t / 1_000_000


def compare(report: Report, world: World, drivers: Iterable[Driver], data_dir: Path, offset: float) -> None:
    """Fill the report. `offset`: the monotonic clock less the wall clock."""
    drivers = list(drivers)
    names: set[Name] = set()
    for name, count in Counter(world.cxone.counts + world.cognigy.counts).items():
        if name.startswith(("drop_", "status_4", "status_5")) or name in ("continuations", "gone"):
            report.faults[name] = count
    report.faults["desktop connections"] = sum(each.counts["connections"] for each in world.desktops.values())
    report.contradictions = sum(each.counts["contradictions"] for each in world.desktops.values())
    if report.contradictions:
        report.differences.append(f"{report.contradictions} messages came with another text than before")
    rows = rows_of(report, data_dir)
    sessions = [each for driver in drivers for each in driver.sessions]
    report.sessions = len(sessions)
    for driver in drivers:
        stored = driver.stored
        vendor = driver.service.vendor
        log = data_dir / "log" / vendor
        settings = load(driver.service.settings, {}, vendor=vendor)
        logged = logged_of(log, driver.sessions)
        names |= set(stored.messages)
        for session in driver.sessions:
            turn = rows["turns"].get((session.name, 0))
            if wrong := _session_difference(report, world, session, turn, stored, settings, logged.get(session.name)):
                report.differences.append(f"{session.name} ({session.desktop}, {session.ids} ids): {wrong}")
        times = Times.of(log, offset)
        for name in world.desktops:
            _compare_desktop(report, world, name, driver, times)
    report.messages = len(names)
    report.differences += not_alike("messages", set(rows["messages"]), names)
    report.differences += not_alike("deliveries", {name[1:] for name in rows["deliveries"]}, names)
    report.differences += not_alike("turns", set(rows["turns"]), {(each.name, 0) for each in sessions})


def _session_difference(
    report: Report,
    world: World,
    session: Session,
    turn: dict[str, Any] | None,
    stored: Stored,
    settings: Settings,
    logged: Logged | None,
) -> str:
    """How a session is not what it must be; empty where it is."""
    kind = DESKTOPS[session.desktop]
    nameless = kind.text or kind.promise.loses
    if not (stored.is_done(session.name) if nameless else world.is_whole(session)):
        return "messages are missing"
    if turn is None:
        return "its turn has no row"
    desktop = world.desktops[session.desktop]
    shown = stored.transcript(session.name) if nameless else desktop.transcript(session.name)
    truth = truth_of(session, turn, settings, logged)
    wrong = truth.wrong or difference(shown, truth)
    if not wrong and turn["moderation_blocks"] != truth.findings:
        wrong = f"{turn['moderation_blocks']} findings counted, {truth.findings} made"
    if wrong:
        return wrong
    finished = turn["outcome"] == "finished"
    report.whole += finished
    report.cut += not finished
    return dialog_difference(session, shown, world.cognigy)


def _compare_desktop(report: Report, world: World, name: str, driver: Driver, times: Times) -> None:
    """What came to one desktop from one service."""
    kind, desktop, vendor = DESKTOPS[name], world.desktops[name], driver.service.vendor
    came = _connections(desktop, vendor)
    messages = [each for each in driver.stored.of(name) if not kind.text or each.text]
    arrivals = []
    if kind.promise.again is None:
        first: dict[object, float] = {}
        for each in (each for connection in came for each in connection):
            first.setdefault(_item(each, kind.text), each.at)
        _count(report.again, name, sum(map(len, came)) - len(first))
        report.differences += _out_of_order(name, first)
        arrivals = [(each, first[each.name]) for each in messages if each.name in first]
    else:
        for mine, own in _in_order(messages, came, kind.text):  # between sessions there is none
            items = [[_item(each, kind.text) for each in connection] for connection in own]
            reading = read([each.text if kind.text else each.name for each in mine], items, kind.promise)
            _count(report.again, name, reading.again)
            if reading.wrong:
                report.differences.append(f"{vendor} to {name}: {reading.wrong}")
            at: dict[int, float] = {}
            for connection, places in zip(own, reading.places, strict=False):
                for each, place in zip(connection, places, strict=True):
                    at.setdefault(place, each.at)
            arrivals += [(mine[place], moment) for place, moment in at.items()]
    _compare_times(report, world, name, driver, times, arrivals)


def _compare_times(
    report: Report, world: World, name: str, driver: Driver, times: Times, arrivals: list[tuple[Message, float]]
) -> None:
    desktop = world.desktops[name]
    listened = [[world.made + begin, world.made + end] for begin, end in desktop.listened]
    waited = sorted(
        waits(
            [Arrival(each.name, times.at(each.t), world.made + came) for each, came in arrivals],
            driver.lives,
            listened,
            [world.made + each.at for each in desktop.received],
            desktop.behaviour.slow,
        ),
        key=lambda wait: -wait[0],
    )
    if waited:
        report.latest[name] = max(report.latest.get(name, 0.0), waited[0][0])
    late = [wait for wait in waited if wait[0] > LATE]
    for wait, message in late[:SHOWN_LATE]:
        report.differences.append(f"{message} waited {wait:.1f} s for {name}")
    if len(late) > SHOWN_LATE:
        report.differences.append(f"{len(late) - SHOWN_LATE} more messages waited over {LATE:g} s for {name}")


def _connections(desktop: AgentDesktop, vendor: str) -> list[list[Received]]:
    """What came over each connection of one service, `hello` left out."""
    found: dict[int, list[Received]] = defaultdict(list)
    for each in desktop.received:
        if desktop.paths[each.connection] == f"/{vendor}" and not each.raw.startswith('{"type":"hello"'):
            found[each.connection].append(each)
    return [found[number] for number in sorted(found)]


def _in_order(
    messages: list[Message], came: list[list[Received]], text: bool
) -> Iterator[tuple[list[Message], list[list[Received]]]]:
    """What was stored and what came of it over each connection, by session; of plain text, which names none, in all."""
    if text:
        yield messages, came
        return
    sessions = [[json.loads(each.raw)["session_id"] for each in connection] for connection in came]
    for name in dict.fromkeys(message.name[0] for message in messages):
        mine = [message for message in messages if message.name[0] == name]
        yield (
            mine,
            [
                [each for each, session in zip(connection, names, strict=True) if session == name]
                for connection, names in zip(came, sessions, strict=True)
            ],
        )


def _item(received: Received, text: bool) -> object:
    if text:
        return received.raw
    message = json.loads(received.raw)
    return message["session_id"], message["turn"], message["seq"]


def _out_of_order(name: str, first: dict[object, float]) -> Iterator[str]:
    """Messages that overtook an earlier one of their turn."""
    last: dict[object, int] = {}
    for each in first:
        assert isinstance(each, tuple)
        turn, seq = each[:2], each[2]
        if seq != last.get(turn, -1) + 1:
            yield f"{each} came to {name} while {last.get(turn, -1) + 1} should have been next"
        last[turn] = seq


def _count(counts: dict[str, int], name: str, more: int) -> None:
    counts[name] = counts.get(name, 0) + more
