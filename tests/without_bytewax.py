"""A pytest plugin (`-p tests.without_bytewax`) that takes Bytewax away, as on a Python that it has no wheels for."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType


class NoBytewax(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] == "bytewax":
            raise ModuleNotFoundError("No module named 'bytewax'", name=fullname)
        return None


assert "bytewax" not in sys.modules, "too late"
sys.meta_path.insert(0, NoBytewax())
