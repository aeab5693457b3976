"""What callers have been shown: the messages of every turn, and who reads along.

Rules
- A core: time is an argument (seconds of any clock that never runs backwards), and nothing here waits.
- The end of a turn is `done` with the whole text, or `error` with a fallback text. Nothing comes after it.
- A turn that a caller attends is given up when no such caller is there for `resume_grace`, when nothing was shown for
  `idle_timeout`, or after `overall_timeout`. Who only looks on counts for nothing: it neither holds a turn nor ends it.
  One that cannot come back (`returns`) is not waited for: with the last of these the turn is given up at once.
  A turn that no caller attended has all the time it takes.
- However long an answer is, it goes on: of a turn, and of all turns, only so much is in memory; the rest is read back
  from the archive (turn.py).
- An ended turn is kept for `replay_for`. What bounds cut short is counted in `counts`.
- Where no more streams may be open, a caller that comes back gets the place of its old connection, which nobody knows
  to be dead yet. No id says which that is: it is the oldest one of that turn that was given what the caller has. Where
  that was another's, who is still there, that one comes back alike, and finds the dead one next.
- What is shown, and how it ends, is told to `keep` before any caller can take it; `restore` goes on from that in the
  next process. There a turn under way counts as unattended until a caller comes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Literal, NamedTuple, TypeAlias

from connectors.errors import TokenweirError
from connectors.fallback import Say, What
from connectors.frontend.bounds import HubSettings
from connectors.frontend.ids import Key
from connectors.frontend.shown import Ended, Shown
from connectors.frontend.turn import DONE, MESSAGE_COST, Archive, Caller, NoArchive, ShownTurn
from connectors.log.records import ERROR, Finish, Message
from connectors.sse import Event

__all__ = ["MESSAGE_COST", "Caller", "FullError", "Hub", "HubSettings", "Overdue", "State", "UnknownTurnError"]

Why: TypeAlias = Literal["abandoned", "overall_timeout", "idle_timeout"]


class UnknownTurnError(TokenweirError):
    """The turn is not kept: it never was, or its time is over."""


class FullError(TokenweirError):
    """As many turns are kept, or streams open, as may be."""


class Overdue(NamedTuple):
    """A turn that was ended because of time; its upstream should be closed."""

    key: Key
    why: Why


class State(NamedTuple):
    """A turn, seen from outside. `state` is running, done or error."""

    state: str
    messages: int
    chars: int
    callers: int


class Hub:
    """All turns. `counts`: messages shown, repeated, late (after the end), headless (what came before them is not
    known), unkept (no room for their turn), archived (out of memory); turns restored, lost (restored with a gap), done,
    error, forgotten (to make room), abandoned, overall_timeout, idle_timeout; callers refused, replaced, and
    cut_off (what they want next cannot be read any more).

    keep     is called with all that `restore` will want
    archive  has what `keep` was called with, before any caller takes it
    say      what an `error` says; without it, the settings' texts
    """

    def __init__(
        self,
        settings: HubSettings,
        keep: Callable[[Shown], object] = lambda _: None,
        archive: Archive | None = None,
        say: Say | None = None,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.closed = False
        self._settings = settings
        self._keep = keep
        self._archive = archive or NoArchive()
        self._say: Say = say or (lambda what, _: settings.text(what))
        self._running: dict[Key, ShownTurn] = {}
        self._ended: dict[Key, ShownTurn] = {}
        self._read_out: set[ShownTurn] = set()  # dropped, while somebody still reads them
        self._in_memory = 0
        self._whole = 0
        self._callers = 0

    @property
    def callers(self) -> int:
        """Streams open."""
        return self._callers

    @property
    def kept(self) -> tuple[int, int]:
        """Turns and characters, as the bounds count them."""
        return len(self._running) + len(self._ended), self._whole

    @property
    def in_memory(self) -> int:
        """What of them is in memory, counted alike."""
        return self._in_memory

    def turns(self) -> Iterator[Key]:
        """The turns that are kept, or still read."""
        yield from self._ended
        yield from self._running
        yield from {turn.key for turn in self._read_out} - self._ended.keys() - self._running.keys()

    def restore(self, shown: Iterable[Shown], unfinished: Mapping[Key, str | None], now: float, wall: float) -> None:
        """Go on from what `keep` was told in an earlier process; once, and first.

        unfinished  turns that the flow has something to say of, with their languages; others under way are given up
                    after `resume_grace`
        wall        the clock of `Ended.at`
        """
        known: set[Key] = set()
        for each in shown:
            key = (each.session_id, each.turn)
            known.add(key)
            if each.seq == 0:
                self.open(key, now)
            turn = self._running.get(key) or self._ended.get(key)
            if turn is None or each.seq > turn.count:
                self._lose(key)
            elif isinstance(each, Message):
                self.publish(each, now)
            elif each.seq == turn.count:
                self.end(key, each.text, now)  # unless its last message was the end
                turn.ended_at = now - max(0.0, wall - each.at)
        for key, language in unfinished.items():
            if key not in known:
                self.open(key, now)
            if (running := self._running.get(key)) is not None:
                running.language = language
        for key, turn in self._running.items():
            if key not in unfinished:
                turn.attended_at = turn.left_at = now
        self._forget_expired(now)
        self.counts = Counter(restored=self.kept[0], lost=self.counts["lost"])

    def check_room(self, callers: int = 0) -> None:
        """Raises FullError where there is no place for one more turn with so many callers."""
        settings = self._settings
        if self._callers + callers > settings.max_callers:
            raise self._refusal(f"{settings.max_callers} streams are open (frontend.max_callers)")
        if len(self._running) >= settings.max_kept_turns:
            raise self._refusal(f"{settings.max_kept_turns} turns are under way (frontend.max_kept_turns)")

    def open(self, key: Key, now: float, language: str | None = None) -> None:
        """A turn begins. Where the bound is reached the longest-ended one goes; with none ended it is not kept."""
        if key in self._running or key in self._ended:
            return
        self._forget_expired(now)
        if self.kept[0] < self._settings.max_kept_turns or self._forget():
            self._running[key] = ShownTurn(key, now, self._archive, language)

    def publish(self, message: Message, now: float) -> None:
        """Show a message to its turn's callers, now and later. Repetitions, and what comes late, change nothing."""
        key = (message.session_id, message.turn)
        if key in self._ended:
            self.counts["late"] += 1
            return
        if key not in self._running and message.seq == 0:
            self.open(key, now)
        turn = self._running.get(key)
        if turn is None:
            self.counts["headless" if message.seq else "unkept"] += 1
            return
        if message.seq < turn.count:
            self.counts["repeated"] += 1
        elif message.seq > turn.count:  # what is missing will not come any more
            self.counts["headless"] += 1
            self._fail(turn, "other", now)
        else:
            self._show(turn, message, now)

    def finish(self, finish: Finish) -> None:
        """What the flow says of a turn's end. Call it before its last message is published, which is the end."""
        if (turn := self._running.get((finish.s, finish.n))) is not None:
            turn.finish = finish

    def end(self, key: Key, text: str, now: float) -> bool:
        """End a turn for its callers with an `error` that says `text`; False if it is not running."""
        turn = self._running.get(key)
        if turn is None:
            return False
        self._end(turn, ERROR, text, now)
        return True

    def cancel(self, key: Key, now: float) -> None:
        """End a turn for its callers, if it is running: one of them wants it so."""
        if (turn := self._running.get(key)) is not None:
            self._fail(turn, "cancelled", now)

    def attended(self, key: Key) -> bool:
        """Whether a caller ever attended the turn."""
        turn = self._running.get(key)
        return turn is not None and turn.attended_at is not None

    def join(
        self,
        key: Key,
        after: int,
        now: float,
        wake: Callable[[], object],
        *,
        attends: bool = True,
        returns: bool = True,
        resumes: bool = False,
    ) -> Caller:
        """Begin to read a turn strictly after event `after`; -1 for all of it. Give the caller back to `leave`.

        `wake` is called whenever there may be more to take. With `attends` the turn is given up when the caller, and
        all that attend it, have gone: for good where it `returns` no more. `resumes`: it has read this turn before, on
        a connection that it lost.
        Raises UnknownTurnError, FullError.
        """
        self._forget_expired(now)
        turn = self._running.get(key) or self._ended.get(key)
        if turn is None:
            raise UnknownTurnError(
                f"session {key[0]} has no turn {key[1]} that is kept (frontend.replay_for); begin its next turn"
            )
        if not turn.readable(after + 1):
            raise UnknownTurnError(
                f"session {key[0]} turn {key[1]}: what comes after that event is not kept any more "
                "(frontend.max_turn_chars); begin its next turn"
            )
        if self._callers >= self._settings.max_callers and not (resumes and self._replace(turn, after, attends, now)):
            raise self._refusal(f"{self._settings.max_callers} streams are open (frontend.max_callers)")
        caller = Caller(turn, after, wake, lambda: self._cut_off(turn), attends=attends, returns=returns)
        caller.closed = self.closed
        turn.callers[caller] = None
        self._callers += 1
        if attends:
            if turn.attended_at is None:
                turn.attended_at = turn.shown_at = now
            turn.left_at = None
            turn.attending += 1
        return caller

    def leave(self, caller: Caller, now: float) -> None:
        """The connection is gone. Idempotent."""
        turn = caller.turn
        if caller not in turn.callers:
            return
        del turn.callers[caller]
        self._callers -= 1
        turn.attending -= caller.attends
        if caller.attends:
            turn.missed_at = now if caller.returns else turn.missed_at
            turn.left_at = None if turn.attending else turn.missed_at
        if not turn.callers and turn in self._read_out:
            self._read_out.remove(turn)
            self._in_memory -= turn.size

    def sweep(self, now: float) -> list[Overdue]:
        """Forget what is past its time, and end the turns that are overdue; call it a few times a second."""
        self._forget_expired(now)
        overdue = []
        for turn in list(self._running.values()):
            if why := self._judge(turn, now):
                self.counts[why] += 1
                self._fail(turn, "cancelled" if why == "abandoned" else "timeout", now)
                overdue.append(Overdue(turn.key, why))
        return overdue

    def state(self, key: Key) -> State | None:
        """None where the turn is not kept."""
        turn = self._running.get(key) or self._ended.get(key)
        if turn is None:
            return None
        return State(turn.end[0] if turn.end else "running", turn.count, turn.chars, len(turn.callers))

    def close(self) -> None:
        """Send every caller away without an end: its turn goes on in the next process."""
        self.closed = True
        for turn in (*self._running.values(), *self._ended.values(), *self._read_out):
            for caller in turn.callers:
                caller.closed = True
                caller.wake()

    def _show(self, turn: ShownTurn, message: Message, now: float) -> None:
        settings = self._settings
        cost = turn.add(message)
        turn.shown_at = now
        self._in_memory += cost
        self._whole += cost
        self.counts["shown"] += 1
        self._keep(message)
        if message.fallback:
            turn.fallback = message.text
        while self._whole > settings.max_kept_chars and self._forget():
            pass
        self._free(turn, max(turn.size - settings.max_turn_chars, self._in_memory - settings.max_kept_chars))
        if message.final and (turn.fallback is not None or message.closed_by == ERROR):
            self._fail(turn, "other", now, turn.fallback)
        elif message.final:
            self._end(turn, DONE, "", now)
        for caller in turn.callers:
            caller.wake()

    def _free(self, turn: ShownTurn, over: int) -> None:
        """Have a turn's oldest messages leave memory, where it is over a bound."""
        if over > 0:
            before = turn.size
            self.counts["archived"] += turn.archive(over)
            self._in_memory -= before - turn.size

    def _cut_off(self, turn: ShownTurn) -> Event:
        self.counts["cut_off"] += 1
        return Event(ERROR, self._say("other", turn.language))

    def _fail(self, turn: ShownTurn, what: What, now: float, fallback: str | None = None) -> None:
        self._end(turn, ERROR, fallback or self._say(what, turn.language), now, what)

    def _end(self, turn: ShownTurn, kind: str, text: str, now: float, outcome: str = "") -> None:
        turn.end, turn.ended_at = (kind, text), now
        turn.outcome = turn.finish.outcome if turn.finish else outcome
        self.counts[kind] += 1
        self._ended[turn.key] = self._running.pop(turn.key)
        self._keep(Ended(*turn.key, turn.count, text))
        for caller in turn.callers:
            caller.wake()

    def _judge(self, turn: ShownTurn, now: float) -> Why | None:
        settings = self._settings
        if turn.attended_at is None:
            return None
        if turn.left_at is not None and now - turn.left_at >= settings.resume_grace:
            return "abandoned"
        if settings.overall_timeout and now - turn.attended_at >= settings.overall_timeout:
            return "overall_timeout"
        if settings.idle_timeout and now - turn.shown_at >= settings.idle_timeout:
            return "idle_timeout"
        return None

    def _forget_expired(self, now: float) -> None:
        """The ended are in the order of their ends."""
        while self._ended:
            key, turn = next(iter(self._ended.items()))
            if now - turn.ended_at < self._settings.replay_for:
                return
            self._drop(self._ended.pop(key))

    def _forget(self) -> bool:
        """Make room: forget the longest-ended turn before its time."""
        if not self._ended:
            return False
        self._drop(self._ended.pop(next(iter(self._ended))))
        self.counts["forgotten"] += 1
        return True

    def _lose(self, key: Key) -> None:
        if turn := self._running.pop(key, None):
            self._drop(turn)
            self.counts["lost"] += 1

    def _replace(self, turn: ShownTurn, after: int, attends: bool, now: float) -> bool:
        """End the old connection of a caller that has come back to the turn; False where there is none."""
        old = next((each for each in turn.callers if each.attends == attends and each.passed(after)), None)
        if old is None:
            return False
        old.closed = old.replaced = True
        self.leave(old, now)
        self.counts["replaced"] += 1
        old.wake()
        return True

    def _refusal(self, what: str) -> FullError:
        self.counts["refused"] += 1
        return FullError(f"{what}; try again later")

    def _drop(self, turn: ShownTurn) -> None:
        """Callers that are still reading it read on, from the archive where that has it."""
        self._whole -= turn.whole
        if not turn.callers:
            self._in_memory -= turn.size
            return
        self._read_out.add(turn)
        if self._archive.has(turn.key, 0, turn.count):
            self._free(turn, turn.size)
