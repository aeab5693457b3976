"""Whatever the text and however it is cut: one output, no leak, findings that explain it."""

from __future__ import annotations

import json
import pathlib
import pickle

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flows.moderation import Moderator, Pattern, Policy
from flows.moderation.policy import OPT_IN_TYPES, PII_TYPES

DATA = pathlib.Path(__file__).parents[3] / "shared" / "evaluation"
TERMS = (
    "fuck",
    "ass",
    "ass hole",
    "shit",
    "blow job",
    "2 girls 1 cup",
    "f.u.c.k",
    "masterb*",
    "坏人",
    "hell",
    "b!tch",
    "바보",
)
POLICIES = {
    "pii": Policy(),
    "terms": Policy(pii=(), blocklist=TERMS, allow=("ass hat",)),
    "both": Policy(blocklist=TERMS),
    "one region": Policy(region="DE"),
    "formatted": Policy(blocklist=TERMS, markdown="strip", whitespace="normalise"),
    "patterns": Policy(
        patterns=(Pattern("ORDER", r"\bORD-\d{4,9}\b"), Pattern("SAID", r"(?i)said [^.]*x", max_length=20))
    ),
    "all": Policy(pii=(*PII_TYPES, *OPT_IN_TYPES)),
    "tight": Policy(blocklist=TERMS, max_hold_chars=9),
}
VALUES = (
    "4012888888881881", "4012-8888-8888-1881",
    "4012\u200b8888\u200b8888\u200b1881",
    "4012\u00a08888 - 8888\u202f1881",
    "+44\u00a020\u202f7123\u00a04567",
    "GB29\u00a0NWBK\u00a06016\u00a01331\u00a09268\u00a019",
    "536\u00a032\u00a03065", "415‑555‑0132", "8 (860) 750-02-01",
    "3714 496353 98431", "4 0 1 2 8 8 8 8 8 8 8 8 1 8 8 1",
    "GB29 NWBK 6016 1331 9268 19", "gb29nwbk60161331926819", "NO93 8601 1117 947", "536-32-3065", "078 05 1123",
    "john.o'neill+x@mail.example.co.uk", "a@b.de", "müller@bücher.example", "192.168.1.1/24",
    "2001:db8::8a2e:370:7334",
    "fe80::1%eth0", "::ffff:192.0.2.1", "+44 (0)20 7123 4567", "001-755-329-4431x12", "(415) 555-0132 ext. 42",
    "0431 19 97 94", "call 481 7531", "92 34 70 office", "fuck", "f u c k", "fu ck", "a$$ hole", "blow. Job",
    "fuuuuck",
    "f\u200bu\u200bck", "2 Girls\n1 cup", "坏 人", "masterbation", "b!tch", "S-H-I-T", "sh|t", "ｆｕｃｋ",
    "바보", "ｓｈ１ｔ", "fuck，you", "хuй", "4012｜8888", "ORD-12345",
    "said hello x", "sk-abcdefghijklmnopqrst12345", "https://user:pass@example.org/",
    "943 476 5919", "12345678Z", "eyJhbGciOiJIUzI1.eyJzdWIiOiIxMjM0.SflKxwRJSMeKKF2QT4fw",
)  # fmt: skip
FILLER = (
    " ", " ", "  ", "\n", ". ", ", ", "-", ".", ":", "::", "@", "+", "(", ")", "/", "'", "*", "**", "_", "`",
    "1", "12", "0",
    "4012", "8888", "2024-01-15", "3.14159", "a", "as", "s", "ORD-", "said", "**bold**", "snake_case", "2*3",
    "`x_y`", "~~no~~", "is", "hell", "hello", "ass", "x", "ext", "office", "phone", "ssn",
    "GB", "GB2", "std", "ab:cd", "www.example.com", "https://x.org/@me?q=1", "é", "你好", "कृपया", "🙂",
    "\u200b", "٣", "ß", "İ",
    "word " * 9, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "1 2 3 4 5 6 7 8 9 ",
)  # fmt: skip
LONG_WORD = "~~no~~" + "a" * 73
LONG_NEIGHBOUR = " 2 Girls\n1 cup" + "a" * 73
texts = st.lists(st.one_of(st.sampled_from(VALUES), st.sampled_from(FILLER), st.text(max_size=3)), max_size=24).map(
    "".join
)


@st.composite
def cut_texts(draw: st.DrawFn) -> tuple[str, list[str]]:
    text = draw(texts)
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=30)))
    return text, [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]


def run(policy: Policy, pieces: list[str]) -> tuple[list[str], list[tuple[object, ...]]]:
    moderator = Moderator(policy)
    out = [moderator.feed(piece) for piece in pieces]
    out.append(moderator.flush())
    return out, [(f.start, f.end, f.category, f.rule, f.action) for f in moderator.findings]


@pytest.mark.parametrize("name", POLICIES)
@settings(max_examples=150, deadline=None)
@given(case=cut_texts())
@example(case=(LONG_WORD, [LONG_WORD]))
@example(case=(LONG_NEIGHBOUR, [LONG_NEIGHBOUR]))
def test_pieces_do_not_show(name: str, case: tuple[str, list[str]]) -> None:
    text, pieces = case
    policy = POLICIES[name]
    whole, findings = run(policy, [text])
    by_char, _ = run(policy, list(text))
    cut, cut_findings = run(policy, pieces)
    assert "".join(cut) == "".join(whole)
    assert "".join(by_char) == "".join(whole)
    assert cut_findings == findings
    # And not only in the end: after every push the same has been given out as after the same text by characters.
    fed = 0
    for i, piece in enumerate(pieces):
        fed += len(piece)
        assert "".join(cut[: i + 1]) == "".join(by_char[:fed])


@pytest.mark.parametrize("name", POLICIES)
@settings(max_examples=150, deadline=None)
@given(case=cut_texts())
def test_nothing_of_a_value_later_redacted_has_left(name: str, case: tuple[str, list[str]]) -> None:
    text, pieces = case
    policy = POLICIES[name]
    _, findings = run(policy, [text])
    moderator = Moderator(policy)
    at = fed = 0
    for piece in pieces:
        fed += len(piece)
        for span in moderator.push(piece):
            assert span.start == at
            at = span.end
            if span.finding is None:
                if name != "formatted":
                    assert span.text == text[span.start : span.end]
                assert not any(start < span.end and span.start < end for start, end, *_ in findings)
        assert at == moderator.cut
        assert moderator.held == fed - at
        assert moderator.held <= policy.max_hold_chars
    for span in moderator.finish():
        assert span.start == at
        at = span.end
    assert at == len(text)


@pytest.mark.parametrize("name", [name for name in POLICIES if name != "formatted"])
@settings(max_examples=150, deadline=None)
@given(case=cut_texts())
def test_findings_explain_the_output(name: str, case: tuple[str, list[str]]) -> None:
    text, pieces = case
    out, findings = run(POLICIES[name], pieces)
    explained, at = "", 0
    for start, end, *_ in findings:
        assert at <= start < end <= len(text)
        explained += text[at:start] + "[REDACTED]"
        at = end
    assert "".join(out) == explained + text[at:]


@pytest.mark.parametrize("name", POLICIES)
@settings(max_examples=100, deadline=None)
@given(case=cut_texts())
def test_a_crash_between_any_two_pushes_does_not_show(name: str, case: tuple[str, list[str]]) -> None:
    text, pieces = case
    policy = POLICIES[name]
    whole, _ = run(policy, [text])
    moderator, out = Moderator(policy), []
    for piece in pieces:
        out.append(moderator.feed(piece))
        data = pickle.loads(pickle.dumps(moderator.snapshot()))
        _, text, *_ = data
        assert len(text) <= policy.max_hold_chars + 700
        moderator = Moderator.restore(policy, data)
    out.append(moderator.flush())
    assert "".join(out) == "".join(whole)


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
        by_char, findings = run(policy, list(text))
        for at in range(1, len(text)):
            moderator = Moderator(policy)
            assert moderator.feed(text[:at]) == "".join(by_char[:at])
            first = moderator.cut
            moderator.feed(text[at:])
            moderator.flush()
            assert [(f.start, f.end, f.category, f.rule, f.action) for f in moderator.findings] == findings
            assert not any(f.start < first < f.end for f in moderator.findings)
