"""A recording through the same flow: `tokenweir replay`, or `python -m bytewax.run "flows.replay:flow('FILE')"`.

Rules
- The log is the stream: nothing here differs from the live flow but its source and its sinks.
- The vendor is the recording's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bytewax.dataflow import Dataflow
from bytewax.outputs import FixedPartitionedSink

from connectors.console import ConsoleSink, show_json
from connectors.errors import InputError
from connectors.log import LogReader, lists_beside
from connectors.records import Message
from connectors.source import LogSource
from flows import cognigy, cxone, runner
from flows.pipeline import Vendor, build
from flows.settings import Settings, load

VENDORS: dict[str, Vendor] = {each.VENDOR.name: each.VENDOR for each in (cxone, cognigy)}


def vendor_of(recording: Path) -> Vendor:
    """The vendor whose frames a recording holds. Raises InputError where it is not one, or not ours."""
    name = LogReader(recording).header.vendor
    if name not in VENDORS:
        raise InputError(f"{recording} is of the vendor {name!r}; this tokenweir knows {', '.join(VENDORS)}")
    return VENDORS[name]


def replay(
    recording: Path,
    settings: Settings,
    show: Callable[[Message], None],
    *,
    rows: Mapping[str, FixedPartitionedSink[Any, Any]] | None = None,
) -> None:
    """Run a recording through the flow, `show` every message, and return at its end. Raises InputError."""
    vendor, messages = vendor_of(recording), {"show": ConsoleSink(show)}
    runner.run(
        lambda source: build(
            source, vendor, settings, lists=lists_beside(recording), messages=messages, rows=rows or {}
        ),
        LogSource(recording),
        epoch=60,
    )


def flow(recording: str) -> Dataflow:
    """The replay of one file to standard output, as JSON lines."""
    path = Path(recording)
    return build(
        LogSource(path),
        vendor_of(path),
        load(),
        lists=lists_beside(path),
        messages={"show": ConsoleSink(show_json)},
        rows={},
    )
