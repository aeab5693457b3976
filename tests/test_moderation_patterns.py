"""Patterns of the user's own: found over any seam, held no longer than they may still match."""

from __future__ import annotations

import re

import pytest
import re2
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import SettingsError
from flows.moderation import Moderator, Pattern, Policy
from flows.moderation.beginnings import beginning
from flows.moderation.detectors.pattern import users_detector


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


def found(regex: str, text: str, max_length: int = 128) -> list[str]:
    m = moderator(regex, max_length)
    m.feed(text)
    m.flush()
    return [text[f.start : f.end] for f in m.findings]


@pytest.mark.parametrize(
    ("regex", "text", "matches"),
    [
        (r"\bÜB-\d{4}\b", "die ÜB-1234, nicht GÜB-1234 oder ÜB-12345", ["ÜB-1234"]),
        (r"id \d+", "id ١٢٣ und id 45", ["id ١٢٣", "id 45"]),
        (r"a{,4}b", "aab b", ["aab", "b"]),
        (r"\bимя:\s*\w+", "имя:\u00a0Жанна, а не полимя: x", ["имя:\u00a0Жанна"]),
        (r"(?i)\bstraße\b|\bgasse\b", "STRASSE Straße Altgasse Gasse", ["Straße", "Gasse"]),
        (r"\bनमस्ते\b", "नमस्ते दुनिया", ["नमस्ते"]),
        (r"[\w-]+@büro", "jürgen-h@büro", ["jürgen-h@büro"]),
        (r"[^\W\d_]{3}", "ab1 äöü x_yz", ["äöü"]),
        (r"x[^\S\n]+y", "x\u3000y x\ny", ["x\u3000y"]),
        (r"\bno\s\S+\b", "no\u2003über! no-one", ["no\u2003über"]),
        (r"[[:alpha:]]+\d", "čaj7", ["čaj7"]),
        (r"\bfoo.*?bar\b", "foo bars bar bar", ["foo bars bar"]),
        (r"\b(?:a|aé)\b", "aé a", ["aé", "a"]),
        (r"a\B", "aé a", ["a"]),
        (r"\bcafé\b\s+\d", "café 7 cafés 8", ["café 7"]),
        (r"\bfoo\b.*\bbar\b", "foo and bar", ["foo and bar"]),
        (r"[\D]x", "٣x ax", ["ax"]),
        (r"[\W\d]x", "٣x ax -x", ["٣x", "-x"]),
        (r"\Q\d{,2}\E", r"\d{,2} 12", [r"\d{,2}"]),
    ],
)
def test_a_pattern_holds_for_all_scripts(regex: str, text: str, matches: list[str]) -> None:
    assert found(regex, text) == matches
    m = moderator(regex)
    shown = "".join(map(m.feed, text)) + m.flush()
    assert [text[f.start : f.end] for f in m.findings] == matches
    assert shown.count("[REDACTED]") == len(matches)


@pytest.mark.parametrize(
    ("regex", "remedy"),
    [
        (r"\w+\b.*x", "inside a pattern sees ASCII alone; write what may stand there"),
        (r"\pL+\b.x", "inside a pattern sees ASCII alone"),
        (r"(?:ab|é)\b.x", "inside a pattern sees ASCII alone"),
        (r"é\B.", "inside a pattern sees ASCII alone"),
        (r"x[^\W.]", r"cannot be written for all scripts; use \\pL"),
        (r"\b", "matches the empty text"),
    ],
)
def test_what_cannot_hold_for_all_scripts_is_refused(regex: str, remedy: str) -> None:
    with pytest.raises(SettingsError, match=rf"patterns\[0\]\.regex .*{remedy}"):
        Policy(patterns=(Pattern("P", regex),))


MEANT = (
    r"\b\w+\b", r"\d+", r"\bé\w*", r"\w*é\b", r"[\w-]+\b", r"\b[\w-]+é", r"\s\S+\s", r"[^\W\d]+", r"\bab\b|\béb\b",
    r"a\b", r"\Ba", r"\w+\b-", r"(?:a|é)\b ", r"a{,2}b", r"[^\S ]a", r"\W\w", r"[\Wa]b", r"\b\w+?\b", r"(?i)\bÉ+b?\b",
    r"\B\w\B",
)  # fmt: skip


@pytest.mark.parametrize("regex", MEANT)
@settings(max_examples=60, deadline=None)
@given(text=st.text(alphabet="abéÉж٣1 \u00a0-._\n", max_size=14))
def test_it_is_what_the_pattern_means_in_unicode(regex: str, text: str) -> None:
    expected, at = [], 0
    while (match := re.compile(regex).search(text, at)) and match.start() < len(text):
        if match.group():
            expected.append(match.group())
        at = max(match.end(), match.start() + 1)
    matches, _ = users_detector("P", regex, 128, "regex").scan(text, 0, len(text), final=True)  # of the text as it came
    assert [text[match.start : match.end] for match in matches] == expected


def test_a_pattern_that_ends_with_a_boundary_cannot_hang() -> None:
    m = moderator(r"\b.+[xé-]\b", 4096)
    m.feed("xéé" * 3_000)
    assert m.held <= 512
    m = moderator(r"\w*[\w-]+?x\b", 1024)
    m.feed("xé-" * 700 + "xé" * 700)
    assert m.held <= 512
