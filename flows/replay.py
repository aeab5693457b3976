"""A recording through the same flow: `tokenweir replay`, or `python -m bytewax.run "flows.replay:flow('FILE')"`.

Rules
- The log is the stream: nothing here differs from the live flow but its source and its sinks.
- The vendor is the recording's own.
- A desktop is sent every message of a replay, whatever it was sent before: the journal is the replay's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bytewax.dataflow import Dataflow
from bytewax.outputs import FixedPartitionedSink

from connectors.console.sink import ConsoleSink, show_json
from connectors.delivery.settings import DesktopSettings
from connectors.delivery.sink import DesktopSink
from connectors.disk import private
from connectors.errors import DeliveryError
from connectors.log.files import LogReader, lists_beside
from connectors.log.playback import Playback
from connectors.log.records import Message, Record
from connectors.log.source import LogSource
from connectors.metrics.landing import Landing
from connectors.metrics.sink import MetricsSink
from connectors.reactor import Reactor
from flows.engine import runner
from flows.engine.pipeline import build
from flows.recordings.vendor import vendor_of
from flows.settings import Settings, load

Sinks = Mapping[str, FixedPartitionedSink[Any, Any]]


def replay(
    recording: Path,
    settings: Settings,
    show: Callable[[Message], None],
    *,
    rows: Sinks | None = None,
    messages: Sinks | None = None,
    records: Iterable[Record] | None = None,
    speed: float | None = None,
) -> None:
    """Run a recording through the flow, `show` every message, and return at its end.

    Raises InputError; and, when all is done, what `show` raised (OutputError where there is no writing).

    rows, messages  further sinks, by step id
    records         these in place of the recording's own
    speed           times the recorded time; None for as fast as it goes
    """
    vendor, shown = vendor_of(recording), ConsoleSink(show)
    sinks = {"show": shown, **(messages or {})}
    source: runner.Source = LogSource(recording)
    if records is not None or speed is not None:
        reader = LogReader(recording)
        played = records if records is not None else (record for record, _ in reader.read())
        source = Playback(lambda: played, reader.created, speed=speed)
    runner.run(
        lambda guarded: build(
            guarded, vendor, settings, lists=lists_beside(recording), messages=sinks, rows=rows or {}
        ),
        source,
        epoch=60,
    )
    shown.check()


@contextmanager
def outputs(settings: Settings, data_dir: Path | None, desktop: str | None) -> Iterator[tuple[Sinks, Sinks]]:
    """Sinks for one replay, of messages and of rows: to an agent desktop at this URL, into a data directory's DuckDB.

    That gets the prices and targets of these settings, as from a live job of theirs.

    Raises, when the replay is over, DeliveryError for what the desktop did not take.
    """
    messages: dict[str, FixedPartitionedSink[Any, Any]] = {}
    rows: dict[str, FixedPartitionedSink[Any, Any]] = {}
    landing = None
    if data_dir is not None:
        landing = Landing(data_dir, "replay", settings.metrics, prices=settings.prices, slo=settings.slo)
        rows["land_metrics"] = MetricsSink(data_dir, "replay")
    with private.created(), TemporaryDirectory() as journal:
        reactor = Reactor() if desktop is not None else None
        try:
            if landing is not None:
                landing.start()
            if reactor is not None and desktop is not None:
                sink = messages["deliver"] = DesktopSink(
                    {"default": DesktopSettings(url=desktop)}, Path(journal), "w00", reactor
                )
            yield messages, rows
            if reactor is not None and sink.undelivered:
                raise DeliveryError(f"{sink.undelivered} messages were not delivered to the desktop; is it there?")
        finally:
            if landing is not None:
                landing.close()
            if reactor is not None:
                reactor.close()


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
