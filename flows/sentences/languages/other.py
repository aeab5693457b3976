"""Greek, Armenian, Turkish, and the languages of the Near East, India and East Asia."""

from __future__ import annotations

from flows.sentences.languages.language import EVERYWHERE, Language, endings, table, words

GREEK = Language(
    abbreviations=EVERYWHERE
    | table(
        name="κ κα κος κυρ δρ καθ αγ στρ λεωφ οδ δις κ.κ",
        inner="π.χ δηλ λ.χ βλ πρβλ περ κ.ά μέγ ελάχ συμπ",
        number="""αρ σελ σ κεφ εικ πίν τηλ άρθρ παρ αρθ εδ φαξ κιν αριθ ΤΚ πρωτ τμ όρ εγγρ""",
        time="π.μ μ.μ",
        list="κ.λπ κλπ κτλ κ.τ.λ κ.α κ.ο.κ",
        maybe="""εκατ δισ χιλ μ.χ α.ε ε.π.ε ο.ε γαλλ γερμ γεν δημ διαμ διευθ εθν εκδ ελλ επιστ ιατρ ιστ κοιν μαθ νομ
            οικ παράγ προφ σημ σχ τεχν υποσ""",
    ),
    prepositions=words("στις στην στο από μέχρι πριν μετά γύρω"),
    openers=words(
        """ο η το οι τα τον την του της των ένας μια ένα αυτός αυτή αυτό αυτά εγώ εσύ εμείς εσείς και κι αλλά ή αν
        όταν που πού πώς πότε γιατί τι ποιος επειδή έτσι δεν μην ναι όχι τώρα σήμερα αύριο μετά πριν σε στο στη στην
        στον με για από παρακαλώ ευχαριστώ ευχαριστούμε είναι έχει μπορεί μπορείτε όλα κάθε δυστυχώς σας θα να ας"""
    ),
    stops=";",
    lower_starts=endings("α ε η ι ο υ ω ά έ ή ί ό ύ ώ ς ν"),
)

ARMENIAN = Language(stops=":", not_stops=".`")

TURKISH = Language(
    abbreviations=table(
        name="dr prof doç yrd av sn alb gen op uzm öğr müh",
        inner="bkz örn ör yy çev haz yay yakl krş maks",
        number="""no nr s sf cilt c tel cad sok mah kat md apt blok fax şek tbl""",
        unit="sa dk",
        list="vb vs vd",
        maybe="""a.ş ltd şti co inc mn m.ö m.s blv bul müd şb akad arş bşk bulv coğ fak hst huk koor mim müdr tic
            üni vet""",
    ),
    openers=words(
        """bu şu o ben sen biz siz onlar bir ve ama fakat veya eğer için ile çünkü neden nasıl nerede ne kim zaman
        şimdi bugün yarın sonra önce evet hayır lütfen teşekkürler teşekkür var yok değil her tüm bazı daha çok
        maalesef ancak ayrıca size bize onu buna bunu"""
    ),
    ordinals=3,
    one_letter=frozenset("o"),
)

HEBREW = Language(abbreviations=EVERYWHERE | table(name="ד״ר פרופ׳ מר גב׳", inner="וכו׳"))

ARABIC = Language(abbreviations=EVERYWHERE | table(name="د أ م ا.د أ.د السيد", inner="ج ط هـ", number="ص رقم"))

PERSIAN = Language(abbreviations=EVERYWHERE | table(name="دکتر د آقای", number="ص ش"))

_DEVANAGARI_LETTERS = words(
    """ए बी सी डी ई एफ जी एच आई जे के एल एम एन ओ पी क्यू आर एस टी यू वी डब्ल्यू डब्लू एक्स वाई जेड ज़ेड अ ब क म र स
        व प ग न"""
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
