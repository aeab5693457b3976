"""flows.settings: a TOML file, then the environment."""

from __future__ import annotations

from pathlib import Path

import duckdb
import msgspec
import pytest

from connectors.errors import SettingsError
from connectors.vendors.registry import named
from flows.settings import Settings, load, parse
from tokenweir.manual import settings_page


def toml(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "t.toml"
    path.write_text(text)
    return path


def test_everything_has_a_default() -> None:
    settings = load(None, {})
    assert settings.of(named("cxone"))["cxone"].base_url == "https://api.mynicecx.com"
    assert settings.window.timeout == 5.0


def test_the_vendors_names_are_read_from_the_environment() -> None:
    settings = load(
        None,
        {
            "CXONE_BASE_URL": "http://127.0.0.1:1",
            "CXONE_CLIENT_ID": "id",
            "CXONE_CLIENT_SECRET": "a&b+c",
            "AGENT_WS_URL": "ws://127.0.0.1:2/",
            "AGENT_FORMAT": "text",
            "TOKENWEIR_DATA_DIR": "/tmp/x",
            "BLOCKLIST": "one, two ,,three",
            "FRONTEND_PORT": "0",
        },
    )
    assert settings.of(named("cxone"))["cxone"].client_secret.reveal() == "a&b+c"
    assert settings.desktops["default"].format == "text"
    assert settings.job.data_dir == Path("/tmp/x")
    assert settings.moderation.blocklist == ("one", "two", "three")
    assert settings.frontend.port == 0


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    path = toml(tmp_path, '[window]\ntimeout = 2\nmax_chars = 100\n[desktops.west]\nurl = "ws://h:1"\n')
    settings = load(path, {"TOKENWEIR__WINDOW__TIMEOUT": "3.5", "TOKENWEIR__MODERATION__PII": '["US_SSN"]'})
    assert (settings.window.timeout, settings.window.max_chars) == (3.5, 100)
    assert settings.moderation.pii == ("US_SSN",)
    assert list(settings.desktops) == ["west"]


def test_the_file_may_be_named_by_the_environment(tmp_path: Path) -> None:
    path = toml(tmp_path, "[window]\ntimeout = 2\n")
    assert load(None, {"TOKENWEIR_SETTINGS": str(path)}).window.timeout == 2


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("[window]\ntimeuot = 2\n", "timeuot"),
        ('[window]\ntimeout = "soon"\n', "window.timeout"),
        ("[window]\ntimeout = -1\n", "window.timeout should"),
        ("[windows]\n", "windows"),
        ("[job]\nlane = '../x'\n", "lane"),
        ("[desktops.default]\nurl = 'http://h'\n", "ws://"),
        ("[frontend]\nhost = '0.0.0.0'\n", "token"),
        ("[cxone]\nmax_restarts = -1\n", "max_restarts"),
        ("[window\n", "line 1"),
    ],
)
def test_an_error_names_the_setting(tmp_path: Path, text: str, names: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(toml(tmp_path, text), {})
    assert names in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_error_of_the_environment_names_the_variable_and_not_its_value() -> None:
    with pytest.raises(SettingsError, match="TOKENWEIR__WINDOW__TIMEOUT") as caught:
        load(None, {"TOKENWEIR__WINDOW__TIMEOUT": "hush"})
    assert "hush" not in str(caught.value)


def test_a_variable_sets_what_the_file_names_in_capitals() -> None:
    """Variables are in capitals, and names are as the user likes."""
    tree = {"detectors": {"TOXIC": {"url": "http://127.0.0.1:1"}, "Far": {"url": "http://127.0.0.1:1"}}}
    read = parse(tree, {"TOKENWEIR__DETECTORS__TOXIC__TIMEOUT": "3", "TOKENWEIR__DETECTORS__FAR__AUTHORIZATION": "x y"})
    assert set(read.detectors) == {"TOXIC", "Far"}
    assert read.detectors["TOXIC"].timeout == 3
    assert "x y" not in repr(read)
    whole = {
        "TOKENWEIR__DETECTORS": '{ Far = { url = "http://127.0.0.1:1" } }',
        "TOKENWEIR__DETECTORS__FAR__TIMEOUT": "2",
        "TOKENWEIR__DETECTORS__NEAR__URL": "http://127.0.0.1:1",
    }
    assert {name: each.timeout for name, each in parse({}, whole).detectors.items()} == {"Far": 2, "near": 10}
    with pytest.raises(SettingsError, match=r"^detectors\.Far\.timeout .*\(from TOKENWEIR__DETECTORS__FAR__TIMEOUT\)"):
        parse(tree, {"TOKENWEIR__DETECTORS__FAR__TIMEOUT": "0"})
    both = {"detectors": {"Far": {"url": "http://a"}, "fAR": {"url": "http://a"}}}
    with pytest.raises(SettingsError, match=r"^detectors\.far\.url is missing"):
        parse(both, {"TOKENWEIR__DETECTORS__FAR__TIMEOUT": "2"})


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load(tmp_path / "none.toml", {})


def test_secrets_do_not_print() -> None:
    settings = parse({"cxone": {"client_secret": "hush"}, "frontend": {"token": "hush"}})
    assert "hush" not in repr(settings)
    assert "hush" not in str(settings)


def test_the_page_of_settings_is_what_the_code_says() -> None:
    page = Path(__file__).parents[1] / "docs" / "settings.md"
    assert page.read_text(encoding="utf-8") == settings_page(), "run `python -m tokenweir.manual > docs/settings.md`"


def test_cognigys_preset_lies_beneath_the_settings() -> None:
    preset = parse({"moderation": {"marks": {"US_SSN": "[SSN]"}}}, vendor="cognigy").moderation
    assert (preset.markdown, preset.marks) == ("strip", {"BLOCKED": "[FILTERED]", "US_SSN": "[SSN]"})
    assert parse({"moderation": {"markdown": "keep"}}, vendor="cognigy").moderation.markdown == "keep"


def test_an_error_never_shows_the_value_that_is_not_one_of_several() -> None:
    with pytest.raises(SettingsError, match=r'^window\.mode should be "sentence", .* or "none"') as error:
        parse({"window": {"mode": "hunter2"}})
    assert "hunter2" not in str(error.value)


def test_a_desktops_format_is_told_with_its_values_and_where_it_is_from() -> None:
    with pytest.raises(SettingsError) as error:
        load(None, {"AGENT_FORMAT": "xml", "AGENT_WS_URL": "ws://127.0.0.1:1"})
    assert str(error.value) == 'desktops.default.format should be "json" or "text" (from AGENT_FORMAT)'


NUMBERS = [
    (section.name, field.name)
    for section in msgspec.structs.fields(Settings)
    if isinstance(section.type, type) and issubclass(section.type, msgspec.Struct)
    for field in msgspec.structs.fields(section.type)
    if field.type in (float, float | None)
]


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
@pytest.mark.parametrize(("section", "field"), NUMBERS)
def test_what_is_no_finite_number_is_refused(section: str, field: str, value: str) -> None:
    """As TOML has it, and as the environment does."""
    for each in (float(value), value):
        with pytest.raises(SettingsError) as error:
            parse({section: {field: each}})
        assert section in str(error.value)
        assert field in str(error.value)


def test_what_is_no_finite_number_is_refused_inside_tables_too() -> None:
    with pytest.raises(SettingsError, match=r"^desktops\.west\.hello_timeout should be a finite number"):
        parse({"desktops": {"west": {"url": "ws://127.0.0.1:1", "hello_timeout": float("inf")}}})
    with pytest.raises(SettingsError, match=r"^tenants\.acme\.moderation\.max_hold_seconds should"):
        parse({"tenants": {"acme": {"moderation": {"max_hold_seconds": float("nan")}}}})


def test_a_tenants_moderation_that_is_no_table_is_named() -> None:
    with pytest.raises(SettingsError, match="tenants"):
        parse({"tenants": {"acme": {"moderation": "none"}}})


@pytest.mark.parametrize(
    ("section", "field", "value"),
    [
        ("log", "rotate_bytes", 0),
        ("log", "rotate_bytes", -1),
        ("log", "keep_bytes", -1),
        ("log", "max_waiting", 1),
        ("log", "reserve_bytes", -1),
        ("metrics", "max_files", 0),
        ("metrics", "interval", 0),
        ("metrics", "patience", -1),
        ("metrics", "retain_days", 0),
        *(("metrics", "memory_limit", junk) for junk in ("", "junk", "-5MB", "none", "256", "0", "1KB", "15MB", "80%")),
    ],
)
def test_what_a_job_could_not_start_with_is_refused_by_its_name(section: str, field: str, value: object) -> None:
    with pytest.raises(SettingsError, match=rf"^{section}\.{field} should .*\(from settings\)$"):
        parse({section: {field: value}})


@pytest.mark.parametrize("size", ["16MB", "256 MB", "1.5GiB", "1gb", "20000KB"])
def test_a_size_of_memory_is_what_duckdb_takes_for_one(size: str) -> None:
    assert parse({"metrics": {"memory_limit": size}}).metrics.memory_limit == size
    duckdb.connect(config={"memory_limit": size, "threads": 1}).close()
