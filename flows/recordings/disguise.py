"""A recording whose customers nobody can find again: personal data replaced by fakes of equal length.

Rules
- What moderation finds in the clean text, in prompts and in every other string of a frame is replaced, character for
  character, where it stands in the vendor's own JSON: over token seams, in split and packed messages, and again
  where a continuation repeated it. So seams, findings, seq and times stay.
- It is proved turn by turn: the disguised frames must give events of the same kind, time and length, and the same
  findings. A turn for which they do not is an error, never a recording; so is one in which a value cannot be
  replaced everywhere.
- What the policy does not look for stays, and so do blocked words: they are the list's, not the customer's. Only a
  raw recording replays to the same bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any

import msgspec

from connectors.errors import InputError
from connectors.log.records import FRAME, OPEN, Record
from connectors.vendors.base import Vendor
from flows.engine.policies import Policies
from flows.moderation import Finding, Moderator, Policy
from flows.recordings.fakes import NOT_PERSONAL, Fakes
from flows.steps.events import Event, Text
from flows.steps.reassembly import Characters, Reassembly

SHORTEST = 6
"""Characters that a string must have to hold personal data."""

Cell = tuple[int, int] | None

_LITERAL = re.compile(r'("(?:[^"\\]|\\.)*")(\s*:)?', re.DOTALL)
_UNIT = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|.", re.DOTALL)
_BEFORE_TOKEN = re.compile(r'(?:"(?:token|content|text|delta|response|refusal)"\s*:|[\[,])\s*\Z')
"""Where vendors have a token: a field of one of these names, or a list."""


def disguise(records: Iterable[Record], vendor: Vendor, policies: Policies, fakes: Fakes) -> Iterator[Record]:
    """The records with fakes in them, in their order. All are held in memory.

    Raises InputError for a turn that cannot be disguised and proved.
    """
    before = list(records)
    after = list(before)
    turns: dict[tuple[str, int], list[int]] = {}
    for place, record in enumerate(before):
        if record.s:
            turns.setdefault((record.s, record.n), []).append(place)
    for places in turns.values():
        turn = [before[place] for place in places]
        opened = next((record for record in turn if record.k == OPEN), None)
        if opened is not None:
            for place, record in zip(
                places, _Disguised(turn, vendor, policies.of(opened), fakes).disguised(), strict=True
            ):
                after[place] = record
    yield from after


class _Attempt:
    """The frames of one connection: their text as characters, and where in it each character of the tokens stands."""

    def __init__(self) -> None:
        self.frames: list[int] = []
        self.buffer = ""
        self.tokens: list[str] = []
        self.cells: list[Cell] = []
        self.used: set[int] = set()
        self.raw: list[str] = []
        self.fresh = 0
        self.loose: list[tuple[int, int]] = []
        self._cursor = 0

    def add(self, token: str, characters: Characters) -> None:
        """Find a token's literal; what comes of it as clean text, with its cells."""
        cells: list[Cell] = [None] * len(token)
        for begin, end in _strings(self.buffer, self._cursor):
            literal = self.buffer[begin:end]
            if _BEFORE_TOKEN.search(self.buffer, max(0, begin - 24), begin) and _value(literal) == token:
                self._cursor = end
                self.used.add(begin)
                units = _units(self.buffer, begin, end)
                cells = list(units) if len(units) == len(token) else cells
                break
        text = characters.feed(token)
        same = 0
        while same < min(len(text), len(token)) and text[-1 - same] == token[-1 - same]:
            same += 1
        self.tokens.append(text)
        self.cells += [*([None] * (len(text) - same)), *cells[len(token) - same :]]

    def end(self, pending: str) -> None:
        """The connection is over, and this message only begun."""
        if pending:
            self.loose.append((len(self.buffer) - len(pending), len(self.buffer)))

    def write(self, cell: Cell, char: str) -> bool:
        """Put a character where another one stands, in as many characters of JSON; False where that cannot be."""
        begin, end = cell or (0, 0)
        if end - begin == 1:
            self.raw[begin] = char
        elif end - begin == 6 and ord(char) <= 0xFFFF:
            self.raw[begin:end] = f"\\u{ord(char):04x}"
        else:
            return False
        return True


class _Disguised:
    def __init__(self, records: Sequence[Record], vendor: Vendor, policy: Policy, fakes: Fakes) -> None:
        self._records = records
        self._vendor = vendor
        self._policy = policy
        self._fakes = fakes

    def disguised(self) -> list[Record]:
        events = list(self._events(self._records))
        text = "".join([event.text for event in events if isinstance(event, Text)])
        findings = self._findings(text)
        attempts = self._attempts()
        for attempt in attempts:
            self._write_others(attempt)
        faked = self._faked(text, findings, proved=True)
        self._write_text(attempts, text, faked)
        made = self._rebuilt(attempts)
        now = list(self._events(made))
        same = list(map(_shape, now)) == list(map(_shape, events))
        if not same or faked != "".join([event.text for event in now if isinstance(event, Text)]):
            raise self._refusal()
        return made

    def _attempts(self) -> list[_Attempt]:
        """Each connection's tokens, and how much of them was new."""
        core, decoder, characters = Reassembly(self._vendor.decoder()), self._vendor.decoder(), Characters()
        attempts = [_Attempt()]
        for place, record in enumerate(self._records):
            fresh = sum(len(event.text) for event in core.feed(record) if isinstance(event, Text))
            attempts[-1].fresh += fresh
            if record.k == OPEN:
                attempts[-1].end(decoder.pending)
                decoder.restart()
                attempts.append(_Attempt())
            elif record.k == FRAME and isinstance(record.d, str):
                attempt = attempts[-1]
                attempt.frames.append(place)
                begin = len(attempt.buffer)
                attempt.buffer += record.d
                deltas = decoder.feed(record.d, record.id) if record.e != "error" else []
                if (not deltas and not decoder.pending) or any(delta.malformed for delta in deltas):
                    attempt.loose.append((begin, len(attempt.buffer)))
                for delta in deltas:
                    for token in delta.tokens:
                        attempt.add(token, characters)
        attempts[-1].end(decoder.pending)
        for attempt in attempts:
            attempt.raw = list(attempt.buffer)
        return attempts

    def _write_text(self, attempts: Sequence[_Attempt], text: str, faked: str) -> None:
        """Write the clean text's fakes into every connection that sent it, the first time or again."""
        changed = {place for place, (old, new) in enumerate(zip(text, faked, strict=True)) if old != new}
        ends = accumulate(attempt.fresh for attempt in attempts)
        for attempt, end in zip(attempts, ends, strict=True):
            sent = "".join(attempt.tokens)
            begin = end - len(sent)
            if begin < 0 or text[begin:end] != sent:  # broken off within a repetition
                begin = text.rfind(sent)
            if begin < 0 and changed:
                raise self._refusal()
            for place in changed.intersection(range(begin, begin + len(sent))):
                if not attempt.write(attempt.cells[place - begin], faked[place]):
                    raise self._refusal()

    def _write_others(self, attempt: _Attempt) -> None:
        """Strings that are no tokens: other fields of the vendor's, and what is no JSON."""
        for begin, end in _strings(attempt.buffer):
            value = _value(attempt.buffer[begin:end])
            if begin in attempt.used or value is None or len(value) < SHORTEST:
                continue
            units = _units(attempt.buffer, begin, end)
            self._write_value(attempt, value, units)
        for begin, end in attempt.loose:
            now = "".join(attempt.raw[begin:end])
            attempt.raw[begin:end] = self._faked(now, self._findings(now))

    def _write_value(self, attempt: _Attempt, value: str, units: Sequence[Cell]) -> None:
        faked = self._faked(value, self._findings(value))
        if faked == value:
            return
        if len(units) != len(value):
            raise self._refusal()
        for unit, old, new in zip(units, value, faked, strict=True):
            if old != new and not attempt.write(unit, new):
                raise self._refusal()

    def _rebuilt(self, attempts: Sequence[_Attempt]) -> list[Record]:
        made = list(self._records)
        for attempt in attempts:
            at, raw = 0, "".join(attempt.raw)
            for place in attempt.frames:
                size = len(str(made[place].d))
                made[place] = msgspec.structs.replace(made[place], d=raw[at : at + size])
                at += size
        return [self._opened(record) if record.k == OPEN else record for record in made]

    def _opened(self, record: Record) -> Record:
        """What was asked, disguised; without the options, which a replay needs not and anything may stand in."""
        known = {name: value for name, value in record.fields.items() if name != "options"}
        asked = {name: self._said(known[name]) for name in ("prompt", "system", "history") if name in known}
        return msgspec.structs.replace(record, d={**known, **asked}) if asked else record

    def _said(self, value: Any) -> Any:
        """What was asked, or said before, with fakes in every text of it."""
        if isinstance(value, str):
            return self._faked(value, self._findings(value))
        if isinstance(value, dict):
            return {name: self._said(each) for name, each in value.items()}
        return [self._said(each) for each in value] if isinstance(value, list | tuple) else value

    def _faked(self, text: str, findings: Sequence[Finding], *, proved: bool = False) -> str:
        """The text with a fake for each personal finding; `proved`, so that exactly these are found again."""
        for finding in findings:
            if finding.category in NOT_PERSONAL:
                continue
            begin, end, before = finding.start, finding.end, text

            def accept(fake: str, begin: int = begin, end: int = end, before: str = before) -> bool:
                return not proved or self._findings(before[:begin] + fake + before[end:]) == findings

            fake = self._fakes.of(finding.category, text[begin:end], accept)
            if fake is None:
                raise self._refusal(finding.category)
            text = text[:begin] + fake + text[end:]
        return text

    def _findings(self, text: str) -> list[Finding]:
        moderator = Moderator(self._policy)
        moderator.push(text)
        moderator.finish()
        return moderator.findings

    def _events(self, records: Iterable[Record]) -> Iterator[Event]:
        core = Reassembly(self._vendor.decoder())
        for record in records:
            yield from core.feed(record)

    def _refusal(self, category: str = "") -> InputError:
        opened = self._records[0]
        what = f" ({category})" if category else ""
        return InputError(
            f"session {opened.s}, turn {opened.n} cannot be disguised{what}; leave it out with `recordings trim`, "
            "or keep the recording as it is"
        )


def _shape(event: Event) -> tuple[object, ...]:
    """All of an event but its text."""
    if isinstance(event, Text):
        return (Text, event.t, len(event.text), event.tokens)
    if isinstance(event, Record):
        return (Record, event.t, event.k)
    return (event,)


def _strings(json_text: str, begin: int = 0) -> Iterator[tuple[int, int]]:
    """Where its string values are, quotes and all; keys are none."""
    for match in _LITERAL.finditer(json_text, begin):
        if match[2] is None:
            yield match.span(1)


def _units(json_text: str, begin: int, end: int) -> list[tuple[int, int]]:
    """Where each character of a string value is, as written."""
    return [unit.span() for unit in _UNIT.finditer(json_text, begin + 1, end - 1)]


def _value(literal: str) -> str | None:
    try:
        value = json.loads(literal, strict=False)
    except ValueError:
        return None
    return value if isinstance(value, str) else None
