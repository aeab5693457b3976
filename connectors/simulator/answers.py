"""One answer as Server-Sent Events: the bytes, and when each is due. No I/O.

Rules
- A vendor says how a token is written (`_message`), and how the answer ends where that is not a message like the others
  (`_finish`). With no faults there is one event to a token, and one more that ends it. Format: WHATWG HTML, 9.2.
- Where the vendor has ids, an event's names the number of tokens that end with it, so a continuation can be served from
  the id alone, whatever the client lost. Ids that several events share cannot: names.py says what is done.
- Time counts from the start of the answer: the stream's own time over `speed`. Faults' seconds are real.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import ClassVar, Final, NamedTuple

import msgspec

from connectors.simulator.corpus import TokenStream
from connectors.simulator.faults import Drop, Faults
from connectors.simulator.names import name_of

TOKEN_INTERVAL: Final = 0.02
"""Seconds between tokens of a stream that has no times."""

_EOL: Final = {"lf": b"\n", "crlf": b"\r\n", "cr": b"\r"}
_COMMENT: Final = b": keep-alive\n"
_RAW: Final = json.JSONEncoder(ensure_ascii=False)
_ASCII: Final = json.JSONEncoder()
_BYTE_TOKEN = re.compile(rb'"<0x([89A-F][0-9A-F])>"')
_MALFORMED: Final = {
    "garbage": b"data: <!-- upstream hiccup -->\n\n",
    "truncated": b'data: {"token": "never fin\n\n',
    "type": b'data: {"token": 7, "finished": "no"}\n\n',
    "utf8": b'data: {"token": "\xff\xc3(", "finished": fal\n\n',
}


class Pace(msgspec.Struct, frozen=True):
    """How fast streams are played.

    speed     1 as recorded, 10 ten times as fast, 0 as fast as possible
    interval  seconds between tokens in place of the stream's own times, or None
    """

    speed: float = 1.0
    interval: float | None = None

    def at(self, stream: TokenStream, token: int) -> float:
        """Seconds from the start of the stream to a token (from 0)."""
        if self.speed == 0:
            return 0.0
        if self.interval is None and stream.t_ms is not None:
            return stream.t_ms[token] / 1000 / self.speed
        return token * (TOKEN_INTERVAL if self.interval is None else self.interval) / self.speed


class Piece(NamedTuple):
    """Bytes of the body that belong together.

    due     seconds from the start of the answer
    tokens  tokens of the stream that are complete with it
    """

    due: float
    data: bytes
    tokens: int


class Answer(msgspec.Struct, frozen=True):
    """One answer to one request for a stream.

    turn     the number that ids carry
    first    tokens that the client is taken to have; a continuation begins `faults.repeat` before that
    attempt  how many answers there were before this
    stop     tokens of the stream after which it breaks off, or None
    """

    stream: TokenStream
    faults: Faults
    pace: Pace
    turn: int
    first: int = 0
    attempt: int = 0
    stop: int | None = None

    NAMED: ClassVar[bool] = True
    """Whether its events have ids."""

    @property
    def begin(self) -> int:
        """The first token that is sent."""
        return max(0, self.first - self.faults.repeat.tokens)

    def pieces(self) -> Iterator[Piece]:
        """The body, without what breaks it off."""
        for piece in self._pieces():
            yield piece._replace(data=self._with_eol(piece.data))

    def error(self, drop: Drop) -> bytes:
        """The `event: error` that such a drop sends."""
        said = {"error": {"code": drop.code, "message": "The simulator was told to fail here."}}
        return self._with_eol(b"event: error\ndata: %b\n\n" % json.dumps(said).encode())

    def comment(self) -> bytes:
        return self._with_eol(_COMMENT)

    def _with_eol(self, data: bytes) -> bytes:
        # Every bare newline is a line's end: JSON escapes those of the text.
        return data if self.faults.eol == "lf" else data.replace(b"\n", _EOL[self.faults.eol])

    def _pieces(self) -> Iterator[Piece]:
        length = len(self.stream.tokens)
        stop = length if self.stop is None else max(self.stop, self.begin)
        stalls, malformed, big = self._places()
        breaks = sorted({*stalls, *malformed, stop})
        yield Piece(0.0, self._preamble(), self.begin)
        token, now, late = self.begin, 0.0, 0.0
        while True:
            if token > self.first or token == self.attempt == 0:  # what lies before the seam has happened
                for how in malformed.get(token, ()):
                    yield Piece(now, self._malformed(how), token)
                if token in stalls:
                    late += stalls[token]
                    now += stalls[token]
                    yield Piece(now, b"", token)
            if token >= stop:
                break
            late += self.faults.slow
            now = self._due(token) + late
            after = min(token + self.faults.pack, next(place for place in breaks if place > token))
            yield Piece(now, self._event(token, after, big), after)
            token = after
        if self.stop is None and not (self.faults.finish == "last" and self.begin < length):
            yield Piece(now, self._finish(), length)

    def _malformed(self, how: str) -> bytes:
        return _MALFORMED[how]

    def _due(self, token: int) -> float:
        at = self.pace.at(self.stream, token)
        return at - self.pace.at(self.stream, self.begin) if self.attempt else at

    def _places(self) -> tuple[dict[int, float], dict[int, list[str]], dict[int, int]]:
        """Stalls and malformed events by the tokens before them, sizes of `data` by the event's token."""
        length = len(self.stream.tokens)
        stalls: dict[int, float] = {}
        malformed: dict[int, list[str]] = {}
        big: dict[int, int] = {}
        for stall in self.faults.stalls:
            if (place := stall.at.token(self.begin, length)) is not None:
                stalls[place] = stalls.get(place, 0.0) + stall.seconds
        for extra in self.faults.malformed:
            if (place := extra.at.token(self.begin, length)) is not None:
                malformed.setdefault(place, []).append(extra.how)
        for heavy in self.faults.big:
            if (place := heavy.at.token(self.begin, length)) is not None:
                big[place] = heavy.size
        return stalls, malformed, big

    def _preamble(self) -> bytes:
        retry = b"" if self.faults.retry is None else b"retry: %d\n\n" % self.faults.retry
        return (b"\xef\xbb\xbf" if self.faults.bom else b"") + retry

    def _event(self, token: int, after: int, big: dict[int, int]) -> bytes:
        """The event, or the events, of the tokens from `token` to before `after`."""
        last = len(self.stream.tokens) if self.stop is None and self.faults.finish == "last" else -1
        messages = [
            self._message(self.stream.tokens[n - 1], n, finished=n == last, filler=big.get(n, 0))
            for n in range(token + 1, after + 1)
        ]
        return self._framed(messages, after)

    def _finish(self) -> bytes:
        number = len(self.stream.tokens) + 1
        return self._framed([self._message("", number, finished=True)], number)

    def _message(self, token: str, number: int, *, finished: bool, filler: int = 0) -> list[bytes]:
        """The JSON of one token, in the parts between which white space may stand; `filler` bytes are added to it."""
        raise NotImplementedError

    def _framed(self, messages: list[list[bytes]], number: int) -> bytes:
        faults = self.faults
        comment = _COMMENT if faults.comments and number % faults.comments == 0 else b""
        context = b""
        if self.NAMED and faults.ids.style not in ("none", "data") and number % faults.ids.every == 0:
            context = b"id: %b\n" % self._id(number).encode()
        between = b"\n" if faults.lines else b""
        data = b"\n".join(between.join(message) for message in messages)
        *firsts, end = [data] if faults.split == 1 else _fragments(data, faults.split)
        parts = b"".join(b"%b\n" % _data(fragment) for fragment in firsts)
        return b"%b%b%b%b\n" % (comment, parts, context, _data(end))

    def _id(self, number: int) -> str:
        is_again = number <= self.first and self.faults.repeat.ids == "new"
        return name_of(self.faults.ids, self.turn, number, self.attempt if is_again else 0)

    def _json(self, value: object) -> bytes:
        """JSON as `json_bytes` has it, with byte tokens as bytes where the faults say so."""
        data = json_bytes(value)
        if not self.faults.raw:
            return data
        return _BYTE_TOKEN.sub(lambda found: b'"%b"' % bytes((int(found[1], 16),)), data)


def _data(data: bytes) -> bytes:
    """The `data:` lines of an event."""
    return b"data: %b\n" % data.replace(b"\n", b"\ndata: ")


def _fragments(data: bytes, number: int) -> list[bytes]:
    """Cut between characters: an event is UTF-8 by itself."""
    text = data.decode("utf-8", "surrogateescape")
    step = -(-len(text) // number)
    return [text[at : at + step].encode("utf-8", "surrogateescape") for at in range(0, len(text), step)]


def json_bytes(value: object) -> bytes:
    """JSON as UTF-8, even where a text holds half of a surrogate pair, which has no UTF-8."""
    try:
        return _RAW.encode(value).encode()
    except UnicodeEncodeError:
        return _ASCII.encode(value).encode()
