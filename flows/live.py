"""A live job's dataflow with its parts: source, desktops, metrics, and what starts and ends them.

Rules
- Building it opens nothing and needs no credentials; the flow's own start opens everything, so it runs the same
  under `tokenweir run` and under `python -m bytewax.run`.
- All of a job's files are in its data directory: log/, recovery/, delivery/, dialog/, callers/, spool/,
  metrics.duckdb. Several jobs may share one, each with a lane of its own.
"""

from __future__ import annotations

import logging
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from bytewax.dataflow import Dataflow
from bytewax.outputs import FixedPartitionedSink

from connectors.console.outlet import unblock_stderr
from connectors.console.printable import explanation
from connectors.delivery.sink import DesktopSink
from connectors.disk import private
from connectors.errors import SettingsError, TokenweirError
from connectors.fallback import What
from connectors.frontend import health
from connectors.frontend.server import Frontend
from connectors.frontend.sink import CallerSink
from connectors.job.detectors import Detector, Detectors
from connectors.job.requests import Admission, SessionRequest
from connectors.job.sink import DetectorSink
from connectors.job.source import LiveSource
from connectors.log.files import lists_beside
from connectors.log.pressure import Pressure
from connectors.log.records import DEFAULT_DESKTOP
from connectors.metrics import DeadLetterRow
from connectors.metrics.landing import Landing
from connectors.metrics.sink import LandedMetricsSink
from connectors.reactor import Reactor
from connectors.vendors.base import DeadLetter, Place, Vendor
from flows.engine import checks, runner, store
from flows.engine.pipeline import build
from flows.settings import Settings, load

log = logging.getLogger(__name__)


class LiveJob:
    """One vendor's job. `requests` are worked off; with `serve` callers may ask for more until it is stopped.

    once    the requests are one list, worked off once in a data directory (see Job)
    extra   further sinks of messages, by step id
    detectors  remote detectors by the names that a policy's `remote` lists
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
        detectors: Mapping[str, Detector] | None = None,
    ) -> None:
        data_dir, lane = settings.job.data_dir, settings.job.lane
        checks.check_settings(settings, detectors or {})
        self.settings = settings
        self.reactor = Reactor()
        self._vendor = vendor
        account = vendor.account(settings.of(vendor))
        self.frontend = self._frontend() if serve else None
        self.landing = Landing(
            data_dir,
            lane,
            settings.metrics,
            journal=data_dir / "delivery",
            prices=settings.prices,
            slo=settings.slo,
        )
        self._pressure = Pressure({name: each.max_pause for name, each in settings.desktops.items()})
        self.source = LiveSource(
            vendor.name,
            data_dir / "log" / lane,
            self.reactor,
            account.gateway,
            lane=lane,
            settings=settings.log,
            requests=requests,
            frontend=self.frontend,
            max_sessions=settings.job.max_sessions,
            once=once,
            blocklists=_blocklist_files(settings),
            pressure=self._pressure,
            on_start=self._on_start,
        )
        self.desktops = DesktopSink(
            settings.desktops,
            data_dir / "delivery",
            lane,
            self.reactor,
            unread=self.landing.unread,
            on_pressure=self._on_pressure,
            on_full=self.source.reserve.release,
        )
        self._extra = dict(extra or {})
        self.own = account.sinks(
            Place(data_dir, lane, self.reactor, self._note_dead_letter, self.source.reserve.release)
        )
        if self.frontend is not None:
            self.frontend.delivery = self._delivery
        self.detectors = Detectors(detectors, self.reactor, self.source.running_lane) if detectors else None
        if self.detectors:
            self.source.settled = self.detectors.is_idle

    def flow(self, source: runner.Source | None = None) -> Dataflow:
        """The dataflow over the job's source, or over one that stands before it."""
        _warn_of_open_port()
        desktops = {"deliver": self.desktops} if self.settings.desktops else {}
        callers = {"serve_callers": CallerSink(self.frontend, self.source.lane, self.reactor)} if self.frontend else {}
        return build(
            source or self.source,
            self._vendor,
            self.settings,
            lists=lists_beside(self.source.folder),
            messages={**desktops, **callers, **self._extra},
            rows={"land_metrics": self._metrics()},
            updates=self.own,
            questions={"ask_detectors": DetectorSink(self.detectors, self.source.lane)} if self.detectors else None,
        )

    def _metrics(self) -> LandedMetricsSink:
        settings = self.settings.job
        return LandedMetricsSink(settings.data_dir, settings.lane, self.landing, lambda: self.source.caught_up)

    @property
    def outcomes(self) -> Counter[str]:
        """How the turns of this run ended, by the reason of their close."""
        return self.source.job.outcomes if self.source.job else Counter()

    @property
    def open_turns(self) -> int:
        """Turns that the next run will continue."""
        return len(self.source.job.lane.turns.open) if self.source.job else 0

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
                try:
                    self.landing.close()
                finally:
                    self.reactor.close()
                    if self.frontend is not None:
                        self.frontend.close()
                    self.source.identity.note(in_use=False)

    def _on_start(self) -> None:
        os.umask(private.UMASK)  # for those who run the flow by Bytewax's own means
        private.close_to_others(self.settings.job.data_dir)
        self.landing.start()  # Bytewax builds the sinks when the first row comes: a service may wait long

    def _on_pressure(self, name: str, pressed: bool) -> None:
        """Such calls may overtake each other, so what holds is asked for when they have come to the reactor."""
        if pressed:
            log.warning(
                "%d messages wait for the desktop %r (its setting `backlog`): its sessions' streams are not read%s",
                *(self.settings.desktops[name].backlog, name, _for_how_long(self.settings.desktops[name].max_pause)),
            )
        self.reactor.call(lambda: self._pressure.update(self.desktops.pressure))

    def _note_dead_letter(self, letter: DeadLetter) -> None:
        """What was given up of the vendor's own, as a row."""
        row = DeadLetterRow(letter.session_id, letter.turn, letter.at, "set_variables", letter.reason)
        self.landing.keep([row])

    def _frontend(self) -> Frontend:
        settings = self.settings
        return Frontend(
            settings.frontend,
            Admission(
                needs=self._vendor.needs, desktops=frozenset(settings.desktops), tenants=frozenset(settings.tenants)
            ),
            settings.job.data_dir / "callers",
            settings.job.lane,
            self._make_room,
            self._say,
        )

    def _say(self, what: What, language: str | None) -> str:
        """What a caller reads in place of an answer."""
        settings = self.settings
        return settings.fallback.to_callers(what, language or settings.window.language, settings.frontend.text(what))

    def _delivery(self) -> dict[str, Any]:
        """What has not been delivered, for /health."""
        own = {step: {"waiting": sink.undelivered} for step, sink in self.own.items()}
        return {"desktops": health.desktops(self.desktops.everyone()), "own": own}

    def _make_room(self) -> bool:
        return self.source.reserve.release()


def _for_how_long(max_pause: float) -> str:
    return f" for {max_pause:g} s, or until half are left" if max_pause else " until half are left"


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
