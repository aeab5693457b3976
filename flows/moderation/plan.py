"""What a policy comes to: its detectors, built once and shared by every session under it."""

from __future__ import annotations

import copy
import importlib
import re
from collections.abc import Callable

from connectors.fields import FieldError
from flows.moderation.detectors.base import DIGITS, Detector
from flows.moderation.detectors.blocklist import BlocklistDetector
from flows.moderation.detectors.card import CardDetector
from flows.moderation.detectors.credentials import CredentialsDetector
from flows.moderation.detectors.email import EmailDetector
from flows.moderation.detectors.encoded import EncodedDetector
from flows.moderation.detectors.iban import IbanDetector
from flows.moderation.detectors.ip import IpDetector
from flows.moderation.detectors.national import FIRST_LETTERS, NATIONAL_IDS
from flows.moderation.detectors.pattern import PatternDetector, users_detector
from flows.moderation.detectors.phone import PhoneDetector
from flows.moderation.detectors.secrets import SecretsDetector
from flows.moderation.detectors.spoken import DictatedDigitsDetector, SpokenEmailDetector, SpokenNumberDetector
from flows.moderation.detectors.ssn import SsnDetector
from flows.moderation.formatting import Formatter
from flows.moderation.policy import PII_TYPES, Policy
from flows.moderation.tables.alphabets import letters_of

_BUILT_IN: dict[str, Callable[[Policy], Detector]] = {
    "EMAIL_ADDRESS": lambda policy: EmailDetector(),
    "PHONE_NUMBER": lambda policy: PhoneDetector(policy.region),
    "CREDIT_CARD": lambda policy: CardDetector(),
    "US_SSN": lambda policy: SsnDetector(),
    "IBAN_CODE": lambda policy: IbanDetector(),
    "IP_ADDRESS": lambda policy: IpDetector(),
    "SECRET": lambda policy: SecretsDetector(),
    "URL_CREDENTIALS": lambda policy: CredentialsDetector(),
    "ENCODED_VALUE": lambda policy: EncodedDetector([_BUILT_IN[name](policy) for name in PII_TYPES]),
    "SPOKEN_NUMBER": lambda policy: SpokenNumberDetector(),
    "SPOKEN_EMAIL": lambda policy: SpokenEmailDetector(),
    "DICTATED_DIGITS": lambda policy: DictatedDigitsDetector(),
}


class Plan:
    """The detectors of one policy: those that a trigger calls, with that trigger, and those that see all text.

    Of the triggered, the first `own` are ours, and read every script's digits as 0 to 9.
    """

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.limit = policy.max_hold_chars
        detectors = _detectors(policy)
        self.own = sum(d.trigger is not None for d in detectors[: len(detectors) - len(policy.detectors)])
        self.triggered: tuple[Detector, ...] = tuple(d for d in detectors if d.trigger is not None)
        self.steady: tuple[Detector, ...] = tuple(d for d in detectors if d.trigger is None)
        triggers = sorted({d.trigger for d in detectors if d.trigger is not None})
        self._in_alphabet: dict[str, Plan] = {}
        self.find_trigger = re.compile(f"[{''.join(triggers)}]" if triggers else r"\A(?!)").search

    def in_alphabet(self, letters: str) -> Plan:
        """The plan for text in whose language these letters are no others with a mark."""
        if not letters or not self.policy.blocklist:
            return self
        plan = self._in_alphabet.get(letters)
        if plan is None:
            plan = self._in_alphabet[letters] = copy.copy(self)
            plan.steady = tuple(d.in_alphabet(letters) if isinstance(d, BlocklistDetector) else d for d in self.steady)
        return plan

    def formatter(self) -> Formatter | None:
        """A formatter for a new turn, if the policy formats at all."""
        strip, normalise = self.policy.markdown == "strip", self.policy.whitespace == "normalise"
        return Formatter(strip, normalise) if strip or normalise else None


def _detectors(policy: Policy) -> list[Detector]:
    made: list[Detector] = []
    for name in policy.pii:
        if name in _BUILT_IN:
            made.append(_BUILT_IN[name](policy))
        else:
            shape, check = NATIONAL_IDS[name]
            # without a digit of its own it may be all letters
            trigger = DIGITS + FIRST_LETTERS.get(name, "") if r"\d" in shape else None
            made.append(PatternDetector(name, shape, 32, f"pii {name}", check, trigger))
    if policy.blocklist:
        made.append(BlocklistDetector(policy.blocklist, policy.allow))
    for i, p in enumerate(policy.patterns):
        made.append(users_detector(p.name, p.regex, p.max_length, f"patterns[{i}].regex"))
    for i, path in enumerate(policy.detectors):
        made.append(_users_own(path, f"detectors[{i}]"))
    seen: set[str] = set()
    for detector in made:
        if detector.category in seen:
            what = f"and detectors should not share the category {detector.category!r}; rename one"
            raise FieldError("patterns", what, "detectors", "pii")
        seen.add(detector.category)
    return made


def _users_own(path: str, field: str) -> Detector:
    """The detector that `package.module:name` names: an instance, or a class that is called without arguments."""
    module, _, name = path.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        what = f"should be package.module:name, of what can be imported ({type(error).__name__})"
        raise FieldError(field, what) from None
    detector = found() if isinstance(found, type) else found
    for attribute in ("category", "bound", "trigger", "scan"):
        if not hasattr(detector, attribute):
            raise FieldError(field, f"should have {attribute}; see flows.moderation.detectors.base.Detector")
    own: Detector = detector
    return own


def plan_of(policy: Policy, language: str = "") -> Plan:
    """The plan of this policy for text in that language; compiled on the first call, then kept with the policy."""
    plan: Plan | None = policy.__dict__.get("plan")
    if plan is None:
        plan = policy.__dict__["plan"] = Plan(policy)
    return plan.in_alphabet(letters_of(language))
