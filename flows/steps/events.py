"""What travels between the steps, beside what the log and what goes out is made of (connectors/log/records.py).

Rules
- Everything names its session `s`, its turn `n` and the log time `t` at which it became true.
- Offsets count characters of the turn's clean text from 0.
- `Frames` and `Run` are several of a kind in a row, joined: what they say is what each of them would say, one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from connectors.log.records import ClosedBy, Finish, Frames, Message, Question, Record, Summary
from connectors.metrics import Row


class Text(msgspec.Struct, frozen=True, gc=False):
    """Clean text, as it came: `tokens` of the vendor's tokens ended in it."""

    t: int
    s: str
    n: int
    text: str
    tokens: int


class Run(msgspec.Struct, frozen=True, gc=False):
    """Clean text of several tokens in a row, with nothing between them: what as many `Text` events would say.

    It says the same to every core as they would, so that what need not be looked at token by token costs once.

    t      when the first came
    times  when each came; a core lets its own deadlines fire in between
    ends   where each ends in `text`; none is empty
    """

    t: int
    s: str
    n: int
    text: str
    times: Sequence[int]
    ends: Sequence[int]

    def part(self, begin: int, end: int) -> Run:
        """The tokens `begin` to `end` - 1 of it."""
        if begin == 0 and end == len(self.times):
            return self
        start = self.ends[begin - 1] if begin else 0
        ends = [each - start for each in self.ends[begin:end]] if start else self.ends[begin:end]
        times = self.times[begin:end]
        return Run(times[0], self.s, self.n, self.text[start : self.ends[end - 1]], times, ends)

    def token(self, at: int) -> Text:
        """One of them by itself."""
        start = self.ends[at - 1] if at else 0
        return Text(self.times[at], self.s, self.n, self.text[start : self.ends[at]], 1)


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


class Stopped(msgspec.Struct, frozen=True, gc=False):
    """The vendor says why its answer ends here: one of connectors.vendors.decoding.Reason."""

    t: int
    s: str
    n: int
    reason: str


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


Event: TypeAlias = (
    Record
    | Frames
    | Text
    | Run
    | Repeated
    | Usage
    | Stopped
    | Boundary
    | Question
    | Finding
    | Released
    | Summary
    | Finish
    | DeadLetter
)
Output: TypeAlias = Event | Row
