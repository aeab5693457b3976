"""Socket.IO over one WebSocket, as a client speaks it. A core: packets in, packets out, no I/O and no clock.

Rules (Engine.IO 3 and 4 with Socket.IO 4 and 5 in them; the default namespace, over WebSocket alone)
- A WebSocket message is one packet: a digit of Engine.IO's (0 open, 1 close, 2 ping, 3 pong, 4 message, 6 nothing), and
  behind a 4 one of Socket.IO's (0 connect, 1 disconnect, 2 event, 3 acknowledgement, 4 refusal; 5 and 6 are binary).
- `0{…}` comes first, and once. In version 4 we then ask for the namespace, and `40{"sid":…}` connects us; in version 3
  the server does so unasked. One that connects us without a sid speaks version 3, whatever it was asked for.
- Version 4's pings are the server's, and answered at once; version 3's are ours (`beat`). No packet at all within an
  interval and the timeout after it (`patience`) is a dead connection.
- An event with an id behind the 42 waits for an acknowledgement. Whoever keeps the event gives it, when it is kept.
- Binary packets and messages are refused. Events of other namespaces, and acknowledgements, since we ask for none, are
  passed over.
- Nothing is held from one packet to the next, so that all there is to bound is in a packet: its length, by the
  WebSocket, that of an open (`MAX_OPEN`), a ping's data (`MAX_PING`), an id and a name. What is beyond is refused.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final, Literal, NamedTuple

import msgspec

Version = Literal[3, 4]

MAX_OPEN: Final = 65_536
MAX_PING: Final = 125
MAX_NAME: Final = 256

INTERVAL: Final = 25.0
TIMEOUT: Final = 20.0
"""Seconds between pings, and for the answer to one, of a server that says nothing usable of them: its own defaults."""
SHORTEST: Final = 0.01
LONGEST: Final = 3_600.0

_MESSAGE: Final = re.compile(r"4([0-6])(?:(/[^,\[{]*),?)?(.*)", re.DOTALL)
_EVENT: Final = re.compile(rf'([0-9]{{0,16}})\[\s*(?:"((?:[^"\\]|\\.){{0,{MAX_NAME}}})")?')


class SocketIOError(Exception):
    """What came is no Socket.IO as it is spoken here. The words hold nothing of it."""


class Event(NamedTuple):
    """An event that the server emitted.

    name    "" where the packet is broken
    ack     the id to acknowledge it by, None where nobody waits for that
    """

    name: str
    ack: str | None


class Received(NamedTuple):
    """What a packet was: an event, or a reason to send something at once, or neither."""

    event: Event | None = None
    reply: str | None = None


class _Open(msgspec.Struct):
    """What an open says of pings, in milliseconds."""

    pingInterval: Any = None  # noqa: N815  # the protocol's name
    pingTimeout: Any = None  # noqa: N815  # the same


class Connection:
    """One connection, from its open on.

    version    that of Engine.IO: what was asked for, then what the server turned out to speak
    interval   seconds between pings
    patience   seconds without a packet after which it is dead
    connected  events may come and go
    ended      why nothing comes any more: the server said that it is `closed`, or `refused` us
    """

    def __init__(self, version: Version = 4) -> None:
        self.version: Version = version
        self.interval = INTERVAL
        self.patience = INTERVAL + TIMEOUT
        self.connected = False
        self.ended: Literal["", "closed", "refused"] = ""
        self._opened = False

    def receive(self, packet: str) -> Received:
        """Take a packet. Raises SocketIOError."""
        if self.ended:
            raise SocketIOError("a packet came after the end")
        kind, rest = packet[:1], packet[1:]
        if kind == "0":
            return self._open(rest)
        if not self._opened:
            raise SocketIOError("the first packet is no open")
        if kind == "1":
            self.ended = "closed"
        elif kind == "2":
            if len(rest) > MAX_PING:
                raise SocketIOError(f"a ping has more than {MAX_PING} characters")
            return Received(reply="3" + rest)
        elif kind == "4":
            return self._message(packet)
        elif kind not in ("3", "6"):
            raise SocketIOError("a message is no packet" if kind != "b" else "a packet is binary")
        return Received()

    def beat(self, *, unread: bool = False) -> str | None:
        """What to send now that an interval has gone by.

        unread  nothing is read at the moment: a ping may wait, whose answer shall not
        """
        if not self._opened or self.ended:
            return None
        if self.version == 3:
            return "2"
        return "3" if unread else None

    def emit(self, name: str, *data: object) -> str:
        """The packet of an event of ours."""
        return "42" + json.dumps([name, *data], separators=(",", ":"))

    def acknowledge(self, event: Event, *data: object) -> str | None:
        """The packet that acknowledges an event; None where nobody waits for it."""
        if event.ack is None:
            return None
        return f"43{event.ack}" + json.dumps(data, separators=(",", ":"))

    def disconnect(self) -> str:
        """The packet that says goodbye."""
        return "41"

    def _open(self, said: str) -> Received:
        if self._opened:
            raise SocketIOError("a second open came")
        if len(said) > MAX_OPEN:
            raise SocketIOError(f"the open has more than {MAX_OPEN} characters")
        try:
            opened = msgspec.json.decode(said, type=_Open)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            raise SocketIOError("the open is no JSON object") from None
        self._opened = True
        self.interval = _seconds(opened.pingInterval, INTERVAL)
        self.patience = self.interval + _seconds(opened.pingTimeout, TIMEOUT)
        return Received(reply="40" if self.version == 4 else None)

    def _message(self, packet: str) -> Received:
        found = _MESSAGE.fullmatch(packet)
        if found is None:
            raise SocketIOError("a message is no packet")
        kind, namespace, rest = found.groups()
        if kind in "56":
            raise SocketIOError("an event is binary")
        if namespace not in (None, "/"):
            return Received()
        if kind == "0":
            if not self.connected and '"sid"' not in rest:
                self.version = 3
            self.connected = True
        elif kind == "1":
            self.ended = "closed"
        elif kind == "4":
            self.ended = "refused"
        elif kind == "2":
            return Received(self._event(rest))
        return Received()

    def _event(self, rest: str) -> Event:
        if not self.connected:
            raise SocketIOError("an event came before the connection")
        found = _EVENT.match(rest)
        return Event(found[2] or "", found[1] or None) if found else Event("", None)


def _seconds(milliseconds: Any, otherwise: float) -> float:
    if type(milliseconds) not in (int, float) or not 0 < milliseconds < float("inf"):
        return otherwise
    seconds: float = min(max(milliseconds / 1000, SHORTEST), LONGEST)
    return seconds
