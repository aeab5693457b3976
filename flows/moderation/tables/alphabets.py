"""The letters of a language that another letter and a mark make, or that look so: in its words they are not folded.

From CLDR's exemplar characters (main, release 47; Unicode licence v3). Left out are those that are written either way:
German ß and Russian ё. What languages without an entry write is folded.
"""

from __future__ import annotations

_LETTERS = {
    "az": "çəğıöşü", "be": "йў", "bg": "й", "bs": "čćđšž", "ca": "àçéèíïóòúü", "cs": "áčďéěíňóřšťúůýž",
    "cy": "âêîôûŵŷ", "da": "åæø", "de": "äöü", "el": "άέήίόύώϊϋΐΰ", "eo": "ĉĝĥĵŝŭ", "es": "áéíñóúü", "et": "äõöüšž",
    "eu": "çñ", "fi": "åäöšž", "fo": "áæðíóøúý", "fr": "àâæçéèêëîïôœùûüÿ", "ga": "áéíóú", "gl": "áéíñóúü",
    "hr": "čćđšž", "hu": "áéíóöőúüű", "is": "áæéíóöúýðþ", "it": "àéèìíîóòùú", "kk": "й", "lt": "ąčęėįšųūž",
    "lv": "āčēģīķļņšūž", "mk": "ѓќ", "mt": "ċġħż", "nb": "åæø", "nl": "áäéëíïóöúü", "nn": "åæø", "no": "åæø",
    "pl": "ąćęłńóśźż", "pt": "áàâãçéêíòóôõú", "ro": "ăâîșțşţ", "ru": "й", "sk": "áäčďéíĺľňóôŕšťúýž", "sl": "čšž",
    "sq": "çë", "sr": "čćđšž", "sv": "åäö", "tk": "äçňöşüýž", "tr": "çğıöşü", "uk": "йїґ",
    "vi": "àảãáạăằẳẵắặâầẩẫấậđèẻẽéẹêềểễếệìỉĩíịòỏõóọôồổỗốộơờởỡớợùủũúụưừửữứựỳỷỹýỵ",
}  # fmt: skip


def letters_of(language: str) -> str:
    """The letters of a language, named as in BCP 47 (`de-AT`); none for one that is not known."""
    return _LETTERS.get(language.replace("_", "-").partition("-")[0].lower(), "")


def small(word: str, letters: str) -> str:
    """The word in small letters, as that alphabet has them: of a dotless ı the capital is I."""
    return (word.replace("İ", "i").replace("I", "ı") if "ı" in letters else word).lower()
