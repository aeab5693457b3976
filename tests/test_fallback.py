"""flows.steps.fallback: what an agent reads when the model's answer failed."""

from __future__ import annotations

import pytest

from flows.steps.fallback import FallbackSettings, Texts


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
    assert FallbackSettings().text("cognigy", reason, "en") == text


def test_cxone_has_none_unless_the_settings_say_so() -> None:
    assert FallbackSettings().text("cxone", "timeout", "en") == ""
    assert FallbackSettings(vendors=("cxone",)).text("cxone", "timeout", "en") != ""


def test_the_texts_may_be_set_per_language() -> None:
    settings = FallbackSettings(texts={"de": Texts(timeout="Moment."), "default": Texts(timeout="Wait.")})
    assert settings.text("cognigy", "timeout", "de-AT") == "Moment."
    assert settings.text("cognigy", "timeout", "fr") == "Wait."
    assert settings.text("cognigy", "timeout", None) == "Wait."
