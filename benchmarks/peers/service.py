"""The peer: what a good engineer writes in a week, on asyncio and uvloop, with aiohttp on every side.

    python -m benchmarks.peers.service cxone|cognigy --gateway URL --desktop ws://… [--blocklist FILE]

- cxone: POST /sessions begins a session; its Server-Sent Events become sentences, which go to the agent's desktop over
  one WebSocket, at most so many of them unacknowledged.
- cognigy: GET /stream begins one; its WebSocket messages become sentences (or tokens, `window=none`), which go to the
  caller as Server-Sent Events; at the end the dialog's variables are set.

It leaves out, and so does not pay for: a log, recovery, recording, personal data, evasion, retries and continuation,
time-outs of windows, metrics, back-pressure by desktop, callers that come back. It is what speed is measured against,
and nothing to copy.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import sys
from collections import OrderedDict
from pathlib import Path

import aiohttp
import msgspec
import uvloop
from aiohttp import web

from benchmarks.peers.cores import BlockList, Passing, Splitter

IN_FLIGHT = 4096
EVENT_STREAM = {"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache"}


class Event(msgspec.Struct):
    """A CXone event's data."""

    token: str = ""
    finished: bool = False


class Message(msgspec.Struct):
    """A Cognigy.AI message."""

    tokens: list[str] = []
    done: bool = False


class Sentence(msgspec.Struct, tag="sentence"):
    """What the desktop is sent."""

    session_id: str
    turn: int
    seq: int
    text: str
    final: bool = False


class Ack(msgspec.Struct):
    session_id: str
    turn: int
    seq: int


read_event = msgspec.json.Decoder(Event).decode
read_message = msgspec.json.Decoder(Message).decode
read_ack = msgspec.json.Decoder(Ack).decode
encode = msgspec.json.Encoder().encode


class Desktop:
    """One WebSocket to the agent's desktop; what is not acknowledged is kept, and sent again on the next connection."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http = http
        self._url = url
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._connected = asyncio.Event()
        self._unacknowledged: OrderedDict[tuple[str, int, int], bytes] = OrderedDict()
        self._room = asyncio.Event()
        self._room.set()

    async def run(self) -> None:
        while True:
            try:
                async with self._http.ws_connect(self._url, compress=0, max_msg_size=0) as socket:
                    for data in list(self._unacknowledged.values()):
                        await socket.send_frame(data, aiohttp.WSMsgType.TEXT)
                    self._socket = socket
                    self._connected.set()
                    async for message in socket:
                        self._take(read_ack(message.data))
            except aiohttp.ClientError:
                await asyncio.sleep(0.5)
            self._connected.clear()

    async def send(self, sentence: Sentence) -> None:
        if not self._room.is_set():
            await self._room.wait()
        data = encode(sentence)
        self._unacknowledged[sentence.session_id, sentence.turn, sentence.seq] = data
        if len(self._unacknowledged) >= IN_FLIGHT:
            self._room.clear()
        if self._connected.is_set() and self._socket is not None:
            await self._socket.send_frame(data, aiohttp.WSMsgType.TEXT)

    def _take(self, ack: Ack) -> None:
        seq = ack.seq
        while self._unacknowledged.pop((ack.session_id, ack.turn, seq), None) is not None:
            seq -= 1
        self._room.set()


class Service:
    def __init__(self, http: aiohttp.ClientSession, gateway: str, desktop: Desktop, blocked: BlockList) -> None:
        self._http = http
        self._gateway = gateway
        self._desktop = desktop
        self._blocked = blocked
        self._token = ""
        self._running: set[asyncio.Task[None]] = set()

    async def begin(self, request: web.Request) -> web.Response:
        """POST /sessions: a CXone session, for the desktop."""
        wanted = json.loads(await request.read())
        task = asyncio.create_task(self._converse(wanted["session_id"], wanted["prompt"]))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return web.json_response({"session_id": wanted["session_id"]}, status=202)

    async def _converse(self, session_id: str, prompt: str) -> None:
        body = {"prompt": prompt, "model": "gpt-4", "stream": True}
        headers = await self._headers("/oauth/token") | {"Accept": "text/event-stream"}
        url = self._gateway + "/api/v2/ai/llm/chat/stream"
        splitter, seq = Splitter(), 0
        async with self._http.post(url, json=body, headers=headers) as response:
            rest = b""
            async for chunk in response.content.iter_any():
                *events, rest = (rest + chunk).split(b"\n\n")
                for event in events:
                    data = read_event(event[event.index(b"data: ") + 6 :])
                    for text in splitter.feed(data.token):
                        await self._desktop.send(Sentence(session_id, 0, seq, self._blocked.clean(text)))
                        seq += 1
                    if data.finished:
                        text = self._blocked.clean(splitter.flush())
                        await self._desktop.send(Sentence(session_id, 0, seq, text, final=True))

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """GET /stream: a Cognigy.AI session, for the caller who asks."""
        session_id, dialog_id = request.query["session_id"], request.query["dialog_id"]
        core = Passing(self._blocked) if request.query.get("window") == "none" else Splitter()
        headers = await self._headers("/api/v2/oauth/token")
        answer = web.StreamResponse(headers=EVENT_STREAM)
        await answer.prepare(request)
        config = {"streaming": True, "model": "gpt-4-turbo", "dialog_id": dialog_id}
        async with self._http.put(self._gateway + "/api/v2/llm/gateway/config", json=config, headers=headers) as put:
            put.raise_for_status()
        said: list[str] = []
        async with self._http.ws_connect(self._gateway + "/api/v2/llm/stream", headers=headers, compress=0) as socket:
            async for frame in socket:
                message = read_message(frame.data)
                out = [text for token in message.tokens for text in core.feed(token)]
                if message.done:
                    out.append(core.flush())
                for text in out:
                    clean = self._blocked.clean(text)
                    said.append(clean)
                    await answer.write(_event("token", f"{session_id}/0/{len(said)}", clean))
                if message.done:
                    break
        await answer.write(_event("done", f"{session_id}/0/{len(said) + 1}", "".join(said)))
        await answer.write_eof()
        variables = {"variables": [{"name": "llm_response", "value": "".join(said)}]}
        url = f"{self._gateway}/api/v2/bot/dialog/{dialog_id}/variables"
        async with self._http.post(url, json=variables, headers=headers) as posted:
            posted.raise_for_status()
        return answer

    async def _headers(self, path: str) -> dict[str, str]:
        if not self._token:
            async with self._http.post(self._gateway + path, data={"grant_type": "client_credentials"}) as answer:
                self._token = (await answer.json())["access_token"]
        return {"Authorization": f"Bearer {self._token}"}


def _event(kind: str, name: str, text: str) -> bytes:
    data = text.replace("\n", "\ndata: ")
    return f"event: {kind}\nid: {name}\ndata: {data}\n\n".encode()


async def serve(gateway: str, desktop_url: str | None, blocked: BlockList) -> None:
    limits = aiohttp.ClientTimeout(total=None, sock_read=120)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=limits) as http:
        desktop = Desktop(http, desktop_url or "")
        connected = asyncio.create_task(desktop.run()) if desktop_url else None
        service = Service(http, gateway, desktop, blocked)
        app = web.Application()
        app.add_routes([web.post("/sessions", service.begin), web.get("/stream", service.stream)])
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, backlog=1024)
        await site.start()
        print(f"listening on http://127.0.0.1:{runner.addresses[0][1]}", file=sys.stderr, flush=True)
        gc.freeze()
        await (connected or asyncio.Event().wait())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shape", choices=["cxone", "cognigy"])
    parser.add_argument("--gateway", required=True)
    parser.add_argument("--desktop")
    parser.add_argument("--blocklist", type=Path)
    given = parser.parse_args()
    terms = given.blocklist.read_text().splitlines() if given.blocklist else []
    uvloop.run(serve(given.gateway, given.desktop if given.shape == "cxone" else None, BlockList(terms)))


if __name__ == "__main__":
    main()
