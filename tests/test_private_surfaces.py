"""What is used of the libraries below that they do not promise to keep: each piece does what connectors relies on.

pyproject.toml bounds these libraries from above. Who raises a bound runs this; each part says which module it is for.
"""

from __future__ import annotations

import asyncio
import inspect
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import aiohttp
import h11
import httpx
import httpx_aiohttp
import pytest
import uvicorn
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ClientResponse
from packaging.requirements import Requirement
from packaging.version import Version
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.server import ServerState

from connectors.http import _Body, _HttpxClient, _Transport

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"
BOUND = ["aiohttp", "httpx", "httpx-aiohttp", "uvicorn"]


@pytest.mark.parametrize("name", BOUND)
def test_a_library_whose_private_parts_are_used_is_bound_from_above(name: str) -> None:
    declared = map(Requirement, tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]["dependencies"])
    [requirement] = [each for each in declared if each.name == name]
    bounds = [each for each in requirement.specifier if each.operator == "<"]
    assert bounds, f"{name} has no upper bound"
    assert requirement.specifier.contains(version(name))
    major, minor, *_ = Version(version(name)).release
    assert not requirement.specifier.contains(f"{major}.{minor + 1}"), "a release that nothing was tried with"


# aiohttp, in connectors/http.py


def test_aiohttps_reader_still_gives_what_arrived_before_an_error() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        reader = aiohttp.StreamReader(ResponseHandler(loop), 2**16, loop=loop)
        reader.feed_data(b"arrived ")
        reader.feed_data(b"before")
        reader.set_exception(aiohttp.ClientPayloadError())
        with pytest.raises(aiohttp.ClientPayloadError):
            await reader.readany()
        assert reader._read_nowait(-1) == b"arrived before"
        assert reader._read_nowait(-1) == b""

    asyncio.run(main())


def test_aiohttps_connection_still_tells_the_error_that_ended_it() -> None:
    async def main() -> None:
        protocol = ResponseHandler(asyncio.get_running_loop())
        assert protocol.exception() is None
        protocol.connection_lost(ConnectionResetError())
        assert isinstance(protocol.exception(), aiohttp.ClientOSError)

    asyncio.run(main())
    assert isinstance(inspect.getattr_static(ClientResponse, "connection"), property)


# httpx and httpx-aiohttp, in connectors/http.py


@pytest.mark.parametrize("hook", ["_init_transport", "_init_proxy_transport"])
def test_httpx_still_makes_its_transports_by_these_hooks(hook: str) -> None:
    assert hook in vars(httpx.AsyncClient)
    assert hook in vars(httpx_aiohttp.HttpxAiohttpClient)
    made: list[str] = []

    class Client(_HttpxClient):
        def _init_transport(self, *args: Any, **kwargs: Any) -> httpx.AsyncBaseTransport:
            made.append("_init_transport")
            return super()._init_transport(*args, **kwargs)

        def _init_proxy_transport(self, proxy: httpx.Proxy, *args: Any, **kwargs: Any) -> httpx.AsyncBaseTransport:
            made.append("_init_proxy_transport")
            return super()._init_proxy_transport(proxy, *args, **kwargs)

    async def main() -> None:
        async with Client(proxy="http://127.0.0.1:9") as client:
            assert isinstance(client._transport, _Transport)
            [through_proxy] = client._mounts.values()
            assert isinstance(through_proxy, _Transport)
            assert through_proxy.proxy is not None

    asyncio.run(main())
    assert hook in made


def test_httpx_aiohttp_still_asks_our_transport_for_its_session_and_hands_out_aiohttps_response() -> None:
    asked: list[aiohttp.ClientSession] = []

    class Transport(_Transport):
        def get_client(self) -> aiohttp.ClientSession:
            asked.append(super().get_client())
            return asked[-1]

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nSet-Cookie: a=b\r\n\r\nok")
        await writer.drain()
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        transport = Transport(limits=httpx.Limits(max_connections=7, keepalive_expiry=3))
        request = httpx.Request("GET", f"http://{host}:{port}/")
        theirs = await httpx_aiohttp.AiohttpTransport.handle_async_request(transport, request)
        assert isinstance(theirs.stream, httpx_aiohttp.transport.AiohttpResponseStream)
        assert isinstance(theirs.stream._aiohttp_response, ClientResponse)
        await theirs.aclose()
        ours = await transport.handle_async_request(request)
        assert isinstance(ours.stream, _Body)
        assert await ours.aread() == b"ok"
        [session] = asked
        assert isinstance(session.cookie_jar, aiohttp.DummyCookieJar)
        assert session.connector is not None
        assert session.connector.limit == 7
        await ours.aclose()
        await transport.aclose()
        server.close()
        await server.wait_closed()

    asyncio.run(main())


# uvicorn, in connectors/frontend/protocol.py


class Pipe(asyncio.Transport):
    """A transport that goes nowhere."""

    def __init__(self) -> None:
        super().__init__({"peername": ("192.0.2.1", 5), "sockname": ("192.0.2.2", 80)})
        self.written = b""
        self.closed = False

    def write(self, data: Any) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    abort = close

    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None: ...


def test_uvicorns_protocol_still_has_what_ours_looks_at() -> None:
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    class Protocol(H11Protocol):
        def on_response_complete(self) -> None:
            seen.append("complete")
            super().on_response_complete()

    async def main() -> None:
        config = uvicorn.Config(app, log_config=None, lifespan="off", ws="none")
        protocol, pipe = Protocol(config, ServerState(), {}), Pipe()
        protocol.connection_made(pipe)
        assert protocol.client == ("192.0.2.1", 5)
        assert protocol.transport is pipe
        assert protocol.loop is asyncio.get_running_loop()
        assert callable(protocol.app)
        assert isinstance(protocol.conn, h11.Connection)
        protocol.data_received(b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n")
        assert protocol.scope["path"] == "/a"
        assert isinstance(protocol.cycle, RequestResponseCycle)
        assert protocol.cycle.response_started is False
        assert protocol.cycle.disconnected is False
        assert protocol.conn.their_state is h11.SEND_BODY
        protocol.data_received(b"xy")
        while "complete" not in seen:
            await asyncio.sleep(0)
        assert seen == ["/a", "complete"]
        assert pipe.written.endswith(b"ok")
        assert protocol.conn.their_state is h11.IDLE
        protocol.data_received(b"GET ")
        assert protocol.conn.trailing_data[0] == b"GET "
        protocol.connection_lost(None)

    asyncio.run(main())


def test_uvicorn_still_looks_at_whether_a_cycle_is_disconnected() -> None:
    """So that what the application answers after a 408 goes nowhere."""

    async def main() -> None:
        config = uvicorn.Config(late, log_config=None, lifespan="off", ws="none")
        protocol, pipe = H11Protocol(config, ServerState(), {}), Pipe()
        protocol.connection_made(pipe)
        protocol.data_received(b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n")
        protocol.cycle.disconnected = True
        protocol.data_received(b"xy")
        await asyncio.wait_for(answered.wait(), 5)
        assert pipe.written == b""
        protocol.connection_lost(None)

    async def late(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"late"})
        answered.set()

    answered = asyncio.Event()
    asyncio.run(main())
