"""The direction of the layers: imports point downwards only (DESIGN.md, section 2)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {
    "connectors": set(),
    "flows": {"connectors"},
    "analytics": {"connectors", "flows"},
    "tokenweir": {"connectors", "flows", "analytics"},
}
CORES = [
    "connectors/backoff.py",
    "connectors/vendors/cognigy/contract.py",
    "connectors/vendors/cxone/contract.py",
    "connectors/vendors/decoding.py",
    "connectors/frontend/connections.py",
    "connectors/frontend/hub.py",
    "connectors/frontend/ids.py",
    "connectors/frontend/tickets.py",
    "connectors/frontend/turn.py",
    "connectors/delivery/outbox.py",
    "connectors/log/records.py",
    "connectors/sse.py",
    "connectors/log/traces.py",
    "connectors/log/turns.py",
    "flows/steps/cuts.py",
    "flows/steps/events.py",
    "flows/steps/fallback.py",
    "flows/moderation",
    "flows/steps/reassembly.py",
    "flows/recordings/fakes.py",
    "flows/recordings/shapes.py",
    "flows/steps/release.py",
    "flows/sentences",
    "flows/steps/totals.py",
    "flows/engine/shard.py",
    "flows/steps/windows.py",
]
IO = {"asyncio", "bytewax", "httpx", "aiohttp", "websockets", "socket", "threading", "time", "random", "duckdb", "os"}
HTTP_CLIENTS = {"httpx", "httpx_aiohttp", "aiohttp"}


def modules(folder: str) -> list[Path]:
    path = ROOT / folder
    return [path] if path.is_file() else sorted(path.rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """The top-level names of everything that a module imports, at its head or inside a function."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


@pytest.mark.parametrize("layer", MAY_IMPORT)
def test_a_layer_imports_only_what_lies_below(layer: str) -> None:
    forbidden = {*MAY_IMPORT, "tests"} - {layer} - MAY_IMPORT[layer]
    found = {path: set(imported(path)) & forbidden for path in modules(layer)}
    assert found
    assert not {path: names for path, names in found.items() if names}


@pytest.mark.parametrize("core", CORES)
def test_a_core_does_no_io(core: str) -> None:
    found = {path: set(imported(path)) & IO for path in modules(core)}
    assert found
    assert not {path: names for path, names in found.items() if names}


def test_one_module_imports_the_http_client() -> None:
    users = [path.name for layer in MAY_IMPORT for path in modules(layer) if set(imported(path)) & HTTP_CLIENTS]
    assert users == ["http.py"]


def test_no_module_names_a_registry() -> None:
    hosts = ["pypi" + ".org", "python" + "hosted", "npm" + "js"]
    files = [path for path in ROOT.iterdir() if path.suffix in (".lock", ".toml", ".md")]
    for path in files:
        assert not [host for host in hosts if host in path.read_text(encoding="utf-8")], path
