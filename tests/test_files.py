"""connectors.disk.files: lines of plain and compressed files within bounds, and files that are whole or not there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.disk import files
from connectors.disk.durable import replaced, write_whole
from connectors.disk.files import first_line, lines
from connectors.errors import InputError
from connectors.log.files import LogReader
from connectors.log.records import Header, Record
from connectors.log.writer import write_recording
from tests.disk import full_at

HEADER = Header("tokenweir", 1, "cxone", "2026-11-20T12:00:00Z")

TIGHT = """
import resource, sys
from pathlib import Path
from connectors.log.files import LogReader
from connectors.errors import InputError
free = 256 << 20
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + free, used + free))
try:
    print(sum(1 for _ in LogReader(Path(sys.argv[1])).read()))
except InputError as error:
    print(error)
"""


def stored(path: Path, content: bytes, *, frames: int = 1) -> Path:
    """The content as a file; compressed, in so many frames, where its name says so."""
    if path.suffix == ".zst":
        step = max(1, -(-len(content) // frames))
        pieces = [content[at : at + step] for at in range(0, len(content), step)] or [b""]
        content = b"".join([zstandard.compress(piece) for piece in pieces])
    path.write_bytes(content)
    return path


@settings(max_examples=60, deadline=None)
@given(
    content=st.lists(st.binary(max_size=40)).map(b"\n".join),
    data=st.data(),
    name=st.sampled_from(["a", "a.zst"]),
    frames=st.integers(1, 4),
)
def test_whatever_the_file_and_the_offset_its_lines_are_read_from_there(
    content: bytes, data: st.DataObject, name: str, frames: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = stored(tmp_path_factory.mktemp("files") / name, content, frames=frames)
    begin = data.draw(st.integers(0, len(content)))
    assert b"".join(lines(path, begin)) == content[begin:]
    assert all(line.endswith(b"\n") for line in list(lines(path, begin))[:-1])
    assert first_line(path) == content.partition(b"\n")[0] + (b"\n" if b"\n" in content else b"")


@pytest.mark.parametrize("name", ["r.jsonl", "r.jsonl.zst"])
def test_a_line_beyond_the_bound_is_said_by_its_number(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_recording(tmp_path / name, HEADER, [Record(1, "s", 0, "frame", d="x" * 500)])
    assert len(list(LogReader(tmp_path / name).read())) == 1
    monkeypatch.setattr(files, "LONGEST_LINE", 400)
    with pytest.raises(InputError, match="line 2 is longer than"):
        list(LogReader(tmp_path / name).read())


def test_a_small_file_that_holds_an_enormous_line_costs_no_more_than_the_bound(tmp_path: Path) -> None:
    """512 MB in 50 KB: read in a process that has 256 MB left."""
    header = b'{"format":"tokenweir","version":1,"vendor":"cxone","created":"2026-11-20T12:00:00Z"}\n'
    path = tmp_path / "r.jsonl.zst"
    with path.open("wb") as file, zstandard.ZstdCompressor().stream_writer(file) as compressed:
        compressed.write(header)
        for _ in range(512):
            compressed.write(b" " * (1 << 20))
    assert path.stat().st_size < 1 << 17
    ran = subprocess.run([sys.executable, "-c", TIGHT, path], capture_output=True, text=True, check=False)
    assert "line 2 is longer than 64 MiB" in ran.stdout, ran.stderr[-500:]


def test_a_window_beyond_the_bound_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl.zst"
    parameters = zstandard.ZstdCompressionParameters(window_log=28, compression_level=1)
    path.write_bytes(zstandard.ZstdCompressor(compression_params=parameters).compressobj().compress(b"x" * (1 << 20)))
    with pytest.raises(InputError, match="window of more than 128 MiB"):
        LogReader(path)


@pytest.mark.parametrize(
    "content", [b"hello\n", b"\x28\xb5\x2f\xfd\xff\xff\xff\xff", zstandard.compress(b"x" * 99)[:-4]]
)
def test_what_does_not_decompress_is_one_line(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl.zst"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        LogReader(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["r.jsonl", "r.jsonl.zst"])
def test_a_recording_that_cannot_be_finished_leaves_nothing(name: str, tmp_path: Path) -> None:
    def broken() -> object:
        yield Record(1)
        raise InputError("a source that breaks")

    with pytest.raises(InputError, match="breaks"):
        write_recording(tmp_path / name, HEADER, broken())  # type: ignore[arg-type]  # any iterable will do
    assert list(tmp_path.iterdir()) == []
    (tmp_path / name).write_bytes(b"before")
    with full_at(10), pytest.raises(OSError, match="too large"):
        write_recording(tmp_path / name, HEADER, [Record(t, "s", 0, "frame", d="x" * 99) for t in range(9_999)])
    with full_at(10), pytest.raises(OSError, match="too large"):
        write_whole(tmp_path / name, b"x" * 99)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_bytes() == b"before"


def test_what_takes_a_files_place_is_its_owners_only(tmp_path: Path) -> None:
    with replaced(tmp_path / "a") as file:
        file.write(b"x")
        assert not (tmp_path / "a").exists()
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600
