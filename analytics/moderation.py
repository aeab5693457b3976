"""What moderation found: how often, and by which rules. Never the text."""

from __future__ import annotations

import polars as pl

from analytics.frames import EVERYTHING, Metrics, Scope, within


def rates(metrics: Metrics, scope: Scope = EVERYTHING) -> pl.DataFrame:
    """Messages, those with findings, and `finding_rate`, per tenant, vendor and model, most findings first."""
    order = ["findings", "tenant", "vendor", "model"]
    return within(metrics, "moderation", scope).sort(order, descending=[True, False, False, False])


def top_rules(metrics: Metrics, scope: Scope = EVERYTHING, *, most: int = 20) -> pl.DataFrame:
    """The rules with most findings, those first, with `share` of all findings. For a tenant: of ended turns."""
    order = ["findings", "category", "rule", "action"]
    found = within(metrics, "top_rules", scope, most=most)
    return found.sort(order, descending=[True, False, False, False])
