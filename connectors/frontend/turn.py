"""One turn as its callers are shown it, and a caller's place in it.

Rules
- A core: nothing here waits, and no time is asked for.
- Events are numbered without a gap: event `seq` is message `seq`, and the one after the last message is the end. A
  caller gets every event after its place, in order, once; its place is all that it costs.
- The newest messages are in memory. Older ones leave it (`archive`), and are read back from the archive one by one when
  a caller wants them: an answer's length is bounded by nothing here, and memory is.
- An event's line ends are LF: the format knows no other. CR LF counts as one, even where it was cut, so that the tokens
  joined are the whole text. A caller that takes texts (`texts`) gets them as they are.
- What cannot be read back any more ends a caller's stream with an `error`; where messages are missing it has no id, so
  that what the caller has stays its place.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple, Protocol, TypeAlias

import msgspec

from connectors.frontend.ids import Key, event_id
from connectors.log.records import Finish, Message
from connectors.sse import Event

MESSAGE_COST: Final = 64
"""A kept message counts as so many characters more than its text."""

TAKE_CHARS: Final = 64 << 10

DONE: Final = "done"
TOKEN: Final = "token"


class Archive(Protocol):
    """Where messages are kept that have left memory."""

    def has(self, key: Key, first: int, end: int) -> bool:
        """Whether the turn's messages from `first` to before `end` can be read, all of them."""

    def recall(self, key: Key, seq: int) -> Message | None:
        """One message of a turn; None where it cannot be read."""


class NoArchive:
    """Keeps nothing."""

    def has(self, key: Key, first: int, end: int) -> bool:
        return first >= end

    def recall(self, key: Key, seq: int) -> Message | None:
        return None


class LostError(Exception):
    """A message has left memory and is not in the archive."""


class Done(NamedTuple):
    """The end of a long answer: the event `done`, whose text is read while it is sent."""

    turn: ShownTurn
    id: str
    event: str = DONE

    def texts(self) -> Iterator[str]:
        """The whole text in parts of about `TAKE_CHARS`. Raises LostError."""
        part: list[str] = []
        size = 0
        for seq in range(self.turn.count):
            part.append(self.turn.piece(seq))
            size += len(part[-1])
            if size >= TAKE_CHARS:
                yield "".join(part)
                part, size = [], 0
        yield "".join(part)

    @property
    def data(self) -> str:
        return "".join(self.texts())


Shows: TypeAlias = Event | Done


class ShownTurn:
    """What was shown of a turn, and who reads it.

    first      the oldest message that is in memory
    size       of what is in memory: its characters, and `MESSAGE_COST` a message
    whole      the same of all that was shown
    attending  callers for whose sake the turn goes on
    end        `done` or `error`, and what that says
    finish     what the flow said of its end; None where a caller's end came first, or an earlier process showed it
    outcome    how it ended: as the flow says, else what was said in its place
    language   that it was asked for in, where one was named
    """

    def __init__(self, key: Key, now: float, archive: Archive, language: str | None = None) -> None:
        self.key = key
        self.language = language
        self.first = 0
        self.size = 0
        self.whole = 0
        self.callers: dict[Caller, None] = {}  # the longest there first
        self.attending = 0
        self.shown_at = now
        self.attended_at: float | None = None
        self.left_at: float | None = None
        self.missed_at = -math.inf  # when a caller left who may come back
        self.end: tuple[str, str] | None = None
        self.ended_at = 0.0
        self.finish: Finish | None = None
        self.outcome = ""
        self.fallback: str | None = None
        self._archive = archive
        self._pieces: list[str] = []
        self._after_cr = False
        self._begun: set[int] = set()

    @property
    def count(self) -> int:
        """Messages shown."""
        return self.first + len(self._pieces)

    @property
    def chars(self) -> int:
        """Characters shown."""
        return self.whole - self.count * MESSAGE_COST

    def add(self, message: Message) -> int:
        """Show the next message; what `size` grows by."""
        text = "" if message.fallback else message.text
        begun = self._after_cr and text.startswith("\n")  # the LF of a CR LF whose CR was shown
        if begun:
            self._begun.add(message.seq)
        if text:
            self._after_cr = text.endswith("\r")
        self._pieces.append(text)
        cost = len(text) + MESSAGE_COST
        self.size += cost
        self.whole += cost
        return cost

    def archive(self, over: int) -> int:
        """Let the oldest messages leave memory: `over` of `size`, and a quarter of the rest; how many they are."""
        enough = over + max(0, self.size - over) // 4
        freed = count = 0
        while freed < enough and count < len(self._pieces):
            freed += len(self._pieces[count]) + MESSAGE_COST
            count += 1
        del self._pieces[:count]
        self.first += count
        self.size -= freed
        return count

    def readable(self, first: int) -> bool:
        """Whether every message from `first` on can be had."""
        return self._archive.has(self.key, first, self.first)

    def text(self, seq: int) -> str:
        """The text of message `seq`; empty where there is nothing to send. Raises LostError."""
        if seq >= self.first:
            return self._pieces[seq - self.first]
        message = self._archive.recall(self.key, seq)
        if message is None:
            raise LostError
        return "" if message.fallback else message.text

    def piece(self, seq: int) -> str:
        """The same as an event has it."""
        return _normal(self.text(seq), seq in self._begun)

    def event(self, seq: int) -> Shows | None:
        """Event `seq`, if there is something to send. Raises LostError."""
        name = event_id(self.key, seq)
        if seq < self.count:
            text = self.piece(seq)
            return Event(TOKEN, text, name) if text else None
        assert self.end is not None
        kind, text = self.end
        if kind != DONE:
            return Event(kind, text, name)
        if not self.readable(0):
            raise LostError
        if self.first == 0 and self.chars <= TAKE_CHARS:
            return Event(DONE, "".join(map(self.piece, range(self.count))), name)
        return Done(self, name)


class Caller:
    """One connection's place in a turn. Made by `Hub.join`, given back to `Hub.leave`.

    attends   the turn is given up when none of these is there
    returns   it may come back when its connection is lost: the turn waits for it
    closed    its stream ends here, and the caller shall come back: the server stops
    replaced  or it has come back already, on another connection
    """

    def __init__(
        self,
        turn: ShownTurn,
        after: int,
        wake: Callable[[], object],
        lost: Callable[[], Event],
        *,
        attends: bool,
        returns: bool = True,
    ) -> None:
        self.wake = wake
        self.attends = attends
        self.returns = returns
        self.closed = False
        self.replaced = False
        self.turn = turn
        self._next = after + 1
        self._lost = lost
        self._cut_off = False

    @property
    def finished(self) -> bool:
        """All was said."""
        return self.turn.end is not None and self._next > self.turn.count

    @property
    def heard_all(self) -> bool:
        """Every message was taken, and there will be no more: what is left is the end."""
        return self.turn.end is not None and self._next >= self.turn.count

    def passed(self, seq: int) -> bool:
        """Whether it was given event `seq`."""
        return self._next > seq

    @property
    def over(self) -> bool:
        """There is nothing more to come."""
        return self.closed or self._cut_off or self.finished

    def take(self, max_chars: int = TAKE_CHARS) -> list[Shows]:
        """The events that can be sent now, `max_chars` of them or one more; moves the place past them."""
        turn, chars = self.turn, 0
        events: list[Shows] = []
        last = turn.count + (turn.end is not None)
        while self._next < last and chars < max_chars and not self._cut_off:
            try:
                event = turn.event(self._next)
            except LostError:
                event = self._lost()
                if self._next == turn.count:  # the end itself, with less to say
                    event = msgspec.structs.replace(event, id=event_id(turn.key, self._next))
                else:
                    self._cut_off = True
            self._next += 1
            if event is not None:
                events.append(event)
                chars += len(event.data) if isinstance(event, Event) else 0
        return events

    def texts(self, max_chars: int = TAKE_CHARS) -> list[str]:
        """The texts alone that can be sent now, a message's each; moves the place past them. Raises LostError."""
        turn, chars = self.turn, 0
        texts: list[str] = []
        while self._next < turn.count and chars < max_chars:
            try:
                text = turn.text(self._next)
            except LostError:
                self._lost()
                raise
            self._next += 1
            if text:
                texts.append(text)
                chars += len(text)
        return texts


def _normal(text: str, begun: bool) -> str:
    """`text` with LF for every line end, without the LF that ends a line already shown."""
    return text[begun:].replace("\r\n", "\n").replace("\r", "\n")
