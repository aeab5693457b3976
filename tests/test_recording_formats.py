"""Every command reads a recording in every form that there is: a file, a compressed one, a lane's folder."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from click.testing import CliRunner

from connectors.log.files import LogReader
from tokenweir import main

FOLDER = Path(__file__).parents[1] / "recordings"
PII, SETTINGS = FOLDER / "pii.jsonl", FOLDER / "settings.toml"


def plain(folder: Path) -> Path:
    path = folder / "pii.jsonl"
    path.write_bytes(PII.read_bytes())
    return path


def compressed(folder: Path) -> Path:
    path = folder / "pii.jsonl.zst"
    path.write_bytes(zstandard.compress(PII.read_bytes()))
    return path


def lane(folder: Path) -> Path:
    path = folder / "pii"
    path.mkdir()
    header, *records = PII.read_bytes().splitlines(keepends=True)
    for number, part in enumerate((records[:100], records[100:]), 1):
        (path / f"{number:012d}.jsonl").write_bytes(header + b"".join(part))
    return path


def typed(*args: str | Path) -> str:
    result = CliRunner().invoke(main, [str(arg) for arg in args])
    assert result.exit_code == 0, result.output
    return result.stdout


def replayed(path: Path, *options: str) -> str:
    return typed("replay", path, "--settings", SETTINGS, "--json", *options)


def records_in(path: Path) -> list[object]:
    return [record for record, _ in LogReader(path).read()]


def made(path: Path, *command: str) -> object:
    target = path.parent / "made.jsonl.zst"
    typed("recordings", *command[:1], path, *command[1:], "-o", target)
    return records_in(target)


def made_in_a_folder(path: Path, command: str) -> object:
    target = path.parent / "parts"
    typed("recordings", command, path, "-o", target)
    return {each.name: records_in(each) for each in target.glob("*.jsonl")}


COMMANDS: dict[str, Callable[[Path], object]] = {
    "replay": replayed,
    "replay --speed": lambda path: replayed(path, "--speed", "1000000"),
    "replay --cut": lambda path: replayed(path, "--cut", "char"),
    "replay --faults": lambda path: replayed(path, "--faults", "drop@12:repeat=3"),
    "diff": lambda path: json.loads(typed("diff", SETTINGS, SETTINGS, path, "--json")),
    "moderate": lambda path: typed("moderate", path, "--json", "--settings", SETTINGS),
    "tune": lambda path: typed("tune", path, "--settings", SETTINGS, "--try", "timeout=1,2", "--json"),
    "ls": lambda path: typed("recordings", "ls", path).split()[-6:],
    "show": lambda path: typed("recordings", "show", path),
    "export": lambda path: typed("recordings", "export", path, "--session", "whole"),
    "trim": lambda path: made(path, "trim", "--session", "whole"),
    "merge": lambda path: made(path, "merge"),
    "keep": lambda path: made(path, "keep", "--settings", str(SETTINGS)),
    "keep --fake-pii": lambda path: made(path, "keep", "--fake-pii", "--settings", str(SETTINGS)),
    "keep in a folder": lambda path: made_in_a_folder(path, "keep"),
    "split": lambda path: made_in_a_folder(path, "split"),
}


@pytest.mark.parametrize("form", [compressed, lane], ids=lambda form: form.__name__)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_reads_it_as_it_reads_a_plain_file(
    command: str, form: Callable[[Path], Path], tmp_path: Path
) -> None:
    expected, found = tmp_path / "plain", tmp_path / "form"
    expected.mkdir()
    found.mkdir()
    assert COMMANDS[command](form(found)) == COMMANDS[command](plain(expected))


def test_the_pytest_plugin_reads_a_compressed_one(tmp_path: Path) -> None:
    compressed(tmp_path)
    (tmp_path / "settings.toml").write_bytes(SETTINGS.read_bytes())
    (tmp_path / "__snapshots__").mkdir()
    (tmp_path / "__snapshots__" / "pii.txt").write_bytes((FOLDER / "__snapshots__" / "pii.txt").read_bytes())
    options = ["-p", "no:cacheprovider", "-q", "--rootdir", tmp_path, "--tokenweir-recordings", tmp_path]
    command = [sys.executable, "-m", "pytest", *options]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert ran.returncode == 0, ran.stdout
    assert "1 passed" in ran.stdout
