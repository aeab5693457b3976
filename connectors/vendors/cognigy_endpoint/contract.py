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
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from connectors.vendors import answers
from connectors.vendors.answers import Said, at, failed, stop_of, word
from connectors.vendors.decoding import MALFORMED, Delta, Stop

EVENTS: Final = frozenset("endpoint-ready output finalPing typingStatus exception handshake processInput".split())  # noqa: SIM905  # one line to read

_PACKET: Final = re.compile(r"42(?:/[^,\[]*,)?\d*(?=\[)")
_OTHER: Final = re.compile(r"[0-6].*", re.DOTALL)


class Decoder(answers.Decoder):
    """One turn's frames to deltas. Nothing can be continued, and pieces have no ids."""

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
            said.stop, said.finished = Stop("stop", "finalPing"), True
        elif name == "output":
            self._output(at(data, "data"), said)

    def _output(self, output: object, said: Said) -> None:
        marks = at(output, "data", "_cognigy")
        said.error = failed(at(output, "error"))
        text = at(output, "text") or _rich(at(marks, "_default"))
        named = str(at(marks, "_messageId") or "")
        if isinstance(text, str) and text:
            last, before = self.kept[:1], self.kept[1:]
            goes_on = named and named == before and self._state.reason is None
            is_apart = bool(last) and not goes_on
            if is_apart and not last.isspace() and not text[0].isspace():
                said.say("text", " ")
            said.say("text", text)
            self.kept = text[-1] + named
            self._state.reason = None  # another answer of the same turn
        if stop := stop_of(at(marks, "_finishReason")):
            said.stop = Stop("pause", stop.raw) if stop.reason == "tool" else stop


def claims(message: dict[str, Any]) -> bool:
    """Whether it is a packet's event, with its name and data, of an endpoint."""
    return message.keys() == {"event", "data"} and word(message, "event") in EVENTS


def ends_turn(packet: str) -> bool:
    """Whether a packet, by itself, says that a turn has ended."""
    return any(delta.finished for delta in Decoder().feed(packet, None))


def _rich(content: object) -> object:
    """The text in buttons, quick replies, lists: what a person reads first."""
    return (
        next((text for part in content.values() if (text := at(part, "text"))), None)
        if isinstance(content, dict)
        else None
    )
