"""A real browser's EventSource: it loses its connection in the middle, and ends with the whole text, once."""

from __future__ import annotations

import asyncio
import contextlib
import json
import queue
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from connectors.reactor import Reactor
from tests.callers import serving, until
from tests.conftest import OtherSide, corpus_of
from tests.test_frontend import connected, read_until, send

Start = Callable[..., OtherSide]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--no-first-run",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--disable-component-update",
    "--disable-background-networking",
    "--remote-debugging-port=0",
]
SENTENCES = [f"This is sentence {number} of them,\nand\r\nit has lines. " for number in range(12)]
WHOLE = "".join(SENTENCES).replace("\r\n", "\n").rstrip()

PAGE = """<!doctype html><title>reads a stream</title><script>
const told = {tokens: [], done: [], errors: [], opens: 0, losses: 0};
const source = new EventSource(%s);
source.onopen = () => { told.opens += 1; };
source.addEventListener("token", (event) => told.tokens.push(event.data));
source.addEventListener("done", (event) => told.done.push(event.data));
source.addEventListener("error", (event) => {
  if (event.data !== undefined) { told.errors.push(event.data); return; }
  told.losses += 1;
  if (source.readyState === EventSource.CLOSED) fetch("/told", {method: "POST", body: JSON.stringify(told)});
});
</script>"""


class Page:
    """Serves one page, and takes what it has to tell."""

    def __init__(self) -> None:
        self.stream_url = ""
        self.told: queue.Queue[dict[str, Any]] = queue.Queue()
        page = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = (PAGE % json.dumps(page.stream_url)).encode() if self.path == "/" else b""
                self.send_response(200 if body else 404)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                page.told.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Keep quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Page:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class CuttingProxy:
    """A TCP proxy that cuts the first connection once `mark` has passed through it to the caller.

    half  the caller's side alone: the server is not told
    """

    def __init__(self, port: int, mark: bytes, *, half: bool = False) -> None:
        self.requests: list[bytes] = []
        self.cuts = 0
        self._port = port
        self._mark = mark
        self._half = half
        self._kept: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server | None = None

    async def start(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._kept:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", self._port)
        up = asyncio.create_task(self._pass_up(reader, upstream_writer))
        try:
            await self._pass_down(upstream_reader, writer)
        except ConnectionError:
            pass
        finally:
            up.cancel()
            if self._half and not self._kept and self.cuts:
                self._kept.append(upstream_writer)
            else:
                upstream_writer.transport.abort()
            writer.close()

    async def _pass_up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65_536):
                self.requests.append(data)
                writer.write(data)
            if not self._half:
                writer.close()

    async def _pass_down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        passed = b""
        while data := await reader.read(65_536):
            passed += data
            if not self.cuts and self._mark in passed:
                self.cuts += 1
                end = data.rfind(b"data:") + 7  # in the middle of an event
                writer.write(data[:end])
                await writer.drain()
                writer.transport.close()
                return
            writer.write(data)
            await writer.drain()


@contextlib.contextmanager
def browsing(url: str, profile: Path) -> Iterator[None]:
    assert CHROMIUM is not None
    command = [CHROMIUM, *OPTIONS, f"--user-data-dir={profile}", url]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt-get install chromium")
def test_a_browser_that_is_cut_off_reads_the_whole_text_once(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(SENTENCES), speed=1, token_interval=0.05)
    reactor = Reactor()
    with Page() as page, serving(side, tmp_path / "data", {"allowed_origins": [page.url]}) as service:
        direct = urlsplit(service.address).port
        assert direct is not None
        proxy = CuttingProxy(direct, b"sentence 4")
        try:
            port = reactor.run(proxy.start())
            page.stream_url = service.stream_url("browser-1").replace(f":{direct}/", f":{port}/")
            with browsing(page.url, tmp_path / "profile"):
                told = page.told.get(timeout=60)
            reactor.run(proxy.close())
        finally:
            reactor.close()
        turns = service.job.outcomes.total()
    assert proxy.cuts == 1
    assert "".join(told["tokens"]).rstrip() == WHOLE
    assert [each.rstrip() for each in told["done"]] == [WHOLE]
    assert told["errors"] == []
    assert (told["opens"], told["losses"]) == (2, 3)  # lost to the cut, to the end of the stream, and to the 204
    resumed = [request for request in proxy.requests if b"last-event-id: browser-1/0/" in request.lower()]
    assert len(resumed) == 2
    assert (turns, side.gateway.counts["starts"]) == (1, 1)


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt-get install chromium")
def test_a_browser_whose_dead_connection_fills_the_house_reads_on_in_its_place(
    other_side: Start, tmp_path: Path
) -> None:
    side, reactor = other_side(corpus_of(SENTENCES), "stall=inf@8"), Reactor()
    settings = {"max_callers": 1, "send_timeout": 600.0, "idle_timeout": 0, "overall_timeout": 0}
    with Page() as page, serving(side, tmp_path / "data", {"allowed_origins": [page.url], **settings}) as service:
        direct = urlsplit(service.address).port
        assert direct is not None
        proxy = CuttingProxy(direct, b"sentence 4", half=True)
        try:
            port = reactor.run(proxy.start())
            page.stream_url = service.stream_url("browser-1").replace(f":{direct}/", f":{port}/")
            with browsing(page.url, tmp_path / "profile"):
                until(lambda: service.frontend.hub.counts["replaced"] == 1)
                until(lambda: service.frontend.hub.counts["shown"] >= 6)
                assert service.ask("DELETE", "/sessions/browser-1").status_code == 204
                told = page.told.get(timeout=60)
            reactor.run(proxy.close())
        finally:
            reactor.close()
    assert proxy.cuts == 1
    assert told["errors"] == ["The request was cancelled."]
    said = "".join(told["tokens"])
    assert "sentence 5" in said
    assert WHOLE.startswith(said.rstrip())


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt-get install chromium")
def test_a_browser_that_finds_no_place_comes_again_until_there_is_one(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of({"s": SENTENCES, "long": SENTENCES}), {"long": "stall=inf@3"})
    with Page() as page, serving(side, tmp_path / "data", {"allowed_origins": [page.url], "max_callers": 1}) as service:
        page.stream_url = service.stream_url("browser-1")
        with contextlib.ExitStack() as held:
            other = held.enter_context(connected(service))
            send(other, service.stream_url("other", stream="long"))
            read_until(other, b"id: other/0/-1")
            with browsing(page.url, tmp_path / "profile"):
                until(lambda: service.frontend.hub.counts["refused"] >= 2)
                held.close()
                told = page.told.get(timeout=60)
    assert [each.rstrip() for each in told["done"]] == [WHOLE]
    assert told["errors"] == []
    assert told["opens"] >= 3
