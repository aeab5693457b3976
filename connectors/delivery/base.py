"""A sink that keeps what it was given until it has arrived: what the desktops' sink and a vendor's own share.

Rules
- `write_batch` never waits for the other side: it writes the journal and wakes the sender, which lives on the
  reactor's thread. So nobody who is slow holds up the flow.
- The snapshot holds no items, only how far the journal had been synced; a journal that is shorter is an error.
- What Bytewax gives again after a resume, and was stored before, is passed over.
- An orderly end waits as long as the sender does; the rest stays stored, and `failure` says so.
- An error raised here names the step: Bytewax does not.

Who is called when, by Bytewax's thread unless it says otherwise:

    the first item comes    the journal is opened, then `open`; on the reactor `Sender.start`
    items                   `named`; what is new is stored; on the reactor `Sender.wake`
    an epoch ends           the journal is synced
    the flow ends           on the reactor `Sender.stop`; the journal is closed
    any time                `undelivered` and `failure`, by anybody
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Generic, Protocol, TypeAlias, TypeVar

from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from connectors.delivery.journal import SEGMENT_BYTES, Journal, Position
from connectors.delivery.ledger import Deliverable, Ledger
from connectors.errors import DeliveryError, naming
from connectors.log.keys import Partitions
from connectors.reactor import Reactor

State: TypeAlias = dict[str, int]


class Sender(Protocol):
    """What brings stored items to where they go. All of this is called on the reactor's thread."""

    async def start(self, ledger: Ledger) -> None:
        """Begin to `take` from the ledger, and to tell it what became of that; return at once."""

    def wake(self, receivers: set[str]) -> None:
        """There is something new for these."""

    async def stop(self) -> None:
        """Wait for what is stored to arrive, as long as the settings say; then let go."""


Item = TypeVar("Item")
SenderT = TypeVar("SenderT", bound=Sender)


class StoringSink(FixedPartitionedSink[Sequence[Item], State], Generic[Item, SenderT]):
    """Takes `(key, [item, …])`, stores what is new and has a sender deliver it. One partition a lane.

    directory  where the journal lives; made if it is not there
    lane       this process's lane; its keys begin with `lane` and a dash
    reactor    the process's reactor, or a function that gives it when the flow starts
    lanes      all processes' lanes, where there are several
    segment_bytes, on_full, unread      see Journal

    Building it opens nothing. A sink of its own says what `open`, `named` and `failure` are.
    """

    def __init__(
        self,
        directory: Path,
        lane: str,
        reactor: Reactor | Callable[[], Reactor],
        *,
        lanes: Sequence[str] = (),
        segment_bytes: int = SEGMENT_BYTES,
        on_full: Callable[[], bool] | None = None,
        unread: Callable[[], int | None] = lambda: None,
    ) -> None:
        self._directory = directory
        self._lane = lane
        self._partitions = Partitions(lane, lanes)
        self._reactor = reactor
        self._segment_bytes = segment_bytes
        self._on_full = on_full
        self._unread = unread
        self._ledger: Ledger | None = None
        self._sender: SenderT | None = None

    # What each sink has of its own

    def open(self, journal: Journal) -> tuple[Ledger, SenderT]:
        """The ledger over this journal, with an outbox for each receiver, and what empties them."""
        raise NotImplementedError

    def named(self, item: Item) -> tuple[str, Deliverable]:
        """The receiver of an item, and what to store of it. The same item always has the same name."""
        raise NotImplementedError

    def failure(self) -> DeliveryError | None:
        """What an orderly end left behind, as the error to end with; None if nothing was."""
        raise NotImplementedError

    @property
    def undelivered(self) -> int:
        """Items that are stored, and neither delivered nor given up. Safe from any thread."""
        return sum(self._ledger.pending.values()) if self._ledger else 0

    # What Bytewax calls

    def list_parts(self) -> list[str]:
        return [self._lane]

    def part_fn(self, item_key: str) -> int:
        return self._partitions.index(item_key)

    def build_part(self, step_id: str, for_part: str, resume_state: State | None) -> _Partition[Item, SenderT]:
        with naming(step_id):
            journal = Journal(
                self._directory,
                self._lane,
                segment_bytes=self._segment_bytes,
                on_full=self._on_full,
                unread=self._unread,
            )
            try:
                if resume_state is not None:
                    journal.check(Position.restore(resume_state))
                ledger, sender = self.open(journal)
                reactor = self._reactor if isinstance(self._reactor, Reactor) else self._reactor()
                reactor.run(sender.start(ledger))
            except BaseException:
                journal.close()
                raise
        self._ledger, self._sender = ledger, sender
        return _Partition(self, step_id, ledger, sender, reactor)


class _Partition(StatefulSinkPartition[Sequence[Item], State], Generic[Item, SenderT]):
    def __init__(
        self,
        sink: StoringSink[Item, SenderT],
        step_id: str,
        ledger: Ledger,
        sender: SenderT,
        reactor: Reactor,
    ) -> None:
        self._sink = sink
        self._step_id = step_id
        self._ledger = ledger
        self._sender = sender
        self._reactor = reactor

    def write_batch(self, values: Iterable[Sequence[Item]]) -> None:
        with naming(self._step_id):
            fresh = self._ledger.offer(self._sink.named(item) for items in values for item in items)
        if fresh:
            self._reactor.call(self._sender.wake, fresh)

    def snapshot(self) -> State:
        with naming(self._step_id):
            return self._ledger.sync().snapshot()

    def close(self) -> None:
        with naming(self._step_id):
            try:
                self._reactor.run(self._sender.stop())
            finally:
                self._ledger.close()
