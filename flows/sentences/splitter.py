"""The scanner: finds the places where a sentence may end, asks the rules, and cuts.

Rules
- Nothing is lost or changed: the pieces, joined, are the text.
- What has been emitted after a prefix of the text depends on that prefix alone, never on how it was cut. So the pieces
  are the same under every chunking.
- Places are judged in the order of the text, each as soon as what it needs has arrived, and never again. A place that
  must wait holds up those behind it.
- The cost of a token does not grow with the text: text without a candidate is put aside unread, and a rule never looks
  back further than `LOOK_BACK`, nor ahead further than a word behind `BLANKS` of white space.
- White space behind a sentence belongs to it, unless the cut was already proved; then it opens the next piece.
- There is no timeout and no limit of length here: that is windowing, and is done on top.
- Without a language the splitter finds it by the text's first words (`languages/detection.py`): at each place that it
  judges it looks at what came before that place, so this too is a matter of the text alone. Until then `UNKNOWN` holds,
  and `UNTOLD` where they do not tell.
- Inline code (between backticks, in one line) holds no boundary.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import msgspec
import re2  # type: ignore[import-untyped]  # it comes without annotations

from connectors.fields import FieldError
from flows.sentences import lines, rules
from flows.sentences.languages import LANGUAGES, UNKNOWN, UNTOLD, Kind, Language, language_of
from flows.sentences.languages.detection import HEAD, detect
from flows.sentences.lines import Line
from flows.sentences.signs import BLANKS, LOOK_BACK, candidates, run_of_stops
from flows.sentences.stops import Stop, Verdict

VERSION = 2
UNDETERMINED = "und"
_PARTS, _PART = 256, 4_096  # so many of a measured piece, or one of so many characters, are looked through
_LINE_END = 48  # characters before a line break that its rules read


class _State(msgspec.Struct, array_like=True):
    """Everything that the splitter remembers; plain data when it is snapshot."""

    far: list[str] = []
    """The open piece, in parts, as far as no rule will read it again."""
    near: list[str] = []
    """The rest of it, in parts. If `far` holds anything, at least `LOOK_BACK` characters of it have been judged."""
    waiting: int | None = None
    """Where in `near` a place waits for more text; None if all of it has been judged."""
    opening: bool = True
    """Nothing visible of the piece has come yet."""
    new_line: bool = True
    """The piece opens a line."""
    line: Line = Line.TEXT
    fence: str = ""
    first: str = ""
    """The first visible character of the piece."""
    item: tuple[str, str] | None = None
    """The list marker that the piece began with: its value and its stop."""
    code: bool = False
    """Inside inline code."""
    gone: int = 0
    """Characters of the piece that were let go: they came before all that `far` holds, which then holds a part."""
    head: str = ""
    """The first characters of the text, while its language is looked for."""
    read: int = 0
    """How many characters of the text have come, while its language is looked for."""
    found: str = ""
    """The language that was found; `UNDETERMINED` where the first words did not tell."""


class SentenceSplitter:
    """Cuts text that is still arriving into sentences.

    `language` is a code such as "en" or "pt-BR"; with None it is found by the text's first words. `abbreviations` are
    the user's own ("Abt.", "Hbf"): none of them ends a sentence. `flush_overrides` are RE2 patterns that forbid a cut
    behind the text they match, as Cognigy's setting of that name does (`\\d+\\.`). Raises `SettingsError` for a pattern
    that is none.

    Not thread-safe; one splitter per stream.
    """

    def __init__(
        self, language: str | None = "en", *, abbreviations: Iterable[str] = (), flush_overrides: Iterable[str] = ()
    ) -> None:
        self._code = language
        self._own = tuple(abbreviations)
        self._overrides = _compile(tuple(flush_overrides))
        self._state = _State()
        self._looked = -1
        self._set_language()

    @property
    def language(self) -> str | None:
        """The language given or found, `UNDETERMINED` where the first words did not tell; None while it is looked
        for."""
        return None if self._looks else self._code or self._state.found

    def feed(self, text: str) -> list[str]:
        """Take the next part of the text, of any length; return the sentences that it completes, often none."""
        state = self._state
        if self._looks:
            if state.read < HEAD:
                state.head = (state.head + text)[:HEAD]
            state.read += len(text)
        if state.waiting is None:
            if not state.opening and not self._find(text):
                state.near.append(text)
                return []
        elif text.isspace() and "\n" not in text and self._is_waiting_behind_blank(len(text)):
            state.near[-1] += text
            return []
        return self._scan(text, final=False)

    def quiet(self, text: str, start: int = 0) -> int:
        """The offset in `text` up to which `feed` would complete nothing, and have nothing to judge; else `start`."""
        state = self._state
        if state.waiting is not None or state.opening:
            return start
        found = self._find(text, start)
        return len(text) if found is None else found.start()

    def _is_waiting_behind_blank(self, more: int) -> bool:
        """Whether a place waits behind white space, and `more` of it tells nothing new."""
        near, waiting = self._state.near[-1], self._state.waiting or 0
        return near[-1].isspace() and len(near) - waiting + more <= BLANKS

    def flush(self) -> list[str]:
        """The text has ended: return what is left, at most a few sentences. The splitter is then as new."""
        pieces = self._scan("", final=True)
        rest = "".join(self._state.far + self._state.near)
        if rest:
            pieces.append(rest)
        self._state = _State()
        self._set_language()
        return pieces

    def measure(self, text: str, *, final: bool = False) -> list[int]:
        """As `feed`, or `flush` if `final`, but how long the pieces are: of the open piece no more is kept than a rule
        reads, so what it costs and holds does not grow with the piece. For a text, this or `feed`, not both."""
        gone = self._state.gone
        lengths = [len(piece) for piece in (self.flush() if final else self.feed(text))]
        state = self._state
        if lengths:
            lengths[0] += gone
            state.gone = 0
        near = state.near
        if near and (len(near) > _PARTS or len(near[0]) > _PART) and state.waiting is None and not state.opening:
            self._scan("", final=False)  # all of it has been judged
        if state.far and state.far != [""]:
            state.gone += sum(map(len, state.far))
            state.far[:] = [""]
        return lengths

    def snapshot(self) -> dict[str, Any]:
        """The state as plain data, with a version and the language; settings of the constructor are not in it."""
        state = self._state
        for parts in (state.far, state.near):
            parts[:] = ["".join(parts)] if parts else []
        return {"version": VERSION, "language": self._code, "state": msgspec.to_builtins(state)}

    def restore(self, data: Mapping[str, Any]) -> None:
        """Go on where `snapshot` was taken, by a splitter of the same language and settings.

        Raises ValueError for another version or language.
        """
        if data.get("version") != VERSION or data.get("language") != self._code:
            found = f"version {data.get('version')!r}, language {data.get('language')!r}"
            raise ValueError(f"sentences: snapshot of {found} does not fit version {VERSION}, language {self._code!r}")
        self._state = msgspec.convert(data["state"], _State)
        self._set_language()

    def _scan(self, new: str, final: bool) -> list[str]:
        state = self._state
        far = state.far
        near = "".join(state.near)
        text = near + new
        at = len(near) if state.waiting is None else state.waiting
        pieces: list[str] = []
        start = 0  # of the piece in `text`, unless it begins in `far`
        waits = False
        while True:
            if state.opening:
                at = self._skip_space(text, at)
                if at == len(text):
                    break
                opened = self._open(text, at, final)
                if opened is None:
                    waits = True
                    break
                at = opened
            found = self._find(text, at)
            if found is None:
                at = len(text)
                break
            at = found.start()
            if self._looks:
                if self._look(state.read - len(text) + at):
                    continue
                if self._is_no_place(text, at):
                    at += 1
                    continue
            cut, resume = self._judge(text, None if far else start, at, final)
            if resume is None:
                waits = True
                break
            at = resume
            if cut:
                far.append(text[start:cut])
                pieces.append("".join(far))
                far.clear()
                start = at = cut
                self._close(text[cut - 1] == "\n")
        kept = max(start, at - LOOK_BACK)
        if kept > start:
            far.append(text[start:kept])
        state.near = [text[kept:]]
        state.waiting = at - kept if waits and not final else None
        return pieces

    def _look(self, end: int) -> bool:
        """Whether the language is known now, by the text up to `end`."""
        state = self._state
        if end == self._looked:
            return False
        self._looked = end
        last = end >= HEAD
        found = detect(state.head[:end], last=last)
        if found is None and not last:
            return False
        state.found, state.head = found or UNDETERMINED, ""
        self._set_language()
        return True

    def _set_language(self) -> None:
        """Take the tables of the language given or found; while there is none, look wherever any ends sentences."""
        code = self._code if self._code is not None else self._state.found or None
        self._looks = code is None
        self._looked = -1
        self._language = language = _with_abbreviations(code, self._own)
        self._find_in_text = candidates(
            language.stops + language.capital_stops + (_STOPS_SOMEWHERE if self._looks else ""), language.not_stops
        ).search
        run_of_stops(language.stops)  # so that no token pays for compiling it
        self._set_line(self._state.line)

    def _is_no_place(self, text: str, at: int) -> bool:
        """Whether only the languages that are not found yet have a stop here."""
        return text[at] in _STOPS_SOMEWHERE and text[at] not in self._language.stops + self._language.capital_stops

    def _skip_space(self, text: str, at: int) -> int:
        state = self._state
        while at < len(text) and text[at].isspace():
            state.new_line = state.new_line or text[at] == "\n"
            at += 1
        return at

    def _open(self, text: str, at: int, final: bool) -> int | None:
        """Read what the piece begins with; return where to go on, or None while that may still grow."""
        state = self._state
        resume = at
        if state.new_line:
            opened = lines.opening(text, at, final)
            if opened is None:
                return None
            line, state.fence, resume = opened
            self._set_line(line)
        state.first = text[at]
        state.opening = False
        return resume

    def _close(self, new_line: bool) -> None:
        """The piece is out; the next one opens."""
        state = self._state
        state.opening, state.new_line = True, new_line
        state.item, state.code = None, False
        self._set_line(Line.TEXT)

    def _set_line(self, line: Line) -> None:
        self._state.line = line
        self._find = self._find_in_text if line is Line.TEXT else _NEWLINE

    def _judge(self, text: str, start: int | None, at: int, final: bool) -> tuple[int, int | None]:
        """Where to cut (0 for nowhere) and where to go on (None to wait)."""
        state = self._state
        sign = text[at]
        if sign == "\n":
            return self._judge_line_break(text, start, at, final)
        if sign == "`":
            state.code = not state.code and not text[at - 1 : at].isalnum()
            return 0, at + 1
        if state.code or (sign == ")" and not rules.may_end_at_bracket(text, start, at, state.item)):
            return 0, at + 1
        if at + 1 == len(text) and not final and rules.needs_more(sign):
            return 0, None
        if start is not None and at - start > LOOK_BACK:
            start = None
        stop = Stop(text, start, at, self._language, state.item, final)
        verdict = rules.judge(stop)
        if verdict is Verdict.WAIT:
            return 0, None
        state.item = stop.item
        if verdict is Verdict.CUT and not self._is_overridden(stop):
            return stop.cut, stop.cut
        return 0, stop.end

    def _judge_line_break(self, text: str, start: int | None, at: int, final: bool) -> tuple[int, int | None]:
        state = self._state
        if state.line is Line.WHOLE:
            return at + 1, at + 1
        if state.line is Line.FENCE:
            end = lines.closing(text, at, state.fence, final)
            return (0, None) if end is None else (end, at + 1)
        before = text[max(start or 0, at - _LINE_END) : at]
        cut = lines.judge(before, text, at, state.first, self._language, final)
        if cut is None:
            return 0, None
        state.code = False
        return cut, at + 1

    def _is_overridden(self, stop: Stop) -> bool:
        if not self._overrides:
            return False
        sentence = (stop.before + stop.text[stop.at : stop.cut]).rstrip()
        return any(pattern.search(sentence) for pattern in self._overrides)


_NEWLINE = re.compile("\n").search
_STOPS_SOMEWHERE = "".join({sign for each in LANGUAGES.values() for sign in each.stops + each.capital_stops})


@lru_cache(maxsize=256)
def _with_abbreviations(language: str | None, own: tuple[str, ...]) -> Language:
    untold = UNTOLD if language == UNDETERMINED else language_of(language)
    tables = UNKNOWN if language is None else untold
    words = {word.strip().removesuffix(".").lower(): Kind.INNER for word in own}
    return msgspec.structs.replace(tables, abbreviations={**tables.abbreviations, **words}) if words else tables


@lru_cache(maxsize=64)
def _compile(patterns: tuple[str, ...]) -> tuple[Any, ...]:
    options = re2.Options()
    options.log_errors = False
    compiled = []
    for i, pattern in enumerate(patterns):
        try:
            re2.compile(pattern, options)
            compiled.append(re2.compile(f"(?:{pattern})$", options))
        except re2.error as e:
            raise FieldError(f"flush_overrides[{i}]", f"is no RE2 pattern ({_reason(e)}): fix or remove it") from None
    return tuple(compiled)


def _reason(error: Exception) -> str:
    reason = error.args[0] if error.args else ""
    words = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
    return words.partition(": ")[0]  # what follows is the pattern's own text
