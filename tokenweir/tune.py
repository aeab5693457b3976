"""`tokenweir tune`: the settings that serve a goal best, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import click
import msgspec
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from analytics.tuning import goal as goals
from analytics.tuning.advice import Advice, advise, brief, in_words, toml
from analytics.tuning.grid import around, grid
from analytics.tuning.page import as_data, page
from analytics.tuning.streams import read
from analytics.tuning.tuner import By, Outcome, tune
from connectors.errors import SettingsError
from flows.moderation import Policy
from flows.settings import load
from flows.steps.windows import WindowSettings
from tokenweir.options import PATH, RECORDINGS
from tokenweir.output import err, explained, out, write_page
from tokenweir.progress import bar

SHOWN = 16


@click.command("tune")
@RECORDINGS
@click.option("--goal", "wanted", default=goals.DEFAULT, show_default=True, help="What is wanted, in words.")
@click.option("--settings", type=PATH, help="A TOML file: what is in force now; ./tokenweir.toml if it is there.")
@click.option(
    "--try", "tried", multiple=True, metavar="NAME=V,V…", help="Values to try, e.g. timeout=0.5,1,2; more than once."
)
@click.option("--refine", default=0, show_default=True, help="Rounds of a finer search around the best.")
@click.option("--by", type=click.Choice(["tenant", "model"]), help="Every tenant, or model, counts alike.")
@click.option("--weight", "weights", multiple=True, metavar="NAME=SHARE", help="With --by: one counts so much more.")
@click.option("--moderation/--no-moderation", default=True, help="With what moderation holds back, or without.")
@click.option("--seed", default=0, show_default=True, help="Of the resamples that tell how sure it is.")
@click.option("--html", type=PATH, help="Write a page with the front drawn and every setting to be looked at.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object with everything.")
@explained
def command(
    paths: tuple[Path, ...],
    wanted: str,
    settings: Path | None,
    tried: tuple[str, ...],
    refine: int,
    by: str | None,
    weights: tuple[str, ...],
    moderation: bool,
    seed: int,
    html: Path | None,
    as_json: bool,
) -> None:
    """Find the window settings that serve a goal best on recorded streams.

    RECORDING is a recording, a folder of them, or JSON lines with `tokens` and `t_ms`.
    """
    goal, shares = goals.parse(wanted), _shares(weights)
    if shares and by is None:
        raise click.UsageError("--weight needs --by tenant or --by model")
    loaded = load(settings)
    policy = loaded.moderation if moderation else Policy(pii=(), blocklist=())
    trials = grid(loaded.window, _axes(tried))
    with bar("reading"):
        streams = read(paths)

    def tuned(trials: Sequence[WindowSettings]) -> Outcome:
        with bar(f"{len(trials)} settings, {len(streams.streams)} turns") as done:
            return tune(streams, trials, policy, by=cast(By | None, by), shares=shares, seed=seed, done=done)

    outcome = tuned(trials)
    advice = advise(outcome, goal)
    for _ in range(refine):
        finer = around(outcome.settings[advice.chosen], outcome.settings)
        if not finer:
            break
        outcome = outcome.with_more(tuned(finer))
        advice = advise(outcome, goal)
    if html is not None:
        write_page(html, page(outcome, advice))
    if as_json:
        click.echo(msgspec.json.encode(as_data(outcome, advice)))
    else:
        _print(outcome, advice)
    if html is not None:
        err.print(f"wrote {html}", highlight=False, markup=False)


def _axes(tried: Sequence[str]) -> dict[str, list[Any]] | None:
    """`timeout=0.5,1` to an axis; `none` is no value of its own."""
    axes: dict[str, list[Any]] = {}
    for each in tried:
        name, equals, values = each.partition("=")
        if not equals or not values:
            raise SettingsError(f"--try {each}: write NAME=VALUE,VALUE, such as timeout=0.5,1,2")
        axes[name.strip()] = [_value(name.strip(), value.strip()) for value in values.split(",")]
    return axes or None


def _value(name: str, value: str) -> Any:
    if name == "mode":
        return value
    if value == "none":
        return None
    try:
        return int(value) if name.endswith("_chars") else float(value)
    except ValueError:
        raise SettingsError(f"--try {name}: {value!r} is not a number") from None


def _shares(weights: Sequence[str]) -> dict[str, float]:
    shares: dict[str, float] = {}
    for each in weights:
        name, _, share = each.rpartition("=")
        try:
            shares[name] = float(share)
        except ValueError:
            shares[name] = -1.0
        if not name or not 0 < shares[name] < 1e6:
            raise SettingsError(f"--weight {each}: write NAME=SHARE, such as acme=3")
    return shares


def _print(outcome: Outcome, advice: Advice) -> None:
    table = Table(box=SIMPLE_HEAD, title="The front, and the settings in force", title_justify="left")
    table.add_column("")
    table.add_column("setting")
    for heading in ("messages", "first words", "delay", "broken"):
        table.add_column(heading, justify="right", no_wrap=True)
    for number in dict.fromkeys((advice.chosen, 0, *advice.front[:SHOWN])):
        figures = outcome.figures[number]
        table.add_row(
            "→" if number == advice.chosen else "now" if number == 0 else "",
            Text(brief(outcome.settings[number])),
            f"{figures.messages.value:.1f}",
            f"{figures.first_p95.value:,.0f} ms",
            f"{figures.delay_p95.value:,.0f} ms",
            f"{figures.broken.value:.0%}",
        )
    out.print(table)
    if len(advice.front) > SHOWN:
        out.print(
            f"{len(advice.front) - SHOWN} more on the front: --html and --json have all of them.", highlight=False
        )
    for words in in_words(outcome, advice):
        out.print(Text(words))
    out.print()
    click.echo(toml(outcome.settings[advice.chosen]), nl=False)
