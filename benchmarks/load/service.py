"""One service under load, in a process of its own: how it is started, and what it costs.

Rules
- A service is known by its command alone: it gets addresses, window and block list, and says "listening on URL".
- CPU is the process's own clock, read from outside to the nanosecond: user and system, ended threads included.
- It lives in a temporary folder and is ended with it; what it says on standard error is kept for when it fails.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final, Literal

from benchmarks.load.texts import blocklist
from benchmarks.load.world import Confirm, Window, World

Name = Literal["tokenweir", "asyncio", "relay"]
NAMES: Final[tuple[Name, ...]] = ("tokenweir", "asyncio", "relay")

ROOT: Final = Path(__file__).parents[2]
START_WITHIN: Final = 60.0
STOP_WITHIN: Final = 20.0

SETTINGS: Final = """\
[job]
data_dir = "{folder}/data"
max_sessions = 5000
epoch = {epoch}

[window]
mode = "{window}"

[moderation]
blocklist = {terms}

[frontend]
port = 0
idle_timeout = 600
overall_timeout = 600
max_connections = 5000
max_connections_per_address = 5000

[cxone]
base_url = "{gateway}"
client_id = "client"
client_secret = "secret"
max_connections = 5000

[cognigy]
base_url = "{gateway}"
client_id = "client"
client_secret = "secret"
idle_timeout = 600
overall_timeout = 600
"""

DESKTOP: Final = """
[desktops.default]
url = "{desktop}"
confirm = "{confirm}"

[desktops.other]
url = "{desktop}"
confirm = "{confirm}"
"""


class Service:
    """A process that listens. Made by `serving`.

    url           where it listens
    start_time    seconds until it did
    """

    def __init__(self, process: asyncio.subprocess.Process, name: Name) -> None:
        self.name = name
        self.url = ""
        self.start_time = 0.0
        self.process = process
        self._said: deque[str] = deque(maxlen=20)
        self._reading: asyncio.Task[None] | None = None

    async def listen(self, begun: float) -> None:
        """Wait until it listens, then go on reading what it says. Raises RuntimeError."""
        assert self.process.stderr is not None
        try:
            async with asyncio.timeout(START_WITHIN):
                while line := (await self.process.stderr.readline()).decode("utf-8", "replace"):
                    self._said.append(line)
                    if "listening on " in line:
                        self.start_time = time.perf_counter() - begun
                        self.url = line.partition("listening on ")[2].strip()
                        self._reading = asyncio.create_task(self._read())
                        return
        except TimeoutError:
            pass
        raise RuntimeError(f"{self.name} does not listen:\n{self.said}")

    @property
    def said(self) -> str:
        return "".join(self._said)

    def cpu(self) -> float:
        """Seconds of CPU so far. Raises RuntimeError where it has died."""
        if self.process.returncode is not None:
            raise RuntimeError(f"{self.name} ended with {self.process.returncode}:\n{self.said}")
        return time.clock_gettime((~self.process.pid << 3) | 2)  # what clock_getcpuclockid(3) makes of a process id

    def memory(self) -> int:
        """Bytes resident."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    async def stop(self) -> None:
        if self.process.returncode is None:
            self.process.terminate()
            try:
                async with asyncio.timeout(STOP_WITHIN):
                    await self.process.wait()
            except TimeoutError:
                self.process.kill()
                await self.process.wait()
        if self._reading is not None:
            self._reading.cancel()

    async def _read(self) -> None:
        assert self.process.stderr is not None
        while line := await self.process.stderr.readline():
            self._said.append(line.decode("utf-8", "replace"))


@contextlib.asynccontextmanager
async def serving(
    name: Name,
    world: World,
    folder: Path,
    *,
    window: Window = "sentence",
    confirm: Confirm | Literal["auto"] = "ack",
    terms: int = 1000,
    epoch: float = 0.5,
) -> AsyncIterator[Service]:
    """A service over this world; it ends with the block."""
    if name == "tokenweir":
        command = ["tokenweir", "run", world.shape]
        given = {"folder": folder, "epoch": epoch, "window": window, "terms": blocklist(terms)}
        text = SETTINGS.format(**given, gateway=world.gateway_url)
        if world.shape == "cxone":
            text += DESKTOP.format(desktop=world.desktop_url, confirm=confirm)
        command += ["--settings", _write(folder / "settings.toml", text)]
    else:
        command = ["benchmarks.peers.relay" if name == "relay" else "benchmarks.peers.service", world.shape]
        command += ["--gateway", world.gateway_url, "--desktop", world.desktop_url]
        if name == "asyncio":
            command += ["--blocklist", _write(folder / "blocklist.txt", "\n".join(blocklist(terms)))]
    begun = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        *command,
        cwd=ROOT,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    service = Service(process, name)
    try:
        await service.listen(begun)
        yield service
    finally:
        await service.stop()


def _write(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)
