"""The settings file of one vendor's service."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from connectors.simulator.vendor import CLIENT_ID, CLIENT_SECRET
from tests.system.harness.desktops import DESKTOPS
from tests.system.harness.world import World


def write_settings(
    world: World, data_dir: Path, vendor: str, *, desktop: dict[str, Any] | None = None, **more: dict[str, Any]
) -> Path:
    """A settings file of one vendor's service; `more` lies over its tables, `desktop` over each desktop's.

    Nothing but the truth's own conditions is unusual: a restart is never the last one allowed, and what moderation
    holds is never given up because a kill made a pause.
    """
    tree: dict[str, dict[str, Any]] = {
        "job": {"data_dir": str(data_dir), "lane": vendor, "epoch": 0.25},
        "frontend": {"port": 0},
        "log": {"rotate_bytes": 1 << 20, "keep_bytes": 64 << 20},
        "cxone": {
            "base_url": world.cxone.url,
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "idle_timeout": 5.0,
            "max_restarts": 10_000,
            "max_retries": 1_000,
            "retry_base": 0.05,
            "retry_cap": 1.0,
        },
        "cognigy": {
            "base_url": world.cognigy.url,
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "overall_timeout": 600.0,
            "max_reconnects": 1_000,
            "max_retries": 1_000,
            "retry_base": 0.05,
            "retry_cap": 1.0,
            "template": {"prompt": "{prompt}", "dialog_id": "{dialog_id}"},
        },
        "dialog": {"retry_base": 0.05},
        "window": {"timeout": 3.0},
        "moderation": {"max_hold_seconds": 3600.0, "blocklist": ["frobnicate"]},
    }
    for name, table in more.items():
        tree[name] = {**tree.get(name, {}), **table}
    for name, each in world.desktops.items():
        settings = {"url": each.url + vendor, **DESKTOPS[name].settings, **(desktop or {})}
        tree[f"desktops.{name}"] = settings
    path = data_dir.with_name(f"{data_dir.name}-{vendor}.toml")
    path.write_text("".join(f"[{name}]\n{_toml(table)}" for name, table in tree.items()), encoding="utf-8")
    return path


def _toml(table: dict[str, Any]) -> str:
    return "".join(f"{name} = {_toml_value(value)}\n" for name, value in table.items())


def _toml_value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {_toml_value(each)}" for name, each in value.items()) + "}"
    return json.dumps(value)
