"""What runs beside a live job's flow: who owns what, and in which order it is opened and closed.

Rules
- One owner. The Runtime has all that a job opens, but for the log, which is the source's (source.py), and the sinks'
  journals, which Bytewax opens and closes with them.
- It is built from parts that open nothing, and needs no credentials. Each part is handed what it needs when it is
  built, opened or run: nobody is told later, reaches through another, or calls back.
- All of it is done by the flow's own start and end, in this order, whoever runs the flow:

      the flow starts    the source claims the lane and reads the log up to where the flow goes on
                         `open`: rights on the disk, the metrics' landing, what callers were shown, block lists,
                         remote detectors, the vendor's gateway, and the job over the lane; it runs from then on, on
                         the reactor, and beside it the callers' server and the detectors
      the first items    Bytewax opens the sinks
      the end            callers, detectors and turns are cancelled, the gateway closes, the lane has its last watermark
      the flow ends      Bytewax closes the log, and the sinks, which drain
      `close`            the landing, the reactor, what callers were shown; at the latest when the process ends
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Protocol

from connectors.disk import private
from connectors.job.blocklists import Blocklists
from connectors.job.detectors import Detectors
from connectors.job.job import Job
from connectors.job.requests import SessionRequest
from connectors.log.lane import Lane
from connectors.log.reserve import Reserve
from connectors.metrics.landing import Landing
from connectors.reactor import Reactor
from connectors.vendors import registry
from connectors.vendors.base import Gateway


class Frontend(Protocol):
    """What lets callers in while the job runs."""

    def open(self, unfinished: Mapping[tuple[str, int], str | None]) -> None:
        """Called once, before `serve`, on the flow's thread. Raises TokenweirError.

        unfinished  turns that the flow has something to say of, as far as is known (those open, the last begun), with
                    the language that each was asked for in
        """

    async def serve(self, job: Job) -> None:
        """Let callers ask this job until cancelled."""

    def close(self) -> None:
        """After the flow has ended. Idempotent."""


class Running:
    """A job that was opened and runs."""

    def __init__(self, job: Job, reactor: Reactor, ended: Future[None]) -> None:
        self.job = job
        self._reactor = reactor
        self._ended = ended

    def stop(self) -> None:
        """End it in order, soon. Safe from any thread."""
        self._reactor.call(self.job.stop)

    def fault(self) -> BaseException | None:
        """After the lane's end: what ended the job, if it was not its end. OSError is a full disk's."""
        return self._ended.exception()  # the lane has its end from the job's last act


class Runtime:
    """One job's. Building it opens nothing.

    gateway                                              builds the vendor's client, once, on the reactor
    requests, once, max_sessions, reserve, blocklists    see Job
    frontend                                             lets callers ask for more, until the job is stopped
    detectors                                            answer moderation's questions
    """

    def __init__(
        self,
        data_dir: Path,
        reactor: Reactor,
        gateway: Callable[[], Gateway],
        landing: Landing,
        reserve: Reserve,
        blocklists: Blocklists,
        *,
        requests: Iterable[SessionRequest] = (),
        once: bool = False,
        max_sessions: int = 1_000,
        frontend: Frontend | None = None,
        detectors: Detectors | None = None,
    ) -> None:
        self._data_dir = data_dir
        self._reactor = reactor
        self._gateway = gateway
        self._landing = landing
        self._reserve = reserve
        self._blocklists = blocklists
        self._requests = requests
        self._once = once
        self._max_sessions = max_sessions
        self._frontend = frontend
        self._detectors = detectors

    def open(self, lane: Lane, unfinished: Mapping[tuple[str, int], str | None]) -> Running:
        """Open everything, and have the job run on this lane. On the flow's thread. Raises TokenweirError.

        unfinished  see Frontend
        """
        os.umask(private.UMASK)  # for those who run the flow by Bytewax's own means
        private.close_to_others(self._data_dir, registry.journals().values())
        atexit.register(self.close)  # for the same
        self._landing.start()
        if self._frontend is not None:
            self._frontend.open(unfinished)
        job = self._reactor.run(self._job(lane))
        return Running(job, self._reactor, self._reactor.spawn(job.run(*self._beside(job, lane))))

    def close(self) -> None:
        """Close what was opened, after the flow has ended. Idempotent."""
        atexit.unregister(self.close)
        try:
            self._landing.close()
        finally:
            self._reactor.close()
            if self._frontend is not None:
                self._frontend.close()

    async def _job(self, lane: Lane) -> Job:
        self._blocklists.load(lane)
        if self._detectors is not None:
            await self._detectors.open()
        return Job(
            lane,
            self._gateway(),
            requests=self._requests,
            service=self._frontend is not None,
            max_sessions=self._max_sessions,
            once=self._once,
            blocklists=self._blocklists,
            reserve=self._reserve,
            settled=self._detectors.is_idle if self._detectors else None,
        )

    def _beside(self, job: Job, lane: Lane) -> Iterator[Coroutine[Any, Any, None]]:
        if self._frontend is not None:
            yield self._frontend.serve(job)
        if self._detectors is not None:
            yield self._detectors.run(lane)
