"""A turn of a recording as the body of one SSE answer.

Rules
- A turn that came in one piece is given as it came: event, id, data. One that was continued is given as if nothing
  had broken: its clean text, token by token, in the vendor's frames.
- A turn that did not finish has no finishing event.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from connectors.errors import InputError
from connectors.log.files import LogReader
from connectors.log.records import CLOSE, FRAME, OPEN, Record
from connectors.sse import Event, encode
from flows.recordings.vendor import vendor_of
from flows.steps.events import Text
from flows.steps.reassembly import Reassembly

_IN_ONE_LINE = re.compile("[^\r\n\0\ud800-\udfff]+")
"""What an SSE id may be."""


def export(recording: Path, session: str | None = None, turn: int | None = None) -> Iterator[bytes]:
    """The body, event by event. Raises InputError where the recording does not have that turn, or has several."""
    records = [record for record, _ in LogReader(recording).read() if record.s]
    found = sorted({(record.s, record.n) for record in records})
    asked = [key for key in found if session in (None, key[0]) and turn in (None, key[1])]
    if len(asked) != 1:
        there = ", ".join(f"{s}/{n}" for s, n in found[:10]) + (" …" if len(found) > 10 else "")
        what = "no such turn" if not asked else f"{len(asked)} turns"
        raise InputError(f"{recording} has {what}; choose one with --session and --turn: {there}")
    return body([record for record in records if (record.s, record.n) == asked[0]], recording)


def body(records: Sequence[Record], recording: Path) -> Iterator[bytes]:
    """The body of one turn's records."""
    if sum(record.k == OPEN for record in records) > 1:
        records = list(unbroken(records, recording))
    for record in records:
        if record.k == FRAME and isinstance(record.d, str):
            frame_id = record.id if record.id and _IN_ONE_LINE.fullmatch(record.id) else ""  # else the data has it
            yield encode(Event(record.e or "message", record.d, frame_id, record.b))


def unbroken(records: Sequence[Record], recording: Path) -> Iterator[Record]:
    """One turn's records as if nothing had broken: one open, its clean text token by token, its close."""
    vendor = vendor_of(recording)
    write, core = vendor.frame, Reassembly(vendor.decoder())
    opened = False
    for record in records:
        for event in core.feed(record):
            if isinstance(event, Text) and event.text:
                yield Record(event.t, event.s, event.n, FRAME, d=write(event.text, False))
        if record.k == OPEN and not opened:
            opened = True
            yield record
        elif record.k == CLOSE:
            if record.reason == "finished":
                yield Record(record.t, record.s, record.n, FRAME, d=write("", True))
            yield record
