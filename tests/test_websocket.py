"""websocket.py: how our WebSockets are opened."""

from __future__ import annotations

import ast
import asyncio
import contextlib
from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import InvalidStatus
from websockets.http11 import Request, Response

from connectors.websocket import connect, open_soon

ROOT = Path(__file__).parents[1]


class Host:
    """A WebSocket server that answers redirects to `leads_to`, or lets so many of its first handshakes hang."""

    def __init__(self, leads_to: str = "", hanging: int = 0) -> None:
        self.asked = 0
        self.opened = 0
        self._leads_to = leads_to
        self._hanging = hanging
        self.url = ""

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Host]:
        async with serve(self._serve, "127.0.0.1", 0, process_request=self._answer, close_timeout=0.1) as server:
            self.url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/"
            yield self

    async def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        self.asked += 1
        if self.asked <= self._hanging:
            await connection.wait_closed()
        if not self._leads_to:
            return None
        response = connection.respond(HTTPStatus.FOUND, "")
        response.headers["Location"] = self._leads_to
        return response

    async def _serve(self, connection: ServerConnection) -> None:
        self.opened += 1
        await connection.wait_closed()


def test_a_redirect_is_an_error_and_not_followed() -> None:
    async def main() -> None:
        async with Host().running() as other, Host(other.url).running() as host:
            with pytest.raises(InvalidStatus):
                await connect(host.url)
            assert (host.asked, other.asked) == (1, 0)

    asyncio.run(main())


def test_an_attempt_that_hangs_has_others_beside_it_and_one_socket_is_kept() -> None:
    async def main() -> None:
        async with Host(hanging=2).running() as host:
            socket = await open_soon(lambda: connect(host.url, open_timeout=60), 0.02)
            assert await (await socket.ping()) >= 0
            assert (host.asked, host.opened) == (3, 1)
            await socket.close()

    asyncio.run(main())


def test_an_attempt_that_fails_is_an_error_at_once() -> None:
    async def main() -> None:
        with pytest.raises(ConnectionRefusedError):
            await open_soon(lambda: connect("ws://127.0.0.1:1/"), 60)

    asyncio.run(main())


def test_every_client_of_ours_is_opened_there() -> None:
    """The library's own clients follow redirects."""
    users = []
    for folder in ("connectors", "flows", "analytics"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ImportFrom):
                    names = [f"{node.module}.{alias.name}" for alias in node.names]
                elif isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                else:
                    continue
                clients = [name for name in names if name.startswith("websockets") and "client" in name.split(".")]
                shortcuts = [name for name in names if name in ("websockets", "websockets.connect")]
                if clients or shortcuts:
                    users.append(path.name)
    assert set(users) == {"websocket.py"}
