"""One agent desktop's connection: it sends the messages and takes what confirms them.

Rules
- One connection and one writer a desktop, on the reactor's thread. It knows no other desktop.
- A connection that is lost, or on which nothing is confirmed for `confirm_timeout`, is made again, with
  full-jitter back-off, for as long as the job runs. `reconnect_max` and `hello_timeout` together are less than 2 s: no
  message is later than that once the desktop takes connections again.
- A desktop that has ever acknowledged is taken at its acknowledgements from the first message on ("auto").
- What a desktop says is never trusted: only acknowledgements of what may have been sent to it count.
- Customers' text and the URL's secrets stay out of logs and errors.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Sequence
from typing import Literal

import msgspec
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from connectors.delivery.entry import Entry
from connectors.delivery.ledger import Ledger
from connectors.delivery.outbox import Counts
from connectors.delivery.presence import Presence
from connectors.delivery.settings import DesktopSettings
from connectors.errors import TokenweirError
from connectors.websocket import ClientConnection, connect, is_redirect, open_soon

log = logging.getLogger(__name__)
_wire_log = logging.getLogger(f"{__name__}.wire")
_wire_log.setLevel(logging.WARNING)  # below that, websockets logs what goes over the wire: customers' text

HELLO_TURNS = 1_000
MAX_SAID = 1024 * 1024
PINGED_TOGETHER = 32
SILENT_AFTER = 16
"""Messages confirmed by pongs after which a desktop that acknowledged none of them is taken for one that does not."""
CLOSE_TIMEOUT = 1.0
STEADY_AFTER = 1.0


class DesktopStatus(msgspec.Struct, frozen=True):
    """A desktop at one moment.

    error  why it is not connected, if it is not
    since  when it was connected, or else was last: wall clock, microseconds
    """

    connected: bool
    connections: int
    pending: int
    under_way: int
    error: str
    counts: Counts
    since: int = 0


class _Ack(msgspec.Struct, frozen=True, tag="ack", tag_field="type"):
    session_id: str
    turn: int
    seq: int


class _Last(msgspec.Struct, frozen=True):
    session_id: str
    turn: int
    seq: int


class _Hello(msgspec.Struct, frozen=True, tag="hello", tag_field="type"):
    last: list[_Last] = []


class _Text(msgspec.Struct, frozen=True):
    text: str


_decode_said = msgspec.json.Decoder(_Ack | _Hello).decode
_decode_text = msgspec.json.Decoder(_Text).decode


class DesktopConnection:
    """One desktop's connection, for as long as the job runs. All of it runs on the reactor's thread."""

    def __init__(self, name: str, settings: DesktopSettings, ledger: Ledger) -> None:
        self.settings = settings
        self.presence = Presence(name, settings.address, lambda: ledger.waiting(name))
        self._name = name
        self._ledger = ledger
        self._acknowledging = settings.confirm == "ack"
        if self._may_acknowledge and ledger.acknowledges(name):
            self._acknowledging = True
            ledger.let_acknowledge(name)
        self._answers_hello = True  # until it does not
        self._asked = False  # on this connection, and not answered yet
        self._unasked: list[Entry] = []  # sent since the last ping
        self._ponged = 0
        self._news = asyncio.Event()
        self._settled = asyncio.Event()
        self._answered = asyncio.Event()
        self._hurry = asyncio.Event()
        self._draining = False
        self._begun = 0.0
        self._last_progress = 0.0

    def wake(self) -> None:
        """There is something new to send."""
        self._news.set()

    def status(self, pending: int) -> DesktopStatus:
        here, under_way, counts = self.presence, self._ledger.under_way(self._name), self._ledger.counts(self._name)
        return DesktopStatus(here.connected, here.connections, pending, under_way, here.error, counts, here.since)

    async def drain(self) -> None:
        """Wait until nothing is pending, at most `drain_timeout`; reconnects come quickly until then."""
        self._draining = True
        self._hurry.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.settings.drain_timeout):
                while self._ledger.waiting(self._name):
                    self._settled.clear()
                    await self._settled.wait()

    async def run(self) -> None:
        """Connect, serve, and begin again, until cancelled."""
        failures = 0
        while True:
            self._last_progress = 0.0
            self.presence.begin()
            try:
                await self._connect_and_serve()
            except Exception as error:  # whatever it is, this desktop's messages must get another chance
                self.presence.fail(_reason(error, self._name))
            finally:
                self.presence.disconnect()
                self._ledger.disconnect(self._name)
            failures = 0 if self.presence.is_there else min(failures + 1, 32)
            await self._pause(0 if self._draining else max(0, failures - 1))

    async def _pause(self, doublings: int) -> None:
        bound = min(self.settings.reconnect_max, self.settings.reconnect_min * 2.0**doublings)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(random.uniform(0, bound)):
                await self._hurry.wait()
                self._hurry.clear()

    async def _connect_and_serve(self) -> None:
        socket = await open_soon(self._connect, self.settings.reconnect_max)
        self.presence.connect()
        steady = asyncio.get_running_loop().call_later(STEADY_AFTER, self.presence.stand)
        tasks = [asyncio.create_task(self._listen(socket)), asyncio.create_task(self._write(socket))]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        except TimeoutError:
            self.presence.doubt()
            socket.transport.abort()  # it does not answer: no use in saying goodbye
            raise TimeoutError(self._confirmed_nothing()) from None
        finally:
            steady.cancel()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await socket.close()

    def _connect(self) -> connect:
        settings = self.settings
        headers = {"Authorization": settings.authorization.reveal()} if settings.authorization else None
        return connect(
            settings.url,
            additional_headers=headers,
            compression=None,  # sentences are short, and latency counts
            open_timeout=settings.connect_timeout,
            ping_interval=settings.ping_interval or None,
            ping_timeout=settings.ping_timeout,
            close_timeout=CLOSE_TIMEOUT,
            max_size=MAX_SAID,
            logger=_wire_log,
        )

    def _confirmed_nothing(self) -> str:
        why = f"confirmed nothing for {self.settings.confirm_timeout:g} s"
        if self._acknowledging and self.settings.confirm == "auto":
            why += f'; it has acknowledged before: if it no longer does, set desktops.{self._name}.confirm = "pong"'
        return why

    # Out

    async def _write(self, socket: ClientConnection) -> None:
        self._asked = False
        self._unasked = []
        if self._may_ask:
            await self._say_hello(socket, wait=self._answers_hello)
            self._answers_hello = not self._asked
        while True:
            self._news.clear()
            entry = self._ledger.take(self._name)
            if entry is not None:
                await self._send(socket, entry)
            elif self._unasked:
                async with asyncio.timeout(self.settings.confirm_timeout):  # what is not read holds up a ping, too
                    await self._ping(socket)
            else:
                await self._wait_for_news(socket)

    async def _send(self, socket: ClientConnection, entry: Entry) -> None:
        text = self.settings.format == "text"
        payload = _decode_text(entry.body).text.encode() if text else entry.body
        if not payload:
            self._settle(entry, "skipped")
            return
        if self._ledger.under_way(self._name) == 1:
            self._begun = asyncio.get_running_loop().time()
        async with asyncio.timeout(self.settings.confirm_timeout):
            await socket.send(payload, text=True)
            if self._acknowledging:
                return
            if self.settings.confirm == "none":
                self._settle(entry, "unconfirmed")
                await asyncio.sleep(0)  # a send need not yield, and other desktops wait
            else:
                self._unasked.append(entry)
                if len(self._unasked) == PINGED_TOGETHER:
                    await self._ping(socket)

    async def _ping(self, socket: ClientConnection) -> None:
        """Ask for a pong: it confirms all that was sent before it."""
        sent, self._unasked = self._unasked, []
        pong = asyncio.ensure_future(await socket.ping())
        pong.add_done_callback(lambda done: self._confirm(sent) if _came(done) else None)

    def _confirm(self, sent: Sequence[Entry]) -> None:
        for entry in sent:
            self._settle(entry, "pong")
        before, self._ponged = self._ponged, self._ponged + len(sent)
        if before < SILENT_AFTER <= self._ponged and self.settings.format == "json":
            self._ledger.let_sessions_pass(self._name)

    async def _wait_for_news(self, socket: ClientConnection) -> None:
        """Raises TimeoutError when nothing was confirmed for too long.

        A desktop that acknowledges only now and then may wait for more while `in_flight` has no room: it is asked.
        """
        if not self._ledger.under_way(self._name):
            await self._news.wait()
            return
        if self._ledger.has_no_room(self._name) and self._may_ask and not self._asked:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.settings.hello_timeout):
                    await self._news.wait()
                return
            await self._say_hello(socket, wait=True)
            if self._news.is_set():
                return
        async with asyncio.timeout_at(max(self._begun, self._last_progress) + self.settings.confirm_timeout):
            await self._news.wait()

    @property
    def _may_ask(self) -> bool:
        return self._acknowledging and self.settings.hello_timeout > 0

    async def _say_hello(self, socket: ClientConnection, *, wait: bool) -> None:
        """Ask for the last of every turn that is in doubt, so that little is sent twice.

        An answer that does not come in time, or is not waited for, counts whenever it comes: on a connection that has
        messages unread before the question, it takes as long as they do.
        """
        turns = self._ledger.doubts(self._name, HELLO_TURNS)
        if not turns:
            return
        self._asked = True
        self._answered.clear()
        asked = [{"session_id": session_id, "turn": turn} for session_id, turn in turns]
        await socket.send(msgspec.json.encode({"type": "hello", "turns": asked}), text=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.settings.hello_timeout if wait else 0):
                await self._answered.wait()

    # In

    async def _listen(self, socket: ClientConnection) -> None:
        async for said in socket:
            self._take_said(said)
        raise ConnectionResetError("closed by the desktop")

    @property
    def _may_acknowledge(self) -> bool:
        return self.settings.format == "json" and self.settings.confirm in ("auto", "ack")

    def _take_said(self, said: str | bytes) -> None:
        if not self._may_acknowledge:
            return
        try:
            message = _decode_said(said)
        except (msgspec.DecodeError, RecursionError):
            self._ledger.counts(self._name).not_understood += 1
            return
        for last in [message] if isinstance(message, _Ack) else message.last:
            self._acknowledge(last)
        if isinstance(message, _Hello):
            self._answers_hello, self._asked = True, False
            self._answered.set()

    def _acknowledge(self, last: _Ack | _Last) -> None:
        name = self._name
        if not self._acknowledging and self._ledger.knows(name, last.session_id, last.turn, last.seq):
            self._acknowledging = True
            self._ledger.let_acknowledge(name)
        if self._ledger.acknowledge(name, last.session_id, last.turn, last.seq):
            self._progress()

    def _settle(self, entry: Entry, how: Literal["pong", "unconfirmed", "skipped"]) -> None:
        self._ledger.settle(self._name, entry, how)
        self._progress()

    def _progress(self) -> None:
        self._last_progress = asyncio.get_running_loop().time()
        self._news.set()
        self._settled.set()
        self.presence.prove()


def _came(pong: asyncio.Future[float]) -> bool:
    """Whether it came, and not the connection's end."""
    return not pong.cancelled() and pong.exception() is None


def _reason(error: Exception, name: str) -> str:
    """Why a connection failed, in words that hold nothing the desktop or a customer wrote."""
    match error:
        case TokenweirError():
            return str(error)
        case ConnectionClosed():
            return f"connection lost (code {error.rcvd.code if error.rcvd else 1006})"
        case InvalidStatus() if is_redirect(error.response.status_code):
            return (
                f"answered with a redirect (HTTP {error.response.status_code}), and none is followed; "
                f"set desktops.{name}.url to where it is now"
            )
        case InvalidStatus():
            return f"refused with HTTP {error.response.status_code}"
        case TimeoutError():
            return str(error) or "timed out"
        case OSError():
            return error.strerror or str(error) or type(error).__name__
        case WebSocketException():
            return f"not a WebSocket that works ({type(error).__name__})"
    log.error("unexpected while delivering", exc_info=error)
    return f"unexpected {type(error).__name__}"
