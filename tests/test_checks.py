"""flows.engine.checks: doctor says of a damaged data directory what a start then does, and nothing panics."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from connectors.reactor import Reactor
from connectors.simulator import AgentDesktop
from connectors.vendors.cxone.simulator import SimulatedCXone
from flows.engine.examination import examine
from tests.conftest import OtherSide, corpus_of
from tests.test_cli import environment, invoke

FILES = [
    "log/w00/000000000001.jsonl",
    "log/w00/identity",
    "recovery/w00/part-0.sqlite3",
    "recovery/w00.versions",
    "delivery/delivery-w00-00000001.jsonl",
    "spool/runs.w00.*",
    "metrics.duckdb",
    "log/w00",
    "recovery/w00",
    "delivery",
    "spool",
]


def remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def empty(path: Path) -> None:
    path.write_bytes(b"")


def halve(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def overwrite(path: Path) -> None:
    path.write_bytes(b"no such thing\n" * 100)


CASES = [
    (name, damage) for name in FILES for damage in (remove, empty, halve, overwrite) if damage is remove or "." in name
]


@pytest.fixture(scope="module")
def other_side() -> Iterator[OtherSide]:
    reactor = Reactor()
    side = OtherSide(reactor, SimulatedCXone(corpus_of(["The ", "parcel ", "left. "]), speed=0), AgentDesktop())
    reactor.run(side.gateway.start())
    reactor.run(side.desktop.start())
    yield side
    reactor.run(side.gateway.close())
    reactor.run(side.desktop.close())
    reactor.close()


@pytest.fixture(scope="module")
def sound(other_side: OtherSide, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of a job that ended in order."""
    data_dir = tmp_path_factory.mktemp("sound")
    other_side.run(data_dir, "s")
    return data_dir


@pytest.mark.parametrize(("name", "damage"), CASES, ids=[f"{name}-{damage.__name__}" for name, damage in CASES])
def test_doctor_and_start_agree(
    name: str,
    damage: Callable[[Path], None],
    sound: Path,
    other_side: OtherSide,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    data_dir = tmp_path / "data"
    shutil.copytree(sound, data_dir)
    for path in data_dir.glob(name):
        damage(path)
    refused = [each for each in examine(data_dir) if each.refused]
    said = "; ".join(f"{each.where}: {each.what}" for each in refused)
    new = f"new-{CASES.index((name, damage))}"
    result = invoke(environment(other_side, data_dir), "run", "cxone", "--prompt", "stream s", "--session-id", new)
    assert (result.exit_code in (7, 8)) == bool(refused), (result.exit_code, said, result.stderr)
    out, err = capfd.readouterr()
    assert "panicked" not in out + err + result.stderr
    assert "Traceback" not in out + err + result.stderr
    if refused:
        assert any(each.what in result.stderr for each in refused), (said, result.stderr)
    else:
        assert other_side.desktop.transcript(new) == "The parcel left. "


def test_some_damages_are_refused_and_some_are_not(sound: Path, tmp_path: Path) -> None:
    """Else the test above would hold of a doctor that says nothing."""
    found = []
    for number, (name, damage) in enumerate(CASES):
        data_dir = shutil.copytree(sound, tmp_path / str(number))
        for path in data_dir.glob(name):
            damage(path)
        found.append((name, damage.__name__, any(each.refused for each in examine(data_dir))))
    refused = {(name, damage) for name, damage, is_refused in found if is_refused}
    assert refused >= {
        ("log/w00/000000000001.jsonl", "overwrite"),
        ("log/w00", "remove"),
        ("recovery/w00/part-0.sqlite3", "overwrite"),
        ("recovery/w00.versions", "overwrite"),
        ("delivery/delivery-w00-00000001.jsonl", "remove"),
        ("delivery", "remove"),
    }
    assert not refused & {("recovery/w00", "remove"), ("spool", "remove"), ("log/w00/identity", "overwrite")}


def test_segments_that_are_gone_are_told_with_what_brings_their_rows_back(sound: Path, tmp_path: Path) -> None:
    data_dir = shutil.copytree(sound, tmp_path / "data")
    shutil.rmtree(data_dir / "spool")
    [found] = [each for each in examine(data_dir) if each.where == "spool" and each.level == "error"]
    assert "move recovery/w00 away" in found.what
