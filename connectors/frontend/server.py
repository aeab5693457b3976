"""The HTTP server of a live job.

    POST   /sessions         begin a session's next turn: 202, with a stream_url for EventSource
    GET    /sessions/{id}    its newest turn
    DELETE /sessions/{id}    stop it: the upstream is closed before the answer 204
    GET    /stream           a turn as Server-Sent Events: token, then done or error
    /v1/…                    chat completions (completions.py)
    GET    /health           OK while the flow takes what arrives; with ?verbose, what has not been delivered

Rules
- Runs on the reactor, and only where it was asked for; it listens once it knows what an earlier process showed.
- A turn is in the log, on disk, before a caller hears of it; a message is in the callers' journal before one gets it.
- A turn that GET /stream began goes on for the sake of those who read it without a ticket: when they have abandoned it,
  or it took too long, its upstream is closed. One that POST /sessions began goes on whoever leaves; DELETE stops it.
- Who may call is asked first, and then what it may do with that session (access.py).
"""

from __future__ import annotations

import asyncio
import logging
import math
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp

from connectors.delivery.journal import Journal
from connectors.fallback import Say
from connectors.frontend import access
from connectors.frontend.answers import EXPLAIN, StoppingError, json_answer
from connectors.frontend.asked import body_of, fields_of, last_place, path_session, require
from connectors.frontend.completions import Completions
from connectors.frontend.connections import Connections
from connectors.frontend.guard import Guard
from connectors.frontend.hub import Caller, FullError, Hub, Overdue
from connectors.frontend.ids import BEFORE_FIRST, Key, Place
from connectors.frontend.listener import listening
from connectors.frontend.memory import SEGMENT_BYTES, CallerMemory, url_key
from connectors.frontend.protocol import CROWDED, affordable, crowded_answer, protocol
from connectors.frontend.settings import FrontendSettings
from connectors.frontend.shown import Shown
from connectors.frontend.stream import STOPS, EventStream, no_place
from connectors.frontend.tickets import Tickets
from connectors.job.job import Job
from connectors.job.requests import Admission, SessionRequest, parse_request
from connectors.log.records import Finish, Message

SWEEP_EVERY: Final = 0.2
STOP_TIMEOUT: Final = 2

log = logging.getLogger(__name__)

NO_STORE: Final = {"Cache-Control": "no-store"}
HOST: Final = re.compile(r"[A-Za-z0-9._:\[\]-]{1,255}")


class Frontend:
    """The callers' side of one job. Building it opens nothing.

    admission  what a request must have
    directory  where what callers were shown is kept; made if it is not there
    on_full    see connectors.delivery.journal.Journal
    say        see Hub
    delivery   gives what /health?verbose says besides, of desktops for example

    address      where it listens, once it does
    hub          what callers were shown
    connections  those that are open
    counts       what was refused and closed: see Guard, Connections; late (no whole request in time), idle
    """

    def __init__(
        self,
        settings: FrontendSettings,
        admission: Admission,
        directory: Path,
        lane: str = "w00",
        on_full: Callable[[], bool] | None = None,
        say: Say | None = None,
        delivery: Callable[[], dict[str, Any]] = dict,
    ) -> None:
        self.address = ""
        self.counts: Counter[str] = Counter()
        self.connections = Connections(settings.max_connections, settings.max_connections_per_address, self.counts)
        self.hub = Hub(settings, self._keep, self, say)
        self._delivery = delivery
        self._settings = settings
        self._admission = admission
        self._directory = directory
        self._lane = lane
        self._on_full = on_full
        self._tickets = Tickets(b"", 0)
        self._memory: CallerMemory | None = None
        self._closing: set[asyncio.Task[None]] = set()

    def open(self, unfinished: Mapping[Key, str | None]) -> None:
        """Go on from what an earlier process showed; once, before the job runs. Raises DataDirError."""
        key = self._settings.url_key.reveal().encode() or url_key(self._directory / "url_key")
        self._tickets = Tickets(key, self._settings.url_ttl)
        memory = CallerMemory(Journal(self._directory, self._lane, segment_bytes=SEGMENT_BYTES, on_full=self._on_full))
        try:
            self.hub.restore(memory.read(), unfinished, _now(), time.time())
        except BaseException:
            memory.close()
            raise
        self._memory = memory

    def close(self) -> None:
        """After the flow has ended. Idempotent."""
        if self._memory is not None:
            self._memory.close()

    def sync(self) -> None:
        """Make what was shown survive the machine. Safe from any thread."""
        if self._memory is not None:
            self._memory.sync()

    def has(self, key: Key, first: int, end: int) -> bool:
        """The hub's archive; so too `recall`."""
        return first >= end or (self._memory is not None and self._memory.has(key, first, end))

    def recall(self, key: Key, seq: int) -> Message | None:
        return self._memory.recall(key, seq) if self._memory is not None else None

    def show(self, shown: Sequence[Message | Finish]) -> None:
        """Take what the flow gives: what it says of a turn's end before the message that is the end."""
        now = _now()
        for finish in (each for each in shown if isinstance(each, Finish)):
            self.hub.finish(finish)
        for message in (each for each in shown if isinstance(each, Message)):
            self.hub.publish(message, now)
        self._save()

    async def serve(self, job: Job) -> None:
        """Serve until cancelled. Raises SettingsError where the address cannot be had."""
        assert self._memory is not None, "open comes first: it brings the key that signs"
        with listening(self._settings) as listener:
            host, port = listener.getsockname()[:2]
            self.address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
            server = uvicorn.Server(self._config(job))
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            sweeping = asyncio.create_task(self._sweep(job))
            print(f"listening on {self.address}", file=sys.stderr, flush=True)  # noqa: T201  # for a person, or a script that waits
            try:
                done, _ = await asyncio.wait((serving, sweeping), return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            finally:
                sweeping.cancel()
                self.hub.close()
                server.should_exit = True
                await asyncio.wait((serving, sweeping, *self._closing), timeout=2 * STOP_TIMEOUT)

    def _config(self, job: Job) -> uvicorn.Config:
        settings = self._settings
        most = affordable(settings.max_connections)
        if most < settings.max_connections:
            log.warning("at most %d connections: the process may have no more descriptors (ulimit -n)", most)
        self.connections.most = most
        app = self._app(
            Route("/sessions", self._begin, methods=["POST"]),
            Route("/sessions/{session_id}", self._tell, methods=["GET"]),
            Route("/sessions/{session_id}", self._stop, methods=["DELETE"]),
            Route("/stream", self._stream, methods=["GET"]),
            Route("/health", self._health, methods=["GET"]),
            *Completions(settings, self._admission, self).routes(),
        )
        app.state.job = job
        crowded = self._app(Route("/stream", self._crowded_stream, methods=["GET"]), Mount("/", crowded_answer))
        return uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            http=protocol(self.connections, crowded, settings.request_timeout, settings.keep_alive),
            ws="none",
            server_header=False,
            timeout_keep_alive=math.ceil(settings.keep_alive) + 1,  # the protocol's own, which counts, comes first
            timeout_graceful_shutdown=STOP_TIMEOUT,
        )

    def _app(self, *routes: BaseRoute) -> Starlette:
        guard = Middleware(Guard, access.Hosts(self._settings), self.counts)
        return Starlette(routes=routes, middleware=[guard, access.cors(self._settings)], exception_handlers=EXPLAIN)

    async def _begin(self, request: Request) -> Response:
        begins = self.admit(request)
        job = _job(request)
        wanted = parse_request(await body_of(request, self._settings.max_request_bytes))
        access.check_session(wanted.session_id, begins)
        self._admission.check(wanted)
        self._check_running()
        self.hub.check_room()
        key = self._open(job, wanted)
        await job.sync()
        body = {"session_id": key[0], "turn": key[1], "stream_url": self._stream_url(request, job, key)}
        return json_answer(202, body, NO_STORE)

    async def _tell(self, request: Request) -> Response:
        job = _job(request)
        key = self._newest(request, job)
        body: dict[str, Any] = {"session_id": key[0], "turn": key[1]}
        state = self.hub.state(key)
        if state is None:
            body["state"] = "running" if job.turn(*key) else "ended"
        else:
            body |= state._asdict()
            body["stream_url"] = self._stream_url(request, job, key)
        return json_answer(200, body, NO_STORE)

    async def _stop(self, request: Request) -> Response:
        job = _job(request)
        key = self._newest(request, job)
        self.hub.cancel(key, _now())
        self._save()
        await job.cancel(*key)
        return Response(status_code=204)

    async def _stream(self, request: Request) -> ASGIApp:
        if request.method != "GET":  # HEAD comes with GET, and would begin a turn
            raise HTTPException(405)
        if self.hub.closed:
            return no_place(STOPS, self._settings.retry)
        try:
            return await self._read(request)
        except FullError as error:
            return no_place(str(error), self._settings.retry)

    async def _read(self, request: Request) -> ASGIApp:
        job, query = _job(request), fields_of(request)
        if "signature" in query:
            access.check_origin(request, self._settings)
            key = self._tickets.check(query, time.time())
            return await self._follow(job, key, last_place(request, *key), attends=False)
        begins = self.admit(request)
        require(query, "session_id", "dialog_id")
        wanted = parse_request(msgspec.json.encode(query))
        access.check_session(wanted.session_id, begins)
        last = last_place(request, wanted.session_id)
        key = last.key if last else self._next_turn(job, wanted)
        return await self._follow(job, key, last, attends=self._is_attended(job, key))

    async def _crowded_stream(self, request: Request) -> Response:
        return no_place(CROWDED, self._settings.retry)

    async def _health(self, request: Request) -> Response:
        """200 while the flow takes records, 503 when it has not for `stalled_after` seconds."""
        job = _job(request)
        idle = job.idle_seconds()
        is_stalled = idle > self._settings.stalled_after
        verbose = "verbose" in request.query_params
        if not is_stalled and not verbose:
            return Response("OK", media_type="text/plain")
        state = {"sessions": job.running, "callers": self.hub.callers, "waiting": job.waiting}
        if verbose:
            self.admit(request)
            state |= self._delivery()
        status = "stalled" if is_stalled else "ok"
        return json_answer(503 if is_stalled else 200, {"status": status, "seconds": round(idle, 1), **state})

    def admit(self, request: Request) -> str:
        """See access.check_token."""
        access.check_origin(request, self._settings)
        return access.check_token(request, self._settings)

    def _check_running(self) -> None:
        if self.hub.closed:
            raise StoppingError("the server stops; ask again when it is back")

    def _newest(self, request: Request, job: Job) -> Key:
        """The newest turn of the session that the path names, which the caller may have. Raises HTTPException."""
        begins = self.admit(request)
        session_id = path_session(request)
        access.check_session(session_id, begins)
        turn = job.newest(session_id)
        if turn < 0:
            raise HTTPException(404, "no such session; POST /sessions begins one")
        return session_id, turn

    def _is_attended(self, job: Job, key: Key) -> bool:
        """Whether the turn was begun by a caller that reads along: in this process, or in one before."""
        turn = job.turn(*key)
        return self.hub.attended(key) or (turn is not None and bool(turn.request.get("attended")))

    def _open(self, job: Job, wanted: SessionRequest, *, attended: bool = False) -> Key:
        """Begin a turn, for the job and for callers."""
        self._admission.check_names(wanted)
        turn = job.begin(wanted, attended=attended)
        key = (turn.session_id, turn.number)
        self.hub.open(key, _now(), turn.request.get("language"))
        return key

    def _next_turn(self, job: Job, wanted: SessionRequest) -> Key:
        """The session's next turn; or the one under way, where it was asked for in the same words.

        A browser that lost its stream before the first byte, or a page that was loaded again, asks like that.
        """
        key = (wanted.session_id, job.newest(wanted.session_id))
        turn, state = job.turn(*key), self.hub.state(key)
        if turn and state and state.state == "running" and wanted.repeats(turn.request):
            return key
        self.hub.check_room(callers=1)
        return self._open(job, wanted, attended=True)

    async def _follow(self, job: Job, key: Key, last: Place | None, *, attends: bool) -> ASGIApp:
        """The turn's stream after `last`; 204, which stops an EventSource, where all was said."""
        wake, place, settings = asyncio.Event(), last or Place(key, BEFORE_FIRST), self._settings
        caller = self.hub.join(*place, _now(), wake.set, attends=attends, resumes=last is not None)
        await self._on_disk(job, caller)
        if caller.finished:
            self.leave(caller)
            return Response(status_code=204)
        return EventStream(caller, place, wake, heartbeat=settings.heartbeat, retry=settings.retry, leave=self.leave)

    async def attend(self, job: Job, wanted: SessionRequest, wake: Callable[[], object]) -> Caller:
        """See connectors.frontend.completions.Callers."""
        self._check_running()
        key = self._next_turn(job, wanted)
        attends = self._is_attended(job, key)
        caller = self.hub.join(key, BEFORE_FIRST, _now(), wake, attends=attends, returns=False)
        return await self._on_disk(job, caller)

    async def _on_disk(self, job: Job, caller: Caller) -> Caller:
        """Nobody hears of a turn before it is."""
        try:
            await job.sync()
        except BaseException:
            self.leave(caller)
            raise
        return caller

    def _keep(self, shown: Shown) -> None:
        if self._memory is not None:
            self._memory.note(shown)

    def _save(self) -> None:
        """Before anything waits: no caller gets what is not written."""
        if self._memory is not None:
            self._memory.save(self.hub.turns)

    def leave(self, caller: Caller) -> None:
        self.hub.leave(caller, _now())

    async def _sweep(self, job: Job) -> None:
        while True:
            await asyncio.sleep(SWEEP_EVERY)
            ended = self.hub.sweep(_now())
            self._save()
            for overdue in ended:
                task = asyncio.create_task(_close_upstream(job, overdue))
                self._closing.add(task)
                task.add_done_callback(self._closing.discard)

    def _stream_url(self, request: Request, job: Job, key: Key) -> str:
        """Where the turn can be read, by anyone who has it, for a while."""
        host = request.headers.get("host", "")
        asked = f"{request.scope['scheme']}://{host}" if HOST.fullmatch(host) else self.address
        turn = job.turn(*key)
        dialog_id = turn.request.get("dialog_id") if turn else None
        base = self._settings.public_url.rstrip("/") or asked
        return f"{base}/stream?{self._tickets.query(key, time.time(), dialog_id)}"


async def _close_upstream(job: Job, overdue: Overdue) -> None:
    (session_id, turn), why = overdue
    log.info("session %s turn %d: %s; its upstream is closed", session_id, turn, why)
    try:
        if why == "abandoned":
            await job.cancel(session_id, turn)
        else:
            await job.cancel(session_id, turn, reason="timeout", kind=why)
    except OSError as error:
        log.error("session %s turn %d: its end cannot be logged: %s", session_id, turn, error.strerror)  # noqa: TRY400  # a full disk needs no traceback


def _job(request: Request) -> Job:
    job: Job = request.app.state.job
    return job


def _now() -> float:
    return time.monotonic()
