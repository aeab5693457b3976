"""Desktops that go away and come back."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Final

from tests.system.harness.desktops import DESKTOPS
from tests.system.harness.world import World

SHOWN_WITHIN: Final = (1.0, 3.0)
"""Seconds after its first acknowledgement: what pongs had confirmed before is shown by then, and not lost."""


class Away:
    """One desktop's absences: mostly short, some longer than any back-off. `absences` counts them.

    believed  whether every service knows that it acknowledges; before, one that loses what it had not shown stays
    """

    def __init__(self, world: World, name: str, rng: random.Random, believed: Callable[[], bool]) -> None:
        self._world = world
        self._name = name
        self._believed = believed
        self._losing = DESKTOPS[name].goes == "crashes"
        self._calm = self._losing
        self._rng = random.Random(rng.random())
        self.absences = 0
        self._away = False
        self._next = time.monotonic() + self._rng.uniform(1, 4)

    def step(self) -> None:
        if time.monotonic() < self._next:
            return
        if self._away:
            self._return()
            span = (0.2, 2.0) if self._losing else (0.5, 8.0)
        elif self._calm:
            self._calm = not self._believed()
            span = (0.2, 0.2) if self._calm else SHOWN_WITHIN
        else:
            self._world.reactor.run(_call(self._world, self._name, self._losing))
            self._away = True
            self.absences += 1
            span = (2.0, 4.0) if self._rng.random() < 0.2 else (0.05, 0.8)
        self._next = time.monotonic() + self._rng.uniform(*span)

    def close(self) -> None:
        """Come back, for good."""
        if self._away:
            self._return()

    def _return(self) -> None:
        self._world.reactor.run(self._world.desktops[self._name].revive())
        self._away = False


async def _call(world: World, name: str, losing: bool) -> None:
    world.desktops[name].die(losing=losing)
