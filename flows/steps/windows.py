"""Text to windows: where the agent's next message ends.

Rules
- The text passes through as it comes; a `Boundary` follows as soon as it is proved. So moderation works on text
  that is still being written, and a window costs no second wait.
- `mode` says what ends a window: a sentence; a clause too; only a paragraph; or nothing but the token ("none").
  Beside that it ends after `timeout` of silence, at `max_chars`, and with its turn.
- A window shorter than `min_chars` is joined to the next; silence and the turn's end let it go all the same.
- Whatever ends a window, the splitter is not disturbed: the sentence goes on, its rest is the next window.
- White space alone is not a window: it waits for what follows.
- Every cut is decided at one place in the text, so the windows are the same however it comes in pieces (silence and
  mode "none" apart).
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import Any, Final, Literal

import msgspec

from connectors.fields import FieldError, check_range
from connectors.log.records import CLOSE, SECOND, ClosedBy, Record
from flows.sentences import SentenceSplitter
from flows.steps.base import Core
from flows.steps.cuts import BEHIND, best_cut, clause_ends, may_have_place
from flows.steps.events import Boundary, Event, Run, Text

SENTENCE: Final = "sentence"
CLAUSE: Final = "clause"
PARAGRAPH: Final = "paragraph"
TOKEN: Final = "token"
TIMEOUT: Final = "timeout"
MAX_CHARS: Final = "max_chars"

OVERFULL = 4
_WORD_BEGINS = re.compile(rf"(?<=[{BEHIND}])[^{BEHIND}]")
_MAY_BEGIN_BEHIND = re.compile(f"[{BEHIND}]")
_BLANK_LINE = re.compile(r"\n[ \t]*\n\s*$")


class WindowSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[window] of the settings.

    mode             sentence, clause, paragraph, or none: as fast as moderation lets text go
    timeout          seconds of silence after which an open window goes out as it is (0: never)
    first_timeout    the same for a turn's first window (unset: as `timeout`)
    min_chars        a shorter window is joined to the next (0: none is)
    first_min_chars  the same for a turn's first window (unset: as `min_chars`)
    max_chars        the longest window (1 to 65,536); up to four times that where there is no place to cut
    language         of sessions that name none (unset: found by each turn's first words)
    abbreviations    the user's own: none of them ends a sentence
    flush_overrides  patterns (RE2) behind whose match no sentence ends, such as `\\d+\\.`
    """

    mode: Literal["sentence", "clause", "paragraph", "none"] = "sentence"
    timeout: float = 5.0
    first_timeout: float | None = None
    min_chars: int = 0
    first_min_chars: int | None = None
    max_chars: int = 2_000
    language: str | None = None
    abbreviations: tuple[str, ...] = ()
    flush_overrides: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_range(self, "timeout", "first_timeout", least=0, most=86_400, unit="seconds (0: never)")
        check_range(self, "max_chars", least=1, most=65_536)
        for name in ("min_chars", "first_min_chars"):
            if not 0 <= (getattr(self, name) or 0) <= self.max_chars:
                raise FieldError(name, "should be between 0 and max_chars", "max_chars")
        self.splitter(self.language)

    def splitter(self, language: str | None) -> SentenceSplitter:
        """A splitter for one turn. Raises SettingsError for a pattern that is none."""
        return SentenceSplitter(language, abbreviations=self.abbreviations, flush_overrides=self.flush_overrides)


class Windows(Core):
    """One turn's `Text` to the same `Text` and its `Boundary` events."""

    version = 2

    def __init__(self, settings: WindowSettings, opened: Record) -> None:
        request = opened.fields
        self._session = (opened.s, opened.n)
        self._settings = settings
        self._mode = request.get("window") or settings.mode
        self._splitter = settings.splitter(request.get("language") or settings.language)
        first = settings.timeout if settings.first_timeout is None else settings.first_timeout
        self._first_timeout, self._next_timeout = round(first * SECOND), round(settings.timeout * SECOND)
        self._split = 0
        self._begin = 0
        self._open = ""
        self._first = True

    def feed(self, event: Event) -> Iterable[Event]:
        if type(event) is Text:
            return self._text(event)
        if type(event) is Run:
            return self._run(event)
        if type(event) is Record and event.k == CLOSE:
            return self._close(event)
        return (event,)

    def expire(self, t: int) -> Iterable[Event]:
        out: list[Event] = []
        self.deadline = None
        self._cut(t, len(self._open), TIMEOUT, out)
        return out

    def snapshot(self) -> tuple[Any, ...]:
        return (self._splitter.snapshot(), self._split, self._begin, self._open, self._first, self.deadline)

    def restore(self, data: tuple[Any, ...]) -> None:
        splitter, self._split, self._begin, self._open, self._first, self.deadline = data
        self._splitter = self._settings.splitter(splitter["language"])  # the settings' may have changed since
        self._splitter.restore(splitter)

    def _text(self, event: Text) -> list[Event]:
        out: list[Event] = [event]
        if event.text:
            self._take(event.text, event.t, out)
        return out

    def _take(self, text: str, t: int, out: list[Event]) -> None:
        """Go on by a token; what that ends comes `out`."""
        for part in self._parts(text):
            self._open += part
            for length in self._splitter.measure(part):
                self._split += length
                self._close_sentence(t, out)
            if self._mode in (CLAUSE, PARAGRAPH):
                self._close_before_word(t, out)
            if len(self._open) >= self._settings.max_chars:
                self._close_full(t, out)
        if self._mode == "none":
            self._cut(t, len(self._open), TOKEN, out)
        self.deadline = self._silence_ends(t)

    def _run(self, run: Run) -> Iterator[Event]:
        """Token by token, but for stretches in which nothing can be decided; given on whole up to each boundary."""
        ended: list[Event] = []
        at, given, count = 0, 0, len(run.times)
        while at < count:
            if self.deadline is not None and self.deadline < run.times[at]:
                if at > given:
                    yield run.part(given, at)
                    given = at
                yield from self.expire(self.deadline)
            quiet = self._quiet_until(run, at)
            start = run.ends[at - 1] if at else 0
            if quiet - at > 1:
                text = run.text[start : run.ends[quiet - 1]]
                self._open += text
                self._splitter.measure(text)
                self.deadline = self._silence_ends(run.times[quiet - 1])
                at = quiet
            else:
                self._take(run.text[start : run.ends[at]], run.times[at], ended)
                at += 1
                if ended:
                    yield run.part(given, at)
                    yield from ended
                    ended.clear()
                    given = at
        if count > given:
            yield run.part(given, count)

    def _quiet_until(self, run: Run, at: int) -> int:
        """The token up to which no sentence ends, the window has room, and no silence is too long."""
        if self._mode != SENTENCE:
            return at
        start = run.ends[at - 1] if at else 0
        room = min(self._splitter.quiet(run.text, start), start + self._settings.max_chars - len(self._open) - 1)
        until = bisect_right(run.ends, room, at)
        timeout = self._timeout
        if timeout and until > at:
            patient = run.times[at] + timeout if self.deadline is None else self.deadline
            until = bisect_right(run.times, patient, at, until)
        return until

    def _parts(self, text: str) -> Iterator[str]:
        """The text in pieces that end where something is decided: where the window is full, and where a word begins."""
        if self._mode == SENTENCE and len(self._open) + len(text) < self._settings.max_chars:
            yield text
            return
        at = 0
        while at < len(text):
            end = at + max(1, self._settings.max_chars - len(self._open))
            if self._mode in (CLAUSE, PARAGRAPH):
                end = min(end, self._word_begins(text, at) + 1)
            yield text[at:end]
            at = end

    def _word_begins(self, text: str, at: int) -> int:
        if at == 0 and _MAY_BEGIN_BEHIND.match(self._open[-1:]) and not _MAY_BEGIN_BEHIND.match(text):
            return 0
        match = _WORD_BEGINS.search(text, at)
        return match.start() if match else len(text)

    def _close(self, event: Record) -> list[Event]:
        """The rest of the splitter's boundaries; the last window is closed by the turn's own end."""
        out: list[Event] = []
        for length in self._splitter.measure("", final=True):
            self._split += length
            if self._split < self._begin + len(self._open):
                self._close_sentence(event.t, out)
        return [*out, event]

    def _close_sentence(self, t: int, out: list[Event]) -> None:
        if self._mode in (SENTENCE, CLAUSE):
            self._close_at(t, self._split - self._begin, SENTENCE, out)

    def _close_before_word(self, t: int, out: list[Event]) -> None:
        """Where the last character begins a word: a clause may have ended before it, or a paragraph."""
        at = len(self._open) - 1
        if not _WORD_BEGINS.match(self._open, at):
            return
        if self._mode == CLAUSE:
            if clause_ends(self._open, at):
                self._close_at(t, at, CLAUSE, out)
            return
        blank = _BLANK_LINE.search(self._open, 0, at)
        if blank and self._begin + blank.start() <= self._split <= self._begin + at:
            self._close_at(t, at, PARAGRAPH, out)

    def _close_full(self, t: int, out: list[Event]) -> None:
        """A full window goes where there is a place to cut; without one it waits, but not for ever."""
        most = self._settings.max_chars
        tried = len(self._open) > most  # when it was a character shorter; looking again at each would be quadratic
        length = best_cut(self._open) if not tried or may_have_place(self._open) else None
        if length is None and len(self._open) >= OVERFULL * most:
            length = len(self._open)
        if length is not None:
            self._cut(t, length, MAX_CHARS, out)

    def _close_at(self, t: int, length: int, closed_by: ClosedBy, out: list[Event]) -> None:
        """Close the window there, unless that is behind us, or leaves only white space or too little to show."""
        settings = self._settings
        least = settings.min_chars
        if self._first and settings.first_min_chars is not None:
            least = settings.first_min_chars
        if length > 0 and len(self._open[:length].strip()) >= max(least, 1):
            self._cut(t, length, closed_by, out)

    def _cut(self, t: int, length: int, closed_by: ClosedBy, out: list[Event]) -> None:
        self._begin, self._open, self._first = self._begin + length, self._open[length:], False
        out.append(Boundary(t, *self._session, self._begin, closed_by))

    def _silence_ends(self, t: int) -> int | None:
        timeout = self._timeout
        return t + timeout if timeout and self._open and not self._open.isspace() else None

    @property
    def _timeout(self) -> int:
        """Microseconds of silence after which the open window goes out; 0 for never."""
        return self._first_timeout if self._first else self._next_timeout
