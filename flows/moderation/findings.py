"""What detectors find and what moderation gives out: plain values.

Offsets count characters (code points) of the source text, from the start of the turn. None of these holds the
value that was found.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import msgspec

Action = Literal["flag", "redact", "replace", "drop", "end"]
"""What a finding leads to, from mild to strong: `flag` only reports it, `redact` puts a mask in its place,
`replace` puts another sentence in place of its sentence, `drop` leaves its sentence out, `end` ends the session."""

STRENGTH: dict[str, int] = {"flag": 0, "redact": 1, "replace": 2, "drop": 3, "end": 4}


class Match(NamedTuple):
    """What a detector reports: `[start, end)` in the text it was shown, and the rule that found it. One that `goes_on`
    is certain already and may reach further than the text does: the detector is asked how far."""

    start: int
    end: int
    rule: str
    goes_on: bool = False


class Finding(msgspec.Struct, frozen=True, gc=False):
    """Something of `category` at `[start, end)` of the source, found by `rule`; `action` is what the policy does."""

    start: int
    end: int
    category: str
    rule: str
    action: Action


class Span(msgspec.Struct, frozen=True, gc=False):
    """A piece of output for the source `[start, end)`.

    Without a finding and as long as its source it is verbatim and may be split anywhere. Otherwise it is atomic.
    """

    start: int
    end: int
    text: str
    finding: Finding | None = None

    @property
    def verbatim(self) -> bool:
        return self.finding is None and len(self.text) == self.end - self.start
