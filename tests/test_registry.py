"""connectors.vendors.registry: which vendors there are, and that none from outside can harm the others."""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connectors.errors import InputError
from connectors.vendors import registry
from connectors.vendors.base import Vendor
from flows.settings import Settings

ROOT = Path(__file__).parents[1]


class _Section(msgspec.Struct, frozen=True):
    key: str = ""


class _Demanding(msgspec.Struct, frozen=True):
    key: str


class Good(Vendor):
    name = "good"
    title = "Good"
    about = "Good's streams."
    sections = {"good": _Section}


def changed(**fields: Any) -> Vendor:
    return type("Changed", (Good,), fields)()


def test_a_good_one_is_taken() -> None:
    registry._check(Good(), registry.known())


@pytest.mark.parametrize(
    ("vendor", "said"),
    [
        (object(), "instance of a subclass of Vendor"),
        (changed(name="Bad Name"), "small letters"),
        (changed(name="cxone"), "there is a vendor 'cxone' already"),
        (changed(about=""), "should say what it is"),
        (changed(sections={"cognigy": _Section}), r"\[cognigy\] is another vendor's"),
        (changed(sections={"metrics": _Section}), r"\[metrics\] is tokenweir's own"),
        (changed(environment={"CXONE_BASE_URL": ("good", "key")}), "CXONE_BASE_URL is another vendor's"),
        (changed(journals={"good": "log"}), "'log' is another's"),
        (changed(journals={"deliver": "good"}), "'deliver' is another's"),
        (changed(journals={"set_variables": "good"}), "'set_variables' is another's"),
        (changed(journals={"good": "../good"}), "small letters"),
        (changed(sections={"good": _Demanding}), "key"),
    ],
)
def test_one_that_would_harm_others_is_refused(vendor: object, said: str) -> None:
    with pytest.raises((TypeError, ValueError, AttributeError), match=said):
        registry._check(vendor, registry.known())


def test_the_sections_of_everybody_are_those_of_the_settings() -> None:
    assert {field.name for field in msgspec.structs.fields(Settings)} == registry.RESERVED


def test_an_unknown_vendor_is_named_with_those_that_are_known() -> None:
    with pytest.raises(InputError, match=r"x\.jsonl is of the vendor 'nobody'; this tokenweir knows .*cxone"):
        registry.named("nobody", "x.jsonl")


FLOWS = ("flows/cognigy.py", "flows/cxone.py", "flows/openai.py")
"""A vendor's own flow, for `python -m bytewax.run`."""
NAMED = {"tokenweir/simulate.py": {"cxone"}}
"""What is simulated where nobody says what."""
OTHERS = ("flows/recordings/", "flows/moderation/tables/")
"""Captures' formats and makers of keys may be called the same; and bare tokens must become somebody's frames."""


def test_nothing_outside_a_vendors_folder_names_it() -> None:
    built_in = {"cognigy", "cxone", "openai"}
    said: dict[str, set[str]] = {}
    rooms = ("connectors", "flows", "analytics", "tokenweir")
    for path in (path for room in rooms for path in ROOT.glob(f"{room}/**/*.py")):
        where = str(path.relative_to(ROOT))
        is_its_own = where.startswith("connectors/vendors/") and path.parent.name in built_in
        if is_its_own or where in FLOWS or where.startswith(OTHERS):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            match node:
                case ast.Constant(value=str(text)) if text in built_in:
                    said.setdefault(where, set()).add(text)
                case ast.ImportFrom(module=str(module)) if built_in & {*module.split(".")}:
                    said.setdefault(where, set()).update(built_in & {*module.split(".")})
                case _:
                    pass
    assert said == NAMED


@pytest.mark.parametrize("name", [Path(each).stem for each in FLOWS])
def test_a_vendor_has_a_flow_whose_steps_are_everybodys_or_its_own(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    flow = import_module(f"flows.{name}").flow()
    steps = {step.step_id.rpartition(".")[2] for step in flow.substeps}
    assert steps <= registry.STEPS | registry.named(name).journals.keys()
    assert {"read_log", "serve_callers", "land_metrics"} <= steps
