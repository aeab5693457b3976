"""Callers who read a session by its signed URL, and leave when they like.

Rules
- A viewer may read and nothing else: that it leaves, or reads slowly, ends no turn.
- What it was shown is what the desktop was: the same text under the same name.
"""

from __future__ import annotations

import contextlib
import http.client
import random
import time
from collections.abc import Iterator
from typing import Final

import httpx

from connectors.sse import Event, SSEDecoder
from tests.system.harness.plan import Session
from tests.system.harness.service import Service
from tests.system.harness.stored import Stored
from tests.system.harness.world import World

EVERY: Final = (0.1, 0.6)
READS_FOR: Final = (0.05, 3.0)


class Viewers:
    """Opens streams of one service's sessions. `seen` is what each viewer was shown."""

    def __init__(self, world: World, service: Service, sessions: list[Session], rng: random.Random) -> None:
        self.seen: list[list[Event]] = []
        self._world = world
        self._service = service
        self._sessions = sessions
        self._rng = random.Random(rng.random())
        self._next = time.monotonic() + 1

    def step(self) -> None:
        if time.monotonic() < self._next or not self._service.address:
            return
        self._next = time.monotonic() + self._rng.uniform(*EVERY)
        session = self._rng.choice(self._sessions)
        with contextlib.suppress(OSError, http.client.HTTPException):  # the service may have been killed just now
            status, told = self._service.ask("GET", f"/sessions/{session.name}", within=5)
            if status == 200 and told.get("state") == "running":
                self.seen.append([])
                self._world.reactor.spawn(_read(told["stream_url"], self._rng.uniform(*READS_FOR), self.seen[-1]))

    def differences(self, stored: Stored) -> Iterator[str]:
        """Where a viewer was shown something else than was stored for the desktop."""
        for events in self.seen:
            last = -1
            for event in events:
                if event.event != "token":
                    continue
                session_id, turn, seq = event.id.rsplit("/", 2)
                message = stored.messages.get((session_id, int(turn), int(seq)))
                if int(seq) <= last:
                    yield f"{event.id}: a viewer was shown it after {last}"
                elif message is None or _plain(message.text) != _plain(event.data):
                    yield f"{event.id}: a viewer was shown another text than the desktop"
                last = int(seq)


def _plain(text: str) -> str:
    """Without line ends: an event stream has its own, and a CR LF may be cut in two."""
    return text.replace("\r", "").replace("\n", "")


async def _read(url: str, seconds: float, seen: list[Event]) -> None:
    decoder = SSEDecoder()
    with contextlib.suppress(httpx.HTTPError, TimeoutError):
        async with httpx.AsyncClient(trust_env=False, timeout=seconds) as client, client.stream("GET", url) as answer:
            until = time.monotonic() + seconds
            async for chunk in answer.aiter_raw():
                seen += decoder.feed(chunk)
                if time.monotonic() >= until:
                    return
