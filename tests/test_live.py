"""connectors.job.source: a job's start over a long log, and its end before the log was read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from connectors.console.sink import ConsoleSink
from connectors.log.files import LogReader, Position
from connectors.log.records import Message, Record, closed, frame, opened
from connectors.log.resume import freeze
from connectors.log.source import READ_RECORDS
from connectors.log.writer import LogWriter
from flows import cxone
from tests.conftest import OtherSide, corpus_of

Start = Callable[..., OtherSide]
TURNS = READ_RECORDS


def long_log(data_dir: Path) -> None:
    """Turns that an earlier process logged and whose flow said nothing of them: three batches of the source."""
    writer = LogWriter(data_dir / "log" / "w00", "cxone")
    t = 0
    for number in range(TURNS):
        name, t = f"s-{number}", t + 10
        text = f'{{"token":"Sentence {number}.","finished":true}}'
        turn = (opened(name, 0, {"desktop": "default"}), frame(name, 0, text, id="c"), closed(name, 0, "finished"))
        writer.append([Record(t, each.s, each.n, each.k, each.id, each.e, each.d) for each in turn])
    writer.close()


def test_a_stop_while_the_log_is_read_ends_the_job_and_loses_nothing(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(["unused"]))
    long_log(tmp_path)
    shown: list[Message] = []

    def show(message: Message) -> None:
        shown.append(message)
        job.source.stop()

    job = cxone.job(side.settings(tmp_path), extra={"show": ConsoleSink(show)})
    job.run()
    assert job.source.cut_short
    assert 0 < len(shown) < TURNS, "it did not read all of the log first"
    first, shown = shown, []
    job = cxone.job(side.settings(tmp_path), extra={"show": ConsoleSink(shown.append)})
    job.run()
    assert not job.source.cut_short
    names = {(message.session_id, message.seq) for message in shown}
    assert len(names) == len(shown)
    assert {message.text for message in (*first, *shown)} == {f"Sentence {number}." for number in range(TURNS)}
    assert not names & {(message.session_id, message.seq) for message in first}, "a snapshot was taken at the stop"
    assert all(side.desktop.transcript(f"s-{number}") == f"Sentence {number}." for number in range(TURNS))


@pytest.mark.parametrize("resumed", [False, True])
def test_a_stop_before_the_flow_begins_leaves_its_position_and_what_is_held(
    other_side: Start, tmp_path: Path, resumed: bool
) -> None:
    side = other_side(corpus_of(["unused"]))
    long_log(tmp_path)
    job = cxone.job(side.settings(tmp_path))
    job.source.stop()
    reader = LogReader(tmp_path / "log" / "w00")
    state = freeze(Position(1, reader.end().offset), [Record(1, "s-0", 0, "frame", d="held")]) if resumed else None
    part = job.source.build_part("s", "w00", state)
    with pytest.raises(StopIteration):
        part.next_batch()
    assert part.snapshot() == (state or freeze(reader.begin()))
    part.close()
    job.close()
    assert job.source.cut_short
