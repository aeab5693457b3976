"""A server on loopback that plays HTTP answers to the byte: what a simulator would be too polite for."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Self

from connectors.reactor import Reactor

EVENTS = "text/event-stream"


class Played(NamedTuple):
    """An answer; its body ends with the connection, or is `cut`: announced, and not given."""

    body: bytes = b""
    status: int = 200
    kind: str = EVENTS
    headers: Mapping[str, str] = {}
    cut: bool = False


class Asked(NamedTuple):
    """A request."""

    path: str
    headers: dict[str, str]
    body: Any


class Player:
    """Plays the answers to a prompt in turn, and the last one again and again."""

    def __init__(self, answers: Mapping[str, Sequence[Played]]) -> None:
        self.asked: list[Asked] = []
        self.url = ""
        self._answers = answers

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            fields = [line.partition(":") for line in head[1:] if line]
            headers = {name.lower(): value.strip() for name, _, value in fields}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            self.asked.append(Asked(head[0].split()[1], headers, json.loads(body or b"null")))
            played = self._next(prompt_of(self.asked[-1].body))
            lines = [f"HTTP/1.1 {played.status} X", f"Content-Type: {played.kind}", "Connection: close"]
            lines += [f"{name}: {value}" for name, value in played.headers.items()]
            lines += [f"Content-Length: {len(played.body) + 100}"] if played.cut else []
            writer.write("\r\n".join([*lines, "", ""]).encode() + played.body)
            await writer.drain()
        writer.close()

    def _next(self, prompt: str) -> Played:
        times = sum(prompt_of(asked.body) == prompt for asked in self.asked)
        answers = self._answers[prompt]
        return answers[min(times, len(answers)) - 1]


def prompt_of(body: Any) -> str:
    """What a request of any API asks last."""
    said: dict[str, Any] = (body.get("messages") or body.get("contents"))[-1]
    content = said.get("content") or said["parts"][0]["text"]
    assert isinstance(content, str)
    return content


@contextmanager
def playing(answers: Mapping[str, Sequence[Played]]) -> Iterator[Player]:
    """A player with these answers by prompt, while the block runs."""
    reactor, player = Reactor(), Player(answers)
    reactor.run(player.__aenter__())
    try:
        yield player
    finally:
        reactor.run(player.__aexit__())
        reactor.close()
