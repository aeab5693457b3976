"""connectors.job.requests: what a caller asks for."""

from __future__ import annotations

import ast
from pathlib import Path

import msgspec
import pytest

from connectors.errors import InputError
from connectors.job.requests import Admission, SessionRequest, parse_request, read_sessions


def test_a_request_becomes_the_opening_of_a_turn() -> None:
    request = parse_request(b'{"session_id": "s-1", "prompt": "p", "model": "gpt-4", "language": "pt-BR"}')
    assert request.opening() == {"prompt": "p", "model": "gpt-4", "language": "pt-BR"}


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("{", "not JSON"),
        ("[]", "object"),
        ('{"prompt": "p"}', "session_id"),
        ('{"session_id": ""}', "session_id"),
        ('{"session_id": "a b"}', "session_id"),
        ('{"session_id": "a\\nb"}', "session_id"),
        ('{"session_id": "a\\n"}', "session_id"),
        ('{"session_id": "s", "tenant": "t\\n"}', "tenant"),
        ('{"session_id": "s", "desktop": "d\\n"}', "desktop"),
        ('{"session_id": "s", "language": "en\\n"}', "language"),
        ('{"session_id": "' + "a" * 129 + '"}', "session_id"),
        ('{"session_id": "s", "desktop": "ws://evil/"}', "desktop"),
        ('{"session_id": "s", "language": "../"}', "language"),
        ('{"session_id": "s", "modle": "x"}', "modle"),
        ('{"session_id": "s", "prompt": 7}', "prompt"),
    ],
)
def test_a_bad_request_is_refused_by_the_name_of_its_field(line: str, names: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_request(line.encode())
    assert names in str(caught.value)


def test_what_a_vendor_cannot_pass_on_is_refused() -> None:
    body = {"session_id": "s", "prompt": "b", "system": "k", "history": [{"role": "user", "content": "a"}]}
    request = parse_request(msgspec.json.encode(body | {"options": {"seed": 1}}))
    assert request.repeats(msgspec.json.decode(msgspec.json.encode(request.opening()))), "as a log has it"
    Admission(takes=frozenset({"system", "history", "seed"})).check(request)
    for takes, named in (
        ({"system", "seed"}, "^history: "),
        ({"history", "seed"}, "^system: "),
        ({"system", "history", "stop"}, "^options: .*it takes stop"),
    ):
        with pytest.raises(InputError, match=named):
            Admission(takes=frozenset(takes)).check(request)
    for wrong in ([{"role": "robot", "content": "b"}], [{"role": "user"}], "b", [{"role": "user", "content": 7}]):
        with pytest.raises(InputError, match=r"^history") as caught:
            parse_request(msgspec.json.encode(body | {"history": wrong}))
        assert "robot" not in str(caught.value)


@pytest.mark.parametrize("field", ["session_id", "model", "tenant", "language", "desktop", "dialog_id", "window"])
def test_no_field_may_end_in_a_line_break(field: str) -> None:
    good = {"session_id": "s", "window": "none"} | ({} if field in ("session_id", "window") else {field: "en"})
    parse_request(msgspec.json.encode(good))
    for end in ("\n", "\r", "\r\n", "\u2028", "\x85"):
        with pytest.raises(InputError, match=f"^{field}"):
            parse_request(msgspec.json.encode(good | {field: good[field] + end}))


def test_no_pattern_that_says_what_a_value_may_be_ends_in_a_dollar() -> None:
    """`$` also matches before a line break at the end; `\\Z` does not."""
    root = Path(__file__).parents[1]
    for path in [path for folder in ("connectors", "flows", "analytics") for path in (root / folder).rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " not in node.value:
                assert not (node.value[:1] == "^" and node.value[2:].endswith("$")), f"{path}:{node.lineno}"
            if isinstance(node, ast.keyword) and node.arg == "pattern":
                assert not ast.unparse(node.value).rstrip("'\")").endswith("$"), f"{path}:{node.value.lineno}"


def test_an_error_never_quotes_what_was_given() -> None:
    for field in ("session_id", "window", "history", "options", "language"):
        with pytest.raises(InputError, match=rf"^{field}: ") as caught:
            parse_request(msgspec.json.encode({"session_id": "s", field: "my card\nis 4111111111111111'"}))
        assert "4111" not in str(caught.value)


def test_a_broken_line_is_named_and_the_good_ones_stay(tmp_path: Path) -> None:
    path = tmp_path / "sessions.jsonl"
    path.write_text('{"session_id": "a"}\n\n{"session_id": }\n{"session_id": "b"}\n')
    a, broken, b = read_sessions(path)
    assert (a, b) == (SessionRequest(session_id="a"), SessionRequest(session_id="b"))
    assert isinstance(broken, InputError)
    assert "line 3" in str(broken)


def test_a_line_that_the_job_cannot_do_is_named_by_its_number(tmp_path: Path) -> None:
    path = tmp_path / "sessions.jsonl"
    lines = (
        '{"session_id": "a"}',
        '{"session_id": "b", "prompt": "p"}',
        '{"session_id": "c", "prompt": "p", "tenant": "x"}',
    )
    path.write_text("\n".join(lines))
    no_prompt, good, no_tenant = read_sessions(path, Admission(needs=("prompt",), tenants=frozenset({"acme"})))
    assert str(no_prompt) == f"{path}: line 1: prompt: missing"
    assert good == SessionRequest(session_id="b", prompt="p")
    assert "line 3: tenant: no tenant of that name" in str(no_tenant)


def test_any_tenant_is_admitted_where_the_settings_have_none() -> None:
    Admission().check(SessionRequest(session_id="a", tenant="acme"))
    Admission(tenants=frozenset({"acme"})).check(SessionRequest(session_id="a"))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        list(read_sessions(tmp_path / "none.jsonl"))
