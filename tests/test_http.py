"""The client against a server of our own on loopback that answers byte for byte as a test says."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import socket
import ssl
import struct
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import uvloop
import zstandard

from connectors.errors import SettingsError
from connectors.gunzip import FREE, MAX_RATIO, PIECE
from connectors.http import (
    Client,
    ConnectError,
    DisconnectedError,
    HttpError,
    HttpSettings,
    RequestTimeoutError,
    TlsError,
    base_url,
)

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
LAST = b"0\r\n\r\n"

RUNS = pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
Run = Callable[[Coroutine[Any, Any, None]], None]


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def reset(writer: asyncio.StreamWriter) -> None:
    """End the connection by RST."""
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


class Server:
    """Answers every request by `answer`, and keeps what was asked."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[bytes] = []
        self.connections = 0

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls, answer: Answer, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
        self = cls()
        open_ones: set[asyncio.Task[Any] | None] = set()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.connections += 1
            open_ones.add(asyncio.current_task())
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
                while not writer.is_closing():
                    head = await reader.readuntil(b"\r\n\r\n")
                    length = 0
                    for line in head.lower().split(b"\r\n"):
                        if line.startswith(b"content-length:"):
                            length = int(line[15:])
                    self.requests.append(head + await reader.readexactly(length))
                    await answer(writer)
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
        port = server.sockets[0].getsockname()[1]
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{port}"
        try:
            yield self
        finally:
            server.close()
            for task in open_ones:
                assert task is not None
                task.cancel()
            await asyncio.gather(*filter(None, open_ones), return_exceptions=True)


async def read(client: Client, url: str) -> tuple[bytes, HttpError | None]:
    """All the bytes of a stream, and the error that it ended with."""
    got = b""
    try:
        async with client.stream("POST", url, json={"stream": True}) as stream:
            async for piece in stream.chunks():
                got += piece
    except HttpError as error:
        return got, error
    return got, None


@RUNS
def test_a_stream_gives_status_headers_and_each_piece_as_it_comes(run: Run) -> None:
    async def main() -> None:
        seen = asyncio.Event()

        async def answer(writer: asyncio.StreamWriter) -> None:
            writer.write(CHUNKED + chunk(b"data: 1\n\n"))
            await seen.wait()  # the first piece must arrive before the second is sent
            writer.write(chunk(b"data: 2\n\n") + LAST)

        async with (
            Server.running(answer) as server,
            Client() as client,
            client.stream("POST", server.url + "/s", headers={"Accept": "text/event-stream"}, json={"a": 1}) as s,
        ):
            assert s.status == 200
            assert s.headers["CONTENT-type"] == "text/event-stream"
            pieces = s.chunks()
            assert await anext(pieces) == b"data: 1\n\n"
            seen.set()
            assert [piece async for piece in pieces] == [b"data: 2\n\n"]
        (request,) = server.requests
        head, _, body = request.partition(b"\r\n\r\n")
        assert head.startswith(b"POST /s HTTP/1.1")
        assert b"accept: text/event-stream" in head.lower()
        assert b"content-type: application/json" in head.lower()
        assert body == b'{"a":1}'

    run(main())


@RUNS
@pytest.mark.parametrize(
    ("sent", "end", "got", "clean"),
    [
        (CHUNKED + chunk(b"one") + LAST, "fin", b"one", True),
        (CHUNKED + chunk(b"one"), "fin", b"one", False),
        (CHUNKED + chunk(b"one") + b"9\r\ntwo", "fin", b"onetwo", False),
        (CHUNKED + chunk(b"one"), "rst", b"one", False),
        (OK + b"Content-Length: 3\r\n\r\none", "fin", b"one", True),
        (OK + b"Content-Length: 9\r\n\r\none", "fin", b"one", False),
        (OK + b"Content-Length: 9\r\n\r\none", "rst", b"one", False),
        (OK + b"Connection: close\r\n\r\none", "fin", b"one", True),
        (OK + b"Connection: close\r\n\r\none", "rst", b"one", False),
        (b"", "fin", b"", False),
        (b"", "rst", b"", False),
        (b"HTTP/1.1 200 OK\r\nCont", "fin", b"", False),
    ],
)
def test_an_abrupt_end_is_told_from_a_clean_one_and_costs_no_byte(
    run: Run, sent: bytes, end: str, got: bytes, clean: bool
) -> None:
    async def main() -> None:
        arrived = asyncio.Event()

        async def answer(writer: asyncio.StreamWriter) -> None:
            writer.write(sent)
            if end == "fin":
                writer.close()
            else:
                if got:
                    await arrived.wait()  # a reset takes with it what the client has not read yet
                reset(writer)

        async with Server.running(answer) as server, Client() as client:
            pieces, error = b"", None
            try:
                async with client.stream("GET", server.url) as stream:
                    async for piece in stream.chunks():
                        pieces += piece
                        arrived.set()
            except HttpError as caught:
                error = caught
            assert pieces == got
            if clean:
                assert error is None
            else:
                assert isinstance(error, DisconnectedError)
                assert error.kind == "disconnected"

    run(main())


@RUNS
def test_a_slow_reader_gets_all_that_arrived_before_the_break(run: Run) -> None:
    async def main() -> None:
        broken = asyncio.Event()

        async def answer(writer: asyncio.StreamWriter) -> None:
            if broken.is_set():
                writer.write(OK + b"Content-Length: 0\r\n\r\n")
                return
            writer.write(CHUNKED + b"".join(chunk(b"%02d" % n) for n in range(50)))
            writer.close()
            await writer.wait_closed()
            broken.set()

        async with Server.running(answer) as server, Client() as client:
            got = b""
            with pytest.raises(DisconnectedError):  # noqa: PT012 - what came before the error is the point
                async with client.stream("GET", server.url) as stream:
                    await broken.wait()
                    await client.request("GET", server.url)  # meanwhile the loop has read all there was
                    async for piece in stream.chunks():
                        got += piece
            assert got == b"".join(b"%02d" % n for n in range(50))

    run(main())


def test_leaving_a_stream_early_closes_its_connection() -> None:
    async def main() -> None:
        gone = asyncio.Event()

        async def answer(writer: asyncio.StreamWriter) -> None:
            writer.write(CHUNKED)
            with contextlib.suppress(ConnectionError):
                while True:
                    writer.write(chunk(b"more"))
                    await writer.drain()
                    await asyncio.sleep(0)
            gone.set()
            writer.close()

        async with Server.running(answer) as server, Client() as client:
            async with client.stream("GET", server.url) as stream:
                await anext(stream.chunks())
            await gone.wait()

    asyncio.run(main())


def test_a_connection_is_used_again_after_a_whole_answer() -> None:
    async def main() -> None:
        async def answer(writer: asyncio.StreamWriter) -> None:
            writer.write(CHUNKED + chunk(b"one") + LAST)

        async with Server.running(answer) as server, Client() as client:
            for _ in range(3):
                assert await read(client, server.url) == (b"one", None)
            assert server.connections == 1

    asyncio.run(main())


def test_a_redirect_is_given_and_not_followed() -> None:
    async def main() -> None:
        async def answer(writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 307 Go\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")

        async with Server.running(answer) as server, Client() as client:
            response = await client.request("GET", server.url, headers={"Authorization": "Bearer x"})
            assert response.status == 307
            assert len(server.requests) == 1

    asyncio.run(main())


def test_cookies_are_not_kept() -> None:
    async def main() -> None:
        async def answer(writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nSet-Cookie: who=me; Path=/\r\nContent-Length: 0\r\n\r\n")

        async with Server.running(answer) as server, Client() as client:
            url = server.url.replace("127.0.0.1", "localhost")
            for _ in range(2):
                await client.request("GET", url)
            assert b"cookie" not in server.requests[1].lower()

    asyncio.run(main())


def test_a_compressed_answer_is_read_though_none_was_asked_for() -> None:
    async def main() -> None:
        async def answer(writer: asyncio.StreamWriter) -> None:
            body = gzip.compress(b"data: 1\n\n")
            writer.write(OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

        async with Server.running(answer) as server, Client() as client:
            assert await read(client, server.url) == (b"data: 1\n\n", None)
            assert b"accept-encoding: identity" in server.requests[0].lower()

    asyncio.run(main())


def test_a_compressed_answer_that_is_broken_is_a_protocol_error() -> None:
    async def main() -> None:
        async def answer(writer: asyncio.StreamWriter) -> None:
            writer.write(OK + b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello")

        async with Server.running(answer) as server, Client() as client:
            with pytest.raises(HttpError, match="does not decompress") as caught:
                await client.request("GET", server.url)
            assert caught.value.kind == "protocol"

    asyncio.run(main())


@pytest.mark.parametrize("encoding", ["zstd", "br", "deflate", "gzip, gzip", "\\x1b[2J"])
def test_an_encoding_that_was_not_asked_for_is_one_clear_error(encoding: str) -> None:
    """131 KB of zstd can be 4 GB: it is not even looked at."""
    body = zstandard.compress(b"data: 1\n\n")

    async def main() -> None:
        async def answer(writer: asyncio.StreamWriter) -> None:
            head = OK + b"Content-Encoding: %s\r\nContent-Length: %d\r\n\r\n" % (encoding.encode(), len(body))
            writer.write(head + body)

        async with Server.running(answer) as server, Client() as client:
            got, error = await read(client, server.url)
            assert got == b""
            assert isinstance(error, HttpError)
            assert "which was not asked for" in str(error)
            with pytest.raises(HttpError, match="not asked for"):
                await client.request("GET", server.url)

    asyncio.run(main())


def test_a_small_body_that_grows_enormously_is_not_read_on() -> None:
    """64 MB in 64 KB: no more than the first of them is given, and what else the loop has to do gets its turns."""
    body = gzip.compress(b" " * (64 << 20))
    assert len(body) < 1 << 17

    async def main() -> None:
        async def answer(writer: asyncio.StreamWriter) -> None:
            writer.write(OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

        async with Server.running(answer) as server, Client() as client:
            turns, sizes, error = 0, [], None

            async def other() -> None:
                nonlocal turns
                while True:
                    turns += 1
                    await asyncio.sleep(0)

            beside = asyncio.create_task(other())
            try:
                async with client.stream("GET", server.url) as stream:
                    pieces = stream.chunks()
                    while True:
                        sizes.append(len(await anext(pieces)))
            except HttpError as caught:
                error = caught
            beside.cancel()
            assert "grows more than 200-fold" in str(error)
            assert "\n" not in str(error)
            assert max(sizes) <= PIECE
            assert sum(sizes) <= max(FREE, MAX_RATIO * len(body))
            assert turns >= len(sizes)

    asyncio.run(main())


def test_a_compressed_answer_that_ends_in_the_middle_is_a_disconnect() -> None:
    body = gzip.compress(b"data: 1\n\ndata: 2\n\n")[:-9]

    async def main() -> None:
        async def answer(writer: asyncio.StreamWriter) -> None:
            writer.write(OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

        async with Server.running(answer) as server, Client() as client:
            _, error = await read(client, server.url)
            assert isinstance(error, DisconnectedError)

    asyncio.run(main())


@pytest.mark.parametrize("body", [b"", gzip.compress(b"", mtime=0)], ids=["no byte", "no byte, compressed"])
def test_an_empty_answer_that_says_gzip_is_an_empty_one(body: bytes) -> None:
    async def main() -> None:
        async def answer(writer: asyncio.StreamWriter) -> None:
            writer.write(OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

        async with Server.running(answer) as server, Client() as client:
            assert await read(client, server.url) == (b"", None)

    asyncio.run(main())


def test_a_request_that_takes_too_long_is_timed_out_even_if_bytes_trickle() -> None:
    async def main() -> None:
        async def answer(writer: asyncio.StreamWriter) -> None:
            writer.write(CHUNKED)
            while True:
                writer.write(chunk(b"."))
                await writer.drain()
                await asyncio.sleep(0.01)

        async with Server.running(answer) as server, Client() as client:
            with pytest.raises(RequestTimeoutError, match=r"127\.0\.0\.1:\d+ did not answer within 0\.1 s"):
                await client.request("GET", server.url, within=0.1)

    asyncio.run(main())


def test_an_answer_that_is_too_large_is_refused() -> None:
    async def main() -> None:
        async def answer(writer: asyncio.StreamWriter) -> None:
            writer.write(OK + b"Content-Length: 5000\r\n\r\n" + b"x" * 5000)

        async with Server.running(answer) as server, Client() as client:
            with pytest.raises(HttpError, match="more than 4999 bytes"):
                await client.request("GET", server.url, max_bytes=4999)
            assert (await client.request("GET", server.url, max_bytes=5000)).body == b"x" * 5000

    asyncio.run(main())


@pytest.mark.parametrize("sent", [b"hello\r\n\r\n", CHUNKED + b"zz\r\n", b"\x15\x03\x01\x00\x02\x02"])
def test_an_answer_that_is_not_http_is_said_to_be_none_and_not_quoted(sent: bytes) -> None:
    async def main() -> None:
        async def answer(writer: asyncio.StreamWriter) -> None:
            writer.write(sent)
            writer.close()

        async with Server.running(answer) as server, Client() as client:
            _, error = await read(client, server.url)
            assert error is not None
            assert error.kind == "protocol"
            assert "hello" not in str(error)
            assert error.__cause__ is None
            assert error.__suppress_context__

    asyncio.run(main())


def test_what_cannot_be_connected_to_is_named_with_the_reason() -> None:
    async def main() -> None:
        async with Client(HttpSettings(connect_timeout=5)) as client:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
                with pytest.raises(ConnectError, match=f"cannot connect to 127.0.0.1:{port}: Connection refused"):
                    await client.request("GET", f"http://127.0.0.1:{port}/path?key=1")
            with pytest.raises(ConnectError, match=r"cannot connect to nowhere\.invalid: "):
                await client.request("GET", "http://nowhere.invalid/")

    asyncio.run(main())


def test_a_server_that_accepts_but_never_shakes_hands_is_a_connect_error() -> None:
    async def main() -> None:
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            url = f"https://127.0.0.1:{silent.getsockname()[1]}"
            async with Client(HttpSettings(connect_timeout=0.2)) as client:
                with pytest.raises(ConnectError, match="no connection in time"):
                    await client.request("GET", url)

    asyncio.run(main())


def test_one_stream_more_than_there_are_places_waits_and_then_says_so() -> None:
    async def main() -> None:
        async def answer(writer: asyncio.StreamWriter) -> None:
            writer.write(CHUNKED)

        settings = HttpSettings(max_connections=1, connect_timeout=0.2)
        async with (
            Server.running(answer) as server,
            Client(settings) as client,
            client.stream("GET", server.url),
        ):
            with pytest.raises(ConnectError, match="no connection in time"):
                await client.request("GET", server.url)

    asyncio.run(main())


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1, with its key, in one PEM file."""
    pem = tmp_path_factory.mktemp("tls") / "server.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    try:
        subprocess.run([*command, "-keyout", pem, "-out", str(pem) + ".crt"], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    pem.write_text(pem.read_text() + Path(str(pem) + ".crt").read_text())
    return pem


def test_a_certificate_is_verified_and_an_authority_can_be_given(certificate: Path) -> None:
    async def main() -> None:
        async def answer(writer: asyncio.StreamWriter) -> None:
            writer.write(OK + b"Content-Length: 2\r\n\r\nok")

        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate)
        async with Server.running(answer, tls) as server:
            async with Client() as client:
                with pytest.raises(TlsError, match=r"is not trusted \(self.signed certificate\): see ca_file"):
                    await client.request("GET", server.url)
                assert server.requests == []
            async with Client(HttpSettings(ca_file=str(certificate))) as client:
                assert (await client.request("GET", server.url)).body == b"ok"

    asyncio.run(main())


def test_http_spoken_to_where_tls_is_expected_is_a_tls_error() -> None:
    async def main() -> None:
        def refuse(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            writer.close()

        async with await asyncio.start_server(refuse, "127.0.0.1", 0) as plain, Client() as client:
            port = plain.sockets[0].getsockname()[1]
            with pytest.raises(TlsError, match="check http or https, and the port"):
                await client.request("GET", f"https://127.0.0.1:{port}")

    asyncio.run(main())


def test_a_ca_file_that_is_none_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.pem", Path(__file__)):
        with pytest.raises(SettingsError, match=r"ca_file .* cannot be read"):
            Client(HttpSettings(ca_file=str(path)))


def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async def answer(writer: asyncio.StreamWriter) -> None:
            writer.write(OK + b"Content-Length: 3\r\n\r\none")

        async with Server.running(answer) as proxy:
            monkeypatch.setenv("http_proxy", proxy.url)
            monkeypatch.setenv("no_proxy", "")
            async with Client() as client:
                assert await read(client, "http://vendor.invalid/s") == (b"one", None)
            assert proxy.requests[0].startswith(b"POST http://vendor.invalid/s HTTP/1.1")

    asyncio.run(main())


@pytest.mark.parametrize("url", ["api", "ftp://host", "http://", "http://[::1", ""])
def test_a_url_that_is_none_is_a_settings_error_without_the_url(url: str) -> None:
    async def main() -> None:
        async with Client() as client:
            with pytest.raises(SettingsError, match=r"^not an address: write https://host"):
                await client.request("GET", url)

    asyncio.run(main())


@pytest.mark.parametrize(
    "value", ["", "api.example.com", "ftp://host", "http://", "https://u:p@host", "https://host?key=1", "http://a\n"]
)
def test_a_base_url_that_is_none_names_its_setting(value: str) -> None:
    with pytest.raises(SettingsError, match=r"^CXONE_BASE_URL is not an address: write https://host"):
        base_url(value, "CXONE_BASE_URL")


def test_a_base_url_loses_its_last_slash() -> None:
    assert base_url("https://api.example.com/", "X") == "https://api.example.com"
    assert base_url("http://127.0.0.1:80/prefix", "X") == "http://127.0.0.1:80/prefix"
