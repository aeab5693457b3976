"""The moderator of one turn: text in, text that may be shown out. Redact, then cut, then release.

Rules
- The cut is the least start of anything that may still become a match, over all detectors and both readings
  (`readings.py`). Nothing after it is given out; everything before it is, with what was found replaced. Output is
  append-only.
- What has been given out after a text was fed depends on that text alone, not on the pieces it came in.
- Findings never overlap: those that do become one, with the strongest action. Formatting gives way to findings.
- What is held is bounded: by the detectors' bounds, and by the policy's `max_hold_chars`, beyond which
  `release_held` is done. What was released too early is never shown twice; the rest of a match still is not shown.
- A match may go on without a bound. It waits for its end and becomes one finding, but its text is not kept: what is
  replaced whatever comes need not be; then its mask is given out, whatever the action. (A mere flag's text is shown,
  as much at a time as may be held.)
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flows.moderation.findings import STRENGTH, Finding, Span
from flows.moderation.judged import Judged
from flows.moderation.plan import plan_of
from flows.moderation.policy import HELD, Policy
from flows.moderation.reading import Found
from flows.moderation.readings import Readings

VERSION = 4
READS = (2, 3)
"""Older versions of the snapshot that are read too."""

KEPT = 512
"""Characters of settled text, and of a match that goes on, that are kept."""


class Moderator:
    """Moderates one turn. Offsets are characters of the text fed so far, from 0.

    `findings` are those given out so far, disjoint and in order (since the snapshot, after `restore`).
    """

    __slots__ = (
        "_cut",
        "_ended",
        "_formatter",
        "_found",
        "_hidden",
        "_judged",
        "_plan",
        "_readings",
        "_went_on",
        "findings",
    )

    def __init__(self, policy: Policy, language: str = "") -> None:
        plan = self._plan = plan_of(policy, language)
        self._readings = Readings(plan)  # the text: context, then what is held
        self._cut = 0
        self._judged = {name: Judged() for name in policy.remote}
        self._ended = False
        self._formatter = plan.formatter()
        self._found: list[Found] = []  # found, and not given out yet
        self._went_on: list[Found] = []  # of those found the ones that went on
        self._hidden = 0  # from the cut to there all is of such matches: it is replaced, whatever comes
        self.findings: list[Finding] = []

    @property
    def cut(self) -> int:
        """The offset up to which spans have been given out."""
        return self._cut

    @property
    def held(self) -> int:
        """How many characters are held, but for those of a match that goes on."""
        return self._readings.came.end - max(self._cut, self._hidden)

    @property
    def judged(self) -> int:
        """The offset up to which all remote detectors have judged; all text where there are none."""
        return min((each.upto for each in self._judged.values()), default=self._readings.came.end)

    def feed(self, text: str) -> str:
        """Take the next piece of the turn; the text that may be shown now."""
        return "".join([span.text for span in self.push(text)])

    def flush(self) -> str:
        """End the turn; the rest of its text."""
        return "".join([span.text for span in self.finish()])

    def push(self, text: str) -> list[Span]:
        """As `feed`, in consecutive spans that begin where the last one ended. Raises ValueError after the end."""
        if self._ended:
            raise ValueError("the turn has ended")
        limit = self._plan.limit
        came = self._readings.came
        if came.base + len(came.text) + len(text) - self._cut <= limit:
            return self._advance(text, False)
        # As much at a time as cannot pass the limit unseen: when it is passed must not depend on the pieces.
        spans: list[Span] = []
        at = 0
        while at < len(text):
            upto = at + max(1, limit - self.held)
            spans += self._advance(text[at:upto], False)
            if self.held > limit:
                spans += self.release_held()
            at = upto
        return spans

    def finish(self) -> list[Span]:
        """As `flush`, in spans. What a remote detector has still to judge stays held."""
        self._ended = True
        return self._advance("", True)

    def release_held(self) -> list[Span]:
        """Give up what is held, as the policy says: redacted as one finding of category HELD, or shown.

        Detectors go on as before: if a match that began in it ends later, what comes of it is still replaced.
        """
        cut, end = self._cut, self._readings.came.end
        if cut == end:
            return []
        self._readings.give_up()
        for judged in self._judged.values():
            judged.give_up(end)
        begin = cut
        for start, known, category, rule in sorted(self._readings.give_up_what_goes_on(cut, end)):
            if start < known:
                self._found.append((start, known, category, rule))
                if start <= begin and self._plan.policy.action(category) == "flag":
                    begin = max(begin, known)
        if self._plan.policy.on_max_hold == "redact" and begin < end:
            self._found.append((begin, end, HELD, "max_hold"))
        self._found.sort()
        return self._release(end)

    def verdict(
        self, remote: str, upto: int, matches: Iterable[tuple[int, int, str]] | None, start: int | None = None
    ) -> list[Span]:
        """A remote detector's verdict on the text from `start` to before offset `upto`: (start, end, rule) of what it
        found there; None where it gave no answer, and then the text is what `on_max_hold` makes of it. Without a start
        it is on all text that the detector has not judged.

        It comes from outside, as a record of the log. The first verdict on a text counts; what it says of text
        that another verdict covered, or that has not come yet, is ignored. Verdicts may overtake each other: text waits
        for the one on itself. Returns the spans that it sets free.
        """
        judged = self._judged[remote]
        begin, upto = judged.take(judged.upto if start is None else start, min(upto, self._readings.came.end))
        if begin == upto:
            return []
        if matches is None:
            held = self._plan.policy.on_max_hold == "redact"
            found = [(begin, upto, HELD, remote)] if held else []
        else:
            found = [(first, last, remote, rule) for first, last, rule in matches]
        for first, last, category, rule in found:
            if (first := max(first, begin, self._cut)) < (last := min(last, upto)):
                self._found.append((first, last, category, rule))
        return self._give_out(self._readings.settled)

    def snapshot(self) -> tuple[Any, ...]:
        """All that `restore` needs, in plain data: the text held, some before it, and where each detector is."""
        formatter = self._formatter
        text, base, quiet, settled, rendered = self._readings.snapshot(self._first())
        progress, state = (base, self._cut, quiet, self._ended), formatter and formatter.state
        going_on = ({**self._readings.came.going_on}, [*self._went_on])
        judged = {name: each.upto for name, each in self._judged.items()}
        ahead = {name: [*each.ahead] for name, each in self._judged.items() if each.ahead}
        return (VERSION, text, progress, settled, judged, state, [*self._found], going_on, ahead, rendered)

    @classmethod
    def restore(cls, policy: Policy, data: tuple[Any, ...], language: str = "") -> Moderator:
        """The moderator that `snapshot` was taken of; the policy may have changed since."""
        if data[0] not in (VERSION, *READS):
            raise ValueError(f"moderation snapshot of version {data[0]!r}; this is version {VERSION}")
        self = cls(policy, language)
        _, text, progress, settled, judged, formatted, self._found, *later = data
        base, self._cut, quiet, self._ended = progress
        going_on, self._went_on = later[0] if later else ({}, [])  # since version 3
        ahead, rendered = later[1:] if len(later) > 1 else ({}, None)  # since version 4
        self._readings.restore(text, base, self._cut, quiet, settled, {**going_on}, rendered)
        self._readings.settle(self._ended)
        steady = {detector.category for detector in self._plan.steady}
        for category in going_on.keys() - steady:
            self._note([each.pop(category) for each in self._readings.going_on() if category in each], went_on=True)
        self._hide()
        self._judged = {name: Judged(judged.get(name, self._cut), ahead.get(name, ())) for name in policy.remote}
        if self._formatter is not None and formatted is not None:
            self._formatter.state = formatted
        return self

    def _advance(self, chunk: str, final: bool) -> list[Span]:
        found = self._readings.add(chunk, final)
        if found:
            self._note(found)
        if self._readings.ended:
            self._note(self._readings.ended, went_on=True)
            self._readings.ended.clear()
        return self._give_out(self._readings.settled)

    def _note(self, found: list[Found], went_on: bool = False) -> None:
        """Note what was found; of what was given out too early, the rest."""
        cut = self._cut
        rest = [(max(start, cut), end, category, rule) for start, end, category, rule in found if end > cut]
        self._found += rest
        if went_on:
            self._went_on += rest

    def _give_out(self, new: int) -> list[Span]:
        """Give out the text before `new`, as far as nothing found or awaited reaches over it."""
        came, cut = self._readings.came, self._cut
        going_on = self._going_on() if self._readings.goes_on else ()
        if going_on or self._judged:
            new = min([new, self.judged, *(each[0] for each in going_on)])
        if self._found:
            self._found.sort()
            for start, end, _, _ in reversed(self._found):
                if start < new < end:
                    new = start
        if self._formatter is not None:
            new = came.base + self._formatter.end(came.text, max(cut - came.base, 0), new - came.base)
        spans = self._release(new) if new > cut else []
        if going_on or self._went_on:
            self._hide()
        if self._cut - came.base > KEPT or self._hidden - came.base > KEPT:
            self._readings.trim(self._first())
        return spans

    def _going_on(self) -> list[Found]:
        """What goes on in either reading; of what was given out too early, the rest."""
        cut = self._cut
        each_reading = self._readings.going_on()
        return [(max(each[0], cut), *each[1:]) for reading in each_reading for each in reading.values()]

    def _hide(self) -> None:
        """Note how far from the cut on all is of matches that go on, and are more than a flag. Of the findings inside
        one the strongest is kept: they will be one."""
        action, going_on = self._plan.policy.action, self._going_on()
        self._went_on = [f for f in self._went_on if f[1] > self._cut]
        self._hidden = self._cut
        for start, end, category, _ in sorted([*self._went_on, *going_on]):
            if start <= self._hidden and action(category) != "flag":
                self._hidden = max(self._hidden, end)
        for start, end, category, _ in going_on:
            inside = [f for f in self._found if start <= f[0] and f[1] <= end]
            if len(inside) > 1 and action(category) != "flag":
                strongest = max(inside, key=lambda f: STRENGTH[action(f[2])])
                self._found = [f for f in self._found if f is strongest or not (start <= f[0] and f[1] <= end)]

    def _first(self) -> int:
        """The first offset that is not judged or not given out."""
        shown = self._hidden if self._hidden - self._cut > KEPT else self._cut
        return min([shown, *[each.upto for each in self._judged.values()]])

    def _release(self, new: int) -> list[Span]:
        """Give out the text from the cut to `new`, with what was found in it replaced."""
        cut, self._cut = self._cut, new
        if not self._found:
            return self._verbatim(cut, new)
        spans: list[Span] = []
        for span in self._replacements(new):
            if span.start > cut:
                spans += self._verbatim(cut, span.start)
            spans.append(span)
            cut = span.end
            if self._formatter is not None:
                base = self._readings.came.base
                self._formatter.passed(self._readings.came.text, max(span.start - base, 0), cut - base)
        if cut < new:
            spans += self._verbatim(cut, new)
        return spans

    def _verbatim(self, start: int, end: int) -> list[Span]:
        text, base = self._readings.came.text, self._readings.came.base
        if self._formatter is not None:
            return self._formatter.spans(text, start - base, end - base, base)
        return [Span(start, end, text[start - base : end - base])]

    def _replacements(self, upto: int) -> list[Span]:
        """What takes the place of the matches that begin before `upto`; they are taken from those found."""
        policy, base = self._plan.policy, self._readings.came.base
        taken = [f for f in self._found if f[0] < upto]
        self._found = [f for f in self._found if f[0] >= upto]
        findings = _merged([Finding(*found, policy.action(found[2])) for found in taken])
        self.findings += findings
        spans = []
        for f in findings:
            as_it_was = f.action == "flag" or (f.action != "redact" and f.end - f.start <= KEPT)  # more is not kept
            text = self._readings.came.text[f.start - base : f.end - base] if as_it_was else policy.mark_of(f.category)
            spans.append(Span(f.start, f.end, text, f))
        return spans


def _merged(findings: list[Finding]) -> list[Finding]:
    """Disjoint findings for those given in order of their start. A mere flag never widens a redaction."""
    strong = [f for f in findings if f.action != "flag"]
    merged: list[Finding] = []
    for finding in strong:
        if merged and finding.start < merged[-1].end:
            last = merged[-1]
            lead = finding if STRENGTH[finding.action] > STRENGTH[last.action] else last
            merged[-1] = Finding(last.start, max(last.end, finding.end), lead.category, lead.rule, lead.action)
        else:
            merged.append(finding)
    if len(strong) == len(findings):
        return merged
    for finding in findings:
        if finding.action == "flag" and not any(f.start < finding.end and finding.start < f.end for f in merged):
            merged.append(finding)
    return sorted(merged, key=lambda f: f.start)
