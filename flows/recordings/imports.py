"""One exchange as the records of its turns: what a live job's log would hold of it.

Rules
- Frames are kept as the vendor sent them, under its name, and read by its own decoder: that says what is text, whether
  the answer is whole, and whether the vendor failed.
- Where a token path is given, or JSON lines of tokens, the tokens become CXone's frames, one each: the log's plainest.
- A turn ends as it would have live: `finished` where its decoder calls it whole, else `interrupted`, `vendor_error`,
  `rate_limited` or `refused` by the status.
- Of a WebSocket, a turn begins with what was asked, once the one before has ended; what the vendor sends before is the
  connection's own business.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec

from connectors.log.records import CLOSE, ERROR, FRAME, OPEN, Record
from connectors.vendors.base import Vendor
from connectors.vendors.registry import named
from flows.recordings.bodies import Frame
from flows.recordings.exchanges import Packet
from flows.recordings.shapes import TokenPath

PLAIN: Final = "cxone"
"""The vendor in whose frames tokens are put that have no frames of their own."""


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a stream beside its tokens; the session id is made of a file's name where there is none."""

    session: str | None = None
    prompt: str = ""
    model: str | None = None
    tenant: str | None = None
    language: str | None = None

    def request(self) -> dict[str, Any]:
        """`d` of its open."""
        fields = {"prompt": self.prompt, "model": self.model, "tenant": self.tenant, "language": self.language}
        return {name: value for name, value in fields.items() if value is not None}


class Turn(NamedTuple):
    """A turn's frames, with times, and how it ended.

    reason  of its close
    kind    of the error before it, in the log's word; "" where there was none
    tokens  that are shown
    prompt  what was asked, where it is not the exchange's
    """

    frames: list[tuple[int, Frame]]
    reason: str
    kind: str = ""
    status: int | None = None
    tokens: int = 0
    prompt: str = ""


def decoded(frames: Sequence[tuple[int, Frame]], vendor: Vendor, *, cut: bool = False, damage: str = "") -> Turn:
    """A turn of a vendor's frames."""
    decoder, tokens, is_error, is_whole = vendor.decoder(), 0, False, False
    for _, frame in frames:
        deltas = [] if frame.event == "error" else decoder.feed(frame.text, frame.id or None)
        tokens += sum(len(delta.tokens) for delta in deltas)
        is_error = is_error or frame.event == "error" or any(delta.error for delta in deltas)
        is_whole = is_whole or any(delta.finished for delta in deltas)
    ending = "vendor_error" if is_error else decoder.ending
    if ending == "vendor_error":
        return Turn(list(frames), ending, ending, None, tokens)
    if is_whole or ending == "finished":
        return Turn(list(frames), "finished", "", None, tokens)
    if damage:
        return Turn(list(frames), "malformed", "malformed", None, tokens)
    return Turn(list(frames), ending, "disconnected" if cut else "ended", None, tokens)


def refused(status: int | None, *, cut: bool = False) -> Turn:
    """A turn whose request was answered by no stream."""
    if status is None or status < 300:
        return Turn([], "interrupted", "disconnected" if cut or status is None else "ended", status)
    if status == 429:
        return Turn([], "rate_limited", "rate_limited", status)
    again = status >= 500 or status in (408, 409, 425)
    return Turn([], "interrupted" if again else "refused", "status", status)


def by_path(frames: Sequence[tuple[int, Frame]], path: TokenPath, step: int, *, timed: bool) -> Turn:
    """A turn of the texts at a token path, evenly spaced where no times are known."""
    tokens, t = list[tuple[int, str]](), 0
    for at, frame in frames:
        for text in path.texts(frame):
            t = max(t, at) if timed else t + step
            tokens.append((t, text))
    return of_tokens(tokens, max(t, frames[-1][0]) if timed and frames else t + step)


def of_tokens(tokens: Sequence[tuple[int, str]], end: int) -> Turn:
    """A turn of texts in the plainest frames, and the one that finishes."""
    write = named(PLAIN).frame
    frames = [(t, Frame(t, write(text, False))) for t, text in tokens]
    return Turn([*frames, (end, Frame(end, write("", True)))], "finished", tokens=len(tokens))


def turns_of(packets: Sequence[Packet], vendor: Vendor) -> list[tuple[str, list[Frame]]]:
    """What was asked, and the frames after it, of each turn of a WebSocket; times are since it was asked.

    One that was asked for before the last had ended is part of it: nobody can tell their frames apart. Where nobody
    can see that anything was asked, all is one turn.
    """
    if not any(packet.sent and _asked(packet.text) is not None for packet in packets):
        return [
            ("", [Frame(packet.t, packet.text) for packet in packets if packet.text is not None and not packet.sent])
        ]
    turns: list[tuple[str, list[Frame]]] = []
    decoder, open_ones, begun = vendor.decoder(), 0, 0
    for packet in packets:
        if packet.sent:
            if (prompt := _asked(packet.text)) is None:
                continue
            if open_ones == 0:
                turns.append((prompt, []))
                decoder, begun = vendor.decoder(), packet.t or 0
            open_ones += 1
        elif packet.text is not None and turns:
            turns[-1][1].append(Frame(None if packet.t is None else max(0, packet.t - begun), packet.text))
            deltas = decoder.feed(packet.text, None)
            open_ones -= min(open_ones, sum(delta.finished or delta.error for delta in deltas))
    return turns


def records(about: About, number: int, turn: Turn, begin: int = 0) -> list[Record]:
    """The records of a turn that was opened at `begin`."""
    session = about.session or "s-1"
    opening = msgspec.structs.replace(about, prompt=turn.prompt or about.prompt)
    made = [Record(begin, session, number, OPEN, d=opening.request())]
    t = begin
    for at, frame in turn.frames:
        t = max(t, begin + at)
        event = frame.event if frame.event not in ("", "message") else None
        made.append(Record(t, session, number, FRAME, frame.id or None, event, frame.text, frame.raw))
    if turn.kind:
        made.append(Record(t, session, number, ERROR, d={"kind": turn.kind, "status": turn.status, "retry": 1}))
    return [*made, Record(t, session, number, CLOSE, d={"reason": turn.reason})]


def _asked(text: str | None) -> str | None:
    """What a packet of ours asks; None where it asks nothing."""
    if text is None or "processInput" not in text[:40]:
        return None
    try:
        event = json.loads(text[text.index("[") :])
        said = event[1].get("text")
    except (ValueError, LookupError, AttributeError, RecursionError):
        return ""
    return said if isinstance(said, str) else ""
