"""Two jobs into one database, killed again and again with SIGKILL while analysts read.

TOKENWEIR_KILLS is how often each is killed; `make soak` has 25.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

from connectors.metrics import open_metrics

ROOT = Path(__file__).resolve().parents[2]
KILLS = int(os.environ.get("TOKENWEIR_KILLS", "5"))
ITEMS = 300 * KILLS

READER = """
import sys
from pathlib import Path
from connectors.errors import InputError
from connectors.metrics import open_metrics
reads = 0
while not Path(sys.argv[1], "stop").exists():
    try:
        database = open_metrics(Path(sys.argv[1]))
    except InputError:
        continue  # before the first landing
    with database:
        database.execute("SET enable_progress_bar = false")  # -c counts as interactive, and standard output is read
        for lane, count, distinct, newest in database.sql(
            "SELECT lane, count(*), count(DISTINCT (session_id, seq)),"
            " max(epoch_us(released_at) - 1790000000000000) // 100000 FROM messages GROUP BY lane"
        ).fetchall():
            assert count == distinct == newest + 1, (lane, count, distinct, newest)
        ((turns, tokens, messages),) = database.sql("SELECT turns, tokens, messages FROM totals()").fetchall()
        assert (tokens, messages) == (90 * turns, 10 * turns), (turns, tokens, messages)
        for turns, distinct, first_token in database.sql(
            "SELECT count(*), count(DISTINCT (session_id, turn)), sum(first_token_ms)::BIGINT FROM first_sentences"
            " GROUP BY vendor"
        ).fetchall():
            assert (distinct, first_token) == (turns, 200 * turns), (turns, distinct, first_token)
    reads += 1
print(reads)
"""


def run_to_its_end(directory: Path, lane: str, codes: list[int]) -> None:
    """Start the job, kill it at a random moment of its life, start it again; KILLS times, then let it end."""
    rng = random.Random(lane)
    for attempt in range(KILLS + 1):
        job = subprocess.Popen([sys.executable, "-m", "tests.metrics_job", directory, lane, str(ITEMS)], cwd=ROOT)
        try:
            job.wait(rng.uniform(0.5, 1.5) if attempt < KILLS else None)
        except subprocess.TimeoutExpired:
            job.kill()
        codes.append(job.wait())


def test_every_row_lands_once_and_no_reader_ever_sees_a_gap_or_a_double(tmp_path: Path) -> None:
    readers = [
        subprocess.Popen([sys.executable, "-c", READER, tmp_path], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    codes: list[int] = []
    jobs = [threading.Thread(target=run_to_its_end, args=(tmp_path, lane, codes)) for lane in ("w00", "w01")]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    (tmp_path / "stop").touch()
    reads = []
    for reader in readers:
        reads.append(int(reader.communicate()[0]))
        assert reader.returncode == 0
    assert min(reads) > 0
    assert set(codes) <= {0, -signal.SIGKILL}
    print(f"{codes.count(-signal.SIGKILL)} kills, {sum(reads)} reads")  # noqa: T201  # what `make soak` shows
    with open_metrics(tmp_path) as database:
        rows = database.sql(
            "SELECT lane, count(*), count(DISTINCT (session_id, seq)) FROM messages GROUP BY lane ORDER BY lane"
        ).fetchall()
        turns = database.sql("SELECT lane, count(*) FROM turns GROUP BY lane ORDER BY lane").fetchall()
    assert rows == [("w00", ITEMS, ITEMS), ("w01", ITEMS, ITEMS)]
    assert turns == [("w00", ITEMS // 10), ("w01", ITEMS // 10)]
