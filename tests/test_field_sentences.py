"""Sentences as they are written in the field, in every language that has tables; and ICU's splitter beside ours.

The texts (texts/sentences.txt) are our own: dates, units, short forms, letters that are words, stops of living scripts,
and ends that remain ends. ICU cuts with the suppressions of CLDR, which our tables hold as well.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.sentences import SentenceSplitter
from flows.sentences.languages import LANGUAGES
from flows.sentences.languages.cldr import CLDR
from flows.sentences.languages.detection import HEAD, detect, findable

Texts = dict[tuple[str, str], list[list[str]]]


def read() -> Texts:
    found: Texts = {}
    for line in (Path(__file__).parent / "texts" / "sentences.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            code, _, kind = line[1:].partition("] ")
            rows = found.setdefault((code, kind), [])
        elif line and not line.startswith("#"):
            rows.append(line.split("|"))
    return found


TEXTS = read()


def split(text: str, language: str | None) -> list[str]:
    splitter = SentenceSplitter(language)
    return splitter.feed(text) + splitter.flush()


def one_by_one(text: str, language: str | None) -> list[str]:
    splitter = SentenceSplitter(language)
    return [piece for character in text for piece in splitter.feed(character)] + splitter.flush()


def stripped(pieces: list[str]) -> list[str]:
    return [piece.strip() for piece in pieces]


def wrong(rows: list[list[str]], language: str | None) -> list[str]:
    return ["|".join(got) for row in rows if stripped(got := split("".join(row), language)) != stripped(row)]


@pytest.mark.parametrize(("code", "kind"), TEXTS)
def test_they_are_cut_where_they_end(code: str, kind: str) -> None:
    assert wrong(TEXTS[code, kind], code) == []


@pytest.mark.parametrize("language", [*sorted({code for code, _ in TEXTS}), None])
def test_they_are_cut_the_same_character_by_character(language: str | None) -> None:
    texts = ["".join(row) for (code, _), rows in TEXTS.items() for row in rows if language in (code, None)]
    for text in texts:
        assert one_by_one(text, language) == split(text, language)


@pytest.mark.parametrize("code", CLDR)
def test_no_abbreviation_of_cldr_ends_a_sentence_before_a_small_letter_or_a_number(code: str) -> None:
    small = "στο τέλος" if code == "el" else "в конце" if code in ("ru", "uk", "bg") else "zum b"
    words = [word for kind, table in CLDR[code].items() if kind != "months" for word in table.split()]
    assert len(words) > 5
    for word in words:
        for ahead in (small, "7"):
            assert len(split(f"(2 + 3) 5 {word}. {ahead}", code)) == 1, word


# A language that nobody gave

OPENINGS = {
    "en": "Hello, thank you for your patience. I have checked it with Dr. Hart.",
    "de": "Guten Tag, vielen Dank für Ihre Anfrage. Ich habe das mit Fr. Sommer geprüft.",
    "fr": "Bonjour, merci pour votre message. Nous avons vérifié avec M. Roux.",
    "es": "Hola, gracias por su mensaje. Lo hemos revisado con el Lic. Ruiz.",
    "it": "Buongiorno, grazie per il suo messaggio. Abbiamo verificato con il Sig. Neri.",
    "pt": "Olá, obrigado pela sua mensagem. Nós já verificamos com você e o Dr. Melo.",
    "nl": "Goedendag, bedankt voor uw bericht. Wij hebben het nagekeken.",
    "pl": "Dzień dobry, dziękuję za wiadomość. Proszę o chwilę, sprawdzam to.",
    "ru": "Здравствуйте, спасибо за сообщение. Мы это проверили.",
    "uk": "Вітаю, дякую за повідомлення. Ми це перевірили для вас.",
    "kk": "Сәлеметсіз бе, рахмет. Біз мұны тексердік, бұл сіз үшін дайын.",
    "bg": "Здравейте, благодаря за съобщението. Ние ще проверим това.",
    "da": "Hej, tak for din besked. Jeg har kigget på det, og vi kan hjælpe dig.",
    "sv": "Hej, tack för ditt meddelande. Jag har tittat på det och vi kan hjälpa dig.",
    "fi": "Hei, kiitos viestistä. Olen tarkistanut asian, ja se on nyt kunnossa.",
    "cs": "Dobrý den, děkuji za zprávu. Už jsme to ověřili a je to v pořádku.",
    "sk": "Dobrý deň, ďakujem za správu. Už sme to overili a je to v poriadku.",
    "hu": "Jó napot, köszönöm az üzenetet. Megnéztem, és minden rendben van.",
    "ro": "Bună ziua, vă mulțumesc pentru mesaj. Am verificat și este în regulă.",
    "tr": "Merhaba, mesajınız için teşekkür ederim. Bu konuya baktım ve her şey yolunda.",
    "el": "Καλημέρα, ευχαριστώ για το μήνυμα.",
    "hy": "Բարև ձեզ, շնորհակալություն:",
    "ar": "مرحبا، شكرا على رسالتك.",
    "fa": "سلام، ممنون از پیام شما که گفتید.",
    "ur": "السلام علیکم، آپ کے پیغام کا شکریہ۔",
    "he": "שלום, תודה על ההודעה שלך.",
    "mr": "नमस्कार, तुमच्या संदेशाबद्दल धन्यवाद. आम्ही हे तपासले आहे.",
    "ml": "നമസ്കാരം, നിങ്ങളുടെ സന്ദേശത്തിന് നന്ദി.",
    "hi": "नमस्ते, आपके संदेश के लिए धन्यवाद।",
    "ja": "お問い合わせありがとうございます。",
    "zh": "您好，感谢您的来信。",
}


@pytest.mark.parametrize("code", sorted(findable() - {"nb"}))  # which need not be told from Danish
def test_the_first_words_tell_the_language(code: str) -> None:
    assert code in OPENINGS, "give it an opening above"
    assert detect(OPENINGS[code]) == code


def test_what_is_too_short_to_tell_tells_nothing() -> None:
    assert [detect(text) for text in ("", "OK", "Dr. Roy", "4711", "Jane Doe", "ok 好")] == [None] * 6


@pytest.mark.parametrize("code", ["de", "fr", "es", "it", "pl", "ru", "hu", "tr", "el"])
def test_without_a_language_its_rules_hold_from_the_first_words_on(code: str) -> None:
    rows = [[f"{OPENINGS[code]} ", *row] for (of, _), rows in TEXTS.items() if of == code for row in rows]
    found = [split("".join(row), None)[-len(row) + 1 :] for row in rows]
    assert [stripped(got) for got in found] == [stripped(row[1:]) for row in rows]


def test_most_texts_are_cut_as_well_though_they_are_too_short_to_tell() -> None:
    assert sum(len(wrong(rows, None)) for rows in TEXTS.values()) < 0.1 * sum(map(len, TEXTS.values()))


def test_a_language_that_was_given_is_never_looked_for() -> None:
    german = "Guten Tag, vielen Dank für Ihre Anfrage. Wir sitzen im 3. Stock links."
    assert split(german, None)[1:] == ["Wir sitzen im 3. Stock links."]
    assert split(german, "en")[1:] == ["Wir sitzen im 3. ", "Stock links."]


def test_a_language_is_found_once_and_only_in_the_first_characters() -> None:
    late = "x" * HEAD + ". " + OPENINGS["de"] + " Wir sitzen im 3. Stock."
    assert split(late, None)[-2:] == ["Wir sitzen im 3. ", "Stock."]
    turned = OPENINGS["de"] + " " + OPENINGS["en"] * 4 + " Wir sitzen im 3. Stock."
    assert split(turned, None)[-1] == "Wir sitzen im 3. Stock."


def test_behind_a_flush_the_language_is_looked_for_anew() -> None:
    splitter = SentenceSplitter(None)
    for code in ("de", "en"):
        splitter.feed(OPENINGS[code])
        splitter.feed(" Wait. Then")
        assert splitter._state.found == code
        splitter.flush()


def test_a_language_that_was_found_is_in_the_snapshot() -> None:
    first, second = SentenceSplitter(None), SentenceSplitter(None)
    first.feed(OPENINGS["de"] + " Wir sitzen im 3.")
    second.restore(first.snapshot())
    assert second.feed(" Stock. Gut") == first.feed(" Stock. Gut") == ["Wir sitzen im 3. Stock. "]


def test_a_snapshot_of_before_languages_were_found_still_reads() -> None:
    splitter = SentenceSplitter("de")
    splitter.feed("Im 3.")
    snapshot = splitter.snapshot()
    snapshot["state"] = snapshot["state"][:11]
    splitter.restore(snapshot)
    assert splitter.feed(" Stock. Gut") == ["Im 3. Stock. "]


# ICU beside ours


@pytest.fixture(scope="module")
def icu() -> Any:
    return pytest.importorskip("icu4py.breakers").SentenceBreaker


def test_we_are_never_worse_than_icu_with_its_suppressions(icu: Any) -> None:
    theirs: dict[str, int] = {}
    for (code, _), rows in TEXTS.items():
        missed = sum(stripped(list(icu("".join(row), f"{code}@ss=standard"))) != stripped(row) for row in rows)
        theirs[code] = theirs.get(code, 0) + missed
    ours = {code: sum(len(wrong(rows, code)) for (of, _), rows in TEXTS.items() if of == code) for code in theirs}
    assert all(ours[code] <= theirs[code] for code in theirs)
    assert sum(ours.values()) < sum(theirs.values()) / 10


PLAIN = ["order", "parcel", "window", "blue", "seven", "garden", "letter", "müde", "été", "дом", "λόγος"]
SENTENCES = st.tuples(
    st.lists(st.sampled_from(PLAIN), min_size=3, max_size=8), st.sampled_from([". ", "! ", "? ", "?! ", "?? "])
).map(lambda parts: " ".join(parts[0]).capitalize() + parts[1])


@settings(deadline=None)  # no test measures speed
@given(st.lists(SENTENCES, min_size=1, max_size=6), st.sampled_from(sorted(set(LANGUAGES) - {"hy"})))
def test_plain_sentences_are_cut_as_icu_cuts_them(icu: Any, sentences: list[str], code: str) -> None:
    text = "".join(sentences)
    assert stripped(split(text, code)) == stripped(list(icu(text, code)))
