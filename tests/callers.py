"""What the front end's tests share: a service that runs in this process, and callers of it over real sockets."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlencode

import httpx
import msgspec

from connectors.frontend.server import Frontend
from connectors.job.job import Job
from connectors.log.records import Record
from connectors.sse import Event, SSEDecoder
from flows import cxone
from flows.live import LiveJob
from tests.conftest import OtherSide

Headers: TypeAlias = Mapping[str, str] | None

WITHIN = 30.0


class Service:
    """A live job that serves callers."""

    def __init__(self, live: LiveJob, side: OtherSide) -> None:
        self.live = live
        self.side = side

    @property
    def frontend(self) -> Frontend:
        assert self.live.frontend is not None
        return self.live.frontend

    @property
    def job(self) -> Job:
        assert self.live.source.job is not None
        return self.live.source.job

    @property
    def address(self) -> str:
        return self.frontend.address

    def stream_url(self, session_id: str, stream: str = "s", **more: str) -> str:
        fields = {"session_id": session_id, "dialog_id": "d-1", "prompt": f"stream {stream}", **more}
        return f"{self.address}/stream?{urlencode(fields)}"

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        """One request whose answer is not a stream. `path` may be a whole URL."""
        url = path if path.startswith("http") else self.address + path
        with httpx.Client(verify=False, trust_env=False, timeout=WITHIN) as client:
            return client.request(method, url, **options)

    def outcome(self, session_id: str, turn: int = 0) -> tuple[str, str | None] | None:
        """The reason that a turn's close was logged with, and the kind of the last error before it."""
        kind = None
        path = sorted(self.live.source.folder.glob("*.jsonl"))[-1]
        for line in path.read_text(encoding="utf-8").splitlines()[1:]:
            record = msgspec.json.decode(line, type=Record)
            if (record.s, record.n) == (session_id, turn) and isinstance(record.d, dict):
                if record.k == "error":
                    kind = record.d["kind"]
                elif record.k == "close":
                    return record.d["reason"], kind
        return None


@contextmanager
def serving(
    side: OtherSide, data_dir: Path, frontend: dict[str, Any] | None = None, **sections: Any
) -> Iterator[Service]:
    """A service over the simulated vendor, for as long as the block runs; `frontend` are settings of that name."""
    extra = sections.pop("extra", None)
    settings = side.settings(data_dir, frontend={"port": 0, "retry": 0.05, **(frontend or {})}, **sections)
    live = cxone.job(settings, serve=True, extra=extra)
    failed: list[BaseException] = []

    def run() -> None:
        try:
            live.run()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run, name="service")
    thread.start()
    service = Service(live, side)
    try:
        until(lambda: bool(service.address) or bool(failed))
        assert not failed, failed
        yield service
    finally:
        live.source.stop()
        thread.join(WITHIN)
    assert not failed, failed


def until(condition: Callable[[], Any], within: float = WITHIN) -> None:
    """Return when it holds. Fails after `within` seconds."""
    end = time.monotonic() + within
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.005)


@asynccontextmanager
async def caller() -> AsyncIterator[httpx.AsyncClient]:
    """A client with as many connections as are wanted."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    async with httpx.AsyncClient(verify=False, trust_env=False, timeout=WITHIN, limits=limits) as client:
        yield client


async def events(
    client: httpx.AsyncClient, url: str, last_event_id: str = "", headers: Headers = None
) -> AsyncGenerator[Event, None]:
    """The events of a stream as they come, to its end. Fails unless it is one."""
    headers = {**(headers or {}), **({"Last-Event-ID": last_event_id} if last_event_id else {})}
    decoder = SSEDecoder()
    async with client.stream("GET", url, headers=headers) as answer:
        assert answer.status_code == 200, await answer.aread()
        assert answer.headers["content-type"].startswith("text/event-stream")
        async for chunk in answer.aiter_raw():
            for event in decoder.feed(chunk):
                yield event


def listen(url: str, last_event_id: str = "", *, count: int | None = None, headers: Headers = None) -> list[Event]:
    """The events of one stream: all of them, or the first `count`, after which the caller hangs up."""

    async def run() -> list[Event]:
        heard: list[Event] = []
        async with caller() as client:
            stream = events(client, url, last_event_id, headers)
            async for event in stream:
                heard.append(event)
                if len(heard) == count:
                    break
            await stream.aclose()
        return heard

    return asyncio.run(run())


def shown(heard: list[Event]) -> str:
    return "".join([event.data for event in heard if event.event == "token"])


def descriptors() -> int:
    """Open file descriptors of this process."""
    return len(os.listdir("/proc/self/fd"))
