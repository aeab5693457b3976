"""A job's remote detectors: moderation's questions out, verdicts back as records of the log.

Rules
- What a detector is, and who calls it when: connectors/detectors/base.py.
- The flow never waits: a question is handed to the reactor, and the answer comes in through the lane like a frame,
  once the job runs (`run`). So a replay is exact, and asks nobody.
- Each detector has limits of its own, so one that is slow or dead delays no other. What is dropped, fails or takes too
  long is counted, and logged as a verdict without findings, with the reason in a word: the policy's `on_max_hold` says
  what becomes of its text.
- A detector's errors are never shown: they may quote what it was asked. That it fails is said at once, and then every
  `SAY_EVERY` seconds at most.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Mapping
from typing import Final

import msgspec

from connectors.detectors.base import Detector, DetectorError, Found, checked
from connectors.log.lane import Lane
from connectors.log.records import Question, verdict
from connectors.reactor import Reactor

SAY_EVERY: Final = 60.0

log = logging.getLogger(__name__)


class DetectorStatus(msgspec.Struct, frozen=True):
    """A detector at one moment.

    waiting   questions without an answer
    answered, failed, dropped   questions by what became of them; one is dropped where too many wait
    error     why the last question had no answer; empty where it had one
    since     when that was: wall clock, microseconds
    """

    waiting: int
    answered: int
    failed: int
    dropped: int
    error: str
    since: int


class Detectors:
    """Puts questions to the detectors of their names. Nothing is remembered.

    A question that a crash interrupts is asked again when the flow replays it; the first verdict counts.
    """

    def __init__(self, detectors: Mapping[str, Detector], reactor: Reactor) -> None:
        self._unlogged = 0
        self._asked = 0  # by Bytewax's thread alone, as the next is by the reactor's
        self._answered = 0
        self._detectors = {name: _Asked(name, each) for name, each in detectors.items()}
        self._reactor = reactor
        self._questions: asyncio.Queue[Question] = asyncio.Queue()

    @property
    def waiting(self) -> int:
        """Questions without an answer."""
        return self._asked - self._answered

    def is_idle(self) -> bool:
        """Whether every question was answered."""
        return self.waiting == 0

    @property
    def counts(self) -> Counter[str]:
        """Questions that were answered, failed or dropped, and verdicts that a full disk left unlogged."""
        return sum((each.counts for each in self._detectors.values()), Counter(unlogged=self._unlogged))

    def everyone(self) -> dict[str, DetectorStatus]:
        """All detectors by name. Safe from any thread."""
        return {name: each.status() for name, each in self._detectors.items()}

    def ask(self, question: Question) -> None:
        """Have it answered, soon. Called on Bytewax's thread."""
        self._asked += 1
        self._reactor.call(self._questions.put_nowait, question)

    async def open(self) -> None:
        """Make all ready, once, before `run`. Raises TokenweirError."""
        for each in self._detectors.values():
            await each.detector.open()

    async def run(self, lane: Lane) -> None:
        """Answer what is asked, into this lane, until cancelled."""
        try:
            async with asyncio.TaskGroup() as answering:
                while True:
                    question = await self._questions.get()
                    answering.create_task(self._answer(question, lane))
        finally:
            for each in self._detectors.values():
                await each.close()

    async def _answer(self, question: Question, lane: Lane) -> None:
        asked = self._detectors.get(question.detector)
        try:
            found, reason = await asked.find(question) if asked is not None else (None, "unknown")
            start = question.start
            findings = None if found is None else [(start + each.start, start + each.end, each.rule) for each in found]
            upto = start + len(question.text)
            lane.append(verdict(question.s, question.n, question.detector, start, upto, findings, reason))
        except OSError as error:  # a full disk: it is asked again when the flow replays it
            self._unlogged += 1
            log.warning("a verdict of detector %s cannot be logged: %s", question.detector, error.strerror)
        finally:
            self._answered += 1


class _Asked:
    """One detector, kept to its limits, and what became of its questions. On the reactor's thread."""

    def __init__(self, name: str, detector: Detector) -> None:
        self.detector = detector
        self._name = name
        self._room = asyncio.Semaphore(detector.limits.max_concurrency)
        self._waiting = 0
        self.counts: Counter[str] = Counter()
        self._error = ""
        self._since = 0
        self._unsaid = 0
        self._say_at = 0.0

    def status(self) -> DetectorStatus:
        counts = self.counts
        return DetectorStatus(
            self._waiting, counts["answered"], counts["failed"], counts["dropped"], self._error, self._since
        )

    async def find(self, question: Question) -> tuple[list[Found] | None, str]:
        """The findings; or None, and why in a word."""
        if self._waiting >= self.detector.limits.max_waiting:
            return self._failed("dropped")
        self._waiting += 1
        try:
            async with asyncio.timeout(self.detector.limits.timeout), self._room:
                found = checked(question, await self.detector.find(question))
        except TimeoutError:
            return self._failed("timeout")
        except DetectorError as error:
            return self._failed(error.reason)
        except Exception:  # whatever a detector raises; it may quote what it was asked
            return self._failed("failed")
        finally:
            self._waiting -= 1
        self.counts["answered"] += 1
        self._error, self._since = "", _now()
        return found, ""

    async def close(self) -> None:
        try:
            await self.detector.aclose()
        except Exception as error:  # the others are to be closed, too
            log.warning("detector %s does not close: %s", self._name, type(error).__name__)

    def _failed(self, reason: str) -> tuple[None, str]:
        self.counts["dropped" if reason == "dropped" else "failed"] += 1
        self._error, self._since = reason, _now()
        self._unsaid += 1
        if time.monotonic() >= self._say_at:
            log.warning(
                "detector %s gives no answer (%s): %d since this was said last; the policy's on_max_hold decides",
                *(self._name, reason, self._unsaid),
            )
            self._say_at, self._unsaid = time.monotonic() + SAY_EVERY, 0
        return None, reason


def _now() -> int:
    return time.time_ns() // 1000
