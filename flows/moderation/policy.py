"""The policy: what is looked for, and what happens to what is found. Plain settings, TOML in shape.

Rules
- Frozen, unknown fields are refused, every error names its field and the remedy (`SettingsError`).
- What is compiled from a policy (automata, regular expressions) is built once for it and shared: `plan.py`.
"""

from __future__ import annotations

import re
from typing import Literal, get_args

import msgspec

from connectors.errors import SettingsError
from flows.moderation.detectors.national import NATIONAL_IDS
from flows.moderation.detectors.secrets import SHAPES
from flows.moderation.findings import Action
from flows.moderation.tables.innocent import INNOCENT

PII_TYPES = ("EMAIL_ADDRESS", "PHONE_NUMBER", "CREDIT_CARD", "US_SSN", "IBAN_CODE", "IP_ADDRESS")
OPT_IN_TYPES = (*NATIONAL_IDS, *SHAPES)
BLOCKED = "BLOCKED"
HELD = "HELD"


class Pattern(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A pattern of the user's own: RE2's syntax, so that it cannot hang. Matches are at most `max_length` long."""

    name: str
    regex: str
    max_length: int = 128


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """What moderation looks for, and what it does about it.

    `pii` names the types to find; `blocklist` the terms (whole words; `term*` their beginnings), `allow` the words
    that are never blocked; `patterns` the user's own. `actions` and `marks` are by category: a PII type, "BLOCKED",
    or a pattern's name. `region` (ISO 3166) makes national phone numbers of that region recognised everywhere.
    Text is held for at most `max_hold_chars` characters and `max_hold_seconds`; then `on_max_hold` says whether
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
    markdown: Literal["keep", "strip"] = "keep"
    whitespace: Literal["keep", "normalise"] = "keep"
    max_hold_chars: int = 512
    max_hold_seconds: float = 5.0
    on_max_hold: Literal["redact", "release"] = "redact"

    def __post_init__(self) -> None:
        self.validate()

    def validate(self) -> None:
        """Raise `SettingsError` for the first field that is wrong."""
        known = PII_TYPES + OPT_IN_TYPES
        for i, name in enumerate(self.pii):
            if name not in known:
                raise SettingsError(f"moderation.pii[{i}]: {name!r} is not a type; known are {', '.join(known)}")
        for i, term in enumerate(self.blocklist):
            if not isinstance(term, str) or not any(c.isalnum() for c in term):
                raise SettingsError(f"moderation.blocklist[{i}]: a term needs at least one letter or digit")
        categories = {*known, BLOCKED, HELD, *(p.name for p in self.patterns), *self.remote}
        for field, table in (("actions", self.actions), ("marks", self.marks)):
            for category in table:
                if category not in categories and not self.detectors:  # those name their own
                    raise SettingsError(
                        f"moderation.{field}: no category {category!r}; there are {', '.join(sorted(categories))}"
                    )
        for category, action in self.actions.items():
            if action not in get_args(Action):
                raise SettingsError(
                    f"moderation.actions.{category}: {action!r} is none of {', '.join(get_args(Action))}"
                )
        if self.region and not re.fullmatch("[A-Z]{2}", self.region):
            raise SettingsError('moderation.region: two capitals (ISO 3166), such as "GB", or empty')
        if self.max_hold_chars < 1:
            raise SettingsError("moderation.max_hold_chars: at least 1")
        if not self.max_hold_seconds > 0:
            raise SettingsError("moderation.max_hold_seconds: more than 0")

    def action(self, category: str) -> Action:
        return self.actions.get(category, "redact")

    def mark_of(self, category: str) -> str:
        return self.marks.get(category, self.mark)
