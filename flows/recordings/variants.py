"""The same stream cut otherwise, or broken: what a replay can be asked to try.

Rules
- A variant is a function of the records and of what is asked: the same again every time.
- `Cut`: every turn's clean text in other pieces, as if nothing had broken. A piece comes when its last character
  came; what the model said, and when, is the same.
- `Faults`, joined by commas, in the words of the simulator (docs/simulator.md). Tokens are counted in each turn:

      drop@12              the connection breaks after token 12, and the continuation goes on
      drop@12:repeat=3     … and gives the last 3 tokens again, with the ids that they had
      drop@12:repeat=3:ids=new     … under new ids: only the text can tell (cxone.resumes is "repeats" then)
      lost@12              the connection breaks after token 12, and nothing saves the turn
      stall=2.5@12         silence for 2.5 s after token 12; what follows in the turn comes later by as much
      malformed@12         an event that is no JSON after token 12
      split=3              the JSON of each event over 3 events
      pack=4               up to 4 events of the same turn in one
"""

from __future__ import annotations

import heapq
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta

from connectors.errors import InputError
from connectors.log.files import LogReader
from connectors.log.records import CLOSE, ERROR, FRAME, OPEN, SECOND, Record
from flows.recordings.export import unbroken
from flows.recordings.vendor import vendor_of

LARGEST_PIECE = 12
MALFORMED = '{"token": "lost'

Turn: TypeAlias = list[Record]

_FAULT = re.compile(r"([a-z]+)(?:=([0-9.]+))?(?:@(\d{1,9}))?((?::[a-z]+=[a-z0-9]+)*)")


class Cut(msgspec.Struct, frozen=True):
    """Pieces of so many characters; with a seed, of 1 to `LARGEST_PIECE`, as it draws them."""

    size: Annotated[int, Meta(ge=1)] = 1
    seed: int | None = None

    @classmethod
    def parse(cls, text: str) -> Cut:
        """`char`, a number, or `seed:K`. Raises InputError."""
        if text == "char":
            return cls()
        if match := re.fullmatch(r"(seed:)?(\d{1,9})", text):
            number = int(match[2])
            if match[1]:
                return cls(seed=number)
            if number:
                return cls(number)
        raise InputError(f"{text[:20]!r} is no way to cut; give char, a number of characters, or seed:K")

    def sizes(self) -> Iterator[int]:
        count = 0
        while True:
            yield self.size if self.seed is None else 1 + zlib.crc32(b"%d/%d" % (self.seed, count)) % LARGEST_PIECE
            count += 1


class Fault(msgspec.Struct, frozen=True):
    """One thing that goes wrong with every turn that is long enough for it."""

    name: Literal["drop", "lost", "stall", "malformed", "split", "pack"]
    at: int = 0
    amount: float = 0
    repeat: int = 0
    new_ids: bool = False

    @classmethod
    def parse(cls, text: str) -> Fault:
        """One fault in words. Raises InputError."""
        match = _FAULT.fullmatch(text.strip())
        if match is None or match[1] not in ("drop", "lost", "stall", "malformed", "split", "pack"):
            raise InputError(
                f"{text[:30]!r} is no fault of a replay; there are drop@12:repeat=3, lost@12, stall=2.5@12, "
                "malformed@12, split=3, pack=4"
            )
        name, amount, at = match[1], match[2], match[3]
        options = dict(option.split("=") for option in match[4].split(":")[1:])
        counted = name in ("split", "pack")
        if counted == bool(at) or (name in ("split", "pack", "stall")) != bool(amount):
            raise InputError(f"{text[:30]!r}: write it as {'split=3' if counted else 'stall=2.5@12 or drop@12'}")
        unknown = options.keys() - ({"repeat", "ids"} if name == "drop" else set())
        if unknown or options.get("ids", "new") != "new" or not options.get("repeat", "0").isdecimal():
            raise InputError(f"{text[:30]!r}: the only options are drop's, repeat=N and ids=new")
        if counted and not 2 <= float(amount) <= 100:
            raise InputError(f"{text[:30]!r}: a number from 2 to 100")
        return cls(name, int(at or 0), float(amount or 0), int(options.get("repeat", 0)), "ids" in options)  # type: ignore[arg-type]  # checked above


class Variant(msgspec.Struct, frozen=True):
    """What a replay is asked to change: first the cut, then the faults in their order."""

    cut: Cut | None = None
    faults: tuple[Fault, ...] = ()

    @classmethod
    def parse(cls, cut: str | None, faults: str | None) -> Variant:
        """Both in words. Raises InputError."""
        asked = [part for part in (faults or "").split(",") if part.strip()]
        return cls(Cut.parse(cut) if cut else None, tuple(Fault.parse(part) for part in asked))

    def records(self, recording: Path) -> Iterable[Record]:
        """The recording's records with these changes, in order of time. Turns are held in memory."""
        if not self.cut and not self.faults:
            return (record for record, _ in LogReader(recording).read())
        turns: dict[tuple[str, int], Turn] = {}
        others: list[Record] = []
        for record, _ in LogReader(recording).read():
            (turns.setdefault((record.s, record.n), []) if record.s else others).append(record)
        changed = [self._change(turn, recording) for turn in turns.values()]
        end = max((turn[-1].t for turn in changed if turn), default=0)
        others = [
            record if record.d is not None else msgspec.structs.replace(record, t=max(record.t, end))
            for record in others
        ]
        return heapq.merge(others, *changed, key=lambda record: record.t)

    def _change(self, turn: Turn, recording: Path) -> Turn:
        if self.cut is not None:
            turn = list(_recut(unbroken(turn, recording), self.cut, recording))
        for fault in self.faults:
            turn = _FAULTS[fault.name](turn, fault, recording)
        return turn


def _recut(records: Iterable[Record], cut: Cut, recording: Path) -> Iterator[Record]:
    """An unbroken turn's text in pieces of other sizes."""
    vendor = vendor_of(recording)
    write, decoder, sizes = vendor.frame, vendor.decoder(), cut.sizes()
    waiting, size = "", next(sizes)
    for record in records:
        tokens = _tokens(decoder, record)
        if (record.k == FRAME and not tokens) or record.k == CLOSE:
            if waiting:
                yield _frame(record, write(waiting, False))
            waiting = ""
        if not tokens:
            yield record
        waiting += "".join(tokens)
        while len(waiting) >= size:
            yield _frame(record, write(waiting[:size], False))
            waiting, size = waiting[size:], next(sizes)


def _drop(turn: Turn, fault: Fault, recording: Path) -> Turn:
    """A break and a continuation; the log says of both what a gateway's client would."""
    at = _after(turn, fault.at, recording)
    if at is None:
        return turn
    before, rest = turn[:at], turn[at:]
    last = before[-1]
    frames = [record for record in before if record.k == FRAME]
    repeated = frames[-fault.repeat :] if fault.repeat else []
    again = [
        msgspec.structs.replace(record, t=last.t, id=f"{record.id}-again" if fault.new_ids and record.id else record.id)
        for record in repeated
    ]
    known = next((record.id for record in reversed(frames) if record.id), None)
    broken = Record(last.t, last.s, last.n, ERROR, d={"kind": "disconnected", "status": None, "retry": 1})
    resumes = "repeats" if fault.new_ids or known is None else "auto"
    opened = Record(last.t, last.s, last.n, OPEN, d={"continuation_id": known, "resumes": resumes})
    return [*before, broken, opened, *again, *rest]


def _lose(turn: Turn, fault: Fault, recording: Path) -> Turn:
    at = _after(turn, fault.at, recording)
    if at is None:
        return turn
    last = turn[at - 1]
    broken = Record(last.t, last.s, last.n, ERROR, d={"kind": "disconnected", "status": None, "retry": 1})
    return [*turn[:at], broken, Record(last.t, last.s, last.n, CLOSE, d={"reason": "interrupted"})]


def _stall(turn: Turn, fault: Fault, recording: Path) -> Turn:
    at = _after(turn, fault.at, recording)
    if at is None:
        return turn
    later = round(fault.amount * SECOND)
    return [*turn[:at], *(msgspec.structs.replace(record, t=record.t + later) for record in turn[at:])]


def _malform(turn: Turn, fault: Fault, recording: Path) -> Turn:
    at = _after(turn, fault.at, recording)
    if at is None:
        return turn
    return [*turn[:at], _frame(turn[at - 1], MALFORMED), *turn[at:]]


def _split(turn: Turn, fault: Fault, recording: Path) -> Turn:
    parts = int(fault.amount)
    out: Turn = []
    for record in turn:
        if record.k != FRAME or not isinstance(record.d, str) or len(record.d) < parts:
            out.append(record)
            continue
        cuts = [len(record.d) * part // parts for part in range(parts + 1)]
        pieces = pairwise(cuts)
        out += [msgspec.structs.replace(record, d=record.d[begin:end]) for begin, end in pieces]
    return out


def _pack(turn: Turn, fault: Fault, recording: Path) -> Turn:
    """Events that follow one another come together, with the last one's id and time."""
    out: Turn = []
    packed: list[Record] = []

    def unpack() -> None:
        if packed:
            text = "".join([str(record.d) for record in packed])
            out.append(msgspec.structs.replace(packed[-1], d=text))
            packed.clear()

    for record in turn:
        if record.k != FRAME or record.e is not None:
            unpack()
            out.append(record)
            continue
        packed.append(record)
        if len(packed) == int(fault.amount):
            unpack()
    unpack()
    return out


_FAULTS: dict[str, Callable[[Turn, Fault, Path], Turn]] = {
    "drop": _drop,
    "lost": _lose,
    "stall": _stall,
    "malformed": _malform,
    "split": _split,
    "pack": _pack,
}


def _after(turn: Turn, token: int, recording: Path) -> int | None:
    """The place in a turn behind the frame with that token; None where it has no more than that."""
    decoder, count = vendor_of(recording).decoder(), 0
    for place, record in enumerate(turn):
        if token == 0 and record.k == OPEN:
            return place + 1
        count += len(_tokens(decoder, record))
        if count >= token > 0:
            return place + 1
    return None


def _tokens(decoder: Any, record: Record) -> list[str]:
    if record.k != FRAME or record.e == "error" or not isinstance(record.d, str):
        return []
    return [token for delta in decoder.feed(record.d, record.id) for token in delta.tokens]


def _frame(like: Record, text: str) -> Record:
    return Record(like.t, like.s, like.n, FRAME, d=text)
