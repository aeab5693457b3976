"""NICE Cognigy.AI to callers, desktops and dialogs: `python -m bytewax.run flows.cognigy:flow`, or
`tokenweir run cognigy`.

Both take their settings from tokenweir.toml and the environment (docs/settings.md), over Cognigy's preset.
"""

from __future__ import annotations

from typing import Any

from bytewax.dataflow import Dataflow

from connectors.vendors.cognigy.account import CognigyAccount
from connectors.vendors.cognigy.contract import Decoder
from connectors.vendors.cognigy.gateway import CognigyGateway
from connectors.vendors.cognigy.variables import DialogSink
from flows.engine.pipeline import Vendor
from flows.live import LiveJob, begun
from flows.settings import Settings, load

VENDOR = Vendor("cognigy", Decoder)
NEEDS = ("dialog_id",)


def job(settings: Settings, **options: Any) -> LiveJob:
    """A Cognigy job; the options are LiveJob's. Streams and dialog updates share one account, and so one token."""
    account = CognigyAccount(settings.cognigy)

    def dialog(job: LiveJob) -> DialogSink:
        return DialogSink(
            account,
            settings.dialog,
            settings.job.data_dir / "dialog",
            settings.job.lane,
            job.reactor,
            on_dead_letter=job.note_dead_letter,
            on_full=job.source.reserve.release,
        )

    return LiveJob(VENDOR, lambda: CognigyGateway(account), settings, dialog=dialog, needs=NEEDS, **options)


def flow() -> Dataflow:
    """The service: it takes sessions over HTTP until it is stopped."""
    return begun(lambda: job(load(vendor=VENDOR.name), serve=True).flow())
