"""Values with markdown, blanks and invisible characters inside are found as a reader sees them, however they show."""

from __future__ import annotations

import itertools
import pickle

import pytest

from flows.moderation import Moderator, Pattern, Policy
from flows.moderation.plan import plan_of
from flows.moderation.reading import Reading
from flows.moderation.rendering import Rendering

POLICIES = {
    "shown as it comes": Policy(),
    "stripped": Policy(markdown="strip"),
    "normalised": Policy(whitespace="normalise"),
    "both": Policy(markdown="strip", whitespace="normalise"),
}
VALUES = (
    "5105 1051 0510 5100",
    "371449635398431",
    "ann.lee@example.org",
    "219-09-9998",
    "+49 30 901820",
    "(212) 555-0186",
    "FR14 2004 1010 0505 0001 3M02 606",
    "10.20.30.40",
    "2001:db8::7",
)
SIGNS = ("**", "***", "__", "~~", "`", "\u200b", "\u00ad", "\u2066", "\ufeff")
SPACES = {"stripped": ("  ", "\u00a0 "), "shown as it comes": ("  ", "   "), "normalised": ("  ", "\n", "\t", " \n\n ")}


def shown(policy: Policy, text: str) -> str:
    """What leaves, the same in whole, by character, and with a crash here and there."""
    whole = Moderator(policy)
    out = whole.feed(text) + whole.flush()
    by_char = Moderator(policy)
    assert "".join(map(by_char.feed, text)) + by_char.flush() == out
    assert by_char.findings == whole.findings
    for at in range(11, len(text), 13):
        moderator = Moderator(policy)
        first = moderator.feed(text[:at])
        found = list(moderator.findings)
        moderator = Moderator.restore(policy, pickle.loads(pickle.dumps(moderator.snapshot())))
        assert first + moderator.feed(text[at:]) + moderator.flush() == out
        assert found + moderator.findings == whole.findings
    return out


def marked_up(value: str, sign: str) -> list[str]:
    """The sign around all of it, around its last part, around an inner part, and alone between two characters."""
    places = [i + 1 for i, char in enumerate(value) if not char.isalnum()] or [len(value) // 2]
    last, first = places[-1], places[0]
    return [
        sign + value + sign,
        value[:last] + sign + value[last:] + sign,
        sign + value[:first] + sign + value[first:],
        value[:last] + sign + value[last:],
    ]


def left_of(text: str) -> str:
    """What is left of the value: letters and digits beside the mask and the words around it."""
    rest = text.replace("[REDACTED]", "").removeprefix("it is ").removesuffix(" then")
    return "".join(filter(str.isalnum, rest))


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("value", VALUES)
def test_a_value_with_signs_inside_is_a_value(policy: str, value: str) -> None:
    for sign in SIGNS:
        for written in marked_up(value, sign):
            out = shown(POLICIES[policy], f"it is {written} then")
            assert left_of(out) == "", written


@pytest.mark.parametrize(("policy", "space"), [(p, s) for p, spaces in SPACES.items() for s in spaces])
def test_a_value_with_other_blanks_inside_is_a_value(policy: str, space: str) -> None:
    for value in ("5105 1051 0510 5100", "+49 30 901820", "FR14 2004 1010 0505 0001 3M02 606"):
        out = shown(POLICIES[policy], f"it is {value.replace(' ', space)} then")
        assert left_of(out) == "", value


def test_escaped_signs_are_signs() -> None:
    policy = Policy(pii=("EMAIL_ADDRESS", "SECRET"))
    assert shown(policy, "at ann\\_lee\\@example.org.") == "at [REDACTED]."
    assert "live" not in shown(policy, "key sk\\_live\\_abcdefghijklmnop1234 here")


@pytest.mark.parametrize("markdown", ["keep", "strip"])
def test_a_pattern_of_the_users_own_is_found_over_signs(markdown: str) -> None:
    policy = Policy(pii=(), patterns=(Pattern("ORDER", r"\bORD-\d{4,9}\b"),), markdown=markdown)  # type: ignore[arg-type]  # a mode
    for text in ("see ORD-**12345** now", "see `ORD`-12345 now", "see **ORD**-12`34`5 now", "see ORD\\-12345 now"):
        assert "[REDACTED]" in shown(policy, text)
        assert not any(char.isdigit() for char in shown(policy, text))


def test_a_term_of_the_block_list_is_found_over_signs() -> None:
    policy = Policy(pii=(), blocklist=("darn",), markdown="strip")
    assert shown(policy, "oh da`rn` it") == "oh [REDACTED] it"
    assert shown(policy, "oh d**ar**n it") == "oh [REDACTED] it"


def test_what_stands_apart_stays_apart() -> None:
    for text in ("2 * 3 * 4", "1. **5** of 12", "a_b_c and 10_000", "* 415\n* 555\n* 0132", "| 415 | 555 | 0132 |"):
        moderator = Moderator(Policy())
        assert moderator.feed(text) + moderator.flush() == text


def test_code_that_a_finding_ends_is_ended() -> None:
    policy = Policy(markdown="strip")
    assert shown(policy, "it is `5105 1051` 0510 5100 and **so** on") == "it is [REDACTED] and so on"


def test_many_invisible_signs_are_held_no_longer_than_the_policy_says() -> None:
    moderator = Moderator(Policy(max_hold_chars=100))
    for char in "5105 1051 0510 " + "\u200b" * 5_000 + "5100 is the number that it has ":
        moderator.feed(char)
        assert moderator.held <= 100
    assert len(moderator.snapshot()[1]) < 1_000
    assert moderator.findings[-1].category == "CREDIT_CARD"
    assert not any(char.isdigit() for char in moderator.flush())


def test_a_snapshot_of_version_2_goes_on() -> None:
    came = "so 5105 1051 0510 **"
    data: tuple[object, ...] = (2, came, (0, 3, 3, False), {}, {}, None, [])
    moderator = Moderator.restore(Policy(), data)
    assert moderator.feed("5100** and") + moderator.flush() == "[REDACTED]** and"


def test_the_second_reading_is_there_only_where_the_text_differs() -> None:
    moderator = Moderator(Policy())
    moderator.feed("plain text, with 12 numbers in it. " * 3)
    assert moderator.snapshot()[-1] is None
    moderator.feed("And **this** here, ")
    assert moderator.snapshot()[-1] is not None
    for _ in range(20):
        moderator.feed("and more ")
    assert moderator.snapshot()[-1] is None


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("a **b** c", "a b c"),
        ("a * b", "a * b"),
        ("* a", " a"),
        ("x_y __z__", "x_y z"),
        ("a  b", "a b"),
        ("a ` b", "a b"),
        ("\\*a\\_b\\*", "*a_b*"),
        ("\u202a12\u202c", "12"),
        ("~~~~a", "a"),
        ("--- *** ---", "--- ---"),
    ],
)
def test_what_a_reader_sees(text: str, seen: str) -> None:
    plan = plan_of(Policy())
    for cuts in itertools.chain.from_iterable(itertools.combinations(range(1, len(text)), n) for n in (0, 1, 2)):
        came = Reading(plan)
        rendering = Rendering(plan, came, 0)
        for begin, end in itertools.pairwise((0, *cuts, len(text))):
            came.text += text[begin:end]
            rendering.read(came, end == len(text))
        assert rendering.text == seen
