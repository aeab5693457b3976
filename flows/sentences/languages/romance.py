"""French, Spanish, Italian, Portuguese, Romanian."""

from __future__ import annotations

from flows.sentences.languages.language import Language, table, words

FRENCH = Language(
    abbreviations=table(
        name="M MM mme mmes mlle mlles mgr Me dr Pr prof St Ste gal lt",
        inner="c.-à-d cad p.ex ex cf env apr ap j.-c vs al op cit ibid resp éd coll trad fr angl lat ndlr",
        number="no n° nº nos p pp fig vol art chap sect par tél tel janv févr avr juil sept oct nov déc",
        unit="hab kg km",
        list="etc",
        maybe="av bd cie sté s.a s.a.r.l co inc ltd jr sr",
    ),
    openers=words(
        """le la les l'on un une des ce cet cette ces il elle ils elles on nous vous je tu c'est qui que quand où
        comment pourquoi mais et ou or donc car si alors puis après avant dans en sur pour par avec à au aux"""
    ),
    lower_starts=True,
    capital_stops=";",
)

SPANISH = Language(
    abbreviations=table(
        name="sr sra srta sres sras dr dra drs D dª dña prof profa lic ing arq gral cnel sto sta fr mons mt",
        inner="admón p.ej ej vs aprox ca cf cfr ee op cit ibid al ed eds trad núm.tel",
        number="""núm num nº n° no pág págs p pp art arts cap vol fig párr párrs párrf tel tfno ene feb abr may
            jun jul ago sep sept set oct nov dic lun mar mié jue vie sáb dom""",
        list="etc",
        maybe="av avda cía co s.a s.l inc ltd jr ee.uu uu",
    ),
    openers=words(
        """el la los las un una unos unas este esta estos estas ese esa eso esto él ella ellos ellas yo tú usted
        nosotros se lo le que qué quién cómo cuándo dónde por para con en de desde a al si no y o pero como cuando
        además también"""
    ),
    capital_stops=";",
)

ITALIAN = Language(
    abbreviations=table(
        name="""sig sigg sig.ra sig.na sigra dott dott.ssa dottssa dr prof prof.ssa ing avv arch geom rag On sen
            mons s ss egr gent spett ill dir amm cav comm gen col cap ten v.cte psicol""",
        inner="es az p.es ad.es cfr cf ca circa c.a vs op cit ibid al d econ ecc.mo tecn scient lett ant st",
        number="""n nn nr num no n° nº p pp pag pagg art artt vol fig par tel v via feb apr mag giu lug ago set
            sett ott nov dic lun mar mer gio ven sab dom""",
        list="ecc etc",
        maybe="s.p.a s.r.l co inc ltd jr sr f.p",
    ),
    openers=words(
        """il lo la i gli le un uno una questo questa questi queste quello quella egli ella essi loro io tu noi
        voi si che chi come quando dove perché ma e o se non per con in di da a al nel sul poi anche"""
    ),
    capital_stops=";",
)

PORTUGUESE = Language(
    abbreviations=table(
        name="sr sra srs sras srta dr dra drs prof profa profª eng D st sto sta pe fr gen cel ten exmo exma",
        inner="p.ex ex vs aprox ca cf cfr op cit ibid al ed trad",
        number="""nº n° núm num pág págs p pp art arts cap vol fig tel jan fev mar abr mai jun jul ago set out nov
            dez""",
        list="etc",
        maybe="av cia ltda s.a co inc ltd jr",
    ),
    openers=words(
        """o a os as um uma este esta estes estas esse essa isso isto ele ela eles elas eu tu você nós que quem
        como quando onde por para com em de no na se não e ou mas também"""
    ),
    capital_stops=";",
)

ROMANIAN = Language(
    abbreviations=table(
        name="dl dna dra dr prof ing sf st gen col",
        inner="ex cca aprox cf vs op cit",
        number="nr pag p art cap vol fig tel str bd",
        list="etc ș.a ş.a",
        maybe="co inc ltd jr sr",
    ),
)

LANGUAGES = {
    "fr": FRENCH,
    "es": SPANISH,
    "it": ITALIAN,
    "pt": PORTUGUESE,
    "ro": ROMANIAN,
}
