"""Formatting: markup goes, what only looks like it stays; white space is brought to single blanks."""

from __future__ import annotations

import itertools

import pytest

from flows.moderation import Moderator, Policy

STRIP = Policy(markdown="strip")
BOTH = Policy(markdown="strip", whitespace="normalise")


def run(policy: Policy, text: str) -> str:
    moderator = Moderator(policy)
    whole = moderator.feed(text) + moderator.flush()
    by_char = Moderator(policy)
    assert "".join(map(by_char.feed, text)) + by_char.flush() == whole
    return whole


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("a **bold** and *slanted* word", "a bold and slanted word"),
        ("__bold__ and _slanted_", "bold and slanted"),
        ("~~gone~~ but ~5 stays", "gone but ~5 stays"),
        ("call `foo_bar(*args)` now", "call foo_bar(*args) now"),
        ("snake_case_name stays", "snake_case_name stays"),
        ("2*3 and 2 * 3 and 2**8", "2*3 and 2 * 3 and 2**8"),
        ("* item\n* item", " item\n item"),
        ("**Note:** this", "Note: this"),
        ("这是**粗体**文字", "这是粗体文字"),
        ('(**x**), "*y*".', '(x), "y".'),
        ("```py\na = b * c ** _d\n```\n**end**", "py\na = b * c ** _d\n\nend"),
        ("an odd ` here\n\n**bold**", "an odd  here\n\nbold"),
        ("an end\n\n`a *b*`", "an end\n\na *b*"),
        ("***both***", "both"),
        ("plain", "plain"),
    ],
)
def test_markdown_is_stripped(text: str, plain: str) -> None:
    assert run(STRIP, text) == plain


def test_white_space_is_normalised() -> None:
    assert run(Policy(whitespace="normalise"), "a  b\n\n c\t d ") == "a b c d "
    assert run(BOTH, "a **b**  *c*\n") == "a b c "


def test_formatting_and_findings_go_together() -> None:
    assert run(BOTH, "mail  **a@b.de**  now") == "mail [REDACTED] now"


def test_offsets_are_those_of_the_source() -> None:
    moderator = Moderator(STRIP)
    spans = moderator.push("a **b** a@b.de .") + moderator.finish()
    assert [(s.start, s.end, s.text) for s in spans if s.text != "a "][:3] == [(2, 4, ""), (4, 5, "b"), (5, 7, "")]
    assert [(f.start, f.end) for f in moderator.findings] == [(8, 14)]
    assert spans[0].start == 0
    assert all(a.end == b.start for a, b in itertools.pairwise(spans))


def test_a_snapshot_knows_that_it_is_inside_code() -> None:
    moderator = Moderator(STRIP)
    out = moderator.feed("```\na ")
    moderator = Moderator.restore(STRIP, moderator.snapshot())
    assert out + moderator.feed("**b** ") + moderator.flush() == "\na **b** "
