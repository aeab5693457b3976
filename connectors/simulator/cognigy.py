"""A Cognigy.AI gateway on loopback: OAuth by JSON, configurations, WebSocket streams, dialog variables, and faults.

Rules
- It speaks the vendor's contract (DESIGN.md, section 7) and refuses what the contract does not allow, with a
  status and a line of JSON that says why.
- A hand-shake names no dialog: it belongs to the dialog that was configured last. Without any, it is refused (409).
  A stream whose name is the dialog's id is what that dialog gets, else turns.py says. With `first_message` the
  client's first message decides, by its `prompt` and its `dialog_id`.
- No continuation exists: a new hand-shake for a turn whose tokens had begun to come is a new turn.
- Faults come from faults.py; those with on=token, on=config and on=dialog hold for the gateway as a whole, and so do
  refusals of hand-shakes where the first message decides.
- What was asked is remembered without secrets and without prompts, in bounded lists; variables are kept as they came.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Final, Literal, Self
from urllib.parse import unquote

import msgspec

from connectors.errors import SettingsError
from connectors.simulator.access import Access
from connectors.simulator.corpus import Corpus
from connectors.simulator.events import Pace
from connectors.simulator.faults import Drop, On, Progress
from connectors.simulator.gateway import CLIENT_ID, CLIENT_SECRET, retry_after
from connectors.simulator.http import Dropped, Exchange, HTTPError, HTTPServer
from connectors.simulator.messages import Messages
from connectors.simulator.playing import break_off, play
from connectors.simulator.turns import FaultPlan, Turn, Turns
from connectors.simulator.waiting import Changes
from connectors.simulator.websocket import WebSocket

TOKEN_PATH: Final = "/api/v2/oauth/token"
CONFIG_PATH: Final = "/api/v2/llm/gateway/config"
STREAM_PATH: Final = "/api/v2/llm/stream"
DIALOG_PATH: Final = "/api/v2/bot/dialog/"
SCOPES: Final = ("llm:stream", "bot:dialog:write", "api:access")

MAX_DIALOGS: Final = 100_000


class Asked(msgspec.Struct):
    """One request, as far as it may be remembered.

    at         seconds since the gateway was made
    dialog_id  the dialog it was for, where that is known
    turn       number of the turn of a stream; a retry belongs to the turn that it tries again
    attempt    requests for the same turn before it
    tokens     tokens of the stream that had gone out by its end
    ended      answered, finished, gone (the client went), the `how` of a drop, or "" while it runs
    """

    at: float
    method: str
    path: str
    status: int = 0
    dialog_id: str | None = None
    stream: str | None = None
    turn: int | None = None
    attempt: int = 0
    tokens: int = 0
    ended: str = ""


class SimulatedCognigy:
    """The simulated vendor. `async with` it, or `start` and `close` it on one event loop.

    corpus          what it serves; our own texts unless said otherwise
    faults          what goes wrong, for streams that bring no faults of their own
    prompts         names of streams by prompt, or by dialog id
    first_message   wait for a first message on every stream
    streaming       what the answer to a configuration says
    speed           of the streams' own times; 0 = as fast as possible
    token_interval  seconds between tokens, in place of the streams' times
    token_ttl       seconds for which an access token holds
    declared_ttl    what `expires_in` says, where it is not that
    scopes          what the client is granted

    url             its base URL
    requests        the latest `max_requests` requests, as `Asked`
    configurations  the standing one of every dialog
    variables       what every dialog was sent, in order: name to value
    first_messages  what clients sent on their streams, the latest `max_requests`
    counts          token_requests, configurations, starts, finished, gone, tokens, variables, drop_fin …,
                    status_429 …; and of the server beneath: connections, refused_connections, bad_requests

    Raises SettingsError where an argument is wrong or the port is taken.
    """

    def __init__(
        self,
        corpus: Corpus | None = None,
        *,
        faults: FaultPlan = "",
        prompts: Mapping[str, str] | None = None,
        first_message: bool = False,
        streaming: bool = True,
        speed: float = 1.0,
        token_interval: float | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        client_id: str = CLIENT_ID,
        client_secret: str = CLIENT_SECRET,
        scopes: Iterable[str] = SCOPES,
        token_ttl: float = 3600.0,
        declared_ttl: float | None = None,
        max_requests: int = 10_000,
    ) -> None:
        for name, value in (("speed", speed), ("token_interval", token_interval or 0.0)):
            if not (math.isfinite(value) and value >= 0):
                raise SettingsError(f"{name} must be a number of 0 or more, not {value}")
        self.corpus = Corpus.builtin() if corpus is None else corpus
        self.requests: deque[Asked] = deque(maxlen=max_requests)
        self.configurations: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self.variables: OrderedDict[str, list[dict[str, Any]]] = OrderedDict()
        self.first_messages: deque[Any] = deque(maxlen=max_requests)
        self._prompts = dict(prompts or {})
        self._first_message = first_message
        self._streaming = streaming
        self._pace = Pace(speed, token_interval)
        self._turns = Turns(self.corpus, faults, prompts)
        self._general = Progress(self._turns.general)
        self._access = Access(client_id, client_secret, scopes, SCOPES, token_ttl, declared_ttl)
        self._changes = Changes()
        self._started = time.monotonic()
        self._server = HTTPServer(self._handle, host=host, port=port)
        self.counts: Counter[str] = self._server.counts

    @property
    def url(self) -> str:
        return self._server.url

    async def start(self) -> None:
        """Take connections. Nothing happens where it already does."""
        await self._server.listen()

    def refuse(self, seconds: float | None = None) -> None:
        """Refuse new connections for so long, or until `start`."""
        self._server.refuse(seconds)

    def revoke_all(self) -> None:
        """Make every access token invalid, as when a secret was changed."""
        self._access.revoke_all()

    async def until(self, condition: Callable[[SimulatedCognigy], bool], within: float = 10.0) -> None:
        """Wait until something holds of this gateway. Raises TimeoutError after `within` seconds."""
        await self._changes.until(lambda: condition(self), within)

    async def close(self) -> None:
        """End every connection. Idempotent."""
        await self._server.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _handle(self, exchange: Exchange) -> None:
        request = exchange.request
        asked = Asked(round(time.monotonic() - self._started, 6), request.method, request.path[:500])
        self.requests.append(asked)
        self._changes.notify()
        try:
            await self._route(exchange, asked)
            asked.ended = asked.ended or "answered"
        except HTTPError as error:
            await exchange.refuse(error)
            asked.ended = "answered"
        finally:
            asked.status = exchange.status or 0
            if asked.status:
                self.counts[f"status_{asked.status}"] += 1
            if not asked.ended:
                asked.ended = "gone"
                self.counts["gone"] += 1
            self._changes.notify()

    async def _route(self, exchange: Exchange, asked: Asked) -> None:
        path = exchange.request.path
        if path == TOKEN_PATH:
            await self._grant(exchange)
        elif path == CONFIG_PATH:
            await self._configure(exchange, asked)
        elif path == STREAM_PATH:
            await self._stream(exchange, asked)
        elif path.startswith(DIALOG_PATH) and path.endswith("/variables") and path.count("/") == 6:
            await self._set_variables(exchange, asked)
        else:
            known = f"{TOKEN_PATH}, {CONFIG_PATH}, {STREAM_PATH}, {DIALOG_PATH}{{dialog_id}}/variables"
            raise HTTPError(404, "not_found", f"this gateway has {known}")

    async def _grant(self, exchange: Exchange) -> None:
        """POST /api/v2/oauth/token, in JSON."""
        self.counts["token_requests"] += 1
        await self._fail(exchange, self._general, "token")
        exchange.require("POST", "application/json")
        granted = self._access.grant(_read(exchange, dict[str, Any]))
        await exchange.answer(200, json.dumps(granted).encode(), headers=(("Cache-Control", "no-store"),))

    async def _configure(self, exchange: Exchange, asked: Asked) -> None:
        """PUT /api/v2/llm/gateway/config."""
        self._access.check(exchange.request)
        exchange.require("PUT", "application/json")
        wanted = _read(exchange, _Configuration)
        asked.dialog_id = wanted.dialog_id
        await self._fail(exchange, self._general, "config")
        self.counts["configurations"] += 1
        configuration = {**msgspec.to_builtins(wanted), "streaming": self._streaming}
        _keep(self.configurations, wanted.dialog_id, configuration)
        await exchange.answer(200, json.dumps(configuration).encode())

    async def _set_variables(self, exchange: Exchange, asked: Asked) -> None:
        """POST /api/v2/bot/dialog/{dialog_id}/variables: 201 for a dialog's first, 200 for the others."""
        self._access.check(exchange.request)
        exchange.require("POST", "application/json")
        dialog_id = asked.dialog_id = unquote(exchange.request.path.split("/")[5])
        await self._fail(exchange, self._general, "dialog")
        given = {variable.name: variable.value for variable in _read(exchange, _Variables).variables}
        status = 200 if dialog_id in self.variables else 201
        _keep(self.variables, dialog_id, [*self.variables.get(dialog_id, ()), given])
        self.counts["variables"] += 1
        await exchange.answer(status, json.dumps({"dialog_id": dialog_id, "updated": len(given)}).encode())

    async def _stream(self, exchange: Exchange, asked: Asked) -> None:
        """GET /api/v2/llm/stream: the hand-shake, and the stream after it."""
        self._access.check(exchange.request)
        if "application/json" not in exchange.request.headers.get("accept", ""):
            raise HTTPError(406, "not_acceptable", "send Accept: application/json")
        if not self.configurations:
            raise HTTPError(409, "not_configured", f"send the configuration by PUT to {CONFIG_PATH} first")
        self.counts["starts"] += 1
        asked.dialog_id = next(reversed(self.configurations))
        if self._first_message:
            await self._fail(exchange, self._general, "start")
            socket = await WebSocket.accept(exchange)
            prompt = self._read_first(await socket.receive(), asked)
            turn = self._begin(prompt, asked)
            try:
                await self._answer(exchange, socket, asked, turn)
            finally:
                self._keep_unbegun(prompt, turn, asked)
            return
        prompt = self._prompt_of(asked.dialog_id)
        turn = self._begin(prompt, asked)
        try:
            await self._fail(exchange, turn.progress, "start")
            await self._answer(exchange, None, asked, turn)
        finally:
            self._keep_unbegun(prompt, turn, asked)

    def _keep_unbegun(self, prompt: str, turn: Turn, asked: Asked) -> None:
        """A turn of which no token went out is what the next start of its prompt gets."""
        if asked.tokens == 0 and asked.ended != "finished":
            self._turns.again(prompt, turn)

    def _read_first(self, message: bytes, asked: Asked) -> str:
        """The prompt of a first message, or what stands for one."""
        try:
            first = json.loads(message)
        except ValueError:
            first = None
        self.first_messages.append(first)
        first = first if isinstance(first, dict) else {}
        asked.dialog_id = str(first.get("dialog_id") or asked.dialog_id)
        return str(first.get("prompt") or self._prompt_of(asked.dialog_id))

    def _prompt_of(self, dialog_id: str) -> str:
        if dialog_id not in self._prompts and self.corpus.find(dialog_id) is not None:
            return f"stream {dialog_id}"
        return dialog_id

    def _begin(self, prompt: str, asked: Asked) -> Turn:
        try:
            turn = self._turns.start(prompt)
        except SettingsError as error:
            raise HTTPError(400, "unknown_stream", str(error)) from None
        asked.stream, asked.turn, asked.attempt = turn.stream.name, turn.number, turn.requests
        turn.requests += 1
        return turn

    async def _fail(self, exchange: Exchange, progress: Progress, on: On) -> None:
        """Wait as long as the faults say. Raises HTTPError where they refuse this request."""
        if latency := progress.latency(on):
            await asyncio.sleep(latency)
        refusal = progress.refuse(on)
        if refusal is None:
            return
        if refusal.status == 401:
            self._access.revoke(exchange.request)
        said = "the simulator was told to refuse this"
        raise HTTPError(refusal.status, f"status_{refusal.status}", said, headers=retry_after(refusal))

    async def _answer(self, exchange: Exchange, socket: WebSocket | None, asked: Asked, turn: Turn) -> None:
        """The stream, on a socket that is opened now unless it is open."""
        faults, drop = turn.progress.faults, turn.progress.drop
        answer = Messages(turn.stream, faults, self._pace, turn.number, 0, turn.answers)
        if drop is not None and drop.at.of == "byte":
            exchange.cut("rst" if drop.how == "rst" else "fin", drop.at.at)
        elif drop is not None:
            answer = msgspec.structs.replace(answer, stop=drop.at.token(0, len(turn.stream.tokens)))
        try:
            socket = socket or await WebSocket.accept(exchange)
            turn.answers += 1
            await play(socket, answer, lambda tokens: self._count(asked, tokens))
            if drop is not None and answer.stop is not None:
                await break_off(exchange, socket, answer, drop)
                self._dropped(exchange, asked, turn, drop)
                return
            asked.ended = "finished"
            self.counts["finished"] += 1
            self._changes.notify()
            await socket.close(1000)
        except Dropped:
            assert drop is not None
            self._dropped(exchange, asked, turn, drop)
            raise

    def _count(self, asked: Asked, tokens: int) -> None:
        self.counts["tokens"] += tokens - asked.tokens
        asked.tokens = tokens
        self._changes.notify()

    def _dropped(self, exchange: Exchange, asked: Asked, turn: Turn, drop: Drop) -> None:
        asked.ended = drop.how
        self.counts[f"drop_{drop.how}"] += 1
        turn.progress.dropped()
        if drop.revoke:
            self._access.revoke(exchange.request)
        if drop.refuse:
            self.refuse(drop.refuse)


class _Configuration(msgspec.Struct):
    """The body of a configuration."""

    streaming: Literal[True]
    model: str
    temperature: float
    max_tokens: int
    dialog_id: str


class _Variable(msgspec.Struct):
    name: str
    value: Any


class _Variables(msgspec.Struct):
    """The body of a dialog's update."""

    variables: list[_Variable]


def _read(exchange: Exchange, kind: Any) -> Any:
    try:
        return msgspec.json.decode(exchange.request.body, type=kind)
    except (msgspec.DecodeError, UnicodeError) as error:  # it says what and where, and quotes nothing
        what = str(error) if isinstance(error, msgspec.ValidationError) else "the body is not JSON"
        raise HTTPError(400, "bad_request", what) from None


def _keep(where: OrderedDict[str, Any], name: str, value: Any) -> None:
    where[name] = value
    where.move_to_end(name)
    while len(where) > MAX_DIALOGS:
        where.popitem(last=False)
