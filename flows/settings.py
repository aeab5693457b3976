"""Settings: a TOML file first, then the environment; one typed tree.

Rules
- `CXONE_CLIENT_SECRET` and its like are the vendors' and users' names (`environment_names`); anything else is
  `TOKENWEIR__SECTION__KEY`, in which a name that the file has, such as a detector's, may be in capitals. A value that
  begins with `[` or `{` is read as TOML.
- An error names the setting, says what it should be, and where it came from; it never shows the value (sections.py).
- Secrets never print.
"""

from __future__ import annotations

import copy
import os
import re
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Union

import msgspec

from connectors.delivery.settings import DesktopSettings
from connectors.detectors.base import DetectorSettings
from connectors.detectors.registry import kinds
from connectors.errors import SettingsError
from connectors.fields import FieldError, check_range
from connectors.frontend.settings import FrontendSettings
from connectors.log.settings import LogSettings
from connectors.metrics.dimensions import Price, SloSettings
from connectors.metrics.lander import LanderSettings
from connectors.vendors.base import Vendor
from connectors.vendors.registry import known
from flows.moderation import Policy
from flows.sections import Keys, Origin, dotted, read
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
            raise FieldError("lane", "should be 1 to 16 small letters, digits or _")
        check_range(self, "epoch", least=0.05, most=60, unit="seconds")
        check_range(self, "max_sessions", least=1)


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
    detectors: dict[str, DetectorSettings] = {}
    blocklist_file: Path | None = None
    tenants: dict[str, TenantSettings] = {}
    log: LogSettings = LogSettings()
    metrics: LanderSettings = LanderSettings()
    prices: dict[str, tuple[Price, ...]] = {}
    slo: SloSettings = SloSettings()
    frontend: FrontendSettings = FrontendSettings()

    def __post_init__(self) -> None:
        for at, vendor in enumerate(self.fallback.vendors or ()):
            if vendor not in known():
                raise FieldError(f"fallback.vendors[{at}]", f"should be one of {', '.join(known())}")
        for model, prices in self.prices.items():
            days = [price.since for price in prices]
            for at, day in enumerate(days):
                if day in days[:at]:
                    what = "should be another day than that of the entries before it: a day has one price"
                    raise FieldError(f"{dotted(('prices', model, at))}.since", what)

    def of(self, vendor: Vendor) -> dict[str, Any]:
        """A vendor's own sections, by their tables' names."""
        return {name: getattr(self, name, None) or kind() for name, kind in vendor.sections.items()}


@cache
def with_vendors() -> type[Settings]:
    """Settings with the sections of all vendors, and with detectors of all kinds."""
    sections = {name: kind for vendor in known().values() for name, kind in vendor.sections.items()}
    detector: Any = Union[tuple(kinds().values())]  # noqa: UP007  # as many as there are
    fields: list[tuple[str, Any, Any]] = [("detectors", dict[str, detector], msgspec.field(default_factory=dict))]
    fields += [(name, kind, msgspec.field(default_factory=kind)) for name, kind in sections.items()]
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
    return parse(tree, environment, where=str(path or DEFAULT_FILE), vendor=vendor)


def parse(
    tree: dict[str, Any], environment: Mapping[str, str] | None = None, *, where: str = "settings", vendor: str = ""
) -> Settings:
    """Typed settings from a tree of tables, and variables laid over it. Raises SettingsError naming setting and source.

    where  what the tree is from
    """
    tree, names = copy.deepcopy(tree) if environment else tree, environment_names()
    named = [(names.get(name) or _section_keys(name), name, value) for name, value in (environment or {}).items()]
    sources: dict[Keys, str] = {}
    for keys, name, value in sorted(named, key=lambda each: len(each[0])):  # a table before what is in it
        if keys and value:
            keys = keys if name in names else _as_written(keys, tree)  # noqa: PLW2901  # it is the same setting
            _put(tree, keys, _list(value) if name == "BLOCKLIST" else _parse(value), name, Origin(where, sources))
            sources[keys] = name
    origin, preset = Origin(where, sources), known()[vendor].preset if vendor in known() else {}
    return read(with_vendors(), _with_tenants(_over(preset, tree), origin), origin)


def _over(preset: Mapping[str, Any], tree: dict[str, Any]) -> dict[str, Any]:
    """The tree laid over a preset: a setting of the tree wins, a table of it is laid over the preset's."""
    laid = {**preset, **tree}
    for key, below in preset.items():
        above = tree.get(key)
        if isinstance(below, dict) and isinstance(above, dict):
            laid[key] = _over(below, above)
    return laid


def _with_tenants(tree: dict[str, Any], origin: Origin) -> dict[str, Any]:
    """The tree in which each tenant's policy is everybody's with its own fields instead."""
    tenants, common = tree.get("tenants"), tree.get("moderation", {})
    if not isinstance(tenants, dict) or not isinstance(common, dict):
        return tree
    merged = {}
    for name, tenant in tenants.items():
        own = tenant.get("moderation", {}) if isinstance(tenant, dict) else None
        if not isinstance(own, dict):
            merged[name] = tenant
            continue
        merged[name] = {**tenant, "moderation": {**common, **own}}
        for field in common.keys() - own.keys():
            origin.inherit(("tenants", name, "moderation", field), ("moderation", field))
    return {**tree, "tenants": merged}


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        place = re.search(r"\(at [^)]*\)", str(error))
        raise SettingsError(f"{path} is not TOML {place[0] if place else ''}".rstrip()) from None


def _section_keys(name: str) -> tuple[str, ...]:
    return tuple(name.removeprefix(PREFIX).lower().split("__")) if name.startswith(PREFIX) else ()


def _as_written(keys: tuple[str, ...], tree: Any) -> tuple[str, ...]:
    """A variable's keys as the tree writes them, where it has one that differs in capitals alone."""
    written: list[str] = []
    for key in keys:
        alike = [each for each in tree if each.lower() == key] if isinstance(tree, dict) else []
        written.append(alike[0] if len(alike) == 1 else key)
        tree = tree.get(written[-1]) if isinstance(tree, dict) else None
    return tuple(written)


def _put(tree: dict[str, Any], keys: tuple[str, ...], value: Any, name: str, origin: Origin) -> None:
    for depth, key in enumerate(keys[:-1], 1):
        table = tree.setdefault(key, {})
        if not isinstance(table, dict):
            source = " and ".join(origin(keys[:depth], table))
            raise SettingsError(f"{dotted(keys[:depth])} should be a table: {name} sets {dotted(keys)} (from {source})")
        tree = table
    tree[keys[-1]] = value


def _parse(value: str) -> Any:
    if not value.startswith(("[", "{")):
        return value
    try:
        return tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return value


def _list(value: str) -> list[str]:
    return [term.strip() for term in value.split(",") if term.strip()]
