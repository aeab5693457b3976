"""Moderation and windows joined: what may be shown, as numbered messages.

Rules
- Redact, then cut, then release. A window leaves when its end is proved and moderation's cut has passed it;
  a finding that crosses the end belongs to the window where it begins.
- A timeout, and a token in mode "none", releases what moderation has let go; the suspect tail waits and begins
  the next window. What waited only for a remote detector goes with its verdict.
- Messages are numbered from 0 in their turn, without a gap. A window that moderation emptied takes no number.
- The turn's last message is `final`. Where all text had left before the end was known, an empty message says it;
  where the turn failed, a fallback does, if there is one for it.
- An action for the whole window (replace, drop, end) is carried out here: only now its text is known. After
  `end` the turn shows nothing more.
- A remote detector is asked at every boundary about the text since it was asked last; where silence or a token made
  the boundary, once it has answered what it was asked before. Its verdict is a record of the log. Until all verdicts
  on a closed turn are there, or `max_hold_seconds` have passed, the turn lingers.
  A verdict without findings, for want of an answer, is a dead letter that says why.
- What moderation holds for longer than the policy's `max_hold_seconds` is redacted or released, as that says: counted
  from when its first character came. A match that goes on waits for its end, and is not counted.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import msgspec

from connectors.log.records import CLOSE, DEFAULT_DESKTOP, VERDICT, ClosedBy, Message, Question, Record
from flows import moderation
from flows.moderation import Moderator, Policy, Span
from flows.steps.arrivals import Arrivals
from flows.steps.base import Core
from flows.steps.events import Boundary, DeadLetter, Event, Finding, Released, Run, Text
from flows.steps.fallback import FINISHED
from flows.steps.windows import TIMEOUT, TOKEN

END: Final = "end"
ERROR: Final = "error"
ASKED_BY: Final = "ask_detectors"
"""The step whose question had no answer."""

JOINED_CHARS = 256


class Release(Core):
    """One turn's `Text` and `Boundary` events to `Released` messages and their `Finding`s.

    `fallback` gives the text for a close's reason, empty where there is none; `language` is that of sessions that name
    none.
    """

    version = 5
    reads = (2, 3, 4)  # the moderator's snapshot in it was shorter, and no `_hurried` was kept

    def __init__(
        self, policy: Policy, opened: Record, fallback: Callable[[str], str] = lambda _: "", language: str = ""
    ) -> None:
        self._desktop = opened.fields.get("desktop") or DEFAULT_DESKTOP
        self._policy = policy
        self._fallback = fallback
        self._session = (opened.s, opened.n)
        self._language = str(opened.fields.get("language") or language)
        self._moderator = Moderator(policy, self._language)
        self._spans: deque[Span] = deque()
        self._boundaries: deque[Boundary] = deque()
        self._arrivals = Arrivals()
        self._begin = 0
        self._seq = 0
        self._ended = False
        self._asked = 0
        self._unasked: list[str] = []
        self._hurried: Boundary | None = None  # by silence or a token, before which verdicts were awaited
        self._closing: Record | None = None
        self._max_hold = round(policy.max_hold_seconds * 1_000_000)

    def feed(self, event: Event) -> Iterable[Event]:
        if type(event) is Text:
            return self._text(event)
        if type(event) is Run:
            return self._run(event)
        if type(event) is Boundary:
            return self._boundary(event)
        if type(event) is Record and event.k == CLOSE:
            return self._close(event)
        if type(event) is Record and event.k == VERDICT:
            return self._verdict(event)
        return (event,)

    def expire(self, t: int) -> Iterable[Event]:
        self._keep(self._moderator.release_held())
        self._asked, self.deadline = self._arrivals.fed, None
        self._unasked.clear()  # it is decided
        if self._closing is not None:
            return self._finish(t, self._closing)
        return [*self._release(t), *self._hurry(t)]

    @property
    def lingers(self) -> bool:  # type: ignore[override]  # here it depends on what is awaited
        """Whether verdicts on a closed turn are still to come."""
        return self._closing is not None

    def abandon(self, close: Record) -> Iterable[Event]:
        """Show nothing that was not shown yet; only say that this was all."""
        return (self._last_word(close), close)

    def snapshot(self) -> tuple[Any, ...]:
        return (
            self._moderator.snapshot(),
            _freeze(self._spans),
            [_plain(boundary) for boundary in self._boundaries],
            self._arrivals.snapshot(),
            (self._arrivals.fed, self._begin, self._seq, self._ended),
            (self._asked, "".join(self._unasked), self._hurried and _plain(self._hurried)),
            self._closing and (self._closing.t, self._closing.d),
            self.deadline,
        )

    def restore(self, data: tuple[Any, ...]) -> None:
        moderator, spans, boundaries, arrivals, progress, asked, closing, self.deadline = data
        self._moderator = Moderator.restore(self._policy, moderator, self._language)
        self._spans = deque(_thaw(span) for span in spans)
        self._boundaries = deque(Boundary(t, *self._session, at, why) for t, at, why in boundaries)
        fed, self._begin, self._seq, self._ended = progress
        self._arrivals.restore(arrivals, fed)
        self._asked, unasked, *hurried = asked
        self._unasked = [unasked]
        if hurried and hurried[0]:
            t, at, why = hurried[0]
            self._hurried = Boundary(t, *self._session, at, why)
        if closing:
            t, d = closing
            self._closing = Record(t, *self._session, CLOSE, d=d)

    def _text(self, event: Text) -> list[Event]:
        self._arrivals.add(len(event.text), event.tokens, event.t)
        self._push(event.text)
        return [event, *self._release(event.t)] if self._boundaries else [event]

    def _run(self, run: Run) -> Iterator[Event]:
        """Token by token where a window waits to leave or a hold may end; else in one."""
        at, count = 0, len(run.times)
        while at < count:
            if self.deadline is not None and self.deadline < run.times[at]:
                yield from self.expire(self.deadline)
            if self._boundaries:
                yield from self._text(run.token(at))
                at += 1
                continue
            patient = run.times[at] + self._max_hold if self.deadline is None else self.deadline
            part = run.part(at, upto := bisect_right(run.times, patient, at))
            self._arrivals.add_run(part)
            self._push(part.text)
            yield part
            at = upto

    def _push(self, text: str) -> None:
        if self._policy.remote and text:
            self._unasked.append(text)
        self._keep(self._moderator.push(text))
        self._wait()

    def _wait(self) -> None:
        self.deadline = given_up(self._moderator, self._arrivals, self._max_hold)

    def _keep(self, spans: list[Span]) -> None:
        """Keep what may be shown: verbatim text in longer pieces than the tokens it came in, as an epoch writes all."""
        kept = self._spans
        self._moderator.findings.clear()  # the spans have them
        for span in spans:
            last = kept[-1] if kept else None
            if last and last.verbatim and span.verbatim and len(last.text) < JOINED_CHARS:
                kept[-1] = Span(last.start, span.end, last.text + span.text)
            else:
                kept.append(span)

    def _boundary(self, event: Boundary) -> list[Event]:
        if event.closed_by in (TIMEOUT, TOKEN):
            self._hurried = event
            return self._hurry(event.t)
        self._hurried = None
        self._boundaries.append(event)
        return [*self._ask(event.t), *self._release(event.t)]

    def _hurry(self, t: int) -> list[Event]:
        """Release what may go before a boundary that silence or a token made, and ask about the rest."""
        hurried = self._hurried
        if hurried is None:
            return []
        moderator = self._moderator
        asked = self._ask(t) if self._asked < hurried.at and moderator.judged >= self._asked else []
        if moderator.judged >= hurried.at:
            self._hurried = None
        return [*asked, *self._window(t, min(hurried.at, moderator.cut), hurried.closed_by, hurried.t)]

    def _ask(self, t: int) -> list[Event]:
        """Put the text since the last question to the remote detectors."""
        text = "".join(self._unasked)
        self._unasked.clear()
        if not text:
            return []
        start, self._asked = self._asked, self._arrivals.fed
        return [Question(t, *self._session, each, start, text, self._language or None) for each in self._policy.remote]

    def _verdict(self, event: Record) -> list[Event]:
        verdict, detector = event.fields, event.fields.get("detector")
        said: list[Event] = [event]
        if detector in self._policy.remote:
            found = verdict["findings"]
            if found is None:
                reason = f"{detector}: {verdict.get('reason', 'failed')}"
                said.append(DeadLetter(event.t, *self._session, ASKED_BY, reason))
            self._keep(self._moderator.verdict(detector, verdict["upto"], found, verdict.get("start")))
        if self._closing is None:
            self._wait()
            return [*said, *self._release(event.t), *self._hurry(event.t)]
        return [*said, *(self._release(event.t) if self._moderator.held else self._finish(event.t, self._closing))]

    def _close(self, event: Record) -> list[Event]:
        self._keep(self._moderator.finish())
        if not self._moderator.held:
            return self._finish(event.t, event)
        self._closing, self.deadline = event, event.t + self._max_hold
        return [*self._ask(event.t), *self._release(event.t)]

    def _finish(self, t: int, close: Record) -> list[Event]:
        """The last window, and the close, at the time at which both are known."""
        self._closing, self.deadline = None, None
        event = Record(t, close.s, close.n, CLOSE, d=close.d)
        out = self._release(t)
        finished = event.reason == FINISHED
        said = not finished and self._fallback(event.reason) != ""
        out += self._window(event.t, self._arrivals.fed, END if finished else ERROR, event.t, last=not said)
        if said:
            out.append(self._last_word(event))
        return [*out, event]

    def _last_word(self, close: Record) -> Released:
        """The final message of a turn that failed: the fallback, or nothing but the end."""
        text = self._fallback(close.reason)
        message = Message(*self._session, self._seq, text, ERROR, True, bool(text), close.t)
        self._seq += 1
        return Released(close.t, *self._session, message, self._desktop, 0, close.t, close.t, 0)

    def _release(self, t: int) -> list[Event]:
        """Every window whose end is proved and passed by the cut."""
        out: list[Event] = []
        while self._boundaries and self._boundaries[0].at <= self._moderator.cut:
            boundary = self._boundaries.popleft()
            out += self._window(t, boundary.at, boundary.closed_by, boundary.t)
        return out

    def _window(self, t: int, end: int, closed_by: ClosedBy, proved: int, *, last: bool = False) -> list[Event]:
        """The window from the last one's end to `end`, which a finding across it moves to its own end."""
        if end <= self._begin and not last:
            return []
        spans, end = self._take(end)
        began, tokens = self._arrivals.take(end, proved)
        self._begin = end
        found = [span.finding for span in spans if span.finding]
        text = self._act("".join([span.text for span in spans]), found)
        if not text and not last:
            return []
        seq, self._seq = self._seq, self._seq + 1
        categories = tuple(finding.category for finding in found)
        message = Message(*self._session, seq, text, closed_by, last, False, t, categories)
        released = Released(t, *self._session, message, self._desktop, tokens, began, proved, len(found))
        return [
            *(Finding(t, *self._session, seq, f.category, f.rule, f.action, f.start, f.end) for f in found),
            released,
        ]

    def _act(self, text: str, found: list[moderation.Finding]) -> str:
        """The window's text after the actions that are for all of it."""
        actions = {finding.action for finding in found}
        if self._ended:
            return ""
        if "end" in actions:
            self._ended = True
            return self._policy.replacement
        if "drop" in actions:
            return ""
        return self._policy.replacement if "replace" in actions else text

    def _take(self, end: int) -> tuple[list[Span], int]:
        """The spans before `end`; verbatim text is split there, a finding goes whole."""
        taken: list[Span] = []
        spans = self._spans
        while spans and spans[0].start < end:
            span = spans.popleft()
            if span.end > end and span.verbatim:
                head = end - span.start
                spans.appendleft(Span(end, span.end, span.text[head:], None))
                span = Span(span.start, end, span.text[:head], None)
            taken.append(span)
        return taken, max(end, taken[-1].end if taken else end)


def given_up(moderator: Moderator, arrivals: Arrivals, max_hold: int) -> int | None:
    """When what is held will have been held for too long; None where nothing is."""
    return arrivals.time_of(arrivals.fed - moderator.held) + max_hold if moderator.held else None


def _freeze(spans: Iterable[Span]) -> list[tuple[Any, ...]]:
    return [(s.start, s.end, s.text, s.finding and msgspec.structs.astuple(s.finding)) for s in spans]


def _plain(boundary: Boundary) -> tuple[int, int, str]:
    return boundary.t, boundary.at, boundary.closed_by


def _thaw(data: tuple[Any, ...]) -> Span:
    start, end, text, finding = data
    return Span(start, end, text, moderation.Finding(*finding) if finding else None)
