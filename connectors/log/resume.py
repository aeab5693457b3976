"""Where a reader of the log goes on: the position in a snapshot, and what the records before it say of their turns.

Rules
- A snapshot is a position in the log, plain numbers with a version, and the frames before it that the flow was not
  given yet (held.py).
- The position is that of what was emitted. One beyond the log's end is an error with its remedy: the log was replaced,
  or lost what the flow had acted on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

from connectors.errors import DataDirError
from connectors.log.files import LogReader, Position
from connectors.log.records import Record
from connectors.log.turns import READABLE, Reader, Turns
from connectors.text import from_json, to_json

SNAPSHOT_VERSION = 1

State: TypeAlias = dict[str, Any]
Through: TypeAlias = Callable[[Iterator[tuple[Record, Position]]], Iterator[tuple[Record, Position]]]


def position_of(reader: LogReader, resume_state: State | None) -> Position:
    """Where to go on; without a snapshot, the log's begin. Raises DataDirError where it lies beyond the log."""
    if resume_state is None:
        return reader.begin()
    position = Position(resume_state["file"], resume_state["offset"])
    if position > reader.end():
        raise DataDirError(
            f"{reader.path} ends before the position that the recovery store remembers (file {position.file}, "
            f"byte {position.offset}): the log was replaced or lost its end; restore it, or move the recovery "
            "folder away to read the whole log again"
        )
    return max(position, reader.begin())


def fold(
    reader: LogReader, before: Position, through: Through = iter, reads: Callable[[], Reader] | None = None
) -> Turns:
    """What the records before a position say of their turns; they are read `through` something that may raise.

    `reads` makes what reads one turn's frames.
    """
    turns = Turns(reads=reads)
    kept, begin = reader.fold(before)
    if kept is not None and kept.get("version") in READABLE:
        turns.restore(kept)
    elif kept is not None:  # another version's
        begin = reader.begin()
    for record, after in through(reader.read(begin)):
        if after > before:
            break
        turns.feed(record)
    return turns


def held_in(resume_state: State | None) -> list[Record]:
    """The frames before the position that the flow was not given yet."""
    return from_json(resume_state["held"], list[Record]) if resume_state and resume_state.get("held") else []


def freeze(position: Position, held: Sequence[Record] = ()) -> State:
    state: State = {"version": SNAPSHOT_VERSION, "file": position.file, "offset": position.offset}
    return {**state, "held": to_json(held)} if held else state
