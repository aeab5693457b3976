"""How long a start takes after many ended sessions, and how long an epoch holds up many sessions under way.

python -m benchmarks.recovery restart [--sessions 100000]    the service, from its start to "listening on"
python -m benchmarks.recovery epoch [--sessions 10000] [--tokens 100] [--rate 10000]
                                                             how long the flow stands still while an epoch ends

`restart` lays a log of ended sessions, has the service work it off once, stops it, and times the start after that.
`epoch` runs the real flow with a recovery store over a log of open sessions, each of so many tokens, then goes on with
all of them in turn, at so many tokens a second.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from connectors.log.files import LogReader
from connectors.log.records import CLOSE, FRAME, OPEN, Record
from connectors.log.shards import Item, Sharder
from connectors.log.source import READ_RECORDS
from connectors.log.turns import Turns
from connectors.log.writer import LogWriter
from connectors.metrics.sink import MetricsSink
from connectors.vendors.cxone.vendor import VENDOR
from flows.engine import runner
from flows.engine.pipeline import build
from flows.settings import parse

WORDS = ("The", "parcel", "left", "on", "Monday", "and", "it", "arrives", "at", "noon", "in", "Hamburg.")
SECONDS = 8.0
EPOCH = 0.5


def frame(t: int, session: str, number: int, *, finished: bool = False) -> Record:
    data = json.dumps({"token": f"{WORDS[number % len(WORDS)]} ", "finished": finished})
    return Record(t, session, 0, FRAME, id=f"c-{number}", d=data)


def restart(sessions: int, folder: Path) -> None:
    data_dir = folder / "data"
    turns = Turns()
    writer = LogWriter(data_dir / "log" / "w00", "cxone", rotate_bytes=32 << 20, fold=turns.snapshot)
    for number in range(sessions):
        t, name = number * 100, f"session-{number}"
        records = [Record(t, name, 0, OPEN, d={"prompt": "x"}), *(frame(t + n, name, n) for n in range(1, 4))]
        records += [frame(t + 5, name, 5, finished=True), Record(t + 5, name, 0, CLOSE, d={"reason": "finished"})]
        writer.append(records)
        for record in records:
            turns.feed(record)
    writer.close()
    first, ended = start_and_stop(data_dir)
    print(f"{sessions} ended sessions, worked off by the first start: {first:.2f} s to listen, {ended:.0f} s to end")
    again, ended = start_and_stop(data_dir)
    print(f"the start after that: {again:.2f} s to listen (less than 3)")


def start_and_stop(data_dir: Path) -> tuple[float, float]:
    """Seconds until it listens, and until it has taken all that the log holds and ended."""
    env = {
        **os.environ,
        "CXONE_BASE_URL": "http://127.0.0.1:9",
        "CXONE_CLIENT_ID": "x",
        "CXONE_CLIENT_SECRET": "x",
        "FRONTEND_PORT": "0",
        "AGENT_WS_URL": "ws://127.0.0.1:9/",
        "TOKENWEIR__DESKTOPS__DEFAULT__CONFIRM": "none",
        "TOKENWEIR__DESKTOPS__DEFAULT__DRAIN_TIMEOUT": "0",
    }
    begun = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "tokenweir", "run", "cxone", "--data-dir", str(data_dir)],
        env=env,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "listening on" in line:
            break
    listening = time.monotonic() - begun
    process.terminate()
    process.communicate()
    return listening, time.monotonic() - begun


class _Busy(FixedPartitionedSource[Item, None]):
    """The log's records, then a frame of every session in turn. `pauses`: seconds that each epoch took."""

    def __init__(self, log: Path, pauses: list[float], sessions: int, rate: int) -> None:
        self._log = log
        self._pauses = pauses
        self._sessions = sessions
        self._rate = rate

    def list_parts(self) -> list[str]:
        return ["w00"]

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> _BusyPart:
        return _BusyPart(self._log, self._pauses, self._sessions, self._rate)


class _BusyPart(StatefulSourcePartition[Item, None]):
    def __init__(self, log: Path, pauses: list[float], sessions: int, rate: int) -> None:
        reader = LogReader(log)
        self._sharder = Sharder("w00", reader.created)
        self._records: Iterator[Record] = (record for record, _ in reader.read())
        self._pauses = pauses
        self._sessions = sessions
        self._rate = rate
        self._sent = 0
        self._began = self._last = 0.0
        self._snapped = False
        self._t = 10_000_000

    def next_batch(self) -> list[Item]:
        now = time.monotonic()
        if batch := list(itertools.islice(self._records, READ_RECORDS)):
            return self._sharder.deal(batch, batch[-1].t)
        if not self._began:
            self._began = self._last = now
        if self._snapped:
            self._pauses.append(now - self._last)
        self._snapped = False
        self._last = now
        if now - self._began > SECONDS:
            raise StopIteration
        time.sleep(0.001)
        self._t += 1_000
        due = range(self._sent, int((now - self._began) * self._rate))
        self._sent = due.stop
        return self._sharder.deal([frame(self._t, f"session-{n % self._sessions}", n) for n in due], self._t)

    def next_awake(self) -> datetime:
        return datetime(2000, 1, 1, tzinfo=UTC)

    def snapshot(self) -> None:
        self._snapped = True


def epoch(sessions: int, tokens: int, rate: int, folder: Path) -> None:
    writer = LogWriter(folder / "log", "cxone")
    for number in range(sessions):
        name = f"session-{number}"
        opened = Record(number, name, 0, OPEN, d={"prompt": "x"})
        writer.append([opened, *(frame(number, name, n) for n in range(tokens))])
    writer.close()
    settings = parse({"window": {"timeout": 0.0}})
    pauses: list[float] = []
    rows = {"land_metrics": MetricsSink(folder, "w00")}
    runner.run(
        lambda source: build(source, VENDOR, settings, lists=folder, messages={}, rows=rows),
        _Busy(folder / "log", pauses, sessions, rate),
        recovery=folder / "recovery",
        epoch=EPOCH,
    )
    pauses.sort()
    size = sum(path.stat().st_size for path in (folder / "recovery").iterdir()) >> 20
    print(
        f"{sessions} sessions under way, {tokens} tokens each, {rate} tokens a second more; "
        f"an epoch each {EPOCH:g} s for {SECONDS:g} s: {size} MB of recovery store"
    )
    for name, value in (("p50", pauses[len(pauses) // 2]), ("longest", pauses[-1])):
        print(f"pause of an epoch, {name}: {value * 1000:.0f} ms (less than 100)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["restart", "epoch"])
    parser.add_argument("--sessions", type=int)
    parser.add_argument("--tokens", type=int, default=100)
    parser.add_argument("--rate", type=int, default=10_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tokenweir-recovery-") as folder:
        if given.what == "restart":
            restart(given.sessions or 100_000, Path(folder))
        else:
            epoch(given.sessions or 10_000, given.tokens, given.rate, Path(folder))


if __name__ == "__main__":
    main()
