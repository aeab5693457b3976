"""A live job: it accepts sessions, has the vendor's gateway converse, and knows when it is done.

Rules
- Runs on the reactor. An `open` is logged before anything is asked of the vendor.
- `max_sessions` turns run at once. More requests of the job's own list wait; callers are refused.
- Turns that the log shows as open at start are continued first; a request of theirs is not asked again.
- A session that fails ends alone. Its error is kept for the exit code (`MAX_FAULTS` of them).
- A turn whose end cannot be logged, on a full disk, stays under way until it can.
- Without callers a vendor that cannot be used ends the job at once; a service waits for it.
- `stop` closes the sockets and ends the flow in order: open turns stay open in the log for the next start.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any

from connectors.disk.durable import is_full
from connectors.errors import DataDirError, TokenweirError, UpstreamError
from connectors.job.blocklists import Blocklists
from connectors.job.requests import SessionRequest
from connectors.log.lane import TICK, Lane
from connectors.log.records import Record, closed, error, opened
from connectors.log.reserve import Reserve
from connectors.log.turns import Turn
from connectors.vendors.base import Gateway, Outcome

MAX_FAULTS = 100
RESERVE_EVERY = 1.0
SETTLE_FOR = 60.0
SETTLED_TICKS = 4

log = logging.getLogger(__name__)


class BusyError(TokenweirError):
    """As many turns run as may."""


class DiskFullError(TokenweirError):
    """There is no room to log another session."""


class SessionOpenError(TokenweirError):
    """The session's newest turn has not ended."""


class Job:
    """Requests in, records out.

    requests  to work off; the job is done when their turns, and those found open, have ended
    service   callers ask for more: then the job runs until `stop`
    once        the requests were made by one list: a session's n-th is its turn n, and is passed over where the log has
                that turn, so that starting again works off what is left
    blocklists  the lists that turns begin with, watched while the job runs
    reserve     disk space kept back; while it is released no turn begins
    settled     whether nobody has records to come for turns that are closed, as remote detectors may have
    """

    def __init__(
        self,
        lane: Lane,
        gateway: Gateway,
        *,
        requests: Iterable[SessionRequest] = (),
        service: bool = False,
        max_sessions: int = 1_000,
        once: bool = False,
        blocklists: Blocklists | None = None,
        reserve: Reserve | None = None,
        settled: Callable[[], bool] | None = None,
    ) -> None:
        self.lane = lane
        self.outcomes: Counter[str] = Counter()
        self.faults: list[TokenweirError] = []
        self._gateway = gateway
        self._requests = requests
        self._service = service
        self._max_sessions = max_sessions
        self._once = once
        self._blocklists = blocklists
        self._reserve = reserve
        self._settled = settled
        self._running: dict[tuple[str, int], asyncio.Task[None]] = {}
        self._stopping = asyncio.Event()

    @property
    def running(self) -> int:
        """Turns under way."""
        return len(self._running)

    @property
    def open_turns(self) -> int:
        """Turns that the log has without an end: the next start continues them."""
        return len(self.lane.turns.open)

    async def run(self, *beside: Coroutine[Any, Any, None]) -> None:
        """Work until done or stopped; then the sockets are closed and the lane has its last watermark.

        beside  what else runs meanwhile, and is cancelled with the turns; an error of it ends the job
        """
        work = (self._work(), self._stopping.wait(), self._tick(), *beside)
        tasks: list[asyncio.Task[Any]] = [asyncio.create_task(each) for each in work]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            try:
                await _cancel([*tasks, *self._running.values()])
                await self._gateway.aclose()
            finally:
                self.lane.finish()  # else the flow waits for ever

    # What callers ask

    @property
    def model(self) -> str:
        """Of turns that name none."""
        return self._gateway.model

    def turn(self, session_id: str, number: int) -> Turn | None:
        """That turn, while it is open in the log."""
        return self.lane.turns.open.get((session_id, number))

    def newest(self, session_id: str) -> int:
        """The number of the session's last turn; -1 where there is none."""
        return self.lane.turns.next_turn(session_id) - 1

    @property
    def waiting(self) -> int:
        """Records that the flow has not taken yet."""
        return self.lane.waiting

    def idle_seconds(self) -> float:
        """Since the flow last came for records: it should come every few milliseconds."""
        return self.lane.idle_seconds()

    async def sync(self) -> None:
        """Make what is logged survive the machine."""
        await asyncio.to_thread(self.lane.sync)

    def begin(self, request: SessionRequest, *, attended: bool = False) -> Turn:
        """Log the opening of the session's next turn and start it.

        attended  its caller reads along, and it goes on for that caller's sake: noted in the log

        Raises BusyError, SessionOpenError or DiskFullError.
        """
        if self._reserve and self._reserve.released:
            raise DiskFullError("the disk is full: no sessions are taken until there is room")
        if self.running >= self._max_sessions:
            raise BusyError(f"{self._max_sessions} turns are under way (job.max_sessions); try again later")
        turns = self.lane.turns
        if turns.is_open(request.session_id):
            raise SessionOpenError(f"session {request.session_id} has a turn under way; wait for its end")
        number = turns.next_turn(request.session_id)
        opening = {"model": self._gateway.model, **request.opening()}
        if attended:
            opening["attended"] = True
        if self._blocklists and (digest := self._blocklists.current(request.tenant)):
            opening["blocklist"] = digest
        if skew := self.lane.skew():
            opening["skew"] = skew
        self.lane.append(opened(request.session_id, number, opening))
        turn = turns.open[request.session_id, number]
        self._start(turn)
        return turn

    async def cancel(self, session_id: str, turn: int, *, reason: str = "cancelled", kind: str = "") -> bool:
        """Close a turn's upstream and log its close with `reason`; False if it is not under way.

        `kind` is that of an error to log before it, where it is one. Raises OSError when the disk is full; the close is
        then logged as soon as it can be.
        """
        key = (session_id, turn)
        task = self._running.get(key)
        if task is None:
            return False
        task.cancel()
        await asyncio.wait((task,))
        open_turn = self.lane.turns.open.get(key)
        if open_turn is None:  # it ended by itself meanwhile
            return False
        noted = [error(session_id, turn, kind, None, open_turn.restarts)] if kind else []
        end = (*noted, closed(session_id, turn, reason))
        try:
            self.lane.append(*end)
        except OSError:
            self._track(key, self._cancel_later(reason, end))
            raise
        self.outcomes[reason] += 1
        return True

    def stop(self) -> None:
        """End in order. Idempotent."""
        self._stopping.set()

    async def _tick(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.lane.tick())
            if self._blocklists:
                tasks.create_task(self._blocklists.watch(self.lane))
            if self._reserve:
                tasks.create_task(self._keep_reserve(self._reserve))

    async def _keep_reserve(self, reserve: Reserve) -> None:
        while True:
            await asyncio.sleep(RESERVE_EVERY)
            reserve.hold()

    async def _work(self) -> None:
        if not self._service:
            await self._gateway.check()
        continued = {turn.session_id for turn in self.lane.turns.open.values()}
        for turn in list(self.lane.turns.open.values()):
            self._start(turn)
        asked: Counter[str] = Counter()
        for request in self._requests:
            number = asked[request.session_id]
            asked[request.session_id] += 1
            if self._once and self.lane.turns.lost:
                raise DataDirError(
                    f"the log had so many sessions that {self.lane.turns.lost} are forgotten, so which of a list were "
                    "begun cannot be said any more; give the list a --data-dir of its own"
                )
            if self._was_begun(request, number, continued):
                continue
            while self.running >= self._max_sessions or self.lane.turns.is_open(request.session_id):
                await self._one_ends()
            await self._until_not_full()
            self.begin(request)
        if self._service:
            await self._stopping.wait()
        while self._running:
            await self._one_ends()
        if self._settled is not None:
            await self._settle(self._settled)

    async def _settle(self, settled: Callable[[], bool]) -> None:
        """Wait, for `SETTLE_FOR` seconds at most, until the flow has taken all and nothing comes of it any more."""
        quiet = 0
        for _ in range(round(SETTLE_FOR / TICK)):
            quiet = quiet + 1 if self.lane.waiting == 0 and settled() else 0
            if quiet > SETTLED_TICKS:
                return
            await asyncio.sleep(TICK)

    def _was_begun(self, request: SessionRequest, number: int, continued: set[str]) -> bool:
        """Whether an earlier run began this turn: it is being continued, or, of a list, in the log."""
        if self._once:
            return self.lane.turns.next_turn(request.session_id) > number
        return number == 0 and request.session_id in continued

    async def _one_ends(self) -> None:
        await asyncio.wait(self._running.values(), return_when=asyncio.FIRST_COMPLETED)

    def _start(self, turn: Turn) -> None:
        self._track((turn.session_id, turn.number), self._converse(turn))

    def _track(self, key: tuple[str, int], work: Coroutine[Any, Any, None]) -> None:
        task = self._running[key] = asyncio.create_task(work)
        task.add_done_callback(lambda _: self._running.pop(key, None))

    async def _converse(self, turn: Turn) -> None:
        try:
            outcome = await self._converse_with_room(turn)
        except Exception as fault:
            # The type and the place; never the message, which may quote what was said.
            place = traceback.extract_tb(fault.__traceback__)[-1]
            log.error(  # noqa: TRY400  # for the same reason
                "session %s ended by %s in %s:%s", turn.session_id, type(fault).__name__, place.filename, place.lineno
            )
            await self._log_end(closed(turn.session_id, turn.number, "failed"))
            outcome = Outcome("failed", UpstreamError(f"session {turn.session_id}: {type(fault).__name__}"))
        self.outcomes[outcome.reason] += 1
        if outcome.fault is not None:
            if self._service:  # it has no end at which it could be told
                log.warning("%s", outcome.fault)
            if len(self.faults) < MAX_FAULTS:
                self.faults.append(outcome.fault)

    async def _converse_with_room(self, turn: Turn) -> Outcome:
        """Where the disk is full even so, the turn waits for room and is continued."""
        while True:
            try:
                self.lane.flush()  # what the turn said before the disk was full: an attempt goes by what is logged
                return await self._gateway.converse(turn, self.lane)
            except OSError as error:
                if not is_full(error) or not self._reserve:
                    raise
                await self._until_room()

    async def _cancel_later(self, reason: str, end: Sequence[Record]) -> None:
        await self._log_end(*end)
        self.outcomes[reason] += 1

    async def _log_end(self, *end: Record) -> None:
        """Log how a turn ended, as soon as that can be done."""
        told = False
        while True:
            try:
                self.lane.append(*end)
            except OSError as error:
                if not told:
                    log.error("session %s: its end cannot be logged yet: %s", end[0].s, error.strerror)  # noqa: TRY400  # a full disk needs no traceback
                told = True
                await self._until_room()
            else:
                return

    async def _until_room(self) -> None:
        """Wait before the log is tried again, and for as long as the disk is known to be full."""
        await asyncio.sleep(RESERVE_EVERY)
        await self._until_not_full()

    async def _until_not_full(self) -> None:
        while self._reserve and self._reserve.released:
            await asyncio.sleep(RESERVE_EVERY)


async def _cancel(tasks: Iterable[asyncio.Task[Any]]) -> None:
    tasks = list(tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
