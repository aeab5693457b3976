"""flows.steps.release: moderation and windows joined; what may be shown, numbered."""

from __future__ import annotations

import pickle
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.log.records import SECOND, Message, Question, Record
from flows.engine.shard import Shard
from flows.moderation import Moderator, Policy
from flows.moderation.policy import OPT_IN_TYPES, PII_TYPES
from flows.steps.events import Boundary, DeadLetter, Event, Finding, Output, Released, Run, Text
from flows.steps.release import Release

OPEN = Record(0, "s", 3, "open", d={"desktop": "west"})
CARD = "4111 1111 1111 1111"
POLICY = Policy(blocklist=("frobnicate",))


def text(what: str, t: int = 0, tokens: int = 1) -> Text:
    return Text(t, "s", 3, what, tokens)


def boundary(at: int, closed_by: str = "sentence", t: int = 0) -> Boundary:
    return Boundary(t, "s", 3, at, closed_by)


def closed(reason: str = "finished", t: int = 0) -> Record:
    return Record(t, "s", 3, "close", d={"reason": reason})


def release(events: Iterable[Event], policy: Policy = POLICY) -> list[Output]:
    core = Release(policy, OPEN)
    return [out for event in [OPEN, *events] for out in core.feed(event)]


def messages(out: Iterable[Output]) -> list[Message]:
    return [event.message for event in out if isinstance(event, Released)]


def _shown(policy: Policy, events: list[Event]) -> list[Output]:
    out = Shard("moderate", lambda opened: Release(policy, opened)).feed(events, events[-1].t)
    return [event for event in out if not isinstance(event, Text | Run)]


def test_messages_are_numbered_from_0_and_the_last_is_final() -> None:
    out = messages(release([text("One. "), boundary(5), text("Two"), closed()]))
    assert [(m.turn, m.seq, m.text, m.closed_by, m.final) for m in out] == [
        (3, 0, "One. ", "sentence", False),
        (3, 1, "Two", "end", True),
    ]


def test_an_end_that_comes_after_all_text_is_an_empty_final_message() -> None:
    out = messages(release([text("一。"), boundary(2), closed()]))
    assert [(m.seq, m.text, m.final) for m in out] == [(0, "一。", False), (1, "", True)]


def test_a_turn_that_failed_says_so() -> None:
    assert messages(release([text("Hel"), closed("interrupted")]))[-1].closed_by == "error"


def test_a_turn_that_failed_ends_with_its_fallback_and_keeps_what_was_shown() -> None:
    core = Release(POLICY, OPEN, lambda reason: f"<{reason}>")
    out = [out for event in [OPEN, text("Hel"), closed("timeout")] for out in core.feed(event)]
    assert [(m.seq, m.text, m.final, m.fallback) for m in messages(out)] == [
        (0, "Hel", False, False),
        (1, "<timeout>", True, True),
    ]


def test_a_core_that_broke_still_ends_its_turn() -> None:
    core = Release(POLICY, OPEN, lambda reason: "Sorry.")
    core.feed(OPEN)
    [message] = messages(core.abandon(closed("failed")))
    assert (message.text, message.final, message.fallback) == ("Sorry.", True, True)


def test_a_finding_over_a_boundary_belongs_to_the_window_where_it_begins() -> None:
    whole = f"Pay with {CARD}. Thanks. Bye"
    out = messages(release([text(whole), boundary(14), boundary(30), closed()]))
    assert [m.text for m in out] == ["Pay with [REDACTED]", ". ", "Thanks. Bye"]


def test_a_window_waits_until_moderation_has_passed_its_end() -> None:
    core = Release(POLICY, OPEN)
    core.feed(OPEN)
    core.feed(text("Card 4111 "))
    assert messages(core.feed(boundary(10))) == []
    assert [m.text for m in messages(core.feed(text("is not one. ")))] == ["Card 4111 "]


def test_a_time_out_never_releases_the_suspect_tail() -> None:
    core = Release(POLICY, OPEN)
    core.feed(OPEN)
    core.feed(text("My card is 4111 1111"))
    out = messages(core.feed(boundary(20, "timeout", t=5)))
    assert [(m.text, m.closed_by, m.t) for m in out] == [("My card is ", "timeout", 5)]
    assert messages([*core.feed(text(" 1111 1111, ok")), *core.feed(closed())])[-1].text == "[REDACTED], ok"


def test_findings_are_reported_by_place_and_never_by_value() -> None:
    out = release([text(f"Pay {CARD} now"), closed()])
    [finding] = [event for event in out if isinstance(event, Finding)]
    assert (finding.seq, finding.category, finding.start, finding.end) == (0, "CREDIT_CARD", 4, 23)
    assert CARD not in repr([event for event in out if not isinstance(event, Text)])


def test_a_message_goes_to_its_sessions_desktop() -> None:
    assert {event.desktop for event in release([text("x"), closed()]) if isinstance(event, Released)} == {"west"}


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("flag", ["One. ", "Do frobnicate it. ", "End"]),
        ("redact", ["One. ", "Do [REDACTED] it. ", "End"]),
        ("replace", ["One. ", "(removed)", "End"]),
        ("drop", ["One. ", "End"]),
        ("end", ["One. ", "(removed)", ""]),
    ],
)
def test_what_a_policy_does_with_a_blocked_sentence(action: str, expected: list[str]) -> None:
    policy = Policy(blocklist=("frobnicate",), actions={"BLOCKED": action}, replacement="(removed)")  # type: ignore[dict-item]  # it is one of the five
    out = messages(release([text("One. Do frobnicate it. End"), boundary(5), boundary(23), closed()], policy))
    assert [m.text for m in out] == expected
    assert [m.seq for m in out] == list(range(len(expected)))


def test_a_session_is_moderated_in_its_language() -> None:
    policy = Policy(blocklist=("ano",))
    for named, otherwise, shown in (("es", "en", "un año"), (None, "es-MX", "un año"), (None, "en", "un [REDACTED]")):
        opened = Record(0, "s", 0, "open", d={"language": named})
        core = Release(policy, opened, language=otherwise)
        core.feed(text("un añ"))
        again = Release(policy, opened, language=otherwise)
        again.restore(core.snapshot())
        assert [m.text for m in messages([*again.feed(text("o")), *again.feed(closed())])] == [shown]


def test_what_is_held_too_long_goes_as_the_policy_says() -> None:
    policy = Policy(max_hold_seconds=2, on_max_hold="redact")
    core = Release(policy, OPEN)
    core.feed(OPEN)
    core.feed(text("My card is 4111 1111", t=7))
    assert core.deadline == 7 + 2_000_000
    core.expire(7 + 2_000_000)
    out = messages(core.feed(boundary(20, "timeout", t=9_000_000)))
    assert [m.text for m in out] == ["My card is [REDACTED]"]


KEY = "aB3dE5gH7jK9"
LONG = (
    f"https://shop.example/cb?access_token={KEY * 12}&z=1 That is all. ",
    f"https://bob:{KEY * 9}@db.example.com:5432/{KEY} and more. ",
    "https://u:p@host.example." * 5 + " end",
    f"eyJhbGciOiJIUzI1NiJ9.{KEY * 9}.{KEY * 5} is it. ",
)


@pytest.mark.parametrize("hold", [5, 20, 40, 80, 120])
@pytest.mark.parametrize("said", LONG)
def test_what_waits_behind_a_match_that_goes_on_is_held_from_when_it_came(said: str, hold: int) -> None:
    policy = Policy(pii=PII_TYPES + OPT_IN_TYPES, max_hold_seconds=hold + 0.5)
    times = [SECOND * i for i in range(len(said))]
    core = Release(policy, OPEN)
    for t, char in zip(times, said, strict=True):
        if core.deadline is not None and core.deadline < t:
            assert core.deadline > t - SECOND  # time never runs backwards
            core.expire(core.deadline)
        core.feed(text(char, t=t))
    ended = [boundary(len(said), t=times[-1]), closed(t=times[-1])]
    alone = [text(char, t=t) for t, char in zip(times, said, strict=True)]
    run = Run(0, "s", 3, said, times, list(range(1, len(said) + 1)))
    assert _shown(policy, [OPEN, *alone, *ended]) == _shown(policy, [OPEN, run, *ended])


def test_tokens_are_counted_in_the_window_where_they_end() -> None:
    out = release([text("One. T", tokens=2), boundary(5), text("wo", tokens=1), closed()])
    assert [event.tokens for event in out if isinstance(event, Released)] == [0, 3]


def test_a_finding_that_is_reported_is_not_kept() -> None:
    core = Release(POLICY, OPEN)
    out = [new for at in range(1, 50) for new in (*core.feed(text("a@b.de. ")), *core.feed(boundary(8 * at)))]
    assert len([event for event in out if isinstance(event, Finding)]) == 49
    assert core._moderator.findings == []


def test_tokens_without_text_cost_nothing_and_are_counted() -> None:
    core = Release(POLICY, OPEN)
    core.feed(OPEN)
    core.feed(text("One. ", t=1))
    size = len(pickle.dumps(core.snapshot()))
    for t in range(2, 1_000):
        core.feed(text("", t=t))
    assert len(pickle.dumps(core.snapshot())) <= size + 2
    [message] = [event for event in core.feed(boundary(5, t=1_000)) if isinstance(event, Released)]
    assert (message.tokens, message.began) == (999, 1)


def test_a_verdict_without_findings_is_a_dead_letter_that_says_why() -> None:
    core = Release(Policy(pii=(), remote=("far",)), OPEN, language="de")
    [*_, asked] = [*core.feed(OPEN), *core.feed(text("Hi. ")), *core.feed(boundary(4))]
    assert isinstance(asked, Question)
    assert asked.language == "de"
    out = core.feed(Record(1, "s", 3, "verdict", d={"detector": "far", "upto": 4, "findings": None, "reason": "tls"}))
    assert [(e.step, e.reason) for e in out if isinstance(e, DeadLetter)] == [("ask_detectors", "far: tls")]
    assert [message.text for message in messages(out)] == ["[REDACTED]"]


def test_without_windows_a_remote_detector_is_asked_again_when_it_has_answered() -> None:
    core = Release(Policy(pii=(), remote=("far",)), OPEN)
    core.feed(OPEN)
    asked: list[tuple[int, str]] = []

    def feed(*events: Event) -> list[Output]:
        out = [new for event in events for new in core.feed(event)]
        asked.extend((each.start, each.text) for each in out if isinstance(each, Question))
        return out

    for at, what in enumerate(["a ", "b ", "c "], 1):
        feed(text(what), boundary(2 * at, "token"))
    assert asked == [(0, "a ")]
    verdict = {"detector": "far", "upto": 2, "findings": []}
    assert [m.text for m in messages(feed(Record(1, "s", 3, "verdict", d=verdict)))] == ["a "]
    assert asked == [(0, "a "), (2, "b c ")], "the next token may be long in coming"
    feed(text("d "), boundary(8, "token"))
    assert len(asked) == 2
    assert [m.text for m in messages(feed(Record(2, "s", 3, "verdict", d={**verdict, "upto": 6})))] == ["b c "]
    assert asked[2:] == [(6, "d ")]


@pytest.mark.parametrize("restarts", [False, True])
def test_what_silence_let_go_leaves_with_its_verdict_or_when_none_came(restarts: bool) -> None:
    policy = Policy(pii=(), remote=("far",), max_hold_seconds=60)
    core = Release(policy, OPEN)

    def feed(*events: Event) -> list[Message]:
        return messages([new for event in events for new in core.feed(event)])

    assert feed(OPEN, text("Open "), boundary(5, "timeout", t=5 * SECOND)) == []
    if restarts:
        data = pickle.loads(pickle.dumps(core.snapshot()))
        core = Release(policy, OPEN)
        core.restore(data)
    verdict = Record(6 * SECOND, "s", 3, "verdict", d={"detector": "far", "start": 0, "upto": 5, "findings": []})
    assert [(m.t, m.text, m.closed_by) for m in feed(verdict)] == [(6 * SECOND, "Open ", "timeout")]
    assert feed(text("again ", t=7 * SECOND), boundary(11, "timeout", t=12 * SECOND)) == []
    assert core.deadline == 67 * SECOND
    assert [(m.t, m.text) for m in messages(core.expire(core.deadline))] == [(67 * SECOND, "[REDACTED]")]
    assert feed(text("and", t=70 * SECOND), boundary(14, t=70 * SECOND), verdict) == []


def test_text_that_was_given_up_is_not_asked_about() -> None:
    core = Release(Policy(pii=(), remote=("far",), max_hold_seconds=1), OPEN)
    events = [OPEN, text("One. "), boundary(5), text("Two", t=1)]
    assert [e.text for event in events for e in core.feed(event) if isinstance(e, Question)] == ["One. "]
    assert [m.text for m in messages(core.expire(SECOND))] == ["[REDACTED]"]
    later = [text(" and three. ", t=2 * SECOND), boundary(20, t=2 * SECOND)]
    assert [(e.start, e.text) for event in later for e in core.feed(event) if isinstance(e, Question)] == [
        (8, " and three. ")
    ]


PIECES = st.sampled_from(["One. ", "word ", CARD, " frobnicate ", "a@b.example", "\n", "12", ".", "x"])


@given(st.lists(PIECES, max_size=12), st.data())
def test_any_pieces_any_windows_any_restart_give_the_moderated_text(parts: list[str], data: st.DataObject) -> None:
    whole = "".join(parts)
    moderator = Moderator(POLICY)
    expected = moderator.feed(whole) + moderator.flush()
    core = Release(POLICY, OPEN)
    core.feed(OPEN)
    shown: list[Message] = []
    at = 0
    while at < len(whole):
        step = data.draw(st.integers(1, 9))
        shown += messages(core.feed(text(whole[at : at + step])))
        at = min(at + step, len(whole))
        if data.draw(st.booleans()):
            shown += messages(core.feed(boundary(at, data.draw(st.sampled_from(["sentence", "timeout"])))))
        if data.draw(st.booleans()):
            restored = Release(POLICY, OPEN)
            restored.restore(pickle.loads(pickle.dumps(core.snapshot())))
            core = restored
    shown += messages(core.feed(closed()))
    assert "".join(m.text for m in shown) == expected
    assert [m.seq for m in shown] == list(range(len(shown)))
    assert [m.final for m in shown] == [False] * (len(shown) - 1) + [True]
