"""flows.recordings.editing: what recordings hold, and others made of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import InputError
from connectors.log.files import LogReader, lists_beside
from connectors.log.records import CLOSE, OPEN, SESSION_ID, Header, Record
from connectors.log.writer import LogWriter, write_recording
from flows.recordings import editing, recorder
from flows.recordings.outcome import Outcome, outcome
from flows.settings import load

FOLDER = Path("recordings")
CROWD, PII = FOLDER / "crowd.jsonl", FOLDER / "pii.jsonl"
SETTINGS = load(FOLDER / "settings.toml", {})


def played(path: Path) -> Outcome:
    return outcome(path, SETTINGS)


def dated(result: Outcome, session: str) -> list[tuple[int, str]]:
    """A session's messages with the moments at which they left."""
    rows = {(row.session_id, row.turn, row.seq): row.released_at for row in result.rows}
    return [
        (rows[key[0], key[1], message.seq], message.text)
        for key in result.keys
        if key[0] == session
        for message in result.messages[key]
    ]


def test_a_summary_counts_turns_tokens_and_how_they_ended() -> None:
    summary = editing.summarise(FOLDER / "interrupted.jsonl")
    assert [(turn.session, turn.ended, turn.breaks) for turn in summary.turns] == [
        ("exhausted", "interrupted", 4),
        ("no-id", "interrupted", 1),
    ]
    assert all(turn.tokens and turn.chars for turn in summary.turns)


def test_split_keeps_each_sessions_messages_with_their_dates(tmp_path: Path) -> None:
    whole = played(CROWD)
    parts = editing.split(CROWD, tmp_path)
    assert len(parts) == 6
    for part in parts:
        assert dated(played(part), part.stem) == dated(whole, part.stem)
        assert next(LogReader(part).read())[0].t == 0


def test_merging_what_was_split_gives_the_same_messages(tmp_path: Path) -> None:
    editing.merge(editing.split(CROWD, tmp_path / "parts"), tmp_path / "again.jsonl")
    whole, again = played(CROWD), played(tmp_path / "again.jsonl")
    for session in {session for session, _ in whole.keys}:
        assert dated(again, session) == dated(whole, session)


def test_records_of_a_merged_recording_never_run_backwards(tmp_path: Path) -> None:
    for together in (False, True):
        editing.merge([PII, CROWD], tmp_path / "all.jsonl", together=together)
        times = [record.t for record, _ in LogReader(tmp_path / "all.jsonl").read()]
        assert times == sorted(times)


def test_a_session_in_two_recordings_needs_a_name_of_its_own(tmp_path: Path) -> None:
    copy = tmp_path / "copy.jsonl"
    copy.write_bytes(PII.read_bytes())
    with pytest.raises(InputError, match="--rename"):
        editing.merge([PII, copy], tmp_path / "both.jsonl")
    editing.merge([PII, copy], tmp_path / "both.jsonl", rename=True)
    both = played(tmp_path / "both.jsonl")
    assert {session for session, _ in both.keys} == {"pii.whole", "pii.broken", "copy.whole", "copy.broken"}
    assert both.text("copy.whole") == played(PII).text("whole")


def test_recordings_of_two_vendors_are_not_merged(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="2 vendors"):
        editing.merge([PII, FOLDER / "cognigy.jsonl"], tmp_path / "x.jsonl")


def test_trim_keeps_whole_turns_by_session_and_by_time(tmp_path: Path) -> None:
    target = tmp_path / "part.jsonl"
    editing.trim(CROWD, target, sessions=["crowd-4"])
    assert played(target).keys == [("crowd-4", 0)]
    first = editing.summarise(CROWD).turns
    editing.trim(CROWD, target, begin=first[-1].begun)
    assert len(editing.summarise(target).turns) == sum(turn.begun >= first[-1].begun for turn in first)
    with pytest.raises(InputError, match="no turn would be left; its sessions are crowd-1"):
        editing.trim(CROWD, target, sessions=["nobody"])


def test_a_turn_that_stays_open_keeps_its_silence(tmp_path: Path) -> None:
    lines = (FOLDER / "silence.jsonl").read_text(encoding="utf-8")
    kept = [line for line in lines.splitlines() if '"k":"close"' not in line and 'finished\\":true' not in line]
    (tmp_path / "open.jsonl").write_text("\n".join(kept) + "\n")
    editing.trim(tmp_path / "open.jsonl", tmp_path / "part.jsonl", begin=0)
    before, after = played(tmp_path / "open.jsonl"), played(tmp_path / "part.jsonl")
    assert [len(each) for each in after.messages.values()] == [len(each) for each in before.messages.values()]


def test_a_folder_is_its_recordings_and_an_empty_one_is_said() -> None:
    assert editing.recordings_in([FOLDER]) == sorted(FOLDER.glob("*.jsonl"))
    with pytest.raises(InputError, match="holds no recordings"):
        editing.recordings_in([Path("docs")])


def below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


HEADER = Header("tokenweir", 1, "cxone", "2026-11-20T12:00:00Z")
CRAFTED = ["../outside", "/tmp/outside", "a/b", "..\\outside", "a\nb", "a\n", "a b", "\x1b[2J", "", "x" * 129, "é"]


def of_session(session: str) -> list[Record]:
    return [Record(0, session, 0, OPEN, d={"prompt": "p"}), Record(1, session, 0, CLOSE, d={"reason": "finished"})]


@settings(max_examples=100, deadline=None)
@given(session=st.sampled_from(CRAFTED) | st.text() | st.from_regex(SESSION_ID, fullmatch=True))
def test_whatever_the_session_ids_nothing_is_written_outside_the_folder(
    session: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    around = tmp_path_factory.mktemp("around")
    source, folder = around / "source.jsonl", around / "deep" / "folder"
    write_recording(source, HEADER, of_session(session))
    good = session == "" or SESSION_ID.fullmatch(session) is not None
    if not good:
        for make in (editing.split, lambda a, b: recorder.keep(a, b, SETTINGS, recorder.KeepOptions())):
            with pytest.raises(InputError, match="line 2"):
                make(source, folder)
    else:
        editing.split(source, folder)
        recorder.keep(source, folder, SETTINGS, recorder.KeepOptions())
        assert len(list(folder.glob("*"))) == (2 if session else 0)
        for made in folder.glob("*.jsonl"):
            assert {record.s for record, _ in LogReader(made).read()} - {""} == {session}
    assert {name for name in below(around) if not name.startswith("deep/folder")} <= {"source.jsonl", "deep"}


@pytest.mark.parametrize("session", CRAFTED[:-4])
def test_a_lanes_sessions_are_no_paths_either(session: str, tmp_path: Path) -> None:
    """A lane is ours and is read as it is; a file is named after a session only where that is its name."""
    writer = LogWriter(tmp_path / "lane", "cxone")
    writer.append(of_session(session))
    writer.close()
    before = below(tmp_path)
    with pytest.raises(InputError, match="no session id"):
        editing.split(tmp_path / "lane", tmp_path / "deep" / "folder")
    with pytest.raises(InputError, match="no session id"):
        recorder.keep(tmp_path / "lane", tmp_path / "deep" / "folder", SETTINGS, recorder.KeepOptions())
    assert below(tmp_path) - before <= {"deep"}


def test_sessions_that_are_numbers_do_not_make_a_folder_a_lanes(tmp_path: Path) -> None:
    source, folder = tmp_path / "source.jsonl", tmp_path / "folder"
    sessions = ["7", "491711234567", "s-1"]
    write_recording(source, HEADER, [record for session in sessions for record in of_session(session)])
    assert len(editing.split(source, folder)) == 3
    assert len(editing.recordings_in([folder])) == 3
    editing.merge(editing.recordings_in([folder]), tmp_path / "again.jsonl")
    assert {record.s for record, _ in LogReader(tmp_path / "again.jsonl").read()} - {""} == set(sessions)


def test_of_what_lies_beside_a_recording_only_block_lists_are_copied(tmp_path: Path) -> None:
    source, target, secret = tmp_path / "source.jsonl", tmp_path / "out" / "target.jsonl", tmp_path / "secret"
    write_recording(source, HEADER, of_session("s-1"))
    lists, digest, linked = lists_beside(source), "ab" * 32, "cd" * 32
    lists.mkdir()
    secret.write_text("secret")
    (lists / f"{digest}.txt").write_text("frobnicate")
    (lists / "notes.txt").write_text("frobnicate")
    (lists / f"{linked}.txt").symlink_to(secret)
    for make in (
        lambda: editing.trim(source, target, begin=0),
        lambda: editing.merge([source], target),
        lambda: recorder.keep(source, target, SETTINGS, recorder.KeepOptions()),
    ):
        make()
        assert below(lists_beside(target)) == {f"{digest}.txt"}
        assert (lists_beside(target) / f"{digest}.txt").read_text() == "frobnicate"
        (lists_beside(target) / f"{digest}.txt").unlink()
