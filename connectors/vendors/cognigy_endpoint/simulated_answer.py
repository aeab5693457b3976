"""One answer of a Flow as the events of a Socket endpoint: what each says, and when it is due. No I/O.

Rules
- An event is JSON, `["output",{…}]`; with no faults an output to a token, `pack` tokens together. Then come an output
  without text that has the `_finishReason` (with `finish=last` the last text has it), typing off, and `finalPing`.
- `trimmed` is what platforms before 4.96 do: pieces without their white space, without a message's name, and without
  an end but `finalPing`.
- Time and places are those of answers.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from connectors.simulator.answers import Answer, Piece, json_bytes
from connectors.simulator.faults import Drop

_MALFORMED: Final = {
    "garbage": b"[<!-- upstream hiccup -->",
    "truncated": b'["output",{"type":"output","data":{"text":"never fin',
    "type": b'["output",{"type":"output","data":{"text":{}}}]',
    "utf8": b'["output",{"type":"output","data":{"text":"\xff\xc3(',
}


class Outputs(Answer, frozen=True):
    """The events of one answer. Its fields are those of `Answer`; the data of a piece is one event, or none."""

    trimmed: bool = False

    @property
    def begin(self) -> int:
        return self.first  # what comes again, comes from the session

    def pieces(self) -> Iterator[Piece]:
        """The events in order, without what breaks them off. One without data only waits."""
        due, length = 0.0, len(self.stream.tokens)
        for piece in self._pieces():
            due = piece.due
            yield piece
        if self.stop is None:
            if not self.trimmed and self.faults.finish == "own":
                yield Piece(due, self._output("", finished=True), length)
            yield Piece(due, b'["typingStatus",{"status":"typingOff"}]', length)
            yield Piece(due, b'["finalPing",{"type":"regular"}]', length)

    def error(self, drop: Drop) -> bytes:
        said = {"message": "The simulator was told to fail here.", "code": drop.code}
        return json_bytes(["output", {"type": "error", "data": {"error": said}}])

    def _malformed(self, how: str) -> bytes:
        return _MALFORMED[how]

    def _preamble(self) -> bytes:
        return b'["typingStatus",{"status":"typingOn"}]'

    def _event(self, token: int, after: int, big: dict[int, int]) -> bytes:
        finished = self.stop is None and self.faults.finish == "last" and after == len(self.stream.tokens)
        filler = sum(big.get(number, 0) for number in range(token + 1, after + 1))
        return self._output("".join(self.stream.tokens[token:after]), finished=finished, filler=filler)

    def _finish(self) -> bytes:
        return b""

    def _output(self, text: str, *, finished: bool = False, filler: int = 0) -> bytes:
        data: dict[str, Any] | None = {"_cognigy": {"_messageId": f"message-{self.turn}"}}
        if self.trimmed:
            text, data = text.strip(), None
            if not text:
                return b""
        elif finished and data is not None:
            data["_cognigy"]["_finishReason"] = "stop"
        output = {
            "text": text,
            "data": data,
            "traceId": f"endpoint-realtimeClient-{self.turn}",
            "disableSensitiveLogging": False,
            "source": "bot",
            **({"filler": "x" * filler} if filler else {}),
        }
        return self._json(["output", {"type": "output", "data": output}])
