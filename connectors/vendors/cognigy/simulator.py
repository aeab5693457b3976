"""A Cognigy.AI gateway on loopback: OAuth by JSON, configurations, WebSocket streams, dialog variables, and faults.

Rules
- It speaks the vendor's contract (docs/vendors.md) and refuses what the contract does not allow, with a
  status and a line of JSON that says why.
- A handshake names no dialog: it belongs to the dialog that was configured last. Without any, it is refused (409).
  A stream whose name is the dialog's id is what that dialog gets, else turns.py says. With `first_message` the
  client's first message decides, by its `prompt` and its `dialog_id`.
- No continuation exists: a new handshake for a turn whose tokens had begun to come is a new turn.
- Faults come from faults.py; those with on=token, on=config and on=dialog hold for the gateway as a whole, and so do
  refusals of handshakes where the first message decides.
- What was asked is remembered without secrets and without prompts, in bounded lists; variables are kept as they came.
"""

from __future__ import annotations

import json
from collections import OrderedDict, deque
from typing import Any, Final, Literal
from urllib.parse import unquote

import msgspec

from connectors.simulator.corpus import Corpus
from connectors.simulator.http import Dropped, Exchange, HTTPError
from connectors.simulator.playing import break_off, play
from connectors.simulator.turns import SimulatedTurn
from connectors.simulator.vendor import Asked, SimulatedVendor, read_json
from connectors.simulator.websocket import WebSocket
from connectors.vendors.cognigy.simulated_answer import Messages

TOKEN_PATH: Final = "/api/v2/oauth/token"
CONFIG_PATH: Final = "/api/v2/llm/gateway/config"
STREAM_PATH: Final = "/api/v2/llm/stream"
DIALOG_PATH: Final = "/api/v2/bot/dialog/"
SCOPES: Final = ("llm:stream", "bot:dialog:write", "api:access")

MAX_DIALOGS: Final = 100_000


class SimulatedCognigy(SimulatedVendor):
    """The simulated Cognigy.AI; see SimulatedVendor for what it takes besides.

    first_message   wait for a first message on every stream
    streaming       what the answer to a configuration says; None: it says nothing of it

    configurations  the standing one of every dialog
    variables       what every dialog was sent, in order: name to value
    first_messages  what clients sent on their streams, the latest `max_requests`
    counts          token_requests, configurations, starts, finished, gone, tokens, variables, drop_fin …, status_429 …
    """

    SCOPES = SCOPES

    def __init__(
        self,
        corpus: Corpus | None = None,
        *,
        first_message: bool = False,
        streaming: bool | None = True,
        **options: Any,
    ) -> None:
        super().__init__(corpus, **options)
        self.configurations: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self.variables: OrderedDict[str, list[dict[str, Any]]] = OrderedDict()
        self.first_messages: deque[Any] = deque(maxlen=self.requests.maxlen)
        self._first_message = first_message
        self._streaming = streaming

    async def _route(self, exchange: Exchange, asked: Asked) -> None:
        path = exchange.request.path
        if path == TOKEN_PATH:
            await self._grant(exchange, "application/json", lambda body: read_json(body, dict[str, Any]))
        elif path == CONFIG_PATH:
            await self._configure(exchange, asked)
        elif path == STREAM_PATH:
            await self._stream(exchange, asked)
        elif path.startswith(DIALOG_PATH) and path.endswith("/variables") and path.count("/") == 6:
            await self._set_variables(exchange, asked)
        else:
            known = f"{TOKEN_PATH}, {CONFIG_PATH}, {STREAM_PATH}, {DIALOG_PATH}{{dialog_id}}/variables"
            raise HTTPError(404, "not_found", f"this gateway has {known}")

    async def _configure(self, exchange: Exchange, asked: Asked) -> None:
        """PUT /api/v2/llm/gateway/config."""
        self._access.check(exchange.request)
        exchange.require("PUT", "application/json")
        wanted = read_json(exchange.request.body, _Configuration)
        asked.dialog_id = wanted.dialog_id
        await self._fail(exchange, self._general, "config")
        self.counts["configurations"] += 1
        configuration = {**msgspec.to_builtins(wanted), "streaming": self._streaming}
        _keep(self.configurations, wanted.dialog_id, configuration)
        if self._streaming is None:
            configuration = {"dialog_id": wanted.dialog_id}
        await exchange.answer(200, json.dumps(configuration).encode())

    async def _set_variables(self, exchange: Exchange, asked: Asked) -> None:
        """POST /api/v2/bot/dialog/{dialog_id}/variables: 201 for a dialog's first, 200 for the others."""
        self._access.check(exchange.request)
        exchange.require("POST", "application/json")
        dialog_id = asked.dialog_id = unquote(exchange.request.path.split("/")[5])
        await self._fail(exchange, self._general, "dialog")
        given = {variable.name: variable.value for variable in read_json(exchange.request.body, _Variables).variables}
        status = 200 if dialog_id in self.variables else 201
        _keep(self.variables, dialog_id, [*self.variables.get(dialog_id, ()), given])
        self.counts["variables"] += 1
        await exchange.answer(status, json.dumps({"dialog_id": dialog_id, "updated": len(given)}).encode())

    async def _stream(self, exchange: Exchange, asked: Asked) -> None:
        """GET /api/v2/llm/stream: the handshake, and the stream after it."""
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

    def _keep_unbegun(self, prompt: str, turn: SimulatedTurn, asked: Asked) -> None:
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

    async def _answer(self, exchange: Exchange, socket: WebSocket | None, asked: Asked, turn: SimulatedTurn) -> None:
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


def _keep(where: OrderedDict[str, Any], name: str, value: Any) -> None:
    where[name] = value
    where.move_to_end(name)
    while len(where) > MAX_DIALOGS:
        where.popitem(last=False)
