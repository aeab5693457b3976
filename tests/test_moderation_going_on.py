"""Matches without a bound: withheld to their end as one finding, at no more cost than what may be held."""

from __future__ import annotations

import itertools
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.moderation import Finding, Match, Moderator, Policy
from tests.properties.moderation_texts import check, moderated


class Bracketed:
    """A detector of the user's own: from `<<` to `>>`, however far."""

    category = "BRACKETED"
    bound = 4
    trigger = None

    def scan(self, text: str, start: int, open_word: int, final: bool) -> tuple[list[Match], int]:
        at = text.find("<<", start)
        if at >= 0:
            return [Match(at, at + 2, "brackets", goes_on=True)], at + 2
        return [], len(text) - (text.endswith("<") and len(text) > start and not final)

    def go_on(self, text: str, start: int, rule: str, final: bool) -> tuple[int, bool]:
        at = text.find(">>", start)
        if at >= 0:
            return at + 2, False
        return len(text) - (text.endswith(">") and len(text) > start and not final), True


POLICY = Policy(detectors=(f"{__name__}:Bracketed",))
FLAGGED = Policy(detectors=POLICY.detectors, actions={"BRACKETED": "flag"}, max_hold_chars=40)
LONG = "word " * 2_000


def test_it_becomes_one_finding_and_its_text_is_not_kept() -> None:
    moderator = Moderator(POLICY)
    assert moderator.feed("look: <<") == "look: "
    for _ in range(40):
        assert moderator.feed("word " * 50) == ""
        assert moderator.held <= 1
        assert len(pickle.dumps(moderator.snapshot())) < 1_200
    assert moderator.feed(">> and on ") == "[REDACTED] and on "
    assert moderator.findings == [Finding(6, 10_010, "BRACKETED", "brackets", "redact")]


def test_it_ends_with_the_turn() -> None:
    moderator = Moderator(POLICY)
    assert moderator.feed("a << b") + moderator.feed(" >") + moderator.flush() == "a [REDACTED]"
    assert moderator.findings == [Finding(2, 8, "BRACKETED", "brackets", "redact")]


def test_what_is_found_inside_is_part_of_it_and_the_strongest_action_counts() -> None:
    policy = Policy(detectors=POLICY.detectors, blocklist=("darn",), actions={"BLOCKED": "drop"})
    whole = Moderator(policy)
    whole.feed(f"<<{LONG} a@b.de {LONG} darn {LONG} a@b.de{LONG}>> x")
    whole.flush()
    assert [(f.category, f.start, f.action) for f in whole.findings] == [("BLOCKED", 0, "drop")]


def test_many_findings_inside_are_not_kept() -> None:
    moderator = Moderator(POLICY)
    moderator.feed("<<" + "a@b.de " * 2_000)
    assert len(pickle.dumps(moderator.snapshot())) < 1_200


def test_a_mere_flag_shows_the_text_as_much_at_a_time_as_may_be_held() -> None:
    text = f"a << {LONG} >> b"
    shown, _, findings = moderated(FLAGGED, [text])
    assert "".join(shown) == text
    assert {(f.category, f.action) for f in findings} == {("BRACKETED", "flag")}


def test_after_max_hold_what_is_certain_is_still_hidden() -> None:
    moderator = Moderator(Policy(detectors=POLICY.detectors, on_max_hold="release"))
    moderator.feed("a <<" + LONG)
    assert "".join(span.text for span in moderator.release_held()) == "[REDACTED]"
    assert moderator.feed(LONG + ">> b ") == "[REDACTED] b "


def test_a_policy_that_no_longer_looks_for_it_hides_what_was_found() -> None:
    moderator = Moderator(POLICY)
    moderator.feed("a <<" + LONG)
    again = Moderator.restore(Policy(), pickle.loads(pickle.dumps(moderator.snapshot())))
    assert again.feed(" b>> c ") == "[REDACTED] b>> c "


def test_a_snapshot_of_the_version_before_is_read() -> None:
    moderator = Moderator(Policy())
    moderator.feed("card 4012888888")
    older = (2, *moderator.snapshot()[1:7])
    assert Moderator.restore(Policy(), older).feed("881881 it ") == "[REDACTED] it "


PARTS = ("<", "<<", ">", ">>", " ", "x", "a@b.de", "darn", "4012888888881881", "<<<", "word " * 9)


@pytest.mark.parametrize("action", ["redact", "flag", "drop"])
@settings(max_examples=60, deadline=None)
@given(parts=st.lists(st.sampled_from(PARTS), max_size=14), cuts=st.lists(st.integers(0, 120), max_size=6))
def test_pieces_and_crashes_do_not_show(action: str, parts: list[str], cuts: list[int]) -> None:
    text = "".join(parts)
    at = sorted({min(cut, len(text)) for cut in cuts} | {0, len(text)})
    pieces = [text[a:b] for a, b in itertools.pairwise(at)]
    for limit in (512, 30):
        for held in ("redact", "release"):
            policy = Policy(
                detectors=POLICY.detectors,
                blocklist=("darn",),
                actions={"BRACKETED": action, "BLOCKED": "drop"},  # type: ignore[dict-item]  # one of the five
                max_hold_chars=limit,
                on_max_hold=held,  # type: ignore[arg-type]  # one of the two
            )
            check(policy, text, pieces)
