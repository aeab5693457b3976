"""flows.engine.examination: what it finds in a data directory, and that it changes nothing."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from flows.engine.examination import Finding, examine
from tests.conftest import OtherSide, corpus_of
from tests.test_cli import invoke

Start = Callable[..., OtherSide]


@pytest.fixture
def data_dir(other_side: Start, tmp_path: Path) -> Path:
    """That of a job that ended in order."""
    other_side(corpus_of(["The ", "parcel ", "left. "])).run(tmp_path / "data", "s")
    return tmp_path / "data"


def found(data_dir: Path, level: str) -> list[Finding]:
    return [each for each in examine(data_dir) if each.level == level]


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def content(data_dir: Path) -> dict[str, str]:
    files = (path for path in data_dir.rglob("*") if path.is_file() and not path.name.endswith(("-shm", "-wal")))
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_a_sound_directory_has_nothing_to_mend_and_stays_as_it_is(data_dir: Path) -> None:
    before = content(data_dir)
    assert found(data_dir, "error") == []
    assert content(data_dir) == before
    result = invoke({}, "doctor", data_dir)
    assert result.exit_code == 0, result.output
    assert "No errors." in result.stdout


def test_torn_ends_are_noted_with_what_a_start_cuts(data_dir: Path) -> None:
    for path in (*data_dir.glob("log/w00/*.jsonl"), *data_dir.glob("delivery/*.jsonl")):
        append(path, '{"t":1')
    notes = [each.what for each in found(data_dir, "note")]
    assert notes.count("the last line is torn: a start cuts 6 bytes off") == 2
    assert found(data_dir, "error") == []


def damage_line(path: Path) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], b"junk\n", *lines[1:]]))


def damage_log(data_dir: Path) -> None:
    damage_line(data_dir / "log" / "w00" / "000000000001.jsonl")


def damage_header(data_dir: Path) -> None:
    (data_dir / "log" / "w00" / "000000000001.jsonl").write_bytes(b"hello\n")


def damage_journal(data_dir: Path) -> None:
    damage_line(next(data_dir.glob("delivery/*.jsonl")))


def shorten_log(data_dir: Path) -> None:
    path = data_dir / "log" / "w00" / "000000000001.jsonl"
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])


def damage_store(data_dir: Path) -> None:
    next(data_dir.glob("recovery/w00/*.sqlite3")).write_bytes(b"no database at all" * 100)


def damage_database(data_dir: Path) -> None:
    (data_dir / "metrics.duckdb").write_bytes(b"no database at all" * 100)


def open_to_others(data_dir: Path) -> None:
    (data_dir / "log" / "w00" / "000000000001.jsonl").chmod(0o644)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (damage_log, "not a record"),
        (damage_header, "not a tokenweir recording"),
        (damage_journal, "line 2 is damaged"),
        (shorten_log, "beyond the log's end"),
        (damage_store, "cannot be read"),
        (damage_database, "move it away for a new one"),
        (open_to_others, "others may read it"),
    ],
)
def test_what_must_be_mended_is_named_with_its_remedy(
    damage: Callable[[Path], None], says: str, data_dir: Path
) -> None:
    damage(data_dir)
    found_to_mend = found(data_dir, "error")
    assert any(says in each.what for each in found_to_mend), found_to_mend
    result = invoke({}, "doctor", data_dir)
    assert result.exit_code == 8
    assert "to fix." in result.stdout


def test_open_turns_are_counted_by_what_a_start_does_with_them(data_dir: Path) -> None:
    path = data_dir / "log" / "w00" / "000000000001.jsonl"
    lines = (
        '{"t":99000000,"s":"a","n":0,"k":"open","d":{}}',
        '{"t":99000000,"s":"b","n":0,"k":"open","d":{}}',
        '{"t":99000000,"s":"c","n":0,"k":"open","d":{}}',
        '{"t":99000001,"s":"b","n":0,"k":"frame","d":"{\\"token\\":\\"Hi\\"}"}',
        '{"t":99000001,"s":"c","n":0,"k":"frame","d":"{\\"token\\":\\"\\"}"}',
    )
    append(path, "".join(f"{line}\n" for line in lines))
    assert any("3 turns are open: a start asks for the rest of 2 and ends 1" in each.what for each in examine(data_dir))


def test_what_is_no_directory_is_said_so(tmp_path: Path) -> None:
    assert invoke({}, "doctor", tmp_path / "none").exit_code == 8


def test_settings_are_checked_where_they_are_named(data_dir: Path, tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    for text, says in (
        ('[metrics]\nmemory_limit = "junk"\n', "metrics.memory_limit should be"),
        ("[log]\nkeep_bytes = -1\n", "log.keep_bytes should be"),
        ('[moderation]\nremote = ["birds"]\n', "moderation.remote: nobody serves"),
        ('[[moderation.patterns]]\nname = "X"\nregex = "("\n', "moderation.patterns[0].regex"),
        ("[window\n", "is not TOML"),
    ):
        file.write_text(text)
        result = invoke({}, "doctor", data_dir, "--settings", file)
        assert result.exit_code == 8, (text, result.output)
        assert says in " ".join(result.stdout.split())
    file.write_text("[window]\ntimeout = 3\n")
    result = invoke({}, "doctor", data_dir, "--settings", file)
    assert result.exit_code == 0, result.output


def test_a_log_ahead_of_the_clock_is_noted(data_dir: Path) -> None:
    path = data_dir / "log" / "w00" / "000000000001.jsonl"
    year = time.gmtime().tm_year
    path.write_bytes(path.read_bytes().replace(b'"created":"%d' % year, b'"created":"%d' % (year + 4), 1))
    assert any("ahead of this machine's clock" in each.what for each in found(data_dir, "note"))
    assert found(data_dir, "error") == []
