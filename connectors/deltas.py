"""What a vendor's frames say, in one shape for every vendor: a core, used by the gateway clients and by the flow.

Rules
- A frame's text is JSON. Several messages may share a frame, and one may be spread over several: `MAX_PENDING`
  characters in `MAX_FRAGMENTS` frames wait for their end at most.
- What is no JSON even so, or lacks its fields, is reported as malformed, and the rest goes on.
- A vendor's contract is a subclass that reads one message in two ways: fast from text, and from a parsed object
  where the text is unusual (half a surrogate pair, several messages).
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

MAX_PENDING = 4 << 20
MAX_FRAGMENTS = 256


class Delta(msgspec.Struct, frozen=True, gc=False):
    """What one message says.

    tokens     text to show, in order
    finished   the answer is whole
    id         how to continue from here, where the vendor can
    usage      prompt, completion and total tokens of the turn so far, as the vendor counts them
    error      the vendor has failed, and the answer ends here
    malformed  it was no message; the other fields are empty
    """

    tokens: tuple[str, ...] = ()
    finished: bool = False
    id: str | None = None
    usage: tuple[int, int, int] | None = None
    error: bool = False
    malformed: bool = False


MALFORMED = Delta(malformed=True)

_scan = json.JSONDecoder().raw_decode


class Decoder:
    """One turn's frames to deltas, in order. `restart` begins a new connection: half a message cannot go on there."""

    def __init__(self, pending: str = "", fragments: int = 0) -> None:
        self.pending = pending
        self.fragments = fragments

    def restart(self) -> None:
        self.pending, self.fragments = "", 0

    def feed(self, text: str, frame_id: str | None) -> list[Delta]:
        if not self.pending:
            try:
                return [self._read(text, frame_id)]
            except (msgspec.DecodeError, UnicodeError, RecursionError):  # the last: nested too deep
                pass
        return self._scan(text, frame_id)

    def _read(self, text: str, frame_id: str | None) -> Delta:
        """One well-formed message. Raises msgspec.DecodeError for anything else."""
        raise NotImplementedError

    def _convert(self, message: dict[str, Any], frame_id: str | None) -> Delta:
        """A message that was parsed already; `MALFORMED` where its fields are not the contract's."""
        raise NotImplementedError

    def _scan(self, text: str, frame_id: str | None) -> list[Delta]:
        """The slow path: split surrogates, several messages in a frame, one over several."""
        whole, fragments = self.pending + text, self.fragments + 1
        self.restart()
        deltas: list[Delta] = []
        at = _skip_space(whole, 0)
        while at < len(whole):
            try:
                value, end = _scan(whole, at)
            except (json.JSONDecodeError, RecursionError):
                rest = whole[at:]
                bounded = len(rest) <= MAX_PENDING and fragments <= MAX_FRAGMENTS
                if rest.startswith("{") and bounded and not _is_whole(text):
                    self.pending, self.fragments = rest, fragments
                else:
                    deltas.append(MALFORMED)
                    if rest != text and _is_whole(text):
                        deltas += self.feed(text, frame_id)
                break
            deltas.append(self._convert(value, frame_id) if isinstance(value, dict) else MALFORMED)
            at = _skip_space(whole, end)
        return deltas


def _is_whole(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (json.JSONDecodeError, RecursionError):
        return False


def _skip_space(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at
