"""The agent desktops: Bytewax's way out to them.

Rules
- A message is stored before a desktop's connection is woken, and sent until it is confirmed (base.py);
  docs/delivery.md says what each kind of desktop is promised.
- An orderly end drains for `drain_timeout`; the rest stays stored, and `failure` says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from connectors.delivery.base import StoringSink
from connectors.delivery.connection import CLOSE_TIMEOUT, DesktopConnection, DesktopStatus
from connectors.delivery.journal import SEGMENT_BYTES, Journal
from connectors.delivery.ledger import ENDED_FOR, Ledger
from connectors.delivery.outbox import Counts
from connectors.delivery.settings import DesktopSettings
from connectors.errors import DeliveryError
from connectors.log.records import Message
from connectors.reactor import Reactor

Addressed: TypeAlias = tuple[str, Message]


class DesktopConnections:
    """The connections to all desktops: what empties their outboxes."""

    def __init__(self, desktops: Mapping[str, DesktopSettings]) -> None:
        self.connections: dict[str, DesktopConnection] = {}
        self._desktops = desktops
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, ledger: Ledger) -> None:
        self.connections = {
            name: DesktopConnection(name, settings, ledger) for name, settings in self._desktops.items()
        }
        self._tasks = [asyncio.create_task(connection.run()) for connection in self.connections.values()]

    def wake(self, receivers: set[str]) -> None:
        for name in receivers:
            self.connections[name].wake()

    async def stop(self) -> None:
        await asyncio.gather(*(connection.drain() for connection in self.connections.values()))
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=CLOSE_TIMEOUT * 2)


class DesktopSink(StoringSink[Addressed, DesktopConnections]):
    """Delivers `(key, [(desktop's name, message), …])` to the desktops.

    desktops      by name; a message for another name goes nowhere: it is counted as `unknown_desktop`, and told as such
    directory, lane, reactor, lanes            see StoringSink
    segment_bytes, on_full, unread             see Journal
    ended_for, on_pressure                     see Ledger

    After an orderly end, `undelivered` and `failure` tell what is left.
    """

    def __init__(
        self,
        desktops: Mapping[str, DesktopSettings],
        directory: Path,
        lane: str,
        reactor: Reactor | Callable[[], Reactor],
        *,
        lanes: Sequence[str] = (),
        ended_for: float = ENDED_FOR,
        segment_bytes: int = SEGMENT_BYTES,
        on_full: Callable[[], bool] | None = None,
        unread: Callable[[], int | None] = lambda: None,
        on_pressure: Callable[[frozenset[str]], object] | None = None,
    ) -> None:
        super().__init__(
            directory, lane, reactor, lanes=lanes, segment_bytes=segment_bytes, on_full=on_full, unread=unread
        )
        self._desktops = dict(desktops)
        self._ended_for = ended_for
        self._on_pressure = on_pressure

    def open(self, journal: Journal) -> tuple[Ledger, DesktopConnections]:
        ledger = Ledger(
            journal,
            {name: settings.outbox() for name, settings in self._desktops.items()},
            ended_for=self._ended_for,
            on_pressure=self._on_pressure,
        )
        return ledger, DesktopConnections(self._desktops)

    def named(self, item: Addressed) -> Addressed:
        return item

    @property
    def pressure(self) -> frozenset[str]:
        """The desktops whose backlog has passed its bound. Safe from any thread."""
        return self._ledger.pressed if self._ledger else frozenset()

    @property
    def unknown_desktop(self) -> int:
        """Messages for desktops that the settings lack."""
        return self._ledger.unknown_desktop if self._ledger else 0

    @property
    def unencodable(self) -> int:
        """Messages that cannot be written as JSON, and were left out."""
        return self._ledger.unencodable if self._ledger else 0

    def status(self) -> dict[str, DesktopStatus]:
        """Every desktop at this moment. Safe from any thread."""
        if self._ledger is None or self._sender is None:
            return {}
        pending = self._ledger.pending
        return {name: desktop.status(pending[name]) for name, desktop in self._sender.connections.items()}

    def everyone(self) -> dict[str, DesktopStatus]:
        """The same, with those that nothing was sent to yet, and those that the settings lack. Safe from any thread."""
        nobody = DesktopStatus(False, 0, 0, 0, "not connected yet", Counts())
        if self._ledger is None or self._sender is None:
            return dict.fromkeys(self._desktops, nobody)
        ledger = self._ledger
        missing = {
            name: DesktopStatus(False, 0, pending, 0, "not in the settings", ledger.counts(name))
            for name, pending in ledger.pending.items()
            if name not in self._desktops
        }
        return self.status() | missing

    def failure(self) -> DeliveryError | None:
        """What an orderly end left behind, as the error to end with; None if everything was delivered."""
        if self._ledger is None or self._sender is None:
            return None
        left = []
        for name, pending in self._ledger.pending.items():
            if pending:
                connection = self._sender.connections.get(name)
                where = (
                    f" ({connection.settings.address}: {connection.presence.error or 'too slow'})"
                    if connection
                    else " (not in the settings)"
                )
                left.append(f"{pending} for {name!r}{where}")
        if not left:
            return None
        return DeliveryError(
            f"messages were not delivered: {', '.join(left)}; they are stored in {self._directory} "
            "and will be sent by the next run with the same --data-dir"
        )
