"""Readings of a turn: a text as detectors see it, and how far each of them has settled it.

There are two, the text as it came and the text as it is seen (`rendering.py`); `readings.py` has both.

Rules
- Offsets of a reading are its own, of the whole turn; `text` begins at `base`. What is found is told in those of the
  source.
- What has been settled and found depends on the text alone, not on the pieces it came in.
"""

from __future__ import annotations

from typing import cast

from flows.moderation.detectors.base import CONTEXT, Detector, GoingOn, open_word
from flows.moderation.findings import Match
from flows.moderation.plan import Plan
from flows.moderation.tables.plain import read_plain

Found = tuple[int, int, str, str]
"""Start, end, category, rule."""


class Reading:
    """The text as it came: its offsets are the source's."""

    __slots__ = ("awaits", "base", "ended", "going_on", "quiet", "settled", "steady", "text")

    def __init__(self, plan: Plan) -> None:
        self.text = ""
        self.base = 0
        # Where detectors have settled. Those with a trigger are mostly at one place: then there is no list.
        self.quiet = 0
        self.settled: list[int] = []
        self.steady = [0] * len(plan.steady)
        self.going_on: dict[str, Found] = {}
        """By category: what is certain so far of a match that goes on, in places of the source."""
        self.ended: list[Found] = []
        """What went on and has ended, to be taken from here."""
        self.awaits = False
        """Whether a detector had been called to what it had not settled, when they looked last."""

    @property
    def end(self) -> int:
        return self.base + len(self.text)

    def first(self) -> int:
        """The first offset that is not settled."""
        return min([self.quiet, *self.settled, *self.steady])

    def source(self, offset: int) -> int:
        """Where in the source that is, which begins at this offset."""
        return offset

    def source_end(self, offset: int) -> int:
        """Where in the source that ends, which ends at this offset."""
        return offset

    def look(self, plan: Plan, final: bool, found: list[Found]) -> int:
        """Ask the detectors about what is new, and add what they find to `found`; the offset up to which all of them
        have settled, as one of the source."""
        text, base = self.text, self.base
        tail = new = len(text) if final else open_word(text)
        self.awaits = bool(self.settled) or plan.find_trigger(text, self.quiet - base) is not None
        if self.awaits and plan.is_over(text, self.quiet - base):
            self.quiet, self.settled, self.awaits = max(self.quiet, base + tail), [], False
        if self.awaits:
            new = min(tail, self._ask_triggered(plan, tail, final, found))
        elif base + tail > self.quiet:
            self.quiet = base + tail
        for i, detector in enumerate(plan.steady):
            upto = self._ask_steady(detector, self.steady[i] - base, tail, final, found)
            self.steady[i] = base + upto
            if upto < new:
                new = upto
        return self.source(base + new)

    def settled_upto(self, final: bool) -> int:
        """As `look` has told, without looking again."""
        return self.source(min(self.base + (len(self.text) if final else open_word(self.text)), self.first()))

    def _ask_triggered(self, plan: Plan, tail: int, final: bool, found: list[Found]) -> int:
        """Where the first of the triggered detectors has settled, in `text`."""
        text, base, detectors = self.text, self.base, plan.triggered
        settled = self.settled or [self.quiet] * len(detectors)
        plain = read_plain(text, max(0, self.quiet - base - CONTEXT))
        for i, detector in enumerate(detectors):
            matches, upto = detector.scan(plain if i < plan.own else text, settled[i] - base, tail, final)
            settled[i] = base + upto
            if matches:
                self._keep(detector.category, matches, found)
        self.quiet = min(settled)
        self.settled = settled if max(settled) > self.quiet else []
        return self.quiet - base

    def _ask_steady(self, detector: Detector, start: int, tail: int, final: bool, found: list[Found]) -> int:
        """Where a detector has settled that is asked about all text, in `text`."""
        category, text = detector.category, self.text
        while True:
            if category in self.going_on:
                begin, end, _, rule = self.going_on[category]
                upto, more = cast(GoingOn, detector).go_on(text, start, rule, final)
                if upto > start:
                    end, start = self.source_end(self.base + upto), upto
                self.going_on[category] = (begin, end, category, rule)
                if more and not final:
                    return start
                self.ended.append(self.going_on.pop(category))
            matches, upto = detector.scan(text, start, tail, final)
            if matches:
                self._keep(category, matches, found)
            if category not in self.going_on:
                return upto
            start = upto

    def _keep(self, category: str, matches: list[Match], found: list[Found]) -> None:
        source, source_end, base = self.source, self.source_end, self.base
        for match in matches:
            each = (source(base + match.start), source_end(base + match.end), category, match.rule)
            if match.goes_on:
                self.going_on[category] = each
            else:
                found.append(each)

    def trim(self, upto: int) -> None:
        """Forget the text before the offset."""
        keep = upto - self.base
        if keep > 0:
            self.text = self.text[keep:]
            self.base += keep

    def progress(self, plan: Plan) -> tuple[int, dict[str, int]]:
        """Where the detectors have settled, for a snapshot: all of them, and by category."""
        if not self.settled and not self.steady:
            return self.quiet, {}
        return self.quiet, _by_category(plan.triggered, self.settled) | _by_category(plan.steady, self.steady)

    def resume(self, plan: Plan, quiet: int, settled: dict[str, int], otherwise: int) -> None:
        """As a snapshot has it; of the detectors that see all text, one that it does not know begins at `otherwise`."""
        self.quiet = quiet
        self.settled = [settled.get(d.category, quiet) for d in plan.triggered]
        self.steady = [settled.get(d.category, otherwise) for d in plan.steady]


def _by_category(detectors: tuple[Detector, ...], offsets: list[int]) -> dict[str, int]:
    return {detector.category: offset for detector, offset in zip(detectors, offsets, strict=False)}
