"""connectors.vendors.codes: a vendor's code for why it refused, and nothing that a customer may have written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.vendors.codes import MAX_BODY, reason_of
from tests.conftest import OtherSide, corpus_of
from tests.test_cli import complaint, environment, invoke


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"error": "invalid_request", "message": "the prompt 'My name is Jo' is bad"}, " (invalid_request)"),
        (
            {"error": {"code": "context_length_exceeded", "type": "invalid_request_error", "message": "Jo"}},
            " (context_length_exceeded, invalid_request_error)",
        ),
        ({"code": 40012, "message": "Jo"}, " (40012)"),
        ({"type": "RATE", "error_code": "E-17"}, " (RATE, E-17)"),
        ({"error": "Jo"}, ""),
        ({"error": "jo"}, ""),
        ({"code": "My name is Jo"}, ""),
        ({"code": "x" * 65}, ""),
        ({"code": True, "type": None, "error": 5}, ""),
        ({"message": "Jo"}, ""),
        (["invalid_request"], ""),
        ("invalid_request", ""),
    ],
)
def test_only_a_machines_own_word_is_told(said: Any, told: str) -> None:
    assert reason_of(json.dumps(said).encode()) == told


@pytest.mark.parametrize("body", [b"", b"<html>no</html>", b"{", b"\xff", b"[" * 5_000])
def test_what_is_no_json_tells_nothing(body: bytes) -> None:
    assert reason_of(body) == ""


@given(st.binary(max_size=200) | st.text().map(lambda text: json.dumps({"code": text, "type": [text]}).encode()))
def test_whatever_is_said_is_told_short_and_in_one_line(body: bytes) -> None:
    told = reason_of(body)
    assert len(told) < 300
    assert told.isprintable()
    assert told == "" or not set(told[2:-1]) & set(" \t'\"<>{}") - {" "}


@pytest.mark.parametrize(
    ("prompt", "code"), [("stream my-secret", "unknown_stream"), ("stream 0 with secret=1", "unknown_faults")]
)
def test_an_operator_sees_the_vendors_code(
    prompt: str, code: str, other_side: Callable[..., OtherSide], tmp_path: Path
) -> None:
    side = other_side(corpus_of(["a "]))
    result = invoke(environment(side, tmp_path), "run", "cxone", "--prompt", prompt)
    assert result.exit_code == 5
    assert f"status 400 ({code})" in complaint(result)
    assert "secret" not in result.output


def test_a_huge_refusal_is_a_refusal_all_the_same() -> None:
    assert reason_of(json.dumps({"code": "E-1", "message": "x" * MAX_BODY}).encode()[:MAX_BODY]) == ""
