"""What pyproject.toml says of the packages."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_package_says_that_it_is_typed() -> None:
    """PEP 561: else a type checker takes all of it for Any."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert {"analytics", "connectors", "flows"} <= set(packages)
    assert [name for name in packages if not (ROOT / name / "py.typed").is_file()] == []
