"""What may stand between the groups of a number, and what characters read as: for each type, under every chunking."""

from __future__ import annotations

import re
import unicodedata

import pytest

from flows.moderation import Moderator, Policy
from flows.moderation.detectors.base import open_word
from flows.moderation.tables import separators
from flows.moderation.tables.plain import read_plain

POLICY = Policy()

BLANKS = (" ", "  ", "\u00a0", "\u2003", "\u2009", "\u202f", "\u3000", " \u200b")
DASHES = ("-", "\u2010", "\u2011", "\u2013", "\u2014", "\u2212", "－", "\ufe63")
HIDDEN = ("\u200b", "\u00ad", "\u200e", "\u2066", "\u2060", "\ufeff", "\u202a")
OTHERS = (" - ", ".", "·", "_", "__", "**", "/", "\\", " | ", "\t", "\n", "\r\n", "\u2028", ",", ";", ":", "ー", "．")


def out(text: str) -> str:
    moderator = Moderator(POLICY)
    whole = moderator.feed(text) + moderator.flush()
    by_char = Moderator(POLICY)
    assert "".join(map(by_char.feed, text)) + by_char.flush() == whole
    return whole


@pytest.mark.parametrize(
    ("groups", "between"),
    [
        ("5555 5555 5555 4444", (*BLANKS, *DASHES, *HIDDEN, *OTHERS)),
        ("3782 822463 10005", (*BLANKS, *DASHES, *HIDDEN, *OTHERS)),
        ("BE68 5390 0754 7034", (*BLANKS, *DASHES, *HIDDEN, "\t", "\n", "\r\n", "_", ".", "·", " - ")),
        ("217 38 4429", (*BLANKS, *DASHES, "_", ".", "·", "．")),
        ("+44 161 496 0000", (*BLANKS, *DASHES, *HIDDEN, ".", "·", "_", " - ", "/")),
        ("646 555 0175", (*BLANKS, *DASHES, ".", "·", "_", "/", "．")),
    ],
)
def test_a_value_is_found_behind_every_separator(groups: str, between: tuple[str, ...]) -> None:
    for separator in between:
        text = f"it is {groups.replace(' ', separator)} then"
        assert out(text) == "it is [REDACTED] then", repr(separator)


@pytest.mark.parametrize(
    "value",
    ["ann.lee@example.org", "10.20.30.40", "217-38-4429", "+44 161 496 0000", "5555555555554444", "2001:db8::5"],
)
def test_full_width_and_small_forms_are_what_they_are_forms_of(value: str) -> None:
    wide = "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else "\u3000" for char in value)
    assert out(f"it is {wide} then") == "it is [REDACTED] then"
    assert (
        out(f"it is {value.replace('@', '＠').replace('.', '．').replace('+', '＋')} then") == "it is [REDACTED] then"
    )


@pytest.mark.parametrize("hidden", HIDDEN)
def test_what_nobody_sees_is_in_no_value_s_way(hidden: str) -> None:
    for value in ("ann.lee@example.org", "10.20.30.40", "217-38-4429", "+44 161 496 0000", "BE68539007547034"):
        for at in (1, len(value) // 2, len(value) - 1):
            assert out(f"it is {value[:at]}{hidden}{value[at:]} then") == "it is [REDACTED] then"


@pytest.mark.parametrize(
    "text",
    [
        "| 4539 | 5578 | 6011 | 3566 | 4000 |",  # more fields than a card has groups
        "4532,1488,0343,6467,1203",
        "6200\t5400\t4100\t5800",  # round
        "4556, 7375, 8689, 9855",  # a list in a sentence
        "0.5555555555554444",
        "7.5555.5555.5555.4444",
        "1-217-38-4429 and 217-38-4429-1",
        "3217-38-4429",
    ],
)
def test_a_list_is_no_number_and_a_longer_number_is_another(text: str) -> None:
    assert out(text) == text


def test_the_table_has_what_unicode_has() -> None:
    """But for the scripts' own punctuation, which stands in no number."""
    every = [chr(place) for place in range(0x80, 0x3100)]
    blanks = re.compile(f"[{separators.BLANKS}]")
    assert [char for char in every if unicodedata.category(char) == "Zs" and not blanks.match(char)] == []
    dashes = re.compile(f"[{separators.DASHES}]")
    missing = {char for char in every if unicodedata.category(char) == "Pd" and not dashes.match(char)}
    assert missing == {*"\u2e17\u2e1a\u2e40\u2e5d\u301c\u3030\u30a0"}
    hidden = re.compile(f"[{separators.INVISIBLE}]")
    shown = [c for c in every if unicodedata.category(c) == "Cf" and not hidden.match(c)]
    assert all("ARABIC" in unicodedata.name(c) or "SYRIAC" in unicodedata.name(c) for c in shown)


def test_what_reads_as_a_sign_inside_a_word_ends_no_word() -> None:
    """Else it would be given out before a detector has seen what it begins."""
    for char in map(chr, range(0x80, 0x10000)):
        if open_word(char) == 1 and read_plain(char) != char:
            assert open_word(read_plain(char)) == 1, hex(ord(char))
