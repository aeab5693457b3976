"""What a vendor's frames say, in one shape for every vendor: a core, used by the gateway clients and by the flow.

Rules
- A frame's text is JSON; of what many writers get wrong, NaN, numbers beyond every bound, halves of surrogate pairs and
  raw control characters in strings are read. Several messages may share a frame, and one may be spread over several:
  `MAX_PENDING` characters in `MAX_FRAGMENTS` frames wait for their end at most.
- What is no JSON even so, or lacks its fields, is reported as malformed, and the rest goes on.
- An id is a text of 1 to `MAX_ID` characters, whatever they are; anything else is none, and its message stands.
- A vendor's contract is a subclass that reads one message in two ways: fast from text, and from a parsed object
  where the text is unusual (half a surrogate pair, several messages). Model APIs, whose messages have many forms, are
  read from the object alone (answers.py).
- Only `tokens` are shown. What else an answer says (`asides`) is in the log, and goes no further.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias, TypeVar

import msgspec

T = TypeVar("T")

MAX_PENDING = 4 << 20
MAX_FRAGMENTS = 256
MAX_ID = 4_096


Channel: TypeAlias = Literal["text", "refusal", "reasoning", "tool", "citation"]

Reason: TypeAlias = Literal["stop", "length", "tool", "filter", "pause", "error", "other"]
"""Why a message ended: it was said; a limit of tokens; a tool is to be called; somebody's filter or the model itself
refused; the turn is to be gone on with; the vendor failed; a reason that nobody here knows."""

Ending: TypeAlias = Literal["finished", "interrupted", "vendor_error"]


class Aside(NamedTuple):
    """What an answer says that is not shown: another channel's, or another choice's."""

    channel: Channel
    text: str
    choice: int = 0


class Stop(NamedTuple):
    """A message has ended, for a reason, and in the vendor's own word."""

    reason: Reason
    raw: str = ""


class Delta(msgspec.Struct, frozen=True, gc=False):
    """What one message says.

    tokens     text to show, in order
    finished   the answer is whole
    id         how to continue from here, where the vendor can
    usage      prompt, completion and total tokens of the turn so far, as the vendor counts them; a decoder adds up what
               comes in parts
    error      the vendor has failed, and the answer ends here
    malformed  it was no message; the other fields are empty
    channel    of the tokens: `refusal` where the model declines, which is shown like text
    asides     what is not shown
    stop       the message ends with this, though the vendor may still have something to say of it
    """

    tokens: tuple[str, ...] = ()
    finished: bool = False
    id: str | None = None
    usage: tuple[int, int, int] | None = None
    error: bool = False
    malformed: bool = False
    channel: Channel = "text"
    asides: tuple[Aside, ...] = ()
    stop: Stop | None = None


MALFORMED = Delta(malformed=True)

_scan = json.JSONDecoder(strict=False).raw_decode

_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+("|\\?\Z)', re.DOTALL)
"""A string; one that goes on in the next piece too. Possessive: what is long and hostile must not be remembered."""

_BRACE = re.compile("[{}]")


class Decoder:
    """One turn's frames to deltas, in order. `restart` begins a new connection: half a message cannot go on there.

    outlasted  its answers may be whole before their last frame
    complete  the answer is whole, though the vendor may still have something to say: its usage, or that it ends
    ending    how the turn ended if nothing follows any more
    state     what earlier frames said and later ones need, as plain data; None where they need nothing
    """

    complete = False
    outlasted = False

    @property
    def ending(self) -> Ending:
        return "finished" if self.complete else "interrupted"

    @property
    def state(self) -> Any:
        return None

    @state.setter
    def state(self, data: Any) -> None:
        pass

    def __init__(self, pending: str = "", fragments: int = 0) -> None:
        self.fragments = fragments
        self.pending = pending

    @property
    def pending(self) -> str:
        """The message that waits for its end, as far as it has come."""
        return "".join(self._pieces)

    @pending.setter
    def pending(self, text: str) -> None:
        self._pieces = [text] if text else []
        self._chars = len(text)
        self._object = _Object()
        self._object.feed(text)

    def restart(self) -> None:
        self.pending, self.fragments = "", 0

    def feed(self, text: str, frame_id: str | None) -> list[Delta]:
        if not self._pieces:
            try:
                return [self._read(text, frame_id)]
            except (msgspec.DecodeError, UnicodeError, RecursionError):  # the last: nested too deep
                pass
        return self._scan(text, frame_id)

    def tokens_of(self, texts: Sequence[str]) -> Sequence[tuple[str, str | None] | None] | None:
        """Several frames at a glance: of each that says one token and nothing else, the token and the message's own id.

        None for a frame that has to be fed, and for all where this decoder has no such glance, or none of these frames.
        Nothing is remembered: it is for decoders whose messages stand by themselves.
        """
        return None

    def _read(self, text: str, frame_id: str | None) -> Delta:
        """One well-formed message. Raises msgspec.DecodeError for anything else."""
        raise NotImplementedError

    def _convert(self, message: dict[str, Any], frame_id: str | None) -> Delta:
        """A message that was parsed already; `MALFORMED` where its fields are not the contract's."""
        raise NotImplementedError

    def _scan(self, text: str, frame_id: str | None) -> list[Delta]:
        """The slow path: split surrogates, several messages in a frame, one over several."""
        if self._pieces and not self._object.feed(text):
            self._pieces.append(text)
            self._chars += len(text)
            return self._wait(text, frame_id)
        whole, fragments = self.pending + text, self.fragments
        self.restart()
        deltas: list[Delta] = []
        at = _skip_space(whole, 0)
        while at < len(whole):
            try:
                value, end = _scan(whole, at)
            except (json.JSONDecodeError, RecursionError):
                self.pending, self.fragments = whole[at:], fragments
                deltas += self._wait(text, frame_id)
                break
            deltas.append(self._convert(value, frame_id) if isinstance(value, dict) else MALFORMED)
            at = _skip_space(whole, end)
        return deltas

    def _wait(self, text: str, frame_id: str | None) -> list[Delta]:
        """What is pending has no end, though `text` is in it: wait for more, unless it never will have one."""
        self.fragments += 1
        bounded = self._chars <= MAX_PENDING and self.fragments <= MAX_FRAGMENTS
        if self._pieces[0].startswith("{") and bounded and not _is_whole(text):
            return []
        is_all = self._chars == len(text)
        self.restart()
        return [MALFORMED, *(self.feed(text, frame_id) if not is_all and _is_whole(text) else ())]


class _Object:
    """Follows the text of a JSON object, piece by piece, to see its end without parsing it again each time.

    In what is no JSON, an end may be seen anywhere, or none.
    """

    def __init__(self) -> None:
        self._depth = 0
        self._inside = ""
        self._ended = False

    def feed(self, text: str) -> bool:
        """Take a piece; True, once, when the object's end is in it."""
        if self._ended:
            return False
        outside, count = _STRING.subn(r"\1", self._inside + text)
        is_open = count > outside.count('"')
        self._inside = '"\\' if is_open and outside.endswith("\\") else '"' if is_open else ""
        if self._depth > outside.count("}"):
            self._depth += outside.count("{") - outside.count("}")
            return False
        for brace in _BRACE.findall(outside):
            self._depth += 1 if brace == "{" else -1
            if self._depth == 0:
                self._ended = True
                break
        return self._ended


def read_lines(decode: Callable[[str], list[T]], texts: Sequence[str]) -> list[T] | None:
    """Their messages, one of each; None where not all are just that, an object's text.

    A decoder of lines does not see where they end: it passes empty ones over, and reads on in the next one.
    """
    whole, between = "\n".join(texts), len(texts) - 1
    if whole.count("\n") != between or whole.count("}\n{") != between:
        return None
    try:
        messages = decode(whole)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    return messages if len(messages) == len(texts) else None


def usable_id(value: object) -> str | None:
    """An id that can be kept and sent again, or None."""
    return value if isinstance(value, str) and 0 < len(value) <= MAX_ID else None


def _is_whole(text: str) -> bool:
    try:
        return isinstance(json.loads(text, strict=False), dict)
    except (json.JSONDecodeError, RecursionError):
        return False


def _skip_space(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at
