"""Words for digits and for the signs of an address, as they are read out: by language, in small letters.

Digits only as far as they are read one by one, with English's pairs. Sources: CLDR's spell-out rules, and how each
language reads out addresses.
"""

from __future__ import annotations

from flows.moderation.tables import words


def _from_zero(text: str) -> dict[str, str]:
    """Words for 0 to 9 in order; those for the same one are joined by a stroke."""
    return {word: str(value) for value, each in enumerate(text.split()) for word in each.split("/")}


_TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"

DIGITS: dict[str, dict[str, str]] = {
    "en": _from_zero("zero/oh/o/nought/naught one two three four five six seven eight nine")
    | {word: str(value) for value, word in enumerate(words(_TEENS), 10)}
    | {word: f"{value}0" for value, word in enumerate(words(_TENS), 2)}
    | {"hundred": "00"},
    "de": _from_zero("null eins zwei/zwo drei vier fünf/fuenf sechs sieben acht neun"),
    "fr": _from_zero("zéro/zero un deux trois quatre cinq six sept huit neuf"),
    "es": _from_zero("cero uno dos tres cuatro cinco seis siete ocho nueve"),
    "it": _from_zero("zero uno due tre quattro cinque sei sette otto nove"),
    "pt": _from_zero("zero um/uma dois/duas três/tres quatro cinco seis/meia sete oito nove"),
    "nl": _from_zero("nul een twee drie vier vijf zes zeven acht negen"),
    "pl": _from_zero("zero jeden dwa trzy cztery pięć sześć siedem osiem dziewięć"),
    "sv": _from_zero("noll ett två tre fyra fem sex sju åtta nio"),
}
"""By language: a word, and the digits it stands for."""

TIMES = {
    "en": {"double": 2, "triple": 3, "treble": 3},
    "es": {"doble": 2, "triple": 3},
    "fr": {"double": 2, "triple": 3},
    "it": {"doppio": 2, "triplo": 3},
    "nl": {"dubbel": 2},
    "pt": {"duplo": 2},
}
"""Words that have the next digit twice or three times."""

AT = words("at ät arobase arroba chiocciola apenstaartje małpa snabel-a")
DOT = words("dot punkt point punto ponto punt kropka prick")
JOINED = words("""
    underscore dash hyphen minus plus unterstrich bindestrich tiret trait guion guión trattino underline streepje
    myślnik podkreślenie
""")
"""Signs within a local part or a label."""

NO_NAMES = words("""
    us me him them it you her here there look looking looks found find available online is are was were be been page
    site website web visit visited live located based arrive arrived start started open opened see seen more details
    info information team support sale today now out up back stay work works working click store shop blog hosted posted
    published go going get apply order read sign register subscribe download buy learn check book browse try or and
    uns mich ihm ihnen hier dort nous moi vous ici nos aquí noi qui ons hier
""")
"""Words before an "at" that say where something is, and are nobody's address."""

NO_HOSTS = words("the a an this that these those his its their your our all last least first once home night noon")
"""Words behind an "at" that begin no domain."""

ENDS = words("""
    com org net edu gov mil int io co info biz app dev me tv ai xyz online shop site store tech cloud eu uk de at ch fr
    es it pt br nl be pl se no dk fi ie us ca au nz in za mx ar cl jp cn kr sg hk ru ua cz sk hu ro gr tr il
    example test
""")
"""What an address that is read out ends in."""
