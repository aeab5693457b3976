"""The language of a text, by its first words: which script it is written in, and whose small words are among them.

Rules
- Only the first `HEAD` characters count, and no more than `WORDS` words of them. The answer depends on them alone.
- A script of one language says it by itself (Greek, Armenian, Kana). Where several languages share a script, the words
  that are the most frequent in each vote, and letters that only some of them have. A word of two languages counts less
  for both.
- No answer before one language is clearly ahead. Danish and Norwegian, whose tables are all but the same, need not be
  told apart.
- A model would know more languages and be surer of short texts, but weighs megabytes, and its next version would change
  what an old recording gives. Here it is enough to know whose abbreviations to look for.
"""

from __future__ import annotations

import re
from functools import cache

from flows.sentences.languages import LANGUAGES

HEAD = 256
WORDS = 40
_CLEAR = 1.5
_AHEAD = 1.0
_LETTERS = 4
_SIBLINGS = {"da", "nb"}

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")

_SCRIPTS = {
    "el": "\u0370-\u03ff\u1f00-\u1fff",
    "hy": "\u0531-\u058f",
    "he": "\u0590-\u05ff",
    "ar": "\u0600-\u06ff\u0750-\u077f",
    "hi": "\u0900-\u097f",
    "ml": "\u0d00-\u0d7f",
    "ja": "\u3040-\u30ff\uff66-\uff9f",
    "zh": "\u3400-\u9fff",
}
_SCRIPT = {code: re.compile(f"[{signs}]") for code, signs in _SCRIPTS.items()}

_COMMON = {  # a language's most frequent words, small
    "en": """the and you your is are to of for with this that have has we can will please hello hi thank thanks it from
        not our was be i'm i've it's don't what how if here my they there would yes sorry dear""",
    "de": """der die das und ist nicht ich sie wir mit für auf ein eine einen den dem des von zu zum zur im bitte danke
        ihre ihren ihr sehr geehrte geehrter hallo guten tag werden wird haben kann können auch wenn am oder nach bei
        ja nein uns gern""",
    "fr": """le la les des et est vous nous je pour dans une un votre vos avec sur pas ne qui que ce cette merci bonjour
        c'est au aux du sont avez pouvez sera notre oui non mais ou il elle par s'il plaît""",
    "es": """el la los las de y es en que usted su sus por para con una un no se lo gracias hola está puede muy
        nuestro nuestra si más pero como del al ha hemos favor buenos días cómo qué sí le""",
    "it": """il la lo gli le di e è che non per con una un del della dei nel suo sua grazie ciao buongiorno sono può
        questo questa si da in più ma come ha abbiamo nostro alla al vostro gentile""",
    "pt": """o a os as de e é que não para com uma um do da dos das no na em seu sua você obrigado obrigada olá está
        pode são por mais mas como foi nosso nossa ao sim bom dia""",
    "nl": """de het een en is niet ik u wij we uw van voor met op te dat dit die zijn hebt heeft kunt kan bij naar
        bedankt dank hallo goedendag geen maar ook om als er wordt onze""",
    "pl": """i w z na nie się jest to że do dla pan pani proszę dziękuję dzień dobry o po jak ale czy jego państwa może
        przez są od za nasz tak""",
    "da": """og er det en et i at på til med ikke jeg du vi de din dit tak hej kan har vil for af som den fra dig eller
        hvis også vores nu skal""",
    "nb": """og er det en et i å på til med ikke jeg du vi de din ditt takk hei kan har vil for av som den fra deg eller
        hvis også vår nå skal""",
    "sv": """och är det en ett i att på till med inte jag du vi ni din ditt tack hej kan har vill för av som den
        från dig eller om också vår nu ska""",
    "fi": """ja on ei se että olen voit voitte kiitos hei me te hän tämä mutta myös kun jos ole sinun teidän meidän
        ovat oli sitä mikä hyvää päivää""",
    "cs": """a je v na se to že pro s do není jsou jste vás váš vaše prosím děkuji dobrý den ale jako nebo která který
        by z můžete jsem máte po za""",
    "sk": """a je v na sa to že pre s do nie sú ste vás váš vaše prosím ďakujem dobrý deň ale ako alebo ktorá ktorý by
        z môžete som máte po za""",
    "hu": """a az és hogy nem egy van ez is ön kérem köszönöm köszönjük jó napot de vagy meg csak lehet kell önnek a
        szíves üdvözlöm el""",
    "ro": """și de la în nu este cu pe pentru o un să vă dumneavoastră mulțumesc bună ziua sunt din care mai dar sau
        poate puteți al ale au""",
    "tr": """ve bir bu için ile çok da de ne değil var yok siz size lütfen teşekkür merhaba ederim olarak daha mı mi
        ben biz sizin gibi olan""",
    "ru": """и в не на я что вы с это как по для ваш вас вам мы у за от но да нет он она они здравствуйте спасибо
        пожалуйста если можно есть был ваша""",
    "uk": """і в не на я що ви з це як по для ваш вас вам ми у за від але та так ні він вона вони вітаю дякую будь ласка
        якщо можна є був ваша до""",
    "bg": """и в не на аз че вие с това как по за ваш вас ви ние от но да са е се си ще здравейте благодаря моля ако
        може има беше""",
    "kk": """және бұл мен сіз біз үшін де да емес бар жоқ рахмет сәлеметсіз бе сіздің қалай еді""",
}

_MARKS = {  # letters that only some of these languages have, for those that have any
    "de": "ß", "fr": "œç", "es": "ñ¿¡", "pt": "ãõ", "pl": "łąęśżźćń", "da": "æø", "nb": "æø", "sv": "å", "cs": "řěů",
    "sk": "ľĺŕô", "hu": "őű", "ro": "țșăţş", "tr": "ğış", "uk": "іїєґ", "ru": "ыэё", "kk": "қғңұүһәө",
}  # fmt: skip


def findable() -> frozenset[str]:
    """The codes of all languages that `detect` can find."""
    return frozenset({*_COMMON, *_SCRIPT, "fa", "ur", "mr"})


@cache
def _votes() -> dict[str, list[tuple[str, float]]]:
    """What each word and each mark says for each language."""
    codes: dict[str, set[str]] = {}
    for code, text in _COMMON.items():
        for entry in {*text.split(), *LANGUAGES[code].openers, *map(_mark, _MARKS.get(code, ""))}:
            codes.setdefault(entry, set()).add(code)
    return {entry: [(code, 1 / len(of - {"nb"} or of) ** 2) for code in sorted(of)] for entry, of in codes.items()}


def _mark(letter: str) -> str:
    """A letter among the votes, where it is no word."""
    return f"*{letter}"


def detect(text: str, *, last: bool = False) -> str | None:
    """The language of a text of at most `HEAD` characters, as a code; None while it is open.

    `last` asks for the likeliest then, if there is any.
    """
    marks: set[str] = set()
    if not text.isascii():
        found = _by_script(text)
        if found:
            return found
        marks = {_mark(sign) for sign in text.lower() if not sign.isascii()}
    votes = _votes()
    score: dict[str, float] = {}
    for entry in marks.union(_WORD.findall(text.lower().replace("’", "'"))[:WORDS]):
        for code, vote in votes.get(entry, ()):
            score[code] = score.get(code, 0) + vote
    if not score:
        return None
    code, best = max(score.items(), key=lambda item: item[1])
    second = max((value for other, value in score.items() if other != code and {code, other} != _SIBLINGS), default=0)
    ahead = best - second
    return code if (best >= _CLEAR and ahead >= _AHEAD) or (last and ahead > 0) else None


def _by_script(text: str) -> str | None:
    count = {code: len(pattern.findall(text)) for code, pattern in _SCRIPT.items()}
    code = max(count, key=lambda each: count[each])
    letters = sum(map(str.isalpha, text))
    if count["ja"] >= 1 and count["ja"] + count["zh"] >= _LETTERS // 2 and 2 * (count["ja"] + count["zh"]) > letters:
        return "ja"
    if code == "zh":
        return "zh" if count[code] >= _LETTERS and 2 * count[code] > letters else None
    if count[code] < _LETTERS or 2 * count[code] <= letters:
        return None
    if code == "ar":
        return "ur" if re.search("[ٹڈڑےںہ]", text) else "fa" if re.search("[پچژگکی]", text) else "ar"
    if code == "hi":
        return "mr" if re.search("ळ|(?:^|\\s)(?:आहे|आहेत|आणि|नाही|तुम्ही|होते|झाले)(?:[\\s.]|$)", text) else "hi"
    return code
