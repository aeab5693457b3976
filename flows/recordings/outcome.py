"""What a recording comes to under some settings: messages, findings, a row a turn; and that as a page to read.

Rules
- The page is for people and for comparing: a paragraph a turn, a line a message. Times are seconds since the
  recording's `created`.
- It holds moderated text only, and of findings their categories.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

from connectors.log.records import Message, Record
from connectors.metrics import DeadLetterRow, FindingRow, MessageRow, TurnRow
from flows.engine.kept import KeptSink
from flows.replay import replay
from flows.settings import Settings

Key: TypeAlias = tuple[str, int]


class Outcome:
    """What a replay gave.

    messages  of each turn (session id, number), in order
    findings  of each turn
    turns     the row of each turn that ended
    rows      the row of each message
    dead      what a step could not handle
    """

    def __init__(self, messages: Iterable[Message], rows: Iterable[object]) -> None:
        self.messages: dict[Key, list[Message]] = defaultdict(list)
        self.findings: dict[Key, list[FindingRow]] = defaultdict(list)
        self.turns: dict[Key, TurnRow] = {}
        self.rows: list[MessageRow] = []
        self.dead: list[DeadLetterRow] = []
        for message in messages:
            self.messages[message.session_id, message.turn].append(message)
        for row in rows:
            if isinstance(row, TurnRow):
                self.turns[row.session_id, row.turn] = row
            elif isinstance(row, FindingRow):
                self.findings[row.session_id, row.turn].append(row)
            elif isinstance(row, MessageRow):
                self.rows.append(row)
            elif isinstance(row, DeadLetterRow):
                self.dead.append(row)

    @property
    def keys(self) -> list[Key]:
        """All turns, the open ones too, in order."""
        return sorted(self.turns.keys() | self.messages.keys())

    def text(self, session_id: str, turn: int = 0) -> str:
        """What the desktop was shown of a turn."""
        return "".join(message.text for message in self.messages[session_id, turn])

    @property
    def page(self) -> str:
        """All of it to read: what a snapshot holds."""
        paragraphs = [
            [_turn(key, self.turns.get(key)), *map(_message, self.messages.get(key, ()))] for key in self.keys
        ]
        dead = [f"dead letter: {row.session_id}/{row.turn} {row.step}: {row.reason}" for row in self.dead]
        return "\n\n".join("\n".join(lines) for lines in [*paragraphs, sorted(dead)] if lines) + "\n"


def outcome(recording: Path, settings: Settings, *, records: Iterable[Record] | None = None) -> Outcome:
    """Replay a recording, or other `records` in its place, and keep what comes of it. Raises InputError."""
    messages: list[Message] = []
    rows = KeptSink()
    replay(recording, settings, messages.append, rows={"keep_rows": rows}, records=records)
    return Outcome(messages, rows.items)


def _turn(key: Key, turn: TurnRow | None) -> str:
    name = f"{key[0]}/{key[1]}"
    if turn is None:
        return f"{name}: open"
    error = f" ({turn.error_kind})" if turn.error_kind else ""
    doubtful = f", {turn.tokens_doubtful} of them doubtful" if turn.tokens_doubtful else ""
    return (
        f"{name}: {turn.outcome}{error}; "
        f"{turn.tokens_received} tokens received, {turn.tokens_repeated} repeated, {turn.tokens_sent} sent{doubtful}; "
        f"{turn.interruptions} interruptions, {turn.restarts} restarts"
    )


def _message(message: Message) -> str:
    text = json.dumps(message.text, ensure_ascii=False)
    last = (" final" if message.final else "") + (" fallback" if message.fallback else "")
    found = f" [{', '.join(message.moderated)}]" if message.moderated else ""
    return f"{message.seq:4} {message.t / 1e6:10.6f} {message.closed_by}{last}{found} {text}"
