"""The policy: what is looked for, and what happens to what is found. Plain settings, TOML in shape.

Rules
- Frozen, unknown fields are refused, every error names its field and the remedy (`FieldError`).
- What is compiled from a policy (automata, regular expressions) is built once for it and shared: `plan.py`.
"""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

from connectors.fields import FieldError, check_range
from flows.moderation.detectors.national import NATIONAL_IDS
from flows.moderation.detectors.pattern import users_detector
from flows.moderation.findings import Action
from flows.moderation.folding import WORD
from flows.moderation.tables.calling_codes import BY_REGION
from flows.moderation.tables.innocent import INNOCENT

PII_TYPES = ("EMAIL_ADDRESS", "PHONE_NUMBER", "CREDIT_CARD", "US_SSN", "IBAN_CODE", "IP_ADDRESS")
DISGUISED_TYPES = ("SPOKEN_NUMBER", "SPOKEN_EMAIL", "DICTATED_DIGITS", "ENCODED_VALUE")
OPT_IN_TYPES = (*NATIONAL_IDS, "SECRET", "URL_CREDENTIALS", *DISGUISED_TYPES)
BLOCKED = "BLOCKED"
HELD = "HELD"

Markdown = Literal["keep", "strip"]
WhiteSpace = Literal["keep", "normalise"]
OnMaxHold = Literal["redact", "release"]


class Pattern(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A pattern of the user's own: RE2's syntax, so that it cannot hang. Matches are at most `max_length` long."""

    name: str
    regex: str
    max_length: int = 128

    def validate(self, field: str) -> None:
        """Raise FieldError for what cannot serve; `field` is where the pattern stands in the policy."""
        if not self.name:
            raise FieldError(f"{field}.name", "should be a name; the pattern's findings carry it")
        if not 1 <= self.max_length <= 4096:
            raise FieldError(f"{field}.max_length", "should be between 1 and 4096 characters")
        users_detector(self.name, self.regex, self.max_length, f"{field}.regex")


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """What moderation looks for, and what it does about it.

    What to find: `pii` types; `blocklist` terms (whole words; `part*`, `*part` and `*part*` are parts of words) but for
    those of `allow`; the user's own `patterns`; `detectors` of the user's own as `package.module:name`; and what
    `remote` detectors, by name, find (text waits for their verdicts). `region` (ISO 3166) makes the national phone
    numbers of that region count everywhere.

    What to do: `actions` and `marks` by category, that is a type of PII, "BLOCKED", "HELD", or the name of a pattern
    or detector. Without an entry a finding is redacted, with `mark`. `replacement` stands in for a sentence.
    `markdown` and `whitespace` say what becomes of formatting.

    How long: at most `max_hold_chars` characters are held, and for `max_hold_seconds`; then `on_max_hold` says whether
    what is held is redacted or released.
    """

    pii: tuple[str, ...] = PII_TYPES
    blocklist: tuple[str, ...] = ()
    allow: tuple[str, ...] = INNOCENT
    patterns: tuple[Pattern, ...] = ()
    detectors: tuple[str, ...] = ()
    remote: tuple[str, ...] = ()
    actions: dict[str, Action] = {}
    marks: dict[str, str] = {}
    mark: str = "[REDACTED]"
    replacement: str = ""
    region: str = ""
    markdown: Markdown = "keep"
    whitespace: WhiteSpace = "keep"
    max_hold_chars: int = 512
    max_hold_seconds: float = 60.0
    on_max_hold: OnMaxHold = "redact"

    def __post_init__(self) -> None:
        self.validate()

    def validate(self) -> None:
        """Raise FieldError for the first field that is wrong. Done on construction."""
        known = PII_TYPES + OPT_IN_TYPES
        for i, name in enumerate(self.pii):
            if name not in known:
                raise FieldError(f"pii[{i}]", f"should be one of {', '.join(known)}")
        for field, terms in (("blocklist", self.blocklist), ("allow", self.allow)):
            for i, term in enumerate(terms):
                if WORD.search(term) is None:
                    raise FieldError(f"{field}[{i}]", "should have at least one letter or digit")
        for i, pattern in enumerate(self.patterns):
            pattern.validate(f"patterns[{i}]")
        categories = {*known, BLOCKED, HELD, *(p.name for p in self.patterns), *self.remote}
        for field, table in (("actions", self.actions), ("marks", self.marks)):
            for category in table:
                if category not in categories and not self.detectors:  # those name their own
                    what = f"is for no category; there are {', '.join(sorted(categories))}"
                    raise FieldError(f"{field}.{category}", what, "patterns", "remote")
        for category, action in self.actions.items():
            _one_of(f"actions.{category}", action, Action)
        _one_of("markdown", self.markdown, Markdown)
        _one_of("whitespace", self.whitespace, WhiteSpace)
        _one_of("on_max_hold", self.on_max_hold, OnMaxHold)
        if self.region and self.region not in BY_REGION:
            raise FieldError("region", "should be a region with national phone numbers, as in ISO 3166: GB")
        check_range(self, "max_hold_chars", least=1)
        # as long as a closed turn may linger (connectors/log/shards.py)
        check_range(self, "max_hold_seconds", above=0, most=3_600, unit="seconds")

    def action(self, category: str) -> Action:
        return self.actions.get(category, "redact")

    def mark_of(self, category: str) -> str:
        return self.marks.get(category, self.mark)


def _one_of(field: str, value: object, kind: object) -> None:
    if value not in get_args(kind):
        raise FieldError(field, f"should be one of {', '.join(get_args(kind))}")
