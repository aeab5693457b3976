"""The kinds of e-mail addresses, IP addresses and cards, and what only looks like one, under every two-way cut."""

from __future__ import annotations

import itertools

import pytest

from flows.moderation import Moderator, Policy
from flows.moderation.detectors.card import luhn

MARK = "[REDACTED]"


def shown(kind: str, *pieces: str) -> str:
    moderator = Moderator(Policy(pii=(kind,)))
    return "".join(map(moderator.feed, pieces)) + moderator.flush()


def check(kind: str, text: str, wanted: str) -> None:
    assert shown(kind, text) == wanted
    assert shown(kind, *text) == wanted
    for at in range(1, len(text)):
        assert shown(kind, text[:at], text[at:]) == wanted


@pytest.mark.parametrize(
    "text",
    [
        # letters of every script on both sides (RFC 6531)
        "Pelé@example.com",
        "δοκιμή@παράδειγμα.δοκιμή",
        "медведь@с-балалайкой.рф",
        "संपर्क@डाटामेल.भारत",
        "اتصال@مثال.إختبار",
        "שלום@דוגמה.ישראל",
        "정보@예시.한국",
        "我買@屋企.香港",
        "二ノ宮@黒川.日本",
        "ผู้ใช้@ตัวอย่าง.ไทย",
        "ქართული@მაგალითი.გე",
        "nguyễn@ví-dụ.vn",
        # signs of a local part
        "r&d@example.com",
        "a=b@example.org",
        "#x@example.org",
        "x#1+tag@mail.example.org",
        "who?not@example.net",
        "o'neill_x-y@exämple.fr",
        "a~b^c!d$e%f@example.com",
    ],
)
def test_an_address_is_found_whole(text: str) -> None:
    check("EMAIL_ADDRESS", text, MARK)
    check("EMAIL_ADDRESS", f"write to {text}, or not", f"write to {MARK}, or not")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("jane@example.com- she said", f"{MARK}- she said"),
        ("jane@example.com-please, a@b.com-x.de", f"{MARK}-please, {MARK}"),
        ("jane@example.com—now", f"{MARK}—now"),
        ("邮箱：用户@例子.公司谢谢", f"邮箱：{MARK}谢谢"),
        (
            "好的，我们的客服邮箱用户@例子.公司谢谢",
            f"好的，我们的客服邮箱用户{MARK}谢谢",
        ),  # it may begin anywhere
        ("请联系john@example.com谢谢", f"请联系{MARK}谢谢"),
        ("email=jane@example.com&cc=bob@example.com&n=1", f"email={MARK}&cc={MARK}&n=1"),
        ("https://x.org/p?q=1&who=jane@example.com", f"https://x.org/p?q=1&who={MARK}"),
        ("*jane@example.com* {bo@example.com} |al@example.com|", f"*{MARK}* {{{MARK}}} |{MARK}|"),
        ("jane@example.com.pdf", MARK),
        ("logo@2x.png, icon@1.5x.webp, hero@3x.min.jpg", None),
        ("js@latest.min and lodash@4.17.21 and node@20.alpine and x@next.js", None),
        ("@user said hello@home, 小明@张三.好的", None),
        ("foo.@example.com", None),
    ],
)
def test_what_stands_around_an_address_stays(text: str, wanted: str | None) -> None:
    check("EMAIL_ADDRESS", text, text if wanted is None else wanted)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("ip:2001:db8::1 host:fe80::1%eth0", f"ip:{MARK} host:{MARK}"),
        ("peer-addr:2001:DB8::9, IP:::1", f"peer-addr:{MARK}, IP:{MARK}"),
        ("адрес:2001:db8::8 地址:2001:db8::7", f"адрес:{MARK} 地址:{MARK}"),
        ("src:::ffff:10.0.0.1 dst:10.0.0.2:80", f"src:{MARK} dst:{MARK}:80"),
        ("http://[a::b]/ and ip a::b and a::b/64", f"http://[{MARK}]/ and ip {MARK} and {MARK}"),
        ("at 10.0.0.1. Then 10.0.0.2.", f"at {MARK}. Then {MARK}."),
        ("a::b, abc::def, dead::beef, fe::, items[a::b]", None),
        ("OID 1.3.6.1.4.1.311, 2.5.4.3.1", None),
        ("1.2.3.4.5, and 10.0.0.1.2.", None),
        ("192.168.1.1.1", f"{MARK}.1"),
        ("text2001:db8::1 12345:db8::1", None),
        ("ns1:2001:db8::1 interface:fe80::2", f"ns1:{MARK} interface:{MARK}"),
        ("time:12:34:56 mac:00:1B:44:11:3A:B7", None),
    ],
)
def test_an_ip_address_is_told_from_what_is_written_alike(text: str, wanted: str | None) -> None:
    check("IP_ADDRESS", text, text if wanted is None else wanted)


def card(prefix: str, size: int) -> str:
    body = (prefix + "0123456789876543210")[: size - 1]
    return next(body + digit for digit in "0123456789" if luhn(body + digit))


def grouped(number: str, *sizes: int, sign: str = " ") -> str:
    ends = list(itertools.accumulate(sizes))
    return sign.join(number[end - size : end] for size, end in zip(sizes, ends, strict=True))


CARDS = {
    "Napas": grouped(card("970436", 16), 4, 4, 4, 4),
    "Napas, 19": card("970415", 19),
    "Uzcard": grouped(card("860012", 16), 4, 4, 4, 4, sign="-"),
    "Uzcard, co-branded": card("561468", 16),
    "Humo": grouped(card("986001", 16), 4, 4, 4, 4),
    "Belkart": grouped(card("911200", 16), 4, 4, 4, 4),
    "Elcart": card("941700", 16),
    "ArCa": card("905100", 16),
    "UATP": grouped(card("135412", 15), 4, 5, 6),
    "UATP, bare": card("108210", 15),
    "17 digits": grouped(card("501800", 17), 4, 4, 4, 5),
    "18 digits": grouped(card("630412", 18), 4, 4, 4, 6),
    "19 digits": grouped(card("622202", 19), 4, 4, 4, 7),
    "19 digits, Visa": grouped(card("453201", 19), 4, 4, 4, 7, sign="-"),
}


@pytest.mark.parametrize("name", CARDS)
def test_a_card_of_every_scheme_is_found(name: str) -> None:
    check("CREDIT_CARD", f"so {CARDS[name]}, please", f"so {MARK}, please")
    last = CARDS[name][-1]
    wrong = f"so {CARDS[name][:-1]}{(int(last) + 1) % 10}, please"
    assert shown("CREDIT_CARD", wrong) == wrong


@pytest.mark.parametrize(
    "uuid",
    [
        f"550e8400-e29b-41d4-a716-{card('6304', 12)}",
        f"12345678-{grouped(card('6304', 12), 4, 4, 4, sign='-')}-446655440000",
        f"ABCDEF01-2345-4678-9012-{card('5018', 12)}",
    ],
)
def test_no_part_of_a_uuid_is_a_card(uuid: str) -> None:
    check("CREDIT_CARD", f"id {uuid} is known", f"id {uuid} is known")
