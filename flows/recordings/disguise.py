"""A recording whose customers nobody can find again: personal data replaced by fakes of equal length.

Rules
- What moderation finds in the clean text, in prompts and in every other string of a frame is replaced, character for
  character, where it stands in the vendor's own JSON: over token seams, in split and packed messages, and again
  where a continuation repeated it. So seams, findings, seq and times stay.
- It is proved turn by turn: the disguised frames must give events of the same kind, time and length, and the same
  findings. A turn for which they do not is an error, never a recording.
- What the policy does not look for stays, and so do blocked words: they are the list's, not the customer's. Only a
  raw recording replays to the same bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

import msgspec

from connectors.errors import InputError
from connectors.records import FRAME, OPEN, Record
from flows.events import Event, Text
from flows.moderation import Finding, Moderator, Policy
from flows.pipeline import Vendor
from flows.policies import Policies
from flows.reassembly import Characters, Reassembly
from flows.recordings.fakes import NOT_PERSONAL, Fakes

SHORTEST = 6
"""Characters that a string must have to hold personal data."""

Cell = tuple[int, int] | None

_LITERAL = re.compile(r'"((?:[^"\\]|\\.)*)"(?!\s*:)', re.DOTALL)
_UNIT = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|.", re.DOTALL
)
_BEFORE_TOKEN = re.compile(r'(?:"token"\s*:|[\[,])\s*\Z')


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
            for place, record in zip(places, _Turn(turn, vendor, policies.of(opened), fakes).disguised(), strict=True):
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
        self._cursor = 0

    def add(self, token: str, characters: Characters) -> None:
        """Find a token's literal; what comes of it as clean text, with its cells."""
        cells: list[Cell] = [None] * len(token)
        for match in _LITERAL.finditer(self.buffer, self._cursor):
            if _BEFORE_TOKEN.search(self.buffer, max(0, match.start() - 24), match.start()) and _value(match[0]) == token:
                self._cursor = match.end()
                self.used.add(match.start())
                units = [(unit.start(), unit.end()) for unit in _UNIT.finditer(self.buffer, match.start(1), match.end(1))]
                cells = list(units) if len(units) == len(token) else cells
                break
        text = characters.feed(token)
        same = 0
        while same < min(len(text), len(token)) and text[-1 - same] == token[-1 - same]:
            same += 1
        self.tokens.append(text)
        self.cells += [*([None] * (len(text) - same)), *cells[len(token) - same :]]

    def write(self, cell: Cell, char: str) -> None:
        """Put a character where another one stands, in as many characters of JSON."""
        if cell is None:
            return
        begin, end = cell
        if end - begin == 1 and char not in '"\\':
            self.raw[begin] = char
        elif end - begin == 6:
            self.raw[begin:end] = f"\\u{ord(char):04x}"


class _Turn:
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
        self._write_text(attempts, text, self._faked(text, findings, proved=True))
        made = self._rebuilt(attempts)
        now = list(self._events(made))
        if list(map(_shape, now)) != list(map(_shape, events)) or findings != self._findings(
            "".join([event.text for event in now if isinstance(event, Text)])
        ):
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
                decoder.restart()
                attempts.append(_Attempt())
            elif record.k == FRAME and isinstance(record.d, str):
                attempt = attempts[-1]
                attempt.frames.append(place)
                attempt.buffer += record.d
                if record.e != "error":
                    for delta in decoder.feed(record.d, record.id):
                        for token in delta.tokens:
                            attempt.add(token, characters)
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
            if begin < 0:
                begin = len(text)
            for place in range(begin, min(begin + len(sent), len(text))):
                if place in changed:
                    attempt.write(attempt.cells[place - begin], faked[place])

    def _write_others(self, attempt: _Attempt) -> None:
        """Strings that are no tokens: other fields of the vendor's, and what is no JSON."""
        for match in _LITERAL.finditer(attempt.buffer):
            value = _value(match[0])
            if match.start() in attempt.used or value is None or len(value) < SHORTEST:
                continue
            units = [unit.span() for unit in _UNIT.finditer(attempt.buffer, match.start(1), match.end(1))]
            faked = self._faked(value, self._findings(value))
            if len(units) == len(value):
                for unit, old, new in zip(units, value, faked, strict=True):
                    if old != new:
                        attempt.write(unit, new)
        at = 0
        for place in attempt.frames:
            data = str(self._records[place].d)
            if not data.lstrip().startswith(("{", '"')):
                faked = self._faked(data, self._findings(data))
                for offset, (old, new) in enumerate(zip(data, faked, strict=True), at):
                    if old != new and not _inside_literal(attempt, offset):
                        attempt.raw[offset] = new
            at += len(data)

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
        prompt = record.d.get("prompt") if isinstance(record.d, dict) else None
        if not isinstance(prompt, str) or not isinstance(record.d, dict):
            return record
        return msgspec.structs.replace(record, d={**record.d, "prompt": self._faked(prompt, self._findings(prompt))})

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
            yield from core.feed(record)  # type: ignore[misc]  # Reassembly makes no rows

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


def _value(literal: str) -> str | None:
    try:
        value = json.loads(literal, strict=False)
    except ValueError:
        return None
    return value if isinstance(value, str) else None


def _inside_literal(attempt: _Attempt, offset: int) -> bool:
    return attempt.raw[offset] != attempt.buffer[offset]
