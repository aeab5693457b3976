"""`tokenweir backup`: copies a data directory and says whether the copy is sound."""

from __future__ import annotations

from pathlib import Path

import click

from flows.engine.backup import backup
from flows.engine.examination import examine
from tokenweir.doctor import print_findings
from tokenweir.options import PATH
from tokenweir.output import explained


@click.command("backup")
@click.argument("data_dir", type=PATH)
@click.argument("target", type=PATH)
@explained
def command(data_dir: Path, target: Path) -> int:
    """Copy a data directory, while jobs run on it or not. Start a job with the copy as its --data-dir to restore it.

    TARGET is made. The copy is checked as `doctor` checks.
    """
    backup(data_dir, target)
    return print_findings([each for each in examine(target) if each.level == "error"], f"Copied to {target}.")
