"""flows.recordings.comparison: what a change of settings does to recorded streams."""

from __future__ import annotations

from pathlib import Path

from flows.recordings.comparison import Comparison, quantile
from flows.settings import parse

PII = Path("recordings/pii.jsonl")


def compared(before: dict[str, object], after: dict[str, object]) -> Comparison:
    comparison = Comparison()
    comparison.add(PII, parse(before), parse(after))
    return comparison


def test_the_same_settings_differ_in_nothing() -> None:
    assert compared({}, {}).turns == []


def test_what_is_no_longer_looked_for_is_lost_and_its_sentence_changes() -> None:
    turns = compared({}, {"moderation": {"pii": ["EMAIL_ADDRESS", "IBAN_CODE"]}}).turns
    whole = next(turn for turn in turns if turn.session == "whole")
    assert {each.category for each in whole.lost} == {"PHONE_NUMBER", "CREDIT_CARD", "IP_ADDRESS"}
    assert whole.gained == ()
    assert any("192.0.2.44" in text for change in whole.changes for text in change.after)


def test_a_block_listed_word_is_gained() -> None:
    turns = compared({}, {"moderation": {"blocklist": ["Tuesday"]}}).turns
    assert [(each.category, each.action) for each in turns[0].gained] == [("BLOCKED", "redact")]


def test_shorter_windows_are_more_messages_and_less_delay() -> None:
    comparison = compared({}, {"window": {"max_chars": 40}})
    before, after = comparison.before, comparison.after
    assert after.messages > before.messages
    assert after.findings == before.findings
    assert (quantile(after.delays, 0.95) or 0) < (quantile(before.delays, 0.95) or 0)
    assert all(not turn.lost and not turn.gained for turn in comparison.turns)


def test_a_change_of_times_alone_is_no_change_of_sentences() -> None:
    assert compared({"moderation": {"max_hold_seconds": 5}}, {"moderation": {"max_hold_seconds": 50}}).turns == []


def test_a_quantile_of_nothing_is_none() -> None:
    assert quantile([], 0.5) is None
    assert [quantile([1, 2, 3, 4], share) for share in (0, 0.5, 0.95, 1)] == [1, 3, 4, 4]
