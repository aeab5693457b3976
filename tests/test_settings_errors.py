"""Errors in settings: each names the setting, says where it came from, and does not show the value."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

import msgspec
import pytest

from connectors.delivery.connection import DesktopSettings
from connectors.errors import SettingsError
from flows.engine.checks import check_settings
from flows.sections import Keys, dotted
from flows.settings import load, parse, with_vendors
from flows.steps.windows import WindowSettings

VALUE = "hush-7731"
"""What must be in no error."""

PATTERN = {"name": "P", "regex": "ab"}
BASE: dict[str, Any] = {
    "desktops": {"west": {"url": "ws://127.0.0.1:1"}},
    "detectors": {"birds": {"url": "http://127.0.0.1:1"}},
    "fallback": {"texts": {"de": {}}},
    "moderation": {"patterns": [PATTERN]},
    "prices": {"gpt-4": [{"prompt": 1, "completion": 2}]},
    "tenants": {"acme": {"moderation": {"patterns": [PATTERN]}}},
}
"""A table of every kind that has a name or a place in a list; the sections themselves come besides."""


def tables(kind: Any, value: Any, keys: Keys = ()) -> Iterator[tuple[Keys, type[msgspec.Struct]]]:
    """Every table of settings in a tree: where it stands, and what it is."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        yield keys, kind
        for field in msgspec.structs.fields(kind):
            yield from tables(field.type, value.get(field.name, {}), (*keys, field.name))
    elif get_origin(kind) is dict and isinstance(value, dict):
        for name, each in value.items():
            yield from tables(get_args(kind)[1], each, (*keys, name))
    elif get_origin(kind) is tuple and isinstance(value, list):
        for at, each in enumerate(value):
            yield from tables(get_args(kind)[0], each, (*keys, at))


TABLES = list(tables(with_vendors(), BASE))
FIELDS = [((*keys, field.name), field.type) for keys, kind in TABLES for field in msgspec.structs.fields(kind)]


def has(kind: Any, *numbers: type) -> bool:
    inner = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    return any(each in numbers for each in inner)


def of_another_type(kind: Any) -> Any:
    kinds = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    return VALUE if get_origin(kinds[0]) in (dict, tuple) or kind in [each for _, each in TABLES] else [VALUE]


WRONG = {
    **{(*keys, "hush_key"): VALUE for keys, _ in TABLES},
    **{keys: of_another_type(kind) for keys, kind in FIELDS},
}
ENDLESS = [keys for keys, kind in FIELDS if has(kind, float, Decimal)]
NUMBERS = [keys for keys, kind in FIELDS if has(kind, int, float, Decimal)]
OUT_OF_RANGE: list[tuple[Keys, Any, Keys]] = [
    (("fallback", "vendors"), ["cxone", VALUE], ("fallback", "vendors", 1)),
    (("moderation", "pii"), ["US_SSN", VALUE], ("moderation", "pii", 1)),
    (("moderation", "blocklist"), [VALUE, "-"], ("moderation", "blocklist", 1)),
    (("moderation", "actions"), {"BLOCKED": VALUE}, ("moderation", "actions", "BLOCKED")),
    (("moderation", "patterns"), [{"name": "P", "regex": f"({VALUE}"}], ("moderation", "patterns", 0, "regex")),
    (("moderation", "patterns"), [{"name": "P", "regex": f"({VALUE})?"}], ("moderation", "patterns", 0, "regex")),
    (("tenants", "acme", "moderation", "region"), VALUE, ("tenants", "acme", "moderation", "region")),
    (("window", "flush_overrides"), [f"{VALUE}["], ("window", "flush_overrides", 0)),
    (("window", "min_chars"), 2_001, ("window", "min_chars")),
    (("cxone", "base_url"), VALUE, ("cxone", "base_url")),
    (("cognigy", "environment"), f"{VALUE}/", ("cognigy", "environment")),
    (("cognigy", "template"), {"a": {"b": ["{hush}", "{prompt}"]}}, ("cognigy", "template")),
    (("desktops", "west", "url"), VALUE, ("desktops", "west", "url")),
    (("detectors", "birds", "url"), VALUE, ("detectors", "birds", "url")),
    (("detectors", "birds", "url"), f"https://u:{VALUE}@host/", ("detectors", "birds", "url")),
    (("detectors", "birds", "url"), f"https://host:99999/{VALUE}", ("detectors", "birds", "url")),
    (("detectors", "birds", "url"), f"https://host/{VALUE} {VALUE}", ("detectors", "birds", "url")),
    (("detectors", "birds", "kind"), VALUE, ("detectors", "birds", "kind")),
    (("detectors", "birds", "authorization"), f"{VALUE}\n", ("detectors", "birds", "authorization")),
    (("prices", "gpt-4"), [{"prompt": 1, "completion": 2, "currency": VALUE}], ("prices", "gpt-4", 0, "currency")),
    (("prices", "gpt-4"), [BASE["prices"]["gpt-4"][0]] * 2, ("prices", "gpt-4", 1, "since")),
    (("job", "lane"), f"../{VALUE}", ("job", "lane")),
    (("metrics", "memory_limit"), VALUE, ("metrics", "memory_limit")),
    (("frontend", "hosts"), ["*", f"https://{VALUE}"], ("frontend", "hosts", 1)),
    (("frontend", "allowed_origins"), [VALUE], ("frontend", "allowed_origins", 0)),
    (("frontend", "url_key"), VALUE, ("frontend", "url_key")),
    (("frontend", "host"), "0.0.0.0", ("frontend", "token")),
]


def with_value(tree: Any, keys: Keys, value: Any) -> Any:
    """The tree with a value in it."""
    if not keys:
        return value
    if isinstance(keys[0], int):
        return [with_value(each, keys[1:], value) if at == keys[0] else each for at, each in enumerate(tree)]
    return {**tree, keys[0]: with_value(tree.get(keys[0], {}), keys[1:], value)}


def at(tree: Any, keys: Keys) -> Any:
    for key in keys:
        tree = tree[key]
    return tree


def toml(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{{', '.join(f'{dotted([key])} = {toml(each)}' for key, each in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    return msgspec.json.encode(value).decode() if not isinstance(value, float) else str(value)


def variable(tree: Any, keys: Keys) -> tuple[str, str]:
    """The variable that sets this key, or the list that it is in, and its value."""
    places = [place for place, key in enumerate(keys) if isinstance(key, int)]
    way = keys[: places[0]] if places else keys
    value = at(tree, way)
    name = "__".join(["TOKENWEIR", *map(str, way)]).upper()
    return name, value if isinstance(value, str) else toml(value)


def refused(source: str, keys: Keys, value: Any, folder: Path) -> tuple[str, str]:
    """What is said of a value from a file or from a variable, and what the source is called."""
    tree = with_value(BASE, keys, value)
    path = folder / "t.toml"
    name = str(path)
    environment = {}
    if source == "environment":
        name, said = variable(tree, keys)
        environment[name] = said
        tree = BASE
    path.write_text("\n".join(f"{dotted([key])} = {toml(each)}" for key, each in tree.items()))
    with pytest.raises(SettingsError) as error:
        load(path, environment)
    return str(error.value), name


def check(said: str, keys: Keys, source: str) -> None:
    assert said.startswith(f"{dotted(keys)} ")
    assert said.endswith(f"(from {source})")
    assert VALUE not in said
    assert "{hush}" not in said
    assert "\n" not in said


@pytest.fixture(params=["file", "environment"])
def source(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("keys", WRONG, ids=dotted)
def test_an_unknown_key_and_a_wrong_type_are_named(keys: Keys, source: str, tmp_path: Path) -> None:
    said, name = refused(source, keys, WRONG[keys], tmp_path)
    check(said, keys, name)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("keys", ENDLESS, ids=dotted)
def test_what_is_no_finite_number_is_named(keys: Keys, value: float, source: str, tmp_path: Path) -> None:
    said, name = refused(source, keys, value, tmp_path)
    check(said, keys, name)
    assert "finite" in said


@pytest.mark.parametrize("keys", NUMBERS, ids=dotted)
def test_no_number_may_be_far_below_zero(keys: Keys, source: str, tmp_path: Path) -> None:
    said, name = refused(source, keys, -(10**9), tmp_path)
    check(said, keys, name)
    assert "should be " in said


@pytest.mark.parametrize(("keys", "value", "named"), OUT_OF_RANGE)
def test_a_value_out_of_range_is_named(keys: Keys, value: Any, named: Keys, source: str, tmp_path: Path) -> None:
    said, name = refused(source, keys, value, tmp_path)
    check(said, named, name)


def test_a_number_that_is_none_deep_inside_is_named() -> None:
    with pytest.raises(SettingsError, match=r"^cognigy\.template\.a\[1\] should be a finite number"):
        parse({"cognigy": {"template": {"a": [1, float("nan")]}}})


def test_a_misspelt_key_is_told_the_right_one() -> None:
    with pytest.raises(SettingsError, match=r"^window\.timeuot is no setting; did you mean timeout\?"):
        parse({"window": {"timeuot": 2}})
    with pytest.raises(SettingsError, match=r"^slo\.zzz is no setting; there are first_token, first_sentence, on_desk"):
        parse({"slo": {"zzz": 2}})


def test_what_is_missing_is_told_with_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "t.toml"
    path.write_text('desktops.default.confirm = "pong"\n')
    with pytest.raises(SettingsError) as error:
        load(path, {"AGENT_FORMAT": "text"})
    assert str(error.value) == f"desktops.default.url is missing; set it (from {path} and AGENT_FORMAT)"


def test_two_settings_that_do_not_go_together_are_told_with_both_sources(tmp_path: Path) -> None:
    path = tmp_path / "t.toml"
    path.write_text('[desktops.default]\nurl = "ws://127.0.0.1:1"\nconfirm = "ack"\n')
    with pytest.raises(SettingsError) as error:
        load(path, {"AGENT_FORMAT": "text"})
    assert str(error.value).startswith("desktops.default.confirm should be")
    assert str(error.value).endswith(f"(from {path} and AGENT_FORMAT)")


def test_what_a_tenant_has_of_everybodys_policy_is_told_with_where_that_is_from() -> None:
    marks = {"TOKENWEIR__MODERATION__MARKS": '{P = "?"}', "TOKENWEIR__MODERATION__PATTERNS": toml([PATTERN])}
    with pytest.raises(SettingsError) as error:
        load(None, {**marks, "TOKENWEIR__TENANTS__ACME__MODERATION__PATTERNS": "[]"})
    assert str(error.value).startswith("tenants.acme.moderation.marks.P is for no category; there are ")
    assert "TOKENWEIR__MODERATION__MARKS" in str(error.value)
    assert "TOKENWEIR__TENANTS__ACME__MODERATION__PATTERNS" in str(error.value)


@pytest.mark.parametrize("order", [1, -1])
def test_a_variable_for_a_key_of_what_is_no_table_is_told_with_both(order: int, tmp_path: Path) -> None:
    variables = [("TOKENWEIR__WINDOW", VALUE), ("TOKENWEIR__WINDOW__TIMEOUT", "2")]
    with pytest.raises(SettingsError) as error:
        load(None, dict(variables[::order]))
    said = "window should be a table: TOKENWEIR__WINDOW__TIMEOUT sets window.timeout (from TOKENWEIR__WINDOW)"
    assert str(error.value) == said
    path = tmp_path / "t.toml"
    path.write_text("window = 3\n")
    with pytest.raises(SettingsError, match=rf"^window should be a table: .*\(from {path}\)$"):
        load(path, {"TOKENWEIR__WINDOW__TIMEOUT": "2"})


def test_what_is_inside_a_name_that_is_no_plain_word_is_from_where_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "t.toml"
    path.write_text('[prices]\nother = [{prompt = 1, completion = 2}]\n"a.b[0]" = []\n')
    entry = "{prompt = 1, completion = 2}"
    with pytest.raises(
        SettingsError, match=r'^prices\."a\.b\[0\]"\[1\]\.since .*\(from TOKENWEIR__PRICES__A.B\[0\]\)$'
    ):
        load(path, {"TOKENWEIR__PRICES__A.B[0]": f"[{entry}, {entry}]"})


def test_a_name_that_is_no_plain_word_is_quoted() -> None:
    with pytest.raises(SettingsError, match=r'^prices\."gpt-4\.1 \\n"\[0\]\.prompt should be a number'):
        parse({"prices": {"gpt-4.1 \n": [{"prompt": "x", "completion": 1}]}})


def test_a_policy_that_cannot_be_compiled_is_told_with_its_section() -> None:
    settings = parse({"tenants": {"acme": {"moderation": {"detectors": ["no.such:thing"]}}}})
    with pytest.raises(SettingsError, match=r"^tenants\.acme\.moderation\.detectors\[0\] should be package"):
        check_settings(settings)


def test_a_struct_made_in_python_says_its_own_field() -> None:
    with pytest.raises(SettingsError, match=r"^max_chars should be between 1 and 65536$"):
        WindowSettings(max_chars=0)
    with pytest.raises(SettingsError, match=r"^confirm_timeout should be more than 0 seconds$"):
        DesktopSettings(url="ws://127.0.0.1:1", confirm_timeout=float("nan"))


def test_structs_are_taken_as_they_are() -> None:
    window = WindowSettings(timeout=1)
    assert parse({"window": window, "job": {"data_dir": Path("x")}}).window is window
