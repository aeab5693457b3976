"""What a policy comes to: its detectors, built once and shared by every session under it."""

from __future__ import annotations

import copy
import importlib
import re
from collections.abc import Callable

from connectors.fields import FieldError
from flows.moderation.detectors.base import CONTEXT, DIGITS, Detector
from flows.moderation.detectors.blocklist import BlocklistDetector
from flows.moderation.detectors.card import CardDetector
from flows.moderation.detectors.credentials import CredentialsDetector
from flows.moderation.detectors.email import EmailDetector
from flows.moderation.detectors.encoded import EncodedDetector
from flows.moderation.detectors.iban import IbanDetector
from flows.moderation.detectors.ip import IpDetector
from flows.moderation.detectors.national import NATIONAL_IDS, trigger_of
from flows.moderation.detectors.pattern import PatternDetector, users_detector
from flows.moderation.detectors.phone import PhoneDetector
from flows.moderation.detectors.secrets import SecretsDetector
from flows.moderation.detectors.spoken import DictatedDigitsDetector, SpokenEmailDetector, SpokenNumberDetector
from flows.moderation.detectors.ssn import SsnDetector
from flows.moderation.formatting import Formatter
from flows.moderation.policy import PII_TYPES, Policy
from flows.moderation.tables.alphabets import letters_of
from flows.moderation.tables.plain import all_that_read_as
from flows.moderation.tables.separators import BLANKS, INVISIBLE, LINE_BREAKS

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

_SIGNS = rf"*_~`\\{INVISIBLE}{BLANKS[1:]}"
SIGN = {False: re.compile(f"[{_SIGNS}]"), True: re.compile(rf"[{_SIGNS}\t\x1c-\x1f{LINE_BREAKS}]")}
"""What may not be seen as it is (`rendering.py`), beside two blanks, by whether line breaks are shown as blanks."""
_OTHER = rf"[^{all_that_read_as('@:.')}{DIGITS}]"
_DIGIT = rf"[{all_that_read_as('.')}{DIGITS}]"
_LEAST = 6  # digits and dots


def _few(count: int) -> str:
    """In such a text no detector of ours finds anything: each needs more digits and dots, or one of `@` and `:`. What
    they hold of it depends on it, and on what is near it, but on no telling word."""
    return rf"{_OTHER}*(?:{_DIGIT}{_OTHER}*){{0,{count}}}\Z"


def _over(count: int) -> str:
    """Of such a text, moreover, they hold nothing but the open word: no letter has begun what has digits in it, and one
    has ended what its last digit began."""
    alone = rf"(?<![{all_that_read_as('A-Za-z')}]){_DIGIT}"
    return rf"(?:{_OTHER}*{alone}){{1,{count}}}(?:(?![A-Za-z]){_OTHER})*[A-Za-z]{_OTHER}*\Z"


_NEVER = re.compile(r"\A(?!)")


class Plan:
    """The detectors of one policy: those that a trigger calls, with that trigger, and those that see all text.

    Of the triggered, the first `own` are ours, and see every character as what it reads as.
    """

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.limit = policy.max_hold_chars
        detectors = _detectors(policy)
        self.own = sum(d.trigger is not None for d in detectors[: len(detectors) - len(policy.detectors)])
        self.triggered: tuple[Detector, ...] = tuple(d for d in detectors if d.trigger is not None)
        self.steady: tuple[Detector, ...] = tuple(d for d in detectors if d.trigger is None)
        self.looks = bool(detectors)
        self.context = max((getattr(d, "context", CONTEXT) for d in detectors), default=0)
        self.near = max((getattr(d, "context", CONTEXT) for d in self.steady), default=0)
        self.strips = policy.markdown == "strip"
        self.joins_lines = policy.whitespace == "normalise"
        triggers = sorted({all_that_read_as(d.trigger) for d in self.triggered if d.trigger is not None})
        few = min((getattr(d, "least", _LEAST) for d in self.triggered), default=1) - 1
        goes_by_digits = self._goes_by_digits() and few > 0
        self.is_few = re.compile(_few(few)).match if goes_by_digits else _NEVER.match
        self.is_over = re.compile(_over(few)).match if goes_by_digits else _NEVER.match
        called = f"[{''.join(triggers)}]" if triggers else _NEVER.pattern
        self.find_trigger = re.compile(called).search
        self._sign = SIGN[self.joins_lines].search
        self._in_alphabet: dict[str, Plan] = {}

    def calls(self, text: str, start: int) -> bool:
        """Whether there is anything from `start` on that calls a detector, or may not be seen as it is."""
        start = start if start > 0 else 0
        if not self.looks:
            return False
        return self.find_trigger(text, start) is not None or self.find_sign(text, start) >= 0

    def find_sign(self, text: str, start: int) -> int:
        """Where from `start` on the first is that may not be seen as it is; -1 if there is none."""
        blanks = text.find("  ", start)
        sign = self._sign(text, start)
        return blanks if sign is None or -1 < blanks < sign.start() else sign.start()

    def _goes_by_digits(self) -> bool:
        """Whether all that is triggered is of ours, and keeps to what `_few` says."""
        return self.own == len(self.triggered) and {d.trigger for d in self.triggered} <= {"@", DIGITS, DIGITS + ":"}

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
        return Formatter(self.strips, self.joins_lines) if self.strips or self.joins_lines else None


def _detectors(policy: Policy) -> list[Detector]:
    made: list[Detector] = []
    for name in policy.pii:
        if name in _BUILT_IN:
            made.append(_BUILT_IN[name](policy))
        else:
            shape, check = NATIONAL_IDS[name]
            made.append(PatternDetector(name, shape, 32, f"pii {name}", check, trigger_of(shape)))
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
        raise FieldError(field, f"{what}; install its package, or have its folder in PYTHONPATH") from None
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
