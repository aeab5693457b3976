"""A live job's dataflow with its parts: source, desktops, metrics, and what starts and ends them.

Rules
- Building it opens nothing and needs no credentials; the flow's own start opens everything, so it runs the same
  under `tokenweir run` and under `python -m bytewax.run`. What is opened when, and by whom: connectors/job/runtime.py.
- All of a job's files are in its data directory: log/, recovery/, delivery/, callers/, spool/, metrics.duckdb, and
  the journals of the vendor's own sinks (`Vendor.journals`). Several jobs may share one, each with a lane of its own.
"""

from __future__ import annotations

import logging
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from bytewax.dataflow import Dataflow
from bytewax.outputs import FixedPartitionedSink

from connectors.console.outlet import unblock_stderr
from connectors.console.printable import explanation
from connectors.delivery.sink import DesktopSink
from connectors.detectors.base import Detector, Judge, Judging
from connectors.disk import private
from connectors.errors import SettingsError, TokenweirError
from connectors.fallback import What
from connectors.frontend import health
from connectors.frontend.server import Frontend
from connectors.frontend.sink import CallerSink
from connectors.job.blocklists import Blocklists
from connectors.job.detectors import Detectors
from connectors.job.requests import Admission, SessionRequest
from connectors.job.runtime import Runtime
from connectors.job.sink import DetectorSink
from connectors.job.source import LiveSource
from connectors.log.files import lists_beside
from connectors.log.pressure import Pressure
from connectors.log.records import DEFAULT_DESKTOP
from connectors.log.reserve import Reserve
from connectors.metrics import DeadLetterRow
from connectors.metrics.landing import Landing
from connectors.metrics.sink import MetricsSink
from connectors.reactor import Reactor
from connectors.vendors.base import DeadLetter, OwnSink, Place, Vendor
from flows.engine import checks, runner, store
from flows.engine.pipeline import build
from flows.settings import Settings, load
from flows.steps.cue import Cue

log = logging.getLogger(__name__)


class LiveJob:
    """One vendor's job. `requests` are worked off; with `serve` callers may ask for more until it is stopped.

    once    the requests are one list, worked off once in a data directory (see Job)
    extra   further sinks of messages, by step id
    detectors  remote detectors by the names that a policy's `remote` lists, beside those of the settings; one of the
               same name is asked in place of theirs
    """

    def __init__(
        self,
        vendor: Vendor,
        settings: Settings,
        *,
        requests: Iterable[SessionRequest] = (),
        serve: bool = False,
        once: bool = False,
        extra: Mapping[str, FixedPartitionedSink[Any, Any]] | None = None,
        detectors: Mapping[str, Detector | Judge] | None = None,
    ) -> None:
        data_dir, lane = settings.job.data_dir, settings.job.lane
        checks.check_settings(settings, detectors or {})
        folder, account = data_dir / "log" / lane, vendor.account(settings.of(vendor))
        self.settings = settings
        self._vendor = vendor
        self._extra = dict(extra or {})
        self.reactor = Reactor()
        reserve = Reserve(folder / "reserve", settings.log.reserve_bytes)
        pressure = Pressure({name: each.max_pause for name, each in settings.desktops.items()})
        self.landing = Landing(
            data_dir,
            lane,
            settings.metrics,
            journal=data_dir / "delivery",
            prices=settings.prices,
            slo=settings.slo,
        )
        self.desktops = DesktopSink(
            settings.desktops,
            data_dir / "delivery",
            lane,
            self.reactor,
            on_full=reserve.release,
            unread=self.landing.unread,
            on_pressure=partial(self.reactor.call, pressure.update),
        )
        self.own = account.sinks(Place(data_dir, lane, self.reactor, self._note_dead_letter, reserve.release))
        remote = _detectors(settings, detectors or {})
        self.detectors = Detectors(remote, self.reactor) if remote else None
        self.frontend = (
            Frontend(
                settings.frontend,
                Admission(
                    needs=vendor.needs,
                    takes=vendor.takes,
                    desktops=frozenset(settings.desktops),
                    tenants=frozenset(settings.tenants),
                ),
                data_dir / "callers",
                lane,
                reserve.release,
                partial(_say, settings),
                partial(_undelivered, self.desktops, self.own, self.detectors),
            )
            if serve
            else None
        )
        self._runtime = Runtime(
            data_dir,
            self.reactor,
            account.gateway,
            self.landing,
            reserve,
            Blocklists(_blocklist_files(settings), lists_beside(folder)),
            requests=requests,
            once=once,
            max_sessions=settings.job.max_sessions,
            frontend=self.frontend,
            detectors=self.detectors,
        )
        self.source = LiveSource(
            vendor.name,
            folder,
            lane,
            self._runtime,
            reserve,
            settings=settings.log,
            pressure=pressure,
            reads=vendor.decoder,
            cue=lambda turn: Cue(settings.window, turn.request),
        )

    def flow(self, source: runner.Source | None = None) -> Dataflow:
        """The dataflow over the job's source, or over one that stands before it."""
        _warn_of_open_port()
        job = self.settings.job
        desktops = {"deliver": self.desktops} if self.settings.desktops else {}
        callers = {"serve_callers": CallerSink(self.frontend, self.source.lane, self.reactor)} if self.frontend else {}
        return build(
            source or self.source,
            self._vendor,
            self.settings,
            lists=lists_beside(self.source.folder),
            messages={**desktops, **self._extra},
            callers=callers,
            rows={"land_metrics": MetricsSink(job.data_dir, job.lane, caught_up=lambda: self.source.caught_up)},
            updates=self.own,
            questions={"ask_detectors": DetectorSink(self.detectors, self.source.lane)} if self.detectors else None,
        )

    def close(self) -> None:
        """Close what the flow's start opened (runtime.py). Idempotent."""
        try:
            self._runtime.close()
        finally:
            self.source.release()

    @property
    def outcomes(self) -> Counter[str]:
        """How the turns of this run ended, by the reason of their close."""
        return self.source.job.outcomes if self.source.job else Counter()

    @property
    def open_turns(self) -> int:
        """Turns that the next run will continue."""
        return self.source.job.open_turns if self.source.job else 0

    @property
    def faults(self) -> list[TokenweirError]:
        """What went wrong, one error a failed turn, then what was not delivered."""
        return [*(self.source.job.faults if self.source.job else ()), *self.undelivered]

    @property
    def undelivered(self) -> list[TokenweirError]:
        """What no desktop took, and no sink of the vendor's own."""
        left = [self.desktops.failure(), *(sink.failure() for sink in self.own.values())]
        return [each for each in left if each is not None]

    def run(self) -> None:
        """Run to the end of the requests, or to a signal. Raises TokenweirError where the job itself cannot run."""
        settings = self.settings.job
        delivery = settings.data_dir / "delivery"
        if not self.settings.desktops and any(delivery.glob(f"delivery-{settings.lane}-*.jsonl")):
            log.warning(
                "the settings have no desktop: what waits in %s is not sent; `tokenweir doctor %s` says how much waits",
                *(delivery, settings.data_dir),
            )
        with private.created():
            checks.check(settings.data_dir, settings.lane)
            self.source.claim()
            try:
                store.stamp(settings.data_dir, settings.lane)
                runner.run(
                    self.flow,
                    self.source,
                    recovery=store.folder_of(settings.data_dir, settings.lane),
                    epoch=settings.epoch,
                    stop=self.source.stop,
                )
                self.source.check()
            finally:
                self.close()

    def _note_dead_letter(self, letter: DeadLetter) -> None:
        """What was given up of the vendor's own, as a row."""
        row = DeadLetterRow(letter.session_id, letter.turn, letter.at, letter.step, letter.reason)
        self.landing.keep([row])


def _say(settings: Settings, what: What, language: str | None) -> str:
    """What a caller reads in place of an answer."""
    return settings.fallback.to_callers(what, language or settings.window.language, settings.frontend.text(what))


def _detectors(settings: Settings, given: Mapping[str, Detector | Judge]) -> dict[str, Detector]:
    """The remote detectors of the settings, and those given from Python."""
    named = {name: each.detector(name) for name, each in settings.detectors.items() if name not in given}
    return named | {name: each if isinstance(each, Detector) else Judging(each) for name, each in given.items()}


def _undelivered(desktops: DesktopSink, own: Mapping[str, OwnSink], detectors: Detectors | None) -> dict[str, Any]:
    """What has not been delivered or judged, for /health."""
    waiting = {step: {"waiting": sink.undelivered} for step, sink in own.items()}
    asked = health.detectors(detectors.everyone()) if detectors is not None else {}
    return {"desktops": health.desktops(desktops.everyone()), "own": waiting, "detectors": asked}


def _blocklist_files(settings: Settings) -> dict[str, Path]:
    """Files of terms by tenant, "" for everybody's."""
    files = {name: tenant.blocklist_file for name, tenant in settings.tenants.items()}
    return {name: path for name, path in {"": settings.blocklist_file, **files}.items() if path is not None}


def _warn_of_open_port() -> None:
    """Bytewax's own server, which cannot be bound to loopback."""
    if "BYTEWAX_DATAFLOW_API_ENABLED" in os.environ:
        port = os.environ.get("BYTEWAX_DATAFLOW_API_PORT", "3030")
        log.warning(
            "BYTEWAX_DATAFLOW_API_ENABLED opens port %s on all interfaces, to whoever can reach this machine: "
            "close it to others with a firewall, or unset the variable",
            port,
        )


def begun(make: Callable[[], Dataflow]) -> Dataflow:
    """What `make` makes, for `python -m bytewax.run`: an error ends it as it ends `tokenweir run`, in one line.

    As there, nobody who does not read its log holds it up.
    """
    unblock_stderr()
    try:
        return make()
    except TokenweirError as error:
        sys.stderr.write(f"{explanation(error)}\n")
        raise SystemExit(error.exit_code) from None


def service(vendor: Vendor) -> Dataflow:
    """A vendor's service, for `python -m bytewax.run`: it takes sessions over HTTP until it is stopped."""
    return begun(lambda: LiveJob(vendor, load(vendor=vendor.name), serve=True).flow())


def check_desktops(settings: Settings, requests: Iterable[SessionRequest]) -> None:
    """Raise SettingsError for a request to a desktop that the settings lack."""
    for request in requests:
        name = request.desktop or DEFAULT_DESKTOP
        if name not in settings.desktops:
            known = ", ".join(sorted(settings.desktops)) or "none"
            raise SettingsError(
                f"desktops.{name}: session {request.session_id} needs it, and the settings have {known}; "
                "set AGENT_WS_URL for the default one"
            )
