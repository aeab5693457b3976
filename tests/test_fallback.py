"""flows.steps.fallback: what an agent reads when the model's answer failed."""

from __future__ import annotations

import pytest

from connectors.fallback import BUILT_IN, Texts
from connectors.vendors.registry import named
from flows.steps.fallback import FallbackSettings


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        ("timeout", "I am experiencing high latency. Please try again in a moment."),
        ("rate_limited", "Service is temporarily overloaded. Please retry shortly."),
        ("interrupted", "An unexpected error occurred. Please contact support."),
        ("refused", "An unexpected error occurred. Please contact support."),
        ("failed", "An unexpected error occurred. Please contact support."),
        ("finished", ""),
        ("cancelled", ""),
    ],
)
def test_the_kind_of_the_failure_chooses_the_contracts_text(reason: str, text: str) -> None:
    assert FallbackSettings().text(reason, "en") == text


def test_cxone_has_none_unless_the_settings_say_so() -> None:
    cxone, cognigy = named("cxone"), named("cognigy")
    assert [FallbackSettings().serves(vendor) for vendor in (cxone, cognigy)] == [False, True]
    assert [FallbackSettings(vendors=("cxone",)).serves(vendor) for vendor in (cxone, cognigy)] == [True, False]


def test_the_texts_may_be_set_per_language() -> None:
    settings = FallbackSettings(texts={"de": Texts(timeout="Moment."), "default": Texts(timeout="Wait.")})
    assert settings.text("timeout", "de-AT") == "Moment."
    assert settings.text("timeout", "fr") == "Wait."
    assert settings.text("timeout", None) == "Wait."


@pytest.mark.parametrize(
    ("language", "frontend", "text"),
    [
        ("de", "Too slow.", "Moment."),
        ("de-AT", BUILT_IN.timeout, "Moment."),
        ("fr", "Too slow.", "Too slow."),
        ("fr", BUILT_IN.timeout, "Wait."),
        ("pt", BUILT_IN.timeout, "Wait."),  # named, and silent of this
        (None, "Too slow.", "Too slow."),
    ],
)
def test_a_caller_reads_the_text_of_its_language_then_the_front_ends(
    language: str | None, frontend: str, text: str
) -> None:
    texts = {"de": Texts(timeout="Moment."), "pt": Texts(other="Erro."), "default": Texts(timeout="Wait.")}
    assert FallbackSettings(texts=texts).to_callers("timeout", language, frontend) == text
    assert FallbackSettings().to_callers("timeout", language, frontend) == frontend
