"""What a Cognigy.AI Socket endpoint sends, decoded: Socket.IO packets over a WebSocket. A core.

Rules (the socket client's and the web chat's code; no page describes them all)
- A frame is one packet as it came: `42["output",{…}]`, or `420[…]`, where the 0 asks for an acknowledgement. Other
  packets (pings, the handshake, our own acknowledgements) say nothing.
- `output` of type "output" has text. Pieces of one streamed answer come with their white space and share a
  `_cognigy._messageId`; older platforms trim them and name none: such a piece is joined with a blank where neither side
  has white space.
- `_finishReason` ends one streamed answer, `finalPing` the turn: a flow may stream several answers in one, and does so
  after tool calls. Where no answer follows and none was to, the turn is whole without a `finalPing`.
- Of an output without text but with rich content, the text of that is taken.
- `output` of type "error", and the event `exception`, are failures.
- `kept` is the last character that was shown, and behind it what the last piece's message was called.
- Pieces have no ids, and what was not acknowledged comes again on the session's next connection, which begins with
  `endpoint-ready`: the last pieces, in their order, up to the last. Pieces there that are the same as those of an end
  of what came (of the last `MAX_KNOWN`, by name and text) wait for the piece that tells: dropped where they reach the
  end, said where they do not. So a piece that is said twice with a break in between, and nothing else there, is lost.
"""

from __future__ import annotations

import re
import zlib
from typing import Any, Final

import msgspec

from connectors.vendors import answers
from connectors.vendors.answers import Said, at, failed, stop_of, word
from connectors.vendors.decoding import MALFORMED, Delta, Stop

EVENTS: Final = frozenset("endpoint-ready output finalPing typingStatus exception handshake processInput".split())  # noqa: SIM905  # one line to read

MAX_KNOWN: Final = 64

READY: Final = "endpoint-ready"
_OLDER: Final = 5
"""Fields of a state from before redelivered pieces were told."""

_PACKET: Final = re.compile(r"42(?:/[^,\[]*,)?\d*(?=\[)")
_OTHER: Final = re.compile(r"[0-6].*", re.DOTALL)


class Decoder(answers.Decoder):
    """One turn's frames to deltas."""

    def __init__(self, pending: str = "", fragments: int = 0) -> None:
        super().__init__(pending, fragments)
        self._known: list[int] = []  # the last pieces
        self._places: list[int] | None = None  # in them, where the next piece of a new connection may be from
        self._waiting: list[tuple[str, str]] = []  # pieces that may have come before
        self._proved = 0  # as many of these did

    @property
    def state(self) -> Any:
        return [*super().state, self._known, self._places, self._waiting, self._proved]

    @state.setter
    def state(self, data: Any) -> None:
        if data is None:
            return
        answers.Decoder.state.__set__(self, data[:-4] if len(data) > _OLDER else data)  # type: ignore[attr-defined]  # a property
        if len(data) > _OLDER:
            self._known, self._places, waiting, self._proved = data[-4:]
            self._waiting = [(name, text) for name, text in waiting]

    def feed(self, text: str, frame_id: str | None) -> list[Delta]:
        packet = _PACKET.match(text)
        if packet is None:
            return [Delta()] if _OTHER.fullmatch(text) else [MALFORMED]
        try:
            event = msgspec.json.decode(text[packet.end() :])
        except (msgspec.DecodeError, RecursionError):
            return self._odd(text[packet.end() :])
        return [self._event(event)]

    def _odd(self, text: str) -> list[Delta]:
        """A packet that only a lenient reader can read."""
        event = answers.lenient(text)
        return [MALFORMED if event is None else self._event(event)]

    def _event(self, event: Any) -> Delta:
        if not isinstance(event, list) or not event:
            return MALFORMED
        return self._convert({"event": event[0], "data": event[1] if len(event) > 1 else None}, None)

    def _gather(self, message: dict[str, Any], said: Said) -> None:
        name, data = message["event"], message["data"]
        kind = at(data, "type")
        if name == "exception" or (name == "output" and kind == "error"):
            said.error = True
        elif name == "finalPing" or (name == "output" and kind == "finalPing"):
            self._release(said)
            said.stop, said.finished = Stop("stop", "finalPing"), True
        elif name == READY:
            self._release(said)
            self._places = [*range(len(self._known))]
        elif name == "output":
            self._output(at(data, "data"), said)

    def _output(self, output: object, said: Said) -> None:
        marks = at(output, "data", "_cognigy")
        said.error = failed(at(output, "error"))
        text = at(output, "text") or _rich(at(marks, "_default"))
        if isinstance(text, str) and text:
            self._piece(str(at(marks, "_messageId") or ""), text, said)
        if stop := stop_of(at(marks, "_finishReason")):
            self._release(said)
            said.stop = Stop("pause", stop.raw) if stop.reason == "tool" else stop

    def _piece(self, name: str, text: str, said: Said) -> None:
        """A piece, which may have come on an earlier connection."""
        known, mark = self._known, _mark(name, text)
        places = [place + 1 for place in self._places or () if known[place] == mark]
        if not places:
            self._release(said)
            self._say(name, text, said)
            return
        self._waiting.append((name, text))
        if len(known) in places:
            self._proved = len(self._waiting)
        self._places = [place for place in places if place < len(known)]

    def _release(self, said: Said) -> None:
        """Nothing more that came before comes again: say what waits, but what is proved to have come."""
        waiting, proved = self._waiting, self._proved
        self._places, self._waiting, self._proved = None, [], 0
        for name, text in waiting[proved:]:
            self._say(name, text, said)

    def _say(self, name: str, text: str, said: Said) -> None:
        last, before = self.kept[:1], self.kept[1:]
        goes_on = name and name == before and self._state.reason is None
        is_apart = bool(last) and not goes_on
        if is_apart and not last.isspace() and not text[0].isspace():
            said.say("text", " ")
        said.say("text", text)
        self.kept = text[-1] + name
        self._state.reason = None  # another answer of the same turn
        self._known = [*self._known[1 - MAX_KNOWN :], _mark(name, text)]


def claims(message: dict[str, Any]) -> bool:
    """Whether it is a packet's event, with its name and data, of an endpoint."""
    return message.keys() == {"event", "data"} and word(message, "event") in EVENTS


def ends_turn(packet: str) -> bool:
    """Whether a packet, by itself, says that a turn has ended."""
    return any(delta.finished for delta in Decoder().feed(packet, None))


def _mark(name: str, text: str) -> int:
    return zlib.crc32(f"{name}\0{text}".encode(errors="surrogatepass"))


def _rich(content: object) -> object:
    """The text in buttons, quick replies, lists: what a person reads first."""
    return (
        next((text for part in content.values() if (text := at(part, "text"))), None)
        if isinstance(content, dict)
        else None
    )
