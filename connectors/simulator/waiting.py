"""Waiting for a state instead of for a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Changes:
    """Wakes who waits for a condition, whenever it may have come true. For one event loop."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    def notify(self) -> None:
        """Something has changed."""
        self._changed.set()

    async def until(self, condition: Callable[[], bool], within: float) -> None:
        """Wait until `condition` holds. Raises TimeoutError after `within` seconds."""
        async with asyncio.timeout(within):
            while not condition():
                self._changed.clear()
                await self._changed.wait()
