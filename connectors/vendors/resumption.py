"""How a vendor goes on after a continuation: what is set, what an account has shown, and what its ids name. A core.

Rules
- `resumes` of a vendor's settings says whether a continuation begins exactly behind what came (`exact`), may begin
  with text that came before (`repeats`), or is to be found out (`auto`).
- Ids are `shared` once two frames in a row of one connection have the same, and `own`, one a frame, once `OWN`
  different ones came and none was shared. Before, it is open which they are.
- An account that has shown both kinds has shown nothing.
- All that is learnt goes into the log with the next continuation's `open`, so that a replay knows what the live job
  knew. It is not kept over a restart: an account shows it again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from operator import eq
from typing import Any, Final, Literal, TypeAlias

Resumes: TypeAlias = Literal["auto", "exact", "repeats"]

OWN: Final = 3
MAX_SEEN: Final = 4_096
"""Ids of a turn that the account's client remembers."""

OWN_IDS: Final = "own_ids"
SHARED_IDS: Final = "shared_ids"
SAME_IDS: Final = "same_ids"
"""What repeats has the ids that it had the first time."""


class IdKind:
    """Whether a turn's ids name a frame each, or several."""

    __slots__ = ("before", "different", "shared")

    def __init__(self, different: int = 0, shared: bool = False, before: str | None = None) -> None:
        self.different = different
        self.shared = shared
        self.before = before

    @property
    def own(self) -> bool:
        return self.different >= OWN and not self.shared

    def connect(self) -> None:
        """A new connection: its first frame may well have the last one's id again."""
        self.before = None

    def feed(self, frame_id: str | None, *, known: bool) -> None:
        """The next frame with text; `known`: an earlier connection had its id."""
        if frame_id is None:
            return
        if frame_id == self.before:
            self.shared = True
        elif not known:
            self.different += self.different < OWN
        self.before = frame_id

    def feed_all(self, ids: Sequence[str | None]) -> None:
        """Frames with text, of ids that no earlier connection had."""
        if self.different < OWN or None in ids:
            for frame_id in ids:
                self.feed(frame_id, known=False)
        else:
            self.shared = self.shared or ids[0] == self.before or any(map(eq, ids, ids[1:]))
            self.before = ids[-1]


class Account:
    """What an account's vendor is said to do, and what it was seen to do."""

    def __init__(self, resumes: Resumes = "auto") -> None:
        self.resumes = resumes
        self._learnt: set[str] = set()

    def learn(self, fact: str) -> None:
        self._learnt.add(fact)

    @property
    def learnt(self) -> list[str]:
        mixed = {OWN_IDS, SHARED_IDS} if {OWN_IDS, SHARED_IDS} <= self._learnt else set()
        return sorted(self._learnt - mixed)

    def reopening(self) -> dict[str, Any]:
        """What the `open` of a continuation says of it."""
        return {"resumes": self.resumes} | ({"learnt": self.learnt} if self.learnt else {})


class Observer:
    """Watches one turn's ids, to tell its account what they show."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._kind = IdKind()
        self._seen: OrderedDict[int, None] = OrderedDict()
        self._last: str | None = None
        self._resuming = False

    def connect(self) -> None:
        """An attempt begins."""
        self._kind.connect()
        self._resuming = bool(self._seen)

    def feed(self, frame_id: str | None) -> None:
        """The next frame with text."""
        if frame_id is None:
            return
        known = hash(frame_id) in self._seen
        self._kind.feed(frame_id, known=known)
        if self._resuming and known and (frame_id != self._last or self._kind.own):
            self._account.learn(SAME_IDS)
        if self._kind.shared or self._kind.own:
            self._account.learn(SHARED_IDS if self._kind.shared else OWN_IDS)
        self._resuming = False
        if not known:
            self._last = frame_id
            self._seen[hash(frame_id)] = None
            if len(self._seen) > MAX_SEEN:
                self._seen.popitem(last=False)
