"""A server of OpenAI-compatible chat completions to the agent desktop: `python -m bytewax.run flows.openai:flow`,
or `tokenweir run openai`.

Both take their settings from tokenweir.toml and the environment (docs/settings.md).
"""

from __future__ import annotations

from typing import Any

from bytewax.dataflow import Dataflow

from connectors.vendors.openai.vendor import VENDOR
from flows.live import LiveJob, service
from flows.settings import Settings


def job(settings: Settings, **options: Any) -> LiveJob:
    """A job; the options are LiveJob's."""
    return LiveJob(VENDOR, settings, **options)


def flow() -> Dataflow:
    """The service: it takes sessions over HTTP until it is stopped."""
    return service(VENDOR)
