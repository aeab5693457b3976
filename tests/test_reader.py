"""connectors.delivery.reader: confirmations in order, beside the process that writes them."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.delivery.journal import Journal, Settled
from connectors.delivery.reader import Cursor, JournalReader
from connectors.delivery.segment import Stored, encode_line

AT = 1_790_000_000_000_000


def settled(first: int, last: int | None = None) -> Settled:
    last = first if last is None else last
    return Settled("default", "s", 0, first, last, AT + first, "ack", tuple(range(first, last + 1)))


def path_of(directory: Path) -> Path:
    return max(directory.glob("*.jsonl"))


def test_there_is_nothing_before_the_journal_is(tmp_path: Path) -> None:
    for directory in (tmp_path / "none", tmp_path):
        assert JournalReader(directory, "w00").read(None, 10) == ([], None, True)
        assert not JournalReader(directory, "w00").stands(Cursor(1, 0, 1, 0))


@settings(deadline=None, max_examples=40)
@given(st.lists(st.sampled_from(["settle", "store", "rotate", "read", "start"]), max_size=60), st.integers(1, 5))
def test_each_confirmation_is_read_once_in_order_whenever_it_is_read(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str], most: int
) -> None:
    directory = tmp_path_factory.mktemp("delivery")
    cursor: Cursor | None = None
    found: list[int] = []
    with closing(Journal(directory, "w00", unread=lambda: cursor.segment if cursor else 0)) as journal:
        reader, written = JournalReader(directory, "w00"), 0
        for step in [*steps, *["read"] * 60]:
            if step == "settle":
                journal.append([settled(written, written + 1), settled(written + 2)])
                written += 3
            elif step == "store":
                journal.append([Stored("default", msgspec.Raw(b'{"session_id":"s","turn":0}'))])
            elif step == "rotate":
                journal.rotate({}, [])
            elif step == "start":
                reader = JournalReader(directory, "w00")
            else:
                delivered, cursor, at_end = reader.read(cursor, most)
                found += [each.seq for each in delivered]
                assert all(each.sent_at == each.seq for each in delivered)
                assert len(delivered) <= most + 1
                assert at_end or len(delivered) >= most
                assert cursor is None or reader.stands(cursor)
    assert found == list(range(written))


def test_a_line_counts_once_its_end_is_there(tmp_path: Path) -> None:
    Journal(tmp_path, "w00").close()
    reader, line = JournalReader(tmp_path, "w00"), encode_line(settled(7)) + b"\n"
    with path_of(tmp_path).open("ab") as file:
        file.write(line[:-1])
        file.flush()
        delivered, cursor, _ = reader.read(None, 10)
        assert delivered == []
        file.write(b"\n")
        file.flush()
        assert [each.seq for each in reader.read(cursor, 10).delivered] == [7]


def test_a_cursor_does_not_stand_where_its_line_was_cut_off_and_another_is_in_its_place(tmp_path: Path) -> None:
    with closing(Journal(tmp_path, "w00")) as journal:
        journal.append([settled(1), settled(2)])
        reader = JournalReader(tmp_path, "w00")
        first = reader.read(None, 1).cursor
        last = reader.read(first, 1).cursor
        assert first is not None
        assert last is not None
        path = path_of(tmp_path)
        path.write_bytes(path.read_bytes()[: last.offset])
        assert reader.stands(first)
        assert not reader.stands(last)
        with path.open("ab") as file:
            file.write(encode_line(settled(3)) + b"\n")
        assert path.stat().st_size == last.end
        assert not reader.stands(last)


def test_what_is_no_confirmation_is_passed_over(tmp_path: Path) -> None:
    Journal(tmp_path, "w00").close()
    with path_of(tmp_path).open("ab") as file:
        file.write(b'{"k":"settled","to":7}\n{"k":"noted","segment":1,"waiting":0}\n\0\0\n')
        file.write(encode_line(Settled("default", "s", 0, 0, 0)) + b"\n")  # of before it was kept when that was
        file.write(encode_line(settled(5)) + b"\n")
    assert [each.seq for each in JournalReader(tmp_path, "w00").read(None, 10).delivered] == [5]
