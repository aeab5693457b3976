"""The pytest plugin: every recording is a test of what it comes to.

    pytest --tokenweir-recordings DIR                       all recordings below DIR
    pytest --tokenweir-recordings DIR --snapshot-update     take what they come to now as right

Rules
- A recording's snapshot lies beside it: `__snapshots__/NAME.txt`, a page to read (flows/recordings/outcome.py).
- It is replayed with the settings of `--tokenweir-settings`, else of `settings.toml` beside it, else with the
  defaults; never with the environment's, so that it comes to the same everywhere.
- Folders of `tokenweir_recordings` in pytest's configuration are for recordings that stand among a project's tests:
  there they are collected when pytest comes by.
- Only pytest imports this module. It needs syrupy.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from flows.recordings.outcome import Outcome
    from flows.settings import Settings

SUFFIXES = (".jsonl", ".jsonl.zst")
SETTINGS = "settings.toml"
SNAPSHOTS = "__snapshots__"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("tokenweir")
    group.addoption(
        "--tokenweir-recordings",
        action="append",
        default=[],
        metavar="DIR",
        help="Replay every recording below DIR (or one) and compare it with its snapshot.",
    )
    group.addoption(
        "--tokenweir-settings",
        metavar="FILE",
        help="The TOML file to replay with; settings.toml beside the recording otherwise.",
    )
    parser.addini("tokenweir_recordings", "Folders in which recordings are tests.", type="paths", default=[])


def pytest_configure(config: pytest.Config) -> None:
    """What is named with the option is to be collected, beside what pytest was asked for, if anything."""
    named = config.getoption("--tokenweir-recordings")
    if named:
        asked = config.args if config.args_source is pytest.Config.ArgsSource.ARGS else []
        config.args[:] = [*asked, *named]


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if not file_path.name.endswith(SUFFIXES) or not any(_is_below(file_path, place) for place in _places(parent)):
        return None
    return RecordingFile.from_parent(parent, path=file_path)


class RecordingFile(pytest.File):
    """A recording: one test."""

    def collect(self) -> Iterable[pytest.Item]:
        yield RecordingTest.from_parent(self, name=_stem(self.path), callobj=_compare)


class RecordingTest(pytest.Function):
    """Replays the recording and compares."""

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException]) -> Any:  # type: ignore[override]  # Function's own
        """The difference, or an error of ours in its one line; a traceback only for what nobody foresaw."""
        from connectors.console.printable import printable
        from connectors.errors import TokenweirError

        if isinstance(excinfo.value, DifferenceError | TokenweirError):
            return printable(str(excinfo.value))
        return super().repr_failure(excinfo)

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.path, None, self.path.name


class DifferenceError(AssertionError):
    """A recording does not come to its snapshot."""


@pytest.fixture
def replay(pytestconfig: pytest.Config) -> Callable[..., Outcome]:
    """`replay(recording, settings)` -> what the recording comes to (flows/recordings/outcome.py).

    recording  a path
    settings   Settings, or the path of a TOML file; without, as the plugin chooses them
    """

    def run(recording: Path | str, settings: Settings | Path | str | None = None) -> Outcome:
        from flows.recordings.outcome import outcome
        from flows.recordings.vendor import vendor_of
        from flows.settings import load

        path = Path(recording)
        if settings is None:
            return outcome(path, _settings(path, pytestconfig))
        if isinstance(settings, Path | str):
            return outcome(path, load(Path(settings), {}, vendor=vendor_of(path).name))
        return outcome(path, settings)

    return run


def _compare(request: pytest.FixtureRequest, replay: Callable[..., Outcome], snapshot: Any) -> None:
    path: Path = request.node.path
    kept = path.parent / SNAPSHOTS / f"{_stem(path)}.txt"
    before = kept.read_text(encoding="utf-8") if kept.exists() else None
    page = replay(path).page
    if page == snapshot(extension_class=_page_extension()):
        return
    renew = "pytest --tokenweir-recordings … --snapshot-update"
    if before is None:
        raise DifferenceError(
            f"{path.name} has no snapshot yet. Keep this one, if it is right, with `{renew}`:\n\n{page}"
        )
    raise DifferenceError(
        f"{path.name} does not come to its snapshot {kept.name} any more (- was, + is now).\n"
        f"If that is meant: `{renew}`.\n\n{_difference(before, page)}"
    )


def _page_extension() -> type[Any]:
    """One text file a recording, in a folder beside it."""
    from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode
    from syrupy.location import PyTestLocation

    class Page(SingleFileSnapshotExtension):
        _write_mode = WriteMode.TEXT
        file_extension = "txt"

        @classmethod
        def dirname(cls, *, test_location: PyTestLocation) -> str:
            return str(Path(test_location.filepath).parent / SNAPSHOTS)

        @classmethod
        def get_snapshot_name(cls, *, test_location: PyTestLocation, index: Any = 0) -> str:
            return _stem(Path(test_location.filepath))

    return Page


def _difference(before: str, now: str) -> str:
    """The lines that changed, each under its turn."""
    lines = difflib.unified_diff(before.splitlines(), now.splitlines(), lineterm="", n=1_000_000)
    shown: list[str] = []
    turn, shown_turn = "", ""
    for line in list(lines)[3:]:
        body = line[1:]
        if body and not body.startswith(" "):
            turn = line
        if line.startswith(("+", "-")):
            if turn not in (shown_turn, line) and turn[:1] == " ":
                shown.append(turn)
                shown_turn = turn
            shown.append(line)
    return "\n".join(shown)


def _settings(recording: Path, config: pytest.Config) -> Settings:
    from flows.recordings.vendor import vendor_of
    from flows.settings import load, parse

    named, vendor = config.getoption("--tokenweir-settings"), vendor_of(recording).name
    beside = recording.parent / SETTINGS
    if named or beside.exists():
        return load(Path(named) if named else beside, {}, vendor=vendor)
    return parse({}, vendor=vendor)


def _places(node: pytest.Collector) -> list[Path]:
    named = [Path(name) for name in node.config.getoption("--tokenweir-recordings")]
    return [*(node.config.invocation_params.dir / path for path in named), *node.config.getini("tokenweir_recordings")]


def _is_below(path: Path, place: Path) -> bool:
    return path.resolve().is_relative_to(place.resolve())


def _stem(path: Path) -> str:
    return path.name.removesuffix(".zst").removesuffix(".jsonl")
