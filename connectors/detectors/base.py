"""What a remote detector is: something outside the flow that judges text, and may take its time.

Rules
- A kind of detector is a struct of settings, a subclass of `DetectorSettings`, and the `Detector` that it makes. The
  built-in kind is `http`; a package brings others (registry.py).
- Who calls what, and when; all but the first two on the reactor's thread:

      settings are loaded     [detectors.NAME] is read into the struct of its `kind`
      a live job is built     `DetectorSettings.detector`, once for each section: it opens nothing
      the flow starts         `open`, once
      a question comes        `find`, `max_concurrency` of them at once; it is cancelled `timeout` seconds after the
                              question, a wait for its turn included
      the job ends            `aclose`, when nothing is asked any more

- An answer is at most `MAX_FINDINGS` findings that lie in the text. Anything else is no answer, and so are an error and
  silence; then the policy's `on_max_hold` decides what becomes of the text.
- What `find` raises is never shown, as it may quote what was asked: `DetectorError` says why in a word, and every other
  error is `failed`.
- A replay asks nobody: importing a kind's settings costs nothing that only a live job needs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple, Protocol

import msgspec

from connectors.errors import UpstreamError
from connectors.fields import check_range
from connectors.log.records import Question

MAX_FINDINGS: Final = 1_000
MAX_RULE_CHARS: Final = 64

_WORD: Final = re.compile(r"[a-z0-9_]{1,32}")


class Found(NamedTuple):
    """A finding: from character `start` to before character `end` of the question's text, and which rule it broke.

    The rule is kept in the metrics: a name of at most `MAX_RULE_CHARS` characters, never a piece of the text.
    """

    start: int
    end: int
    rule: str


class Limits(NamedTuple):
    """What a detector is held to: see DetectorSettings."""

    timeout: float = 10.0
    max_concurrency: int = 16
    max_waiting: int = 10_000


class DetectorError(UpstreamError):
    """There is no answer. `reason` says why in a word of small letters, digits and _: no other would be shown."""

    def __init__(self, reason: str) -> None:
        self.reason = reason if _WORD.fullmatch(reason) else "failed"
        super().__init__(self.reason)


class Detector:
    """See the rules above. One instance serves all sessions of a job."""

    limits: Limits = Limits()

    async def open(self) -> None:
        """Make ready, without asking. Raises TokenweirError where it can never work: the job does not start."""

    async def find(self, question: Question) -> Iterable[tuple[int, int, str]]:
        """What is in the question's text, each as a `Found`. Raises DetectorError."""
        raise NotImplementedError

    async def aclose(self) -> None:
        """Close every socket."""


class Judge(Protocol):
    """The least that a detector given from Python has."""

    async def judge(self, text: str) -> Iterable[tuple[int, int, str]]:
        """(start, end, rule) of what it finds, by offsets in the text it was given."""


class Judging(Detector):
    """A `Judge` as a detector."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge

    async def find(self, question: Question) -> Iterable[tuple[int, int, str]]:
        return await self._judge.judge(question.text)


class DetectorSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a section [detectors.NAME] of every kind has.

    kind             which kind it is; each has a default of its own, by which it is known
    timeout          seconds for an answer, from the question on: a wait for its turn included
    max_concurrency  questions under way at once
    max_waiting      questions without an answer; more are not asked
    """

    kind: str
    timeout: float = 10.0
    max_concurrency: int = 16
    max_waiting: int = 10_000

    def __post_init__(self) -> None:
        check_range(self, "timeout", above=0, most=3_600, unit="seconds")
        check_range(self, "max_concurrency", "max_waiting", least=1)

    @property
    def limits(self) -> Limits:
        return Limits(self.timeout, self.max_concurrency, self.max_waiting)

    def detector(self, name: str) -> Detector:
        """The detector of this section, which opens nothing yet. Raises SettingsError."""
        raise NotImplementedError


def checked(question: Question, found: Iterable[tuple[int, int, str]]) -> list[Found]:
    """The findings of an answer. Raises DetectorError for one that is not as it should be."""
    findings: list[Found] = []
    size = len(question.text)
    for start, end, rule in found:
        if type(start) is not int or type(end) is not int or not 0 <= start < end <= size:
            raise DetectorError("answer")
        if not isinstance(rule, str) or not 0 < len(rule) <= MAX_RULE_CHARS or not rule.isprintable():
            raise DetectorError("answer")
        if len(findings) == MAX_FINDINGS:
            raise DetectorError("answer")
        findings.append(Found(start, end, rule))
    return findings
