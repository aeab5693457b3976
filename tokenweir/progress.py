"""Bars on standard error for what takes a while."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from tokenweir.output import err


@contextmanager
def one_by_one(paths: list[Path], *, quiet: bool = False) -> Iterator[Iterable[Path]]:
    """The recordings, one after the other, with a bar on standard error where a person is looking."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=quiet or not err.is_terminal) as bar:
        task = bar.add_task("", total=len(paths))

        def each() -> Iterator[Path]:
            for path in paths:
                bar.update(task, description=path.name)
                yield path
                bar.advance(task)

        yield each()


@contextmanager
def bar(name: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error, for as long as this takes: it is told how much is done, of how much."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True) as progress:
        task = progress.add_task(name, total=None)
        yield lambda done, of: progress.update(task, completed=done, total=of)
