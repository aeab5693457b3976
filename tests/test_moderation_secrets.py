"""Secrets at real lengths: makers' tokens, keys in blocks, assigned values, URLs with credentials; and what is none.

No value here is real; they are put together so that scanners of repositories do not take them for it.
"""

from __future__ import annotations

import base64
import itertools
import json
import pickle
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.moderation import Moderator, Policy
from flows.moderation.plan import plan_of
from flows.moderation.tables.makers import MAKERS
from flows.moderation.tables.scripts import OPEN_BREAKS, UNSPACED
from tests.properties.moderation_texts import check

POLICY = Policy(pii=("SECRET", "URL_CREDENTIALS"))


def found(text: str, policy: Policy = POLICY) -> list[str]:
    moderator = Moderator(policy)
    moderator.feed(text)
    moderator.flush()
    return [text[f.start : f.end] for f in moderator.findings]


def in_pieces(text: str, size: int, policy: Policy = POLICY) -> str:
    moderator = Moderator(policy)
    shown = [moderator.feed(text[at : at + size]) for at in range(0, len(text), size)]
    return "".join(shown) + moderator.flush()


def drawn(length: int, alphabet: str = "aB3dE5gH7jK9") -> str:
    return (alphabet * (length // len(alphabet) + 1))[:length]


HEX = "0a1b2c3d4e5f6789"
UUID = f"{drawn(8, HEX)}-{drawn(4, HEX)}-{drawn(4, HEX)}-{drawn(4, HEX)}-{drawn(12, HEX)}"


def jwt(payload: int = 120, signature: int = 43, **header: str) -> str:
    def part(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).decode().rstrip("=")

    head = part(json.dumps({"alg": "HS256", "typ": "JWT"} | header).encode())
    return f"{head}.{part(json.dumps({'sub': drawn(payload)}).encode())}.{drawn(signature)}"


TOKENS = [
    "AKIA" + drawn(16, "ABCDEFGH23456"),
    "ABSK" + drawn(130),
    "AIza" + drawn(35),
    "ya29.a0" + drawn(120) + "_-" + drawn(40),
    "GOCSPX-" + drawn(28),
    "ghp_" + drawn(36),
    "ghs_" + drawn(36),
    "github_pat_" + drawn(22) + "_" + drawn(59),
    "glpat-" + drawn(20),
    "glpat-" + drawn(40) + ".01." + drawn(9, HEX),
    "gldt-" + drawn(20),
    "glrt-" + drawn(20),
    "glcbt-64_" + drawn(20),
    "sk_live_" + drawn(24),
    "rk_test_" + drawn(99),
    "whsec_" + drawn(32),
    "pi_" + drawn(24) + "_secret_" + drawn(25),
    "SK" + drawn(32, HEX),
    "AC" + drawn(32, HEX),
    "SG." + drawn(22) + "." + drawn(43),
    "xkeysib-" + drawn(64, HEX) + "-" + drawn(16),
    "key-" + drawn(32, HEX),
    "npm_" + drawn(36),
    "pypi-AgEIcHlwaS5vcmc" + drawn(160),
    "pypi-AgENdGVzdC5weXBpLm9yZw" + drawn(900),
    "rubygems_" + drawn(48, HEX),
    "dckr_pat_" + drawn(27),
    "hf_" + drawn(34),
    "api_org_" + drawn(34),
    "sk-ant-api03-" + drawn(93) + "AA",
    "sk-ant-admin01-" + drawn(93) + "AA",
    "sk-" + drawn(20) + "T3BlbkFJ" + drawn(20),
    "sk-proj-" + drawn(74) + "T3BlbkFJ" + drawn(74),
    "sk-svcacct-" + drawn(58) + "T3BlbkFJ" + drawn(58),
    "sk-admin-" + drawn(58) + "T3BlbkFJ" + drawn(58),
    "sk-or-v1-" + drawn(64, HEX),
    "sk-lf-" + UUID,
    "gsk_" + drawn(52),
    "xai-" + drawn(80),
    "pplx-" + drawn(48),
    "r8_" + drawn(37),
    "nvapi-" + drawn(64),
    "pcsk_" + drawn(6) + "_" + drawn(63),
    "xoxb-" + drawn(12, "0123456789") + "-" + drawn(12, "0123456789") + "-" + drawn(24),
    "xapp-1-A" + drawn(10, "0A1B2C") + "-" + drawn(13, "0123456789") + "-" + drawn(64, HEX),
    "xoxe.xoxp-1-" + drawn(166),
    "hooks.slack.com/services/T" + drawn(10, "0A1B") + "/B" + drawn(10, "0A1B") + "/" + drawn(24),
    "discord.com/api/webhooks/" + drawn(18, "123456789") + "/" + drawn(68),
    "dop_v1_" + drawn(64, HEX),
    "shpat_" + drawn(32, HEX),
    "shpss_" + drawn(32, HEX.upper()),
    "dapi" + drawn(32, HEX),
    "dapi" + drawn(32, HEX) + "-2",
    "glsa_" + drawn(32) + "_" + drawn(8, HEX),
    "glc_eyJ" + drawn(120),
    "hvs." + drawn(95),
    "hvb." + drawn(200),
    "s." + drawn(24),
    "dp.pt." + drawn(43),
    "dt0c01." + drawn(24) + "." + drawn(64),
    "NRAK-" + drawn(27, "A1B2C3"),
    "sntrys_" + drawn(300),
    "lin_api_" + drawn(40),
    "ntn_" + drawn(46, "0123456789aB"),
    "figd_" + drawn(40),
    "PMAK-" + drawn(24, HEX) + "-" + drawn(34, HEX),
    "ATATT3xFfGF0" + drawn(180) + "=" + drawn(8, "0AB1"),
    "sq0atp-" + drawn(22),
    "EAAM" + drawn(180),
    "LTAI" + drawn(20),
    "pat-eu1-" + UUID,
    "tskey-auth-" + drawn(12) + "CNTRL-" + drawn(32),
    "AGE-SECRET-KEY-1" + drawn(58, "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L"),
    "ops_eyJ" + drawn(700),
    "A3-" + drawn(6, "0A1B2C") + "-" + drawn(11, "0A1B2C") + ("-" + drawn(5, "0A1B2C")) * 3,
    "aio_" + drawn(28),
    "p8e-" + drawn(32),
    "pat" + drawn(14) + "." + drawn(64, HEX),
    "apify_api_" + drawn(36),
    "1/" + drawn(16, "1234567890") + ":" + drawn(32, HEX),
    "access_token$production$" + drawn(16, "a1b2c3") + "$" + drawn(32, HEX),
    "bkua_" + drawn(40, HEX),
    "csk-" + drawn(48),
    "CCIPAT_" + drawn(22) + "_" + drawn(40, HEX),
    "CLOJARS_" + drawn(60),
    "v1.0-" + drawn(24, HEX) + "-" + drawn(146, HEX),
    "CFPAT-" + drawn(43),
    "cio" + drawn(32),
    "ddp_" + drawn(36),
    "sl.u." + drawn(140),
    "duffel_live_" + drawn(43),
    "EZAK" + drawn(54),
    "sk_" + drawn(48, HEX),
    "fw_" + drawn(22),
    "FLWSECK-" + drawn(32, HEX) + "-X",
    "fm2_" + drawn(600),
    "fio-u-" + drawn(64),
    "chat.googleapis.com/v1/spaces/" + drawn(11) + "/messages?key=" + drawn(39) + "&token=" + drawn(43),
    "pat." + drawn(22) + "." + drawn(24) + "." + drawn(20),
    "HRKU-AA" + drawn(58),
    "maker.ifttt.com/trigger/door/with/key/" + drawn(43),
    "ico-" + drawn(32),
    "AKCp" + drawn(69),
    "lsv2_pt_" + drawn(32, HEX) + "_" + drawn(10, HEX),
    "test_" + drawn(35, HEX),
    "sk.eyJ" + drawn(60) + "." + drawn(22),
    "nfp_" + drawn(36),
    "oy2" + drawn(43, "a1b2c3"),
    "API-" + drawn(26, "A1B2C3"),
    "sha256~" + drawn(43),
    "access-sandbox-" + UUID,
    "pscale_tkn_" + drawn(43),
    "phx_" + drawn(43),
    "pnu_" + drawn(36),
    "pul-" + drawn(40, HEX),
    "rzp_live_" + drawn(14),
    "rdme_" + drawn(70, "a1b2c3"),
    "rnd_" + drawn(28),
    "re_" + drawn(8) + "_" + drawn(24),
    "rootly_" + drawn(64, HEX),
    "00D" + drawn(12) + "!" + drawn(96),
    "tk-us-" + drawn(48),
    "shippo_live_" + drawn(40, HEX),
    "sgp_" + drawn(16, HEX) + "_" + drawn(40, HEX),
    "sbp_" + drawn(40, HEX),
    f"webhook.office.com/webhookb2/{UUID}@{UUID}/IncomingWebhook/{drawn(32, HEX)}/{UUID}",
    "api.telegram.org/bot" + drawn(10, "123456789") + ":AA" + drawn(33),
    "tfp_" + drawn(44) + "_" + drawn(14),
    "vcp_" + drawn(56),
    "AQVN" + drawn(36),
    "hooks.zapier.com/hooks/catch/1234567/" + drawn(7, "a1b2c3"),
    base64.b64encode(b"-----BEGIN EC PRIVATE KEY-----\n" + b"MHcCAQEE" * 20).decode(),
    jwt(),
    jwt(payload=900),
    jwt(signature=700),
    jwt(kid="x" * 600),
    jwt(payload=9_000, signature=350, x5c="M" * 3_000),
    f"eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIn0..{drawn(16)}.{drawn(3_000)}.{drawn(22)}",
]


@pytest.mark.parametrize("token", TOKENS, ids=lambda token: f"{token[:12]} {len(token)}")
def test_a_token_is_hidden_to_its_end_in_whatever_stands_around_it(token: str) -> None:
    for before, after in (
        ("the key is ", " now"),
        ('{"k": "', '"}'),
        ("X=", "\nY=1"),
        ("`", "`"),
        ("密钥", "。"),
        ("so (", "), and"),
        ("line\\n", "\\nline"),
        ("it is ", ". Then"),
    ):
        text = before + token + after
        assert found(text) == [token], (before, after)
        for size in (1, 7, 64) if len(text) < 500 else (64,):
            assert in_pieces(text, size) == f"{before}[REDACTED]{after}"


def test_every_maker_is_among_them_and_its_beginning_cannot_have_been_shown() -> None:
    rules = set()
    for token in TOKENS:
        moderator = Moderator(POLICY)
        moderator.feed(token)
        moderator.flush()
        rules |= {finding.rule for finding in moderator.findings}
    assert {maker.rule for maker in MAKERS} - rules == set()
    for maker in MAKERS:
        for beginning in maker.beginnings.split():
            assert not re.search(f"[{OPEN_BREAKS}{UNSPACED}]", beginning[:-1])


def test_one_rule_goes_on_in_one_way() -> None:
    assert len({maker.rule for maker in MAKERS}) == len({(maker.rule, maker.more) for maker in MAKERS})


def pem(label: str, characters: int, newline: str = "\n", head: str = "") -> str:
    body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC" + drawn(characters - 32)
    lines = [body[at : at + 64] for at in range(0, len(body), 64)]
    return newline.join([f"-----BEGIN {label}-----", *([head] if head else []), *lines, f"-----END {label}-----"])


ENCRYPTED = "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC," + drawn(32, HEX.upper()) + "\n"
PUTTY = (
    "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nComment: me@laptop\nPublic-Lines: 2\n"
    f"{drawn(64)}\n{drawn(20)}\nPrivate-Lines: 1\n{drawn(48)}\nPrivate-MAC: {drawn(64, HEX)}"
)
BLOCKS = [
    pem("RSA PRIVATE KEY", 1_600),
    pem("PRIVATE KEY", 1_624),
    pem("PRIVATE KEY", 3_200),
    pem("EC PRIVATE KEY", 160),
    pem("DSA PRIVATE KEY", 600),
    pem("OPENSSH PRIVATE KEY", 2_600),
    pem("ENCRYPTED PRIVATE KEY", 1_700),
    pem("RSA PRIVATE KEY", 1_600, head=ENCRYPTED),
    pem("PGP PRIVATE KEY BLOCK", 5_000, head="Version: GnuPG v2\nComment: a key of mine\n"),
    pem("RSA PRIVATE KEY", 6_000, "\r\n"),
    pem("PRIVATE KEY", 1_624, "\\n"),
    pem("PRIVATE KEY", 1_624, "\\r\\n"),
    pem("PRIVATE KEY", 1_624, "\\\\n"),
    pem("PRIVATE KEY", 1_624, "\n    "),
    pem("PRIVATE KEY", 1_624, "\n> "),
    pem("PRIVATE KEY", 1_624, '\\n" +\n  "'),
    pem("PRIVATE KEY", 1_624, " "),
    pem("PRIVATE KEY", 1_624, ""),
    "-----BEGIN PRIVATE KEY-----\n" + "A" * 700 + "\n-----END PRIVATE KEY-----",
    "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----",
    PUTTY,
    base64.b64encode(pem("RSA PRIVATE KEY", 1_600).encode()).decode(),
]


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: f"{block[11:31]!r} {len(block)}")
def test_a_key_is_hidden_to_its_end_however_it_is_written(block: str) -> None:
    for before, after in (
        ("It is:\n\n", "\n\nKeep it."),
        ('{"private_key": "', '\\n", "client_email": "x"}'),
        ("```\n", "\n```\n"),
    ):
        text = before + block + after + " Some words that follow, as they do in any text of a model." * 6
        for size in (len(text), 1, 5, 64):
            moderator = Moderator(POLICY)
            shown = ""
            for at in range(0, len(text), size):
                shown += moderator.feed(text[at : at + size])
                assert moderator.held <= POLICY.max_hold_chars
                assert len(pickle.dumps(moderator.snapshot())) < 2_500
            shown += moderator.flush()
            assert shown == text.replace(block, "[REDACTED]")
            assert len(moderator.findings) == 1


@pytest.mark.parametrize("policy", [POLICY, Policy(pii=("SECRET",), on_max_hold="release", max_hold_chars=400)])
def test_of_a_key_that_breaks_off_nothing_is_shown(policy: Policy) -> None:
    whole = pem("RSA PRIVATE KEY", 1_600)
    body = whole.split("\n", 1)[1]
    for end in range(60, len(whole) - 40, 37):
        assert in_pieces("It is " + whole[:end], 11, policy).rstrip() == "It is [REDACTED]"
        shown = in_pieces(
            f"It is {whole[:end]}\nThat was all of it, as far as I know, and there is no more to say. " * 1
            + "x " * 150,
            11,
            policy,
        )
        assert not any(shown.count(body[at : at + 8]) for at in range(0, end, 8))
        assert "That was all of it" in shown or end < 80


def test_after_a_header_alone_the_text_goes_on() -> None:
    text = "The file begins with -----BEGIN RSA PRIVATE KEY----- and ends with a line like it. " + "More words. " * 40
    assert in_pieces(text, 9) == text


ASSIGNED = [
    ("aws_secret_access_key = {}", drawn(40)),
    ('"SecretAccessKey": "{}"', drawn(38) + "/+"),
    ("AWS_SECRET_ACCESS_KEY={}", drawn(40)),
    ("DD_API_KEY={}", drawn(32, HEX)),
    ("datadog app_key: '{}'", drawn(40, HEX)),
    ("TWILIO_AUTH_TOKEN={}", drawn(32, HEX)),
    ("AccountName=x;AccountKey={};EndpointSuffix=core.windows.net", drawn(86) + "=="),
    ("Endpoint=sb://x/;SharedAccessKey={}", drawn(43) + "="),
    ("client_secret: {}", drawn(3) + "8Q~" + drawn(34)),
    ("Authorization: Bearer {}", drawn(40)),
    ("'authorization': 'Basic {}'", "dXNlcjpwYXNzd29yZA=="),
    ("x-api-key: {}", UUID),
    ('{{\\"api_key\\": \\"{}\\"}}', drawn(30)),
    ("password: {}", "P@ssw0rd!x"),
    ("private_token={}", drawn(900)),
]


@pytest.mark.parametrize(("around", "value"), ASSIGNED, ids=lambda text: text[:24])
def test_what_is_assigned_to_a_telling_name_is_hidden(around: str, value: str) -> None:
    text = around.format(value) + "\nand on"
    for size in (1, 6, len(text)):
        assert in_pieces(text, size) == text.replace(value, "[REDACTED]")


URLS = [
    "postgres://me:hunter2@db.example.org",
    "postgresql+psycopg2://me:p%40ss@db",
    "redis://:pw@host",
    "rediss://default:x1@10.0.0.7",
    "mongodb+srv://u:p@cluster0.ab1cd.mongodb.net",
    "amqps://guest:guest@mq",
    "ftp://joe:1234@files.example",
    "smtp://joe:12ab@mail.example",
    "mysql://root:p@ss@db",
    "mysql://root:pa/ss?w#d@db",
    "https://token@host",
    f"https://{drawn(32, HEX)}@o1.ingest.sentry.io",
    "https://sk_test_x:@api.stripe.com",
    f"https://x-access-token:{drawn(300)}@github.com",
    f"https://oauth2:{drawn(2_000)}@gitlab.com",
    "git+https://joe:pw@git.example",
    "socks5://u:p@127.0.0.1",
    "ldap://cn=admin:pw@ldap.example",
    "snowflake://u:p@acct",
    f"nats://{drawn(24)}@nats.example",
]


@pytest.mark.parametrize("url", URLS, ids=lambda url: url[:32])
def test_a_url_with_credentials_is_hidden(url: str) -> None:
    for before, after in (("use ", "/path?x=1 now"), ('"', '"'), ("(", ")"), ("jdbc:", ", ok"), ("", ". Then")):
        text = before + url + after
        assert found(text) == [url], after
        assert in_pieces(text, 1) == in_pieces(text, 5) == f"{before}[REDACTED]{after}"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("https://x.example/a?access_token=abcdef12&b=1", "abcdef12"),
        ("Server=db;User Id=sa;Password=Hunter22;", "Hunter22"),
        ("https://x.blob.core.windows.net/c?sv=1&sig=" + drawn(44) + "%3D", drawn(44) + "%3D"),
        ("https://x.s3.amazonaws.com/k?X-Amz-Signature=" + drawn(64, HEX), drawn(64, HEX)),
    ],
)
def test_a_parameter_with_credentials_is_hidden(text: str, value: str) -> None:
    policy = Policy(pii=("URL_CREDENTIALS",))
    for size in (1, 6, len(text)):
        assert in_pieces(text, size, policy) == text.replace(value, "[REDACTED]")


@pytest.mark.parametrize(
    "text",
    [
        "risk-adjusted task-force sk-learn's disk-usage sk-SK desk-abcdefghijklmnopqrstuvwxyz",
        "sk-learnclassificationandregression is no key, nor is sk-" + "x" * 40,
        "hf_transformers_and_accelerate_and_many_more_words hf_" + "a" * 34,
        "npm_config_registry, npm_package_name, npm_lifecycle_event",
        "ghp_ is the prefix, glpat- too, xoxb- and AKIA; JWTs begin with eyJ or eyJhbGciOi",
        "xoxo-hugs-and-kisses-from-us SG.world.wide key-value pairs and key-performance-indicators",
        "AKIAs, ASIAN, AIDA by Verdi, SKINCARE ACCOUNTING LTAIRE pattern patient.discharged re_read pi_day",
        "live_stream test_case_with_a_long_name_that_says_what_it_checks",
        "-----BEGIN CERTIFICATE-----\nMIIDdzCCAl+gAwIBAgIEAgAAuTANBgkqhkiG9w0BAQUF\n-----END CERTIFICATE-----",
        "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA\n-----END PUBLIC KEY-----",
        "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQENBFabc123DEFghi456JKLmno789\n-----END PGP PUBLIC KEY BLOCK-----",
        "----- BEGIN OF PRIVATE KEY NOTES -----",
        "| --- | ----- |\n-----\n--------------",
        "api_key = YOUR_API_KEY_HERE and token: <token>, secret = os.environ['SECRET'], password=${PASSWORD}",
        "Password: please choose one. Token: none. The secret: patience! key: value, api key: see below",
        "tokens: 4096, max_token: 128, token = tokenizer.next(), secret: bool = False",
        "password: at least eight characters, token: gpt-4-1106-preview-2024",
        "Authorization: Basic authentication is required. Authorization: Bearer token",
        "the commit 3f786850e387550fdab836ed7e6dc881de23001b and md5 d41d8cd98f00b204e9800998ecf8427e",
        f"id {UUID}, sha256:{drawn(64, HEX)}, sha512-{drawn(86)}==",
        "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk",
        "sourceMappingURL=data:application/json;base64,eyJ2ZXJzaW9uIjoz" + drawn(400),
        "https://example.org:8080/a@b https://example.org/@joe https://x.org/?q=a@b.de http://[::1]:80/@x",
        "ssh://git@github.com/org/repo git@github.com:org/repo https://git@github.com/o/r sftp://joe@host",
        "postgresql://{user}:{password}@{host}/db and https://<token>@host, http://localhost:3000, https://@x",
        "see http://host:8080，请联系joe@example.com",
        "?token=YOUR_TOKEN&api_key={key};password=<password> &sig=",
        "note: see https: and mailto:joe, std::vector, 12:30, a://b",
    ],
)  # fmt: skip
def test_ordinary_text_holds_no_secret(text: str) -> None:
    assert found(text) == []
    assert in_pieces(text, 1) == text


def test_ordinary_words_are_held_no_longer_than_without() -> None:
    text = "The pattern of a patient's key-value pairs: sk-learn, re_read, eyJ, AC, SKI. It is live_streamed. "
    plain, secret = Moderator(Policy(pii=())), Moderator(POLICY)
    for char in text * 2:
        plain.feed(char)
        secret.feed(char)
        assert secret.held <= plain.held + 24


PARTS = [
    "-----BEGIN RSA PRIVATE KEY-----", "-----END RSA PRIVATE KEY-----", "-----BEGIN", "PuTTY-User-Key-File-2:",
    "\n", "\\n", " ", "x", ".", "=", ": ", '"', "@", "/", "-", drawn(64), drawn(30), drawn(200), "A" * 41, "a" * 250,
    "api_key", "Authorization: Bearer ", "sk-", "eyJ", "AKIA", drawn(16, "ABCDEFGH23456"), "ghp_", "github_pat_",
    "https://", "user:pw", "?sig=", "10.0.0.1", "some words of a text ",
]  # fmt: skip
MIXED = [
    POLICY,
    Policy(pii=("SECRET", "URL_CREDENTIALS", "IP_ADDRESS"), max_hold_chars=60, actions={"SECRET": "flag"}),
    Policy(pii=("SECRET", "URL_CREDENTIALS", "EMAIL_ADDRESS"), max_hold_chars=150, on_max_hold="release"),
    Policy(pii=("SECRET",), markdown="strip", whitespace="normalise", actions={"SECRET": "drop"}),
]


@pytest.mark.parametrize("policy", MIXED)
@settings(max_examples=60, deadline=None)
@given(parts=st.lists(st.sampled_from(PARTS), max_size=12), cuts=st.lists(st.integers(0, 900), max_size=6))
def test_pieces_and_crashes_do_not_show(policy: Policy, parts: list[str], cuts: list[int]) -> None:
    text = "".join(parts)
    at = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    check(policy, text, [text[a:b] for a, b in itertools.pairwise(at)])


def test_what_detectors_say_of_their_bounds_holds() -> None:
    for detector in plan_of(POLICY).steady:
        assert detector.bound <= POLICY.max_hold_chars
