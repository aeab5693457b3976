"""Policies: what is refused, and how it is said."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from connectors.errors import SettingsError
from flows.moderation import Match, Moderator, Pattern, Policy
from flows.moderation.plan import plan_of


class Shouting:
    """A detector of the user's own: three capitals in a row."""

    category = "SHOUTING"
    bound = 64
    trigger = "A-Z"

    def scan(self, text: str, start: int, open_word: int, final: bool) -> tuple[list[Match], int]:
        found, at = [], start
        for word in text[start:open_word].split():
            at = text.index(word, at)
            if len(word) >= 3 and word.isupper():
                found.append(Match(at, at + len(word), "capitals"))
            at += len(word)
        return found, max(open_word, start)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"pii": ("EMAIL",)}, r"^pii\[0\] should be one of EMAIL_ADDRESS"),
        ({"blocklist": ("ok", " - ")}, r"^blocklist\[1\] should have at least one letter"),
        ({"actions": {"BLOKED": "flag"}}, r"^actions\.BLOKED is for no category; there are"),
        ({"actions": {"BLOCKED": "explode"}}, r"^actions\.BLOCKED should be one of flag, redact"),
        ({"marks": {"nothing": ""}}, r"^marks\.nothing is for no category"),
        ({"region": "Germany"}, "^region should be a region"),
        ({"region": "ZZ"}, "^region should be .* ISO 3166"),
        ({"max_hold_chars": 0}, "^max_hold_chars should be at least 1"),
        ({"max_hold_seconds": 0.0}, "^max_hold_seconds should be more than 0"),
        ({"on_max_hold": "shrug"}, "^on_max_hold should be one of redact, release"),
        ({"markdown": "eat"}, "^markdown should be one of keep, strip"),
        ({"whitespace": "eat"}, "^whitespace should be one of keep, normalise"),
        ({"patterns": (Pattern("X", r"(?=a)b"),)}, r"^patterns\[0\]\.regex is no pattern of RE2's"),
        ({"patterns": (Pattern("X", r"a*"),)}, r"^patterns\[0\]\.regex matches the empty text"),
        ({"patterns": (Pattern("X", r"^ab"),)}, r"^patterns\[0\]\.regex cannot serve: \^ has no meaning in a stream"),
        ({"patterns": (Pattern("X", "ab", 0),)}, r"^patterns\[0\]\.max_length should be between 1 and"),
        ({"patterns": (Pattern("", "ab"),)}, r"^patterns\[0\]\.name should"),
        (
            {"patterns": (Pattern("X", "ab"), Pattern("X", "c"))},
            "^patterns and detectors should not share the category 'X'",
        ),
        ({"detectors": ("no.such:thing",)}, r"^detectors\[0\] should be package.module:name.*PYTHONPATH"),
        ({"detectors": ("json:loads",)}, r"^detectors\[0\] should have category"),
    ],
)
def test_errors_name_the_field_and_the_remedy(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        plan_of(Policy(**fields))


def test_a_policy_is_read_from_toml() -> None:
    toml = """
    pii = ["EMAIL_ADDRESS"]
    blocklist = ["darn"]
    region = "GB"
    actions = {BLOCKED = "drop"}
    marks = {EMAIL_ADDRESS = "[mail]"}
    [[patterns]]
    name = "ORDER"
    regex = 'ORD-\\d+'
    """
    policy = msgspec.toml.decode(toml, type=Policy)
    assert Moderator(policy).feed("a@b.de ORD-12 ok") == "[mail] [REDACTED] "
    with pytest.raises(msgspec.ValidationError, match="unknown field `blocklst`"):
        msgspec.toml.decode('blocklst = ["x"]', type=Policy)
    with pytest.raises(msgspec.ValidationError, match=r"pii\[0\]"):
        msgspec.toml.decode('pii = ["x"]', type=Policy)


def test_policies_are_frozen_and_compare_by_value() -> None:
    policy = Policy()
    assert policy == Policy()
    Moderator(policy)
    assert policy == Policy()
    with pytest.raises(AttributeError):
        policy.mark = "x"  # type: ignore[misc]  # that is the test


def test_a_detector_of_the_users_own() -> None:
    moderator = Moderator(Policy(detectors=(f"{__name__}:Shouting",), actions={"SHOUTING": "redact"}))
    assert moderator.feed("please STOP that NOW") + moderator.flush() == "please [REDACTED] that [REDACTED]"
