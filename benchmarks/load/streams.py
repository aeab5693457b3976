"""Streams of a simulated vendor, and what sends them: a wheel of slots, a millisecond apart."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.load import texts
from benchmarks.load.texts import Shape


class Stream:
    """One answer: what the vendor sends of it, and what came out.

    sent      when each frame was sent; the last one ends the answer
    arrivals  (how many messages had come, when), once for each read or frame that brought some
    done      whether the last one has come
    """

    __slots__ = ("arrivals", "at", "done", "frames", "opened", "sent", "session_id", "text", "together", "transport")

    def __init__(self, shape: Shape, session_id: str, text: int, tokens: int) -> None:
        self.session_id = session_id
        self.text = text
        self.frames = texts.frames(shape, text, tokens)
        self.together: Together | None = None
        self.transport: asyncio.WriteTransport | None = None
        self.opened = asyncio.Event()
        self.sent: list[float] = []
        self.arrivals: list[tuple[int, float]] = []
        self.at = 0
        self.done = False

    def step(self) -> bool:
        """Send the next frame; False if it was the last."""
        place = len(self.sent)
        self.sent.append(time.perf_counter())
        assert self.transport is not None
        self.transport.write(self.frames[place])
        return place + 1 < len(self.frames)

    def arrived(self, messages: int) -> None:
        self.at += messages
        self.arrivals.append((self.at, time.perf_counter()))

    def finish(self) -> None:
        if not self.done:
            self.done = True
            if self.together is not None:
                self.together.one_is_done()


class Together:
    """Streams whose ends are waited for."""

    def __init__(self, streams: Sequence[Stream]) -> None:
        self.left = 0
        self._all_done = asyncio.Event()
        for stream in streams:
            stream.together = self
            self.left += not stream.done

    def one_is_done(self) -> None:
        self.left -= 1
        if self.left <= 0:
            self._all_done.set()

    async def done(self, within: float) -> None:
        """Wait until all are, or it has taken too long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._all_done.wait()


class Played(NamedTuple):
    """What sending took: `seconds` from the first frame to the last message, `late` the wheel's longest delay."""

    seconds: float
    late: float
    unfinished: int


class Wheel:
    """Sends a token of every stream in each turn of it; streams are spread over the turn evenly."""

    def __init__(self, streams: Sequence[Stream], pace: float) -> None:
        count = max(1, round(1000 / pace))
        self.late = 0.0
        self._slots: list[list[Stream]] = [[] for _ in range(count)]
        for number, stream in enumerate(streams):
            self._slots[number * count // len(streams)].append(stream)
        self._loop = asyncio.get_running_loop()
        self._begun = time.perf_counter()
        self._turned = 0
        self._timer: asyncio.TimerHandle | None = None

    def turn(self) -> None:
        """Send what is due, and come again in a millisecond."""
        now = time.perf_counter()
        due = int((now - self._begun) * 1000)
        self.late = max(self.late, now - self._begun - (self._turned + 1) / 1000)
        while self._turned < due:
            slot = self._slots[self._turned % len(self._slots)]
            has_ended = False
            for stream in slot:
                has_ended |= not stream.step()
            if has_ended:
                slot[:] = [stream for stream in slot if len(stream.sent) < len(stream.frames)]
            self._turned += 1
        self._timer = self._loop.call_later(0.001, self.turn)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
