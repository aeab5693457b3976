"""The same stream cut otherwise, or broken: what a replay can be asked to try.

Rules
- A variant is a function of the records and of what is asked: the same again every time.
- `Cut`: every turn's clean text in other pieces, as if nothing had broken. A piece comes when its last character
  came; what the model said, and when, is the same.
- Faults are the simulator's, in its words (connectors/simulator/faults.py), and happen to every turn that is long
  enough, in the order in which they are given. Tokens are counted in each turn, also those that a fault before repeats.

      drop@12              the connection breaks after token 12, and the continuation goes on
      drop@12:repeat=3     … and gives the last 3 frames again, with the ids that they had
      drop@12:repeat=3:ids=new     … under new ids: only the text can tell (cxone.resumes is "repeats" then)
      lost@12              the connection breaks after token 12, and nothing saves the turn
      stall=2.5@12         silence for 2.5 s after token 12; what follows in the turn comes later by as much
      malformed@12         an event that is no JSON after token 12
      split=3              the JSON of each event over 3 events
      pack=4               up to 4 events of the same turn in one

  What is of connections and requests (429=2, pieces=7, drop=fin@300b) has no place in what came of them, and is passed
  over; `Variant.passed_over` says so.
"""

from __future__ import annotations

import heapq
import math
import re
import zlib
from collections.abc import Iterable, Iterator
from itertools import chain, pairwise
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias

import msgspec
from msgspec import Meta

from connectors.errors import InputError, SettingsError
from connectors.log.files import LogReader
from connectors.log.records import CLOSE, ERROR, FRAME, OPEN, SECOND, Record
from connectors.simulator.faults import Drop, Faults, Place, Repeat
from flows.recordings.export import unbroken
from flows.recordings.vendor import vendor_of

LARGEST_PIECE = 12
MALFORMED = '{"token": "lost'

Turn: TypeAlias = list[Record]

PLAYED: Final = ("drops", "stalls", "malformed", "split", "pack", "repeat")
"""Fields of the simulator's `Faults` that a replay has a place for."""


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


class Variant(msgspec.Struct, frozen=True):
    """What a replay is asked to change: first the cut, then the faults in their order.

    faults       one each
    repeat       of continuations whose drop says nothing of it
    passed_over  words of the faults that a replay has no place for
    """

    cut: Cut | None = None
    faults: tuple[Faults, ...] = ()
    repeat: Repeat = Repeat()
    passed_over: tuple[str, ...] = ()

    @classmethod
    def parse(cls, cut: str | None, faults: str | None) -> Variant:
        """Both in words. Raises InputError."""
        words = [word.strip() for word in (faults or "").split(",") if word.strip()]
        try:
            whole, each = Faults.parse(",".join(words)), [Faults.parse(word) for word in words]
        except SettingsError as error:
            raise InputError(str(error)) from None
        for word, fault in zip(words, each, strict=True):
            if fault == Faults():
                raise InputError(f"fault {word[:40]!r} changes nothing")
        over = tuple(word for word, fault in zip(words, each, strict=True) if not _is_played(fault))
        return cls(Cut.parse(cut) if cut else None, tuple(filter(_is_played, each)), whole.repeat, over)

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
            turn = self._fault(turn, fault, recording)
        return turn

    def _fault(self, turn: Turn, fault: Faults, recording: Path) -> Turn:
        """The turn with one fault; as it is, where it has no such place."""
        for drop in fault.drops:
            if (at := _after(turn, drop.at, recording)) is not None:
                turn = _lose(turn, at, drop) if drop.is_final else _drop(turn, at, drop, drop.repeats(self.repeat))
        for stall in fault.stalls:
            if (at := _after(turn, stall.at, recording)) is not None:
                turn = _stall(turn, at, stall.seconds)
        for malformed in fault.malformed:
            if (at := _after(turn, malformed.at, recording)) is not None:
                turn = [*turn[:at], _frame(turn[at - 1], MALFORMED), *turn[at:]]
        turn = _split(turn, fault.split) if fault.split > 1 else turn
        return _pack(turn, fault.pack) if fault.pack > 1 else turn


def _is_played(fault: Faults) -> bool:
    """Whether a replay has a place for it."""
    if any(each.at.of == "byte" for each in fault.drops) or any(math.isinf(each.seconds) for each in fault.stalls):
        return False
    return any(getattr(fault, name) != getattr(Faults(), name) for name in PLAYED)


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


def _drop(turn: Turn, at: int, drop: Drop, repeat: Repeat) -> Turn:
    """Breaks and continuations; the log says of both what a gateway's client would."""
    before, rest = turn[:at], turn[at:]
    last, new_ids = before[-1], repeat.ids == "new"
    frames = [record for record in before if record.k == FRAME]
    again = [
        msgspec.structs.replace(record, t=last.t, id=f"{record.id}-again" if new_ids and record.id else record.id)
        for record in (frames[-repeat.tokens :] if repeat.tokens else [])
    ]
    known = next((record.id for record in reversed(frames) if record.id), None)
    resumes = "repeats" if new_ids or known is None else "auto"
    opened = Record(last.t, last.s, last.n, OPEN, d={"continuation_id": known, "resumes": resumes})
    broken = [[_broken(last, drop, number), opened, *again] for number in range(1, drop.times + 1)]
    return [*before, *chain(*broken), *rest]


def _lose(turn: Turn, at: int, drop: Drop) -> Turn:
    last = turn[at - 1]
    return [*turn[:at], _broken(last, drop, 1), Record(last.t, last.s, last.n, CLOSE, d={"reason": "interrupted"})]


def _broken(last: Record, drop: Drop, retry: int) -> Record:
    kind = {"end": "ended", "error": "vendor_error"}.get(drop.how, "disconnected")
    status = drop.close_code if drop.how.isdigit() else None
    return Record(last.t, last.s, last.n, ERROR, d={"kind": kind, "status": status, "retry": retry})


def _stall(turn: Turn, at: int, seconds: float) -> Turn:
    later = round(seconds * SECOND)
    return [*turn[:at], *(msgspec.structs.replace(record, t=record.t + later) for record in turn[at:])]


def _split(turn: Turn, parts: int) -> Turn:
    out: Turn = []
    for record in turn:
        if record.k != FRAME or not isinstance(record.d, str) or len(record.d) < parts:
            out.append(record)
            continue
        cuts = [len(record.d) * part // parts for part in range(parts + 1)]
        pieces = pairwise(cuts)
        out += [msgspec.structs.replace(record, d=record.d[begin:end]) for begin, end in pieces]
    return out


def _pack(turn: Turn, number: int) -> Turn:
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
        if len(packed) == number:
            unpack()
    unpack()
    return out


def _after(turn: Turn, at: Place, recording: Path) -> int | None:
    """The place in a turn behind the frame with that token; None where it has no more than that."""
    decoder, count, last = vendor_of(recording).decoder(), 0, None
    for place, record in enumerate(turn):
        if at.of != "last" and at.at == 0 and record.k == OPEN:
            return place + 1
        if tokens := len(_tokens(decoder, record)):
            count, last = count + tokens, place + 1
        if at.of != "last" and count >= at.at > 0:
            return place + 1
    return last if at.of == "last" else None


def _tokens(decoder: Any, record: Record) -> list[str]:
    if record.k != FRAME or record.e == "error" or not isinstance(record.d, str):
        return []
    return [token for delta in decoder.feed(record.d, record.id) for token in delta.tokens]


def _frame(like: Record, text: str) -> Record:
    return Record(like.t, like.s, like.n, FRAME, d=text)
