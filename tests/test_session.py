"""flows.steps.totals: what a turn adds up to."""

from __future__ import annotations

import pickle
from collections.abc import Iterable

import pytest

from connectors.log.records import Finish, Message, Record, Summary
from connectors.metrics import DeadLetterRow, ErrorRow, FindingRow, MessageRow, TurnRow
from flows.steps.events import DeadLetter, Event, Finding, Output, Released, Repeated, Stopped, Text, Usage
from flows.steps.totals import Totals

CREATED = 1_795_176_000_000_000
OPEN = Record(
    1_000_000,
    "s",
    0,
    "open",
    d={"prompt_chars": 10, "model": "m", "tenant": "acme", "language": "de", "created": CREATED},
)


def feed(events: Iterable[Event], opened: Record = OPEN, *, restart: bool = False) -> list[Output]:
    core = Totals("cxone", opened)
    out: list[Output] = []
    for event in [opened, *events]:
        out += core.feed(event)
        if restart:
            data = pickle.loads(pickle.dumps(core.snapshot()))
            core = Totals("cxone", opened)
            core.restore(data)
    return out


def text(t: int, what: str, tokens: int = 1) -> Text:
    return Text(t, "s", 0, what, tokens)


def released(t: int, what: str, *, tokens: int = 1, seq: int = 0) -> Released:
    message = Message("s", 0, seq, what, "sentence", False, False, t)
    return Released(t, "s", 0, message, "default", tokens, t - 300_000, t - 100_000, 2)


def closed(t: int, reason: str = "finished") -> Record:
    return Record(t, "s", 0, "close", d={"reason": reason})


def turn(out: Iterable[Output]) -> TurnRow:
    [row] = [each for each in out if isinstance(each, TurnRow)]
    return row


def test_everything_passes_in_its_place_and_rows_follow_what_they_are_of() -> None:
    events = [text(2, "a"), released(3, "a"), closed(4)]
    out = feed(events)
    assert [each for each in out if not isinstance(each, MessageRow | TurnRow | Finish)] == [OPEN, *events]
    assert [type(each) for each in out] == [Record, Text, Released, MessageRow, Record, TurnRow, Finish]


def found(t: int, action: str) -> Finding:
    return Finding(t, "s", 0, 0, "BLOCKED", "term", action, 0, 1)


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize(
    ("events", "stop", "usage"),
    [
        ([], "", (3, 1, 4, True)),
        ([Stopped(3, "s", 0, "length"), Usage(3, "s", 0, 5, 6, 11)], "length", (5, 6, 11, False)),
        ([Stopped(3, "s", 0, "stop"), Stopped(4, "s", 0, "length")], "length", (3, 1, 4, True)),
        ([found(3, "redact"), Stopped(3, "s", 0, "stop")], "stop", (3, 1, 4, True)),
        ([found(3, "end"), Stopped(4, "s", 0, "stop")], "filter", (3, 1, 4, True)),
        ([Stopped(3, "s", 0, "stop"), found(4, "end")], "filter", (3, 1, 4, True)),
    ],
)
def test_who_reads_along_is_told_why_the_answer_ended_and_its_usage(
    events: list[Event], stop: str, usage: tuple[int, int, int, bool], restart: bool
) -> None:
    finish = feed([text(2, "abc"), *events, closed(9, "interrupted")], restart=restart)[-1]
    assert finish == Finish(9, "s", 0, "interrupted", stop, *usage)


def test_a_snapshot_of_before_the_reason_was_kept_is_read() -> None:
    core = Totals("cxone", OPEN)
    *sums, shown = core.snapshot()
    old = (*sums[:-1], shown)  # of version 3
    assert 3 in Totals.reads
    core.restore(core.upgrade(old, 3))
    assert core.snapshot() == (*sums, shown)


def test_a_turns_times_are_dated_and_counted_from_its_open() -> None:
    row = turn(feed([text(1_350_000, "a"), released(1_900_000, "a"), closed(3_000_000)]))
    assert row.started_at == CREATED + 1_000_000
    assert row.first_token_at == CREATED + 1_350_000
    assert (row.time_to_first_token_ms, row.time_to_first_message_ms, row.duration_ms) == (350, 900, 2_000)
    assert (row.vendor, row.model, row.tenant, row.language) == ("cxone", "m", "acme", "de")


def test_a_turn_without_a_token_has_no_first_one() -> None:
    row = turn(feed([closed(2_000_000, "refused")]))
    assert (row.first_token_at, row.time_to_first_token_ms, row.first_message_at) == (None, None, None)
    assert row.outcome == "refused"


def test_tokens_messages_and_characters_are_summed() -> None:
    row = turn(
        feed(
            [
                text(2, "One. "),
                text(3, "Two", 2),
                released(4, "One. ", tokens=1),
                released(5, "Two", tokens=2, seq=1),
                closed(6),
            ]
        )
    )
    assert (row.tokens_received, row.tokens_sent, row.messages) == (3, 3, 2)
    assert (row.chars_received, row.chars_sent) == (8, 8)


def test_repeated_tokens_are_received_and_not_sent() -> None:
    row = turn(feed([text(2, "a"), Repeated(3, "s", 0, 4, False), Repeated(3, "s", 0, 1, True), closed(4)]))
    assert (row.tokens_received, row.tokens_repeated) == (5, 4)


def test_interruptions_and_restarts_are_told_apart() -> None:
    dropped = Record(3, "s", 0, "error", d={"kind": "disconnected", "status": None, "retry": 1})
    again = Record(4, "s", 0, "open", d={"continuation_id": "c"})
    out = feed([dropped, again, closed(5)])
    [problem] = [each for each in out if isinstance(each, ErrorRow)]
    assert (problem.kind, problem.status, problem.restart, problem.at) == ("disconnected", None, 1, CREATED + 3)
    row = turn(out)
    assert (row.interruptions, row.restarts, row.error_kind) == (1, 1, "disconnected")


def test_usage_is_the_vendors_last_word() -> None:
    row = turn(feed([Usage(2, "s", 0, 5, 1, 6), Usage(3, "s", 0, 5, 9, 14), closed(4)]))
    assert (row.prompt_tokens, row.completion_tokens, row.total_tokens) == (5, 9, 14)
    assert not row.usage_estimated


def test_usage_that_is_not_reported_is_estimated_and_marked_so() -> None:
    row = turn(feed([text(2, "abcdefghi"), closed(3)]))
    assert (row.prompt_tokens, row.completion_tokens, row.total_tokens) == (3, 3, 6)
    assert row.usage_estimated


def test_only_findings_that_change_the_text_are_blocks() -> None:
    found = [Finding(2, "s", 0, 0, "BLOCKED", "rule", action, 0, 3) for action in ("redact", "flag", "drop")]
    out = feed([*found, closed(3)])
    assert turn(out).moderation_blocks == 2
    assert [row.action for row in out if isinstance(row, FindingRow)] == ["redact", "flag", "drop"]


def test_a_message_row_says_how_long_the_window_and_moderation_took() -> None:
    [row] = [each for each in feed([released(2_000_000, "a")]) if isinstance(each, MessageRow)]
    assert (row.window_ms, row.hold_ms, row.findings) == (200, 100, 2)
    assert row.released_at == CREATED + 2_000_000


def test_a_dead_letter_becomes_a_row() -> None:
    [row] = [
        each for each in feed([DeadLetter(2, "s", 0, "moderate", "ValueError")]) if isinstance(each, DeadLetterRow)
    ]
    assert (row.step, row.reason) == ("moderate", "ValueError")


def test_a_turn_of_a_dialog_leaves_what_was_shown() -> None:
    opened = Record(1, "s", 0, "open", d={"dialog_id": "d-1", "prompt_chars": 4})
    out = feed([text(2, "One. Two"), released(3, "One. "), released(4, "Sorry.", seq=1), closed(5, "timeout")], opened)
    assert [each for each in out if isinstance(each, Summary)] == [Summary(5, "s", 0, "d-1", "One. Sorry.", 1, 2, 3)]
    assert not [each for each in feed([closed(5)]) if isinstance(each, Summary)]


def test_what_a_dialog_has_no_room_for_is_left_out_and_told_once() -> None:
    opened = Record(1, "s", 0, "open", d={"dialog_id": "d-1", "created": CREATED})
    for room, response in ((6, "One. T"), (5, "One. "), (13, "One. Two. Thr"), (15, "One. Two. Three")):
        core = Totals("cognigy", opened, room, "set_variables")
        parts = ("One. ", "Two. ", "Three")
        out = [new for t, part in enumerate(parts, 2) for new in core.feed(released(t, part, seq=t - 2))]
        out += core.feed(closed(9))
        assert [each.response for each in out if isinstance(each, Summary)] == [response]
        rows = [each for each in out if isinstance(each, DeadLetterRow)]
        assert [(row.step, row.reason) for row in rows] == [("set_variables", "response_cut")] * (room < 15)


def test_a_snapshot_of_every_message_apart_goes_on() -> None:
    opened = Record(1, "s", 0, "open", d={"dialog_id": "d-1"})
    core = Totals("cognigy", opened)
    core.feed(released(2, "One. "))
    core.restore((*core.snapshot()[:-1], ("One", ". ")))
    core.feed(released(3, "Two."))
    assert core.snapshot()[-1] == ("One. Two.",)


def test_a_restart_between_any_two_events_changes_nothing() -> None:
    opened = Record(1, "s", 0, "open", d={"dialog_id": "d-1"})
    events = [
        text(2, "a"),
        released(3, "a"),
        Usage(4, "s", 0, 1, 2, 3),
        text(5, "b"),
        released(6, "b", seq=1),
        closed(7),
    ]
    assert feed(events, opened, restart=True) == feed(events, opened)
