"""What each detector finds, what it leaves, and what it never holds longer than it says."""

from __future__ import annotations

import json
import pathlib

import pytest

from flows.moderation import Moderator, Policy
from flows.moderation.detectors.card import luhn
from flows.moderation.detectors.iban import mod_97
from flows.moderation.detectors.national import NATIONAL_IDS
from flows.moderation.plan import plan_of
from flows.moderation.policy import OPT_IN_TYPES, PII_TYPES

DATA = pathlib.Path(__file__).parents[2] / "shared" / "evaluation"


def found(text: str, policy: Policy | None = None) -> list[tuple[str, str]]:
    moderator = Moderator(policy or Policy())
    moderator.feed(text)
    moderator.flush()
    return [(text[f.start : f.end], f.category) for f in moderator.findings]


@pytest.mark.parametrize(
    ("text", "value", "category"),
    [
        ("pay with 4012 8888 8888 1881 please", "4012 8888 8888 1881", "CREDIT_CARD"),
        ("pay with 3714-496353-98431.", "3714-496353-98431", "CREDIT_CARD"),
        ("4 0 1 2 8 8 8 8 8 8 8 8 1 8 8 1", "4 0 1 2 8 8 8 8 8 8 8 8 1 8 8 1", "CREDIT_CARD"),
        ("4012\u200b8888\u200b8888\u200b1881", "4012\u200b8888\u200b8888\u200b1881", "CREDIT_CARD"),
        ("卡号4012888888881881是", "4012888888881881", "CREDIT_CARD"),
        ("رقم ٤٠١٢٨٨٨٨٨٨٨٨١٨٨١", "٤٠١٢٨٨٨٨٨٨٨٨١٨٨١", "CREDIT_CARD"),
        ("to gb29 nwbk 6016 1331 9268 19 now", "gb29 nwbk 6016 1331 9268 19", "IBAN_CODE"),
        ("NO9386011117947", "NO9386011117947", "IBAN_CODE"),
        ("his is 536-32-3065.", "536-32-3065", "US_SSN"),
        ("SSN: 536323065", "536323065", "US_SSN"),
        ("mail john.o'neill+x@mail.example.co.uk.", "john.o'neill+x@mail.example.co.uk", "EMAIL_ADDRESS"),
        ("müller@bücher.example", "müller@bücher.example", "EMAIL_ADDRESS"),
        ("请联系john@example.com谢谢", "john@example.com", "EMAIL_ADDRESS"),
        ("at 192.168.1.1/24, ok", "192.168.1.1/24", "IP_ADDRESS"),
        ("http://[2001:db8::1]/path", "2001:db8::1", "IP_ADDRESS"),
        ("fe80::1%eth0", "fe80::1%eth0", "IP_ADDRESS"),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.1", "IP_ADDRESS"),
        ("ring +44 (0)20 7123 4567 now", "+44 (0)20 7123 4567", "PHONE_NUMBER"),
        ("001-755-329-4431x12 it is", "001-755-329-4431x12", "PHONE_NUMBER"),
        ("(415) 555‑0132 ext. 42", "(415) 555‑0132 ext. 42", "PHONE_NUMBER"),
        ("Please call us at our office: 481 7531", "481 7531", "PHONE_NUMBER"),
        ("92 34 70 office", "92 34 70", "PHONE_NUMBER"),
        ("手机：13812345678", "13812345678", "PHONE_NUMBER"),
    ],
)
def test_it_is_found(text: str, value: str, category: str) -> None:
    assert found(text) == [(value, category)]


@pytest.mark.parametrize(
    "text",
    [
        "4012 8888 8888 1882",  # Luhn fails
        "0x4012888888881881 0.4012888888881881 ab4012888888881881",
        "9999999999999995",  # no issuer
        "GB29 NWBK 6016 1331 9268 10 DE89370400440532013001",  # mod 97 fails
        "000-12-3456 666-12-3456 912-12-3456 123-00-4567 123-45-0000",
        "info@example @home a@b hello-world",
        "version 1.2.3.4 and 256.1.1.1 and 1.2.3 and 01.02.03.04",
        "std::vector a :: Int items[::2] 12:34:56 aa:bb:cc:dd:ee:ff 1:2:3:4 12:34:56:78:9a:bc:de:f0",
        "(12) 1939-1945 and 2024-01-15 10:20 and 01.02.2024 and 3.14159265358979",
        "population 67500000, calls 1200000, area 9,984,670",
        "order number 12345678 and invoice 2024-555-1234-567",
        "article 4176333681165",  # a bar code that passes Luhn, too
        "Suite 080 East John, ME 00620 2004-08-24 08:10",
        "ISBN 978-3-16-148410-0, 0-306-40615-2",
        "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20",
        "sum 15 + 15 + 15 = 45; call me in 2024 2025 2026",
        "550e8400-e29b-41d4-a716-446655440000",
    ],
)
def test_it_is_left_alone(text: str) -> None:
    assert found(text) == []


def test_a_region_makes_its_national_numbers_found() -> None:
    assert found("also 030 123 45 today") == []
    assert found("also 061 123 456 today", Policy(region="BA")) == [("061 123 456", "PHONE_NUMBER")]
    assert found("also 24101234 today", Policy(region="DK")) == [("24101234", "PHONE_NUMBER")]
    assert found("also 32 12 34 56 today", Policy(region="DK")) == [("32 12 34 56", "PHONE_NUMBER")]


def test_a_telling_word_works_over_forty_characters_and_no_more() -> None:
    near, far = "x" * 33, "x" * 40
    assert found(f"call {near} 481 7531")
    assert not found(f"call {far} 481 7531")


def test_only_the_types_asked_for_are_looked_for() -> None:
    assert found("a@b.de 4012888888881881", Policy(pii=("CREDIT_CARD",))) == [("4012888888881881", "CREDIT_CARD")]
    assert found("a@b.de 4012888888881881", Policy(pii=())) == []


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("AU_TFN", "876 543 210"),
        ("BR_CPF", "529.982.247-25"),
        ("CA_SIN", "130 692 544"),
        ("CN_RESIDENT_ID", "11010519491231002X"),
        ("DE_TAX_ID", "86095742719"),
        ("ES_NIE", "X9613851N"),
        ("ES_NIF", "55555555K"),
        ("FI_PERSONAL_IDENTITY_CODE", "131052-308T"),
        ("FR_NIR", "2 55 08 14 168 025 38"),
        ("IN_AADHAAR", "3123 4567 8909"),
        ("IT_FISCAL_CODE", "RSSMRA85T10A562S"),
        ("NL_BSN", "111222333"),
        ("PL_PESEL", "44051401359"),
        ("SE_PERSONNUMMER", "811218-9876"),
        ("SG_NRIC_FIN", "S1234567D"),
        ("TR_NATIONAL_ID", "10000000146"),
        ("UK_NHS", "943 476 5919"),
        ("ZA_ID_NUMBER", "8001015009087"),
        ("SECRET", "ghp_0123456789abcdefghijABCDEFGHIJ012345"),
        ("SECRET", "AKIAIOSFODNN7EXAMPLE"),
        ("URL_CREDENTIALS", "postgres://me:hunter2@db.example.org"),
    ],
)
def test_opt_ins_are_found_and_checked(kind: str, value: str) -> None:
    policy = Policy(pii=(kind,))
    assert found(f"so {value} it is", policy) == [(value, kind)]
    last = value[-1]
    wrong = value[:-1] + ("B" if last != "B" else "C") if last.isalpha() else value[:-1] + str((int(last) + 1) % 10)
    if kind in NATIONAL_IDS:
        assert found(f"so {wrong} it is", policy) == []


def test_checks() -> None:
    assert luhn("4012888888881881")
    assert not luhn("4012888888881882")
    assert mod_97("GB29NWBK60161331926819")


@pytest.mark.parametrize("kind", [*PII_TYPES, *OPT_IN_TYPES])
@pytest.mark.parametrize(
    "text",
    [
        "1 2 3 4 5 " * 60,
        "12" * 300,
        "a1" * 300,
        "a." * 300,
        "a@b." * 150,
        "ab:" * 200,
        "+1" * 300,
        "x@" + "y" * 600,
        "GB2" * 200,
    ],
)
def test_no_detector_holds_more_than_its_bound(kind: str, text: str) -> None:
    policy = Policy(pii=(kind,), max_hold_chars=10_000)
    plan = plan_of(policy)
    (detector,) = plan.triggered + plan.steady
    moderator = Moderator(policy)
    for char in text:
        moderator.feed(char)
        assert moderator.held <= 2 * detector.bound + 66
        assert len(moderator._readings.came.text) <= 3000


@pytest.mark.parametrize("group", ["unit", "large", "phones"])
def test_recall_and_precision_on_labelled_text(group: str) -> None:
    path = DATA / "pii.jsonl"
    if not path.exists():
        pytest.skip("no pii.jsonl here")
    names = {"unit": "microsoft/presidio:", "large": "generated_large", "phones": "phonenumbers"}
    hit = total = wrong = predicted = 0
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if names[group] not in row["source"] or (group == "unit" and row["type"] not in PII_TYPES):
            continue
        if group == "phones" and row["fmt"] not in (0, 1):
            continue
        moderator = Moderator(Policy())
        moderator.feed(row["text"])
        moderator.flush()
        gold = [(s["start"], s["end"]) for s in row["spans"] if s["type"] in PII_TYPES]
        spans = [(f.start, f.end) for f in moderator.findings]
        total += len(gold)
        hit += sum(any(a <= x and y <= b for a, b in spans) for x, y in gold)
        predicted += len(spans)
        wrong += sum(not any(a < y and x < b for x, y in gold) for a, b in spans)
    assert hit / total >= {"unit": 0.99, "large": 0.95, "phones": 0.98}[group]
    assert group == "unit" or 1 - wrong / predicted >= 0.97
