"""The variables of Cognigy.AI's dialogs: Bytewax's way out to them. How they are posted: variables.py.

Rules
- An update is stored before the writer is woken, and posted until a 2xx is recorded, or it is given up (base.py of
  connectors/delivery).
- An orderly end drains for `drain_timeout`; the rest stays stored, and `failure` says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from connectors.delivery.base import StoringSink
from connectors.delivery.journal import SEGMENT_BYTES, Journal
from connectors.delivery.ledger import Ledger
from connectors.delivery.outbox import Outbox
from connectors.errors import DeliveryError
from connectors.log.records import Summary
from connectors.reactor import Reactor
from connectors.vendors.cognigy.account import CognigyAccount
from connectors.vendors.cognigy.settings import DialogSettings
from connectors.vendors.cognigy.variables import TO, OnDeadLetter, StoredUpdate, VariablesWriter


class DialogSink(StoringSink[Summary, VariablesWriter]):
    """Posts `(key, [Summary, …])` to the dialog API.

    account         whose dialogs; give the gateway the same one, and they share a token
    directory       where the journal lives, and nothing else of ours
    lane, reactor, lanes, segment_bytes, on_full    see StoringSink
    on_dead_letter  called with what was given up, on the thread that gives it up; it must be quick

    After an orderly end, `undelivered` and `failure` tell what is left.
    """

    def __init__(
        self,
        account: CognigyAccount,
        settings: DialogSettings,
        directory: Path,
        lane: str,
        reactor: Reactor | Callable[[], Reactor],
        *,
        lanes: Sequence[str] = (),
        on_dead_letter: OnDeadLetter | None = None,
        segment_bytes: int = SEGMENT_BYTES,
        on_full: Callable[[], bool] | None = None,
    ) -> None:
        super().__init__(directory, lane, reactor, lanes=lanes, segment_bytes=segment_bytes, on_full=on_full)
        self._account = account
        self._settings = settings
        self._on_dead_letter = on_dead_letter

    def open(self, journal: Journal) -> tuple[Ledger, VariablesWriter]:
        settings = self._settings
        writer = VariablesWriter(self._account, settings, self._on_dead_letter)
        outbox = Outbox("ack", in_flight=settings.parallel, queue=settings.queue, keep=settings.keep)
        ledger = Ledger(journal, {TO: outbox}, ended_for=settings.remember, on_delivered=writer.count)
        return ledger, writer

    def named(self, item: Summary) -> tuple[str, StoredUpdate]:
        return TO, StoredUpdate.of(item)

    @property
    def counts(self) -> Counter[str]:
        """Since the process started: posted, delivered, retried, dead_letters, and dropped, which are told too."""
        return self._sender.counts if self._sender else Counter()

    def failure(self) -> DeliveryError | None:
        if not self.undelivered:
            return None
        return DeliveryError(
            f"variables of {self.undelivered} dialog turns were not set; they are stored in {self._directory} "
            "and will be set by the next run with the same --data-dir"
        )
