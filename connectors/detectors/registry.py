"""The kinds of remote detectors there are: the one built in, and those that installed packages bring.

Rules
- A package brings more under the entry points `tokenweir.detectors`, each a subclass of `DetectorSettings` whose `kind`
  has the kind's name for a default, as in `kind: Literal["grpc"] = "grpc"`.
- One that cannot be imported, or whose name is taken, is left out (connectors/packages.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import msgspec

from connectors import packages
from connectors.detectors.base import DetectorSettings
from connectors.detectors.settings import HttpDetectorSettings

GROUP: Final = "tokenweir.detectors"

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")


@cache
def kinds() -> Mapping[str, type[DetectorSettings]]:
    """All kinds by name, the built-in one first."""
    found: dict[str, type[DetectorSettings]] = {"http": HttpDetectorSettings}

    def take(kind: Any) -> None:
        found[_check(kind, found)] = kind

    packages.take_each(GROUP, "kind of detector", take)
    return found


def _check(kind: Any, found: Mapping[str, type[DetectorSettings]]) -> str:
    """The name of a kind. Raises for one that cannot serve."""
    if not (isinstance(kind, type) and issubclass(kind, DetectorSettings)):
        raise TypeError("an entry point must give a subclass of DetectorSettings")
    name = next(field.default for field in msgspec.structs.fields(kind) if field.name == "kind")
    if not (isinstance(name, str) and _NAME.fullmatch(name)):
        raise ValueError("its kind should have a default of small letters, digits and _")
    if name in found:
        raise ValueError(f"there is a kind {name!r} already")
    if kind.detector is DetectorSettings.detector:
        raise ValueError("it makes no detector")
    return name
