"""connectors.log.files: append, read, rotate, retain; torn ends; recordings."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import DataDirError, InputError
from connectors.log.clock import Clock
from connectors.log.files import LogReader, Position, parse_created
from connectors.log.records import SECOND, Header, Record
from connectors.log.writer import LogWriter, write_recording

HEADER = Header("tokenweir", 1, "cxone", "2026-11-20T12:00:00Z", "a test")


def record(t: int, text: str = "x") -> Record:
    return Record(t, "s-1", 0, "frame", id="c", d=text)


def read(path: Path) -> list[Record]:
    return [each for each, _ in LogReader(path).read()]


def test_what_is_appended_is_read_back_in_order(tmp_path: Path) -> None:
    writer = LogWriter(tmp_path, "cxone")
    writer.append([record(1, '{"token":"Grüße 😀"}'), record(2)])
    writer.append([Record(3)])
    writer.close()
    assert read(tmp_path) == [record(1, '{"token":"Grüße 😀"}'), record(2), Record(3)]


def test_the_lines_are_those_of_the_format(tmp_path: Path) -> None:
    writer = LogWriter(tmp_path, "cxone", note="n")
    writer.append([Record(1, "s-1", 0, "open", d={"prompt": "p"}), record(2, "f"), Record(3)])
    writer.close()
    header, *lines = (tmp_path / "000000000001.jsonl").read_text().splitlines()
    assert header.startswith('{"format":"tokenweir","version":1,"vendor":"cxone","created":"20')
    assert lines == [
        '{"t":1,"s":"s-1","n":0,"k":"open","d":{"prompt":"p"}}',
        '{"t":2,"s":"s-1","n":0,"k":"frame","id":"c","d":"f"}',
        '{"t":3}',
    ]


def test_files_are_for_their_owner_only(tmp_path: Path) -> None:
    LogWriter(tmp_path, "cxone").close()
    write_recording(tmp_path / "r.jsonl", HEADER, [])
    for path in (tmp_path / "000000000001.jsonl", tmp_path / "r.jsonl"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_position_leads_to_the_records_after_it(tmp_path: Path) -> None:
    writer = LogWriter(tmp_path, "cxone", rotate_bytes=300)
    positions = [writer.append([record(t)]) for t in range(20)]
    writer.close()
    assert len({position.file for position in positions}) > 1
    for t, position in enumerate(positions):
        assert [each.t for each, _ in LogReader(tmp_path).read(position)] == list(range(t + 1, 20))


def test_every_file_of_a_lane_has_the_same_created(tmp_path: Path) -> None:
    writer = LogWriter(tmp_path, "cxone", rotate_bytes=200)
    for t in range(9):
        writer.append([record(t)])
    writer.close()
    assert len({LogReader(path).header.created for path in tmp_path.glob("*.jsonl")}) == 1


def test_a_reader_stops_at_the_end_that_it_found_when_it_was_made(tmp_path: Path) -> None:
    writer = LogWriter(tmp_path, "cxone")
    writer.append([record(1)])
    reader = LogReader(tmp_path)
    writer.append([record(2)])
    assert [each.t for each, _ in reader.read()] == [1]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_log_cut_at_any_byte_keeps_its_whole_lines_and_goes_on(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("log")
    writer = LogWriter(folder, "cxone")
    begin = writer.position.offset
    ends = [writer.append([record(t, "ü" * t)]).offset for t in range(5)]
    writer.close()
    path = folder / "000000000001.jsonl"
    cut = data.draw(st.integers(begin, ends[-1]))
    path.write_bytes(path.read_bytes()[:cut])
    whole = [t for t, end in enumerate(ends) if end <= cut]
    assert [each.t for each in read(folder)] == whole
    writer = LogWriter(folder, "cxone")
    writer.append([record(99)])
    writer.close()
    assert [each.t for each in read(folder)] == [*whole, 99]


def test_a_newest_file_without_a_whole_header_was_never_used(tmp_path: Path) -> None:
    writer = LogWriter(tmp_path, "cxone")
    writer.append([record(1)])
    writer.close()
    (tmp_path / "000000000002.jsonl").write_bytes(b'{"format":"tok')
    writer = LogWriter(tmp_path, "cxone")
    writer.append([record(2)])
    writer.close()
    assert [each.t for each in read(tmp_path)] == [1, 2]


def test_a_log_has_one_vendor(tmp_path: Path) -> None:
    LogWriter(tmp_path, "cxone").close()
    with pytest.raises(DataDirError, match="another --data-dir"):
        LogWriter(tmp_path, "cognigy")


def test_a_lane_has_one_writer(tmp_path: Path) -> None:
    writer = LogWriter(tmp_path, "cxone")
    with pytest.raises(DataDirError, match="another process"):
        LogWriter(tmp_path, "cxone")
    writer.close()
    LogWriter(tmp_path, "cxone").close()


def test_old_files_go_when_a_position_has_passed_them_and_enough_remains(tmp_path: Path) -> None:
    writer = LogWriter(tmp_path, "cxone", rotate_bytes=300)
    for t in range(20):
        writer.append([record(t)])
    files = len(list(tmp_path.glob("*.jsonl")))
    assert writer.retain(Position(3, 0), keep_bytes=1 << 30) == 0
    assert writer.retain(Position(3, 0), keep_bytes=0) == 2
    assert writer.retain(Position(999, 0), keep_bytes=0) == files - 3, "never the file that is being written"
    writer.close()
    assert LogReader(tmp_path).header.vendor == "cxone"


@pytest.mark.parametrize("name", ["r.jsonl", "r.jsonl.zst"])
def test_a_recording_is_read_as_it_was_written(tmp_path: Path, name: str) -> None:
    records = [record(t, "text " * t) for t in range(100)]
    assert write_recording(tmp_path / name, HEADER, records) == 100
    assert LogReader(tmp_path / name).header == HEADER
    assert read(tmp_path / name) == records


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello\n",
        b'{"tokens": ["a"]}\n',
        b'{"format":"tokenweir","version":2,"vendor":"cxone","created":"2026-11-20T12:00:00Z"}\n',
        b"\xff\xfe\n",
        b'{"format":"tokenweir","version":1,"vendor":"cxone","created":"today"}\n',
        b'{"format":"tokenweir","version":1,"vendor":"cxone","created":"9999-12-31T23:59:59Z"}\n',
    ],
)
def test_what_is_no_recording_is_told_so_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "r.jsonl"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        LogReader(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_broken_line_in_the_middle_is_named_and_not_quoted(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    write_recording(path, HEADER, [record(1)])
    with path.open("ab") as file:
        file.write(b'{"t":"secret","s":"s-1"}\n{"t":3}\n')
    reader = LogReader(path).read()
    assert next(reader)[0].t == 1
    with pytest.raises(InputError, match="line 3") as caught:
        next(reader)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "field"),
    [('{"t":-1}', "$.t"), ('{"t":1000000000000000000000}', "$.t"), ('{"t":1,"s":"../x","n":0}', "$.s")],
)
def test_a_record_that_no_log_of_ours_has_is_named_by_its_field(line: str, field: str, tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    write_recording(path, HEADER, [record(1)])
    with path.open("a") as file:
        file.write(line + "\n")
    with pytest.raises(InputError) as caught:
        read(path)
    assert "line 3" in str(caught.value)
    assert field in str(caught.value)


@pytest.mark.parametrize(
    "lines",
    [b"", b"R\nR\n", b"RR\n\n", b"R\n\nRR\n", b"\nRR\n", b"RR\nS\n", b"SRR\n", b"R\nR", b"R\r\nR\r\n"],
)
def test_blocks_have_the_records_that_lines_have_or_the_same_error(lines: bytes, tmp_path: Path) -> None:
    """R is a record; S one over two lines, as JSON may be and no log is."""
    path = tmp_path / "r.jsonl"
    write_recording(path, HEADER, [])
    one = b'{"t":1,"s":"s","n":0,"k":"open","d":{}}'
    path.write_bytes(path.read_bytes() + lines.replace(b"R", one).replace(b"S", one.replace(b'"d":', b'"d":\n')))

    def read(blocks: bool) -> object:
        reader = LogReader(path)
        try:
            if blocks:
                return [each for block, _ in reader.read_blocks() for each in block]
            return [each for each, _ in reader.read()]
        except InputError as error:
            return str(error)

    assert read(blocks=True) == read(blocks=False)


def test_a_log_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        LogReader(tmp_path / "none.jsonl")
    with pytest.raises(InputError, match="no log files"):
        LogReader(tmp_path)


def test_time_goes_on_after_the_last_record_whatever_the_wall_clock_says() -> None:
    created = parse_created(HEADER)
    far = 10**15
    clock = Clock(created, far)
    assert clock.now() >= far + 1_000_000
    assert clock.now() <= clock.now()


def test_log_time_knows_how_far_it_is_from_the_wall_clock() -> None:
    """A start with a clock far ahead, then corrected; a clock set back or on while the job runs; a small step."""
    created = parse_created(HEADER)
    wall = Wall(created.timestamp() + 1_000)
    clock = Clock(created, 10**15, wall)
    assert clock.skew() == pytest.approx(10**15 + SECOND - 1_000 * SECOND, abs=SECOND)
    clock = Clock(created, 10**6, wall)
    assert clock.skew() == 0
    for step, skew in ((-3_600, 3_600), (3_600 + 86_400, -86_400), (-86_400, 0), (2, 0)):
        wall.seconds += step
        assert clock.skew() == pytest.approx(skew * SECOND, abs=SECOND if skew else 0)


class Wall:
    """A wall clock in nanoseconds that stands."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __call__(self) -> int:
        return int(self.seconds * 1_000_000_000)


def test_an_only_file_that_is_empty_was_never_used(tmp_path: Path) -> None:
    """What a kill leaves between making the first file and its header."""
    (tmp_path / "000000000001.jsonl").touch()
    writer = LogWriter(tmp_path, "cxone")
    writer.append([record(1)])
    writer.close()
    assert [each.t for each in read(tmp_path)] == [1]
