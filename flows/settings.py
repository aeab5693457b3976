"""Settings: a TOML file first, then the environment; one typed tree.

Rules
- `CXONE_CLIENT_SECRET` and its like are the vendors' and users' names (`environment_names`); anything else is
  `TOKENWEIR__SECTION__KEY`. A value that begins with `[` or `{` is read as TOML.
- An error names the setting, says what it should be, and where it came from; it never shows the value.
- Secrets never print.
"""

from __future__ import annotations

import math
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_origin

import msgspec

from connectors.delivery.settings import DesktopSettings
from connectors.errors import SettingsError
from connectors.frontend.settings import FrontendSettings
from connectors.log.settings import LogSettings
from connectors.metrics.dimensions import Price, SloSettings
from connectors.metrics.lander import LanderSettings
from connectors.secret import decode_secret
from connectors.vendors.base import Vendor
from connectors.vendors.registry import known
from flows.moderation import Policy
from flows.steps.fallback import FallbackSettings
from flows.steps.windows import WindowSettings

DEFAULT_FILE = Path("tokenweir.toml")
PREFIX = "TOKENWEIR__"
_ENVIRONMENT = {
    "AGENT_WS_URL": ("desktops", "default", "url"),
    "AGENT_FORMAT": ("desktops", "default", "format"),
    "FRONTEND_HOST": ("frontend", "host"),
    "FRONTEND_PORT": ("frontend", "port"),
    "TOKENWEIR_DATA_DIR": ("job", "data_dir"),
    "BLOCKLIST": ("moderation", "blocklist"),
}


class JobSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The process itself.

    data_dir      where log, recovery store, delivery journal and metrics live
    lane          this process's name among several that share the data directory
    max_sessions  turns under way at once
    epoch         seconds between Bytewax's snapshots
    """

    data_dir: Path = Path("tokenweir-data")
    lane: str = "w00"
    max_sessions: int = 1_000
    epoch: float = 0.5

    def __post_init__(self) -> None:
        if re.fullmatch(r"[a-z0-9_]{1,16}", self.lane) is None:
            raise ValueError("lane should be 1 to 16 small letters, digits or _")
        if not 0.05 <= self.epoch <= 60:
            raise ValueError("epoch should be between 0.05 and 60 seconds")
        if self.max_sessions < 1:
            raise ValueError("max_sessions should be at least 1")


class TenantSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[tenants.NAME]: what is different for one tenant.

    moderation       its policy: [moderation] with these fields instead
    blocklist_file   its block list, in place of everybody's
    """

    moderation: Policy = Policy()
    blocklist_file: Path | None = None


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything that can be set; each section says its own fields (docs/settings.md lists them all).

    What `load` and `parse` give has the sections of all vendors besides (`of`).

    blocklist_file  terms to block, one a line, beside those of [moderation]; read again when it changes
    """

    job: JobSettings = JobSettings()
    desktops: dict[str, DesktopSettings] = {}
    window: WindowSettings = WindowSettings()
    fallback: FallbackSettings = FallbackSettings()
    moderation: Policy = Policy()
    blocklist_file: Path | None = None
    tenants: dict[str, TenantSettings] = {}
    log: LogSettings = LogSettings()
    metrics: LanderSettings = LanderSettings()
    prices: dict[str, tuple[Price, ...]] = {}
    slo: SloSettings = SloSettings()
    frontend: FrontendSettings = FrontendSettings()

    def of(self, vendor: Vendor) -> dict[str, Any]:
        """A vendor's own sections, by their tables' names."""
        return {name: getattr(self, name, None) or kind() for name, kind in vendor.sections.items()}


@cache
def with_vendors() -> type[Settings]:
    """Settings with the sections of all vendors."""
    sections = {name: kind for vendor in known().values() for name, kind in vendor.sections.items()}
    fields = [(name, kind, msgspec.field(default_factory=kind)) for name, kind in sections.items()]
    options: dict[str, Any] = {"frozen": True, "forbid_unknown_fields": True, "kw_only": True}
    kind: Any = msgspec.defstruct("Settings", fields, bases=(Settings,), **options)
    whole: type[Settings] = kind
    return whole


@cache
def environment_names() -> dict[str, tuple[str, ...]]:
    """Environment variables with names of their own, and the settings that they are."""
    return {name: keys for vendor in known().values() for name, keys in vendor.environment.items()} | _ENVIRONMENT


def load(path: Path | None = None, environment: Mapping[str, str] = os.environ, *, vendor: str = "") -> Settings:
    """The settings of `path` (else TOKENWEIR_SETTINGS, else ./tokenweir.toml if it is there) and the environment.

    `vendor` is whose preset lies beneath them. Raises SettingsError.
    """
    path = path or (Path(environment["TOKENWEIR_SETTINGS"]) if environment.get("TOKENWEIR_SETTINGS") else None)
    tree: dict[str, Any] = {}
    if path is not None or DEFAULT_FILE.exists():
        tree = _read_toml(path or DEFAULT_FILE)
    sources: dict[str, str] = {}
    named = environment_names()
    for name, value in environment.items():
        keys = named.get(name) or _section_keys(name)
        if keys and value:
            sources[".".join(keys)] = name
            _put(tree, keys, _list(value) if name == "BLOCKLIST" else _parse(value))
    return parse(tree, where=str(path or DEFAULT_FILE), sources=sources, vendor=vendor)


def parse(
    tree: dict[str, Any], *, where: str = "settings", sources: Mapping[str, str] | None = None, vendor: str = ""
) -> Settings:
    """Typed settings from a tree of tables. Raises SettingsError naming setting and source."""
    tree = _with_tenants(_over(known()[vendor].preset if vendor in known() else {}, tree))
    try:
        settings = msgspec.convert(tree, with_vendors(), strict=False, dec_hook=_decode)
    except msgspec.ValidationError as error:
        what, _, at = str(error).partition(" - at `$")
        path = at.removesuffix("`").lstrip(".")
        setting, _, inside = path.partition("[")
        field = inside.rpartition("].")[2]
        if what.startswith("Invalid enum value"):  # msgspec quotes this one
            what = f"should be {_choices(path)}"
        if field:
            what = f"{field} {what}" if what.startswith("should") else f"{field}: {what}"
            sources = {key: name for key, name in (sources or {}).items() if key.endswith(f".{field}")} or sources
    else:
        setting, what = _endless(settings), "should be a finite number"
        if not setting:
            return settings
    named = [name for key, name in (sources or {}).items() if setting and key.startswith(setting)]
    place = " and ".join([where, *named]) if not named else " or ".join(named)
    raise SettingsError(f"{setting or 'settings'}: {what} (from {place})")


def _endless(value: object, name: str = "") -> str:
    """The name of the first setting in it that is inf or nan; empty where there is none."""
    if isinstance(value, float):
        return "" if math.isfinite(value) else name
    inner: Iterable[tuple[str, object]] = ()
    if isinstance(value, msgspec.Struct):
        inner = ((field, getattr(value, field)) for field in value.__struct_fields__)
    elif isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, tuple | list):
        return next(filter(None, (_endless(each, name) for each in value)), "")
    return next(filter(None, (_endless(each, f"{name}.{key}".lstrip(".")) for key, each in inner)), "")


def _choices(setting: str) -> str:
    """What a setting that has a few values may be, such as `"json" or "text"`; named as msgspec does."""
    kind: Any = with_vendors()
    for name in re.findall(r"\[\.\.\.\]|[^.\[]+", setting):
        if get_origin(kind) is dict:
            kind = get_args(kind)[1]
        elif isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            kind = {field.name: field.type for field in msgspec.structs.fields(kind)}.get(name)
    values = [f'"{value}"' for value in get_args(kind) if isinstance(value, str)]
    return (
        " or ".join([", ".join(values[:-1]), values[-1]]) if len(values) > 1 else "one of the values that it may have"
    )


def _over(preset: Mapping[str, Any], tree: dict[str, Any]) -> dict[str, Any]:
    """The tree laid over a preset: a setting of the tree wins, a table of it is laid over the preset's."""
    laid = {**preset, **tree}
    for key, below in preset.items():
        above = tree.get(key)
        if isinstance(below, dict) and isinstance(above, dict):
            laid[key] = _over(below, above)
    return laid


def _with_tenants(tree: dict[str, Any]) -> dict[str, Any]:
    """The tree in which each tenant's policy is everybody's with its own fields instead."""
    tenants, common = tree.get("tenants"), tree.get("moderation", {})
    if not isinstance(tenants, dict) or not isinstance(common, dict):
        return tree
    merged = {
        name: {**tenant, "moderation": {**common, **tenant.get("moderation", {})}}
        if isinstance(tenant, dict) and isinstance(tenant.get("moderation", {}), dict)
        else tenant
        for name, tenant in tenants.items()
    }
    return {**tree, "tenants": merged}


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        place = re.search(r"\(at [^)]*\)", str(error))
        raise SettingsError(f"{path} is not TOML {place[0] if place else ''}".rstrip()) from None


def _section_keys(name: str) -> tuple[str, ...] | None:
    return tuple(name.removeprefix(PREFIX).lower().split("__")) if name.startswith(PREFIX) else None


def _put(tree: dict[str, Any], keys: tuple[str, ...], value: Any) -> None:
    for key in keys[:-1]:
        table = tree.setdefault(key, {})
        if not isinstance(table, dict):
            raise SettingsError(f"{'.'.join(keys)}: {key} is not a table in the settings file")
        tree = table
    tree[keys[-1]] = value


def _parse(value: str) -> Any:
    if not value.startswith(("[", "{")):
        return value
    try:
        return tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return value


def _decode(kind: type, value: Any) -> Any:
    return Path(value) if kind is Path and isinstance(value, str) else decode_secret(kind, value)


def _list(value: str) -> list[str]:
    return [term.strip() for term in value.split(",") if term.strip()]
