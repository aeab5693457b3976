"""One run: everything begins, goes wrong, ends, and is compared."""

from __future__ import annotations

import contextlib
import os
import random
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol

from connectors.vendors.cxone.settings import CXoneSettings
from tests.system.harness.analyst import Analyst
from tests.system.harness.away import Away
from tests.system.harness.compare import compare
from tests.system.harness.desktops import DESKTOPS
from tests.system.harness.disk import RESERVE, Disk
from tests.system.harness.driver import Driver
from tests.system.harness.plan import VENDORS, Plan
from tests.system.harness.report import Report
from tests.system.harness.service import TICK, Service
from tests.system.harness.settings import write_settings
from tests.system.harness.streams import IDS, known_ids, sessions_of
from tests.system.harness.viewers import Viewers
from tests.system.harness.world import World

STUCK_AFTER: Final = 60.0
"""Seconds without any progress after which a run is given up."""

TELL_EVERY: Final = 15.0

STALLED_AFTER: Final = 2.0

SHORT_QUEUE: Final = 16
"""Messages, or one a session: what is settled does not fit into it, and what a session has under way does."""

IMPATIENT: Final = {"resume_grace": 0.3, "idle_timeout": 2.0, "overall_timeout": 5.0}
"""Callers' patience: a viewer who counted as a caller would end a turn with each of these."""


class Steps(Protocol):
    """What goes on, a step at a time."""

    def step(self) -> None: ...


def run(plan: Plan, folder: Path, tell: Callable[[str], object] = lambda _: None) -> Report:
    """Run the plan in an empty folder."""
    rng = random.Random(plan.seed)
    corpus, sessions = sessions_of(plan, rng)
    report = Report(plan.seed, {vendor: [] for vendor in VENDORS})
    with contextlib.ExitStack() as stack:
        disk = Disk(folder / "disk", rng) if "disk" in plan.features else None
        if disk:
            stack.callback(disk.close)
        data_dir = (disk.path if disk else folder) / "data"
        world = stack.enter_context(World(corpus, plan.pace, general="503=2:on=token"))
        drivers = []
        for vendor in VENDORS:
            service = Service(vendor, _settings(plan, vendor, world, data_dir), folder / f"{vendor}.stderr")
            stack.callback(service.close)
            excused = partial(_excuses, disk)
            drivers.append(Driver(service, plan, sessions[vendor], data_dir, world, rng, excused))
        watched = drivers if "viewers" in plan.features else []
        viewers = [Viewers(world, each.service, each.sessions, rng) for each in watched]
        away = [
            Away(world, name, rng, partial(_all_know, drivers, name))
            for name, each in DESKTOPS.items()
            if each.goes and "away" in plan.features
        ]
        analyst = Analyst(data_dir, rng)
        begun = time.monotonic()
        _loop(plan, drivers, [*viewers, *away, analyst, *([disk] if disk else [])], report, tell)
        for each in (*away, analyst):
            each.close()
        if disk:
            disk.make_room()
        for driver in drivers:
            driver.finish()
            report.differences += driver.differences
        report.seconds = time.monotonic() - begun
        _note(report, plan, drivers, away, viewers, disk)
        compare(report, world, drivers, data_dir, time.monotonic() - time.time())
        for driver, theirs in zip(drivers, viewers, strict=False):
            report.differences += theirs.differences(driver.stored)
    return report


def _settings(plan: Plan, vendor: str, world: World, data_dir: Path) -> Path:
    frontend: dict[str, Any] = {"port": 0, "stalled_after": STALLED_AFTER}
    if "viewers" in plan.features:
        frontend |= IMPATIENT
    more: dict[str, dict[str, Any]] = {"frontend": frontend}
    if "disk" in plan.features:
        more["log"] = {"reserve_bytes": RESERVE}
    if "resumes" in CXoneSettings.__struct_fields__:
        more["cxone"] = {"resumes": plan.resumes}
    desktop = {"queue": max(SHORT_QUEUE, plan.share(vendor).sessions)} if "settled" in plan.features else {}
    return write_settings(world, data_dir, vendor, desktop=desktop, **more)


def _excuses(disk: Disk | None) -> bool:
    return disk is not None and disk.excuses


def _all_know(drivers: Sequence[Driver], desktop: str) -> bool:
    """Whether every service that has sessions for it has had an acknowledgement of it."""
    theirs = [driver for driver in drivers if driver.service.vendor in DESKTOPS[desktop].vendors]
    return all(desktop in driver.stored.acknowledging for driver in theirs)


def _loop(
    plan: Plan, drivers: Sequence[Driver], others: Sequence[Steps], report: Report, tell: Callable[[str], object]
) -> None:
    """Until all is done, or nothing moves any more, or the time is over."""
    begun = said = progressed = time.monotonic()
    state: object = None
    while not all(driver.done for driver in drivers):
        time.sleep(TICK)
        for each in (*drivers, *others):
            each.step()
        now = time.monotonic()
        if state != (state := [driver.progress for driver in drivers]):
            progressed = now
        if now - said > TELL_EVERY:
            said = now
            tell(f"{now - begun:.0f} s: " + "; ".join(driver.state for driver in drivers))
        if now - progressed > STUCK_AFTER or now - begun > plan.within:
            report.differences.append(f"not done after {now - begun:.0f} s: {[driver.state for driver in drivers]}")
            break


def _note(
    report: Report,
    plan: Plan,
    drivers: Sequence[Driver],
    away: Sequence[Away],
    viewers: Sequence[Viewers],
    disk: Disk | None,
) -> None:
    """What went on beside the kills."""
    report.mid_stream = {driver.service.vendor: driver.mid_stream for driver in drivers}
    report.load = os.getloadavg()[0] / (os.cpu_count() or 1)
    report.faults["stops"] = sum(driver.stops for driver in drivers)
    report.faults["unread consoles"] = sum(driver.unread for driver in drivers)
    report.faults["absences of desktops"] = sum(each.absences for each in away)
    report.faults["viewers"] = sum(len(each.seen) for each in viewers)
    if disk:
        report.faults["full disks"] = disk.periods
        report.faults["ends for want of room"] = sum(driver.gave_up for driver in drivers)
        if not disk.mounted:
            report.left_out.append("disk: this process may not mount a small one")
    if "ids" in plan.features and (missing := IDS.keys() - set(known_ids())):
        report.left_out.append(f"ids: the simulator has no word for {', '.join(sorted(missing))}")
