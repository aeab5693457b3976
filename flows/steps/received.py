"""What a turn has received so far, as far as a continuation asks: its last text, and what its ids tell.

Rules
- The last `HISTORY` characters are kept; `forgot` says that there were more.
- Ids tell nothing any more (`ids_tell`) once one came again that was not the last, with no continuation between.
- All is plain data of bounded size: an epoch writes it for every open turn.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from connectors.vendors.resumption import OWN, OWN_IDS, SAME_IDS, SHARED_IDS, IdKind
from flows.steps.frame_ids import Ids, TokenCount, count_on

HISTORY = 4_096


class Received:
    """One turn's.

    kind      whether its ids name a frame each, or several
    same_ids  its vendor was seen to repeat frames with the ids that they had
    count     ids that count tokens
    last      id of the last frame with text
    tail      characters from that id's first frame on; None where it is not known, as behind doubtful text
    noted     id of the last message, with text or without
    """

    def __init__(self) -> None:
        self.forgot = False
        self.ids_tell = True
        self.same_ids = False
        self.kind = IdKind()
        self.count = TokenCount()
        self.last: str | None = None
        self.tail: int | None = 0
        self.noted: str | None = None
        self._ids = Ids()
        self._recent: list[str] = []
        self._chars = 0

    @property
    def text(self) -> str:
        """The last of it."""
        self._trim()
        return self._recent[0]

    def knows(self, frame_id: str | None) -> bool:
        """Whether a frame of this id came, and that says something."""
        return self.ids_tell and frame_id is not None and frame_id in self._ids

    def add(self, tokens: Sequence[str], frame_id: str | None) -> None:
        """A frame's tokens were let through."""
        text = tokens[0] if len(tokens) == 1 else "".join(tokens)
        self._note(len(text), len(tokens), frame_id)
        self._keep(text)

    def _note(self, chars: int, tokens: int, frame_id: str | None) -> bool:
        """Note a frame's id; whether ids still tell."""
        if frame_id is not None and frame_id != self.last:
            if self.ids_tell and not self._ids.add(frame_id):
                self.distrust_ids()
            self.count.feed(frame_id, tokens)
            self.last, self.tail = frame_id, chars
        else:
            self.count.feed(None, tokens)
            self.tail = None if self.tail is None else min(self.tail + chars, HISTORY + 1)
        self.noted = frame_id or self.noted
        return self.ids_tell

    def _keep(self, text: str) -> None:
        self._recent.append(text)
        self._chars += len(text)
        if self._chars > 2 * HISTORY:
            self._trim()

    def add_all(self, tokens: Sequence[str], ids: Sequence[str | None]) -> None:
        """As `add`, of frames of one token each."""
        text = "".join(tokens)
        if not any(ids):
            self._note(len(text), len(tokens), None)
        elif (run := count_on(ids)) and self._note(len(tokens[0]), 1, ids[0]) and self._ids.go_on(run):
            self.count.go_on(run)
            self.last, self.tail, self.noted = ids[-1], len(tokens[-1]), ids[-1]
        else:
            for token, frame_id in zip(tokens[run is not None :], ids[run is not None :], strict=True):
                self._note(len(token), 1, frame_id)
        self._keep(text)

    def doubt(self) -> None:
        """Of what was let through last, some may have come before: it is no measure."""
        self.tail = None
        self.count.refute()

    def distrust_ids(self) -> None:
        self.ids_tell = False
        self._ids.clear()

    def learn(self, facts: Iterable[str]) -> None:
        """What the account's vendor was seen to do in other turns."""
        if SHARED_IDS in facts:
            self.kind.shared = True
        if OWN_IDS in facts:
            self.kind.different = OWN
        self.same_ids = self.same_ids or SAME_IDS in facts

    def snapshot(self) -> tuple[Any, ...]:
        kind = (self.kind.different, self.kind.shared, self.kind.before)
        ids = (self._ids.snapshot(), self.ids_tell, self.same_ids, self.last, self.tail, self.noted)
        return (self.text, self.forgot, ids, kind, self.count.snapshot())

    def restore(self, data: tuple[Any, ...]) -> None:
        recent, self.forgot, ids, kind, count = data
        self._recent, self._chars = [recent], len(recent)
        known, self.ids_tell, self.same_ids, self.last, self.tail, self.noted = ids
        self._ids.restore(known)
        self.kind = IdKind(*kind)
        self.count.restore(count)

    def _trim(self) -> None:
        text = "".join(self._recent)
        self.forgot = self.forgot or len(text) > HISTORY
        self._recent = [text[-HISTORY:]]
        self._chars = len(self._recent[0])
