"""HTTP/1.1 as a gateway speaks it, with a hand on every byte.

Rules
- Requests are parsed by h11 (RFC 9112); heads, bodies, connections and silence are bounded.
- A handler answers one `Exchange`. What it writes can be cut at any byte and ended by FIN, by RST or
  cleanly, so that every way a real network fails can be made.
- A client that goes away cancels its handler: a stalled stream holds nothing.
"""

from __future__ import annotations

import asyncio
import http
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from typing import Literal, NoReturn

import h11
import msgspec

from connectors.simulator.port import Port, reset

Ending = Literal["fin", "rst", "end"]
"""How an answer is broken off: FIN, RST, or a chunked body that ends as if it were whole."""

MAX_HEAD = 32 * 1024
MAX_BODY = 4 * 1024 * 1024
MAX_CONNECTIONS = 8192
KEEP_ALIVE = 120.0
"""Seconds a connection may wait for its next request."""

RST_DELAY = 0.02
"""Seconds between the last byte and an RST, so that the client's kernel has handed the bytes on."""

_READ = 64 * 1024


class Request(msgspec.Struct, frozen=True):
    """One request, whole. Header names are lower case; a repeated header's values are joined by ", "."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes


class Dropped(Exception):  # noqa: N818 # it is what was asked for, not an error
    """The answer was broken off on purpose, after `body_sent` bytes of its body had gone out.

    whole  all of the last write had gone out
    """

    def __init__(self, body_sent: int, whole: bool = False) -> None:
        super().__init__(f"dropped after {body_sent} bytes of the body")
        self.body_sent = body_sent
        self.whole = whole


class HTTPError(Exception):
    """An answer that says no: a status and a line of JSON (a page of HTML below 400, as a proxy would).

    `message` says what to do. It never quotes what was sent.
    """

    def __init__(self, status: int, error: str, message: str, *, headers: Iterable[tuple[str, str]] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.headers = [*headers, *_CHALLENGE] if status == 401 else list(headers)
        self.body = json.dumps({"error": error, "message": message}).encode()


_CHALLENGE = (("WWW-Authenticate", 'Bearer error="invalid_token"'),)
_PAGE = b"<!doctype html><title>Sign in</title><p>This is not the page you are looking for."


class Exchange:
    """A request and the answer to it, which is written at once or chunk by chunk.

    pieces   bytes of body to a chunk at most (0 = as handed in); each is written by itself
    receive  takes what the client sends after `upgrade`
    """

    def __init__(self, request: Request, connection: h11.Connection, writer: asyncio.StreamWriter) -> None:
        self.request = request
        self.status: int | None = None
        self.pieces = 0
        self.body_sent = 0
        self.receive: Callable[[bytes], None] | None = None
        self._http = connection
        self._writer = writer
        self._sent = 0
        self._cut: tuple[Ending, int] | None = None

    @property
    def sent(self) -> int:
        """Bytes of the answer that have gone out, its head and framing too."""
        return self._sent

    def cut(self, how: Ending, at: int) -> None:
        """Break the answer off by itself once `at` bytes have gone out.

        FIN and RST count every byte of the answer, its head and chunk framing too; `end` counts the body's.
        """
        self._cut = (how, at)

    async def answer(
        self,
        status: int,
        body: bytes = b"",
        content_type: str = "application/json",
        headers: Iterable[tuple[str, str]] = (),
    ) -> None:
        """The whole answer at once."""
        length = (("Content-Length", str(len(body))),)
        await self.begin(status, content_type, (*headers, *length))
        await self.send(body)
        await self.end()

    async def refuse(self, error: HTTPError) -> None:
        """The whole answer, from an error."""
        if error.status < 400:
            await self.answer(error.status, _PAGE, "text/html", error.headers)
        else:
            await self.answer(error.status, error.body, headers=error.headers)

    def require(self, method: str, content_type: str, accept: str = "") -> None:
        """Raises HTTPError 405, 415 or 406 unless the request is of that kind."""
        if self.request.method != method:
            raise HTTPError(405, "method_not_allowed", f"send it by {method}", headers=(("Allow", method),))
        given = self.request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if given != content_type:
            raise HTTPError(415, "unsupported_media_type", f"send Content-Type: {content_type}")
        if accept not in self.request.headers.get("accept", ""):
            raise HTTPError(406, "not_acceptable", f"send Accept: {accept}")

    async def begin(self, status: int, content_type: str, headers: Iterable[tuple[str, str]] = ()) -> None:
        """The head. Without a Content-Length among `headers` the body is chunked."""
        self.status = status
        await self._write(
            self._http.send(
                h11.Response(
                    status_code=status,
                    reason=http.HTTPStatus(status).phrase,
                    headers=[("Content-Type", content_type), *headers],
                )
            )
        )

    async def upgrade(self, headers: Iterable[tuple[str, str]], receive: Callable[[bytes], None]) -> None:
        """Leave HTTP (status 101): from here on `write` and `receive` are the connection itself."""
        self.status = 101
        self.receive = receive
        await self._write(self._http.send(h11.InformationalResponse(status_code=101, headers=list(headers))))

    async def write(self, data: bytes) -> None:
        """Bytes to the wire, after `upgrade`. Raises as `send` does."""
        await self._write(data)

    def write_now(self, data: bytes) -> None:
        """Bytes to the wire that no cut counts, after `upgrade`."""
        self._writer.write(data)

    def hang_up(self) -> None:
        """End the connection in order (FIN)."""
        self._writer.close()

    async def send(self, data: bytes) -> None:
        """A part of the body, on the wire when this returns.

        Raises Dropped where the answer was to be cut in it, ConnectionError where the client has gone.
        """
        step = self.pieces or len(data) or 1
        for start in range(0, len(data), step):
            await self._send_chunk(data[start : start + step])

    async def end(self) -> None:
        """The end of a whole answer."""
        await self._write(self._http.send(h11.EndOfMessage()))

    async def drop(self, how: Ending, *, whole: bool = False) -> NoReturn:
        """Break the answer off now. Always raises Dropped, with `whole` as it was given."""
        transport = self._writer.transport
        if how == "end":
            self._cut = None
            await self.end()
        else:
            # Nothing wakes one when the last byte has left the process; `drain` does so earlier.
            while transport.get_write_buffer_size() and not transport.is_closing():
                await asyncio.sleep(0.001)
            if how == "rst":
                await asyncio.sleep(RST_DELAY)
                reset(transport)
            else:
                self._writer.close()
        raise Dropped(self.body_sent, whole)

    async def _send_chunk(self, data: bytes) -> None:
        if self._cut is not None and self._cut[0] == "end" and self.body_sent + len(data) >= self._cut[1]:
            data = data[: self._cut[1] - self.body_sent]
            if data:
                await self._write(self._http.send(h11.Data(data)), data)
            await self.drop("end")
        await self._write(self._http.send(h11.Data(data)), data)
        if self.pieces:
            await asyncio.sleep(0)

    async def _write(self, wire: bytes | None, body: bytes = b"") -> None:
        wire = wire or b""
        if self._cut is not None and self._cut[0] != "end" and self._sent + len(wire) >= self._cut[1]:
            how, at = self._cut
            room = at - self._sent
            framing = len(wire) - len(body)
            before_body = max(framing - 2, 0) if body else framing
            self.body_sent += min(max(room - before_body, 0), len(body))
            self._writer.write(wire[:room])
            await self.drop(how, whole=room == len(wire))
        self._writer.write(wire)
        self._sent += len(wire)
        self.body_sent += len(body)
        await self._writer.drain()
        if self._writer.transport.is_closing():
            raise ConnectionResetError("the client has gone")


Handler = Callable[[Exchange], Awaitable[None]]


class HTTPServer:
    """A server on `host` whose requests go to `handler`.

    counts  connections, refused_connections (over `max_connections`), bad_requests
    """

    def __init__(
        self,
        handler: Handler,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        max_connections: int = MAX_CONNECTIONS,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._handler = handler
        self._port = Port(host, port)
        self._max_connections = max_connections
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._again: asyncio.TimerHandle | None = None
        self._listening: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def url(self) -> str:
        return f"http://{self._port.host}:{self._port.number}"

    async def listen(self) -> None:
        """Take connections. Nothing happens where it already does."""
        if self._server is None:
            listener = self._port.listener()
            self._server = await asyncio.start_server(self._serve, sock=listener, limit=_READ)

    def refuse(self, seconds: float | None = None) -> None:
        """Refuse new connections for so long, or until `listen`; those that stand are left alone."""
        if self._again is not None:
            self._again.cancel()
            self._again = None
        if self._server is not None:
            self._server.close()
            self._server = None
        if seconds is not None:
            self._again = asyncio.get_running_loop().call_later(seconds, self._listen_again)

    async def close(self) -> None:
        """Refuse, and end every connection. Idempotent."""
        self._closed = True
        self.refuse()
        if self._listening is not None:
            self._listening.cancel()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        self._port.close()

    def _listen_again(self) -> None:
        self._again = None
        self._listening = asyncio.ensure_future(self.listen())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.counts["connections"] += 1
        if self._closed:  # it was accepted just before
            reset(writer.transport)
            return
        if len(self._connections) >= self._max_connections:
            self.counts["refused_connections"] += 1
            writer.close()
            return
        self._connections.add(task)
        try:
            await self._converse(reader, writer)
        except (ConnectionError, Dropped, TimeoutError):
            pass  # either side ended it, and the handler has said so where it matters
        except asyncio.CancelledError:
            reset(writer.transport)  # a server that is closed leaves no connection in TIME_WAIT
        finally:
            self._connections.discard(task)
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
        while True:
            try:
                request = await asyncio.wait_for(_read_request(connection, reader, writer), KEEP_ALIVE)
            except h11.RemoteProtocolError as error:
                self.counts["bad_requests"] += 1
                await _refuse(connection, writer, error.error_status_hint)
                return
            if request is None:
                return
            await self._handle(Exchange(request, connection, writer), connection, reader)
            if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
                return
            connection.start_next_cycle()

    async def _handle(self, exchange: Exchange, connection: h11.Connection, reader: asyncio.StreamReader) -> None:
        """Run the handler, and cancel it when the client hangs up."""
        work = asyncio.ensure_future(self._handler(exchange))
        watch = asyncio.ensure_future(reader.read(_READ))
        try:
            while True:
                await asyncio.wait((work, watch), return_when=asyncio.FIRST_COMPLETED)
                if not watch.done():
                    break
                early = watch.result()
                if not early and not work.done():
                    raise ConnectionResetError("the client has gone")
                if exchange.receive is None:
                    connection.receive_data(early)  # the next request, early; what follows it waits in the socket
                    break
                if work.done():
                    break
                exchange.receive(early)
                watch = asyncio.ensure_future(reader.read(_READ))
            await work
        finally:
            for task in (work, watch):
                task.cancel()
            await asyncio.gather(work, watch, return_exceptions=True)


async def _read_request(
    connection: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> Request | None:
    """The next request, or None where the client ends before one begins."""
    head: h11.Request | None = None
    body = bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            if connection.they_are_waiting_for_100_continue:
                writer.write(connection.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")
            connection.receive_data(await reader.read(_READ))
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > MAX_BODY:
                raise h11.RemoteProtocolError("body too large", error_status_hint=413)
        elif isinstance(event, h11.EndOfMessage):
            assert head is not None
            return _request(head, bytes(body))
        else:  # ConnectionClosed
            return None


def _request(head: h11.Request, body: bytes) -> Request:
    path, _, query = head.target.decode("latin-1").partition("?")
    headers: dict[str, str] = {}
    for raw_name, raw_value in head.headers:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return Request(head.method.decode("latin-1"), path, query, headers, body)


async def _refuse(connection: h11.Connection, writer: asyncio.StreamWriter, status: int) -> None:
    if connection.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
        return
    writer.write(
        (connection.send(h11.Response(status_code=status, headers=[("Content-Length", "0")])) or b"")
        + (connection.send(h11.EndOfMessage()) or b"")
    )
    await writer.drain()
