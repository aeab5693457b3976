"""Whatever the text and however it is cut: one output, no leak, findings that explain it."""

from __future__ import annotations

import json
import os
import pathlib
import pickle
import re
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.moderation import Finding, Moderator, Pattern, Policy
from flows.moderation.tables.plain import read_plain
from flows.moderation.tables.scripts import UNSPACED, WORD_BREAKS
from tests.properties.moderation_texts import (
    ALPHABETS,
    CHANGES,
    FILLER,
    POLICIES,
    STRANGE,
    TERMS,
    VALUES,
    changed,
    check,
    moderated,
)

DATA = pathlib.Path(__file__).parents[3] / "shared" / "evaluation"
EXAMPLES = int(os.environ.get("TOKENWEIR_EXAMPLES", "800"))
many = settings(max_examples=EXAMPLES, deadline=None)

strange = st.one_of([st.sampled_from(chars) for chars in STRANGE])
near = st.one_of([st.text(alphabet=alphabet, min_size=1, max_size=12) for alphabet in ALPHABETS])


@st.composite
def changed_values(draw: st.DrawFn) -> str:
    value = draw(st.sampled_from(VALUES))
    for change in draw(st.lists(st.sampled_from(CHANGES), min_size=1, max_size=3)):
        value = changed(value, change, draw(st.integers(0, len(value))), draw(st.one_of(strange, near))[0])
    return value


parts = st.one_of(
    st.sampled_from(VALUES), st.sampled_from(FILLER), changed_values(), near, strange, st.text(max_size=3)
)
texts = st.lists(parts, max_size=16).map("".join)
policies = st.sampled_from(list(POLICIES)).map(POLICIES.__getitem__)


@st.composite
def cut_texts(draw: st.DrawFn) -> tuple[str, list[str]]:
    text = draw(texts)
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=30)))
    return text, [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]


@many
@given(policy=policies, case=cut_texts())
def test_pieces_and_crashes_do_not_show_and_nothing_leaks(policy: Policy, case: tuple[str, list[str]]) -> None:
    check(policy, *case)


BLOCKING = Policy(pii=(), blocklist=TERMS)


def pattern(regex: str, max_length: int = 20) -> Policy:
    return Policy(pii=(), patterns=(Pattern("P", regex, max_length),))


FOUND = (
    # Of two findings that overlap the one won that a scan saw, and where a scan ended was the piece's doing.
    ("pii", "fe80::1/10.0.0.1 "),
    ("pii", "::/0.0.0.1%0"),
    # Digits that a pattern matched and the table lacked.
    ("pii", "\U00016b57 1"),
    ("both", "\U00016ac3\u00a07"),
    # An id without a digit in it was looked for where some other text had one.
    ("all", "RSSMRAURTMLALSNH 1"),
    ("all", "7 RSSMRAURTMLALSNH a"),
    # The end of a piece, or of a window, was taken for the end of the text.
    (pattern(r"\b\d+\b", 4), "12345a 1"),
    (pattern(r"a{5}\b", 5), "a" * 20 + " "),
    ("pii", "::a:" + "8" * 62 + "R"),
    # What begins inside a match held the text behind the match.
    (pattern("aab|aba[^c]*c", 9), "bcaaba "),
    # The last word may still grow: into a look-alike, out of an invisible beginning, from a digit to a letter.
    (BLOCKING, "fu \u0441k "),
    (BLOCKING, "fu \u200b\u200b\u200b\u200b\u200bck "),
    (BLOCKING, "2 \u200b\u200b\u200b\u200b\u200b\u200b\u200b\u200bgirls 1 cup"),
    (BLOCKING, "2 \u00a0\n\u00a0\u202f\n\u202f\n\U000e0077\uff43"),
    (BLOCKING, "sh 1t "),
    (BLOCKING, "fu \u0308ck "),
    # A plus at a word's end, and a bracket, cut the word in two.
    (BLOCKING, "sh!+(x "),
    ("pii", "k+(8"),
    ("both", "sh!+(44) 20 7123 4567 "),
    # Found before the limit on what is held was reached, or not, as the pieces came.
    (Policy(pii=("IP_ADDRESS",), max_hold_chars=12), "0.0.0.1\u04458\u00dfcABEzz"),
    # What came up while these were fixed.
    ("pii", "\u0ed7@x.de "),
    (pattern(r"a+\B", 4), "aaaaaaaaab"),
    (BLOCKING, "c k\u00e9 "),
    (BLOCKING, "c " + "a" * 65 + " "),
    (BLOCKING, "a s s x qqqq "),
    (BLOCKING, "~~no~~" + "a" * 73),
    (BLOCKING, " 2 Girls\n1 cup" + "a" * 73),
)


@pytest.mark.parametrize(("policy", "text"), FOUND)
def test_what_once_showed(policy: Policy | str, text: str) -> None:
    for at in range(len(text)):
        check(POLICIES[policy] if isinstance(policy, str) else policy, text, [text[:at], text[at:]])


@settings(max_examples=min(EXAMPLES, 2_000) // 4, deadline=None)
@given(case=cut_texts())
def test_what_is_remembered_of_words_does_not_show(case: tuple[str, list[str]]) -> None:
    _, pieces = case
    new = Policy(pii=(), blocklist=TERMS)
    assert moderated(BLOCKING, pieces) == moderated(new, pieces)


@pytest.mark.parametrize(
    ("text", "rule"), [("fe80::1/10.0.0.1", "v6"), ("1.2.3.4/2::1", "v4"), ("1.1.1.1/24.2.2.2", "v4")]
)
def test_addresses_that_run_into_each_other_become_one_finding(text: str, rule: str) -> None:
    for at in range(len(text)):
        _, _, findings = moderated(Policy(), [text[:at], f"{text[at:]} now"])
        assert findings == [Finding(0, len(text), "IP_ADDRESS", rule, "redact")]


def test_there_is_one_table_of_digits() -> None:
    everything = [chr(code) for code in range(sys.maxunicode + 1)]
    digits = [char for char in everything if char.isdecimal()]
    assert re.findall(r"\d", "".join(everything)) == digits
    assert all(read_plain(digit) == str(int(digit)) for digit in digits)
    assert [char for char in everything if char != read_plain(char) and read_plain(char).isdecimal()] == [
        digit for digit in digits if not digit.isascii()
    ]
    assert not re.findall(f"[{UNSPACED}{WORD_BREAKS}]", "".join(digits))


@pytest.mark.parametrize("value", ["4012888888881881", "+44 20 7123 4567", "10.0.0.1", "536-32-3065", "2001:db8::1"])
def test_a_value_is_found_in_the_digits_of_every_script(value: str) -> None:
    for zero in (chr(code) for code in range(sys.maxunicode + 1) if read_plain(chr(code)) == "0"):
        text = f"it is {value.translate({48 + i: ord(zero) + i for i in range(10)})} now"
        moderator = Moderator(Policy())
        assert moderator.feed(text) + moderator.flush() == "it is [REDACTED] now"


@settings(max_examples=min(EXAMPLES, 2_000), deadline=None)
@given(policy=policies, case=cut_texts())
def test_what_is_held_and_kept_is_bounded(policy: Policy, case: tuple[str, list[str]]) -> None:
    _, pieces = case
    moderator, fed = Moderator(policy), 0
    for piece in pieces:
        moderator.push(piece)
        fed += len(piece)
        assert moderator.held == fed - moderator.cut or ({"SECRET", "URL_CREDENTIALS"} & {*policy.pii})
        assert moderator.held <= min(policy.max_hold_chars, fed - moderator.cut)
        _, text, *_ = moderator.snapshot()
        assert len(text) <= policy.max_hold_chars + 700


@settings(max_examples=100, deadline=None)
@given(case=cut_texts(), steps=st.lists(st.integers(1, 40), max_size=20))
def test_nothing_leaves_before_a_remote_verdict(case: tuple[str, list[str]], steps: list[int]) -> None:
    text, pieces = case
    policy = Policy(remote=("FAR",))
    moderator, judged, shown = Moderator(policy), 0, 0
    for i, piece in enumerate(pieces):
        spans = moderator.push(piece)
        if i < len(steps):
            upto = min(judged + steps[i], sum(map(len, pieces[: i + 1])))
            spans += moderator.verdict("FAR", upto, [(judged, upto, "all of it")] if steps[i] % 3 == 0 else [])
            judged = max(judged, upto)
        for span in spans:
            assert span.start == shown
            shown = span.end
        assert shown <= judged
        moderator = Moderator.restore(policy, pickle.loads(pickle.dumps(moderator.snapshot())))
    moderator.finish()
    moderator.verdict("FAR", len(text), [])
    assert moderator.cut == len(text)


@settings(max_examples=100, deadline=None)
@given(text=texts, data=st.data())
def test_remote_verdicts_may_overtake_each_other(text: str, data: st.DataObject) -> None:
    """Whatever their order, repeated or not: the same is shown, and nothing before the verdict on it."""
    policy = Policy(pii=(), remote=("FAR",), max_hold_chars=10_000)
    ends = sorted({*data.draw(st.lists(st.integers(0, len(text)), max_size=6)), len(text)} - {0})
    pieces = [*zip([0, *ends], ends, strict=False)]
    found = {start: [(start, start + 1, "first")] if data.draw(st.booleans()) else [] for start, _ in pieces}
    found |= {start: None for start, _ in pieces if data.draw(st.integers(0, 3)) == 0}
    in_order, shuffled = Moderator(policy), Moderator(policy)
    for each in (in_order, shuffled):
        each.push(text)
        each.finish()
    wanted = [span for start, end in pieces for span in in_order.verdict("FAR", end, found[start], start)]
    given, out, answered = data.draw(st.permutations(pieces * 2)), [], set()
    for start, end in given:
        out += shuffled.verdict("FAR", end, found[start] if start not in answered else [(start, end, "late")], start)
        answered.add(start)
        assert shuffled.cut <= next((first for first, _ in pieces if first not in answered), len(text))
        shuffled = Moderator.restore(policy, pickle.loads(pickle.dumps(shuffled.snapshot())))
    assert "".join(span.text for span in out) == "".join(span.text for span in wanted)
    assert [span.finding for span in out if span.finding] == [span.finding for span in wanted if span.finding]


def rows(name: str) -> list[dict[str, object]]:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"no {path.name} here")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


@pytest.mark.parametrize("name", ["pii.jsonl", "blocked.jsonl"])
def test_every_two_way_split_of_every_row(name: str) -> None:
    policy = POLICIES["both"]
    seen = set()
    for row in rows(name):
        text = str(row["text"])
        if len(text) > 120 or text in seen:
            continue
        seen.add(text)
        by_char, _, findings = moderated(policy, text)
        for at in range(1, len(text)):
            moderator = Moderator(policy)
            assert moderator.feed(text[:at]) == "".join(by_char[:at])
            first = moderator.cut
            moderator.feed(text[at:])
            moderator.flush()
            assert moderator.findings == findings
            assert not any(f.start < first < f.end for f in moderator.findings)
