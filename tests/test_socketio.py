"""connectors.vendors.cognigy_endpoint.socketio: packets by plain calls, and whatever comes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.vendors.cognigy_endpoint.socketio import Connection, Event, Received, SocketIOError, Version
from tests.conftest import EVALUATION

OPEN = '0{"sid":"x","upgrades":[],"pingInterval":2000,"pingTimeout":3000,"maxPayload":1000000}'


def connected(version: Version = 4) -> Connection:
    core = Connection(version)
    core.receive(OPEN)
    core.receive('40{"sid":"y"}' if version == 4 else "40")
    return core


def test_version_4_asks_for_its_namespace_and_answers_pings() -> None:
    core = Connection(4)
    assert core.receive(OPEN) == Received(reply="40")
    assert not core.connected
    assert core.receive('40{"sid":"y"}') == Received()
    assert (core.connected, core.version, core.interval, core.patience) == (True, 4, 2.0, 5.0)
    assert core.receive("2") == Received(reply="3")
    assert core.receive("2probe") == Received(reply="3probe")
    assert core.beat() is None
    assert core.beat(unread=True) == "3"


def test_version_3_is_connected_by_the_server_and_pings() -> None:
    core = Connection(3)
    assert core.beat() is None
    assert core.receive(OPEN) == Received()
    assert core.receive("40") == Received()
    assert (core.connected, core.version) == (True, 3)
    assert core.beat() == "2"
    assert core.receive("3") == Received()


def test_a_server_that_connects_without_a_sid_speaks_version_3_whatever_was_asked_for() -> None:
    core = Connection(4)
    assert core.receive(OPEN) == Received(reply="40")
    core.receive("40")
    assert (core.connected, core.version, core.beat()) == (True, 3, "2")
    assert core.receive('42["endpoint-ready"]').event == Event("endpoint-ready", None)


EVENTS = [
    ('42["endpoint-ready"]', Event("endpoint-ready", None), None),
    ('420["output",{"text":"a]"}]', Event("output", "0"), "430[]"),
    ('42/,17["finalPing"]', Event("finalPing", "17"), "4317[]"),
    ('421234567890123456["x"]', Event("x", "1234567890123456"), "431234567890123456[]"),
    ('42["a\\"b",1]', Event('a\\"b', None), None),
    ('42 ["output"]', Event("", None), None),
    ("42[7]", Event("", None), None),
    ("423[<!--", Event("", "3"), "433[]"),
    ("42{}", Event("", None), None),
    ('4212345678901234567["x"]', Event("", None), None),
    (f'42["{"x" * 257}"]', Event("", None), None),
    ('42/other,1["output"]', None, None),
    ("431[]", None, None),
    ("6", None, None),
]


@pytest.mark.parametrize(("packet", "event", "acknowledgement"), EVENTS)
def test_an_event_has_a_name_and_what_it_is_acknowledged_by(
    packet: str, event: Event | None, acknowledgement: str | None
) -> None:
    core = connected()
    assert core.receive(packet) == Received(event)
    if event is not None:
        assert core.acknowledge(event) == acknowledgement


def test_what_we_say() -> None:
    core = connected()
    assert core.emit("processInput", {"text": "\ud83d é"}) == '42["processInput",{"text":"\\ud83d \\u00e9"}]'
    assert core.acknowledge(Event("handshake", "0"), {"urlToken": "t"}) == '430[{"urlToken":"t"}]'
    assert core.disconnect() == "41"


REFUSED = [
    ("", "is no packet"),
    ("x", "is no packet"),
    ("\x04", "is no packet"),
    ("5", "is no packet"),
    ("7", "is no packet"),
    ("4", "is no packet"),
    ("4x", "is no packet"),
    ("b4AAEC", "is binary"),
    ('451-["output",{"_placeholder":true,"num":0}]', "is binary"),
    ("461-[]", "is binary"),
    (OPEN, "second open"),
    ("2" + "x" * 126, "a ping has more than 125"),
]


@pytest.mark.parametrize(("packet", "why"), REFUSED)
def test_what_is_not_spoken_here_is_refused_in_words(packet: str, why: str) -> None:
    with pytest.raises(SocketIOError, match=why):
        connected().receive(packet)


@pytest.mark.parametrize(
    ("packet", "why"),
    [
        ("40", "no open"),
        ("2", "no open"),
        ("0", "no JSON"),
        ("0[]", "no JSON"),
        ("0" + "[" * 5_000, "no JSON"),
        ("0" + "x" * 65_537, "65536"),
    ],
)
def test_an_open_comes_first_and_is_one(packet: str, why: str) -> None:
    with pytest.raises(SocketIOError, match=why):
        Connection().receive(packet)


def test_no_event_comes_before_the_connection_nor_anything_after_the_end() -> None:
    core = Connection()
    core.receive(OPEN)
    with pytest.raises(SocketIOError, match="before the connection"):
        core.receive('42["output"]')
    for packet, ended in (("1", "closed"), ("41", "closed"), ('44{"message":"no"}', "refused"), ('44"no"', "refused")):
        core = connected()
        core.receive(packet)
        assert core.ended == ended
        assert core.beat(unread=True) is None
        with pytest.raises(SocketIOError, match="after the end"):
            core.receive("2")


@pytest.mark.parametrize("said", [None, 0, -1, True, "5", [], {"a": 1}])
def test_times_that_are_none_are_the_servers_own_defaults(said: Any) -> None:
    core = Connection()
    core.receive("0" + json.dumps({"pingInterval": said, "pingTimeout": said}))
    assert (core.interval, core.patience) == (25.0, 45.0)


def test_times_are_within_bounds() -> None:
    for said, interval in ((1e-9, 0.01), (1e15, 3600.0)):
        core = Connection()
        core.receive(f'0{{"pingInterval":{said},"pingTimeout":1000}}')
        assert core.interval == interval


PACKETS = st.one_of(
    st.text(),
    st.builds(
        "".join, st.lists(st.sampled_from([*"012346[]{},/", "40", "41", "42", "43", "44", "45", '"a"', "\\", "17"]))
    ),
    st.sampled_from([OPEN, "40", '40{"sid":"y"}', '42["output",{}]', '427["output"]', "41", "2", "3"]),
)


@given(st.sampled_from([3, 4]), st.lists(PACKETS, max_size=8))
def test_whatever_comes_is_read_or_refused_and_nothing_of_it_is_held(version: Version, packets: list[str]) -> None:
    core = Connection(version)
    for packet in packets:
        try:
            received = core.receive(packet)
        except SocketIOError:
            continue
        assert received.reply is None or len(received.reply) <= 126
        assert received.event is None or packet.startswith("42")
    assert sum(len(str(value)) for value in vars(core).values()) < 100


@given(st.sampled_from([3, 4]), st.data())
def test_a_packet_cut_anywhere_never_passes_for_another_event(version: Version, data: st.DataObject) -> None:
    packet = data.draw(st.sampled_from(['420["output",{"type":"output"}]', '42/,5["finalPing",{"type":"regular"}]']))
    whole = connected(version).receive(packet).event
    cut = packet[: data.draw(st.integers(0, len(packet)))]
    try:
        event = connected(version).receive(cut).event
    except SocketIOError:
        return
    assert event is None or event.name in ("", whole.name if whole else "")


CAPTURES = sorted((EVALUATION / "frames").glob("cognigy-v*-on-s*.jsonl"))


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_the_real_clients_said_what_the_core_says(path: Any) -> None:
    """Of each recording, the packets that the vendor's own client sent, but for what is its user's."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    asked = next((line["upgrade"] for line in lines if "upgrade" in line), "")
    core = Connection(3 if "EIO=3" in asked else 4)
    ours, theirs = [], []
    for line in lines:
        packet = line.get("frame")
        if packet is None:
            continue
        if line["dir"] == ">":
            theirs.append(packet)
            continue
        received = core.receive(packet)
        ours += [received.reply] if received.reply else []
        if received.event is not None and (said := core.acknowledge(received.event)):
            ours.append(said)
    spoken = [packet for packet in theirs if not packet.startswith("42") and packet not in ("2", "41")]
    assert ours == spoken
