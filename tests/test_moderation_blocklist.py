"""Block lists: whole words however they are written, phrases, parts of words, and the innocent."""

from __future__ import annotations

import json
import pathlib

import pytest

from flows.moderation import Moderator, Policy
from flows.moderation.detectors.base import open_word
from flows.moderation.folding import WORD, fold, readings

DATA = pathlib.Path(__file__).parents[2] / "shared" / "evaluation"
TERMS = (
    "fuck",
    "ass",
    "shit",
    "hell",
    "asshole",
    "blow job",
    "son-of-a-bitch",
    "f.u.c.k",
    "b!tch",
    "masterb*",
    "*tard",
)
POLICY = Policy(pii=(), blocklist=(*TERMS, "*wank*", "坏人", "хуй", "바보", "pot", "god"))


def found(text: str, policy: Policy = POLICY) -> list[str]:
    moderator = Moderator(policy)
    moderator.feed(text)
    moderator.flush()
    return [text[f.start : f.end] for f in moderator.findings]


@pytest.mark.parametrize(
    "text",
    [
        "fuck", "FUCK", "fučk", "ｆｕｃｋ", "𝓯𝓾𝓬𝓴", "ⓕⓤⓒⓚ", "🅵🆄🅲🅺", "f\u200bu\u200bck", "f\u00aduck", "fuсk", "fu ck",
        "f u c k", "f    u     c k", "f-u-c-k", "f_u_c_k", "f*u*c*k", "fuuuuuck", "ass", "A$$", "4ss", "@ss",
        "asssss", "a_s_s",
        "a $ s", "5h1t", "sh!t", "$h!+", "a$$h0l3", "@$$h073", "he11", "blow job", "Blow.\nJob", "blow-job",
        "son of a bitch",
        "b!tch", "masterbation", "bastard", "swanky", "坏人", "坏 人", "хуй", "바보", "sh|t", "ｓｈ１ｔ", "shit's",
    ],
)  # fmt: skip
def test_it_is_found_however_it_is_written(text: str) -> None:
    assert found(f"oh {text} there") == [text.removesuffix("'s")]


@pytest.mark.parametrize(
    "text",
    [
        "Scunthorpe", "assassin", "grass", "class", "hello", "shell", "he'll go", "it's hit", "as soon as",
        "A S S E T", "B A S S",
        "the 45s era", "1455 and 2nd", "goooood", "рот", "pen is", "Moby Dick", "b tch", "blowjobs",
        "blow, then a job", "fx ck",
        "push it", "hotwater", "he ! ll", "好人", "s. Hit", "tar", "master", "thank",
    ],
)  # fmt: skip
def test_the_innocent_pass(text: str) -> None:
    assert found(text) == []


def test_signs_at_the_ends_stay_unless_they_stand_for_letters() -> None:
    assert found("**fuck**! you, a$$ yes") == ["fuck", "a$$"]
    assert found("Go away, a$$h0l3!") == ["a$$h0l3"]


def test_the_allow_list_wins_but_not_over_what_reaches_further() -> None:
    policy = Policy(blocklist=("dick", "hole", "ass hole digger"), allow=("dick tracy", "ass hole"))
    assert found("dick tracy is no dick", policy) == ["dick"]
    assert found("an ass hole and a hole", policy) == ["hole"]
    assert found("an ass hole digger", policy) == ["ass hole digger"]


def test_the_longest_term_is_taken() -> None:
    assert found("ass hat", Policy(blocklist=("ass", "ass hat"))) == ["ass hat"]
    assert found("ass hit", Policy(blocklist=("ass", "ass hat"))) == ["ass"]


def test_a_phrase_is_held_and_let_go() -> None:
    moderator = Moderator(POLICY)
    assert moderator.feed("they blow ") == "they "
    assert moderator.feed("candles ") == "blow candles "


def test_only_the_open_word_of_plain_text_is_held() -> None:
    moderator = Moderator(POLICY)
    for word in ["perhaps", "someone", "would", "like", "another", "interesting", "sentence"]:
        assert moderator.feed(" " + word) != ""
        assert moderator.held == len(word)


def test_what_is_remembered_of_words_changes_nothing() -> None:
    texts = ["see the as", " s it", " soon", " fu ", "ck ", " f u", "n c k", " f u c k"]
    policy = Policy(pii=(), blocklist=TERMS)

    def run(one: Policy) -> list[str]:
        moderator = Moderator(one)
        return [moderator.feed(t) for t in texts] + [moderator.flush()]

    first = run(policy)
    for _ in range(3):
        assert run(policy) == first
    assert run(Policy(pii=(), blocklist=TERMS)) == first


def test_a_long_list_is_no_other_than_a_short_one() -> None:
    policy = Policy(pii=(), blocklist=tuple(f"word{i}x" for i in range(20_000)) + TERMS)
    assert found("a word77x and a word20000x, fuck", policy) == ["word77x", "fuck"]


def test_whatever_ends_the_open_word_ends_a_word() -> None:
    for code in range(0x20000):
        if open_word(chr(code)) == 1 and not 0xD800 <= code < 0xE000:
            word = WORD.search("ab" + chr(code) + "cd")
            assert word is None or word.group() == "ab", hex(code)


@pytest.mark.parametrize(
    "text", ["sh!+(", "sh!+((", "a +(", "(+(", "a+", "a(+", "x" * 64 + "+(", "+" * 70, "(" + "+" * 64]
)
def test_the_open_word_is_a_whole_word(text: str) -> None:
    at = open_word(text)
    assert at == 0 or at <= len(text) - 64 or not WORD.fullmatch(text[at - 1 : at + 1])


def test_folding() -> None:
    assert fold("Ærøskøbing") == "aeroskobing"
    assert fold("Пот") == "пот"
    assert fold("раypal") == "paypal"
    assert "asshole" in readings("a$$h0l3!")
    assert readings("word") == ["word"]


def test_the_evaluation_set() -> None:
    path = DATA / "blocked.jsonl"
    if not path.exists():
        pytest.skip("no blocked.jsonl here")
    policy = Policy(pii=(), blocklist=tuple((DATA / "terms.txt").read_text(encoding="utf-8").split("\n")[:-1]))
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    tests = [row for row in rows if "goaway_test" in row["source"]]
    evasive = [row for row in tests if row["blocked"] and row["sneaky"]]
    assert all(found(row["text"], policy) for row in tests if row["blocked"] and not row["sneaky"])
    assert sum(bool(found(row["text"], policy)) for row in evasive) >= len(evasive) - 2
    assert not any(found(row["text"], policy) for row in tests if not row["blocked"])


def in_language(language: str, text: str, *terms: str, allow: tuple[str, ...] = ()) -> list[str]:
    policy = Policy(pii=(), blocklist=terms, allow=allow)
    moderator = Moderator(policy, language)
    moderator.feed(text)
    moderator.flush()
    by_char = Moderator(policy, language)
    assert "".join(map(by_char.feed, text)) + by_char.flush()
    assert by_char.findings == moderator.findings
    return [text[f.start : f.end] for f in moderator.findings]


@pytest.mark.parametrize(
    ("term", "other"),
    [("ano", "año"), ("schwul", "schwül"), ("pute", "puté"), ("doll day", "döll day"), ("хуи", "хуй")],
)
def test_the_allow_list_compares_the_exact_spelling_first(term: str, other: str) -> None:
    text = f"{term} and {other}, {term.upper()} and {other.upper()}"
    assert in_language("", text, term) == [term, other, term.upper(), other.upper()]
    assert in_language("", text, term, allow=(other,)) == [term, term.upper()]
    assert in_language("", text, other, allow=(term,)) == [other, other.upper()]
    assert in_language("", f"{term}! {other}!", term, allow=(other,)) == [term]


@pytest.mark.parametrize(
    ("language", "terms", "text", "blocked"),
    [
        ("es", ("ano", "cabrón"), "el año, un ano, CABRON, cabrón, el AÑO, a ñ o", ["ano", "CABRON", "cabrón"]),
        ("de-AT", ("schwul", "mösen"), "schwül, schwul, MÖSEN, mosen, s c h w ü l", ["schwul", "MÖSEN", "mosen"]),
        ("de", ("scheiße",), "Scheiße, SCHEISSE, scheisse", ["Scheiße", "SCHEISSE", "scheisse"]),
        ("tr", ("sik",), "SIK, sık, SİK, sik", ["SİK", "sik"]),
        ("fr", ("pute",), "puté, pute, pùte", ["pute"]),
        ("sv", ("rov",), "röv, rov, råv", ["rov"]),
        ("pl", ("kat",), "kąt, kat, KĄT", ["kat"]),
        ("ru", ("хуй",), "хуй, хуи", ["хуй", "хуи"]),
        ("ru", ("елка",), "ёлка", ["ёлка"]),
        ("en", ("ano",), "año", ["año"]),
        ("es", ("fuck",), "fučk, fück, fùck, fцck", ["fučk", "fùck", "fцck"]),
        ("vi", ("địt",), "địt, dit, đít", ["địt", "dit"]),
        ("de", ("*möse*",), "Großmöse, Grossmose, Großmüse", ["Großmöse", "Grossmose"]),
        ("xx", ("ano",), "año", ["año"]),
    ],
)
def test_letters_of_the_sessions_own_alphabet_are_not_folded(
    language: str, terms: tuple[str, ...], text: str, blocked: list[str]
) -> None:
    assert in_language(language, text, *terms) == blocked


@pytest.mark.parametrize(
    ("term", "text"),
    [
        ("كلب", "كَلْبٌ"),
        ("كلب", "كـــلـب"),
        ("أحمق", "احمق"),
        ("احمق", "أَحْمَق"),
        ("إبن", "ابن"),
        ("آثم", "اثم"),
        ("ٱبن", "ابن"),
        ("کثیف", "كثيف"),
        ("كثيف", "کثیف"),
        ("غبى", "غبي"),
        ("ﻛﻠﺐ", "كلب"),
        ("כלב", "כֶּלֶב"),
        ("שרמוטה", "שַׁרְמוּטָה"),
        ("گدھا", "گدها"),
    ],
)
def test_vowel_signs_and_forms_of_letters_fold(term: str, text: str) -> None:
    for before, after in (("", " x"), ("يا ", "، نعم"), ("", "؟"), ("ה ", "־x"), ("", "؛"), ("", "।")):
        assert in_language("ar", f"{before}{text}{after}", term) == [text], after


def test_a_session_is_moderated_in_its_language() -> None:
    policy = Policy(pii=(), blocklist=("ano",))
    for language, shown in (("es", "un año "), ("en", "un [REDACTED] ")):
        moderator = Moderator(policy, language)
        assert moderator.feed("un añ") == "un "
        again = Moderator.restore(policy, moderator.snapshot(), language)
        assert "un " + again.feed("o ya") == shown
