from __future__ import annotations

import copy
import logging
import pickle

import msgspec
import pytest

from connectors.secret import Secret, decode_secret


class Account(msgspec.Struct, frozen=True):
    name: str
    key: Secret = Secret("")


def test_nothing_that_prints_shows_the_value(caplog: pytest.LogCaptureFixture) -> None:
    account = Account("a", Secret("hunter2"))
    logging.getLogger("x").warning("%s %r %s", account.key, account.key, account)
    shown = [repr(account), str(account.key), f"{account.key}", f"{account.key!r:>20}"]
    assert not any("hunter2" in text for text in (*shown, caplog.text))
    assert account.key.reveal() == "hunter2"


def test_it_is_read_from_settings_and_written_masked() -> None:
    account = msgspec.toml.decode('name = "a"\nkey = "hunter2"', type=Account, dec_hook=decode_secret)
    assert account.key.reveal() == "hunter2"
    assert msgspec.json.encode(account, enc_hook=str) == b'{"name":"a","key":"********"}'


def test_another_kind_of_value_is_refused_with_the_place_and_without_the_value() -> None:
    with pytest.raises(msgspec.ValidationError, match=r"expected text - at `\$.key`") as caught:
        msgspec.json.decode(b'{"name":"a","key":4711}', type=Account, dec_hook=decode_secret)
    assert "4711" not in str(caught.value)


def test_empty_counts_as_absent_and_equal_ones_are_equal() -> None:
    assert not Account("a").key
    assert Secret("x")
    assert Secret("ü") == Secret("ü")
    assert Secret("x") != Secret("y")
    assert Secret("x") != "x"
    assert len({Secret("x"), Secret("x")}) == 1


@pytest.mark.parametrize("leak", [pickle.dumps, copy.deepcopy])
def test_it_is_not_pickled(leak: object) -> None:
    with pytest.raises(TypeError, match="a Secret is not pickled"):
        leak(Secret("hunter2"))  # type: ignore[operator] # one of the two above
