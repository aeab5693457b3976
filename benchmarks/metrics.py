"""How fast rows are spooled, how stale and how reliable reads are meanwhile, and how fast the views answer.

python -m benchmarks.metrics write                      rows a second through the segment writer
python -m benchmarks.metrics live [--seconds 20] [--readers 3] [--hold]
                                                        5,000 rows a second, a lander, readers in a loop;
                                                        --hold: once more while a notebook keeps the database open
python -m benchmarks.metrics ask [--rows 10000000]      what analysts ask, over so many messages
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import duckdb

from analytics.frames import frame
from connectors.metrics import MessageRow, Row, open_metrics
from connectors.metrics.dimensions import Price
from connectors.metrics.lander import Lander, LanderSettings
from connectors.metrics.script import script
from connectors.metrics.segments import SegmentWriter

RATE = 5_000
SNAPSHOT_EVERY = 0.2

READER = """
import sys, time
from pathlib import Path
import duckdb
from connectors.metrics import open_metrics
directory, seconds = Path(sys.argv[1]), float(sys.argv[2])
reads = failed = wrong = 0
stalest = slowest = 0.0
end = time.monotonic() + seconds
while time.monotonic() < end:
    begun = time.perf_counter()
    reads += 1
    try:
        with open_metrics(directory) as database:
            count, distinct, newest = database.sql(
                "SELECT count(*), count(DISTINCT seq), epoch_us(max(released_at)) FROM messages"
            ).fetchall()[0]
    except Exception as error:
        failed += 1
        print(type(error).__name__, error, file=sys.stderr)
        continue
    slowest = max(slowest, time.perf_counter() - begun)
    if newest is not None and end - time.monotonic() < seconds - 2:
        stalest = max(stalest, time.time() - newest / 1e6)
    wrong += count != distinct
print(reads, failed, wrong, stalest, slowest)
"""

HOLDER = (
    "import sys, duckdb\n"
    "with duckdb.connect(sys.argv[1] + '/metrics.duckdb', read_only=True): print('open', flush=True); input()"
)

MACROS = ("totals", "usage", "reduction", "latency", "latency_shares", "windows", "moderation", "top_rules",
          "interruptions", "slo_met", "longest_sessions", "traffic")  # fmt: skip

FACTS = """
INSERT INTO landed.turns BY NAME
SELECT session_id, turn, any_value(vendor) AS vendor, any_value(tenant) AS tenant, any_value(model) AS model,
    to_timestamp(min(epoch_us(released_at)) / 1e6 - 0.9) AS started_at, max(released_at) AS ended_at,
    date_trunc('hour', min(released_at)) AS hour, 300 + min(seq) % 400 AS time_to_first_token_ms,
    900 + min(seq) % 1700 AS time_to_first_message_ms, 2000 + min(seq) % 9000 AS duration_ms,
    sum(tokens) AS tokens_received, 0 AS tokens_repeated, count(*) AS messages, 0 AS moderation_blocks,
    60 + min(seq) % 100 AS prompt_tokens, sum(tokens) AS completion_tokens, min(seq) % 3 = 0 AS usage_estimated,
    (min(seq) % 170 = 0)::BIGINT AS interruptions, 0 AS restarts,
    CASE WHEN min(seq) % 510 = 0 THEN 'interrupted' ELSE 'finished' END AS outcome,
    CASE WHEN min(seq) % 170 = 0 THEN 'disconnected' END AS error_kind, 'w00' AS lane, 1 AS segment
FROM landed.messages GROUP BY session_id, turn;
INSERT INTO landed.errors BY NAME
SELECT session_id, turn, vendor, tenant, started_at + INTERVAL 1 SECOND AS occurred_at, error_kind AS kind,
    1 AS restart, hour, lane, segment
FROM landed.turns WHERE error_kind IS NOT NULL;
UPDATE landed.messages SET seq = seq % 10;
INSERT INTO landed.deliveries BY NAME
SELECT session_id, turn, seq, 'default' AS desktop, released_at AS sent_at,
    released_at + to_milliseconds(1 + chars % 40) AS confirmed_at, 'ack' AS how, hour, 'w00_deliveries' AS lane,
    1 AS segment
FROM landed.messages;
INSERT INTO landed.findings BY NAME
SELECT session_id, turn, seq, released_at AS found_at, 'CATEGORY_' || chars % 7 AS category,
    'rule ' || chars % 11 AS rule, 'redact' AS action, 3 AS start_char, 9 AS end_char, hour, 'w00' AS lane, 1 AS segment
FROM landed.messages WHERE chars % 20 = 0;
CHECKPOINT;
"""
"""Turns of ten messages, errors, deliveries and findings, out of the messages that were landed."""


def row(seq: int, at: int) -> MessageRow:
    return MessageRow(
        session_id=f"session-{seq // 10}",
        turn=0,
        seq=seq,
        vendor="cxone",
        tenant=f"tenant-{seq % 7}",
        model="gpt-4",
        released_at=at,
        closed_by="sentence",
        chars=40 + seq % 90,
        tokens=seq % 25,
        findings=0,
        final=False,
        fallback=False,
        window_ms=seq % 900,
        hold_ms=None,
    )


PRICES = {"gpt-4": (Price(prompt=Decimal("0.03"), completion=Decimal("0.06")),)}


def percentile(times: list[float], share: float) -> float:
    return sorted(times)[min(int(len(times) * share), len(times) - 1)] * 1000


def write() -> None:
    rows: list[Row] = [row(seq, 1_790_000_000_000_000 + seq * 200) for seq in range(5_000)]
    with tempfile.TemporaryDirectory() as folder:
        writer = SegmentWriter(Path(folder), "w00")
        times = []
        for _ in range(200):
            writer.add(rows)
            begun = time.perf_counter()
            writer.flush()
            times.append(time.perf_counter() - begun)
    each = sum(times) / len(times)
    print(f"segments of {len(rows):,} rows: {len(rows) / each:,.0f} rows/s,", end=" ")
    print(f"flush p50 {percentile(times, 0.5):.1f} ms, p99 {percentile(times, 0.99):.1f} ms")


def live(seconds: float, readers: int, hold: bool) -> None:
    """One run; with `hold` a second one follows, in which a notebook keeps the database open, and their ratio."""
    free = beside_readers(seconds, readers, hold=False)
    if hold:
        print("the same while a notebook holds the file:")
        held = beside_readers(seconds, readers, hold=True)
        ratios = (percentile(held, share) / percentile(free, share) for share in (0.5, 0.99))
        print("held against free: flush p50 {:.2f}, p99 {:.2f}".format(*ratios))


def beside_readers(seconds: float, readers: int, *, hold: bool) -> list[float]:
    """A job that lands RATE rows a second beside readers in a loop; the times of its flushes."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        directory = Path(folder)
        lander = stack.enter_context(Lander(directory, LanderSettings(interval=2.0), script=script(PRICES)))
        lander.land()
        if hold:
            stack.enter_context(holding(directory))
        stop = threading.Event()
        landing = threading.Thread(target=lander.run, args=(stop,))
        landing.start()
        running = [
            subprocess.Popen([sys.executable, "-c", READER, folder, str(seconds)], stdout=subprocess.PIPE, text=True)
            for _ in range(readers)
        ]
        flushes, late = produce(SegmentWriter(directory, "w00"), seconds + 1)
        stop.set()
        landing.join()
        print(f"{RATE:,} rows/s for {seconds:.0f} s: flush p50 {percentile(flushes, 0.5):.1f} ms,", end=" ")
        print(f"p99 {percentile(flushes, 0.99):.1f} ms; {late} of {len(flushes)} snapshots began late")
        print(f"lander: {lander.passes} passes, {lander.skipped} skipped, {lander.failures} failures,", end=" ")
        print(f"{lander.landed_rows:,} rows; {sum(1 for _ in (directory / 'spool').iterdir())} files left")
        for reader in running:
            reads, failed, wrong, stale, slow = reader.communicate()[0].split()
            print(f"reader: {reads} reads, {failed} failed, {wrong} wrong,", end=" ")
            print(f"staleness at most {float(stale):.2f} s, slowest {float(slow) * 1000:.0f} ms")
        return flushes


def produce(writer: SegmentWriter, seconds: float) -> tuple[list[float], int]:
    """Write RATE rows a second; the times of the flushes, and how many began 10 ms late or more."""
    flushes, late, seq = [], 0, 0
    begun = time.monotonic()
    for tick in range(1, int(seconds / SNAPSHOT_EVERY) + 1):
        now = time.time_ns() // 1000
        for _ in range(int(RATE * SNAPSHOT_EVERY)):
            writer.add([row(seq, now)])
            seq += 1
        delay = begun + tick * SNAPSHOT_EVERY - time.monotonic()
        late += delay < -0.01
        time.sleep(max(0.0, delay))
        start = time.perf_counter()
        writer.flush()
        flushes.append(time.perf_counter() - start)
    return flushes, late


@contextlib.contextmanager
def holding(directory: Path) -> Iterator[None]:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, directory], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as notebook:
        assert notebook.stdout is not None
        notebook.stdout.readline()
        yield
        notebook.communicate("\n")


def ask(rows: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        writer = SegmentWriter(directory, "w00")
        now = time.time_ns() // 1000
        with Lander(directory, LanderSettings(max_files=100), script=script(PRICES)) as lander:
            begun = time.perf_counter()
            for start in range(0, rows, 50_000):
                writer.add(row(seq, now - (rows - seq) * 200_000) for seq in range(start, start + 50_000))
                writer.flush()
            print(f"spooled {rows:,} rows in {time.perf_counter() - begun:.1f} s")
            begun = time.perf_counter()
            while lander.land():
                pass
            size = (directory / "metrics.duckdb").stat().st_size / 1e6
            print(f"landed them in {time.perf_counter() - begun:.1f} s, {size:.0f} MB")
        with duckdb.connect(directory / "metrics.duckdb") as database:
            database.execute(FACTS)
        with open_metrics(directory) as database:
            names = database.sql("SELECT view_name FROM duckdb_views() WHERE NOT internal ORDER BY ALL").fetchall()
            daily = [name for (name,) in names if name.endswith(("_daily", "_hourly"))]
            window = "since := now() - INTERVAL 7 DAY, of_tenant := 'tenant-3'"
            for source in (*daily, *(f"{m}()" for m in MACROS), *(f"{m}({window})" for m in MACROS)):
                begun = time.perf_counter()
                answers = frame(database, f"FROM {source}").height
                print(f"{time.perf_counter() - begun:5.2f} s  {answers:5} rows  {source}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=["write", "live", "ask"])
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--readers", type=int, default=3)
    parser.add_argument("--hold", action="store_true")
    parser.add_argument("--rows", type=int, default=10_000_000)
    options = parser.parse_args()
    match options.what:
        case "write":
            write()
        case "live":
            live(options.seconds, options.readers, options.hold)
        case _:
            ask(options.rows)


if __name__ == "__main__":
    main()
