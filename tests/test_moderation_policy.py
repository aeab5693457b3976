"""Policies: what is refused, and how it is said."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from connectors.errors import SettingsError
from flows.moderation import Match, Moderator, Pattern, Policy
from flows.moderation.plan import plan_of
from flows.moderation.policy import read_terms


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
        ({"pii": ("EMAIL",)}, r"moderation.pii\[0\]: 'EMAIL' is not a type; known are EMAIL_ADDRESS"),
        ({"blocklist": ("ok", " - ")}, r"moderation.blocklist\[1\]: a term needs"),
        ({"actions": {"BLOKED": "flag"}}, "moderation.actions: no category 'BLOKED'"),
        ({"actions": {"BLOCKED": "explode"}}, "moderation.actions.BLOCKED: 'explode' is none of flag, redact"),
        ({"marks": {"nothing": ""}}, "moderation.marks: no category"),
        ({"region": "Germany"}, "moderation.region: no phone"),
        ({"region": "ZZ"}, "moderation.region: no phone numbers are known"),
        ({"max_hold_chars": 0}, "moderation.max_hold_chars: at least 1"),
        ({"max_hold_seconds": 0.0}, "moderation.max_hold_seconds: more than 0"),
        ({"on_max_hold": "shrug"}, "moderation.on_max_hold: 'shrug' is none of redact, release"),
        ({"markdown": "eat"}, "moderation.markdown: 'eat' is none of keep, strip"),
        ({"whitespace": "eat"}, "moderation.whitespace: 'eat' is none of keep, normalise"),
        ({"patterns": (Pattern("X", r"(?=a)b"),)}, r"moderation.patterns\[0\].regex: RE2 does not take this pattern"),
        ({"patterns": (Pattern("X", r"a*"),)}, r"moderation.patterns\[0\].regex: the pattern matches the empty text"),
        ({"patterns": (Pattern("X", r"^ab"),)}, r"moderation.patterns\[0\].regex: \^ has no meaning in a stream"),
        ({"patterns": (Pattern("X", "ab", 0),)}, r"moderation.patterns\[0\].max_length: 1 to"),
        ({"patterns": (Pattern("", "ab"),)}, r"moderation.patterns\[0\].name: "),
        ({"patterns": (Pattern("X", "ab"), Pattern("X", "c"))}, "moderation: two detectors of category 'X'"),
        ({"detectors": ("no.such:thing",)}, r"moderation.detectors\[0\]: cannot import 'no.such:thing'"),
        ({"detectors": ("json:loads",)}, r"moderation.detectors\[0\]: 'json:loads' has no category"),
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
    with pytest.raises(msgspec.ValidationError, match=r"moderation.pii\[0\]"):
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


def test_a_block_list_file_has_a_term_a_line() -> None:
    assert read_terms("# a comment\n\n  darn \nson of a gun\ndarn\n#hashtag\n") == ("darn", "son of a gun", "#hashtag")
