"""The benchmarks start, and each gives its lines of the table. How fast anything is, no test asserts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

EXPECTED = {
    "live": ["CPU a token", "latency p50", "latency p99"],
    "flood": ["as fast as it comes", "longest latency"],
    "replay": ["replay, sentences, block list, PII", "replay, sentences, block list", "replay, none"],
    "floor": ["no-op Bytewax flow"],
}


@pytest.mark.parametrize("part", EXPECTED)
def test_a_part_of_the_table_comes_whole_from_few_tokens(part: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--tiny", "--only", part],
        cwd=ROOT,
        env={**os.environ, "PYTHONWARNINGS": "error"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    head, rule, *lines = (line.split("|") for line in done.stdout.splitlines())
    assert {len(cells) for cells in (head, rule, *lines)} == {len(head)}
    for what in EXPECTED[part]:
        assert any(what in cells[1] for cells in lines), what
    if part != "floor":
        column = [cell.strip() for cell in head].index("tokenweir")
        assert all(cells[column].strip() for cells in lines)
    assert "did not end in time" not in done.stdout
