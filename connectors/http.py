"""The HTTP client: the one module that imports one, so that it stays replaceable.

Rules
- httpx on aiohttp's sockets: the cheapest way measured to read many paced streams.
- A stream is given as the network delivers it, has no time limit of its own (the idle timeout
  is the caller's), and all of it is given: what arrived before an abrupt end comes before its error.
- A clean end is the end the protocol announces; any other is `DisconnectedError`.
- TLS is always verified. Redirects are not followed, so no token goes where it was not sent.
  No cookies are kept: accounts that share a client share nothing.
- Error messages name host and port only: a path or query may hold what is secret.
- No compression is asked for. A proxy may use gzip all the same, which is read piece by piece, within bounds
  (connectors/gunzip.py); any other encoding is an error.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, ClassVar, Final, NoReturn, Self

import aiohttp
import httpx
import httpx_aiohttp
import msgspec

from connectors.errors import SettingsError, UpstreamError
from connectors.gunzip import Gunzip, GunzipError

Auth = httpx.Auth
"""Base of what signs requests: `async_auth_flow(request)` yields it and is sent the response."""

Request = httpx.Request
RawResponse = httpx.Response

MAX_BODY_BYTES: Final = 1 << 20


class HttpSettings(msgspec.Struct, frozen=True):
    """How to connect. HTTP_PROXY, HTTPS_PROXY, NO_PROXY and SSL_CERT_FILE are obeyed too.

    connect_timeout   seconds for a connection: a free place among them, name, TCP and TLS
    max_connections   open at once, streams included; one more waits for a place
    keepalive         seconds that an idle connection is kept for reuse
    ca_file           PEM file of the authorities to trust, "" for the usual ones
    """

    connect_timeout: float = 10.0
    max_connections: int = 1000
    keepalive: float = 30.0
    ca_file: str = ""


class HttpError(UpstreamError):
    """A request did not go as HTTP should. `kind` is the word that the log uses for it."""

    kind: ClassVar[str] = "protocol"


class ConnectError(HttpError):
    """No connection came about; the request was not sent."""

    kind = "connect"


class TlsError(ConnectError):
    """The server's certificate is not one we trust. Trying again will not help."""

    kind = "tls"


class RequestTimeoutError(HttpError):
    """A request took longer than it was given."""

    kind = "timeout"


class DisconnectedError(HttpError):
    """The connection broke before the answer's announced end."""

    kind = "disconnected"


class StatusError(HttpError):
    """An answer with a status that the caller cannot use. Raised by callers, never by `Client`.

    retry_after  the Retry-After header as it was sent; `backoff.parse_retry_after` reads it
    """

    kind = "status"

    def __init__(self, message: str, status: int, retry_after: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


class Response(msgspec.Struct, frozen=True):
    """A whole answer. `headers` takes names in any case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Stream:
    """An answer whose body still comes. `headers` takes names in any case."""

    def __init__(self, response: httpx.Response) -> None:
        self.status: int = response.status_code
        self.headers: Mapping[str, str] = response.headers
        self._response = response

    def chunks(self) -> AsyncIterator[bytes]:
        """The body, once, in the pieces in which it arrived. Raises HttpError."""
        encoding = self.headers.get("content-encoding", "identity").strip().lower()
        return self._response.aiter_raw() if encoding == "identity" else self._decoded(encoding)

    async def body(self, max_bytes: int = MAX_BODY_BYTES) -> bytes:
        """All of the body, for an answer that turned out not to be a stream. Raises HttpError."""
        whole = bytearray()
        async for chunk in self.chunks():
            whole += chunk
            if len(whole) > max_bytes:
                raise HttpError(f"{_host(self._response.request)} sent an answer of more than {max_bytes} bytes")
        return bytes(whole)

    async def _decoded(self, encoding: str) -> AsyncIterator[bytes]:
        """What gzip made of the body, in pieces with a turn for the other sockets after each."""
        host = _host(self._response.request)
        if encoding not in ("gzip", "x-gzip"):
            raise HttpError(f"{host} sent an answer in the encoding {encoding[:40]!r}, which was not asked for")
        gunzip = Gunzip()
        try:
            async for chunk in self._response.aiter_raw():
                for piece in gunzip.feed(chunk):
                    yield piece
                    await asyncio.sleep(0)
        except GunzipError as error:
            raise HttpError(f"{host} sent an answer that {error}") from None
        if not gunzip.ended:
            raise DisconnectedError(f"{host} ended its compressed answer in the middle")


class Client:
    """A pool of connections. Use it on one event loop; `aclose` it there, or use `async with`."""

    def __init__(self, settings: HttpSettings | None = None) -> None:
        settings = settings or HttpSettings()
        self._client = _HttpxClient(
            verify=_tls(settings.ca_file),
            limits=httpx.Limits(max_connections=settings.max_connections, keepalive_expiry=settings.keepalive),
            timeout=httpx.Timeout(None, connect=settings.connect_timeout, pool=settings.connect_timeout),
            headers={"User-Agent": "tokenweir", "Accept": "*/*"},
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            follow_redirects=False,
        )

    @contextlib.asynccontextmanager
    async def stream(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        json: object = None,
        auth: Auth | None = None,
    ) -> AsyncIterator[Stream]:
        """Send a request and give its answer once the headers are there; leaving closes it.

        `json` is sent as JSON, `content` as it is. Waits for the headers as long as it takes: put
        `asyncio.timeout` around it. Raises HttpError, and SettingsError for a URL that is none.
        """
        given = {"Accept-Encoding": "identity", **(headers or {})}
        if json is not None:
            content = msgspec.json.encode(json)
            given.setdefault("Content-Type", "application/json")
        try:
            request = self._client.build_request(method, url, headers=given, content=content)
        except httpx.InvalidURL:
            raise SettingsError(_NO_URL) from None
        response = await self._client.send(request, auth=auth, stream=True)
        try:
            yield Stream(response)
        finally:
            await response.aclose()

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        json: object = None,
        auth: Auth | None = None,
        within: float = 10.0,
        max_bytes: int = MAX_BODY_BYTES,
    ) -> Response:
        """Send a request and read its whole answer within so many seconds. Raises as `stream` does."""
        try:
            async with (
                asyncio.timeout(within),
                self.stream(method, url, headers=headers, content=content, json=json, auth=auth) as stream,
            ):
                return Response(stream.status, stream.headers, await stream.body(max_bytes))
        except TimeoutError:
            raise RequestTimeoutError(f"{httpx.URL(url).netloc.decode()} did not answer within {within:g} s") from None

    async def aclose(self) -> None:
        """Close every connection; streams that still run end with an error."""
        await self._client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


def base_url(value: str, setting: str) -> str:
    """`value` without a slash at its end. Raises SettingsError, naming `setting`, where it is no base URL."""
    try:
        url = httpx.URL(value)
        good = url.scheme in ("http", "https") and url.host and not (url.userinfo or url.query or url.fragment)
    except (httpx.InvalidURL, UnicodeError):
        good = False
    if not good:
        raise SettingsError(f"{setting} is {_NO_URL}")
    return value.rstrip("/")


_NO_URL: Final = "not an address: write https://host or http://host:port"


class _Body(httpx.AsyncByteStream):
    """A body straight from aiohttp's buffer."""

    def __init__(self, response: aiohttp.ClientResponse, request: httpx.Request) -> None:
        self._response = response
        self._request = request
        self._protocol = response.connection.protocol if response.connection else None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        content = self._response.content
        try:
            while chunk := await content.readany():
                yield chunk
            self._check_end()
        except (aiohttp.ClientError, aiohttp.http.HttpProcessingError, OSError) as error:
            # aiohttp puts an error before the bytes that arrived ahead of it; its buffer has them still.
            if rest := content._read_nowait(-1):
                yield rest
            _raise(error, self._request)

    def _check_end(self) -> None:
        """Where only the connection's end ends the body, aiohttp takes a reset for it too."""
        headers = self._response.headers
        if "Content-Length" in headers or "Transfer-Encoding" in headers or self._protocol is None:
            return
        error = self._protocol.exception()
        if isinstance(error, aiohttp.ClientOSError):
            raise error

    async def aclose(self) -> None:
        self._response.close()


class _Transport(httpx_aiohttp.AiohttpTransport):
    """httpx-aiohttp's, with our body, our errors and no cookies."""

    def get_client(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            limit=self.limits.max_connections or 0,
            keepalive_timeout=self.limits.keepalive_expiry or 0,
            ssl=self.ssl_context,
        )
        return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            response = await super().handle_async_request(request)
        except (httpx.TransportError, aiohttp.ClientError, OSError) as error:
            _raise(error.__cause__ or error, request)
        assert isinstance(response.stream, httpx_aiohttp.transport.AiohttpResponseStream)
        response.stream = _Body(response.stream._aiohttp_response, request)
        return response


class _HttpxClient(httpx_aiohttp.HttpxAiohttpClient):
    """The hooks by which httpx-aiohttp itself puts its transport in, for proxies too."""

    def _init_transport(self, *args: Any, **kwargs: Any) -> httpx.AsyncBaseTransport:
        return _Transport(*args, **kwargs)

    def _init_proxy_transport(self, proxy: httpx.Proxy, *_: Any, **kwargs: Any) -> httpx.AsyncBaseTransport:
        return _Transport(proxy=proxy, **kwargs)


def _raise(error: BaseException, request: httpx.Request) -> NoReturn:
    """Raise our word for an error of the libraries below, without theirs: some quote what was received."""
    host = _host(request)
    match error:
        case aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError():
            raise SettingsError(_NO_URL) from None
        case aiohttp.ClientConnectorCertificateError():
            why = getattr(error.certificate_error, "verify_message", "") or "not valid"
            raise TlsError(f"the certificate of {host} is not trusted ({why}): see ca_file") from None
        case aiohttp.ClientSSLError():
            raise TlsError(f"{host} does not speak TLS as we do: check http or https, and the port") from None
        case aiohttp.ClientConnectorError():
            raise ConnectError(f"cannot connect to {host}: {_reason(error.os_error)}") from None
        case aiohttp.ClientHttpProxyError():
            raise ConnectError(f"the proxy on the way to {host} refused: status {error.status}") from None
        case aiohttp.ServerTimeoutError() | TimeoutError():
            raise ConnectError(f"cannot connect to {host}: no connection in time") from None
        case aiohttp.ClientConnectionError() | aiohttp.ClientPayloadError() | OSError():
            raise DisconnectedError(f"{host} broke the connection off") from None
        case _:
            raise HttpError(f"{host} does not answer as HTTP should") from None


def _reason(error: OSError) -> str:
    if isinstance(error, socket.gaierror) or not error.errno:
        return error.strerror or type(error).__name__
    return os.strerror(error.errno)


def _host(request: httpx.Request) -> str:
    return request.url.netloc.decode()


def _tls(ca_file: str) -> ssl.SSLContext:
    if not ca_file:
        return httpx.create_ssl_context()
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError):
        raise SettingsError(f"ca_file {ca_file!r} cannot be read as PEM certificates") from None
