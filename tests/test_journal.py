from __future__ import annotations

import contextlib
import errno
import os
import stat
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.delivery.journal import Journal, Position, Remembered, Settled, Stored
from connectors.delivery.progress import Cursor
from connectors.errors import DataDirError
from connectors.log.records import Message, encode_message
from tests import disk


def stored(session: str, seq: int, *, to: str = "default", text: str = "Good morning. ") -> Stored:
    message = Message(session, 0, seq, text, "sentence", False, False, seq)
    return Stored(to, msgspec.Raw(encode_message(message)))


def settled(session: str, first: int, last: int | None = None, *, to: str = "default") -> Settled:
    return Settled(to, session, 0, first, first if last is None else last)


def reread(directory: Path) -> list[Remembered | Stored | Settled]:
    with closing(Journal(directory, "w00")) as journal:
        return [entry for _, entry in journal.read()]


def newest(directory: Path) -> Path:
    return max(directory.glob("*.jsonl"))


ENTRIES = [
    stored("s-1", 0),
    stored("s-2", 0, to="other"),
    settled("s-1", 0),
    stored("s-1", 1, text="naïve 🙂 日本"),
]


def test_what_was_appended_is_read_again_in_order(tmp_path: Path):
    with closing(Journal(tmp_path, "w00")) as journal:
        assert list(journal.read()) == []
        journal.append(ENTRIES[:2])
        journal.append(ENTRIES[2:])
    assert reread(tmp_path) == ENTRIES


def test_a_message_is_fetched_by_its_place_byte_for_byte(tmp_path: Path):
    long = stored("s-1", 2, text="x" * 100_000)
    with closing(Journal(tmp_path, "w00")) as journal:
        places = journal.append([*ENTRIES, long])
        assert journal.fetch([places[4], places[0]]) == [bytes(long.d), bytes(ENTRIES[0].d)]
    with closing(Journal(tmp_path, "w00")) as journal:
        assert [place for place, _ in journal.read()] == places


def test_files_are_for_their_owner_alone(tmp_path: Path):
    directory = tmp_path / "delivery"
    with closing(Journal(directory, "w00")) as journal:
        journal.append(ENTRIES)
        journal.rotate({}, [])
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()} == {0o600}


def test_at_any_truncation_the_whole_lines_are_left_and_writing_goes_on(tmp_path: Path):
    with closing(Journal(tmp_path, "w00")) as journal:
        header = journal.sync().offset
        journal.append(ENTRIES)
    path = newest(tmp_path)
    content = path.read_bytes()
    for length in range(header, len(content) + 1):
        path.write_bytes(content[:length])
        whole = content[header:length].count(b"\n")
        with closing(Journal(tmp_path, "w00")) as journal:
            assert [entry for _, entry in journal.read()] == ENTRIES[:whole]
            journal.append([settled("s-9", 9)])
        assert reread(tmp_path) == [*ENTRIES[:whole], settled("s-9", 9)]


@given(tail=st.binary(max_size=60), length=st.integers(0, 200))
def test_whatever_the_torn_tail_is_nothing_before_it_is_lost(
    tmp_path_factory: pytest.TempPathFactory, tail: bytes, length: int
):
    directory = tmp_path_factory.mktemp("torn")
    with closing(Journal(directory, "w00")) as journal:
        journal.append(ENTRIES)
    with newest(directory).open("ab") as file:
        file.write(b"\x00" * length + tail)
    assert reread(directory) == ENTRIES
    assert reread(directory) == ENTRIES


def test_damage_before_whole_lines_is_an_error_that_names_the_line(tmp_path: Path):
    with closing(Journal(tmp_path, "w00")) as journal:
        journal.append(ENTRIES)
    path = newest(tmp_path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], b"\x00\x00\n", *lines[2:]]))
    with pytest.raises(DataDirError, match=rf"{path.name}: line 3 is damaged; remove that line"):
        Journal(tmp_path, "w00")


@pytest.mark.parametrize("first_line", [b"", b"\n", b"{}\n", b'{"format":"tokenweir","version":1}\n', b"\xff\n"])
def test_a_file_that_is_no_journal_is_refused_and_left_alone(tmp_path: Path, first_line: bytes):
    path = tmp_path / "delivery-w00-00000001.jsonl"
    path.write_bytes(first_line)
    with pytest.raises(DataDirError, match="line 1 is not a delivery journal's"):
        Journal(tmp_path, "w00")
    assert path.read_bytes() == first_line


def test_a_journal_from_the_future_is_refused(tmp_path: Path):
    Journal(tmp_path, "w00").close()
    path = newest(tmp_path)
    path.write_bytes(path.read_bytes().replace(b'"version":1', b'"version":2'))
    with pytest.raises(DataDirError, match="version 2 is not known here"):
        Journal(tmp_path, "w00")


def test_a_lane_belongs_to_one_process_at_a_time(tmp_path: Path):
    with closing(Journal(tmp_path, "w00")):
        with pytest.raises(DataDirError, match="another process delivers lane w00"):
            Journal(tmp_path, "w00")
        Journal(tmp_path, "w01").close()
    Journal(tmp_path, "w00").close()


def test_a_recovery_store_that_knows_more_than_the_journal_is_an_error(tmp_path: Path):
    with closing(Journal(tmp_path, "w00")) as journal:
        journal.append(ENTRIES)
        position = journal.sync()
        journal.check(position)
        journal.check(Position(position.segment, 0))
        for beyond in (Position(position.segment, position.offset + 1), Position(position.segment + 1, 0)):
            with pytest.raises(DataDirError, match="shorter than the recovery store says"):
                journal.check(beyond)


# Rotation


def test_rotation_keeps_the_marks_and_removes_what_nobody_waits_for(tmp_path: Path):
    cursors = {"default": [Cursor("s-1", 0, 2, 1), Cursor("s-2", 0, 1, -1, (3,))], "other": []}
    with closing(Journal(tmp_path, "w00")) as journal:
        journal.append(ENTRIES)
        assert journal.rotate(cursors, []) == {}
        assert len(list(tmp_path.glob("*.jsonl"))) == 1
    assert reread(tmp_path) == [Remembered("default", cursor) for cursor in cursors["default"]]


def test_a_message_that_waits_outlives_rotations(tmp_path: Path):
    cursor = {"default": [Cursor("s-1", 0, 0)]}
    waiting = stored("s-1", 0)
    with closing(Journal(tmp_path, "w00", segment_bytes=4_000)) as journal:
        [place] = journal.append([waiting])
        for round_ in range(30):
            journal.append([stored(f"gone-{round_}", seq) for seq in range(30)])
            assert journal.full
            place = journal.rotate(cursor, [place]).get(place, place)
            assert journal.fetch([place]) == [bytes(waiting.d)]
        assert journal.size < 20_000
    assert reread(tmp_path) == [Remembered("default", cursor["default"][0]), waiting]


def test_merging_keeps_what_waits_in_order_and_the_files_few(tmp_path: Path):
    waiting: dict[int, Stored] = {}
    cursors = {"default": [Cursor("slow", 0, 0)]}
    with closing(Journal(tmp_path, "w00", segment_bytes=4_000)) as journal:
        for seq in range(100):
            entries = [stored("slow", seq), *(stored(f"gone-{seq}", n) for n in range(30))]
            place = journal.append(entries)[0]
            waiting[place] = entries[0]
            for old, new in journal.rotate(cursors, waiting).items():
                waiting[new] = waiting.pop(old)
        assert journal.fetch(waiting) == [bytes(entry.d) for entry in waiting.values()]
        assert len(list(tmp_path.glob("*.jsonl"))) < 20
        assert journal.size < 4 * sum(len(entry.d) for entry in waiting.values()) + 3 * 6_000
    assert reread(tmp_path)[1:] == [stored("slow", seq) for seq in range(100)]


def test_a_crash_in_a_merge_leaves_messages_twice_but_in_order(tmp_path: Path):
    cursors = {"default": [Cursor("slow", 0, 0)]}
    with closing(Journal(tmp_path, "w00")) as journal:
        [first] = journal.append([stored("slow", 0)])
        journal.rotate(cursors, [first])
        before = {path: path.read_bytes() for path in tmp_path.glob("*.jsonl")}
        [second] = journal.append([stored("slow", 1)])
        assert set(journal.rotate(cursors, [first, second])) == {first, second}
    removed = [path for path in before if not path.exists()]
    for path in removed:
        path.write_bytes(before[path])
    (tmp_path / "delivery-w00-00000004.tmp").write_bytes(b"half a segm")
    assert reread(tmp_path)[1:] == [stored("slow", 0), stored("slow", 0), stored("slow", 1)]
    assert not list(tmp_path.glob("*.tmp"))


def test_what_the_newest_segment_has_forgotten_does_not_come_back(tmp_path: Path):
    with closing(Journal(tmp_path, "w00")) as journal:
        places = journal.append([stored("forgotten", 0), settled("forgotten", 0), stored("slow", 0)])
        journal.rotate({"default": [Cursor("slow", 0, 0)]}, [places[2]])
    assert reread(tmp_path)[1:] == [stored("slow", 0)]


@pytest.mark.parametrize("name", ["delivery-w00-00000002.tmp", "delivery-w00-00000002.jsonl"])
def test_a_rotation_whose_file_cannot_be_opened_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
):
    """A process may have as many files open as it may. What was written next went to a descriptor that was closed."""
    really_open = os.open

    def open_but(path: str | Path, *rest: int) -> int:
        if Path(path).name == name:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return really_open(path, *rest)

    before = set(os.listdir("/proc/self/fd"))
    with closing(Journal(tmp_path, "w00")) as journal:
        list(journal.read())
        places = journal.append(ENTRIES)
        with monkeypatch.context() as patched, contextlib.suppress(DataDirError):
            patched.setattr(os, "open", open_but)
            journal.rotate({"default": [Cursor("s-1", 0, 1)]}, [places[3]])
        journal.append([stored("s-1", 2)])
    assert set(os.listdir("/proc/self/fd")) == before
    assert [entry for entry in reread(tmp_path) if isinstance(entry, Stored)][-2:] == [ENTRIES[3], stored("s-1", 2)]


# A full disk


def test_a_full_disk_is_one_clear_error_and_leaves_no_half_line(tmp_path: Path):
    with closing(Journal(tmp_path, "w00")) as journal:
        journal.append(ENTRIES)
        size = journal.sync().offset
        with (
            disk.full_at(size + 50),
            pytest.raises(DataDirError, match=r"cannot write to the delivery journal: .*; make room"),
        ):
            journal.append([stored("s-3", 0)])
        assert newest(tmp_path).stat().st_size == size
        journal.append([stored("s-3", 0)])
    assert reread(tmp_path) == [*ENTRIES, stored("s-3", 0)]


def test_when_room_is_made_the_write_is_tried_again(tmp_path: Path):
    asked = []

    def make_room() -> bool:
        asked.append(True)
        disk.make_room()
        return True

    with closing(Journal(tmp_path, "w00", on_full=make_room)) as journal:
        with disk.full_at(journal.sync().offset + 50):
            journal.append(ENTRIES)
        assert asked == [True]
    assert reread(tmp_path) == ENTRIES


def test_a_rotation_that_finds_no_room_changes_nothing(tmp_path: Path):
    cursors = {"default": [Cursor(f"s-{n}", 0, 0) for n in range(100)]}
    with closing(Journal(tmp_path, "w00")) as journal:
        journal.append(ENTRIES)
        with disk.full_at(500), pytest.raises(DataDirError, match="cannot rotate"):
            journal.rotate(cursors, [])
        journal.append([settled("s-1", 1)])
    assert reread(tmp_path) == [*ENTRIES, settled("s-1", 1)]
