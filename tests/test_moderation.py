"""The moderator: spans, holding, giving up, verdicts from outside, snapshots."""

from __future__ import annotations

import pickle

import pytest

from flows.moderation import Action, Finding, Moderator, Policy, Span
from flows.moderation.moderator import VERSION
from flows.moderation.policy import OnMaxHold

CARD = "4012888888881881"


def finding(start: int, end: int, category: str, rule: str) -> Finding:
    return Finding(start, end, category, rule, "redact")


def test_clean_text_is_held_for_its_open_word_only() -> None:
    moderator = Moderator(Policy())
    assert moderator.feed("Hello wor") == "Hello "
    assert moderator.held == 3
    assert moderator.feed("ld, how") == "world, "
    assert moderator.flush() == "how"
    assert moderator.held == 0


def test_a_value_is_replaced_by_its_mark_and_explained() -> None:
    moderator = Moderator(Policy())
    spans = moderator.push(f"card {CARD}.\n")
    mark = finding(5, 21, "CREDIT_CARD", "luhn")
    assert spans == [Span(0, 5, "card "), Span(5, 21, "[REDACTED]", mark), Span(21, 23, ".\n")]
    assert moderator.cut == 23
    assert moderator.findings == [mark]


def test_a_value_cut_at_any_place_never_leaves() -> None:
    for at in range(1, len(CARD)):
        moderator = Moderator(Policy())
        assert moderator.feed("my card " + CARD[:at]) == "my card "
        assert moderator.feed(CARD[at:] + " it is") == "[REDACTED] it "


def test_the_mark_may_differ_by_category() -> None:
    moderator = Moderator(Policy(blocklist=("darn",), marks={"BLOCKED": "[FILTERED]", "CREDIT_CARD": ""}))
    assert moderator.feed(f"darn {CARD} a@b.de") + moderator.flush() == "[FILTERED]  [REDACTED]"


@pytest.mark.parametrize("action", ["flag", "replace", "drop", "end"])
def test_other_actions_leave_the_text_and_say_what_is_to_be_done(action: Action) -> None:
    moderator = Moderator(Policy(actions={"EMAIL_ADDRESS": action}))
    spans = moderator.push("to a@b.de now")
    assert [s.text for s in spans] == ["to ", "a@b.de", " "]
    assert spans[1].finding == Finding(3, 9, "EMAIL_ADDRESS", "address", action)


def test_overlapping_findings_become_one_with_the_strongest_action() -> None:
    policy = Policy(blocklist=("com",), actions={"BLOCKED": "drop"})
    moderator = Moderator(policy)
    moderator.feed("joe@example.com rest")
    assert [(f.start, f.end, f.category, f.action) for f in moderator.findings] == [(0, 15, "BLOCKED", "drop")]


def test_a_flag_does_not_widen_a_redaction() -> None:
    moderator = Moderator(Policy(blocklist=("a b c a@b.de",), actions={"BLOCKED": "flag"}))
    assert moderator.feed("a b c a@b.de ") == "a b c [REDACTED] "
    assert [f.category for f in moderator.findings] == ["EMAIL_ADDRESS"]


def test_a_long_stream_keeps_little_text() -> None:
    moderator = Moderator(Policy(blocklist=("zzz",)))
    for _ in range(5000):
        moderator.feed("some words and 12 34, ")
    assert len(pickle.dumps(moderator.snapshot())) < 1000


def test_max_hold_redacts_what_is_held_and_the_rest_of_the_value() -> None:
    moderator = Moderator(Policy())
    assert moderator.feed("card " + CARD[:10]) == "card "
    assert [s.text for s in moderator.release_held()] == ["[REDACTED]"]
    assert moderator.held == 0
    assert moderator.release_held() == []
    assert moderator.feed(CARD[10:] + " thanks a lot") == "[REDACTED] thanks a "
    assert [(f.start, f.end, f.category) for f in moderator.findings] == [(5, 15, "HELD"), (15, 21, "CREDIT_CARD")]


def test_max_hold_may_release_but_then_still_hides_the_rest() -> None:
    moderator = Moderator(Policy(on_max_hold="release"))
    moderator.feed("card " + CARD[:10])
    assert [s.text for s in moderator.release_held()] == [CARD[:10]]
    assert moderator.feed(CARD[10:] + " ok") == "[REDACTED] "


def test_more_than_max_hold_characters_are_never_held() -> None:
    moderator = Moderator(Policy(max_hold_chars=10))
    out = moderator.feed("mail abcdefghijklmnopqrstuvwxyz0123456789 end ")
    assert out == "mail " + "[REDACTED]" * 3 + "012 end " or "[REDACTED]" in out
    assert moderator.held <= 10
    assert {f.category for f in moderator.findings} == {"HELD"}


def test_a_crash_in_the_middle_of_a_value_does_not_lose_it() -> None:
    policy = Policy()
    moderator = Moderator(policy)
    moderator.feed("my card " + CARD[:7])
    data = pickle.loads(pickle.dumps(moderator.snapshot()))
    again = Moderator.restore(policy, data)
    assert again.cut == 8
    assert again.feed(CARD[7:] + " ok now") == "[REDACTED] ok "


def test_a_snapshot_is_plain_data_with_a_version() -> None:
    moderator = Moderator(Policy(blocklist=("blow job",)))
    moderator.feed("4012 blow")
    data = moderator.snapshot()
    assert data[0] == VERSION
    with pytest.raises(ValueError, match="version 9"):
        Moderator.restore(Policy(), (9, *data[1:]))


def test_a_snapshot_may_be_restored_under_another_policy() -> None:
    moderator = Moderator(Policy(pii=("CREDIT_CARD",)))
    moderator.feed("a@b.de and card 4012")
    again = Moderator.restore(Policy(blocklist=("darn",), markdown="strip"), moderator.snapshot())
    assert again.feed("888888881881 darn **it** ") == "[REDACTED] [REDACTED] it "


def test_plans_are_shared_by_moderators_of_a_policy() -> None:
    policy = Policy(blocklist=("darn",))
    assert Moderator(policy)._plan is Moderator(policy)._plan


def test_text_waits_for_the_verdict_of_a_remote_detector() -> None:
    moderator = Moderator(Policy(remote=("TOXIC",)))
    assert moderator.feed("You are bad. Really a@b.de bad ") == ""
    spans = moderator.verdict("TOXIC", 13, [(8, 11, "insult")])
    assert [s.text for s in spans] == ["You are ", "[REDACTED]", ". "]
    assert moderator.verdict("TOXIC", 13, [(0, 3, "late")]) == []  # the first verdict counts
    assert moderator.flush() == ""
    assert "".join(s.text for s in moderator.verdict("TOXIC", 99, [])) == "Really [REDACTED] bad "


def test_a_verdict_that_overtakes_another_sets_nothing_free_that_is_not_its_own() -> None:
    policy = Policy(remote=("TOXIC",))
    moderator = Moderator(policy)
    moderator.feed("You are bad. Really? Be good. And more. ")
    assert moderator.verdict("TOXIC", 30, [(24, 28, "irony")], 21) == []
    assert moderator.verdict("TOXIC", 40, [], 30) == []
    moderator = Moderator.restore(policy, moderator.snapshot())
    assert moderator.judged == 0
    assert moderator.verdict("TOXIC", 30, [(21, 30, "late")], 21) == []
    assert "".join(s.text for s in moderator.verdict("TOXIC", 13, [(8, 11, "insult")], 0)) == "You are [REDACTED]. "
    # what was judged is not judged again by one on more
    shown = moderator.verdict("TOXIC", 30, [(13, 30, "all")], 13)
    assert "".join(s.text for s in shown) == "[REDACTED]Be [REDACTED]. And more. "


@pytest.mark.parametrize(
    ("on_max_hold", "shown"), [("redact", "[REDACTED]Be good. "), ("release", "You bad. Be good. ")]
)
def test_what_no_verdict_is_on_goes_as_the_policy_says_and_takes_no_other_text_with_it(
    on_max_hold: OnMaxHold, shown: str
) -> None:
    moderator = Moderator(Policy(remote=("TOXIC",), on_max_hold=on_max_hold))
    moderator.feed("You bad. Be good. Or 4111 1111 ")
    first = moderator.verdict("TOXIC", 9, None, 0)
    assert "".join(s.text for s in [*first, *moderator.verdict("TOXIC", 18, [], 9)]) == shown
    assert [f.rule for f in moderator.findings] == (["TOXIC"] if on_max_hold == "redact" else [])
    assert moderator.verdict("TOXIC", 31, [], 18)[0].text == "Or "  # the digits may be a card's


def test_a_verdict_that_never_comes_ends_with_max_hold() -> None:
    moderator = Moderator(Policy(remote=("TOXIC",)))
    moderator.feed("You are bad. ")
    assert [s.text for s in moderator.release_held()] == ["[REDACTED]"]
    assert moderator.verdict("TOXIC", 13, [(8, 11, "insult")]) == []
    assert moderator.feed("More. ") == ""
    again = Moderator.restore(Policy(remote=("TOXIC",)), moderator.snapshot())
    assert [s.text for s in again.verdict("TOXIC", 19, [])] == ["More. "]
