"""What delivery remembers: the outboxes of all desktops and the journal under them, as one thing.

Rules
- A message is in the journal before an outbox hands it out, and in no outbox twice.
- Whatever settles a message is in the journal before it is told to anyone, with when it was sent: all that is known of
  deliveries can be read there (reader.py).
- One lock guards it all. It is held for microseconds, but for a rotation (some milliseconds in every 16 MB).
- What a start keeps, and reads back, is what waits: what is settled is passed over where the journal is read.
- That a desktop has acknowledged is in the journal too, in its newest segment.
- A message for a desktop that the settings lack is settled as it comes, `unknown`.
- When the disk is full, storing a message is an error; a confirmation that cannot be stored is counted, and
  delivery goes on: it is stored when there is room, and until then may be repeated after a crash, never lost. At most
  `MAX_UNSTORED` wait for that.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Literal, Protocol

import msgspec

from connectors.delivery.entry import Entry
from connectors.delivery.journal import Journal, Position, Settled, Stored
from connectors.delivery.outbox import Confirmed, Counts, Outbox
from connectors.delivery.recall import entry_of, recall
from connectors.delivery.segment import Delivered, How, acknowledgement_of, acknowledges, deliveries
from connectors.errors import DataDirError
from connectors.log.records import encode_message

log = logging.getLogger(__name__)

ENDED_FOR = 600.0
IDLE_FOR = 86_400.0
ROTATE_AGAIN_AFTER = 10.0
STORE_AGAIN_AFTER = 1.0
MAX_UNSTORED = 20_000

_LOST = {
    "dropped": "too many wait (its setting `keep`)",
    "unknown": "the settings lack it; give it a section [desktops.NAME] (AGENT_WS_URL for 'default')",
}


class Deliverable(Protocol):
    """What can be delivered: a struct with a name of its own, whose JSON says it too. `Message` is one."""

    @property
    def session_id(self) -> str: ...
    @property
    def turn(self) -> int: ...
    @property
    def seq(self) -> int: ...
    @property
    def final(self) -> bool: ...


def wall_clock() -> int:
    """Microseconds since 1970."""
    return time.time_ns() // 1_000


class Ledger:
    """The messages of one lane for all its desktops. Safe to share between threads.

    outboxes      one for each desktop of the settings, empty
    ended_for     seconds of running time for which an ended turn is remembered. Nothing that old may be
                  offered again: it must exceed a few epochs
    idle_for      the same, for a turn that never ended
    on_delivered  called with what was settled, on the thread that settled it; it must be quick, and call nothing here
    on_pressure   called with the desktops that are pressed, at first and when that changes: in order, by any thread

    Raises DataDirError for a journal that cannot be read.
    """

    def __init__(
        self,
        journal: Journal,
        outboxes: Mapping[str, Outbox],
        *,
        ended_for: float = ENDED_FOR,
        idle_for: float = IDLE_FOR,
        on_delivered: Callable[[list[Delivered]], object] | None = None,
        on_pressure: Callable[[frozenset[str]], object] | None = None,
        clock: Callable[[], int] = wall_clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.unknown_desktop = 0
        self.unencodable = 0
        self.unjournaled = 0
        self._journal = journal
        self._known = frozenset(outboxes)
        self._outboxes = dict(outboxes)
        self._ended_for = ended_for
        self._idle_for = idle_for
        self._on_delivered = on_delivered
        self._on_pressure = on_pressure
        self._clock = clock
        self._monotonic = monotonic
        self._rotate_not_before = 0.0
        self._unstored: deque[Settled] = deque(maxlen=MAX_UNSTORED)
        self._store_not_before = 0.0
        self._pressed: set[str] = set()
        self._acknowledging: set[str] = set()
        self._lock = threading.Lock()
        self._telling = threading.Lock()
        recall(journal, self._outbox, monotonic(), self._recalled)
        self._begin()

    # The flow's side

    def offer(self, messages: Iterable[tuple[str, Deliverable]]) -> set[str]:
        """Store what is new. Returns the desktops that something is new for.

        Raises DataDirError if it could not be stored; then nothing was taken.
        """
        now = self._monotonic()
        fresh: list[tuple[str, Deliverable, bytes]] = []
        refused: list[tuple[str, Deliverable, Literal["dropped", "unknown"]]] = []
        with self._lock:
            for to, message in messages:
                outbox = self._outbox(to)
                if outbox.knows(message.session_id, message.turn, message.seq):
                    outbox.counts.repeated += 1
                elif to not in self._known:
                    refused.append((to, message, "unknown"))
                elif outbox.full:
                    refused.append((to, message, "dropped"))
                elif (body := self._encode(message)) is not None:
                    fresh.append((to, message, body))
            at = self._clock() if fresh else 0
            places = self._journal.append([Stored(to, msgspec.Raw(body), at) for to, _, body in fresh])
            for (to, message, body), place in zip(fresh, places, strict=True):
                self._outboxes[to].offer(_entry(message, place, body), now)
            for to, message, why in refused:
                self._refuse(to, message, why, now)
            self._rotate_if_due(now)
        self._tell({to for to, _, _ in fresh})
        return {to for to, _, _ in fresh}

    def sync(self) -> Position:
        """Make what is stored survive the machine."""
        with self._lock:
            self._record([])
        return self._journal.sync()

    # The desktop's side

    def take(self, desktop: str) -> Entry | None:
        """The next message to send, or None. Reads back what had been left on disk."""
        with self._lock:
            return self._outboxes[desktop].take(self._clock(), self._read)

    def acknowledge(self, desktop: str, session_id: str, turn: int, seq: int) -> int:
        """Returns how many messages that confirmed."""
        with self._lock:
            outbox = self._outboxes[desktop]
            confirmed = outbox.acknowledge(session_id, turn, seq, self._monotonic())
            self._settle(desktop, session_id, turn, confirmed, "ack")
        self._tell({desktop})
        return len(confirmed)

    def settle(self, desktop: str, entry: Entry, how: Literal["pong", "unconfirmed", "skipped"]) -> None:
        """One message is done with."""
        with self._lock:
            outbox = self._outboxes[desktop]
            confirmed = outbox.settle(entry, "confirmed" if how == "pong" else how, self._monotonic())
            self._settle(desktop, entry.session_id, entry.turn, [confirmed] if confirmed else [], how)
        self._tell({desktop})

    def disconnect(self, desktop: str) -> int:
        """The connection is gone. Returns how many messages will be sent again."""
        with self._lock:
            return self._outboxes[desktop].disconnect()

    def doubts(self, desktop: str, limit: int) -> list[tuple[str, int]]:
        """Turns of which the desktop may hold more than it confirmed."""
        with self._lock:
            return self._outboxes[desktop].doubts(limit)

    def knows(self, desktop: str, session_id: str, turn: int, seq: int) -> bool:
        """Whether this message was stored, now or before."""
        with self._lock:
            return self._outboxes[desktop].knows(session_id, turn, seq)

    def has_no_room(self, desktop: str) -> bool:
        """Whether as much is under way as may be."""
        return self._outboxes[desktop].has_no_room

    def acknowledges(self, desktop: str) -> bool:
        """Whether this desktop has ever acknowledged, to this process or an earlier one."""
        with self._lock:
            return desktop in self._acknowledging

    def let_sessions_pass(self, desktop: str) -> None:
        """From now on one message of each session may be under way to this desktop."""
        with self._lock:
            self._outboxes[desktop].alone = False

    def let_acknowledge(self, desktop: str) -> None:
        """From now on this desktop's acknowledgements count, and nothing else; the next process will know it too."""
        with self._lock:
            self._outboxes[desktop].confirm = "ack"
            if desktop not in self._acknowledging:
                self._acknowledging.add(desktop)
                try:
                    self._journal.append([acknowledgement_of(desktop)])
                except DataDirError as error:
                    log.warning("%s; after a restart it must be found out again that %r acknowledges", error, desktop)

    # Anybody's

    @property
    def pending(self) -> dict[str, int]:
        """Messages stored and not settled, by desktop; also those of desktops that the settings lack now."""
        with self._lock:
            return {to: outbox.pending for to, outbox in self._outboxes.items()}

    def waiting(self, desktop: str) -> int:
        return self._outboxes[desktop].pending

    def under_way(self, desktop: str) -> int:
        return self._outboxes[desktop].under_way

    def counts(self, desktop: str) -> Counts:
        return self._outboxes[desktop].counts

    @property
    def pressed(self) -> frozenset[str]:
        """The desktops whose backlog has passed its bound."""
        with self._lock:
            return frozenset(self._pressed)

    def close(self) -> None:
        with self._lock:
            self._store_not_before = 0.0
            self._record([])
            self._journal.close()

    # Within

    def _outbox(self, to: str) -> Outbox:
        """That desktop's; made where the settings lack it."""
        return self._outboxes.get(to) or self._outboxes.setdefault(to, Outbox())

    def _recalled(self, line: Settled) -> None:
        if acknowledges(line):
            self._acknowledging.add(line.to)

    def _begin(self) -> None:
        for to, outbox in self._outboxes.items():
            outbox.counts = Counts()
            if outbox.pressed and to in self._known:
                self._pressed.add(to)
            if outbox.pending and to not in self._known:
                log.warning("%d messages are stored for the desktop %r, which the settings lack", outbox.pending, to)
        if self._pressed and self._on_pressure is not None:
            self._call(self._on_pressure, frozenset(self._pressed))

    def _read(self, places: list[int]) -> list[Entry]:
        bodies = self._journal.fetch(places)
        return [entry_of(place, body, body) for place, body in zip(places, bodies, strict=True)]

    def _refuse(self, to: str, message: Deliverable, why: Literal["dropped", "unknown"], now: float) -> None:
        outbox = self._outboxes[to]
        if not outbox.counts.dropped:
            log.warning("messages for the desktop %r are lost from here on: %s", to, _LOST[why])
        refused = outbox.drop(_entry(message, 0, b""), now)
        if refused is not None:
            self.unknown_desktop += why == "unknown"
            self._settle(to, message.session_id, message.turn, [refused], why)

    def _encode(self, message: Deliverable) -> bytes | None:
        try:
            return encode_message(message)
        except (ValueError, OverflowError):  # half a character, a number beyond 64 bits
            self.unencodable += 1
            log.warning("a message cannot be written as JSON; it is left out (session %r)", message.session_id)
            return None

    def _settle(self, desktop: str, session_id: str, turn: int, confirmed: list[Confirmed], how: How) -> None:
        if not confirmed:
            return
        at = self._clock()
        if how == "ack":
            self._acknowledging.add(desktop)
        lines: list[Settled] = []
        for run in _runs(confirmed):
            sent = tuple(each.sent_at for each in run)
            lines.append(Settled(desktop, session_id, turn, run[0].seq, run[-1].seq, at, how, sent))
        self._record(lines)
        if self._on_delivered is not None:
            self._call(self._on_delivered, [each for line in lines for each in deliveries(line)])

    def _record(self, lines: Sequence[Settled]) -> None:
        """Journal these, after those that found no room before."""
        self._unstored += lines
        now = self._monotonic()
        if self._unstored and now >= self._store_not_before:
            try:
                self._journal.append(list(self._unstored))
            except DataDirError as error:
                if not self.unjournaled:
                    log.warning("%s; delivery goes on, and may be repeated after a crash", error)
                self._store_not_before = now + STORE_AGAIN_AFTER
            else:
                self._unstored.clear()
                return
        self.unjournaled += sum(line.last + 1 - line.first for line in lines)

    def _rotate_if_due(self, now: float) -> None:
        if not self._journal.full or now < self._rotate_not_before:
            return
        for outbox in self._outboxes.values():
            outbox.forget(now, ended_for=self._ended_for, idle_for=self._idle_for)
        cursors = {to: list(outbox.cursors()) for to, outbox in self._outboxes.items()}
        live = chain.from_iterable(outbox.places() for outbox in self._outboxes.values())
        again = list(map(acknowledgement_of, sorted(self._acknowledging)))  # a start does not read the older segments'
        try:
            moved = self._journal.rotate(cursors, live, again)
        except DataDirError as error:
            log.warning("%s; the journal grows until that works", error)
            self._rotate_not_before = now + ROTATE_AGAIN_AFTER
            return
        if moved:
            for outbox in self._outboxes.values():
                outbox.relocate(moved)

    def _tell(self, desktops: set[str]) -> None:
        """Of pressure; outside the lock, since the callback may take its own."""
        if not self._changed(desktops):
            return
        with self._telling:
            with self._lock:
                changed = self._changed(desktops)
                self._pressed ^= changed
                pressed = frozenset(self._pressed)
            if changed and self._on_pressure is not None:
                self._call(self._on_pressure, pressed)

    def _changed(self, desktops: set[str]) -> set[str]:
        """Those of them that are pressed and were not told, or are not pressed any more."""
        return {to for to in desktops if self._outboxes[to].pressed != (to in self._pressed)}

    def _call(self, callback: Callable[..., object], *args: object) -> None:
        try:
            callback(*args)
        except Exception:
            log.exception("a callback of delivery failed; delivery goes on")


def _runs(confirmed: Sequence[Confirmed]) -> Iterator[Sequence[Confirmed]]:
    """Pieces in which each number is one more than the one before."""
    begin = 0
    for index in range(1, len(confirmed) + 1):
        if index == len(confirmed) or confirmed[index].seq != confirmed[index - 1].seq + 1:
            yield confirmed[begin:index]
            begin = index


def _entry(head: Deliverable, place: int, body: bytes) -> Entry:
    return Entry(head.session_id, head.turn, head.seq, head.final, place, body)
