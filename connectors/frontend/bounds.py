"""How long callers are waited for, and how much is kept for them: the part of [frontend] that the hub goes by."""

from __future__ import annotations

import msgspec

from connectors.fallback import BUILT_IN, What
from connectors.fields import check_range


class HubSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How long callers are waited for, and how much is kept for them. Times are in seconds.

    overall_timeout   of a turn that GET /stream began, from its first caller on; 0: none
    idle_timeout      of such a turn, with nothing shown; 0: none
    resume_grace      for which such a turn goes on when its last caller has gone
    replay_for        after a turn's end, for which it can be read again, by a restarted job too
    max_kept_turns    turns kept, under way and ended
    max_kept_chars    characters kept of all turns, and 64 more a message: above it the longest-ended turns are
                      forgotten; then the oldest messages of turns under way leave memory, and are read from disk
    max_turn_chars    the same of one turn: above it its oldest messages leave memory, and are read from disk
    max_callers       streams open at once; for one more see docs/operations.md
    timeout_text, error_text, cancelled_text   what `error` says, where [fallback.texts] has none of the turn's language
    """

    overall_timeout: float = 60.0
    idle_timeout: float = 20.0
    resume_grace: float = 10.0
    replay_for: float = 900.0
    max_kept_turns: int = 10_000
    max_kept_chars: int = 32 << 20
    max_turn_chars: int = 1 << 20
    max_callers: int = 1_000
    timeout_text: str = BUILT_IN.timeout
    error_text: str = BUILT_IN.other
    cancelled_text: str = BUILT_IN.cancelled

    def __post_init__(self) -> None:
        check_range(self, "overall_timeout", "idle_timeout", "resume_grace", "replay_for", least=0, unit="seconds")
        check_range(self, "max_kept_turns", "max_kept_chars", "max_turn_chars", "max_callers", least=1)

    def text(self, what: What) -> str:
        return {"timeout": self.timeout_text, "other": self.error_text, "cancelled": self.cancelled_text}[what]
