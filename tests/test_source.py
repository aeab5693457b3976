"""connectors.log.source: a log dealt out to shards, recorded and live."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.errors import DataDirError
from connectors.log.clock import Clock
from connectors.log.files import LogReader, Position
from connectors.log.held import HOLD, MAX_HELD_CHARS
from connectors.log.lane import Lane
from connectors.log.records import Frames, Header, Record, closed, frame, opened
from connectors.log.resume import fold, freeze, held_in, position_of
from connectors.log.shards import LINGER, SHARDS, WATERMARK_EVERY, Sharder, shard_of
from connectors.log.source import READ_RECORDS, LivePartition, LogSource
from connectors.log.turns import Turns
from connectors.log.writer import LogWriter, write_recording

CREATED = datetime(2026, 11, 20, 12, tzinfo=UTC)
HEADER = Header("tokenweir", 1, "cxone", "2026-11-20T12:00:00Z")


def at(t: int, record: Record) -> Record:
    return Record(t, record.s, record.n, record.k, record.id, record.e, record.d)


def drain(part: Any) -> list[tuple[str, tuple[Any, int]]]:
    items = []
    while True:
        try:
            items += part.next_batch()
        except StopIteration:
            return items


def records_of(items: list[tuple[str, tuple[Any, int]]]) -> list[Record]:
    return [
        record
        for _, (records, _) in items
        for each in records
        for record in (each.records if isinstance(each, Frames) else [each])
    ]


def test_a_sessions_shard_is_fixed_for_life() -> None:
    assert SHARDS == 16
    assert [shard_of(name) for name in ("s-1", "s-2", "demo", "ü")] == [14, 4, 0, 5]


def test_records_of_a_session_stay_together_in_their_order() -> None:
    sharder = Sharder("w00", CREATED)
    records = [at(t, frame(f"s-{t % 5}", 0, str(t))) for t in range(50)]
    for key, (hand, mark) in sharder.deal(records, 49):
        assert key.startswith("w00-")
        assert {shard_of(record.s) for record in hand} == {int(key[-2:])}
        assert [record.t for record in hand] == sorted(record.t for record in hand)
        assert mark == 49


def test_an_open_is_dated_by_the_log_and_leaves_its_prompt_there() -> None:
    [(_, ((record,), _))] = Sharder("w00", CREATED).deal([at(1, opened("s", 0, {"prompt": "p"}))], 1)
    assert record.d == {"prompt_chars": 1, "created": 1_795_176_000_000_000}


def test_of_a_conversation_the_flow_knows_the_length_alone() -> None:
    said = [{"role": "user", "content": "ab"}, {"role": "assistant", "content": "c"}]
    request = {"prompt": "p", "system": "de", "history": said, "options": {"stop": "secret"}, "model": "m"}
    [(_, ((record,), _))] = Sharder("w00", CREATED).deal([at(1, opened("s", 0, request))], 1)
    assert record.d == {"prompt_chars": 6, "model": "m", "created": 1_795_176_000_000_000}


def test_marks_go_to_shards_with_open_turns_and_not_too_often() -> None:
    sharder = Sharder("w00", CREATED)
    assert sharder.deal([], 10**9) == []
    sharder.deal([at(10**9, opened("s", 0, {}))], 10**9)
    assert sharder.deal([], 10**9 + WATERMARK_EVERY - 1) == []
    assert sharder.deal([], 10**9 + WATERMARK_EVERY) == [(f"w00-{shard_of('s'):02d}", ((), 10**9 + WATERMARK_EVERY))]
    assert sharder.deal([], 10**9 + WATERMARK_EVERY + 1, last=True) != []
    sharder.deal([at(2 * 10**9, closed("s", 0, "finished"))], 2 * 10**9)
    assert sharder.deal([], 2 * 10**9 + LINGER) == []


def test_a_recording_is_read_whole_and_ends(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    written = [at(t, frame(f"s-{t % 9}", 0, str(t))) for t in range(2 * READ_RECORDS + 5)]
    write_recording(path, HEADER, written)
    part = LogSource(path).build_part("read", "w00", None)
    assert sorted(record.t for record in records_of(drain(part))) == list(range(len(written)))


def test_a_recording_goes_on_from_its_snapshot(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    write_recording(path, HEADER, [at(t, frame("s", 0, str(t))) for t in range(2 * READ_RECORDS)])
    part = LogSource(path).build_part("read", "w00", None)
    first = records_of(part.next_batch())
    resumed = LogSource(path).build_part("read", "w00", part.snapshot())
    assert [record.t for record in first + records_of(drain(resumed))] == list(range(2 * READ_RECORDS))


def live(folder: Path, resume_state: dict[str, int] | None = None) -> tuple[Lane, LivePartition]:
    writer = LogWriter(folder, "cxone", rotate_bytes=600)
    reader = LogReader(folder)
    position = position_of(reader, resume_state)
    turns = fold(reader, position)
    sharder = Sharder("w00", reader.created, turns.open)
    for record, _ in reader.read(position):
        turns.feed(record)
    writer.fold = turns.snapshot
    lane = Lane(writer, Clock(reader.created, turns.last), turns)
    return lane, LivePartition(lane, reader, sharder, position, 0)


def test_a_live_lane_gives_what_arrives_and_ends_with_its_last_mark(tmp_path: Path) -> None:
    lane, part = live(tmp_path)
    lane.append(opened("s", 0, {}), frame("s", 0, "a"))
    lane.append(frame("s", 0, "b"))
    lane.finish()
    items = drain(part)
    assert [record.k for record in records_of(items)] == ["open", "frame", "frame"]
    part.close()
    *logged, mark = [record for record, _ in LogReader(tmp_path).read()]
    assert [record.d for record in logged] == [{}, "a", "b"]
    assert (mark.k, mark.t) == ("mark", items[-1][1][1])


def test_a_live_lane_resumes_without_a_gap_or_a_repetition(tmp_path: Path) -> None:
    lane, part = live(tmp_path)
    lane.append(opened("s", 0, {}), frame("s", 0, "a"))
    taken = records_of(part.next_batch() + part.next_batch())
    snapshot = part.snapshot()
    lane.append(frame("s", 0, "b"))
    lane.close()
    lane, part = live(tmp_path, snapshot)
    lane.append(frame("s", 0, "c"))
    lane.finish()
    rest = records_of(drain(part))
    assert [record.d for record in taken[1:] + rest] == ["a", "b", "c"]
    part.close()


def test_a_resumed_lane_marks_the_shards_of_turns_opened_before(tmp_path: Path) -> None:
    lane, part = live(tmp_path)
    lane.append(opened("s", 0, {}))
    part.next_batch()
    part.next_batch()
    snapshot = part.snapshot()
    lane.close()
    lane, part = live(tmp_path, snapshot)
    lane.finish()
    assert [key for key, _ in drain(part)] == [f"w00-{shard_of('s'):02d}"]
    part.close()


def test_a_start_reads_what_was_folded_and_not_the_whole_log(tmp_path: Path) -> None:
    lane, part = live(tmp_path)
    lane.append(opened("open", 0, {"prompt": "p"}), frame("open", 0, "a", id="c-1"))
    for number in range(20):
        lane.append(opened("s", number, {}), frame("s", number, "a"), closed("s", number, "finished"))
    part.close()
    reader = LogReader(tmp_path)
    assert len(reader.files) > 3
    _, begin = reader.fold(reader.end())
    assert begin.file == reader.files[-1][0]
    whole, folded = Turns(), fold(reader, reader.end())
    for record, _ in reader.read():
        whole.feed(record)
    assert folded.snapshot() == whole.snapshot()
    assert folded.next_turn("s") == 20
    assert folded.open["open", 0].continuation_id == "c-1"
    (tmp_path / f"{begin.file:012d}.fold").write_text("{")
    assert fold(reader, reader.end()).snapshot() == whole.snapshot(), "an earlier one will do"
    (tmp_path / f"{begin.file:012d}.fold").write_text('{"version": 99}')
    assert fold(reader, reader.end()).snapshot() == whole.snapshot(), "another version's is not read"


def test_a_snapshot_beyond_the_log_is_an_error_with_its_remedy(tmp_path: Path) -> None:
    with pytest.raises(DataDirError, match="recovery"):
        live(tmp_path, {"version": 1, "file": 7, "offset": 0})


def test_a_record_wakes_a_waiting_flow(tmp_path: Path) -> None:
    lane, _ = live(tmp_path)
    thread = threading.Thread(target=lane.append, args=(opened("s", 0, {}),))
    thread.start()
    batches, ended = lane.take(30.0)
    thread.join()
    assert [record.k for record in batches[0].records] == ["open"]
    assert not ended
    lane.close()


def test_a_resumed_lane_marks_shards_whose_closed_turns_may_await_a_verdict() -> None:
    """What was closed before the snapshot is not in the fold, and may linger in the flow all the same."""
    sharder = Sharder("w00", CREATED, resumed=True)
    assert len(sharder.deal([], 10**12)) == SHARDS
    assert len(sharder.deal([], 10**12 + WATERMARK_EVERY)) == SHARDS
    assert sharder.deal([], 10**12 + LINGER) == []


def test_the_end_of_a_lane_marks_every_open_shard_though_no_mark_comes_with_it(tmp_path: Path) -> None:
    """The last mark may have been taken a moment before the end, or a full disk refused it."""
    lane, part = live(tmp_path)
    lane.append(opened("s-1", 0, {}))
    assert [*part.next_batch(), *part.next_batch()]
    lane.append(opened("s-2", 0, {}))
    (_, (_, mark)) = part.next_batch()[0]
    lane.close()
    lane.finish()
    assert part.next_batch() == [(f"w00-{shard:02d}", ((), mark)) for shard in (4, 14)]


def test_frames_that_are_not_urgent_wait_for_one_of_their_turn_that_is_and_the_shards_mark_with_them() -> None:
    sharder = Sharder("w00", CREATED)
    [(_, (records, _))] = sharder.deal([at(10, opened("s", 0, {}))], 10)
    assert [each.t for each in records] == [10]
    calm = [at(t, frame("s", 0, str(t))) for t in (20, 30)]
    sharder.deal(calm, 30, urgent=[False, False])
    assert sharder.held == calm
    assert sharder.deal([], 20 + HOLD - 1) == [], "a mark may not pass what is held"
    [(_, (records, mark))] = sharder.deal([at(30 + HOLD, frame("s", 0, "urgent"))], 30 + HOLD)
    [frames] = records
    assert isinstance(frames, Frames)
    assert [each.t for each in frames.records] == [20, 30, 30 + HOLD]
    assert mark == 30 + HOLD


def test_what_is_held_goes_when_its_time_is_over_and_over_a_restart_of_the_source(tmp_path: Path) -> None:
    sharder = Sharder("w00", CREATED)
    sharder.deal([at(10, opened("s", 0, {}))], 10)
    sharder.deal([at(20, frame("s", 0, "a"))], 20, urgent=[False])
    state = freeze(Position(1, 99), sharder.held)
    again = Sharder("w00", CREATED, [("s", 0)], held=held_in(state))
    [(_, (records, mark))] = again.deal([], 20 + HOLD)
    assert ([each.t for each in records], mark) == ([20], 20 + HOLD)
    assert again.held == []


def test_what_is_held_is_bounded_by_its_length_too() -> None:
    sharder = Sharder("w00", CREATED)
    sharder.deal([at(10, opened("s", 0, {}))], 10)
    long = frame("s", 0, "x" * (MAX_HELD_CHARS // 2 + 1))
    assert sharder.deal([at(20, long)], 20, urgent=[False]) == []
    [(_, (records, _))] = sharder.deal([at(30, long)], 30, urgent=[False])
    assert len(records) == 1
    assert sharder.held == []
