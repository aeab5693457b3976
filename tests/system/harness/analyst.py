"""An analyst who holds the database open now and then."""

from __future__ import annotations

import contextlib
import random
import time
from pathlib import Path
from typing import Any

from connectors.errors import InputError
from connectors.metrics import open_metrics


class Analyst:
    """Opens the metrics, keeps them open for a while, and lets go."""

    def __init__(self, data_dir: Path, rng: random.Random) -> None:
        self._data_dir = data_dir
        self._rng = random.Random(rng.random())
        self._open: Any = None
        self._next = time.monotonic() + 3

    def step(self) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + self._rng.uniform(0.5, 4)
        if self._open is not None:
            self.close()
        else:
            with contextlib.suppress(InputError):  # not landed yet
                self._open = open_metrics(self._data_dir)

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None
