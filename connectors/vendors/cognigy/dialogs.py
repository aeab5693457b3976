"""Which configuration each dialog has, and who may start a stream in it.

Rules
- The stream's handshake names no dialog (docs/vendors.md), so a stream gets the configuration that the gateway
  has at that moment. Therefore one start at a time in a dialog: from before its configuration is put until its socket
  is open, first come first served. Different dialogs start side by side; where the gateway knows only the account's
  latest configuration, they have to take turns too (`one_at_a_time`). Each process orders its own starts only.
- A configuration that stands is not put again.
- The configurations of `max_dialogs` dialogs are remembered, the longest unused forgotten first.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator


class KeyedLock:
    """One at a time for every name, in order of arrival. Names nobody waits for cost nothing."""

    def __init__(self) -> None:
        self._locks: dict[str, asyncio.Lock] = {}
        self._here: Counter[str] = Counter()

    @contextlib.asynccontextmanager
    async def passing(self, name: str) -> AsyncIterator[None]:
        """Wait for everyone who came with this name before."""
        lock = self._locks.setdefault(name, asyncio.Lock())
        self._here[name] += 1
        try:
            async with lock:
                yield
        finally:
            self._here[name] -= 1
            if not self._here[name]:
                del self._here[name], self._locks[name]


class Dialogs:
    """The dialogs of one account."""

    def __init__(self, *, max_dialogs: int, one_at_a_time: bool = False) -> None:
        self._starting = KeyedLock()
        self._standing: OrderedDict[str, bytes] = OrderedDict()
        self._max_dialogs = max_dialogs
        self._one_at_a_time = one_at_a_time

    def starting(self, dialog_id: str) -> contextlib.AbstractAsyncContextManager[None]:
        """Hold it from before the configuration until the socket is open."""
        return self._starting.passing(self._name(dialog_id))

    def stands(self, dialog_id: str, configuration: bytes) -> bool:
        """Whether the gateway has just this configuration."""
        name = self._name(dialog_id)
        if self._standing.get(name) != configuration:
            return False
        self._standing.move_to_end(name)
        return True

    def put(self, dialog_id: str, configuration: bytes) -> None:
        """The gateway has taken this configuration."""
        name = self._name(dialog_id)
        self._standing[name] = configuration
        self._standing.move_to_end(name)
        if len(self._standing) > self._max_dialogs:
            self._standing.popitem(last=False)

    def forget(self, dialog_id: str) -> None:
        """The gateway may not have the configuration any more."""
        self._standing.pop(self._name(dialog_id), None)

    def _name(self, dialog_id: str) -> str:
        return "" if self._one_at_a_time else dialog_id
