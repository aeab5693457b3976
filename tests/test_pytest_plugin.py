"""flows.recordings.pytest_plugin: recordings as tests, as a user of the plugin meets it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from flows.recordings.outcome import Outcome
from flows.settings import parse

FOLDER = Path(__file__).parents[1] / "recordings"


def run(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--tokenweir-recordings", ".", *args]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


def test_a_recording_is_a_test_from_its_first_run_to_a_difference(tmp_path: Path) -> None:
    shutil.copy(FOLDER / "clean.jsonl", tmp_path)
    first = run(tmp_path)
    assert first.returncode == 1
    assert "clean.jsonl has no snapshot yet" in first.stdout
    assert run(tmp_path, "--snapshot-update").returncode == 0
    assert "3 " in (tmp_path / "__snapshots__" / "clean.txt").read_text(encoding="utf-8")
    (tmp_path / "settings.toml").write_text("[window]\nmax_chars = 60\n")
    changed = run(tmp_path)
    assert changed.returncode == 1
    assert '+   2   0.785119 max_chars "Print the label from your order page, "' in changed.stdout
    assert "Traceback" not in changed.stdout


def test_the_fixture_replays_with_the_settings_beside_and_with_ones_own(replay: Callable[..., Outcome]) -> None:
    assert "[REDACTED]" in replay(FOLDER / "pii.jsonl").text("whole")
    assert "192.0.2.44" in replay(FOLDER / "pii.jsonl", parse({"moderation": {"pii": []}})).text("whole")
    assert replay(FOLDER / "clean.jsonl", FOLDER / "settings.toml").turns["refund", 0].outcome == "finished"
