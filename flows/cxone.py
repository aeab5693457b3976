"""NICE CXone to the agent desktop: `python -m bytewax.run flows.cxone:flow`, or `tokenweir run cxone`.

Both take their settings from tokenweir.toml and the environment (docs/settings.md).
"""

from __future__ import annotations

from typing import Any

from bytewax.dataflow import Dataflow

from connectors.vendors.cxone.contract import Decoder
from connectors.vendors.cxone.gateway import CXoneGateway
from flows.engine.pipeline import Vendor
from flows.live import LiveJob, begun
from flows.settings import Settings, load

VENDOR = Vendor("cxone", Decoder)
NEEDS = ("prompt",)


def job(settings: Settings, **options: Any) -> LiveJob:
    """A CXone job; the options are LiveJob's."""
    return LiveJob(VENDOR, lambda: CXoneGateway(settings.cxone), settings, needs=NEEDS, **options)


def flow() -> Dataflow:
    """The service: it takes sessions over HTTP until it is stopped."""
    return begun(lambda: job(load(), serve=True).flow())
