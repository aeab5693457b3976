"""`tokenweir report`: writes the report's page."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from analytics.frames import Scope, parse_moment
from analytics.report import report
from tokenweir.options import METRICS, PATH
from tokenweir.output import explained, out, write_page
from tokenweir.settings import load_with


@click.command("report")
@METRICS
@click.option("--since", help="Turns opened from then on: 2026-11-20, 2026-11-20T14:30 (UTC), or 24h, 7d ago.")
@click.option("--until", help="Turns opened before then.")
@click.option("--tenant", help="One tenant's turns only.")
@click.option("-o", "--output", type=PATH, default=Path("report.html"), show_default=True)
@explained
def command(data_dir: Path | None, since: str | None, until: str | None, tenant: str | None, output: Path) -> None:
    """Write what happened into one HTML file: traffic, latency, cost, moderation, interruptions."""
    now = datetime.now(UTC)
    scope = Scope(parse_moment(since, now) if since else None, parse_moment(until, now) if until else None, tenant)
    page = report(load_with(None, data_dir).job.data_dir, scope, now=now)
    write_page(output, page)
    out.print(f"wrote {output}", highlight=False, markup=False)
