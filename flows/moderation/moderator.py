"""The moderator of one turn: text in, text that may be shown out. Redact, then cut, then release.

Rules
- The cut is the least start of anything that may still become a match, over all detectors. Nothing after it is
  given out; everything before it is, with what was found replaced. Output is append-only.
- What has been given out after a text was fed depends on that text alone, not on the pieces it came in.
- Findings never overlap: those that do become one, with the strongest action. Formatting gives way to findings.
- What is held is bounded: by the detectors' bounds, and by the policy's `max_hold_chars`, beyond which
  `release_held` is done. What was released too early is never shown twice; the rest of a match still is not shown.
- A match may go on without a bound. It waits for its end and becomes one finding, but its text is not kept: what is
  replaced whatever comes need not be; then its mark is given out, whatever the action. (A mere flag's text is shown,
  as much at a time as may be held.)
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from flows.moderation.detectors.base import CONTEXT, Detector, GoingOn, open_word
from flows.moderation.findings import STRENGTH, Finding, Match, Span
from flows.moderation.judged import Judged
from flows.moderation.plan import plan_of
from flows.moderation.policy import HELD, Policy
from flows.moderation.tables.digits import read_digits

VERSION = 4
READS = (2, 3)
"""Older versions of the snapshot that are read too."""

KEPT = 512
"""Characters of settled text, and of a match that goes on, that are kept."""

_Found = tuple[int, int, str, str]


class Moderator:
    """Moderates one turn. Offsets are characters of the text fed so far, from 0.

    `findings` are those given out so far, disjoint and in order (since the snapshot, after `restore`).
    """

    __slots__ = (
        "_base",
        "_cut",
        "_ended",
        "_formatter",
        "_found",
        "_going_on",
        "_hidden",
        "_judged",
        "_plan",
        "_quiet",
        "_settled",
        "_steady",
        "_text",
        "_went_on",
        "findings",
    )

    def __init__(self, policy: Policy, language: str = "") -> None:
        self._plan = plan_of(policy, language)
        self._text = ""  # the source from `_base` on: context, then what is held
        self._base = 0
        self._cut = 0
        # Where detectors have settled. Those with a trigger are mostly at one place: then there is no list.
        self._quiet = 0
        self._settled: list[int] = []
        self._steady = [0] * len(self._plan.steady)
        self._judged = {name: Judged() for name in policy.remote}
        self._ended = False
        self._formatter = self._plan.formatter()
        self._found: list[_Found] = []  # start, end, category, rule: found, and not given out yet
        self._going_on: dict[str, _Found] = {}  # by category: what is certain so far of a match that goes on
        self._went_on: list[_Found] = []  # of those found the ones that went on
        self._hidden = 0  # from the cut to there all is of such matches: it is replaced, whatever comes
        self.findings: list[Finding] = []

    @property
    def cut(self) -> int:
        """The offset up to which spans have been given out."""
        return self._cut

    @property
    def held(self) -> int:
        """How many characters are held, but for those of a match that goes on."""
        return self._base + len(self._text) - max(self._cut, self._hidden)

    @property
    def judged(self) -> int:
        """The offset up to which all remote detectors have judged; all text where there are none."""
        return min((each.upto for each in self._judged.values()), default=self._base + len(self._text))

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
        if self.held + len(text) <= limit:
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
        base, cut, end = self._base, self._cut, self._base + len(self._text)
        if cut == end:
            return []
        for judged in self._judged.values():
            judged.give_up(end)
        begin = cut
        for category, (start, known, _, rule) in self._going_on.items():
            if start < known:
                self._found.append((start, known, category, rule))
                if start <= begin and self._plan.policy.action(category) == "flag":
                    begin = max(begin, known)
            self._going_on[category] = (end, known, category, rule)
        if self._plan.policy.on_max_hold == "redact" and begin < end:
            self._found.append((begin, end, HELD, "max_hold"))
        self._found.sort()
        return self._release(self._text, cut - base, end - base)

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
        begin, upto = judged.take(judged.upto if start is None else start, min(upto, self._base + len(self._text)))
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
        tail = self._base + (len(self._text) if self._ended else open_word(self._text))
        return self._give_out(self._text, min([tail, self._quiet, *self._settled, *self._steady]) - self._base)

    def snapshot(self) -> tuple[Any, ...]:
        """All that `restore` needs, in plain data: the text held, some before it, and where each detector is."""
        settled: dict[str, int] = {}
        if self._settled or self._steady:
            plan = self._plan
            settled = _by_category(plan.triggered, self._settled) | _by_category(plan.steady, self._steady)
        base = max(self._base, self._first() - CONTEXT)
        text, formatter = self._text[base - self._base :], self._formatter
        progress = (base, self._cut, self._quiet, self._ended)
        going_on = ({**self._going_on}, [*self._went_on])
        state = formatter and formatter.state
        judged = {name: each.upto for name, each in self._judged.items()}
        ahead = {name: [*each.ahead] for name, each in self._judged.items() if each.ahead}
        return (VERSION, text, progress, settled, judged, state, [*self._found], going_on, ahead)

    @classmethod
    def restore(cls, policy: Policy, data: tuple[Any, ...], language: str = "") -> Moderator:
        """The moderator that `snapshot` was taken of; the policy may have changed since."""
        if data[0] not in (VERSION, *READS):
            raise ValueError(f"moderation snapshot of version {data[0]!r}; this is version {VERSION}")
        self = cls(policy, language)
        _, self._text, progress, settled, judged, formatted, self._found, *later = data
        self._base, self._cut, self._quiet, self._ended = progress
        self._settled = [settled.get(d.category, self._quiet) for d in self._plan.triggered]
        self._steady = [settled.get(d.category, self._cut) for d in self._plan.steady]
        ahead = later[1] if later[1:] else {}  # since version 4
        self._judged = {name: Judged(judged.get(name, self._cut), ahead.get(name, ())) for name in policy.remote}
        if self._formatter is not None and formatted is not None:
            self._formatter.state = formatted
        if later:  # since version 3
            going_on, self._went_on = later[0]
            self._going_on.update(going_on)
            for category in going_on.keys() - {detector.category for detector in self._plan.steady}:
                self._has_ended(category)
            self._hide()
        return self

    def _advance(self, chunk: str, final: bool) -> list[Span]:
        text = self._text = self._text + chunk
        base, plan = self._base, self._plan
        tail = new = len(text) if final else open_word(text)
        if self._settled or plan.find_trigger(text, self._quiet - base):
            new = min(tail, self._ask_triggered(text, tail, final))
        elif base + tail > self._quiet:
            self._quiet = base + tail
        for i, detector in enumerate(plan.steady):
            upto = self._ask_steady(detector, text, self._steady[i] - base, tail, final)
            self._steady[i] = base + upto
            if upto < new:
                new = upto
        return self._give_out(text, new)

    def _ask_steady(self, detector: Detector, text: str, start: int, tail: int, final: bool) -> int:
        """Where a detector has settled that is asked about all text."""
        category = detector.category
        while True:
            if category in self._going_on:
                begin, _, _, rule = self._going_on[category]
                start, more = cast(GoingOn, detector).go_on(text, start, rule, final)
                self._going_on[category] = (begin, self._base + start, category, rule)
                if more and not final:
                    return start
                self._has_ended(category)
            matches, upto = detector.scan(text, start, tail, final)
            if matches:
                self._keep(category, matches)
            if category not in self._going_on:
                return upto
            start = upto

    def _has_ended(self, category: str) -> None:
        """Note the end of a match that went on."""
        start, end, _, rule = self._going_on.pop(category)
        if end > self._cut:
            self._found.append((max(start, self._cut), end, category, rule))
            self._went_on.append(self._found[-1])

    def _give_out(self, text: str, new: int) -> list[Span]:
        """Give out the text before `new`, as far as nothing found or awaited reaches over it."""
        base, cut = self._base, self._cut - self._base
        if self._judged:
            new = min(new, self.judged - base)
        for start, _, _, _ in self._going_on.values():
            new = min(new, start - base)
        if self._found:
            self._found.sort()
            for start, end, _, _ in reversed(self._found):
                if start - base < new < end - base:
                    new = start - base
        if self._formatter is not None:
            new = self._formatter.end(text, max(cut, 0), new)
        spans = self._release(text, cut, new) if new > cut else []
        if self._going_on or self._went_on:
            self._hide()
        if max(self._cut, self._hidden) - base > KEPT:
            self._trim(CONTEXT)
        return spans

    def _hide(self) -> None:
        """Note how far from the cut on all is of matches that go on, and are more than a flag. Of the findings inside
        one the strongest is kept: they will be one."""
        action = self._plan.policy.action
        self._went_on = [f for f in self._went_on if f[1] > self._cut]
        self._hidden = self._cut
        for start, end, category, _ in sorted([*self._went_on, *self._going_on.values()]):
            if start <= self._hidden and action(category) != "flag":
                self._hidden = max(self._hidden, end)
        for start, end, category, _ in self._going_on.values():
            inside = [f for f in self._found if start <= f[0] and f[1] <= end]
            if len(inside) > 1 and action(category) != "flag":
                strongest = max(inside, key=lambda f: STRENGTH[action(f[2])])
                self._found = [f for f in self._found if f is strongest or not (start <= f[0] and f[1] <= end)]

    def _ask_triggered(self, text: str, tail: int, final: bool) -> int:
        """Where the first of the triggered detectors has settled."""
        base, plan = self._base, self._plan
        detectors, own = plan.triggered, plan.own
        settled = self._settled or [self._quiet] * len(detectors)
        plain = read_digits(text, max(0, self._quiet - base - CONTEXT))
        for i, detector in enumerate(detectors):
            matches, upto = detector.scan(plain if i < own else text, settled[i] - base, tail, final)
            settled[i] = base + upto
            if matches:
                self._keep(detector.category, matches)
        self._quiet = min(settled)
        self._settled = settled if max(settled) > self._quiet else []
        return self._quiet - base

    def _keep(self, category: str, matches: list[Match]) -> None:
        """Note what was found; of what was given out too early, the rest."""
        for match in matches:
            start, end = max(self._base + match.start, self._cut), self._base + match.end
            if match.goes_on:
                self._going_on[category] = (start, end, category, match.rule)
            elif end > self._cut:
                self._found.append((start, end, category, match.rule))

    def _trim(self, context: int) -> None:
        """Forget text that is settled, but for some context."""
        keep = self._first() - self._base - context
        if keep > 0:
            self._text = self._text[keep:]
            self._base += keep

    def _first(self) -> int:
        """The first offset that is not settled or not given out."""
        shown = self._hidden if self._hidden - self._cut > KEPT else self._cut
        return min([shown, self._quiet, *self._settled, *self._steady, *[each.upto for each in self._judged.values()]])

    def _release(self, text: str, cut: int, new: int) -> list[Span]:
        """Give out `text[cut:new]`, with what was found in it replaced."""
        base = self._base
        self._cut = base + new
        if not self._found:
            return self._verbatim(text, cut, new)
        spans: list[Span] = []
        for span in self._replacements(text, base + new):
            if span.start > base + cut:
                spans += self._verbatim(text, cut, span.start - base)
            spans.append(span)
            cut = span.end - base
            if self._formatter is not None:
                self._formatter.shown()
        if cut < new:
            spans += self._verbatim(text, cut, new)
        return spans

    def _verbatim(self, text: str, start: int, end: int) -> list[Span]:
        if self._formatter is not None:
            return self._formatter.spans(text, start, end, self._base)
        return [Span(self._base + start, self._base + end, text[start:end])]

    def _replacements(self, text: str, upto: int) -> list[Span]:
        """What takes the place of the matches that begin before `upto`; they are taken from those found."""
        policy, base = self._plan.policy, self._base
        taken = [f for f in self._found if f[0] < upto]
        self._found = [f for f in self._found if f[0] >= upto]
        findings = _merged([Finding(*found, policy.action(found[2])) for found in taken])
        self.findings += findings
        spans = []
        for f in findings:
            as_it_was = f.action == "flag" or (f.action != "redact" and f.end - f.start <= KEPT)  # more is not kept
            text_now = text[f.start - base : f.end - base] if as_it_was else policy.mark_of(f.category)
            spans.append(Span(f.start, f.end, text_now, f))
        return spans


def _by_category(detectors: tuple[Detector, ...], offsets: list[int]) -> dict[str, int]:
    return {detector.category: offset for detector, offset in zip(detectors, offsets, strict=False)}


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
