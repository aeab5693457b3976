"""The vendors there are: those built in, and those that installed packages bring.

Rules
- Built in is every folder beside this file that has a `vendor.py` with a `VENDOR`.
- A package brings more under the entry points `tokenweir.vendors`, each a `Vendor` (docs: CONTRIBUTING.md).
- One that cannot be imported, or whose name is taken, is left out (connectors/packages.py), and its name is unknown.
"""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Any, Final

from connectors import packages
from connectors import vendors as here
from connectors.disk import private
from connectors.errors import InputError
from connectors.vendors.base import Vendor

GROUP: Final = "tokenweir.vendors"

RESERVED: Final = frozenset(
    "job desktops window fallback moderation detectors blocklist_file tenants log metrics prices slo frontend".split()  # noqa: SIM905  # one line to read
)
"""Sections of everybody's; tests hold this to flows.settings.Settings."""

STEPS: Final = frozenset(
    "read_log reassemble split_sentences moderate measure deliver serve_callers land_metrics ask_detectors "  # noqa: SIM905  # lines to read
    "take_messages take_shown take_rows take_dialog_updates take_questions".split()
)
"""Step ids of everybody's flow."""

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")


@cache
def known() -> Mapping[str, Vendor]:
    """All vendors by name, the built-in ones first."""
    found = {}
    for module in pkgutil.iter_modules(here.__path__):
        if module.ispkg:
            vendor: Vendor = import_module(f"{here.__name__}.{module.name}.vendor").VENDOR
            found[vendor.name] = vendor

    def take(vendor: Any) -> None:
        _check(vendor, found)
        found[vendor.name] = vendor

    packages.take_each(GROUP, "vendor", take)
    return found


def journals() -> Mapping[str, str]:
    """Those of all vendors' own sinks; see `Vendor.journals`."""
    return {step: folder for vendor in known().values() for step, folder in vendor.journals.items()}


def named(name: str, where: str = "") -> Vendor:
    """The vendor of that name. Raises InputError; `where` says what named it."""
    if name not in known():
        of = f"{where} is of the vendor {name!r}" if where else f"no vendor {name!r}"
        raise InputError(f"{of}; this tokenweir knows {', '.join(known())}")
    return known()[name]


def _check(vendor: object, found: Mapping[str, Vendor]) -> None:
    if not isinstance(vendor, Vendor):
        raise TypeError("an entry point must give an instance of a subclass of Vendor")
    if not _NAME.fullmatch(vendor.name):
        raise ValueError("its name should be small letters, digits and _")
    if not (vendor.title and vendor.about):
        raise ValueError("its title and about should say what it is")
    if vendor.name in found:
        raise ValueError(f"there is a vendor {vendor.name!r} already")
    if taken := {section for each in found.values() for section in each.sections} & set(vendor.sections):
        raise ValueError(f"its section [{min(taken)}] is another vendor's")
    if reserved := RESERVED & set(vendor.sections):
        raise ValueError(f"its section [{min(reserved)}] is tokenweir's own")
    if variables := {name for each in found.values() for name in each.environment} & set(vendor.environment):
        raise ValueError(f"its variable {min(variables)} is another vendor's")
    theirs = {each for other in found.values() for pair in other.journals.items() for each in pair}
    for name in (each for pair in vendor.journals.items() for each in pair):
        if not _NAME.fullmatch(name) or name in theirs | STEPS | {*private.FOLDERS}:
            raise ValueError(f"its journal's {name!r} is another's, or not in small letters, digits and _")
    for kind in vendor.sections.values():
        kind()  # every setting needs a default: other vendors' jobs have this section, too
