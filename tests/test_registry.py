"""connectors.vendors.registry: which vendors there are, and that none from outside can harm the others."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from connectors.errors import InputError
from connectors.vendors import registry
from connectors.vendors.base import Vendor
from flows.settings import Settings


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
