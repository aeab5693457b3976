"""What imports what among the modules of a source tree, as their source says it.

Rules
- Importing `a.b.c` imports `a` and `a.b` first: so it reaches all that their `__init__` reaches.
- What is only there for type checkers is no import. What a function imports when it is called is told apart (`later`).
"""

from __future__ import annotations

import ast
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple


class Module(NamedTuple):
    """A module, and by their dotted names those that it imports: at once, in functions, for type checkers alone."""

    name: str
    path: Path
    first: frozenset[str]
    later: frozenset[str]
    typing: frozenset[str]


class Tree:
    """The modules of some packages below a folder, by name. A module that is no package is one of them, too."""

    def __init__(self, root: Path, packages: Sequence[str]) -> None:
        files = [path for name in packages for path in sorted((root / name).rglob("*.py"))]
        files += [path for name in packages if (path := root / f"{name}.py").is_file()]
        names = {_name(path.relative_to(root)): path for path in files}
        self.modules: dict[str, Module] = {name: _parse(name, path, names) for name, path in names.items()}

    def reached(self, name: str) -> dict[str, str | None]:
        """Everything that importing a module imports, itself included; each with the one that was first to import it.

        What is not of the tree is not followed.
        """
        seen: dict[str, str | None] = {name: None}
        ahead = deque([name])
        while ahead:
            at = ahead.popleft()
            imported = self.modules[at].first if at in self.modules else ()
            for each in sorted({*_packages(at), *imported} - seen.keys()):
                seen[each] = at
                ahead.append(each)
        return seen

    def circles(self) -> Iterator[list[str]]:
        """Modules that import each other, however far around: one of them must see another half made."""
        edges = {module.name: self._needs(module) for module in self.modules.values()}
        for name in edges:
            way = _way_back(edges, name)
            if way and name == min(way):
                yield way

    def _needs(self, module: Module) -> set[str]:
        """What is made before a module is. The packages that it is in have been begun, and it needs no more of them."""
        around = {module.name, *_packages(module.name)}
        through = {package for each in module.first for package in _packages(each)} - around
        return {each for each in through | module.first if each in self.modules}


def chain(reached: Mapping[str, str | None], name: str) -> str:
    """How a module came to be reached: `a < b < c` where c imports b, which imports a."""
    steps = [name]
    while (by := reached[steps[-1]]) is not None:
        steps.append(by)
    return " < ".join(steps)


def _way_back(edges: Mapping[str, set[str]], name: str) -> list[str]:
    """The shortest way from a module to itself; empty where there is none."""
    before: dict[str, str] = {}
    ahead = deque([name])
    while ahead:
        at = ahead.popleft()
        for each in sorted(edges[at]):
            if each == name:
                way = [at]
                while way[-1] != name:
                    way.append(before[way[-1]])
                return way
            if each not in before:
                before[each] = at
                ahead.append(each)
    return []


def _name(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _packages(name: str) -> list[str]:
    """Those that a module is in."""
    parts = name.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts))]


def _parse(name: str, path: Path, ours: Mapping[str, Path]) -> Module:
    found: dict[str, set[str]] = {"first": set(), "later": set(), "typing": set()}
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]

    def visit(node: ast.AST, when: str) -> None:
        if isinstance(node, ast.Import):
            found[when].update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            within = package.split(".")[: package.count(".") + 2 - node.level] if node.level else []
            source = ".".join([*within, *filter(None, [node.module])])
            found[when].update(each if (each := f"{source}.{alias.name}") in ours else source for alias in node.names)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and when == "first":
            when = "later"
        for field, value in ast.iter_fields(node):
            skipped = field == "body" and isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
            for each in value if isinstance(value, list) else [value]:
                if isinstance(each, ast.AST):
                    visit(each, "typing" if skipped else when)

    visit(ast.parse(path.read_text(encoding="utf-8")), "first")
    return Module(name, path, *(frozenset(found[when]) for when in ("first", "later", "typing")))
