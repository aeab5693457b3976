"""Options and arguments that several commands have."""

from __future__ import annotations

from pathlib import Path

import click

PATH = click.Path(path_type=Path)
SETTINGS = click.option("--settings", type=PATH, help="A TOML file; ./tokenweir.toml if it is there.")
METRICS = click.option("--data-dir", type=PATH, help="Whose metrics; job.data_dir.")
RECORDINGS = click.argument("paths", metavar="RECORDING…", type=PATH, nargs=-1, required=True)
