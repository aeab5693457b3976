"""docs/promises.md: every test that it names is there, and every page that it cites leads back to it.

Tests are looked for in their source, not imported: some need what this machine has not.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "promises.md"
NAMED = re.compile(r"`(tests/[a-z_/]+\.py)::([a-z0-9_]+)`")
ROWS = [
    line.split(" | ") for line in PAGE.read_text(encoding="utf-8").splitlines() if re.match(r"\| (?!promise|---)", line)
]
CITED = sorted({path for row in ROWS for path in re.findall(r"\]\(([^)]+)\)", row[1])})


@cache
def names_in(path: str) -> frozenset[str]:
    file = ROOT / path
    if not file.exists():
        return frozenset()
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_every_promise_has_a_page_and_tests_that_are_there() -> None:
    assert len(ROWS) > 100
    assert [row for row in ROWS if len(row) != 3] == []
    without = [row[0] for row in ROWS if not NAMED.search(row[2]) or not re.search(r"\]\([^)]+\)", row[1])]
    assert without == []
    missing = {f"{path}::{name}" for row in ROWS for path, name in NAMED.findall(row[2]) if name not in names_in(path)}
    assert sorted(missing) == []


def test_nothing_but_tests_is_named_as_one() -> None:
    """A name that is written in another way would not be checked."""
    for row in ROWS:
        rest = NAMED.sub("", row[2])
        assert set(rest) <= set(", |"), row[0]


def test_no_promise_is_made_twice() -> None:
    promises = [row[0] for row in ROWS]
    assert sorted({each for each in promises if promises.count(each) > 1}) == []


@pytest.mark.parametrize("path", CITED)
def test_a_page_with_promises_leads_to_what_holds_them(path: str) -> None:
    assert "promises.md" in (PAGE.parent / path).read_text(encoding="utf-8")


def test_every_page_of_the_manual_has_promises() -> None:
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {PAGE.name}
    assert pages == {Path(path).name for path in CITED} - {"README.md"}
