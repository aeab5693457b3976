"""Desktops that fall behind, and the turns whose sockets are left unread for their sake.

Rules
- Runs on the reactor's thread. Whoever knows of the desktops says which are pressed (`update`); a turn is held while
  its own is, and no other turn is.
- It is held for `max_pause` seconds at most from when its desktop became pressed; then it is read on until the desktop
  has caught up. A vendor drops a stream that nobody reads, and an answer that was dropped is lost or asked for again;
  what is read waits on disk.
- A turn that a caller reads along is not held: its caller would wait for a desktop that is not his.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Collection, Mapping

from connectors.log.records import DEFAULT_DESKTOP
from connectors.log.turns import Turn

log = logging.getLogger(__name__)


class Pressure:
    """`max_pause` is by the desktop's name, in seconds; 0 is for as long as it is pressed."""

    def __init__(self, max_pause: Mapping[str, float] | None = None) -> None:
        self._max_pause = dict(max_pause or {})
        self._since: dict[str, float] = {}
        self._changed = asyncio.Event()

    def update(self, pressed: Collection[str]) -> None:
        """These desktops are pressed now, and no others."""
        for name in pressed:
            if name not in self._since:
                log.warning(
                    "too many messages wait for the desktop %r (its setting `backlog`): its sessions' streams are not "
                    "read%s until half are left",
                    *(name, self._at_most(name)),
                )
        now = time.monotonic()
        self._since = {name: self._since.get(name, now) for name in pressed}
        self._changed.set()
        self._changed = asyncio.Event()

    def holds(self, turn: Turn) -> bool:
        """Whether the turn's socket is not to be read now."""
        return bool(self._since) and self._left(turn) > 0

    async def passed(self, turn: Turn) -> None:
        """Return when it may be read."""
        while (left := self._left(turn)) > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left if math.isfinite(left) else None):
                    await self._changed.wait()

    def _at_most(self, name: str) -> str:
        most = self._max_pause.get(name, 0.0)
        return f" for {most:g} s, or" if most else ""

    def _left(self, turn: Turn) -> float:
        """Seconds for which it is held at most."""
        name = turn.request.get("desktop") or DEFAULT_DESKTOP
        since = self._since.get(name)
        if since is None or turn.request.get("attended"):
            return 0.0
        most = self._max_pause.get(name, 0.0) or math.inf
        return max(0.0, since + most - time.monotonic())
