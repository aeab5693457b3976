"""`tokenweir doctor`: prints what an examination of a data directory finds."""

from __future__ import annotations

from pathlib import Path

import click
from rich.text import Text

from connectors.console.printable import printable
from connectors.errors import DataDirError, SettingsError
from flows.engine.checks import Finding, of_settings
from flows.engine.examination import examine
from flows.settings import load
from tokenweir.options import PATH
from tokenweir.output import explained, out


@click.command("doctor")
@click.argument("data_dir", type=PATH)
@click.option("--settings", type=PATH, help="Check this TOML file, and the environment, too.")
@explained
def command(data_dir: Path, settings: Path | None) -> int:
    """Check a data directory and say what a start would do with it. Changes nothing.

    Settings are checked where a file of them is given. Of ./tokenweir.toml it only wants to know which desktops there
    are; without any it says what waits for whom.
    """
    told = _settings_findings(settings) if settings is not None else []
    findings = [*told, *examine(data_dir, _desktops(settings))]
    return print_findings(findings, "No errors.")


def _desktops(path: Path | None) -> frozenset[str] | None:
    """Those of the settings; None where those have none, or cannot be read."""
    try:
        return frozenset(load(path).desktops) or None
    except SettingsError:  # said where they are asked for
        return None


def print_findings(findings: list[Finding], sound: str) -> int:
    """Print them, then what is to be fixed, or that it is `sound`."""
    for each in findings:
        style = {"ok": "green", "note": "yellow", "error": "bold red"}[each.level]
        out.print(Text.assemble((f"{each.level:4}", style), printable(f"  {each.where}: {each.what}")))
    broken = sum(each.level == "error" for each in findings)
    out.print(f"{broken} to fix." if broken else sound, highlight=False)
    return DataDirError.exit_code if broken else 0


def _settings_findings(path: Path) -> list[Finding]:
    try:
        return list(of_settings(load(path)))
    except SettingsError as error:
        return [Finding("error", "settings", str(error), refused=True)]
