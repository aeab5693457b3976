"""Remote detectors: moderation's questions out, verdicts back as records of the log, so that replays stay exact.

Rules
- The flow never waits: a question is handed to the reactor, and the answer comes in through the lane like a frame,
  once the job runs (`run`).
- `parallel` questions run at once, each for `timeout` seconds; `MAX_WAITING` wait, more are dropped. What is dropped,
  fails or takes too long is counted and logged as a verdict without findings: the policy's `on_max_hold` says what
  becomes of its text.
- A detector's errors are never shown: they may quote what it was asked.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Protocol

from connectors.log.lane import Lane
from connectors.log.records import Question, verdict
from connectors.reactor import Reactor

MAX_WAITING = 10_000

log = logging.getLogger(__name__)


class Detector(Protocol):
    """A detector of the user's own that takes its time."""

    async def judge(self, text: str) -> Iterable[tuple[int, int, str]]:
        """(start, end, rule) of what it finds, by offsets in the text it was given."""


class Detectors:
    """Puts questions to the detectors of their names. Nothing is remembered.

    A question that a crash interrupts is asked again when the flow replays it; the first verdict counts.
    """

    def __init__(
        self,
        detectors: Mapping[str, Detector],
        reactor: Reactor,
        *,
        parallel: int = 16,
        timeout: float = 10.0,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._asked = 0  # by Bytewax's thread alone, as the next is by the reactor's
        self._answered = 0
        self._detectors = dict(detectors)
        self._reactor = reactor
        self._questions: asyncio.Queue[Question] = asyncio.Queue()
        self._room = asyncio.Semaphore(parallel)
        self._timeout = timeout

    @property
    def waiting(self) -> int:
        """Questions without an answer."""
        return self._asked - self._answered

    def is_idle(self) -> bool:
        """Whether every question was answered."""
        return self.waiting == 0

    def ask(self, question: Question) -> None:
        """Have it answered, soon. Called on Bytewax's thread."""
        self._asked += 1
        self._reactor.call(self._questions.put_nowait, question)

    async def run(self, lane: Lane) -> None:
        """Answer what is asked, into this lane, until cancelled."""
        async with asyncio.TaskGroup() as answering:
            while True:
                answering.create_task(self._answer(await self._questions.get(), lane))

    async def _answer(self, question: Question, lane: Lane) -> None:
        findings = await self._judge(question)
        upto = question.start + len(question.text)
        try:
            lane.append(verdict(question.s, question.n, question.detector, upto, findings))
        except OSError as error:  # a full disk: it is asked again when the flow replays it
            self.counts["unlogged"] += 1
            log.warning("a verdict of detector %s cannot be logged: %s", question.detector, error.strerror)
        finally:
            self._answered += 1

    async def _judge(self, question: Question) -> list[tuple[int, int, str]] | None:
        """The findings, by offsets in the turn's text; None where there is no answer."""
        detector = self._detectors.get(question.detector)
        if detector is None or self.waiting > MAX_WAITING:
            self.counts["dropped"] += 1
            return None
        try:
            async with self._room, asyncio.timeout(self._timeout):
                found = [
                    (question.start + begin, question.start + end, rule)
                    for begin, end, rule in await detector.judge(question.text)
                ]
        except Exception as error:
            self.counts["failed"] += 1
            log.warning("detector %s failed: %s", question.detector, type(error).__name__)
            return None
        self.counts["answered"] += 1
        return found
