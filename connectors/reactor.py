"""The process's one asyncio thread, and the hand-over between it and everybody else.

Rules
- All sockets live on this thread; Bytewax's worker and the command line never block on one.
- A task started here is strongly referenced until it ends, and a failure nobody awaits is logged.
- uvloop runs it where uvloop exists.
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")

log = logging.getLogger(__name__)


class Reactor:
    """An event loop on a daemon thread, which starts at its first use. One a process; `close` it last."""

    def __init__(self) -> None:
        self._starting = threading.RLock()  # a signal handler may come in between
        self._running: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        with self._starting:
            if self._running is None:
                self._running = _new_loop()
                self._thread = threading.Thread(target=self._run, args=(self._running,), name="reactor", daemon=True)
                self._thread.start()
            return self._running

    def call(self, function: Callable[..., object], *args: object) -> None:
        """Run a plain function on the reactor's thread, soon. Safe from any thread."""
        self.loop.call_soon_threadsafe(function, *args)

    def spawn(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Start a coroutine on the reactor's thread. Safe from any thread; the task cannot vanish."""
        return asyncio.run_coroutine_threadsafe(self._tracked(coroutine), self.loop)

    def run(self, coroutine: Coroutine[Any, Any, T], timeout: float | None = None) -> T:
        """Run a coroutine and wait for its result. Never call it on the reactor's own thread."""
        return self.spawn(coroutine).result(timeout)

    def close(self, timeout: float = 5.0) -> None:
        """Cancel what still runs, wait for it to end, stop the thread. Idempotent."""
        if self._thread is not None and self._thread.is_alive():
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join(timeout)

    async def _tracked(self, coroutine: Coroutine[Any, Any, T]) -> T:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            return await coroutine
        except asyncio.CancelledError:
            raise
        except Exception as error:
            log.debug("a task of the reactor failed: %s", type(error).__name__)
            raise
        finally:
            self._tasks.discard(task)

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
            loop.run_until_complete(_cancel_all())
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(loop.shutdown_default_executor())
        finally:
            loop.close()


async def _cancel_all() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def _new_loop() -> asyncio.AbstractEventLoop:
    if importlib.util.find_spec("uvloop") is None:
        return asyncio.new_event_loop()
    import uvloop

    return uvloop.new_event_loop()
