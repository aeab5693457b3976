"""What travels between the steps, beside what the log and what goes out is made of (connectors/log/records.py).

Rules
- Everything names its session `s`, its turn `n` and the log time `t` at which it became true.
- Offsets count characters of the turn's clean text from 0.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from connectors.log.records import ClosedBy, Message, Question, Record, Summary
from connectors.metrics import Row


class Text(msgspec.Struct, frozen=True, gc=False):
    """Clean text, as it came: `tokens` of the vendor's tokens ended in it."""

    t: int
    s: str
    n: int
    text: str
    tokens: int


class Repeated(msgspec.Struct, frozen=True, gc=False):
    """Tokens that came a second time after a continuation.

    `kept` where a short repetition could as well be new text, and so was let through.
    """

    t: int
    s: str
    n: int
    tokens: int
    kept: bool


class Usage(msgspec.Struct, frozen=True, gc=False):
    """Tokens as the vendor counts them."""

    t: int
    s: str
    n: int
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Boundary(msgspec.Struct, frozen=True, gc=False):
    """A window ends before the character at offset `at`; `closed_by` says why."""

    t: int
    s: str
    n: int
    at: int
    closed_by: ClosedBy


class Finding(msgspec.Struct, frozen=True, gc=False):
    """Something moderation found in message `seq`, by its offsets in the clean text. Never the value itself."""

    t: int
    s: str
    n: int
    seq: int
    category: str
    rule: str
    action: str
    start: int
    end: int


class Released(msgspec.Struct, frozen=True, gc=False):
    """A message, with what made it.

    desktop     the name of where it goes
    tokens      the vendor's tokens that ended in its window
    began       log time of the window's first text
    proved      log time at which its end was proved; moderation held it from then to `t`
    """

    t: int
    s: str
    n: int
    message: Message
    desktop: str
    tokens: int
    began: int
    proved: int
    findings: int


class DeadLetter(msgspec.Struct, frozen=True, gc=False):
    """What a step could not handle, and why; never the text itself."""

    t: int
    s: str
    n: int
    step: str
    reason: str


Event: TypeAlias = Record | Text | Repeated | Usage | Boundary | Question | Finding | Released | Summary | DeadLetter
Output: TypeAlias = Event | Row
