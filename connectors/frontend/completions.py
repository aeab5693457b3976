"""Chat completions: any client of them reads a turn's moderated text by changing its base URL.

    POST /v1/chat/completions   a session's next turn, as a stream or as a whole
    GET  /v1/models             the models that may be asked for; /v1/models/{model}: one of them

Rules
- The turn is one like any other (hub.py): in the log before it is heard of, moderated, on the desktop too. Who asks the
  same again while it is under way, as clients do when a connection broke, reads that turn from its beginning.
- Such a client cannot come back to a stream. So when it hangs up, and nobody else attends the turn, its upstream is
  closed at once.
- An answer that fails before its first text has a status. So a stream's head waits for that text, for a heartbeat at
  most; after it, comments keep the connection open and a failure is said in the stream.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from connectors.frontend.answers import HEADERS as BY_STATUS
from connectors.frontend.answers import json_answer
from connectors.frontend.asked import body_of
from connectors.frontend.chat import HEADER, Rules, read_chat, unknown_model
from connectors.frontend.chunks import FINAL, Replies, models, status_of
from connectors.frontend.hub import Caller
from connectors.frontend.problems import error_of
from connectors.frontend.settings import FrontendSettings
from connectors.frontend.stream import COMMENT, HEADERS, CallerAnswer, write
from connectors.frontend.turn import DONE, LostError
from connectors.job.job import Job, SessionOpenError
from connectors.job.requests import Admission, SessionRequest

STOPS: Final = "the server stops; ask again when it is back"
LOST: Final = "a part of the answer is not kept any more"


class Callers(Protocol):
    """What the server does for whoever asks."""

    def admit(self, request: Request) -> str:
        """See access.check_token."""

    def attend(self, job: Job, wanted: SessionRequest, wake: Callable[[], object]) -> Awaitable[Caller]:
        """Have a caller that cannot come back read the session's next turn from its beginning."""

    def leave(self, caller: Caller) -> object:
        """It has gone."""


class Completions:
    """The routes."""

    def __init__(self, settings: FrontendSettings, admission: Admission, callers: Callers) -> None:
        self._settings = settings
        self._admission = admission
        self._callers = callers
        self._created = int(time.time())

    def routes(self) -> list[Route]:
        return [
            Route("/v1/chat/completions", self._create, methods=["POST"]),
            Route("/v1/models", self._list, methods=["GET"]),
            Route("/v1/models/{model:path}", self._model, methods=["GET"]),
        ]

    async def _create(self, request: Request) -> ASGIApp:
        begins = self._callers.admit(request)
        job: Job = request.app.state.job
        chat = read_chat(await body_of(request, self._settings.max_request_bytes))
        rules = Rules(self._settings, self._admission, begins, secrets.token_hex(12))
        wanted, wake = rules.turn_of(chat, request.headers.get(HEADER)), asyncio.Event()
        try:
            caller = await self._callers.attend(job, wanted, wake.set)
        except SessionOpenError:
            if not chat.is_named_by_user(request.headers.get(HEADER)):
                raise
            caller = await self._callers.attend(job, rules.renewed(wanted), wake.set)
        model = wanted.model or job.model
        replies = Replies(caller.turn.key, model, int(time.time()), include_usage=chat.include_usage)
        answer = StreamedCompletion if chat.stream else Completion
        return answer(caller, wake, replies, heartbeat=self._settings.heartbeat, leave=self._callers.leave)

    async def _list(self, request: Request) -> Response:
        return json_answer(200, {"object": "list", "data": models(self._names(request), self._created)})

    async def _model(self, request: Request) -> Response:
        name = request.path_params["model"]
        if name not in self._names(request):
            raise unknown_model()
        return json_answer(200, models([name], self._created)[0])

    def _names(self, request: Request) -> tuple[str, ...]:
        self._callers.admit(request)
        job: Job = request.app.state.job
        return self._settings.models or (job.model,)


class _Answer(CallerAnswer):
    """What both forms of an answer share."""

    def __init__(
        self,
        caller: Caller,
        wake: asyncio.Event,
        replies: Replies,
        *,
        heartbeat: float,
        leave: Callable[[Caller], object],
    ) -> None:
        super().__init__(caller, wake, heartbeat=heartbeat, leave=leave)
        self._replies = replies

    @property
    def _failure(self) -> tuple[str, str] | None:
        """How the turn failed, and what is said of it; None where it has not."""
        turn = self._caller.turn
        if turn.end is None:
            return ("stopping", STOPS) if self._caller.closed else None
        kind, says = turn.end
        return None if kind == DONE else (turn.outcome, says)

    @property
    def _names(self) -> dict[str, str]:
        session_id, turn = self._caller.turn.key
        return {"X-Request-Id": f"{session_id}/{turn}", HEADER: session_id}

    def _refusal(self, outcome: str, says: str) -> Response:
        status = status_of(outcome)
        headers = {**self._names, **BY_STATUS.get(status, {})}
        if outcome in FINAL:
            headers["X-Should-Retry"] = "false"
        return json_answer(status, {"error": error_of(status, says, outcome)}, headers)

    async def _start(self, send: Send, headers: list[tuple[bytes, bytes]]) -> None:
        names = [(name.lower().encode(), value.encode()) for name, value in self._names.items()]
        await send({"type": "http.response.start", "status": 200, "headers": [*headers, *names]})


class Completion(_Answer):
    """The answer as a whole, once it is one."""

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        turn = self._caller.turn
        while not (self._gone or self._caller.closed or turn.end):
            self._wake.clear()
            await self._wake.wait()
        if self._gone:
            return
        failure = self._failure
        if failure is None and not turn.readable(0):
            failure = ("failed", LOST)
        if failure is not None:
            await self._refusal(*failure)(scope, receive, send)
            return
        await self._start(send, [(b"content-type", b"application/json")])
        try:
            for part in self._replies.whole(map(turn.text, range(turn.count)), turn.finish):
                await write(send, part)
        except LostError:  # since it was looked at: a body that breaks off says that it is not whole
            return
        await send({"type": "http.response.body", "body": b"", "more_body": False})


class StreamedCompletion(_Answer):
    """The answer while it comes."""

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._first()
        failure = self._failure
        if self._gone:
            return
        if failure is not None and not self._caller.turn.chars:
            await self._refusal(*failure)(scope, receive, send)
            return
        await self._start(send, HEADERS)
        await write(send, self._replies.begin())
        await write(send, await self._pump(send))
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _first(self) -> None:
        """Return when there is something to say, or nothing was for a heartbeat."""
        turn = self._caller.turn
        while not (self._gone or self._caller.closed or turn.end or turn.chars):
            self._wake.clear()
            if not await self._woken():
                return

    async def _pump(self, send: Send) -> bytes:
        """Send what comes; returns the last words."""
        caller, replies = self._caller, self._replies
        while not self._gone:
            self._wake.clear()
            try:
                texts = caller.texts()
            except LostError:
                return replies.error("failed", LOST)
            if texts:
                await write(send, b"".join(map(replies.delta, texts)))
            elif caller.heard_all or caller.closed:
                failure = self._failure
                return replies.error(*failure) if failure else replies.end(caller.turn.finish)
            elif not await self._woken():
                await write(send, COMMENT)
        return b""
