"""One Cognigy.AI answer as WebSocket messages: the texts, and when each is due. No I/O.

Rules
- A message is {"tokens","done","usage"?,"error"?}; with no faults one to a token, and one more without tokens that is
  `done` and says the usage. `pack` tokens share a message.
- An answer always begins at the first token: no continuation exists.
- Time and places are those of events.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from connectors.simulator.answers import Answer, Piece, json_bytes
from connectors.simulator.faults import Drop

PROMPT_TOKENS: Final = 12
"""What every prompt is said to have cost."""

_MALFORMED: Final = {
    "garbage": b"<!-- upstream hiccup -->",
    "truncated": b'{"tokens": ["never fin',
    "type": b'{"tokens": [7], "done": "no"}',
    "utf8": b'{"tokens": ["\xff\xc3("], "done": fal',
}


class Messages(Answer, frozen=True):
    """The messages of one answer. Its fields are those of `Answer`; the data of a piece is one message, or none."""

    def pieces(self) -> Iterator[Piece]:
        """The messages in order, without what breaks them off. One without data only waits."""
        return self._pieces()

    def error(self, drop: Drop) -> bytes:
        return json_bytes({"tokens": [], "done": False, "error": drop.code})

    def _malformed(self, how: str) -> bytes:
        return _MALFORMED[how]

    def _preamble(self) -> bytes:
        return b""

    def _event(self, token: int, after: int, big: dict[int, int]) -> bytes:
        done = self.stop is None and self.faults.finish == "last" and after == len(self.stream.tokens)
        filler = sum(big.get(number, 0) for number in range(token + 1, after + 1))
        return self._text(self.stream.tokens[token:after], after, done=done, filler=filler)

    def _finish(self) -> bytes:
        return self._text((), len(self.stream.tokens), done=True)

    def _text(self, tokens: tuple[str, ...], so_far: int, *, done: bool, filler: int = 0) -> bytes:
        message: dict[str, object] = {"tokens": tokens, "done": done}
        if self.faults.usage == "each" or (done and self.faults.usage == "done"):
            message["usage"] = {
                "prompt_tokens": PROMPT_TOKENS,
                "completion_tokens": so_far,
                "total_tokens": PROMPT_TOKENS + so_far,
            }
        if filler:
            message["data"] = {"filler": "x" * filler}
        return self._json(message)
