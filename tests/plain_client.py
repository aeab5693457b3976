"""A CXone client as a customer might write it with httpx or a bare socket: nothing in it is ours."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any, NamedTuple

import httpx

from connectors.simulator import Corpus, TokenStream
from connectors.simulator.vendor import CLIENT_ID, CLIENT_SECRET
from connectors.vendors.cxone.simulator import SCOPE, STREAM_PATH, TOKEN_PATH, SimulatedCXone

BUILTIN = Corpus.builtin()
ABC = Corpus([TokenStream("abc", tuple("abcdefghij"))])


class Event(NamedTuple):
    name: str
    id: str
    data: str


class Reply(NamedTuple):
    """An answer as far as it came; status 0 where not even its head did."""

    status: int
    headers: httpx.Headers
    body: bytes
    broken: bool

    @property
    def events(self) -> list[Event]:
        return list(read_events(self.body))

    @property
    def tokens(self) -> list[str]:
        return [m["token"] for event in self.events if event.name == "message" for m in messages(event.data)]

    @property
    def finished(self) -> bool:
        return any(m["finished"] for e in self.events if e.name == "message" for m in messages(e.data))


def read_events(body: bytes) -> Iterator[Event]:
    """A plain reading of the SSE standard, of a body that is there as a whole."""
    text = body.decode("utf-8", "replace").removeprefix("\ufeff")
    name, last_id = "", ""
    data: list[str] = []
    for line in re.split("\r\n|\r|\n", text)[:-1]:
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data:
                yield Event(name or "message", last_id, "\n".join(data))
            name, data = "", []
        elif field == "data":
            data.append(value)
        elif field == "id":
            last_id = value
        elif field == "event":
            name = value


def messages(data: str) -> list[dict[str, Any]]:
    """The JSON messages one after another in a text."""
    found, at = [], 0
    while at < len(data):
        message, at = json.JSONDecoder().raw_decode(data, at)
        found.append(message)
        at += len(data[at:]) - len(data[at:].lstrip())
    return found


class Client:
    """What a customer might write with httpx."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http
        self.headers = {"Accept": "text/event-stream"}

    async def login(self, **changed: str) -> httpx.Response:
        form = {
            "grant_type": "client_credentials",
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "scope": SCOPE,
        }
        answer = await self.http.post(TOKEN_PATH, data=form | changed)
        if answer.status_code == 200:
            self.headers["Authorization"] = "Bearer " + answer.json()["access_token"]
        return answer

    async def ask(self, prompt: str = "hello", continuation_id: str | None = None) -> Reply:
        body: dict[str, object] = {"prompt": prompt, "model": "gpt-4", "stream": True}
        if continuation_id is not None:
            body = {"prompt": prompt, "continuation_id": continuation_id, "stream": True}
        status, headers, received, broken = 0, httpx.Headers(), b"", False
        try:
            headers_sent = {**self.headers, "Content-Type": "application/json"}
            async with self.http.stream("POST", STREAM_PATH, content=json.dumps(body), headers=headers_sent) as answer:
                status, headers = answer.status_code, answer.headers
                async for chunk in answer.aiter_raw():
                    received += chunk
        except (httpx.ReadError, httpx.RemoteProtocolError):
            broken = True
        return Reply(status, headers, received, broken)

    async def whole_text(self, prompt: str) -> str:
        """Go on until it is finished, as a careful client does."""
        tokens: list[str] = []
        ids: list[str] = []
        for _ in range(20):
            reply = await self.ask(prompt, ids[-1] if ids else None)
            if reply.status == 401:
                await self.login()
            elif reply.status in (0, 200) and self._take(reply, tokens, ids):
                return joined(tokens)
        raise AssertionError("not finished after 20 requests")

    @staticmethod
    def _take(reply: Reply, tokens: list[str], ids: list[str]) -> bool:
        got: list[tuple[str, str]] = []
        held, finished = "", False
        for event in reply.events:
            if event.name != "message":
                continue
            held += event.data
            with contextlib.suppress(json.JSONDecodeError):
                found = messages(held)
                held = ""
                got += [(message.get("context_id") or event.id, message["token"]) for message in found]
                finished = finished or found[-1]["finished"]
        new = [(i, token) for i, token in got if i not in ids]
        overlap = max(k for k in range(len(new) + 1) if tokens[len(tokens) - k :] == [t for _, t in new[:k]])
        if not (new and "~" in new[0][0]):  # only ids that are new for old tokens call for a look at the text
            overlap = 0
        tokens += [token for _, token in new[overlap:]]
        ids += [i for i, _ in new]
        return finished


def joined(tokens: list[str]) -> str:
    """What tokens spell, found another way than the corpus': byte tokens by a regular expression."""
    text = "".join(tokens)
    text = re.sub(
        "(?:<0x[0-9A-F]{2}>)+",
        lambda run: bytes.fromhex(re.sub("<0x|>", "", run[0])).decode("utf-8", "replace"),
        text,
    )
    return text.encode("utf-16", "surrogatepass").decode("utf-16")


@contextlib.asynccontextmanager
async def running(*args: Any, **options: Any) -> AsyncIterator[tuple[SimulatedCXone, Client]]:
    options.setdefault("speed", 0)
    async with (
        SimulatedCXone(*args, **options) as gateway,
        httpx.AsyncClient(base_url=gateway.url, timeout=10) as http,
    ):
        client = Client(http)
        await client.login()
        yield gateway, client


def with_gateway(
    test: Callable[[SimulatedCXone, Client], Coroutine[Any, Any, None]],
    *args: Any,
    loop: Callable[[], asyncio.AbstractEventLoop] | None = None,
    **options: Any,
) -> None:
    async def run() -> None:
        async with running(*args, **options) as (gateway, client):
            await test(gateway, client)

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(run())


async def raw_answer(gateway: SimulatedCXone, client: Client, prompt: str) -> tuple[bytes, bool]:
    """The bytes of an answer off a bare socket, and whether an RST ended it."""
    host, port = gateway.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    body = json.dumps({"prompt": prompt, "model": "m", "stream": True})
    writer.write(
        f"POST {STREAM_PATH} HTTP/1.1\r\nHost: {host}\r\nAccept: text/event-stream\r\nConnection: close\r\n"
        f"Authorization: {client.headers['Authorization']}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
    )
    received = b""
    try:
        while data := await reader.read(65536):
            received += data
    except ConnectionResetError:
        return received, True
    finally:
        writer.close()
    return received, False
