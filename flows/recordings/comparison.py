"""What a change of settings does: two outcomes of the same recordings, side by side.

Rules
- Sentences are compared as the desktop gets them, turn by turn: a message whose text another setting would have cut,
  joined or redacted otherwise is a change. Where only times differ, the text counts as the same.
- A finding is the same if it is at the same place of the clean text, of the same category and action.
- Delay is the model's first character of a message to the message itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from pathlib import Path

import msgspec

from connectors.metrics import FindingRow
from flows.recordings.outcome import Key, Outcome, outcome
from flows.settings import Settings


class Change(msgspec.Struct, frozen=True):
    """Messages of a turn that differ: what A showed there, and what B."""

    before: tuple[str, ...]
    after: tuple[str, ...]


class Found(msgspec.Struct, frozen=True, order=True):
    """A finding by its place, never by its value."""

    start: int
    end: int
    category: str
    rule: str
    action: str


class TurnDifference(msgspec.Struct, frozen=True):
    """What differs in one turn; everything empty where nothing does."""

    recording: str
    session: str
    turn: int
    changes: tuple[Change, ...]
    gained: tuple[Found, ...]
    lost: tuple[Found, ...]

    def __bool__(self) -> bool:
        return bool(self.changes or self.gained or self.lost)


class Figures(msgspec.Struct):
    """One side's totals. Delays and waits in milliseconds, sorted."""

    turns: int = 0
    messages: int = 0
    findings: int = 0
    delays: list[int] = []
    first: list[int] = []

    def add(self, result: Outcome) -> None:
        self.turns += len(result.keys)
        self.messages += sum(map(len, result.messages.values()))
        self.findings += sum(map(len, result.findings.values()))
        delays = ((row.window_ms or 0) + (row.hold_ms or 0) for row in result.rows if row.chars)
        self.delays = sorted([*self.delays, *delays])
        first = (turn.time_to_first_message_ms for turn in result.turns.values())
        self.first = sorted([*self.first, *(ms for ms in first if ms is not None)])


class Comparison(msgspec.Struct):
    """Two settings over some recordings."""

    before: Figures = msgspec.field(default_factory=Figures)
    after: Figures = msgspec.field(default_factory=Figures)
    turns: list[TurnDifference] = []

    def add(self, recording: Path, before: Settings, after: Settings) -> None:
        """Replay one recording both ways. Raises InputError."""
        a, b = outcome(recording, before), outcome(recording, after)
        self.before.add(a)
        self.after.add(b)
        self.turns += [turn for turn in differences(recording.name, a, b) if turn]


def differences(recording: str, a: Outcome, b: Outcome) -> Iterator[TurnDifference]:
    """Turn by turn, in order."""
    for key in sorted({*a.keys, *b.keys}):
        found_a, found_b = _found(a.findings.get(key, ())), _found(b.findings.get(key, ()))
        changes = tuple(_changes(_texts(a, key), _texts(b, key)))
        yield TurnDifference(
            recording, *key, changes, tuple(sorted(found_b - found_a)), tuple(sorted(found_a - found_b))
        )


def quantile(values: Sequence[int], share: float) -> int | None:
    """The smallest value that so large a share of the sorted values does not exceed; None where there are none."""
    return values[min(len(values) - 1, int(share * len(values)))] if values else None


def _changes(before: Sequence[str], after: Sequence[str]) -> Iterator[Change]:
    for kind, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if kind != "equal":
            yield Change(tuple(before[a:b]), tuple(after[c:d]))


def _texts(result: Outcome, key: Key) -> list[str]:
    return [message.text for message in result.messages.get(key, ()) if message.text]


def _found(rows: Iterable[FindingRow]) -> set[Found]:
    return {Found(row.start, row.end, row.category, row.rule, row.action) for row in rows}
