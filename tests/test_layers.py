"""The direction of the layers: imports point downwards only, and cores do no I/O, not even through what they import."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.modules import Module, Tree, chain

ROOT = Path(__file__).parents[1]
LAYERS: Final = ("connectors", "flows", "analytics", "tokenweir")
"""From the lowest to the highest."""

CORES: Final = (
    "connectors.backoff",
    "connectors.errors",
    "connectors.eventstream",
    "connectors.fallback",
    "connectors.ndjson",
    "connectors.secret",
    "connectors.sse",
    "connectors.text",
    "connectors.delivery.outbox",
    "connectors.delivery.progress",
    "connectors.detectors.base",
    "connectors.frontend.bounds",
    "connectors.frontend.chat",
    "connectors.frontend.chunks",
    "connectors.frontend.connections",
    "connectors.frontend.hub",
    "connectors.frontend.ids",
    "connectors.frontend.problems",
    "connectors.frontend.settings",
    "connectors.frontend.shown",
    "connectors.frontend.tickets",
    "connectors.frontend.turn",
    "connectors.job.requests",
    "connectors.log.records",
    "connectors.log.settings",
    "connectors.log.shards",
    "connectors.log.traces",
    "connectors.log.turns",
    "connectors.metrics.dimensions",
    "connectors.metrics.tables",
    "connectors.vendors.answers",
    "connectors.vendors.codes",
    "connectors.vendors.cognigy_endpoint.socketio",
    "connectors.vendors.conversation",
    "connectors.vendors.conversation",
    "connectors.vendors.decoding",
    "connectors.vendors.model_settings",
    "connectors.vendors.model_settings",
    "connectors.vendors.resumption",
    "connectors.vendors.sse_settings",
    "connectors.vendors.*.contract",
    "connectors.vendors.*.settings",
    "flows.engine.shard",
    "flows.moderation",
    "flows.recordings.bodies",
    "flows.recordings.fakes",
    "flows.sentences",
    "flows.steps",
)
"""Modules, packages with all that is in them, and `*` for any name."""

IO: Final = {
    *("aiohttp", "asyncio", "bytewax", "duckdb", "httpx", "httpx_aiohttp", "multiprocessing", "os", "polars", "random"),
    *("select", "signal", "socket", "sqlite3", "starlette", "subprocess", "tempfile", "threading", "time", "uvicorn"),
    *("uvloop", "websockets"),
}
HTTP_CLIENTS: Final = {"aiohttp", "httpx", "httpx_aiohttp"}

ADAPTERS: Final = {
    *("connectors.delivery.base", "flows.engine.kept", "flows.engine.pipeline", "flows.engine.runner"),
    *("flows.cognigy", "flows.cxone", "flows.live", "flows.openai", "flows.replay"),
}
"""They import Bytewax, as may every `sink`, `source` and `playback` of the connectors."""
RUNNING: Final = {
    *("flows.recordings.comparison", "flows.recordings.outcome"),
}
"""They run flows, or are of the command line, and so need Bytewax through what they import."""

CORE_TESTS: Final = (
    *("sentences", "windows", "reassembly", "session", "shard", "release", "moderation", "moderation_blocklist"),
    *("turns", "sse"),
)
"""Quick ones of many rooms, in tests/test_*.py."""

TREE: Final = Tree(ROOT, LAYERS)


def top(name: str) -> str:
    return name.partition(".")[0]


def is_of(name: str, patterns: Iterable[str]) -> bool:
    """Whether a module is one of these, or in one."""
    return any(
        len(parts := pattern.split(".")) <= len(given := name.split("."))
        and all(part in ("*", other) for part, other in zip(parts, given, strict=False))
        for pattern in patterns
    )


def is_adapter(name: str) -> bool:
    """Whether it is one of those that are to import Bytewax."""
    last = name.rpartition(".")[2]
    return name in ADAPTERS or (top(name) == "connectors" and last in ("sink", "source", "playback"))


def needs_bytewax(name: str) -> bool:
    """Whether it may, itself or through what it imports."""
    return is_adapter(name) or name in RUNNING or top(name) == "tokenweir"


def everything(module: Module) -> set[str]:
    """All that is named in a module's imports, in functions and for type checkers too."""
    return {*module.first, *module.later, *module.typing}


def cores() -> Iterator[Module]:
    return (module for module in TREE.modules.values() if is_of(module.name, CORES))


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_imports_only_what_lies_below(layer: str) -> None:
    above = {*LAYERS[LAYERS.index(layer) + 1 :], "tests"}
    found = {name: everything(module) for name, module in TREE.modules.items() if top(name) == layer}
    assert found
    assert not {
        name: up for name, imported in found.items() if (up := {each for each in imported if top(each) in above})
    }


def test_no_module_imports_itself_however_far_around() -> None:
    assert list(TREE.circles()) == []


@pytest.mark.parametrize("pattern", CORES)
def test_a_core_does_no_io(pattern: str) -> None:
    """Not even through what it imports, in whatever `__init__`."""
    found = {name: TREE.reached(name) for name in TREE.modules if is_of(name, [pattern])}
    assert found
    chains = [chain(reached, each) for reached in found.values() for each in reached if top(each) in IO]
    assert not chains, "\n".join(chains)


def test_a_core_imports_nothing_when_it_is_called() -> None:
    assert not {module.name: module.later for module in cores() if module.later}


def test_bytewax_is_imported_by_its_adapters_alone() -> None:
    users = {name for name, module in TREE.modules.items() if "bytewax" in map(top, everything(module))}
    assert {name for name in users if not is_adapter(name)} == set()


def test_only_what_runs_a_flow_needs_bytewax() -> None:
    found = {name: TREE.reached(name) for name in TREE.modules if not needs_bytewax(name)}
    chains = [chain(reached, each) for reached in found.values() for each in reached if top(each) == "bytewax"]
    assert not chains, "\n".join(chains)


def test_one_module_imports_the_http_client() -> None:
    users = [name for name, module in TREE.modules.items() if HTTP_CLIENTS & set(map(top, everything(module)))]
    assert users == ["connectors.http"]


def test_all_but_the_engine_is_imported_without_bytewax() -> None:
    names = [name for name in TREE.modules if not needs_bytewax(name)]
    assert {"analytics.usage", "connectors.metrics.segments", "flows.engine.store", "flows.settings"} <= set(names)
    script = (
        "import importlib, sys, tests.without_bytewax\n"
        f"for name in {names}: importlib.import_module(name)\n"
        "from analytics import usage\n"
        "from connectors.metrics import open_metrics\n"
        "print('bytewax' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "False\n"


def test_the_cores_are_tested_without_bytewax() -> None:
    """In few examples, always the same: what they find is found by themselves, and how fast they are is not asked."""
    files = [f"tests/test_{name}.py" for name in CORE_TESTS]
    options = ["-q", "-p", "tests.without_bytewax", "-p", "no:cacheprovider", "--hypothesis-profile", "ci"]
    command = [sys.executable, "-m", "pytest", *options, *files]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


# How imports are followed


def tree(root: Path, **sources: str) -> Tree:
    """Packages `a` and `b`, whose modules have these sources: `a__c` is a/c.py, `a___` is a/__init__.py."""
    for name, source in {"a___": "", "b___": "", **sources}.items():
        folder, _, module = name.partition("__")
        (root / folder).mkdir(exist_ok=True)
        (root / folder / f"{'__init__' if module == '_' else module}.py").write_text(source)
    return Tree(root, ["a", "b"])


def test_imports_are_followed_through_packages_that_nobody_names(tmp_path: Path) -> None:
    made = tree(
        tmp_path, a__one="from b.two import x", b___="from b import net", b__net="import socket", b__two="x = 1"
    )
    assert chain(made.reached("a.one"), "socket") == "socket < b.net < b < b.two < a.one"


def test_only_what_an_import_runs_is_followed(tmp_path: Path) -> None:
    source = (
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import socket\nelse:\n    import select\n"
        "try:\n    import zlib\nexcept ImportError:\n    import bz2\n"
        "class C:\n    import json\n    def f(self):\n        import time\n"
        "from . import other\nfrom .other import thing\n"
    )
    made = tree(tmp_path, a__one=source, a__other="thing = 1")
    module = made.modules["a.one"]
    assert module.first == {"typing", "select", "zlib", "bz2", "json", "a.other"}
    assert (module.later, module.typing) == ({"time"}, {"socket"})


@pytest.mark.parametrize(
    ("sources", "circles"),
    [
        ({"a__one": "from a import two", "a__two": "import a.three", "a__three": ""}, []),
        ({"a___": "from a.one import x", "a__one": "x = 1"}, []),
        ({"a__one": "import a.two", "a__two": "from a.one import x"}, [["a.two", "a.one"]]),
        ({"a__one": "from b.two import x", "b___": "import b.three", "b__two": "", "b__three": "import a.one"}, None),
        ({"a___": "from a.one import x", "a__one": "from a import x"}, [["a.one", "a"]]),
    ],
)
def test_circles_are_found_through_packages_too(
    tmp_path: Path, sources: dict[str, str], circles: list[list[str]] | None
) -> None:
    found = list(tree(tmp_path, **sources).circles())
    assert found == circles if circles is not None else set(found[0]) == {"a.one", "b", "b.three"}


# What else the source must not hold


def test_no_module_names_a_registry() -> None:
    hosts = ["pypi" + ".org", "python" + "hosted", "npm" + "js"]
    files = [path for path in ROOT.iterdir() if path.suffix in (".lock", ".toml", ".md")]
    for path in files:
        assert not [host for host in hosts if host in path.read_text(encoding="utf-8")], path
