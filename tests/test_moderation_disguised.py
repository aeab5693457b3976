"""Values that are read out or encoded: opt-ins, off by default, that find each disguise and little else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from flows.moderation import Moderator, Policy
from flows.moderation.policy import DISGUISED_TYPES, PII_TYPES

MARK = "[REDACTED]"
NEAR = (Path(__file__).parent / "texts" / "no_disguises.txt").read_text(encoding="utf-8").splitlines()


def shown(policy: Policy, *pieces: str) -> str:
    moderator = Moderator(policy)
    return "".join(map(moderator.feed, pieces)) + moderator.flush()


def check(kind: str, text: str, wanted: str) -> None:
    policy = Policy(pii=(kind,))
    assert shown(policy, text) == wanted
    assert shown(policy, *text) == wanted
    for at in range(1, len(text)):
        assert shown(policy, text[:at], text[at:]) == wanted


SPOKEN_NUMBERS = (
    "four one one one, one one one one, one one one one, one one one two",
    "oh two oh seven nine four six oh nine five eight",
    "double seven triple five one two three four",
    "Zero-Seven-Seven-Zero-Zero-Nine-Zero-One-Two-Three",
    "one eight hundred five five five one two one two",
    "five fifty-five, oh one thirty-two",
    "nine\nfour\nthree\nfour\nseven\nsix\nfive\nnine\none\nnine",
    "null eins sieben eins zwo drei vier fünf sechs",
    "zéro, six, un, deux, trois, quatre, cinq, six, sept, huit",
    "seis uno dos tres doble cuatro cinco",
    "zero tre due otto uno cinque nove sei",
    "nove um dois meia oito sete três quatro",
    "nul zes een twee drie vier vijf acht",
    "pięć zero jeden dwa trzy cztery sześć osiem",
    "noll sju noll ett två tre fyra sju",
)
SPOKEN_EMAILS = (
    "jane at example dot com",
    "jane dot doe at mail dot example dot co dot uk",
    "Bob underscore Smith99 at my dash corp dot org",
    "jane (at) example (dot) com",
    "jane.doe [at] example [dot] com",
    "élodie arobase exemple point fr",
    "jürgen punkt groß ät firma bindestrich nord punkt de",
    "maría arroba ejemplo punto es",
    "luca chiocciola esempio punto it",
    "joão arroba exemplo ponto pt",
)
DICTATED = (
    "4\n0\n1\n2\n8\n8\n8\n8\n8\n8\n8\n8\n1\n8\n8\n1",
    "0\r\n7\r\n7\r\n0\r\n0\r\n9\r\n0\r\n1",
    "5,\n3,\n6,\n3,\n2,\n3,\n0,\n6,\n5",
    "9\n\n4\n\n3\n\n4\n\n7\n\n6\n\n5",
    "٤\n٠\n١\n٢\n٨\n٨\n٨\n٨",
)
VALUES = (
    "jane@example.com",
    "müller@bücher.example",
    "4012 8888 8888 1881",
    "+44 20 7123 4567",
    "536-32-3065",
    "10.0.0.1",
)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        *(("SPOKEN_NUMBER", value) for value in SPOKEN_NUMBERS),
        *(("SPOKEN_EMAIL", value) for value in SPOKEN_EMAILS),
        *(("DICTATED_DIGITS", value) for value in DICTATED),
        ("DICTATED_DIGITS", "4\n- 1\n- 1\n- 8\n- 1\n- 1\n- 7"),
    ],
)
def test_what_is_read_out_is_found_whole(kind: str, value: str) -> None:
    check(kind, f"so: {value}, ok", f"so: {MARK}, ok")


def every_other(value: str) -> str:
    return "".join(f"&#{ord(char)};" if i % 2 else char for i, char in enumerate(value))


ENCODINGS: dict[str, Callable[[str], str]] = {
    "percent": quote,
    "percent twice": lambda value: quote(quote(value, safe=""), safe=""),
    "percent, all": lambda value: "".join(f"%{byte:02X}" for byte in value.encode()),
    "entities": lambda value: "".join(f"&#{ord(char)};" for char in value),
    "entities in hex": lambda value: "".join(f"&#x{ord(char):x};" for char in value),
    "entities, half": every_other,
}


@pytest.mark.parametrize("name", ENCODINGS)
def test_an_encoded_value_is_found(name: str) -> None:
    coded = {value: ENCODINGS[name](value) for value in VALUES}
    for value in VALUES:
        if coded[value] != value:
            check("ENCODED_VALUE", f"so ({coded[value]}) it is", f"so ({MARK}) it is")
    assert sum(coded[value] != value for value in VALUES) >= 4


def test_in_a_url_the_rest_of_it_stays() -> None:
    text = "https://example.org/find?who=jane%40example.com&page=2%2C3"
    check("ENCODED_VALUE", text, f"https://example.org/find?who={MARK}&page=2%2C3")
    check("ENCODED_VALUE", "jane&commat;example&period;com!", f"{MARK}!")


def test_what_is_not_encoded_is_left_to_its_own_type() -> None:
    check("ENCODED_VALUE", "a%20b jane@example.com 10.0.0.1%20", "a%20b jane@example.com 10.0.0.1%20")


@pytest.mark.parametrize("kind", DISGUISED_TYPES)
def test_what_only_sounds_like_it_is_left_alone(kind: str) -> None:
    for line in NEAR:
        text = line.replace(r"\n", "\n")
        assert shown(Policy(pii=(kind,)), text) == text


def test_they_are_off_by_default() -> None:
    assert not set(DISGUISED_TYPES) & set(Policy().pii)
    assert Policy().pii == PII_TYPES
    text = "jane at example dot com, jane%40example.com, oh two oh seven nine four six oh nine"
    assert shown(Policy(), text) == text
