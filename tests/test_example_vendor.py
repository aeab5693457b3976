"""examples/vendor: a vendor that an installed package brings, run live, recorded, replayed and held to its snapshot."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.reactor import Reactor
from connectors.simulator import AgentDesktop

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the package as pip installs it, and nothing else."""
    target = tmp_path_factory.mktemp("site")
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation", "--target", str(target)]
    command = [sys.executable, "-m", "pip", "install", *options, str(ROOT / "examples" / "vendor")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"pip cannot install here: {done.stderr.strip().splitlines()[-1]}")
    return target


class Shell:
    """Commands as a user runs them where the package is installed."""

    def __init__(self, folder: Path, installed: Path, **environment: str) -> None:
        self.folder = folder
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("TOKENWEIR", "PARROT"))}
        self.environment = {**kept, "PYTHONPATH": f"{installed}{os.pathsep}{ROOT}", **environment}

    def start(self, *words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", *words]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, cwd=self.folder, env=self.environment, text=True, stdout=pipe, stderr=pipe)

    def run(self, *words: str) -> str:
        process = self.start(*words)
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, out + err
        return out


@pytest.fixture
def desktop() -> Iterator[AgentDesktop]:
    reactor, desktop = Reactor(), AgentDesktop()
    reactor.run(desktop.start())
    yield desktop
    reactor.run(desktop.close())
    reactor.close()


def test_an_installed_vendor_runs_records_replays_and_snapshots(
    installed: Path, desktop: AgentDesktop, tmp_path: Path
) -> None:
    shell = Shell(tmp_path, installed)
    simulator = shell.start("tokenweir", "simulate", "parrot", "--port", "0", "--desktop-port", "0", "--speed", "0")
    try:
        assert simulator.stdout is not None
        said = dict(re.findall(r"export (\w+)='(.*)'", "".join(simulator.stdout.readline() for _ in range(3))))
        job = Shell(tmp_path, installed, **said | {"AGENT_WS_URL": desktop.url})
        job.run("tokenweir", "run", "parrot", "--prompt", "stream refund", "--record", "kept/refund.jsonl")
    finally:
        simulator.terminate()
        simulator.communicate(timeout=20)
    shown = desktop.transcript("s-1")
    assert len(shown) > 100
    replayed = shell.run("tokenweir", "replay", "--json", "kept/refund.jsonl")
    assert replayed.count('"type":"sentence"') == len(desktop.received)
    assert "parrot" in shell.run("tokenweir", "recordings", "ls", "kept/refund.jsonl")
    (tmp_path / "pytest.ini").write_text("[pytest]\ntokenweir_recordings = kept\n")
    shell.run("pytest", "-q", "-p", "no:cacheprovider", "--snapshot-update", "kept")
    assert "1 passed" in shell.run("pytest", "-q", "-p", "no:cacheprovider", "kept")


def test_its_own_tests_and_an_import_of_what_curl_saved_pass(installed: Path, tmp_path: Path) -> None:
    shell = Shell(tmp_path, installed)
    (tmp_path / "test_parrot.py").write_bytes((ROOT / "examples" / "vendor" / "test_parrot.py").read_bytes())
    assert "9 passed" in shell.run("pytest", "-q", "-p", "no:cacheprovider", "test_parrot.py")
    (tmp_path / "answer.sse").write_text('data: {"say": "It left. "}\n\ndata: {"say": "", "over": true}\n\n')
    shell.run("tokenweir", "recordings", "import", "answer.sse", "-o", "answer.jsonl")
    assert '"parrot"' in (tmp_path / "answer.jsonl").read_text().splitlines()[0]
    assert "It left." in shell.run("tokenweir", "replay", "answer.jsonl")


def test_a_package_that_cannot_be_imported_harms_nobody(tmp_path: Path) -> None:
    info = tmp_path / "site" / "broken-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[tokenweir.vendors]\nbroken = nowhere_at_all:VENDOR\n")
    process = Shell(tmp_path, tmp_path / "site").start("tokenweir", "run", "--help")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "cxone" in out
    assert "the vendor 'broken' (nowhere_at_all:VENDOR) is left out: ModuleNotFoundError" in err
