"""One desktop's messages: stored, sent, confirmed.

Rules
- First in, first out. A message is named by (session_id, turn, seq); offering a name again changes nothing.
- A message is confirmed once and never sent again. What was under way when the connection dropped is.
- An acknowledgement covers what was offered *and* may have been sent, up to its number; a desktop that claims
  more is not believed. A cursor moves over an unbroken run only; what lies beyond a gap is kept by number.
- At most `queue` messages are held in memory. The rest is known by its place on disk alone (8 bytes each)
  and read back in order. With `keep` of them waiting, new ones are refused and counted as dropped.
- With "pong" one message of a session is under way at a time, so that at most that one comes again; those behind it
  wait (queues.py), and messages of other sessions pass them. Where it is `alone`, it is the only one of all.
- `take` gives a message whenever one waits and the window has room: what was settled meanwhile is passed over, however
  much of it there is.
- An ended turn, all of it confirmed, leaves one number behind, and that is forgotten after a while.

No I/O and no clock. `at` is wall-clock time in microseconds and only carried; `now` is in seconds, of a clock
that does not jump.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Literal, NamedTuple, TypeAlias

import msgspec

from connectors.delivery.entry import Entry, Name
from connectors.delivery.progress import Cursor, Progress
from connectors.delivery.queues import Queues

Confirm: TypeAlias = Literal["ack", "pong", "none"]


class Confirmed(NamedTuple):
    """A message that just became confirmed. `sent_at` is None if an earlier process sent it."""

    seq: int
    sent_at: int | None


class Counts(msgspec.Struct):
    """What happened to the messages of one desktop since the process started."""

    offered: int = 0
    repeated: int = 0
    sent: int = 0
    resent: int = 0
    confirmed: int = 0
    unconfirmed: int = 0
    skipped: int = 0
    dropped: int = 0
    spilled: int = 0
    gaps: int = 0
    acks_unknown: int = 0
    acks_beyond: int = 0
    not_understood: int = 0
    forgotten: int = 0


class Outbox:
    """The messages of one desktop.

    confirm    what makes a message confirmed; may change while it runs
    alone      with "pong", one message is under way in all; may change while it runs
    in_flight  how many messages may be sent and not yet confirmed, `queue` at most
    queue      how many messages are held in memory, those under way included; at least 1
    backlog    `pressed` from that many pending messages on, until half of them are left
    keep       `full` from that many pending messages on
    """

    def __init__(
        self,
        confirm: Confirm = "ack",
        *,
        alone: bool = False,
        in_flight: int = 128,
        queue: int = 512,
        backlog: int = 10_000,
        keep: int = 1_000_000,
    ) -> None:
        self.confirm: Confirm = confirm
        self.alone = alone
        self.counts = Counts()
        self.pending = 0
        self.pressed = False
        self._backlog = backlog
        self._keep = keep
        self._in_flight = min(in_flight, queue)
        self._queue_limit = queue
        self._queue = Queues()
        self._under_way: dict[Name, Entry] = {}
        self._spilled = array("Q")
        self._turns: dict[tuple[str, int], Progress] = {}
        self._ended: dict[tuple[str, int], tuple[int, float]] = {}

    # What comes in

    def knows(self, session_id: str, turn: int, seq: int) -> bool:
        """Whether this message was offered before."""
        key = session_id, turn
        if (state := self._turns.get(key)) is not None:
            return seq in state.offered
        return key in self._ended and seq < self._ended[key][0]

    def offer(self, entry: Entry, now: float) -> bool:
        """Take a stored message. False: it was offered before, and nothing changes."""
        if self.knows(*entry.name):
            self.counts.repeated += 1
            return False
        self.counts.offered += 1
        self._turn_of(entry, now)
        if self._spilled or self._held >= self._queue_limit:
            self._spilled.append(entry.place)
            self.counts.spilled += 1
        else:
            self._queue.append(entry)
        return True

    def drop(self, entry: Entry, now: float) -> Confirmed | None:
        """Refuse a message: it counts as dropped and is never sent. None: it is known already."""
        if self.knows(*entry.name):
            self.counts.repeated += 1
            return None
        self.counts.offered += 1
        self._turn_of(entry, now)
        return self.settle(entry, "dropped", now)

    # What goes out

    def take(self, at: int, read: Callable[[list[int]], Iterable[Entry]]) -> Entry | None:
        """The next message to send; None while none waits, or too much is under way.

        read  gives the messages that are stored at these places, all of them and in their order
        """
        if self.has_no_room:
            return None
        entry = self._next(read)
        if entry is None:
            return None
        self._under_way[entry.name] = entry
        entry.sent_at = entry.sent_at or at
        turn = self._turns[entry.session_id, entry.turn]
        if entry.seq in turn.sent:
            self.counts.resent += 1
        else:
            turn.sent.add(entry.seq)
            self.counts.sent += 1
        return entry

    def acknowledge(self, session_id: str, turn: int, seq: int, now: float) -> list[Confirmed]:
        """The desktop has all of this turn up to `seq`. Returns what that newly confirms, by number."""
        state = self._turns.get((session_id, turn))
        if state is None:
            self.counts.acks_unknown += (session_id, turn) not in self._ended
            return []
        if seq > state.sent.last:
            self.counts.acks_beyond += 1
            seq = state.sent.last
        newly = [n for n in range(state.confirmed.next, seq + 1) if n in state.sent and n not in state.confirmed]
        self.counts.confirmed += len(newly)
        return [self._settle_number(session_id, turn, n, now) for n in newly]

    def settle(
        self, entry: Entry, how: Literal["confirmed", "unconfirmed", "skipped", "dropped"], now: float
    ) -> Confirmed | None:
        """`entry` is done with, and counted as `how`. None if it was done with already."""
        turn = self._turns.get((entry.session_id, entry.turn))
        if turn is None or entry.seq in turn.confirmed:
            return None
        setattr(self.counts, how, getattr(self.counts, how) + 1)
        return self._settle_number(*entry.name, now)

    def disconnect(self) -> int:
        """The connection is gone: what was under way goes back to the front. Returns how many that is."""
        entries = list(self._under_way.values())
        self._under_way.clear()
        self._queue.put_back(entries)
        return len(entries)

    # What earlier processes left: first the cursors, then what they settled, then what they stored

    def restore(self, cursor: Cursor, now: float) -> None:
        """Begin with what was remembered. Ages count from `now`."""
        key = cursor.session_id, cursor.turn
        turn = Progress(cursor, now)
        if turn.complete():
            self._ended[key] = turn.confirmed.next, now
        else:
            self._turns[key] = turn

    def settled(self, session_id: str, turn: int, seq: int, now: float) -> None:
        """A stored record says that this message was settled."""
        if self.knows(session_id, turn, seq):
            state = self._turns.get((session_id, turn))
            if state is None or seq in state.confirmed:
                return
        else:
            self._enter(self._begun(session_id, turn, now), seq)
        self._settle_number(session_id, turn, seq, now)

    def stored(self, entry: Entry, now: float) -> bool:
        """A stored message, without its body; whether it still waits. An acknowledgement of it is believed.

        It is not held: `take` reads it back.
        """
        if not self.knows(*entry.name):
            self._turn_of(entry, now).sent.add(entry.seq)
            self._spilled.append(entry.place)
            return True
        key = entry.session_id, entry.turn
        if entry.final and (turn := self._turns.get(key)) is not None:
            turn.final = entry.seq
            self._end_if_complete(key, now)
        return False

    # What is known

    @property
    def has_no_room(self) -> bool:
        """Whether as much is under way as may be."""
        return len(self._under_way) >= (1 if self.alone and self.confirm == "pong" else self._in_flight)

    @property
    def full(self) -> bool:
        """Whether a new message has to be dropped."""
        return self.pending >= self._keep

    @property
    def under_way(self) -> int:
        """Messages sent on this connection and not confirmed."""
        return len(self._under_way)

    def doubts(self, limit: int) -> list[tuple[str, int]]:
        """Up to `limit` turns of which the desktop may hold more than it confirmed."""
        found: list[tuple[str, int]] = []
        for key, turn in self._turns.items():
            if turn.pending and turn.sent.last >= turn.confirmed.next:
                found.append(key)
                if len(found) == limit:
                    break
        return found

    def cursors(self) -> Iterator[Cursor]:
        """Everything that must be remembered of the turns; with the pending messages, all of the state."""
        for (session_id, turn), (confirmed, _) in self._ended.items():
            yield Cursor(session_id, turn, confirmed, confirmed - 1)
        for (session_id, turn), state in self._turns.items():
            ahead = tuple(sorted(state.confirmed.ahead or ()))
            final = state.final if state.final in state.confirmed else -1
            yield Cursor(session_id, turn, state.confirmed.next, final, ahead)

    def places(self) -> Iterator[int]:
        """Where the messages that are not confirmed are stored; of those that only the disk holds, all."""
        for entry in (*self._under_way.values(), *self._queue):
            yield entry.place
        yield from self._spilled

    def relocate(self, moved: Mapping[int, int]) -> None:
        """Stored messages have moved from place to place."""
        for entry in (*self._under_way.values(), *self._queue):
            entry.place = moved.get(entry.place, entry.place)
        for index, place in enumerate(self._spilled):
            if place in moved:
                self._spilled[index] = moved[place]

    def forget(self, now: float, *, ended_for: float, idle_for: float) -> int:
        """Forget turns that ended `ended_for` seconds ago, or that nothing was heard of for `idle_for`."""
        old = []
        for key, (_, ended_at) in self._ended.items():  # oldest first
            if ended_at > now - ended_for:
                break
            old.append(key)
        for key in old:
            del self._ended[key]
        idle = [k for k, t in self._turns.items() if t.pending == 0 and t.touched <= now - idle_for]
        for key in idle:
            del self._turns[key]
        self.counts.forgotten += len(old) + len(idle)
        return len(old) + len(idle)

    # Within

    @property
    def _held(self) -> int:
        return len(self._queue) + len(self._under_way)

    def _read_back(self, read: Callable[[list[int]], Iterable[Entry]]) -> None:
        """Until the next message is at the front, and memory is half full; or nothing is left on disk."""
        while self._spilled:
            room = self._queue_limit - self._held
            if room <= 0 or (self._queue.has_next and room * 2 < self._queue_limit):
                return
            places = self._spilled[:room].tolist()
            for entry in read(places):
                if self._waits(entry):
                    self._queue.append(entry)
            del self._spilled[: len(places)]

    def _next(self, read: Callable[[list[int]], Iterable[Entry]]) -> Entry | None:
        """The next message that may go; what was confirmed while it waited to be sent again leaves here."""
        while True:
            self._read_back(read)
            entry = self._queue.pop(each_its_turn=self.confirm == "pong")
            if entry is None or self._waits(entry):
                return entry
            self._queue.release(entry.session_id)

    def _waits(self, entry: Entry) -> bool:
        turn = self._turns.get((entry.session_id, entry.turn))
        return turn is not None and entry.seq not in turn.confirmed

    def _turn_of(self, entry: Entry, now: float) -> Progress:
        """The turn of a message that is new, with the message entered."""
        turn = self._begun(entry.session_id, entry.turn, now)
        if entry.seq > turn.offered.next:
            self.counts.gaps += 1
        self._enter(turn, entry.seq)
        turn.touched = now
        if entry.final:
            turn.final = entry.seq
        return turn

    def _begun(self, session_id: str, number: int, now: float) -> Progress:
        """That turn, made or taken up again where it has to be."""
        key = session_id, number
        turn = self._turns.get(key)
        if turn is None:
            confirmed, _ = self._ended.pop(key, (0, now))
            turn = self._turns[key] = Progress(Cursor(*key, confirmed, confirmed - 1), now)
        return turn

    def _enter(self, turn: Progress, seq: int) -> None:
        turn.offered.add(seq)
        turn.pending += 1
        self._count_pending(1)

    def _settle_number(self, session_id: str, turn: int, seq: int, now: float) -> Confirmed:
        entry = self._under_way.pop((session_id, turn, seq), None)
        if entry is not None:
            self._queue.release(session_id)
        state = self._turns[session_id, turn]
        state.sent.add(seq)  # what was never sent is no gap either, once it is settled
        state.confirmed.add(seq)
        state.pending -= 1
        state.touched = now
        self._count_pending(-1)
        self._end_if_complete((session_id, turn), now)
        return Confirmed(seq, entry.sent_at if entry else None)

    def _end_if_complete(self, key: tuple[str, int], now: float) -> None:
        if self._turns[key].complete():
            self._ended[key] = self._turns.pop(key).confirmed.next, now

    def _count_pending(self, change: int) -> None:
        self.pending += change
        if self.pending >= self._backlog:
            self.pressed = True
        elif self.pending <= self._backlog // 2:
            self.pressed = False
