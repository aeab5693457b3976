"""Greek, Armenian, Turkish, and the languages of the Near East, India and East Asia."""

from __future__ import annotations

from flows.sentences.languages.language import EVERYWHERE, Language, table, words

GREEK = Language(
    abbreviations=EVERYWHERE
    | table(
        name="κ κα κος κυρ δρ καθ αγ στρ",
        inner="π.χ δηλ λ.χ βλ πρβλ περ κ.ά",
        number="αρ σελ σ κεφ εικ πίν τηλ άρθρ",
        time="π.μ μ.μ μ.χ",
        list="κ.λπ κλπ κτλ κ.τ.λ",
    ),
    stops=";",
    lower_starts=True,
)

ARMENIAN = Language(stops=":", not_stops=".`")

HEBREW = Language(abbreviations=EVERYWHERE | table(name="ד״ר פרופ׳ מר גב׳", inner="וכו׳"))

ARABIC = Language(abbreviations=EVERYWHERE | table(name="د أ م ا.د أ.د السيد", inner="ج ط هـ", number="ص رقم"))

PERSIAN = Language(abbreviations=EVERYWHERE | table(name="دکتر د آقای", number="ص ش"))

_DEVANAGARI_LETTERS = words(
    """ए बी सी डी ई एफ जी एच आई जे के एल एम एन ओ पी क्यू आर एस टी यू वी डब्ल्यू डब्लू एक्स वाई जेड ज़ेड अ ब क म र
    स व प ग न"""
)

TURKISH = Language(
    abbreviations=table(
        name="dr prof doç yrd av sn alb gen op",
        inner="bkz örn ör yy çev haz yay",
        number="no nr s sf cilt c tel cad sok mah",
        list="vb vs vd",
        maybe="a.ş ltd şti co inc",
    ),
    ordinals=True,
)

HEBREW = Language(abbreviations=EVERYWHERE | table(name="ד״ר פרופ׳ מר גב׳", inner="וכו׳"))

ARABIC = Language(abbreviations=EVERYWHERE | table(name="د أ م ا.د أ.د السيد", inner="ج ط هـ", number="ص رقم"))

PERSIAN = Language(abbreviations=EVERYWHERE | table(name="دکتر د آقای", number="ص ش"))

_DEVANAGARI_LETTERS = words(
    """ए बी सी डी ई एफ जी एच आई जे के एल एम एन ओ पी क्यू आर एस टी यू वी डब्ल्यू डब्लू एक्स वाई जेड ज़ेड अ ब क म र
    स व प ग न"""
)

ARABIC = Language(abbreviations=EVERYWHERE | table(name="د أ م ا.د أ.د السيد", inner="ج ط هـ", number="ص رقم"))

PERSIAN = Language(abbreviations=EVERYWHERE | table(name="دکتر د آقای", number="ص ش"))

_DEVANAGARI_LETTERS = words(
    """ए बी सी डी ई एफ जी एच आई जे के एल एम एन ओ पी क्यू आर एस टी यू वी डब्ल्यू डब्लू एक्स वाई जेड ज़ेड अ ब क म र
    स व प ग न"""
)

PERSIAN = Language(abbreviations=EVERYWHERE | table(name="دکتر د آقای", number="ص ش"))

_DEVANAGARI_LETTERS = words(
    """ए बी सी डी ई एफ जी एच आई जे के एल एम एन ओ पी क्यू आर एस टी यू वी डब्ल्यू डब्लू एक्स वाई जेड ज़ेड अ ब क म र
    स व प ग न"""
)

_DEVANAGARI_LETTERS = words(
    """ए बी सी डी ई एफ जी एच आई जे के एल एम एन ओ पी क्यू आर एस टी यू वी डब्ल्यू डब्लू एक्स वाई जेड ज़ेड अ ब क म र
    स व प ग न"""
)

HINDI = Language(
    abbreviations=EVERYWHERE | table(name="डॉ डा प्रो श्री श्रीमती सुश्री पं मि", inner="उदा लग", number="सं पृ क्र रु"),
    letters=_DEVANAGARI_LETTERS,
)

MARATHI = Language(
    abbreviations=EVERYWHERE | table(name="डॉ डा प्रा श्री श्रीमती सौ कै पं मि", inner="उदा इ.स", number="क्र पृ रु कि.मी"),
    letters=_DEVANAGARI_LETTERS,
)

MALAYALAM = Language(
    abbreviations=EVERYWHERE | table(name="ഡോ മി പ്രൊ പ്രൊഫ ശ്രീ ശ്രീമതി", number="നം പേ"),
    letters=words("എ ബി സി ഡി ഇ എഫ് ജി എച്ച് ഐ ജെ കെ എൽ എം എൻ ഒ പി ക്യൂ ആർ എസ് ടി യു വി ഡബ്ല്യു എക്സ് വൈ"),
)

JAPANESE = Language(quoting=("と", "って", "という", "の", "は", "が", "を", "に", "、"), stops="♪")

CHINESE = Language(quoting=("，", "、", "的", "；"))

LANGUAGES = {
    "el": GREEK,
    "hy": ARMENIAN,
    "tr": TURKISH,
    "he": HEBREW,
    "ar": ARABIC,
    "fa": PERSIAN,
    "ur": PERSIAN,
    "hi": HINDI,
    "mr": MARATHI,
    "ml": MALAYALAM,
    "ja": JAPANESE,
    "zh": CHINESE,
}
