"""Patterns of the user's own: found over any seam, held no longer than they may still match."""

from __future__ import annotations

import pytest
import re2
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.moderation import Moderator, Pattern, Policy
from flows.moderation.beginnings import beginning


def moderator(regex: str, max_length: int = 128) -> Moderator:
    return Moderator(Policy(pii=(), patterns=(Pattern("P", regex, max_length),)))


def test_a_pattern_is_found_over_a_seam_and_nothing_else_is_held() -> None:
    m = moderator(r"ORD-\d{4}\b")
    assert m.feed("the order OR") == "the order "
    assert m.feed("D-12") == ""
    assert m.feed("34 is OR") == "[REDACTED] is "
    assert m.feed("D not ") == "ORD not "


def test_a_phrase_is_held_over_blanks() -> None:
    m = moderator(r"(?i)project\s+blue\s*bird")
    assert m.feed("Project ") == ""
    assert m.feed("blue ") == ""
    assert m.feed("sky ") == "Project blue sky "
    assert m.feed("project  bluebird. ") == "[REDACTED]. "


def test_a_match_ends_at_max_length() -> None:
    m = moderator("a+", 10)
    assert m.feed("x" + "a" * 25 + "x ") == "x" + "[REDACTED]" * 3 + "x "
    m = moderator("begin.*end", 12)
    assert m.feed("begin no end, begin far too long end. ") == "[REDACTED], begin far too long end. "


def test_a_pattern_cannot_hang() -> None:
    m = moderator(r"(a|aa)+(b|bb)+c")
    m.feed("a" * 20_000)
    assert m.held <= 129


REGEXES = (
    r"ab+c", r"a|ab|abc", r"(?:ab){2,3}c?", r"\bab\b", r"a.{0,3}c", r"(?i)AbC", r"[^b]b[ab]*c",
    r"a(b(c(a)?)?)?b", r"\d{2,}-\d+",
    r"(?:a|b)+?c", r"\x61\x{62}\Qc.\E", r"(?P<n>a+)b{2}", r"a(?i:B)c|cc", r"a{2}", r"a{0}b", r"\pL\d", r"a?b?c",
)  # fmt: skip


@pytest.mark.parametrize("regex", REGEXES)
@settings(max_examples=60, deadline=None)
@given(text=st.text(alphabet="abcB1- .", max_size=12))
def test_beginnings_are_all_beginnings_of_matches(regex: str, text: str) -> None:
    begun = re2.compile(f"(?:{beginning(regex)})")
    match = re2.compile(regex).match(text)
    if match:
        for end in range(match.end() + 1):
            assert begun.fullmatch(text[:end])


@pytest.mark.parametrize("regex", REGEXES)
@settings(max_examples=60, deadline=None)
@given(text=st.text(alphabet="abcB1- .", max_size=30), at=st.integers(0, 30))
def test_pieces_do_not_show(regex: str, text: str, at: int) -> None:
    if re2.compile(regex).fullmatch(""):
        return
    policy = Policy(pii=(), patterns=(Pattern("P", regex, 9),))
    whole, cut, chars = Moderator(policy), Moderator(policy), Moderator(policy)
    out = whole.feed(text) + whole.flush()
    assert cut.feed(text[:at]) + cut.feed(text[at:]) + cut.flush() == out
    assert "".join(map(chars.feed, text)) + chars.flush() == out
    assert cut.findings == whole.findings == chars.findings


@pytest.mark.parametrize("regex", ["^a", "a$", r"\Aa", r"a\z"])
def test_anchors_to_the_text_are_refused(regex: str) -> None:
    with pytest.raises(ValueError, match="no meaning in a stream"):
        beginning(regex)
