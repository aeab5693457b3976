"""What moderation is tried on: texts close to what its detectors look for, policies, and the check of both together.

Rules
- A text is drawn from whole values, from values with a change or two, and from the detectors' own characters, put
  together with little between them: so findings overlap, nearly begin, and end in each other.
- Digits, letters, marks and separators come from every script; each of them also in the middle of a value.
"""

from __future__ import annotations

import itertools
import pickle
import random
import re
import sys
import unicodedata
from collections.abc import Callable, Sequence

from flows.moderation import Finding, Moderator, Pattern, Policy, Span
from flows.moderation.moderator import KEPT
from flows.moderation.policy import DISGUISED_TYPES, OPT_IN_TYPES, PII_TYPES

TERMS = (
    "fuck", "ass", "ass hole", "shit", "blow job", "2 girls 1 cup", "f.u.c.k", "masterb*", "坏人", "hell", "b!tch",
    "바보", "*tard", "*wank*", "son-of-a-bitch", "хуй", "4r5e", "a55", "god", "1 2", "com", "10",
)  # fmt: skip
PATTERNS = (
    r"\bORD-\d{4,9}\b", r"(?i)said [^.]*x", r"a+", r"\b\d+\b", r"(?i:[k-s]+)\b", r"\d{5}\b", r"\B\d{2}", r"a+\B",
    r"(?:ab|a)(?:bc|c)?\d", r"\w+@", r"\s\S+\s\S+\s", r"[[:punct:]]{2,}", r"\pL\p{Nd}+", r"(?i)ß+|ss",
    r"1(?:2(?:3)?)?4", "aab|aba[^c]*c",
    r"x.{0,12}y", r"\x{660}+|\d\p{Mn}", r"(?s)a.b", r"[^a]{3,5}1", r"(\w)(\W)(\w)", r"(?i)straße|k+",
)  # fmt: skip
VALUES = (
    "4012888888881881", "4012-8888-8888-1881", "4012\u200b8888\u200b8888\u200b1881", "378282246310005", "4222222222222",
    "4012\u00a08888 - 8888\u202f1881", "3714 496353 98431", "4 0 1 2 8 8 8 8 8 8 8 8 1 8 8 1", "6304 0000 0000",
    "+44\u00a020\u202f7123\u00a04567", "+44 (0)20 7123 4567", "001-755-329-4431x12", "(415) 555-0132 ext. 42",
    "0431 19 97 94", "call 481 7531", "92 34 70 office", "415‑555‑0132", "8 (860) 750-02-01", "+1 415 555 0132",
    "(11) 4706-6184", "0345 278323", "手机：13812345678", "my number is 5551234567", "011 44 20 7123 4567",
    "21 234 567", "030 12345678", "6123-4567", "3101", "20-00-00", "2.500.000", "0.0076",
    "GB29\u00a0NWBK\u00a06016\u00a01331\u00a09268\u00a019", "GB29 NWBK 6016 1331 9268 19", "gb29nwbk60161331926819",
    "NO93 8601 1117 947", "DE89 3704 0044 0532 0130 00", "BE68539007547034",
    "536\u00a032\u00a03065", "536-32-3065", "078 05 1123", "ssn 536323065", "social 53632-3065", "536-323065",
    "john.o'neill+x@mail.example.co.uk", "a@b.de", "müller@bücher.example", "x@xn--bcher-kva.example", "a.@b.cd",
    "δοκιμή@παράδειγμα.δοκιμή", "संपर्क@डाटामेल.भारत", "用户@例子.公司", "二ノ宮@黒川.日本", "r&d@a.de",
    "a=b@c.org", "#x@y.org", "to=a@b.de&cc=c@d.de", "logo@2x.png", "host:fe80::1", "a::b", "1.3.6.1.4.1",
    "9704 3601 2345 6787", "135412345678910",
    "192.168.1.1/24", "10.0.0.1", "255.255.255.255", "1.2.3.4.5", "version 1.2.3.4",
    "2001:db8::8a2e:370:7334", "fe80::1%eth0", "::ffff:192.0.2.1", "fe80::1/10.0.0.1", "::1", "ip ::", "a::b/64",
    "1:2:3:4:5:6:7:8", "12:34:56:78:9a:bc:de:f0",
    "fuck", "f u c k", "fu ck", "a$$ hole", "blow. Job", "fuuuuck", "f\u200bu\u200bck", "2 Girls\n1 cup", "坏 人",
    "masterbation", "b!tch", "S-H-I-T", "sh|t", "ｆｕｃｋ", "바보", "ｓｈ１ｔ", "fuck，you", "хuй", "ass hat", "a s s",
    "4012｜8888", "ORD-12345", "said hello x",
    "876 543 210", "529.982.247-25", "130 692 544", "11010519491231002X", "86095742719", "X9613851N", "55555555K",
    "131052-308T", "2 55 08 14 168 025 38", "3123 4567 8909", "RSSMRA85T10A562S", "RSSMRAURTMLALSNH", "111222333",
    "44051401359", "811218-9876", "S1234567D", "10000000146", "943 476 5919", "8001015009087", "12345678Z",
    "jane%40example.com", "jane&#64;example&period;com", "4012%208888%208888%201881", "&#52;&#48;12 8888 8888 1881",
    "%6A%40%62%2E%64%65", "jane%2540b.de", "m%C3%BCller%40b.de", "&#x2B;44 20 7123 4567",
    "4\n0\n1\n2\n8\n8\n8\n8", "- 4\n- 1\n- 7",
    "four one one, one double two", "oh two oh seven nine four six", "null eins sieben drei zwei vier",
    "one two three four five six", "jane at example dot com", "jo dot doe (at) b [dot] de", "us at b dot com",
    "sk-abcdefghijklmnopqrst12345", "https://user:pass@example.org/", "AKIAIOSFODNN7EXAMPLE", "npm_" + "aB3" * 12,
    "eyJhbGciOiJIUzI1.eyJzdWIiOiIxMjM0.SflKxwRJSMeKKF2QT4fw", "-----BEGIN RSA PRIVATE KEY-----\nMIIE=\n",
)  # fmt: skip
FILLER = (
    " ", " ", " ", "  ", "\n", "\n\n", "\t", ". ", ", ", "-", ".", ":", "::", "@", "+", "(", ")", "/", "%", "'", "’",
    "*", "**", "_", "`", "~~", "```", "[", "]", "x", "1", "12", "0", "00", "4012", "8888", "2024-01-15", "3.14159", "a",
    "as", "s", "ORD-", "said", "**bold**", "snake_case", "2*3", "`x_y`", "~~no~~", "is", "hell", "hello", "ass", "ext",
    "office", "phone", "ssn", "card", "ip", "version", "number", "invoice", "call", "mobile", "my", "GB", "GB2", "std",
    "ab:cd", "www.example.com", "https://x.org/@me?q=1", "é", "你好", "कृपया", "🙂", "\u200b", "٣", "ß", "İ", "ſ", "K",
    "%", "&", "%4", "&#", "&amp;", "one ", "seven", "double ", " at ", " dot ", "com", "\n4", "\r\n1",
    "***", "__", "\\", "\\_", "` ", "\n* ", " **", "** ", "\u00ad", "\u2066", "\u2069", "\u202e", "\ufe0f",
    "＠", "（", "＋", "－", "．",
    "word " * 9, "a" * 49, "1 2 3 4 5 6 7 8 9 ", "a" * 73, "é" * 65, "1" * 70,
)  # fmt: skip
ALPHABETS = (
    "0123456789", "0123456789abcdef:./%", "01248:.", "0a:/.%[", "+()0123456789 -./", "0123456789-. ", "4012 8-",
    "a@.-_+x1",
    "GBDE0123456789 nwbk", "fuck $@!|1.-_ *", "as$ @4h", "*_`~ a\n1", " \n\t\u00a0\u2007\u202f\u200b", "AKIAsk-_abc012",
    "%40&#64;a.b ", "one two six.,- ", "at dot com ", "1\n 2",
    "用户@例子.公司 :", "a=&#@.b", "XYZST0123456789-", "LMNPQRSTUV01RSSMRA", "abc1 .-", "x1ext. ,", "ßſıİKKſs",
)  # fmt: skip

_ASSIGNED = [chr(c) for c in range(sys.maxunicode + 1) if unicodedata.category(chr(c)) not in ("Cn", "Co", "Cs")]


def _where(holds: Callable[[str], object]) -> list[str]:
    return [char for char in _ASSIGNED if holds(char)]


DIGITS = _where(str.isdecimal)
MARKS = _where(lambda c: unicodedata.category(c).startswith("M"))
SEPARATORS = _where(lambda c: c.isspace() or unicodedata.category(c) in ("Zs", "Zl", "Zp", "Cc", "Cf", "Pd", "Pc"))
NUMBERS = _where(lambda c: not c.isdecimal() and (c.isdigit() or unicodedata.category(c) in ("No", "Nl")))
FOLDING = _where(lambda c: len(c.casefold()) > 1 or len(c.upper()) > 1 or (not c.isascii() and c.lower().isascii()))
ALIKE = _where(lambda c: not c.isascii() and re.search("[0-9A-Za-z]", unicodedata.normalize("NFKD", c)))
ZEROES = _where(lambda c: c.isdecimal() and unicodedata.decimal(c) == 0)
STRANGE = (DIGITS, MARKS, SEPARATORS, NUMBERS, FOLDING, ALIKE)

LIMITS = (9, 20, 40, 48, 64, 66, 74, 96, 128, 256)
"""How far detectors look or hold, and nearby."""
LONG_SHARE = 0.02

ACTIONS = ("flag", "redact", "replace", "drop")


def _policies() -> dict[str, Policy]:
    """The fixed ones that matter most, then some that mix everything, always the same."""
    made = {
        "pii": Policy(),
        "terms": Policy(pii=(), blocklist=TERMS, allow=("ass hat",)),
        "both": Policy(blocklist=TERMS),
        "one region": Policy(region="DE"),
        "no prefix": Policy(region="LV"),
        "short numbers": Policy(region="TK"),
        "formatted": Policy(blocklist=TERMS, markdown="strip", whitespace="normalise"),
        "patterns": Policy(
            patterns=(Pattern("ORDER", r"\bORD-\d{4,9}\b"), Pattern("SAID", r"(?i)said [^.]*x", max_length=20))
        ),
        "all": Policy(pii=(*PII_TYPES, *OPT_IN_TYPES)),
        "disguised": Policy(pii=(*PII_TYPES, *DISGUISED_TYPES)),
        "tight": Policy(blocklist=TERMS, max_hold_chars=9),
        "tight, released": Policy(blocklist=TERMS, max_hold_chars=20, on_max_hold="release"),
    }
    rng = random.Random(2)
    for i in range(60):
        patterns = tuple(
            Pattern(f"P{j}", regex, rng.choice((4, 9, 20, 128)))
            for j, regex in enumerate(rng.sample(PATTERNS, rng.randrange(4)))
        )
        pii = tuple(rng.sample(PII_TYPES, rng.randrange(3)) + rng.sample(OPT_IN_TYPES, rng.choice((0, 0, 1, 2))))
        categories = ["HELD", "BLOCKED", *pii, *(p.name for p in patterns)]
        made[f"mixed {i}"] = Policy(
            pii=pii,
            blocklist=rng.choice(((), TERMS, tuple(rng.sample(TERMS, 4)))),
            allow=rng.choice(((), ("ass hat", "hello"))),
            patterns=patterns,
            actions={c: rng.choice(ACTIONS) for c in categories if rng.random() < 0.5},
            marks={c: rng.choice(("", "*", "[X]")) for c in categories if rng.random() < 0.3},
            region=rng.choice(("", "", "DE", "GB", "US", "RU")),
            markdown=rng.choice(("keep", "keep", "strip")),
            whitespace=rng.choice(("keep", "keep", "normalise")),
            max_hold_chars=rng.choice((512, 512, 512, 1, 7, 30)),
            on_max_hold=rng.choice(("redact", "release")),
        )
    return made


POLICIES = _policies()


def text_of(rng: random.Random) -> str:
    """A text of some ten to a hundred characters."""
    return "".join([_part(rng) for _ in range(rng.randrange(1, rng.choice((3, 5, 9, 15))))])[:600]


def _part(rng: random.Random) -> str:
    kind = rng.random()
    if kind < LONG_SHARE:
        unit = rng.choice(rng.choice(ALPHABETS)) + rng.choice(("", "", rng.choice(rng.choice(ALPHABETS))))
        return (unit * 300)[: rng.choice(LIMITS) + rng.randrange(-2, 3)]
    if kind < 0.25:
        return rng.choice(VALUES)
    if kind < 0.5:
        return rng.choice(FILLER)
    if kind < 0.7:
        return _changed(rng, rng.choice(VALUES))
    if kind < 0.92:
        return "".join(rng.choices(rng.choice(ALPHABETS), k=rng.randrange(1, 12)))
    return rng.choice(_strange(rng))


def _strange(rng: random.Random) -> Sequence[str]:
    return rng.choice((*STRANGE, _ASSIGNED))


def _changed(rng: random.Random, value: str) -> str:
    for _ in range(rng.randrange(1, 4)):
        char = rng.choice(_strange(rng) if rng.random() < 0.5 else rng.choice(ALPHABETS))
        value = changed(value, rng.choice(CHANGES), rng.randrange(len(value) + 1), char)
    return value


CHANGES = (
    "insert",
    "insert",
    "insert",
    "delete",
    "begin",
    "end",
    "script",
    "case",
    "mark up",
    "mark up",
    "separate",
    "widen",
)
MARKUP = ("**", "*", "__", "_", "~~", "`", "***", "\u200b", "\u00ad", "\u2066", "\u202a", "\ufeff", "\\")
BETWEEN = (
    "  ", "\t", "\n", " \n ", "\u00a0", "\u2009", "\u3000", "\u2013", "\u2014", "\u2212", "－", "/",
    "_", ".", " - ", "·", ",", ";", ":", "|", "\u200b",
    "** **", "\u00ad", "~", "*",
)  # fmt: skip


def changed(value: str, change: str, at: int, char: str) -> str:
    """A value that is nearly the same; never empty."""
    if change == "insert":
        return value[:at] + char + value[at:]
    if change == "delete":
        return value[:at] + value[at + 1 :] or value
    if change == "begin":
        return value[:at] or value
    if change == "end":
        return value[at:] or value
    if change == "script":
        zero = ZEROES[ord(char) % len(ZEROES)]
        return "".join(chr(ord(zero) + int(c)) if c.isascii() and c.isdigit() else c for c in value)
    if change == "mark up":
        sign, end = MARKUP[ord(char) % len(MARKUP)], (at + 1 + ord(char) % 5)
        return value[:at] + sign + value[at:end] + (sign if ord(char) % 3 else "") + value[end:]
    if change == "separate":
        return re.sub(r"[ .-]", BETWEEN[ord(char) % len(BETWEEN)], value)
    if change == "widen":
        return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" and (ord(char) + ord(c)) % 2 else c for c in value)
    return value.swapcase()


def cut(rng: random.Random, text: str) -> list[str]:
    """The text in random pieces, empty ones too."""
    at = sorted(rng.choices(range(len(text) + 1), k=rng.choice((1, 2, 5, 20))))
    return [text[a:b] for a, b in itertools.pairwise((0, *at, len(text)))]


def moderated(
    policy: Policy, pieces: Sequence[str], crashes: bool = False
) -> tuple[list[str], list[Span], list[Finding]]:
    """What left after each piece and at the end, the spans, and the findings."""
    moderator = Moderator(policy)
    shown: list[str] = []
    spans: list[Span] = []
    findings: list[Finding] = []
    for piece in pieces:
        new = moderator.push(piece)
        spans += new
        shown.append("".join([span.text for span in new]))
        if crashes:
            findings += moderator.findings
            moderator = Moderator.restore(policy, pickle.loads(pickle.dumps(moderator.snapshot())))
    new = moderator.finish()
    spans += new
    shown.append("".join([span.text for span in new]))
    return shown, spans, findings + moderator.findings


def check(policy: Policy, text: str, pieces: Sequence[str]) -> None:
    """One output, by character, at once and in pieces, at every moment; the findings explain it; and nothing leaked."""
    by_char, spans, findings = moderated(policy, text)
    crashing = [*pieces[:6], "".join(pieces[6:])]
    for other, crashes in (([text], False), (pieces, False), (crashing, True)):
        shown, _, found = moderated(policy, other, crashes)
        assert found == findings
        fed = 0
        for piece, part in zip(other, shown, strict=False):
            assert part == "".join(by_char[fed : fed + len(piece)])
            fed += len(piece)
        assert shown[-1] == by_char[-1]
    formats = policy.markdown != "keep" or policy.whitespace != "keep"
    at = 0
    for span in spans:
        assert span.start == at
        at = span.end
        source = text[span.start : span.end]
        if span.finding is None:
            assert formats or span.text == source
            assert not any(f.start < span.end and span.start < f.end for f in findings)
        else:
            action, mark = span.finding.action, policy.mark_of(span.finding.category)
            hidden = action == "redact" or (action != "flag" and len(source) > KEPT)
            assert span.text == (mark if hidden else source)
    assert at == len(text)
    assert [span.finding for span in spans if span.finding] == findings
