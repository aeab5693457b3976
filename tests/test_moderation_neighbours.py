"""A value beside another one, or beside what is none: each is found, and nothing else."""

from __future__ import annotations

import pytest

from flows.moderation import Moderator, Policy

NUMBERS = (
    "646-555-0175",
    "646 555 0175",
    "(646) 555-0175",
    "0221 47 11 08",
    "0161 496000",
    "080-1234-5678",
    "+49 221 4711080",
)
BEHIND = (
    " 24/7", " (24/7)", ", 24/7", " - 24/7", ". 24 hours", " 2025-06-30", " 30.06.2025", " 06/30/2025", " 9 a.m.",
    " 8am to 6pm", " 8-18 Uhr", " 10:30", " 2 times", " (2 lines)", ",7", ";7", ":7", " 646 555 0176", " 646-555-0176",
    ", 0161 496001", " / 646-555-0176", "/646-555-0176", " 0161 496001",
)  # fmt: skip
BEFORE = (
    "24/7 ", "(24/7) ", "2025-06-30 ", "9 a.m. ", "10:30 ", "2025 ", "7,", "7:", "7;", "3/", "7\t", "1. ", "1) ",
    "12, ", "2 x ", "0161 496001 ", "646 555 0176 ", "(",
)  # fmt: skip


def out(text: str, policy: Policy = Policy()) -> str:  # noqa: B008  # a policy is frozen
    moderator = Moderator(policy)
    whole = moderator.feed(text) + moderator.flush()
    for size in (1, 3, 7):
        other = Moderator(policy)
        pieces = [text[at : at + size] for at in range(0, len(text), size)]
        assert "".join(map(other.feed, pieces)) + other.flush() == whole
    return whole


@pytest.mark.parametrize("number", NUMBERS)
def test_a_phone_number_is_found_beside_anything(number: str) -> None:
    for behind in BEHIND:
        left = out(f"reach us on {number}{behind} ok")
        assert left.startswith("reach us on [REDACTED]"), behind
        assert left.count("[REDACTED]") == 2 or "496001" not in behind, behind
    for before in BEFORE:
        text = f"so {before}{number}{')' * (before == '(')} ok"
        left = out(text)
        assert "[REDACTED]" in left, before
        assert number[-4:] not in left, before


def test_what_stands_beside_a_number_stays() -> None:
    assert out("so 646-555-0175 24/7 ok") == "so [REDACTED] 24/7 ok"
    assert out("so (646-555-0175) ok") == "so ([REDACTED]) ok"
    assert out("call 24/7 on 496 0175 or 10:30") == "call 24/7 on [REDACTED] or 10:30"
    assert out("id,name\n7,646 555 0175,x\n") == "id,name\n7,[REDACTED],x\n"


@pytest.mark.parametrize(
    "text",
    [
        "100 200 300 4000 and 12 34 56 78 90 12 34 56",
        "2024-555-1234-567",
        "646-555-0175-99",
        "1-2-646-555-0175",
        "0161 496001 496002 496003",
        "order 2000 0101 2345 6789 030",
        "A010 0000 0000 0131 0003 02",
        "from 10:30 to 12:45, 24/7, on 2025-06-30",
    ],
)
def test_a_longer_number_has_no_phone_number_inside(text: str) -> None:
    assert out(text) == text


@pytest.mark.parametrize("value", ["5555 5555 5555 4444", "5555555555554444", "217-38-4429", "3782-822463-10005"])
@pytest.mark.parametrize("before", ["7,", "12,", "7:", "3/", "7;", "7 ", "1. ", "24/7 ", "2025-06-30 "])
def test_cards_and_social_security_numbers_are_found_behind_a_digit_and_a_sign(value: str, before: str) -> None:
    for behind in (",9", " 24/7", ";x", "/1", ":2", "\n7"):
        assert out(f"row {before}{value}{behind} ok") == f"row {before}[REDACTED]{behind} ok"


def test_two_of_a_kind_are_both_found() -> None:
    assert out("5555 5555 5555 4444 3782 822463 10005 ok") == "[REDACTED] [REDACTED] ok"
    assert out("217-38-4429 219-09-9998 ok") == "[REDACTED] [REDACTED] ok"
    assert out("646 555 0175 646 555 0176 ok") == "[REDACTED] [REDACTED] ok"
