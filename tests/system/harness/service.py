"""One vendor's service as a real process, over its lives: started, killed or stopped, started again."""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from tests.system.harness.plan import Session

ROOT: Final = Path(__file__).resolve().parents[3]
TICK: Final = 0.02
PIPE_BYTES: Final = 4096
"""What the pipe of a console holds that nobody reads: a page, the least that Linux gives."""


class Service:
    """One vendor's service.

    settings  its file
    errors    where it writes standard error
    """

    def __init__(self, vendor: str, settings: Path, errors: Path, **environment: str) -> None:
        self.vendor = vendor
        self.address = ""
        self.settings = settings
        self._errors = errors
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None
        self._begins_at = 0
        self._pipes: list[int] = []
        self._heard = b""

    def start(self, *, unread: bool = False) -> None:
        """Begin a life. Where it is `unread`, messages go to a standard output that nobody reads, and of standard error
        somebody reads only where it listens."""
        self.address, self._heard = "", b""
        self._close_pipes()
        command = [sys.executable, "-m", "tokenweir", "run", self.vendor, "--settings", str(self.settings)]
        with contextlib.ExitStack() as stack:
            errors = stack.enter_context(self._errors.open("ab"))
            self._begins_at = errors.tell()
            out, err = subprocess.DEVNULL, errors.fileno()
            if unread:
                command.append("--json")
                out, err = self._pipe(stack), self._pipe(stack)
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**os.environ, "PYTHONFAULTHANDLER": "1", **self._environment},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )

    @property
    def said(self) -> str:
        """What was read of its standard error in this life."""
        if self._pipes and not self.address:
            with contextlib.suppress(BlockingIOError):
                self._heard += os.read(self._pipes[-1], PIPE_BYTES)
        said = self._heard if self._pipes else self._errors.read_bytes()[self._begins_at :]
        return said.decode("utf-8", "replace")

    @property
    def exited(self) -> int | None:
        """The exit code of a life that is over."""
        return self._process.poll() if self._process is not None else None

    def listens(self) -> bool:
        """Whether it takes sessions. Raises AssertionError where it has ended by itself."""
        if not self.address:
            for line in self.said.splitlines(keepends=True):
                if line.startswith("listening on") and line.endswith("\n"):
                    self.address = line.split()[-1]
        assert self.exited is None, f"{self.vendor} ended with {self.exited}: {self.said[-2000:]}"
        return bool(self.address)

    def wait_until_it_listens(self, within: float = 60.0) -> None:
        until(self.listens, within)

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """SIGTERM, without waiting for the end."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)

    def terminate(self, within: float = 60.0) -> int:
        """SIGTERM; returns the exit code."""
        assert self._process is not None
        self.stop()
        return self._process.wait(within)

    def abort(self) -> str:
        """End one that does not end by itself; returns where its threads were."""
        assert self._process is not None
        self._process.send_signal(signal.SIGABRT)
        for _ in range(100):
            if self._pipes:
                with contextlib.suppress(BlockingIOError):
                    self._heard += os.read(self._pipes[-1], PIPE_BYTES)
            if self._process.poll() is not None:
                break
            time.sleep(TICK)
        self.kill()
        return self.said[-4000:]

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()
        self._close_pipes()

    def ask(self, method: str, path: str, body: object = None, within: float = 20.0) -> tuple[int, Any]:
        """Raises OSError or http.client.HTTPException where it is not there."""
        where = urlsplit(self.address)
        connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=within)
        try:
            connection.request(method, path, None if body is None else json.dumps(body))
            answer = connection.getresponse()
            data = answer.read()
            is_json = answer.headers.get("Content-Type", "").startswith("application/json")
            return answer.status, json.loads(data) if is_json else data.decode() or None
        finally:
            connection.close()

    def begin(self, session: Session) -> bool:
        """Begin the session, unless it is begun; False where that is not known and must be asked again."""
        body = {
            "session_id": session.name,
            "prompt": session.prompt,
            "dialog_id": session.name,
            "desktop": session.desktop,
        }
        try:
            status, answer = self.ask("GET", f"/sessions/{session.name}")
            if status == 404:
                status, answer = self.ask("POST", "/sessions", body)
        except (OSError, http.client.HTTPException):
            return False
        assert status in (200, 202, 503), f"{session.name}: {status} {answer}"  # 503: no room on the disk
        return status != 503

    def _pipe(self, stack: contextlib.ExitStack) -> int:
        """A pipe that is full soon. Returns the end to write into, for the process alone."""
        ours, theirs = os.pipe()
        self._pipes.append(ours)
        os.set_blocking(ours, False)
        if hasattr(fcntl, "F_SETPIPE_SZ"):  # elsewhere it takes 64 KB to fill
            fcntl.fcntl(theirs, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        stack.callback(os.close, theirs)
        return theirs

    def _close_pipes(self) -> None:
        while self._pipes:
            os.close(self._pipes.pop())


def until(condition: Callable[[], Any], within: float = 60.0) -> None:
    """Return when it holds. Fails after `within` seconds."""
    end = time.monotonic() + within
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(TICK)
