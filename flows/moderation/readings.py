"""Both readings of a turn: the text as it came, and, where that may differ, as it is seen.

Rules
- What may be given out is what both have settled. What either finds is found.
- The second reading is there from the first sign on that may not be seen, until such a sign is out of the detectors'
  reach and they have settled both readings alike. It sleeps while nothing calls a detector: then it would settle what
  the first one does. So plain text is looked through once; and none of this changes what is found.
"""

from __future__ import annotations

from typing import Any

from flows.moderation.detectors.base import CONTEXT, open_word
from flows.moderation.folding import LONGEST
from flows.moderation.plan import Plan
from flows.moderation.reading import Found, Reading
from flows.moderation.rendering import Rendering

NONE: list[Found] = []
_UNSPACED = 14  # as far as `open_word` looks there
_NEAR = 4  # so much before a text detectors see when they say what is held of it


class Readings:
    """Of one turn. Offsets are the source's."""

    __slots__ = ("_asleep", "_is_calm", "_plan", "_seen", "_sign", "came", "goes_on", "settled")

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.came = Reading(plan)
        self._seen: Rendering | None = None
        self._asleep = False
        self._is_calm = not plan.steady  # nothing has called a detector, and nothing needs the second reading
        self._sign = 0  # behind the last sign that may not be seen
        self.goes_on = False
        """Whether there is a match that goes on."""
        self.settled = 0
        """Up to where all detectors have settled both."""

    def add(self, chunk: str, final: bool) -> list[Found]:
        """Take the next piece of the text; what is found now."""
        came, plan, seen = self.came, self._plan, self._seen
        old = len(came.text)
        text = came.text = came.text + chunk
        new = max(0, came.quiet - came.base - 1)
        if (
            self._is_calm
            and plan.find_trigger(text, new) is None
            and not (plan.looks and plan.find_sign(text, new) >= 0)
        ):
            if self._asleep and self.settled - plan.context >= self._sign:
                self._seen, self._asleep = None, False
            self.settled = came.base + (len(text) if final else open_word(text))
            came.quiet = max(came.quiet, self.settled)
            return NONE
        if plan.looks and (sign := plan.find_sign(text, old - 1 if old else 0)) >= 0:
            self._sign = came.end
            if seen is None:
                seen = self._seen = Rendering(plan, came, came.base + max(old, sign))
                self._asleep = True
        found: list[Found] = []
        first = came.first()
        self.settled = came.look(plan, final, found)
        if seen is not None and (final or not self._asleep or not self._may_sleep(first)):
            seen.read(came, final)
            self.settled = min(self.settled, seen.look(plan, final, found))
            self._asleep = not (final or seen.awaits or came.awaits) and self._may_sleep(first) and seen.is_alike(came)
            if not self._asleep and self._is_past():
                self._seen = None
        self._note_state()
        return found

    def _note_state(self) -> None:
        came, seen = self.came, self._seen
        self._is_calm = not self._plan.steady and not came.awaits and (seen is None or self._asleep)
        self.goes_on = bool(came.going_on) or (seen is not None and bool(seen.going_on))

    def _is_past(self) -> bool:
        """Whether no detector looks as far back as to the last sign any more."""
        came, seen = self.came, self._seen
        if seen is None or self.settled - self._plan.context < self._sign or self._word_is_long():
            return False
        return seen.is_alike(came)

    def _may_sleep(self, first: int) -> bool:
        """Whether detectors would settle both readings alike, and find nothing: they had settled all before `first`."""
        came, plan = self.came, self._plan
        base, text = came.base, came.text
        if plan.steady and (self.goes_on or came.going_on or self._word_is_long() or self._is_near(first, plan.near)):
            return False
        if came.awaits and (plan.is_few(text, max(0, first - base - _NEAR)) is None or self._is_near(first, _NEAR)):
            return False
        # The open word; of scripts without blanks what comes before a word tells whether it is one.
        return not self._is_near(self.settled, _UNSPACED if text[-1:] > "\u0e00" else 1)

    def _is_near(self, offset: int, near: int) -> bool:
        """Whether a sign that may not be seen comes behind the offset, or so much before it."""
        return self._plan.find_sign(self.came.text, max(0, offset - near - self.came.base)) >= 0

    def _word_is_long(self) -> bool:
        """Whether the open word is too long for one of a block list: where it begins is then far back."""
        return self.came.end - self.settled >= LONGEST

    @property
    def ended(self) -> list[Found]:
        """What went on and has ended, to be taken from here."""
        return self.came.ended

    def going_on(self) -> list[dict[str, Found]]:
        """What goes on, by category, in each reading; to be changed there."""
        readings = (self.came, self._seen) if self._seen else (self.came,)
        return [reading.going_on for reading in readings if reading.going_on]

    def give_up_what_goes_on(self, cut: int, end: int) -> list[Found]:
        """What is certain from `cut` on of what goes on, in either reading; the rest of it begins at `end`."""
        given_up: dict[str, Found] = {}
        for going_on in self.going_on():
            for category, (start, known, _, rule) in going_on.items():
                other = given_up.get(category, (start, known, category, rule))
                given_up[category] = (max(cut, min(start, other[0])), max(known, other[1]), category, rule)
                going_on[category] = (end, known, category, rule)
        return list(given_up.values())

    def give_up(self) -> None:
        """Nothing is held any more: what a sign at the end is, is not awaited."""
        if self._seen is not None:
            self._seen.read(self.came, True)

    def trim(self, upto: int) -> None:
        """Forget what is settled and given out up to `upto`, but for some context."""
        self._wake()
        self.came.trim(min(upto, self.came.first()) - CONTEXT)
        if self._seen is not None:
            self._seen.trim(self._seen.first() - CONTEXT)

    def _wake(self) -> None:
        if self._asleep and self._seen is not None:
            self._seen.read(self.came, False)
            self._seen.look(self._plan, False, [])

    def snapshot(self, upto: int) -> tuple[str, int, int, dict[str, int], Any]:
        """The text from `upto` on and some before it, where that begins, how far it is settled, and the rendering."""
        self.trim(upto)
        quiet, settled = self.came.progress(self._plan)
        return self.came.text, self.came.base, quiet, settled, self._seen and self._seen.snapshot()

    def restore(
        self,
        text: str,
        base: int,
        cut: int,
        quiet: int,
        settled: dict[str, int],
        going_on: dict[str, Found],
        rendered: Any,
    ) -> None:
        """As a snapshot has it; one before version 4 knows no rendering."""
        came, plan = self.came, self._plan
        came.text, came.base, came.going_on = text, base, going_on
        came.resume(plan, quiet, settled, cut)
        if plan.looks and rendered:
            self._seen = Rendering.restored(plan, came, cut, rendered)
        elif plan.looks and (sign := plan.find_sign(text, 0)) >= 0:
            self._seen = Rendering(plan, came, base + sign)
            self._seen.catch_up(came)
        self._sign = came.end
        self._note_state()
        self._is_calm = False

    def settle(self, final: bool) -> None:
        """Say again how far all is settled, as before the snapshot."""
        self.settled = self.came.settled_upto(final)
        if self._seen is not None:
            self.settled = min(self.settled, self._seen.settled_upto(final))
